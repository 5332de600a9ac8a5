"""Paying by check or wire: asked for by anybody who sees the profile, decided by staff. An approved profile may make it
its default method (`payments.operations.methods`). Invoices that were issued keep what they say."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, NotAllowed, fresh, require_staff
from accounts.email_addresses import canonical_address
from accounts.models import BillingContact, BillingProfile, User, WireRequest
from accounts.recipients import owners
from accounts.roles import Permission
from billing_portal.core.outbox import queue
from billing_portal.core.time_zones import month_before, seller_day

# Staff get a mail for each request. One may be made anew, but not all day long, nor for one profile after the other.
MAX_REQUESTS, MAX_REQUESTS_OF_PERSON, WITHIN = 3, 20, timedelta(days=1)


class CannotAskForWire(Exception):
    """The request was not made, or not taken back. The message may be shown."""


class CannotDecide(Exception):
    """Nothing was decided. The message may be shown to staff."""


# What staff need to decide.
FACTS = (
    "legal_name", "registration_number", "monthly_amount", "contact_name", "contact_email", "contact_phone", "reason",
)  # fmt: skip


def request_wire(*, access: Access, profile_id: int, facts: dict[str, str], at: datetime) -> WireRequest:
    """Asks that a profile may pay by check or wire, with `FACTS`; staff are told. Returns the request. Raises
    BillingProfile.DoesNotExist, NotAllowed, and CannotAskForWire when it is approved already or closed, a request is
    open, the address is none, or too many requests were made within a day."""
    try:
        facts = {**facts, "contact_email": canonical_address(facts["contact_email"])}
    except ValidationError as error:
        raise CannotAskForWire(error.messages[0]) from error
    try:
        return _request(access=access, profile_id=profile_id, facts=facts, at=at)
    except IntegrityError:  # somebody else asked in the same moment
        raise CannotAskForWire(_("A request for this billing profile is waiting for our answer.")) from None


@transaction.atomic
def _request(*, access: Access, profile_id: int, facts: dict[str, str], at: datetime) -> WireRequest:
    profile = BillingProfile.objects.visible_to(access).select_related("account").locked().get(pk=profile_id)
    fresh(access).require(Permission.PROPERTIES_VIEW, profile)
    if access.user is None:
        raise NotAllowed(_("Only a person can ask for this."))
    if profile.is_wire_approved:
        raise CannotAskForWire(_("This billing profile may pay by check or wire already."))
    if profile.is_closed:
        raise CannotAskForWire(_("This billing profile is closed."))
    if profile.wire_requests.filter(status=WireRequest.Status.OPEN).exists():
        raise CannotAskForWire(_("A request for this billing profile is waiting for our answer."))
    if profile.wire_requests.filter(requested_at__gt=at - WITHIN).count() >= MAX_REQUESTS:
        raise CannotAskForWire(_("There were several requests today. Ask again tomorrow, or write to us."))
    # Requests of one person for several profiles are counted one after the other.
    person = User.objects.select_for_update(of=("self",), no_key=True).get(pk=access.user.pk)
    theirs = WireRequest.objects.filter(requested_by=person, requested_at__gt=at - WITHIN)
    if theirs.count() >= MAX_REQUESTS_OF_PERSON:
        raise CannotAskForWire(_("You made many requests today. Ask again tomorrow, or write to us."))
    request = WireRequest.objects.create(profile=profile, requested_at=at, requested_by=access.user, **facts)
    _record(access, at, "wire.requested", profile)
    staff = ModelBackend().with_perm("accounts.change_wirerequest").filter(is_staff=True)
    url = settings.PUBLIC_URL + reverse("admin:accounts_wirerequest_change", args=[request.pk])
    for person in staff:
        context = {"profile": profile.name, "legal_name": request.legal_name, "url": url}
        key = f"wire-requested:{request.pk}:{person.pk}"
        queue(key=key, to=person, template="wire_requested", context=context, at=at)
    return request


@transaction.atomic
def withdraw_wire_request(*, access: Access, request_id: int, at: datetime) -> WireRequest:
    """Takes an open request back: whoever made it, or who manages the profile's payment methods. Raises
    WireRequest.DoesNotExist, NotAllowed, CannotAskForWire when it has been decided."""
    request = _locked(request_id)
    now = fresh(access)
    if not BillingProfile.objects.visible_to(now).filter(pk=request.profile_id).exists():
        raise WireRequest.DoesNotExist
    if access.user is None or request.requested_by_id != access.user.pk:
        now.require(Permission.METHODS_MANAGE, request.profile)
    if request.status != WireRequest.Status.OPEN:
        raise CannotAskForWire(_("This request has already been decided."))
    _close(request, WireRequest.Status.WITHDRAWN, by=access.user, answer="", at=at)
    _record(access, at, "wire.withdrawn", request.profile)
    return request


@transaction.atomic
def decide_wire_request(*, access: Access, request_id: int, approve: bool, answer: str, at: datetime) -> WireRequest:
    """Approves or declines a request, with a reason that the customer reads, and tells whoever asked and the owners.
    Approved, the contact that it names becomes one of the profile's. For staff. Raises NotAllowed,
    WireRequest.DoesNotExist, CannotDecide without a reason or when it has been decided."""
    require_staff(access)
    request = _locked(request_id)
    if request.status != WireRequest.Status.OPEN:
        raise CannotDecide(_("This request has already been decided."))
    if not answer.strip():
        raise CannotDecide(_("Give the reason; the customer reads it."))
    status = WireRequest.Status.APPROVED if approve else WireRequest.Status.DECLINED
    _close(request, status, by=access.user, answer=answer.strip()[:500], at=at)
    profile = request.profile
    if approve:
        BillingProfile.objects.filter(pk=profile.pk).update(is_wire_approved=True)
        profile.is_wire_approved = True
        _add_contact(request, access=access, at=at)
    _record(access, at, f"wire.{status.value}", profile, reason=answer.strip())
    context = {
        "profile": profile.name,
        "account": profile.account_id,
        "is_approved": approve,
        "answer": request.answer,
        "url": settings.PUBLIC_URL + reverse("accounts:wire_request", args=[profile.code]),
    }
    readers = {person.pk: person for person in [request.requested_by, *owners(profile)] if person.is_active}
    for person in readers.values():
        key = f"wire-{status.value}:{request.pk}:{person.pk}"
        queue(key=key, to=person, template="wire_decided", context=context, at=at)
    return request


def _add_contact(request: WireRequest, *, access: Access, at: datetime) -> None:
    """Whoever pays by wire needs somebody to write to; the request names one."""
    profile, email = request.profile, request.contact_email
    if not profile.contacts.filter(email__iexact=email).exists():
        BillingContact.objects.create(
            profile=profile,
            name=request.contact_name,
            email=email,
            language=request.requested_by.language or "en",
            last_statement_on=month_before(seller_day(at))[0],
        )
        _record(access, at, "contact.added", profile, email=email)


def _locked(request_id: int) -> WireRequest:
    """The request, with its profile locked: the lock of everything that decides how the profile pays."""
    profile_id = WireRequest.objects.values_list("profile_id", flat=True).get(pk=request_id)
    profile = BillingProfile.objects.select_related("account").locked().get(pk=profile_id)
    request = WireRequest.objects.select_related("requested_by").get(pk=request_id)
    request.profile = profile
    return request


def _close(request: WireRequest, status: WireRequest.Status, *, by: User | None, answer: str, at: datetime) -> None:
    request.status, request.decided_at, request.decided_by, request.answer = status, at, by, answer
    request.save(update_fields=["status", "decided_at", "decided_by", "answer"])


def _record(access: Access, at: datetime, action: str, profile: BillingProfile, **detail: Any) -> None:
    audit.record(access=access, at=at, action=action, subject=profile.name, **audit.belongs_to(profile), **detail)
