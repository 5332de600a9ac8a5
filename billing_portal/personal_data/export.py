"""A copy of what the portal holds about a person, as a ZIP file: readable JSON for each kind, and a text that explains.

Nothing about anybody else is in it, nor anything that lets somebody in. Rows are read and written one by one.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import IO, Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from accounts import audit
from accounts.access import Access, NotAllowed, require_staff
from accounts.models import AuditEntry, User
from accounts.sellers import sender_of
from billing_portal.personal_data.held import EXPORTED, Row
from billing_portal.personal_data.people import person_of, sessions_of

# A file larger than this many bytes waits on the disk, without a name, until it was handed out.
IN_MEMORY = 1_000_000
# A copy reads whole tables; whoever asks for their own again and again waits.
MAX_EXPORTS, WITHIN = 5, timedelta(hours=1)
SESSIONS = gettext_noop("Where you are signed in: since when, by which means, and until when.")


class CannotExport(Exception):
    """Nothing was exported. The message may be shown."""


@transaction.atomic
def export_person(*, access: Access, user: User, stream: IO[bytes], at: datetime, reason: str = "") -> None:
    """Writes the ZIP file to a binary stream: for the person, or for staff with a reason; a superuser where the person
    is staff. Raises NotAllowed, and CannotExport without that reason and after `MAX_EXPORTS` within an hour."""
    is_own = access.user == user
    if not is_own:
        require_power_over(access, user)
        if not reason.strip():
            raise CannotExport(_("Give the reason. It is recorded with the export."))
    exports = AuditEntry.objects.filter(person=user, actor=user, action="person.exported", at__gt=at - WITHIN)
    if is_own and exports.count() >= MAX_EXPORTS:
        raise CannotExport(_("You downloaded your data several times within an hour. Try again later."))
    detail: dict[str, Any] = {} if is_own else {"reason": reason.strip()}
    audit.record(access=access, at=at, action="person.exported", subject=f"user {user.pk}", person=user, **detail)
    person = person_of(user)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        counts = {table.name: _write(archive, table.name, table.rows(person)) for table in EXPORTED}
        counts["sessions"] = _write(archive, "sessions", _sessions(user))
        with override(user.language or settings.LANGUAGE_CODE):
            archive.writestr("README.txt", _readme(user, counts, at))


def require_power_over(access: Access, user: User) -> None:
    """Raises NotAllowed unless staff may handle this person's data: that of staff is for superusers."""
    require_staff(access)
    if (user.is_staff or user.is_superuser) and access.user is not None and not access.user.is_superuser:
        raise NotAllowed(_("Only a superuser may do this with a member of staff."))


def file_name(user: User, at: datetime) -> str:
    """A name of plain letters and digits, which says whose data it is to nobody else."""
    return f"personal-data-{user.pk}-{localtime(at):%Y-%m-%d}.zip"


def descriptions() -> dict[str, str]:
    return {**{table.name: _(table.what) for table in EXPORTED}, "sessions": _(SESSIONS)}


def _sessions(user: User) -> Iterator[Row]:
    for session, content in sessions_of(user):
        records = content.get("account_authentication_methods", [])
        signed_in = [{"method": record.get("method", ""), "at": _moment(record.get("at"))} for record in records]
        yield {"signed_in": signed_in, "ends_at": session.expire_date}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else localtime(datetime.fromtimestamp(seconds).astimezone())


def _write(archive: zipfile.ZipFile, name: str, rows: Iterable[Row]) -> int:
    """Adds a file with a JSON array, a row at a time. Returns how many rows; without any there is no file."""
    waiting = iter(rows)
    first = next(waiting, None)
    if first is None:
        return 0
    with archive.open(f"{name}.json", "w") as file:
        for count, row in enumerate(chain([first], waiting), start=1):  # noqa: B007  returned
            text = json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
            file.write((("[\n" if row is first else ",\n") + text).encode())
        file.write(b"\n]\n")
    return count


def _readme(user: User, counts: dict[str, int], at: datetime) -> str:
    what = descriptions()
    lines = [
        _("Your personal data in the billing portal of %(seller)s") % {"seller": sender_of({})["name"]},
        _("Made for %(address)s on %(when)s.")
        % {"address": user.email, "when": date_format(localtime(at), "DATETIME_FORMAT")},
        "",
        _("Each file holds one kind of data, as JSON, which people and programs can read:"),
        "",
        *(f"{name}.json ({count}): {what[name]}" for name, count in counts.items() if count),
        "",
        _("We hold nothing of these kinds:"),
        "",
        *(f"- {what[name]}" for name, count in counts.items() if not count),
        "",
        _("Amounts are in the smallest unit of their currency, such as cents. Times have their time zone."),
        _("Not in it are your password and the secrets of your second factors, which are of no use to anybody but you; "
          "the personal data of others; and the invoices, addresses and documents of the companies you act for. You "
          "find those on their pages in the portal."),
        _("Something is wrong, or you want to be erased? Write to %(email)s.") % {"email": sender_of({})["email"]},
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
