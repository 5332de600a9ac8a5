"""The rules of the house that a test can check. Who imports whom stands in pyproject.toml (`make architecture`)."""

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parent.parent
APPS = ("billing_portal", "accounts", "invoices", "payments")
DOMAIN_APPS = ("accounts", "invoices", "payments")
LONGEST = 500
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "lib"}

# Foreign keys that may take their row along: parts that mean nothing without their whole, of customers and of drafts.
CASCADES = {
    "accounts.TaxId.account",
    "accounts.BillingContact.profile",
    "accounts.EmailChange.requested_by",
    "accounts.EmailChange.user",
    "accounts.RoleAssignment.user",
    "accounts.RoleAssignment.account",
    "accounts.RoleAssignment.profile",
    "accounts.RoleAssignment.section",
    "invoices.InvoiceLine.invoice",
}

# Look-ups in customers' views that need not start at `visible_to`, each for its reason.
OPEN_LOOKUPS = {
    ("accounts/views/email_address.py", "EmailChange"),  # the reader's own
    ("payments/views/methods.py", "AutomaticCharge"),  # of invoices that were
    ("payments/views/methods.py", "WireRequest"),  # whether the profile that was opened has asked
    ("payments/views/payments.py", "PaymentAllocation"),  # prefetched for payments that were
}


def files(*suffixes: str) -> list[Path]:
    """Everything people write, without what tools write."""
    top = [*APPS, "templates", "static", "tests", "bench"]
    found = [path for name in top for path in (ROOT / name).rglob("*") if path.suffix in suffixes]
    return sorted(path for path in found if "migrations" not in path.parts and "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def modules(*app_labels: str) -> list[Path]:
    return [path for path in files(".py") if path.relative_to(ROOT).parts[0] in app_labels]


def view_modules() -> list[Path]:
    """The modules whose functions answer customers."""
    found = [path for path in modules(*APPS) if "views" in path.relative_to(ROOT).parts or path.name == "views.py"]
    return [*found, *(path for path in modules("billing_portal") if path.name in ("home.py", "search.py"))]


def test_no_file_is_longer_than_500_lines():
    lengths = {
        name_of(path): len(path.read_text().splitlines()) for path in files(".py", ".html", ".css", ".js", ".typ")
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_module_is_a_drawer():
    drawers = {name_of(path) for path in files(".py") if {path.stem, *path.relative_to(ROOT).parts[:-1]} & BANNED_NAMES}
    assert drawers == set()


def test_no_package_hands_on_what_its_modules_hold():
    """Whoever imports a name sees where it lies. Django looks for models and staff pages in the package itself."""
    found = {
        name_of(path)
        for path in modules(*APPS)
        if path.name == "__init__.py" and path.parent.name not in ("models", "admin") and "import " in path.read_text()
    }
    assert found == set()


def test_every_template_says_first_what_it_needs():
    silent = [name_of(path) for path in files(".html") if not first_line(path).startswith(("{#", "{% comment"))]
    assert silent == []


def first_line(path: Path) -> str:
    return (path.read_text().splitlines() or [""])[0]


def test_no_template_holds_script_or_style():
    inline = re.compile(r"<style\b|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\ssrc=)", re.IGNORECASE)
    mails = {path for path in files(".html") if "emails" in path.parts or path.name == "email.html"}
    assert [name_of(path) for path in files(".html") if path not in mails and inline.search(path.read_text())] == []


def bare_lookups(path: Path) -> set[str]:
    """Names of models that a module looks up without `visible_to` directly after `objects`."""
    guarded, used = [], []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr == "visible_to":
            guarded.append(node.value)
        if isinstance(node, ast.Attribute) and node.attr == "objects":
            used.append(node)
    return {ast.unparse(node.value) for node in used if node not in guarded}


def test_a_bare_lookup_is_seen(tmp_path):
    module = tmp_path / "views.py"
    module.write_text("Invoice.objects.visible_to(a).all()\nInvoice.objects.filter(pk=1)\nmodels.Payment.objects.get()")
    assert bare_lookups(module) == {"Invoice", "models.Payment"}


def test_what_customers_see_starts_at_visible_to():
    bare = {(name_of(path), model) for path in view_modules() for model in bare_lookups(path)}
    assert bare - OPEN_LOOKUPS == set()


def test_the_list_of_open_lookups_is_not_longer_than_needed():
    bare = {(name_of(path), model) for path in view_modules() for model in bare_lookups(path)}
    assert OPEN_LOOKUPS - bare == set()


def test_no_default_order_hides_in_a_model():
    ordered = [model._meta.label for model in own_models() if model._meta.ordering]
    assert ordered == []


def own_models() -> list[type[models.Model]]:
    return [model for label in ("core", *DOMAIN_APPS) for model in apps.get_app_config(label).get_models()]


def test_no_signal_carries_a_rule():
    words = re.compile(r"@receiver|\b(?:pre|post)_(?:save|delete|init)\b|m2m_changed")
    assert [name_of(path) for path in modules(*DOMAIN_APPS) if words.search(path.read_text())] == []


def test_what_has_to_do_with_money_is_protected_from_deletion():
    cascading = {
        f"{model._meta.label}.{field.name}"
        for model in own_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey)
        and field.model is model
        and field.remote_field.on_delete is not models.PROTECT
        and not (isinstance(field, models.OneToOneField) and field.remote_field.parent_link)
    }
    assert cascading - CASCADES == set()
    assert CASCADES - cascading == set()


def test_no_model_hides_work_in_save():
    hiding = [model._meta.label for model in own_models() if "save" in vars(model) or "delete" in vars(model)]
    assert hiding == []


def root_of(node: ast.expr) -> str:
    """The name that a chain of attributes and calls begins with: ``Payment`` of ``Payment.objects.update``."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def writes_of_status(path: Path) -> set[int]:
    """Lines that give a payment another status than `created`, which `settle` alone may do."""
    lines = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign):
            names = [target for target in node.targets if isinstance(target, ast.Attribute) and target.attr == "status"]
            lines |= {node.lineno for target in names if root_of(target) == "payment"}
        if isinstance(node, ast.Call) and root_of(node) == "Payment":
            called = node.func.attr if isinstance(node.func, ast.Attribute) else "Payment"
            if called in {"Payment", "create", "update"} and any(word.arg == "status" for word in node.keywords):
                lines.add(node.lineno)
    return lines


def writes_of_invoices(path: Path) -> set[int]:
    """Lines that set a stored column of an invoice, or save or update one."""
    relations = {"profile", "seller", "buyer"}
    columns = {field.name for field in apps.get_model("invoices", "Invoice")._meta.concrete_fields} - relations
    lines = set()
    for node in ast.walk(ast.parse(path.read_text())):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(part, ast.Attribute) and part.attr in columns and is_invoice(part.value):
                    lines.add(node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = node.func.attr
            if called in {"save", "delete"} and is_invoice(node.func.value):
                lines.add(node.lineno)
            if called in {"update", "bulk_update", "create", "bulk_create", "delete"} and root_of(node) == "Invoice":
                lines.add(node.lineno)
    return lines


def is_invoice(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name == "invoice"


@pytest.mark.parametrize(
    "line",
    [
        "payment.status = PaymentStatus.SUCCEEDED",
        'Payment.objects.create(profile=profile, status="succeeded")',
        "Payment.objects.filter(pk=1).update(status=new)",
    ],
)
def test_a_status_that_is_written_past_settle_is_seen(tmp_path, line):
    (tmp_path / "code.py").write_text(f"{line}\nrow.status = new\nPayment.objects.filter(status=old).update(a=1)\n")
    assert writes_of_status(tmp_path / "code.py") == {1}


@pytest.mark.parametrize(
    "line",
    [
        "invoice.paid_minor += 1",
        "allocation.invoice.status = new",
        "invoice.autopay_on = invoice.next_reminder_on = None",
        "invoice.paid_at, other = at, 1",
        "invoice.save(update_fields=names)",
        "Invoice.objects.filter(pk=1).update(announce_on=None)",
    ],
)
def test_an_invoice_that_is_written_from_outside_is_seen(tmp_path, line):
    (tmp_path / "code.py").write_text(f"{line}\ninvoice.profile = profile\nplan.invoice = invoice\nplan.save()\n")
    assert writes_of_invoices(tmp_path / "code.py") == {1}


def test_settle_is_the_only_door_to_a_payments_status():
    door = ROOT / "payments" / "operations" / "settlement.py"
    assert writes_of_status(door)
    assert {name_of(path) for path in modules("billing_portal", "payments") if writes_of_status(path)} == {
        name_of(door)
    }


def test_only_operations_of_invoices_write_invoices():
    """And the demo, whose history nobody lived through."""
    outside = modules("billing_portal", "accounts", "payments")
    assert [name_of(path) for path in outside if writes_of_invoices(path)] == ["billing_portal/demo/build.py"]


@pytest.mark.parametrize("app", DOMAIN_APPS)
def test_nobody_asks_the_clock_for_today(app):
    """A day is a day somewhere: `profile.day_of(at)`."""
    naive = re.compile(r"\bdate\.today\(|\bdatetime\.(?:now|today|utcnow)\(")
    assert [name_of(path) for path in modules(app) if naive.search(path.read_text())] == []
