"""What may be done with people, roles, mail and the way a profile pays. Interfaces import from here."""

from accounts.operations.addresses import (
    CannotChangeAddress,
    cancel_email_change,
    cancel_email_change_by_link,
    change_password,
    confirm_email_change,
    correct_unproven_address,
    is_only_invited,
    is_proven,
    mail_password_link,
    queue_password_link,
    request_email_change,
    set_password_by_link,
)
from accounts.operations.contacts import CannotChangeContacts, add_contact, choose_mails, remove_contact
from accounts.operations.people import CannotDeactivate, change_activity, invite_person
from accounts.operations.roles import CannotChangeRoles, grant_role, remove_role
from accounts.operations.second_factors import (
    CannotRemoveSecondFactor,
    demand_second_factor,
    remove_second_factor,
)
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
    "CannotChangeAddress",
    "CannotChangeContacts",
    "CannotChangeRoles",
    "CannotDeactivate",
    "CannotDecide",
    "CannotRemoveSecondFactor",
    "WireFacts",
    "add_contact",
    "cancel_email_change",
    "cancel_email_change_by_link",
    "change_activity",
    "change_password",
    "choose_mails",
    "confirm_email_change",
    "correct_unproven_address",
    "decide_wire_request",
    "demand_second_factor",
    "grant_role",
    "invite_person",
    "is_only_invited",
    "is_proven",
    "mail_password_link",
    "queue_password_link",
    "remove_contact",
    "remove_role",
    "remove_second_factor",
    "request_email_change",
    "request_wire",
    "set_password_by_link",
    "withdraw_wire_request",
]
