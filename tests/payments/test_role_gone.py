"""A role that is taken away while the bank checks: the money that was taken counts, the card is not kept."""

import pytest

from accounts.models import RoleAssignment
from payments.gateways.sandbox import charges
from payments.models import PaymentMethod
from payments.operations import detach_due
from tests.factories import NOW, issued, member
from tests.payments.acts import books_are_clean, deliver, press_pay, sandbox, state
from tests.payments.adding import cards_at_the_gateway

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("still", ["", "invoice_manager"])
def test_a_card_is_not_kept_for_somebody_who_may_not_keep_one_any_more(profile, still):
    owner, invoice = member(profile, "profile_owner"), issued(profile)
    payment = press_pay(owner, invoice, token="tok_3184_x", save_method=True, make_default=True)
    owner.assignments.all().delete()
    if still:
        RoleAssignment.objects.create(user=owner, role=still, profile=profile)
    with sandbox().books.transaction() as book:
        charges.answer_challenge(book, book.rows("SELECT * FROM charges")[0], approved=True)
    deliver()
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert state(invoice)[0] == "paid"
    assert not PaymentMethod.objects.active().exists()
    detach_due(at=NOW)
    assert cards_at_the_gateway() == 0
    assert books_are_clean()
