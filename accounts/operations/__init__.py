"""What may be done with people, roles, mail and the way a profile pays. Interfaces import from here."""

from accounts.operations.contacts import CannotChangeContacts, add_contact, choose_mails, remove_contact
from accounts.operations.people import CannotDeactivate, change_activity
from accounts.operations.roles import CannotChangeRoles, grant_role, remove_role
from accounts.operations.wire import (
    CannotAskForWire,
    CannotDecide,
    WireFacts,
    decide_wire_request,
    request_wire,
    withdraw_wire_request,
)

__all__ = [
    "CannotAskForWire",
    "CannotChangeContacts",
    "CannotChangeRoles",
    "CannotDeactivate",
    "CannotDecide",
    "WireFacts",
    "add_contact",
    "change_activity",
    "choose_mails",
    "decide_wire_request",
    "grant_role",
    "remove_contact",
    "remove_role",
    "request_wire",
    "withdraw_wire_request",
]
