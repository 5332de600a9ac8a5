from django.db import migrations

from accounts.append_only import Redactable, Unlocked


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_identity'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='user',
            options={'permissions': [('export_user', 'Can export the personal data of a user'), ('erase_user', 'Can erase the personal data of a user')], 'verbose_name': 'user', 'verbose_name_plural': 'users'},
        ),
        Unlocked("accounts_auditentry"),
        Redactable(
            "accounts_auditentry",
            kept=["id", "at", "actor_id", "action", "account_id", "profile_id", "person_id"],
            blanked={"subject": "text", "detail": "json", "ip_address": "removed", "browser": "emptied"},
        ),
    ]
