"""One address a person, one person an address, also in the table that the sign-in library keeps. The library's own
migrations need our table of people, so this cannot be part of the first one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("account", "0009_emailaddress_unique_primary_email")]

    operations = [
        migrations.RunSQL(
            "CREATE UNIQUE INDEX account_emailaddress_one_a_person ON account_emailaddress (user_id)",
            "DROP INDEX account_emailaddress_one_a_person",
        ),
        migrations.RunSQL(
            "CREATE UNIQUE INDEX account_emailaddress_one_person ON account_emailaddress (LOWER(email))",
            "DROP INDEX account_emailaddress_one_person",
        ),
    ]
