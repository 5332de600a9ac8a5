"""Renders and sends the mails of the outbox.

A mail is a row that was committed with the fact it tells of (`billing_portal.core.outbox`). It is sent apart from
whatever caused it, so a mail server that is down delays mail and nothing else. Failures are tried again with growing
pauses. A worker that is killed between the mail server's answer and our commit leaves a row that is sent again, and so
does a connection that ends while the server has the mail. Both are counted, and at most one more copy is sent; it
carries the same Message-ID, made from the row's key.
"""

import hashlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.template import Context, engines
from django.utils import translation
from django.utils.module_loading import import_string

from billing_portal.core.leases import claim_due
from billing_portal.core.models import OutgoingMail
from billing_portal.core.outbox import Withdrawn
from billing_portal.core.smtp import MayHaveArrived

# A sending worker keeps its claim for longer than the slowest answer of a mail server: ten minutes for taking the mail
# (`smtp.DATA_TIMEOUT`), and the steps before that.
LEASE = timedelta(minutes=30)
# Of a mail that may have arrived, because the connection or the worker ended too soon, so many copies are sent at most.
MAX_UNSURE = 2
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720, 720, 720))
MAX_TRIES = len(PAUSES) + 1
# Their row is deleted once they were sent, or given up.
NOT_RECORDED = frozenset({"person_erased"})
# Not this mail's fault: the server is away, and the next mail would wait as long in vain.
UNREACHABLE = (
    ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError, smtplib.SMTPConnectError,
    smtplib.SMTPServerDisconnected, MayHaveArrived,
)  # fmt: skip

log = structlog.get_logger("portal.mail")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail in one language, ready to be sent."""

    subject: str
    text: str
    html: str


def render(template: str, context: dict[str, Any], language: str) -> Rendered:
    """Renders ``templates/emails/<template>.html``, which also sees ``seller`` and ``language``; subject and plain text
    are read from the HTML. No value can add a header, a link or a line: it was escaped before the HTML is read."""
    page = engines["django"].engine.get_template(f"emails/{template}.html")  # type: ignore[attr-defined]  # only Django's own has it
    with translation.override(language):
        html = str(page.render(Context({**context, "seller": sender_of(context), "language": language})))
    html = SECOND_STOP.sub("", html)
    reader = _TextReader(html)
    return Rendered(subject=reader.subject, text=reader.text, html=html)


def sender_of(context: dict[str, Any]) -> dict[str, Any]:
    """Who signs a mail with this context: ``name``, ``email`` and the lines of an ``address``. Core knows no seller, so
    the settings name a function that does."""
    sender: dict[str, Any] = import_string(settings.MAIL_SENDER)(context)
    return sender


# Of a sentence that ends with "B.V.".
SECOND_STOP = re.compile(r"(?<=\w\.)\.(?=\s|<)")
# What stands alone between empty lines in a mail's text, and what else breaks a line or sets off a value.
PARAGRAPHS = frozenset({"p", "ul", "table", "a"})
SEPARATORS = {"br": "\n", "li": "\n- ", "tr": "\n", "td": ": "}


class _TextReader(HTMLParser):
    """Reads the subject and the plain text of a mail out of its HTML (``templates/layouts/email.html``), from the
    heading on: a link is its words and its address, a row of a table "heading: value", an item of a list begins with a
    dash; the footer follows "-- " (RFC 3676, section 4.3)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.subject = self._address = self._body = self._read = ""
        self.feed(html)
        self.text = f"{self._body}\n\n-- \n{self._lines()}\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"title", "h1"}:
            self._read = ""
        elif tag == "footer":
            self._body, self._read = self._lines(), ""
        elif tag == "a":
            self._address = dict(attrs)["href"] or ""
        self._read += "\n\n" if tag in PARAGRAPHS else SEPARATORS.get(tag, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self.subject = " ".join(re.findall(r"[^\s\xa0]+(?:\xa0+[^\s\xa0]+)*", self._read))
        elif tag == "h1":
            self._read += "\n\n"
        elif tag == "a":
            self._read += f":\n{self._address}"
        self._read += "\n\n" if tag in PARAGRAPHS else ""

    def handle_data(self, data: str) -> None:
        # As in HTML: a space that does not break, as in an amount, stays one.
        self._read += re.sub(r"[ \t\r\n\f]+", " ", data)

    def _lines(self) -> str:
        """What was read so far, without spaces around lines and with one empty line between paragraphs."""
        return re.sub(r"\n{3,}", "\n\n", re.sub(r" *\n *", "\n", self._read)).strip()


def send_due(*, at: datetime, limit: int = 20, stopping: Callable[[], bool] = lambda: False) -> int:
    """Sends due mails. Returns how many. Ends early when the server cannot be reached or ``stopping`` says so."""
    sent = 0
    due = OutgoingMail.objects.filter(next_try_at__lte=at)
    claim = {"tries": F("tries") + 1, "unsure": F("unsure") + 1}  # unsure until it is known how the try ended
    for mail in claim_due(due, "next_try_at", at=at, lease=LEASE, limit=limit, **claim):
        if mail.unsure >= MAX_UNSURE:
            _give_up(mail)
            continue
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
            _record(mail, sent_at=at, next_try_at=None, last_error="", unsure=mail.unsure)
            sent += 1
        if stopping():
            break
    return sent


def _record(mail: OutgoingMail, *, next_try_at: datetime | None, **values: Any) -> None:
    """How the sending of a mail ended; without a next try it is over."""
    row = OutgoingMail.objects.filter(pk=mail.pk)
    if next_try_at is None and mail.template in NOT_RECORDED:
        row.delete()
    else:
        row.update(next_try_at=next_try_at, **values)


def _try_later(mail: OutgoingMail, error: Exception, *, at: datetime) -> None:
    """The reason is kept with the mail only: a mail server's words name the address, which a log must not."""
    unsure = mail.unsure + isinstance(error, MayHaveArrived)
    given_up = mail.tries >= MAX_TRIES or unsure >= MAX_UNSURE
    next_try_at = None if given_up else at + max(PAUSES[mail.tries - 1], LEASE if unsure else PAUSES[0])
    _record(mail, next_try_at=next_try_at, last_error=f"{type(error).__name__}: {error}"[:300], unsure=unsure)
    log.error("mail not sent", mail=mail.key, tries=mail.tries, given_up=given_up, error=type(error).__name__)


def _give_up(mail: OutgoingMail) -> None:
    """Each worker that took it up ended before it knew what became of it."""
    _record(
        mail, next_try_at=None, unsure=mail.unsure, tries=mail.tries, last_error="MayHaveArrived: the worker ended."
    )
    log.error("mail not sent", mail=mail.key, tries=mail.tries, given_up=True, error="MayHaveArrived")


def _message(mail: OutgoingMail) -> EmailMultiAlternatives:
    rendered = render(mail.template, mail.context, mail.language)
    identity = hashlib.sha256(mail.key.encode()).hexdigest()[:40]
    headers = {
        "Message-ID": f"<{identity}@{urlsplit(settings.PUBLIC_URL).hostname}>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": mail.language,
    }
    address = sender_of(mail.context).get("email")
    reply_to = [address] if address else None
    message = EmailMultiAlternatives(
        subject=rendered.subject, body=rendered.text, to=[mail.to], reply_to=reply_to, headers=headers
    )
    message.attach_alternative(rendered.html, "text/html")
    for name, content, media_type in import_string(settings.MAIL_ATTACHMENTS)(mail.context, mail.to):
        message.attach(name, content, media_type)
    return message
