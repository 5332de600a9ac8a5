"""Draws and sends the mails of the outbox.

A mail is a row that was committed with the fact it tells of (`billing_portal.core.outbox`). Here it is drawn in its
reader's language and handed to the mail server, apart from whatever caused it, so a mail server that is down delays
mail and nothing else. Failures are tried again with growing pauses and the last error is kept for staff.

A worker that is killed between the mail server's answer and our commit leaves a row that is sent again after the lease
(`billing_portal.core.leases`); both copies carry the same Message-ID, made from the row's key, and count as one for
whoever receives them.

The row of a sent mail stays, as a record of what was told. That of a mail to somebody who was erased does not: its
address is the last thing we hold of that person.
"""

import hashlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.template import Context, TemplateDoesNotExist, engines
from django.utils import translation

from billing_portal.core.leases import claim_due
from billing_portal.core.models import OutgoingMail
from billing_portal.core.outbox import Withdrawn

# A sending worker keeps its claim for longer than the slowest answer of a mail server.
LEASE = timedelta(minutes=10)
PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=12),
    timedelta(hours=12),
    timedelta(hours=12),
)
MOST_TRIES = len(PAUSES) + 1
# Their row is deleted once they were sent, or given up.
NOT_RECORDED = frozenset({"person_erased"})
# Not this mail's fault: the server is away, and the next mail would wait as long in vain.
UNREACHABLE = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    ssl.SSLError,
    smtplib.SMTPConnectError,
    smtplib.SMTPServerDisconnected,
)

log = structlog.get_logger("portal.mail")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mail in one language, ready to be sent."""

    subject: str
    text: str
    html: str


def render(template: str, context: dict[str, Any], language: str) -> Drawn:
    """Draws ``templates/emails/<template>`` (``.subject.txt``, ``.txt`` and ``.html``) in a language.

    The templates see ``context`` and also ``public_url``, ``seller`` and ``language``. Without a template of its own,
    the HTML is made from the text. Line breaks in a subject become spaces: a customer's name in it must not add
    headers.
    """
    values = {**context, "public_url": settings.PUBLIC_URL, "seller": settings.SELLER, "language": language}
    with translation.override(language):
        # Split and joined it is plain text again; as it was drawn it counts as safe, and HTML would not escape it.
        subject = " ".join(_draw(f"emails/{template}.subject.txt", values, escape=False).split())
        text = _draw(f"emails/{template}.txt", values, escape=False)
        # What a condition leaves out of a text leaves its line break behind.
        text = re.sub(r"\n{3,}", "\n\n", text.strip()) + "\n"
        values |= {"subject": subject, "heading": subject.split(" · ")}
        try:
            html = _draw(f"emails/{template}.html", values, escape=True)
        except TemplateDoesNotExist:
            html = _draw("layouts/email_of_text.html", values | {"paragraphs": _paragraphs(text)}, escape=True)
    return Drawn(subject=subject, text=text, html=html)


def _paragraphs(text: str) -> list[dict[str, str]]:
    """The paragraphs above a text's footer. One whose last line is an address is a button: its first line is the label.
    An address alone stays one."""
    paragraphs = []
    for paragraph in text.partition("\n-- \n")[0].strip().split("\n\n"):
        label, _line_break, url = paragraph.strip().rpartition("\n")
        is_link = url.startswith(("http://", "https://")) and " " not in url
        paragraphs.append({"text": label.rstrip(":") if is_link else paragraph.strip(), "url": url if is_link else ""})
    return paragraphs


def send_due(*, at: datetime, limit: int = 20, stopping: Callable[[], bool] = lambda: False) -> int:
    """Sends mails whose time has come, the longest waiting first. Returns how many were sent.

    Ends early when the mail server cannot be reached, and when ``stopping`` says so.
    """
    sent = 0
    due = OutgoingMail.objects.filter(next_try_at__lte=at)
    for mail in claim_due(due, "next_try_at", at=at, lease=LEASE, limit=limit, tries=F("tries") + 1):
        mail.tries += 1
        try:
            _message(mail).send()
        except Withdrawn:
            mail.delete()
        except Exception as error:  # noqa: BLE001  whatever it is, it is kept with the mail and tried again
            _try_later(mail, error, at=at)
            if isinstance(error, UNREACHABLE):
                break
        else:
            _record_sent(mail, at=at)
            sent += 1
        if stopping():
            break
    return sent


def _record_sent(mail: OutgoingMail, *, at: datetime) -> None:
    row = OutgoingMail.objects.filter(pk=mail.pk)
    if mail.template in NOT_RECORDED:
        row.delete()
    else:
        row.update(sent_at=at, next_try_at=None, last_error="")


def _try_later(mail: OutgoingMail, error: Exception, *, at: datetime) -> None:
    """The reason is kept with the mail only: a mail server's words name the address, which a log must not."""
    given_up = mail.tries >= MOST_TRIES
    next_try_at = None if given_up else at + PAUSES[mail.tries - 1]
    row = OutgoingMail.objects.filter(pk=mail.pk)
    if given_up and mail.template in NOT_RECORDED:
        row.delete()
    else:
        row.update(next_try_at=next_try_at, last_error=f"{type(error).__name__}: {error}"[:300])
    log.error("mail not sent", mail=mail.key, tries=mail.tries, given_up=given_up, error=type(error).__name__)


def _message(mail: OutgoingMail) -> EmailMultiAlternatives:
    drawn = render(mail.template, mail.context, mail.language)
    identity = hashlib.sha256(mail.key.encode()).hexdigest()[:40]
    headers = {
        "Message-ID": f"<{identity}@{urlsplit(settings.PUBLIC_URL).hostname}>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": mail.language,
    }
    message = EmailMultiAlternatives(subject=drawn.subject, body=drawn.text, to=[mail.to], headers=headers)
    message.attach_alternative(drawn.html, "text/html")
    return message


def _draw(name: str, values: dict[str, Any], *, escape: bool) -> str:
    """Plain text is not escaped: an ampersand in a company's name stays one."""
    template = engines["django"].engine.get_template(name)  # type: ignore[attr-defined]  # a Django engine
    return str(template.render(Context(values, autoescape=escape)))
