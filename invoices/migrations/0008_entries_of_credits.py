from itertools import batched

from django.db import migrations
from django.utils import timezone


def give_entries(apps, _schema_editor):
    """Credits from before the ledger get the entries that explain what is left of them: what they began with, and what
    was paid back since. Those that have entries keep them."""
    credits = apps.get_model("invoices", "Credit").objects
    entries = apps.get_model("invoices", "CreditEntry").objects
    note, now = "Paid back before the ledger began", timezone.now()
    without = credits.filter(entries=None, amount_minor__gt=0).order_by("pk")
    for some in batched(list(without.values_list("pk", "amount_minor", "remaining_minor", "created_at")), 1000):
        rows = []
        for pk, amount, remaining, created_at in some:
            rows.append(entries.model(credit_id=pk, kind="granted", amount_minor=amount, at=created_at))
            if remaining < amount:
                spent = remaining - amount
                rows.append(entries.model(credit_id=pk, kind="taken_back", amount_minor=spent, at=now, note=note))
        entries.bulk_create(rows)


class Migration(migrations.Migration):
    dependencies = [("invoices", "0007_credits_at_issue")]
    operations = [migrations.RunPython(give_entries, migrations.RunPython.noop)]
