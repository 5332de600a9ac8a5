"""``export_person`` and ``erase_person``, as somebody calls them on the server."""

import builtins
import io
import stat
import zipfile

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry, BillingContact, User
from tests.factories import member, who_signs_in

pytestmark = pytest.mark.django_db
WHY = {"reason": "By letter"}


@pytest.fixture
def person():
    return who_signs_in("a-long-enough-password", email="finance@example.com", name="Finance Person")


def test_an_export_is_written_to_a_file_that_only_its_owner_reads(person, tmp_path, capsys):
    file = tmp_path / "out.zip"
    call_command("export_person", "Finance@Example.com", output=file, **WHY)
    assert "account.json" in zipfile.ZipFile(file).namelist()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in capsys.readouterr().out
    assert AuditEntry.objects.get(action="person.exported").detail == WHY


def test_an_export_writes_over_no_file(person, tmp_path):
    file = tmp_path / "out.zip"
    file.write_text("something else")
    with pytest.raises(CommandError, match="there already"):
        call_command("export_person", person.email, output=file, **WHY)
    assert file.read_text() == "something else"
    assert not AuditEntry.objects.exists()


def test_an_export_without_a_reason_leaves_no_file(person, tmp_path):
    with pytest.raises(CommandError, match="reason"):
        call_command("export_person", person.email, output=tmp_path / "out.zip", reason=" ")
    assert list(tmp_path.iterdir()) == []


def test_nobody_has_the_address(tmp_path):
    for command in ("export_person", "erase_person"):
        with pytest.raises(CommandError, match=r"Nobody has the address nobody@example\.com"):
            call_command(command, "nobody@example.com", **WHY)


def test_an_erasure_asks_for_the_address_once_more(person, monkeypatch, capsys):
    monkeypatch.setattr(builtins, "input", lambda _question: "finance@example.org")
    with pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase_person", person.email, **WHY)
    assert not User.objects.get(pk=person.pk).is_erased
    monkeypatch.setattr(builtins, "input", lambda _question: "finance@example.com")
    call_command("erase_person", person.email, **WHY)
    assert User.objects.get(pk=person.pk).is_erased
    assert f"erased person {person.pk}" in capsys.readouterr().out


def test_without_anybody_to_ask_nothing_is_erased(person, monkeypatch):
    """As in a script, where standard input is closed."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(CommandError, match="--no-input"):
        call_command("erase_person", person.email, **WHY)
    assert not User.objects.get(pk=person.pk).is_erased


def test_an_erasure_says_what_stays_and_removes_contacts_when_told_to(person, profile, capsys):
    BillingContact.objects.create(profile=profile, email=person.email)
    other = who_signs_in("a-long-enough-password", email="other@example.com")
    BillingContact.objects.create(profile=profile, email=other.email)
    call_command("erase_person", person.email, no_input=True, **WHY)
    assert "still a contact in accounts payable of: Operations NL" in capsys.readouterr().out
    call_command("erase_person", other.email, no_input=True, remove_contacts=True, **WHY)
    assert [contact.email for contact in BillingContact.objects.all()] == [person.email]


def test_a_second_time_nobody_has_the_address_and_by_the_new_one_it_was_done(person):
    call_command("erase_person", person.email, no_input=True, **WHY)
    with pytest.raises(CommandError, match="Somebody who was erased already has none"):
        call_command("erase_person", "finance@example.com", no_input=True, **WHY)
    with pytest.raises(CommandError, match="erased already"):
        call_command("erase_person", f"erased-{person.pk}@erased.invalid", no_input=True, **WHY)


def test_a_refusal_is_an_error(profile):
    owner = member(profile, "profile_owner")
    with pytest.raises(CommandError, match="last owner"):
        call_command("erase_person", owner.email, no_input=True, **WHY)
