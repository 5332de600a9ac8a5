"""Rates of exchange, which staff keep so that tax can be shown in the seller's currency too."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint
from django.utils.translation import gettext_lazy as _

from billing_portal.core.exact_decimals import plain
from billing_portal.core.letters import PrintedField


class ExchangeRate(models.Model):
    """What one of a currency was worth in another on a day: 1 EUR = 1.0850 USD. Invoices keep a copy."""

    from_currency = models.CharField(_("one of this currency"), max_length=3, help_text=_("Such as EUR."))
    to_currency = models.CharField(_("in this currency"), max_length=3, help_text=_("Such as USD."))
    quoted_on = models.DateField(_("day"), help_text=_("On which the rate was published."))
    rate = models.DecimalField(
        _("rate"), max_digits=20, decimal_places=10, validators=[MinValueValidator(0)],
        help_text=_("As it was published: 1.0850 where one euro is 1.0850 dollars."),
    )  # fmt: skip
    source = PrintedField(_("source"), max_length=60, help_text=_("Who published it, such as ECB."))

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        constraints = [
            UniqueConstraint(
                fields=["from_currency", "to_currency", "quoted_on"],
                name="exchange_rate_once_a_day",
                violation_error_message=_("There is a rate of these currencies on this day already. Change that one."),
            ),
            CheckConstraint(
                condition=Q(rate__gt=0),
                name="exchange_rate_positive",
                violation_error_message=_("A rate is more than zero."),
            ),
            CheckConstraint(
                condition=~Q(from_currency=F("to_currency")),
                name="exchange_rate_of_two_currencies",
                violation_error_message=_("The two currencies are the same."),
            ),
        ]

    def __str__(self) -> str:
        return f"1 {self.from_currency} = {plain(self.rate)} {self.to_currency}, {self.quoted_on}"
