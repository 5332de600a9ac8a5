"""What may be done with people and roles. Interfaces import from here."""

from accounts.operations.people import CannotDeactivate, change_activity
from accounts.operations.roles import CannotChangeRoles, grant_role, remove_role

__all__ = ["CannotChangeRoles", "CannotDeactivate", "change_activity", "grant_role", "remove_role"]
