"""Where customers send their money, per currency and from which day on."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RemittanceAccount(models.Model):
    """A bank account of ours. An invoice prints the one of its currency that holds on its day, and keeps a copy."""

    currency = models.CharField(_("currency"), max_length=3)
    valid_from_on = models.DateField(_("holds from"))
    account_holder = models.CharField(_("account holder"), max_length=70)
    iban = models.CharField(_("IBAN or account number"), max_length=34)
    bic = models.CharField(_("BIC"), max_length=11, blank=True)
    bank = models.CharField(_("bank"), max_length=120, blank=True)
    check_address = models.TextField(_("address for checks"), blank=True)

    class Meta:
        verbose_name = _("remittance account")
        verbose_name_plural = _("remittance accounts")
        constraints = [
            models.UniqueConstraint(fields=["currency", "valid_from_on"], name="remittance_account_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.iban}"
