"""Adding a card without paying: write the attempt down, call the gateway, record what came of it, as in paying. The
browser only ever names the key that was minted with the page; the gateway's own id stays with us."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, fresh
from accounts.models import BillingProfile
from accounts.roles import Permission
from billing_portal.core.batches import run_each
from billing_portal.core.database import UNAVAILABLE
from billing_portal.core.leases import claim_due
from payments.gateways.base import DeclineCode, Gateway, MethodInfo, SetupStep
from payments.gateways.registry import UnknownGateway, default_gateway, get_gateway
from payments.models import MethodSetup, PaymentMethod
from payments.operations import gateway_calls
from payments.operations.card_holds import TooManyTries, record_hold, refuse_too_many, take_turn, tries_of
from payments.operations.gateway_calls import ABANDONED_AFTER, CALL_BUDGET, DAY, NoAnswer, call
from payments.operations.methods import may_save_card, replace_method, save_card

log = structlog.get_logger("portal.payments")

S = MethodSetup.Status


class CannotAddCard(Exception):
    """No card was added. The message may be shown; ``code`` is for pages and tests."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def add_card(
    *,
    access: Access,
    key: UUID,
    card_token: str,
    at: datetime,
    return_url: Callable[[MethodSetup], str],
    make_default: bool = False,
    replaces: int | None = None,
    in_page: str = "",
) -> MethodSetup:
    """Adds a card just typed in to the profile that ``access`` is inside, in the place of the card ``replaces``.
    Returns the attempt: `succeeded`, `declined`, or `needs_customer` (go to ``next_url``, or approve in our page when
    that is empty). The same key again is the same attempt. Raises NotAllowed, CannotAddCard."""
    gateway = default_gateway()
    if gateway is None:
        raise CannotAddCard(_("Cards cannot be added at the moment."), code="no_gateway")
    try:
        setup = _begin(
            access, gateway, key=key, card_token=card_token, make_default=make_default, replaces=replaces, at=at
        )
    except TooManyTries as refusal:
        record_hold(refusal, access=access, action="method.held", at=at)
        raise CannotAddCard(str(refusal), code="throttled") from refusal
    except IntegrityError as taken:  # by another profile, whose lock is not ours
        raise _stale() from taken
    except UNAVAILABLE as busy:
        raise CannotAddCard(_("The portal is busy. No card was added. Try again in a minute."), code="busy") from busy
    if setup.status != S.CREATED:
        return setup
    gateway = get_gateway(setup.gateway)
    try:
        step = _call(
            setup,
            lambda: gateway.begin_setup(
                key=str(setup.pk),
                profile=setup.profile.code,
                gateway_customer=gateway_calls.payer_at(setup.gateway, setup.profile_id),
                token=card_token,
                return_url=return_url(setup),
                in_page=gateway_calls.challenge_in_page(gateway, in_page),
            ),
        )
    except NoAnswer as error:
        setup.refresh_from_db()
        if setup.status != S.CREATED:  # the other of two clicks got the answer
            return setup
        raise CannotAddCard(str(error), code="no_answer") from error
    return _record(setup.pk, step, at=at)


@transaction.atomic(durable=True)
def _begin(
    access: Access,
    gateway: Gateway,
    *,
    key: UUID,
    card_token: str,
    make_default: bool,
    replaces: int | None,
    at: datetime,
) -> MethodSetup:
    """The row of this attempt, under the lock of the profile's cards. Raises TooManyTries besides."""
    assert access.user is not None  # noqa: S101  cards are added by people
    profile = BillingProfile.objects.visible_to(access).locked().get()
    fresh(access).require(Permission.METHODS_MANAGE, profile)
    earlier = MethodSetup.objects.filter(key=key).select_related("profile").first()
    if earlier is not None:
        if earlier.profile_id != profile.pk or earlier.created_by != access.user:
            raise _stale()
        return earlier
    take_turn(access.user, profile)
    refuse_too_many(tries_of(access.user, profile, at=at), access.user, profile, is_new_card=True, at=at)
    # The id of a stored card is no card just typed in: it may be somebody else's, or removed.
    if PaymentMethod.objects.filter(gateway=gateway.slug, gateway_method=card_token).exists():
        raise CannotAddCard(_("Enter the details of the new card."), code="no_card")
    old = PaymentMethod.objects.active().filter(profile=profile, pk=replaces).first() if replaces else None
    if replaces and old is None:
        raise CannotAddCard(_("The card that was to be replaced is gone already."), code="nothing_to_replace")
    return MethodSetup.objects.create(
        key=key,
        profile=profile,
        gateway=gateway.slug,
        make_default=make_default,
        replaces=old,
        created_at=at,
        created_by=access.user,
        next_look_at=at + ABANDONED_AFTER,
    )


def _stale() -> CannotAddCard:
    return CannotAddCard(_("This page was out of date. Review it and try again."), code="stale")


def finish_adding(*, access: Access, key: UUID, at: datetime) -> MethodSetup:
    """The person is back from the bank. Nothing in the address counts but the key: the gateway is asked. Raises
    MethodSetup.DoesNotExist for anybody else's attempt, NotAllowed, UnknownGateway, NoAnswer."""
    setup = _own(access, key)
    if setup.status in {S.SUCCEEDED, S.DECLINED} or not setup.setup_id:
        return setup
    return _record(setup.pk, _how_it_stands(setup), at=at)


def _how_it_stands(setup: MethodSetup) -> SetupStep:
    """Asks the gateway. What the bank declined is closed there too: the payer's browser may hold what lets it try
    further cards in the same attempt. Raises UnknownGateway, NoAnswer."""
    gateway = get_gateway(setup.gateway)
    step = _call(setup, lambda: gateway.finish_setup(setup.setup_id))
    return _call(setup, lambda: gateway.expire_setup(setup.setup_id)) if step.decline is not None else step


def _call[Answer](setup: MethodSetup, send: Callable[[], Answer]) -> Answer:
    return call(send, subject=f"card being added {setup.pk}")


def setup_challenge_of(*, access: Access, key: UUID) -> Mapping[str, str]:
    """What our page needs to ask for the bank's approval of a card, if it is asked there. Raises as `finish_adding`."""
    setup = _own(access, key)
    gateway = get_gateway(setup.gateway)
    if setup.status != S.NEEDS_CUSTOMER or not gateway.browser.challenge_template:
        return {}
    return _call(setup, lambda: gateway.setup_challenge(setup.setup_id))


def _own(access: Access, key: UUID) -> MethodSetup:
    setup = MethodSetup.objects.visible_to(access).select_related("profile").get(key=key)
    fresh(access).require(Permission.METHODS_MANAGE, setup.profile)
    return setup


@transaction.atomic(durable=True)
def _record(setup_id: UUID, step: SetupStep, *, at: datetime) -> MethodSetup:
    """Writes down how an attempt stands; what has ended stays as it is, except that a card may come late."""
    profile_id = MethodSetup.objects.values_list("profile_id", flat=True).get(pk=setup_id)
    BillingProfile.objects.locked().get(pk=profile_id)
    setup = MethodSetup.objects.select_related("profile", "created_by", "replaces").locked().get(pk=setup_id)
    if setup.status in {S.SUCCEEDED, S.DECLINED}:
        return setup
    setup.setup_id = setup.setup_id or step.setup_id
    setup.next_url = ""
    if step.method is not None and (method := _save_card(setup, step.method, at)):
        setup.method = method
        _end(setup, S.SUCCEEDED, at)
    elif (step.method is not None or step.decline is not None) and setup.status != S.EXPIRED:
        setup.decline_code = step.decline.code if step.decline else DeclineCode.GENERIC
        _end(setup, S.DECLINED, at)
        actor, profile, code = Access(user=setup.created_by), setup.profile, setup.decline_code
        audit.record(access=actor, at=at, action="method.declined", subject=profile.name, profile=profile, decline=code)
    elif setup.status in {S.CREATED, S.NEEDS_CUSTOMER}:
        setup.status = S.NEEDS_CUSTOMER
        setup.next_url = step.next_url if len(step.next_url) <= 500 else ""
    setup.save()
    return setup


def _save_card(setup: MethodSetup, info: MethodInfo, at: datetime) -> PaymentMethod | None:
    """None for a card that cannot be kept, such as one that its gateway gave another profile."""
    try:
        with transaction.atomic():
            owner: dict[str, Any] = {"profile_id": setup.profile_id, "gateway": setup.gateway, "by": setup.created_by}
            method = save_card(info, **owner, make_default=setup.make_default, at=at)
            if setup.replaces is not None:
                replace_method(setup.replaces, method, access=Access(user=setup.created_by), at=at)
            return method
    except IntegrityError:
        log.exception("card not kept", setup=str(setup.pk))
        return None


def _end(setup: MethodSetup, status: MethodSetup.Status, at: datetime) -> None:
    setup.status, setup.finished_at, setup.next_look_at = status, at, None


def end_abandoned(*, at: datetime, limit: int = 100) -> int:
    """Ends attempts that nobody came back for. Returns how many were looked at. An approval that was given by somebody
    who then closed the page still adds the card, if the person may still add one."""
    due = claim_due(MethodSetup.objects.all(), "next_look_at", at=at, lease=CALL_BUDGET, limit=limit)
    return run_each(due, lambda setup: _end_abandoned(setup.pk, at), log=log, event="card being added not ended")


def _end_abandoned(setup_id: UUID, at: datetime) -> bool:
    setup = MethodSetup.objects.select_related("profile", "created_by").get(pk=setup_id)
    if setup.setup_id:
        try:
            step = _how_it_stands(setup)
            if step.method is None and step.decline is None:
                gateway = get_gateway(setup.gateway)
                closed = _call(setup, lambda: gateway.expire_setup(setup.setup_id))
                step = closed if closed.method is not None else step
        except (NoAnswer, UnknownGateway):
            if at - setup.created_at < DAY:
                return True  # asked again when the lease is over, for a day
            step = SetupStep(setup.setup_id)
        if (step.method or step.decline) and may_save_card(setup.created_by, setup.profile):
            _record(setup.pk, step, at=at)
    waiting = MethodSetup.objects.filter(pk=setup.pk, status__in=(S.CREATED, S.NEEDS_CUSTOMER))
    waiting.update(status=S.EXPIRED, finished_at=at, next_look_at=None, next_url="")
    return True
