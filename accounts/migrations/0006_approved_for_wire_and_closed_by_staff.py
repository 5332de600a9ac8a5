from django.db import migrations, models


def keep_what_staff_decided(apps, _schema_editor):
    """A profile that pays by check or wire may do so; one that staff had disabled by hand is closed, because disabled
    now means that something is past due, and goes by itself."""
    BillingProfile = apps.get_model("accounts", "BillingProfile")
    BillingProfile.objects.filter(default_method="check_wire").update(is_wire_approved=True)
    BillingProfile.objects.filter(status="disabled").update(status="closed")


def disable_what_is_closed(apps, _schema_editor):
    apps.get_model("accounts", "BillingProfile").objects.filter(status="closed").update(status="disabled")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_the_billing_period")]

    operations = [
        migrations.AddField(
            model_name="billingcontact",
            name="last_statement_on",
            field=models.DateField(blank=True, editable=False, null=True, verbose_name="last statement"),
        ),
        migrations.AlterField(
            model_name="billingprofile",
            name="status",
            field=models.CharField(
                choices=[
                    ("active", "Active"),
                    ("warned", "Warned"),
                    ("disabled", "Disabled"),
                    ("closed", "Closed"),
                ],
                default="active",
                max_length=12,
                verbose_name="status",
            ),
        ),
        migrations.RunPython(keep_what_staff_decided, disable_what_is_closed),
    ]
