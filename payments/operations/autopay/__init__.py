"""Charging a profile's default card for its invoices, without anybody pressing anything.

An invoice says on which day it is charged next (``autopay_on``); an `AutomaticCharge` tells the story. The clock calls
`charge_due`. A try is an ordinary payment: begun under the invoice's lock, charged with the gateway, settled by the one
door; nobody is there to pass a check, so a bank that wants one ends the plan and the payer gets a mail that leads to
the payment page. Whatever a person does (pays, voids, disputes, switches off, goes over to wire) ends it too.
"""

from payments.operations.autopay.charging import charge_due, take_up
from payments.operations.autopay.planning import go_on
from payments.operations.autopay.switching import CannotPlan, plan_again, switch_autopay

__all__ = ["CannotPlan", "charge_due", "go_on", "plan_again", "switch_autopay", "take_up"]
