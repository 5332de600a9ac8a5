"""The staff pages of customers, people, roles and the records of what was done."""

from accounts.admin import customers, people, records, roles, wire

__all__ = ["customers", "people", "records", "roles", "wire"]
