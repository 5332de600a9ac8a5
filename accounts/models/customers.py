"""The customer: the agreement, the profiles that are invoiced, and the sections their invoices are grouped by."""

import secrets
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.company_numbers import NumberKind, canonical_number, number_label, scheme_choices
from accounts.email_addresses import canonical_address
from accounts.models.addresses import PostalAddress
from accounts.models.sellers import DOCUMENT_LANGUAGES, Seller, validate_endpoint
from accounts.querysets import BillingAccountQuerySet, BillingProfileQuerySet, InvoiceSectionQuerySet
from billing_portal.core.iso_codes import validate_currency
from billing_portal.core.letters import PrintedField, SeenField
from billing_portal.core.spelling import Compact

# The invoice day that every month has as its last, whichever that is.
LAST_DAY = 31
CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTVWXYZ23456789"


def new_code() -> str:
    """A short public name such as ``K7QX-2M9P``: 40 random bits, no letters that look alike."""
    letters = [secrets.choice(CODE_ALPHABET) for _ in range(8)]
    return "".join(letters[:4]) + "-" + "".join(letters[4:])


def invoice_days() -> list[tuple[int, str]]:
    """The days of the month on which a profile may be invoiced, as they are offered."""
    return [*((day, str(day)) for day in range(1, LAST_DAY)), (LAST_DAY, gettext("Last day of the month"))]


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(_("%(name)s is not a time zone, such as Europe/Amsterdam.") % {"name": name})


class BillingAccount(PostalAddress):
    """A customer's agreement with us. Its address is the sold-to: the legal entity, printed on every invoice."""

    class AgreementType(models.TextChoices):
        CUSTOMER = "customer", _("Customer agreement")
        ONLINE_SERVICES = "online_services", _("Online services agreement")
        ENTERPRISE = "enterprise", _("Enterprise agreement")
        PARTNER = "partner", _("Partner agreement")

    PAYS_BY_CARD = (AgreementType.CUSTOMER, AgreementType.ONLINE_SERVICES)

    code = models.CharField(_("code"), max_length=12, unique=True, default=new_code, editable=False)
    name = SeenField(_("name"), max_length=120)
    agreement_type = models.CharField(
        _("agreement type"), max_length=16, choices=AgreementType, default=AgreementType.CUSTOMER
    )
    seller = models.ForeignKey(
        Seller, models.PROTECT, related_name="accounts", verbose_name=_("seller"),
        help_text=_("The company that sends its invoices. It cannot be changed once there are amounts or cards."),
    )  # fmt: skip
    requires_second_factor = models.BooleanField(
        _("require a second factor"),
        default=False,
        db_default=False,
        help_text=_("Whoever pays or manages cards on its billing profiles must sign in with a second factor."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = BillingAccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("billing account")
        verbose_name_plural = _("billing accounts")
        indexes = [models.Index(fields=["name", "id"], name="account_by_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def can_pay_by_card(self) -> bool:
        return self.agreement_type in self.PAYS_BY_CARD


class TaxId(models.Model):
    """A number under which the customer is known to a tax office."""

    Kind = NumberKind

    account = models.ForeignKey(
        BillingAccount, models.CASCADE, related_name="tax_ids", verbose_name=_("billing account")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.VAT)
    value = PrintedField(_("number"), max_length=40)

    class Meta:
        verbose_name = _("tax ID")
        verbose_name_plural = _("tax IDs")
        constraints = [
            models.UniqueConstraint(
                Compact("value"),
                "account",
                "kind",
                name="tax_id_once_per_account",
                violation_error_message=_("This billing account has that number already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"

    @property
    def label(self) -> str:
        return number_label(self.kind, self.account.country)

    def clean(self) -> None:
        if self.value:
            try:
                self.value = canonical_number(self.kind, self.value, self.account.country)
            except ValidationError as error:
                raise ValidationError({"value": error.messages}) from error


class BillingProfile(PostalAddress):
    """The paying unit: one invoice a period, its own payment methods. Its address is the bill-to. It is warned and
    disabled by the days that something is past due, and active again once that is paid. Staff hold it, with a reason,
    until they lift that; they close it and open it again."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        WARNED = "warned", _("Warned")
        DISABLED = "disabled", _("Disabled")
        HELD = "held", _("On hold")
        CLOSED = "closed", _("Closed")

    class DefaultMethod(models.TextChoices):
        CARD = "card", _("Card")
        CHECK_WIRE = "check_wire", _("Check or wire transfer")

    class InvoiceFormat(models.TextChoices):
        PDF = "pdf", _("PDF")
        FACTUR_X = "facturx", _("PDF with the data inside (Factur-X, ZUGFeRD)")
        UBL = "ubl", _("Electronic invoice (Peppol BIS Billing 3)")
        XRECHNUNG = "xrechnung", _("Electronic invoice for Germany (XRechnung)")

    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="profiles", verbose_name=_("billing account")
    )
    code = models.CharField(_("code"), max_length=12, unique=True, default=new_code, editable=False)
    name = PrintedField(_("name"), max_length=120)
    currency = models.CharField(
        _("currency"),
        max_length=3,
        validators=[validate_currency],
        help_text=_("Three letters of ISO 4217, such as EUR. It cannot be changed once there are amounts or cards."),
    )
    invoice_day = models.PositiveSmallIntegerField(
        _("invoice day"),
        default=5,
        choices=invoice_days,
        help_text=_("In a month without a 29th or 30th, the invoice comes on its last day."),
    )
    payment_terms_days = models.PositiveSmallIntegerField(
        _("payment terms"),
        default=30,
        validators=[MaxValueValidator(365)],
        help_text=_("Days from invoice to due date."),
    )
    po_number = PrintedField(_("PO number"), max_length=60, blank=True)
    default_method = models.CharField(
        _("default payment method"), max_length=12, choices=DefaultMethod, default=DefaultMethod.CARD
    )
    charges_automatically = models.BooleanField(
        _("charge the card automatically"),
        default=True,
        db_default=True,
        help_text=_("Each invoice is charged to the default card after it was issued."),
    )
    is_wire_approved = models.BooleanField(_("may pay by check or wire"), default=False, db_default=False)
    issues_empty_invoices = models.BooleanField(_("invoice a period without charges"), default=False, db_default=False)
    mails_invoices = models.BooleanField(
        _("mail each new invoice"),
        default=True,
        db_default=True,
        help_text=_("To its owners, contributors and invoice managers, and to its contacts."),
    )
    # Up to when charges have been invoiced, and when the next period closes. Empty until the first billing run.
    billed_until_on = models.DateField(_("invoiced up to"), null=True, blank=True, editable=False)
    next_invoice_on = models.DateField(_("next invoice"), null=True, blank=True, editable=False)
    # How its documents are made and sent.
    document_language = models.CharField(
        _("language of documents"), max_length=2, choices=DOCUMENT_LANGUAGES, default="en", db_default="en"
    )
    invoice_format = models.CharField(
        _("invoices are sent as"), max_length=12, choices=InvoiceFormat, default=InvoiceFormat.PDF,
        db_default=InvoiceFormat.PDF,
    )  # fmt: skip
    buyer_reference = PrintedField(
        _("buyer reference"), max_length=60, blank=True, db_default="",
        help_text=_("Printed on each invoice as your reference; for German authorities it is the Leitweg-ID."),
    )  # fmt: skip
    endpoint_scheme = models.CharField(
        _("scheme of the endpoint"), max_length=4, blank=True, db_default="", choices=scheme_choices,
        help_text=_("The kind of number at which electronic invoices are received."),
    )  # fmt: skip
    endpoint_id = models.CharField(_("endpoint"), max_length=80, blank=True, db_default="")
    time_zone = models.CharField(
        _("time zone"), max_length=40, default="Europe/Amsterdam", validators=[validate_time_zone]
    )
    status = models.CharField(
        _("status"),
        max_length=12,
        choices=Status,
        default=Status.ACTIVE,
        editable=False,
        help_text=_(
            "Closed: no new invoices, nothing can be paid online. Warned and disabled follow from what is past due."
        ),
    )
    hold_reason = models.CharField(_("reason of the hold"), max_length=200, blank=True, db_default="", editable=False)
    held_at = models.DateTimeField(_("on hold since"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = BillingProfileQuerySet.as_manager()

    class Meta:
        verbose_name = _("billing profile")
        verbose_name_plural = _("billing profiles")
        indexes = [
            models.Index(fields=["name", "id"], name="profile_by_name"),
            models.Index(fields=["next_invoice_on", "id"], name="profile_to_invoice"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(invoice_day__range=(1, LAST_DAY)),
                name="profile_invoice_day_in_a_month",
                violation_error_message=_("The invoice day is between 1 and 31."),
            ),
            models.CheckConstraint(
                condition=Q(payment_terms_days__lte=365),
                name="profile_terms_within_a_year",
                violation_error_message=_("The payment terms are at most 365 days."),
            ),
            models.CheckConstraint(
                condition=Q(status="held", held_at__isnull=False) & ~Q(hold_reason="")
                | ~Q(status="held") & Q(hold_reason="", held_at=None),
                name="profile_held_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.endpoint_id = validate_endpoint(self.endpoint_scheme, self.endpoint_id)

    def day_of(self, at: datetime) -> date:
        """The calendar day of a moment where the profile is: what is past due must not depend on the reader."""
        return at.astimezone(ZoneInfo(self.time_zone)).date()

    def as_buyer(self) -> dict[str, Any]:
        """What a document keeps of the customer. Needs ``account`` with ``tax_ids``."""
        return {
            "agreement_type": self.account.agreement_type,
            "profile": self.name,
            "sold_to": self.account.address_parts,
            "bill_to": self.address_parts,
            "numbers": [{"kind": tax_id.kind, "value": tax_id.value} for tax_id in self.account.tax_ids.all()],
            "reference": self.buyer_reference,
            "endpoint": {"scheme": self.endpoint_scheme, "id": self.endpoint_id} if self.endpoint_id else {},
            "language": self.document_language,
            "format": self.invoice_format,
            "is_charged": self.charges_automatically and not self.pays_by_wire and self.account.can_pay_by_card,
        }

    def has_amounts(self) -> bool:
        """Whether an invoice or draft, a charge, a credit, a card or a payment refers to the profile. Minor units mean
        another amount in another currency, and cards belong to an account at the provider."""
        return any(
            relation.related_model._base_manager.filter(**{relation.field.name: self.pk}).exists()
            for relation in self._meta.get_fields(include_hidden=True)
            if isinstance(relation, models.ManyToOneRel) and relation.related_model._meta.app_label != "accounts"
        )

    @property
    def pays_by_wire(self) -> bool:
        return self.default_method == self.DefaultMethod.CHECK_WIRE

    @property
    def is_invoiced_on_the_last_day(self) -> bool:
        return self.invoice_day == LAST_DAY

    @property
    def is_closed(self) -> bool:
        return self.status == self.Status.CLOSED


class InvoiceSection(models.Model):
    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="sections", verbose_name=_("billing profile")
    )
    name = PrintedField(_("name"), max_length=120)
    is_active = models.BooleanField(_("active"), default=True)

    objects = InvoiceSectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("invoice section")
        verbose_name_plural = _("invoice sections")
        constraints = [
            models.UniqueConstraint(
                Compact("name"),
                "profile",
                name="section_name_once_per_profile",
                violation_error_message=_("This billing profile has an invoice section of that name already."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class BillingContact(models.Model):
    """Somebody in accounts payable who gets a profile's mail and signs in nowhere."""

    profile = models.ForeignKey(
        BillingProfile, models.CASCADE, related_name="contacts", verbose_name=_("billing profile")
    )
    name = SeenField(_("name"), max_length=120, blank=True)
    email = models.EmailField(_("e-mail address"), max_length=254)
    language = models.CharField(
        _("language"), max_length=8, default="en", choices=[("en", _("English")), ("nl", _("Dutch"))]
    )
    gets_invoices = models.BooleanField(_("new invoices"), default=True)
    gets_reminders = models.BooleanField(_("reminders"), default=True)
    gets_statements = models.BooleanField(_("statements"), default=True)
    # The first day of the last month whose statement was sent; empty before the first.
    last_statement_on = models.DateField(_("last statement"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("accounts payable contact")
        verbose_name_plural = _("accounts payable contacts")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                "profile",
                name="contact_once_per_profile",
                violation_error_message=_("This address is a contact of the billing profile already."),
            )
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        """For the forms of staff, which save the row as it is; a form says by itself that an address is missing."""
        if self.email:
            try:
                self.email = canonical_address(self.email)
            except ValidationError as error:
                raise ValidationError({"email": error.messages}) from error


class WireRequest(models.Model):
    """That somebody asked to pay a profile's invoices by check or wire, with what staff need to decide."""

    class Status(models.TextChoices):
        OPEN = "open", _("Waiting for our answer")
        APPROVED = "approved", _("Approved")
        DECLINED = "declined", _("Declined")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    profile = models.ForeignKey(
        BillingProfile, models.PROTECT, related_name="wire_requests", verbose_name=_("billing profile")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.OPEN)
    legal_name = SeenField(_("legal name of the company"), max_length=120)
    registration_number = SeenField(_("registration number"), max_length=40)
    monthly_amount = SeenField(_("expected amount per month"), max_length=40)
    contact_name = SeenField(_("contact in accounts payable"), max_length=120)
    contact_email = models.EmailField(_("email address of the contact"), max_length=254)
    contact_phone = SeenField(_("telephone of the contact"), max_length=40, blank=True)
    reason = SeenField(_("why a card does not work"), max_length=500)
    requested_at = models.DateTimeField(_("requested"))
    requested_by = models.ForeignKey(
        "accounts.User", models.PROTECT, related_name="+", verbose_name=_("requested by"), db_index=False
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        "accounts.User",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
        db_index=False,
    )
    answer = SeenField(_("reason for the decision"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("request to pay by check or wire")
        verbose_name_plural = _("requests to pay by check or wire")
        constraints = [
            models.UniqueConstraint(
                fields=["profile"], condition=Q(status="open"), name="one_open_wire_request_per_profile"
            ),
            models.CheckConstraint(
                condition=Q(status="open", decided_at=None) | (~Q(status="open") & Q(decided_at__isnull=False)),
                name="wire_request_decided_when_closed",
            ),
        ]
        indexes = [models.Index(fields=["status", "requested_at"], name="wire_request_by_status")]

    def __str__(self) -> str:
        return f"{self.profile}: {self.get_status_display()}"
