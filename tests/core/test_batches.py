"""The trouble of one item is logged and does not keep the others waiting."""

import structlog
from django.db import OperationalError
from structlog.testing import capture_logs

from billing_portal.core.batches import run_each

log = structlog.get_logger("portal.tests")


def run(act, **options):
    with capture_logs() as logs:
        done = run_each(["a", "b", "c"], act, log=log, event="not done", **options)
    return done, [(entry["event"], entry["item"]) for entry in logs]


def test_every_item_is_worked_on_and_the_answers_are_added_up():
    assert run({"a": 2, "b": 0, "c": True}.get) == (3, [])


def test_an_item_that_fails_is_logged_and_put_off_and_the_others_go_on():
    def act(item):
        if item == "b":
            raise LookupError(item)
        return True

    put_off = []
    assert run(act, on_failure=put_off.append) == (2, [("not done", "b")])
    assert put_off == ["b"]
    assert run(act) == (2, [("not done", "b")])


def test_a_busy_database_is_told_apart_and_nothing_is_put_off():
    def act(item):
        if item == "a":
            raise OperationalError("database is locked")
        return 1

    put_off = []
    assert run(act, on_failure=put_off.append) == (2, [("database busy", "a")])
    assert put_off == []


def test_no_further_item_is_begun_once_the_limit_is_reached():
    begun = []
    assert run(lambda item: begun.append(item) or 2, limit=3) == (4, [])
    assert begun == ["a", "b"]
