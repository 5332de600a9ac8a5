import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

from accounts.append_only import AppendOnly, Unlocked


def keep_one_address(apps, schema_editor):
    """Of each person the address that they sign in with, in the library's table too. Nothing says which of them was ever
    proven, so each mailbox answers once, at the next sign-in; but for superusers, who could not let anybody in without
    mail, and whose address whoever administers the machine vouches for."""
    User, EmailAddress = apps.get_model("accounts", "User"), apps.get_model("account", "EmailAddress")
    own = EmailAddress.objects.filter(email__iexact=models.F("user__email"))
    kept = dict(own.order_by("-pk").values_list("user_id", "pk"))
    EmailAddress.objects.exclude(pk__in=kept.values()).delete()
    for user in User.objects.filter(models.Q(pk__in=kept) | models.Q(is_superuser=True)).iterator():
        values = {"email": user.email.lower(), "primary": True, "verified": user.is_superuser}
        EmailAddress.objects.update_or_create(user=user, defaults=values)
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or the table could not get an index before the commit


class Migration(migrations.Migration):

    dependencies = [
        ('account', '0009_emailaddress_unique_primary_email'),
        ('accounts', '0006_approved_for_wire_and_closed_by_staff'),
    ]

    operations = [
        migrations.CreateModel(
            name='EmailChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254, verbose_name='new email address')),
                ('requested_at', models.DateTimeField(verbose_name='asked')),
                ('expires_at', models.DateTimeField(verbose_name='valid until')),
            ],
            options={
                'verbose_name': 'change of address',
                'verbose_name_plural': 'changes of address',
            },
        ),
        Unlocked("accounts_auditentry"),
        migrations.AddField(
            model_name='auditentry',
            name='browser',
            field=models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='browser'),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='ip_address',
            field=models.GenericIPAddressField(blank=True, null=True, verbose_name='internet address'),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='person',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='about'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(condition=models.Q(('person__isnull', False)), fields=['person', '-id'], name='audit_by_person'),
        ),
        AppendOnly("accounts_auditentry"),
        migrations.AddField(
            model_name='billingaccount',
            name='requires_second_factor',
            field=models.BooleanField(db_default=False, default=False, help_text='Whoever pays or manages cards on its billing profiles must sign in with a second factor.', verbose_name='demand a second factor'),
        ),
        migrations.AddField(
            model_name='user',
            name='sessions_version',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name='emailchange',
            name='requested_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='asked by'),
        ),
        migrations.AddField(
            model_name='emailchange',
            name='user',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='email_change', to=settings.AUTH_USER_MODEL, verbose_name='user'),
        ),
        migrations.AddConstraint(
            model_name='emailchange',
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('email'), name='email_change_unique'),
        ),
        migrations.RunPython(keep_one_address, migrations.RunPython.noop),
        # One address a person, one person an address, also in the table that the sign-in library keeps.
        migrations.RunSQL(
            "CREATE UNIQUE INDEX account_emailaddress_one_a_person ON account_emailaddress (user_id)",
            "DROP INDEX account_emailaddress_one_a_person",
        ),
        migrations.RunSQL(
            "CREATE UNIQUE INDEX account_emailaddress_one_person ON account_emailaddress (LOWER(email))",
            "DROP INDEX account_emailaddress_one_person",
        ),
    ]
