from django.conf import settings
from django.db import migrations, models

# Which due dates the open invoices have differs much from which all invoices have. Without knowing that, PostgreSQL
# expects few invoices to be due, collects them all and sorts them, instead of reading one page in order.
CREATE = """
CREATE STATISTICS invoice_status_by_due_date (mcv) ON status, due_on FROM invoices_invoice;
ALTER STATISTICS invoice_status_by_due_date SET STATISTICS 1000;
"""
DROP = "DROP STATISTICS invoice_status_by_due_date"


def create_statistics(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop_statistics(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0001_initial"),
        ("invoices", "0003_numbers_letter_by_letter"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name="invoice", name="invoice_open_by_due"),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("status", "open")),
                fields=["profile", "due_on", "id", "amount_due_minor", "payment_started_at"],
                name="invoice_open_figures",
            ),
        ),
        migrations.RunPython(create_statistics, drop_statistics),
    ]
