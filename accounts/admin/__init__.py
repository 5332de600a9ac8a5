"""The staff pages of customers, people, roles and the records of what was done."""

from accounts.admin import audit, customers, people, roles, wire

__all__ = ["audit", "customers", "people", "roles", "wire"]
