from django.db import migrations, models
from django.db.models import F, Q, Sum

from accounts.append_only import AppendOnly, Unlocked


def count_given_back(apps, _schema_editor):
    """Until now only a note that voids its invoice came with credits given back: all there were."""
    CreditNote = apps.get_model("invoices", "CreditNote")
    CreditEntry = apps.get_model("invoices", "CreditEntry")
    for note in CreditNote.objects.filter(voids_invoice=True).iterator():
        entries = CreditEntry.objects.filter(invoice=note.invoice_id, kind="given_back")
        given_back = entries.aggregate(minor=Sum("amount_minor"))["minor"]
        if given_back:
            CreditNote.objects.filter(pk=note.pk).update(given_back_minor=given_back)


class Migration(migrations.Migration):
    dependencies = [("invoices", "0010_new_invoices_are_announced")]
    operations = [
        Unlocked("invoices_creditnote"),
        migrations.AddField(
            model_name="creditnote",
            name="given_back_minor",
            field=models.BigIntegerField(default=0, verbose_name="given back to credits"),
        ),
        migrations.RunPython(count_given_back, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=Q(given_back_minor__gte=0, given_back_minor__lte=F("applied_minor")),
                name="credit_note_given_back_within_applied",
            ),
        ),
        AppendOnly("invoices_creditnote"),
    ]
