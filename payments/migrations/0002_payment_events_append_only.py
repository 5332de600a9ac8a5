from django.db import migrations

from accounts.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("accounts", "0002_audit_entries_append_only")]
    operations = [AppendOnly("payments_paymentevent")]
