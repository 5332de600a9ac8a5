"""`python -m bench`: starts a database of its own, measures, prints five tables, leaves nothing behind."""

import argparse
import os

import django
from django.core.management import call_command
from django.db import connection

from bench.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer rounds, no list of a million invoices, no file of 100,000 lines, no run over 100,000 profiles, and "
        "no proof of 300,000 invoices",
    )
    tables = ["paying", "listing", "importing", "closing", "proving"]
    parser.add_argument("--only", choices=tables, help="one of the tables")
    parser.add_argument(
        "--full",
        action="store_true",
        help="prove the books of 100,000 and a million invoices",
    )
    parser.add_argument("--profiles", type=int, help="close the periods of so many profiles, once, and nothing else")
    chosen = parser.parse_args()
    server = Server()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.settings"
    os.environ["BENCH_DATABASE_URL"] = server.create("portal")
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("migrate", "sandbox", database="sandbox", verbosity=0)
    call_command("createcachetable", verbosity=0)
    connection.close()
    server.copy("portal", "empty")
    from bench import reports

    if chosen.only in (None, "paying"):
        reports.paying(quick=chosen.quick)
    if chosen.only in (None, "listing"):
        reports.listing(server, quick=chosen.quick)
    if chosen.only in (None, "importing"):
        reports.importing(server, quick=chosen.quick)
    if chosen.only in (None, "closing"):
        quick, whole = [(10_000, 1)], [(10_000, 3), (100_000, 1)]
        reports.closing(server, sizes=[(chosen.profiles, 1)] if chosen.profiles else quick if chosen.quick else whole)
    if chosen.only in (None, "proving"):
        few, many = (100_000, 1_000_000) if chosen.full else (3_000, 30_000) if chosen.quick else (30_000, 300_000)
        reports.proving(server, few=few, many=many)


if __name__ == "__main__":
    main()
