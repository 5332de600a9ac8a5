"""Fixtures that every test may use. People and invoices come from `tests.factories`."""

import gc
from importlib import import_module

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connections
from django.test import TransactionTestCase
from django.utils import translation
from django.utils.translation import trans_real

from billing_portal.translations import compile_catalogues
from tests.environment import TEST_DATABASE
from tests.factories import BillingProfileFactory, SellerFactory, UserFactory, member

# Who may do what, what pages, mails and documents say, how the portal starts: rows are read and written there as
# everywhere else, so that a second database would show nothing that the other tests do not. The same holds for what is
# asked of a provider. Lists, sums, constraints, triggers, imports and whatever changes money run on both.
ON_ONE_DATABASE = (
    "tests/test_audit_words.py",
    "tests/test_permission_matrix.py",
    "tests/accounts/test_admin",
    "tests/accounts/test_second_factor",
    "tests/invoices/test_document",
    "tests/payments/contract/",
    "tests/payments/test_approval.py",
    "tests/payments/test_pages_",
    "tests/payments/test_second_factor",
    "tests/shell/",
    "tests/tooling/",
)
DATABASE = {"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback", "live_server"}


def pytest_configure(config: pytest.Config) -> None:
    """The catalogues are compiled once a run, before its workers start."""
    if not hasattr(config, "workerinput"):
        compile_catalogues(settings.BASE_DIR / "locale")
        trans_real._translations.clear()  # what was read before they were compiled


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs two connections and row locks runs on PostgreSQL; the SQLite run leaves it out, by name. It leaves out
    as well what may not touch the database at all, because that would only show the same once more."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)  # the longest begin first
    for item in items:
        use_both_databases(item)
    if TEST_DATABASE == "postgresql":
        return
    items[:] = [item for item in items if not item.get_closest_marker("two_connections") and uses_database(item)]


def use_both_databases(item: pytest.Item) -> None:
    """Whoever may touch the portal's database may have the sandbox charge, which keeps a database of its own."""
    mark = item.get_closest_marker("django_db")
    if mark is not None:
        item.add_marker(pytest.mark.django_db(*mark.args, **{"databases": "__all__"} | mark.kwargs), append=False)
    elif not DATABASE.isdisjoint(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.django_db(databases="__all__"), append=False)


def pytest_collection_finish() -> None:
    """Loads the addresses with those of every gateway, before a test that has fewer gateways does. Modules, models and
    tests stay until the end: looking through them for garbage again and again took a quarter of the run."""
    import_module(settings.ROOT_URLCONF)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def uses_database(item: pytest.Item) -> bool:
    """Whether a test reaches the database, and would show something of its own on another."""
    if item.nodeid.startswith(ON_ONE_DATABASE) or "standin" in item.fixturenames:
        return False
    return item.get_closest_marker("django_db") is not None or not DATABASE.isdisjoint(item.fixturenames)


KEPT = {"django_content_type", "auth_permission"}


@pytest.fixture(scope="session", autouse=True)
def _emptied_quickly():
    """After a test whose transactions were real, Django empties every table and then makes content types and
    permissions anew, which takes most of the time. They stay, unless a test added or deleted some."""
    flush = TransactionTestCase._fixture_teardown
    kinds = [model._meta for model in apps.get_models()]
    permissions = sum(len(kind.default_permissions) + len(kind.permissions) for kind in kinds)

    def empty(test_case: TransactionTestCase) -> None:
        if (ContentType.objects.count(), Permission.objects.count()) != (len(kinds), permissions):
            flush(test_case)
            return
        for alias in test_case._databases_names(include_mirrors=False):
            database = connections[alias]
            tables = {*database.introspection.django_table_names(only_existing=True, include_views=False)} - KEPT
            database.ops.execute_sql_flush(database.ops.sql_flush(no_style(), sorted(tables)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture(autouse=True)
def _english():
    """A request in another language leaves it on; the next test does not begin with it."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _fresh_gateways():
    """Each test has gateways that no other test has changed."""
    from payments.gateways.registry import get_gateway

    get_gateway.cache_clear()
    yield
    get_gateway.cache_clear()


@pytest.fixture
def profile(db):
    return BillingProfileFactory()


@pytest.fixture
def payer(profile):
    """An invoice manager of `profile`."""
    return member(profile, "invoice_manager")


@pytest.fixture
def admin_user(db):
    """A superuser; the one of pytest-django has a password that is refused."""
    return UserFactory(email="admin@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def seller(db):
    """What documents keep of the seller."""
    return SellerFactory().as_printed()
