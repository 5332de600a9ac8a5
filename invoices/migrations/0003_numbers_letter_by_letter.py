"""Compare invoice numbers letter by letter, as SQLite does by itself.

In the order of a language PostgreSQL ignores signs such as the hyphen at first, so that the numbers which begin alike do
not stand together, and no index can find them.
"""

from django.db import migrations, models


def letter_by_letter(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute('ALTER TABLE invoices_invoice ALTER COLUMN number TYPE varchar(32) COLLATE "C"')


class Migration(migrations.Migration):
    dependencies = [("invoices", "0002_invoice_search_indexes")]

    operations = [
        migrations.RemoveIndex(model_name="invoice", name="invoice_by_number"),
        migrations.RunPython(letter_by_letter, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["profile", "-number", "-id"], name="invoice_by_number"),
        ),
    ]
