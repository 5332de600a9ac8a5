from django.db import migrations

from accounts.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("invoices", "0008_entries_of_credits")]
    operations = [
        AppendOnly("invoices_creditnote"),
        AppendOnly("invoices_creditnoteline"),
        AppendOnly("invoices_issueddocument"),
    ]
