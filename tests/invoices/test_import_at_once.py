"""Two imports at the same time."""

from threading import Barrier, Thread
from time import sleep

import pytest
from django.db import connections

from accounts.access import system_access
from invoices.importing.invoices import InvoiceImport
from invoices.models import Invoice, NumberSeries
from tests.factories import NOW
from tests.waiting import PATIENCE


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_one_file_imported_twice_at_once_is_imported_once(profile, tmp_path):
    """Both find the file good and new; the second waits for the number series and then leaves every row alone."""
    path = tmp_path / "rows.csv"
    rows = "".join(f"{profile.code},A-{index},Hosting,10,Z\n" for index in range(50))
    path.write_text(f"profile,invoice,description,unit_price,tax_category\n{rows}")
    both_checked = Barrier(2, timeout=PATIENCE)
    outcomes, errors = [], []

    def wait(deed, _reader):
        if deed == "Checking":
            both_checked.wait()
        else:
            sleep(0.5)  # written and not committed yet: the other must not have looked at what is there meanwhile

    def work():
        try:
            file_import = InvoiceImport(access=system_access(), at=NOW, progress=wait, tell=print)
            outcomes.append(file_import.run(path, dry_run=False))
        except Exception as error:  # a thread would lose it
            errors.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted((outcome.count, outcome.unchanged) for outcome in outcomes) == [(0, 50), (50, 0)]
    assert Invoice.objects.count() == 50
    assert NumberSeries.objects.get().next_number == 51
