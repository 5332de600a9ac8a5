import billing_portal.core.exact_decimals
import billing_portal.core.spelling
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.text
import django.db.models.lookups
from django.conf import settings
import invoices.models.ledger
import invoices.units
from django.db import migrations, models

from billing_portal.core.append_only import AppendOnly, FixedColumns


# In the order of a language PostgreSQL ignores signs such as the hyphen at first, so that the numbers which begin alike do
# not stand together, and no index can find them. SQLite compares letter by letter by itself.
LETTER_BY_LETTER = 'ALTER TABLE invoices_invoice ALTER COLUMN number TYPE varchar(32) COLLATE "C"'
# Which due dates the open invoices have differs much from which all invoices have. Without knowing that, PostgreSQL
# expects few invoices to be due, collects them all and sorts them, instead of reading one page in order.
STATISTICS = """
CREATE STATISTICS invoice_status_by_due_date (mcv) ON status, due_on FROM invoices_invoice;
ALTER STATISTICS invoice_status_by_due_date SET STATISTICS 1000;
"""


def adapt_to_postgresql(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(LETTER_BY_LETTER)
        schema_editor.execute(STATISTICS)


def restore_on_postgresql(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP STATISTICS invoice_status_by_due_date")


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='NumberSeries',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('prefix', models.CharField(max_length=12, unique=True, verbose_name='prefix')),
                ('next_number', models.PositiveBigIntegerField(default=1, verbose_name='next number')),
                ('last_digest', models.CharField(blank=True, db_default='', default='', editable=False, max_length=64)),
            ],
            options={
                'verbose_name': 'number series',
                'verbose_name_plural': 'number series',
            },
        ),
        migrations.CreateModel(
            name='Credit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(choices=[('overpayment', 'Overpayment'), ('prepayment', 'Prepayment'), ('promotion', 'Promotional credit'), ('goodwill', 'Goodwill'), ('credit_note', 'Credit note'), ('returns', 'Returns')], default='overpayment', max_length=12, verbose_name='source')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('remaining_minor', models.BigIntegerField(verbose_name='remaining')),
                ('description', models.CharField(max_length=200, verbose_name='description')),
                ('starts_on', models.DateField(blank=True, null=True, verbose_name='may be used from')),
                ('expires_on', models.DateField(blank=True, null=True, verbose_name='expires after')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('created_by', models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='granted by')),
                ('profile', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credits', to='accounts.billingprofile', verbose_name='billing profile')),
            ],
            options={
                'verbose_name': 'credit',
                'verbose_name_plural': 'credits',
                'indexes': [
                    models.Index(condition=models.Q(('expires_on__isnull', False), ('remaining_minor__gt', 0)), fields=['expires_on', 'id'], name='credit_to_expire'),
                    models.Index(condition=models.Q(('remaining_minor__gt', 0)), fields=['profile', 'expires_on', 'created_at', 'id'], name='credit_to_use'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('remaining_minor__gte', 0), ('remaining_minor__lte', models.F('amount_minor'))), name='credit_remaining_within_amount'),
                    models.CheckConstraint(condition=models.Q(('starts_on', None), ('expires_on', None), ('expires_on__gte', models.F('starts_on')), _connector='OR'), name='credit_expires_after_it_starts', violation_error_message='The credit expires before it starts.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Invoice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(blank=True, editable=False, max_length=32, null=True, unique=True, verbose_name='invoice number')),
                ('kind', models.CharField(choices=[('service', 'Service charges'), ('marketplace', 'Marketplace'), ('support', 'Support plan'), ('other', 'Other charges')], default='service', max_length=12, verbose_name='type')),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('open', 'Due'), ('paid', 'Paid'), ('void', 'Void')], default='draft', editable=False, max_length=8, verbose_name='status')),
                ('currency', models.CharField(editable=False, max_length=3, verbose_name='currency')),
                ('issued_on', models.DateField(blank=True, editable=False, null=True, verbose_name='invoice date')),
                ('due_on', models.DateField(blank=True, editable=False, null=True, verbose_name='due date')),
                ('period_start_on', models.DateField(blank=True, null=True, verbose_name='billing period from')),
                ('period_end_on', models.DateField(blank=True, null=True, verbose_name='billing period to')),
                ('po_number', models.CharField(blank=True, max_length=60, verbose_name='PO number')),
                ('source_reference', models.CharField(blank=True, max_length=64, verbose_name='source reference')),
                ('source_digest', models.CharField(blank=True, editable=False, max_length=64)),
                ('is_numbered_elsewhere', models.BooleanField(db_default=False, default=False, editable=False)),
                ('seller', models.JSONField(default=dict, editable=False, verbose_name='seller')),
                ('buyer', models.JSONField(default=dict, editable=False, verbose_name='buyer')),
                ('payment_terms_days', models.PositiveSmallIntegerField(default=30, editable=False, verbose_name='payment terms')),
                ('payment_reference', models.CharField(blank=True, editable=False, max_length=25, verbose_name='payment reference')),
                ('pays_by_wire', models.BooleanField(default=False, editable=False, verbose_name='by check or wire')),
                ('remittance', models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, editable=False, verbose_name='where to send the money')),
                ('charges_minor', models.BigIntegerField(default=0, editable=False, verbose_name='charges')),
                ('tax_minor', models.BigIntegerField(default=0, editable=False, verbose_name='tax')),
                ('total_minor', models.BigIntegerField(default=0, editable=False, verbose_name='total')),
                ('seller_tax_minor', models.BigIntegerField(editable=False, null=True, verbose_name="tax in the seller's currency")),
                ('exchange', models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, editable=False, verbose_name='exchange rate')),
                ('credited_minor', models.BigIntegerField(default=0, editable=False, verbose_name='credits applied')),
                ('credited_at_issue_minor', models.BigIntegerField(db_default=0, default=0, editable=False, verbose_name='credits applied at issue')),
                ('written_off_minor', models.BigIntegerField(db_default=0, default=0, editable=False, verbose_name='written off')),
                ('paid_minor', models.BigIntegerField(default=0, editable=False, verbose_name='paid')),
                ('paid_before_minor', models.BigIntegerField(db_default=0, default=0, editable=False, verbose_name='paid before the import')),
                ('paid_before_on', models.DateField(editable=False, null=True, verbose_name='paid on, before the import')),
                ('refunded_minor', models.BigIntegerField(default=0, editable=False, verbose_name='refunded')),
                ('charged_back_minor', models.BigIntegerField(db_default=0, default=0, editable=False, verbose_name='taken back by the bank')),
                ('amount_due_minor', models.GeneratedField(db_persist=True, expression=models.Case(models.When(status='open', then=django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('total_minor'), '-', models.F('credited_minor')), '-', models.F('paid_minor'))), default=0, output_field=models.BigIntegerField()), output_field=models.BigIntegerField(verbose_name='amount due'))),
                ('payment_started_at', models.DateTimeField(editable=False, null=True, verbose_name='payment started')),
                ('disputed_at', models.DateTimeField(editable=False, null=True, verbose_name='disputed since')),
                ('paid_at', models.DateTimeField(editable=False, null=True, verbose_name='paid at')),
                ('paid_with', models.CharField(blank=True, editable=False, max_length=60, verbose_name='paid with')),
                ('announce_on', models.DateField(editable=False, null=True)),
                ('autopay_on', models.DateField(editable=False, null=True, verbose_name='charged automatically on')),
                ('autopay_declined_on', models.DateField(editable=False, null=True, verbose_name='automatic charge declined on')),
                ('next_reminder_on', models.DateField(editable=False, null=True, verbose_name='next reminder')),
                ('dunning_from_on', models.DateField(editable=False, null=True)),
                ('reminders_sent', models.PositiveSmallIntegerField(db_default=0, default=0, editable=False, verbose_name='reminders sent')),
                ('digest', models.CharField(blank=True, db_default='', default='', editable=False, max_length=64)),
                ('void_reason', models.CharField(blank=True, editable=False, max_length=200, verbose_name='reason for voiding')),
                ('voided_at', models.DateTimeField(editable=False, null=True, verbose_name='voided at')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('payment_started_by', models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('profile', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='accounts.billingprofile', verbose_name='billing profile')),
                ('replaces', models.OneToOneField(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaced_by', to='invoices.invoice', verbose_name='replaces')),
            ],
            options={
                'verbose_name': 'invoice',
                'verbose_name_plural': 'invoices',
                'indexes': [
                    models.Index(fields=['profile', '-issued_on', '-id'], name='invoice_by_date'),
                    models.Index(fields=['profile', '-due_on', '-id'], name='invoice_by_due_date'),
                    models.Index(fields=['profile', '-total_minor', '-id'], name='invoice_by_total'),
                    models.Index(fields=['profile', '-amount_due_minor', '-id'], name='invoice_by_amount_due'),
                    models.Index(fields=['profile', 'status', '-issued_on', '-id'], name='invoice_by_status'),
                    models.Index(fields=['total_minor'], name='invoice_of_amount'),
                    models.Index(condition=models.Q(('amount_due_minor__gt', 0), ('amount_due_minor__lt', models.F('total_minor'))), fields=['amount_due_minor'], name='invoice_of_amount_left'),
                    models.Index(condition=models.Q(('status', 'open')), fields=['profile', 'due_on', 'id', 'amount_due_minor', 'payment_started_at'], name='invoice_open_figures'),
                    models.Index(condition=models.Q(('payment_started_at__isnull', False)), fields=['profile', '-issued_on', '-id'], name='invoice_in_progress'),
                    models.Index(fields=['profile', '-number', '-id'], name='invoice_by_number'),
                    models.Index(condition=models.Q(('autopay_on__isnull', False)), fields=['autopay_on', 'id'], name='invoice_to_charge'),
                    models.Index(condition=models.Q(('next_reminder_on__isnull', False)), fields=['next_reminder_on', 'id'], name='invoice_to_remind'),
                    models.Index(condition=models.Q(('announce_on__isnull', False)), fields=['announce_on', 'id'], name='invoice_to_announce'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'open', 'paid', 'void'])), name='invoice_status_known'),
                    models.CheckConstraint(condition=models.Q(models.Q(('due_on', None), ('issued_on', None), ('number', None), ('status', 'draft')), models.Q(models.Q(('status', 'draft'), _negated=True), ('due_on__isnull', False), ('issued_on__isnull', False), ('number__isnull', False)), _connector='OR'), name='invoice_numbered_when_issued'),
                    models.CheckConstraint(condition=models.Q(('total_minor', django.db.models.expressions.CombinedExpression(models.F('charges_minor'), '+', models.F('tax_minor')))), name='invoice_total_adds_up'),
                    models.CheckConstraint(condition=models.Q(('credited_minor__gte', 0), ('paid_minor__gte', 0), ('refunded_minor__gte', 0), ('total_minor__gte', 0)), name='invoice_amounts_not_negative'),
                    models.CheckConstraint(condition=models.Q(('written_off_minor__gte', 0), ('written_off_minor__lte', models.F('credited_minor'))), name='invoice_written_off_within_credited'),
                    models.CheckConstraint(condition=models.Q(('charged_back_minor__gte', 0), ('charged_back_minor__lte', models.F('refunded_minor'))), name='invoice_charged_back_within_refunded'),
                    models.CheckConstraint(condition=models.Q(('total_minor__gte', django.db.models.expressions.CombinedExpression(models.F('credited_minor'), '+', models.F('paid_minor')))), name='invoice_never_overpaid'),
                    models.CheckConstraint(condition=models.Q(models.Q(('status', 'paid'), _negated=True), ('total_minor', django.db.models.expressions.CombinedExpression(models.F('credited_minor'), '+', models.F('paid_minor'))), _connector='OR'), name='invoice_paid_means_in_full'),
                    models.CheckConstraint(condition=models.Q(('payment_started_at', None), ('status', 'open'), _connector='OR'), name='invoice_in_progress_is_open'),
                    models.CheckConstraint(condition=models.Q(models.Q(('paid_before_minor', 0), ('paid_before_on', None)), models.Q(('paid_before_minor__gt', 0), ('paid_before_minor__lte', models.F('paid_minor')), ('paid_before_on__isnull', False)), _connector='OR'), name='invoice_paid_before_within_paid'),
                    models.UniqueConstraint(condition=models.Q(('is_numbered_elsewhere', True)), fields=('payment_reference',), name='invoice_imported_payment_reference_once'),
                    models.UniqueConstraint(models.F('profile'), billing_portal.core.spelling.Compact('source_reference'), condition=models.Q(('source_reference', ''), _negated=True), name='invoice_source_reference_once', violation_error_message='Another invoice of this billing profile has this reference.'),
                    models.CheckConstraint(condition=models.Q(('number', None), ('number', django.db.models.functions.text.Upper('number')), _connector='OR'), name='invoice_number_in_capitals'),
                ],
            },
        ),
        migrations.CreateModel(
            name='CreditNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=32, unique=True, verbose_name='number')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('issued_on', models.DateField(verbose_name='date')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('seller', models.JSONField(default=dict, verbose_name='seller')),
                ('buyer', models.JSONField(default=dict, verbose_name='buyer')),
                ('charges_minor', models.BigIntegerField(verbose_name='charges')),
                ('tax_minor', models.BigIntegerField(verbose_name='tax')),
                ('seller_tax_minor', models.BigIntegerField(null=True, verbose_name="tax in the seller's currency")),
                ('total_minor', models.BigIntegerField(verbose_name='total')),
                ('applied_minor', models.BigIntegerField(verbose_name='taken off the invoice')),
                ('given_back_minor', models.BigIntegerField(default=0, verbose_name='given back to credits')),
                ('voids_invoice', models.BooleanField(default=False, verbose_name='voids the invoice')),
                ('digest', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('created_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='made by')),
                ('credit', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_note', to='invoices.credit', verbose_name='credit')),
                ('profile', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='credit_notes', to='accounts.billingprofile', verbose_name='billing profile')),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_notes', to='invoices.invoice', verbose_name='invoice')),
            ],
            options={
                'verbose_name': 'credit note',
                'verbose_name_plural': 'credit notes',
                'indexes': [
                    models.Index(fields=['profile', '-issued_on', '-id'], name='credit_note_by_date'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('total_minor', django.db.models.expressions.CombinedExpression(models.F('charges_minor'), '+', models.F('tax_minor')))), name='credit_note_total_adds_up'),
                    models.CheckConstraint(condition=models.Q(('applied_minor__gte', 0), ('applied_minor__lte', models.F('total_minor')), ('total_minor__gte', 0)), name='credit_note_applied_within_total'),
                    models.CheckConstraint(condition=models.Q(('given_back_minor__gte', 0), ('given_back_minor__lte', models.F('applied_minor'))), name='credit_note_given_back_within_applied'),
                    models.UniqueConstraint(condition=models.Q(('voids_invoice', True)), fields=('invoice',), name='invoice_voided_by_one_note'),
                ],
            },
        ),
        migrations.CreateModel(
            name='CreditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('granted', 'Granted'), ('applied', 'Applied to an invoice'), ('given_back', 'Given back'), ('taken_back', 'Taken back'), ('expired', 'Expired')], max_length=12, verbose_name='kind')),
                ('amount_minor', models.BigIntegerField(help_text='Negative when it takes from the credit.', verbose_name='amount')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('note', models.CharField(blank=True, max_length=200, verbose_name='note')),
                ('actor', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('credit', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='invoices.credit', verbose_name='credit')),
                ('invoice', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_entries', to='invoices.invoice', verbose_name='invoice')),
            ],
            options={
                'verbose_name': 'credit entry',
                'verbose_name_plural': 'credit entries',
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('amount_minor__gt', 0), ('kind__in', ['granted', 'given_back'])), models.Q(('amount_minor__lt', 0), ('kind__in', ['applied', 'taken_back', 'expired'])), _connector='OR'), name='credit_entry_sign_follows_kind'),
                    models.CheckConstraint(condition=models.Q(models.Q(('kind', 'applied'), _negated=True), ('invoice__isnull', False), _connector='OR'), name='credit_applied_to_an_invoice'),
                ],
            },
        ),
        migrations.CreateModel(
            name='InvoiceLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('section_name', models.CharField(blank=True, editable=False, max_length=120)),
                ('position', models.PositiveIntegerField(default=0, verbose_name='position')),
                ('description', models.CharField(max_length=200, verbose_name='description')),
                ('quantity', billing_portal.core.exact_decimals.ExactDecimalField(decimal_places=12, default=1, max_digits=32, verbose_name='quantity')),
                ('unit', models.CharField(choices=invoices.units.unit_choices, default='C62', max_length=3, verbose_name='unit')),
                ('unit_price', billing_portal.core.exact_decimals.ExactDecimalField(decimal_places=10, help_text='In the main unit of the currency (euros, not cents), without tax.', max_digits=24, verbose_name='unit price')),
                ('tax_category', models.CharField(choices=[('S', 'Taxed at a rate'), ('Z', 'Zero-rated'), ('E', 'Exempt from tax'), ('AE', 'Reverse charge'), ('K', 'Intra-Community supply'), ('G', 'Export outside the EU'), ('O', 'Not subject to tax')], default='S', max_length=2, verbose_name='tax category')),
                ('tax_rate', models.DecimalField(decimal_places=3, default=0, help_text='Percent.', max_digits=6, validators=[django.core.validators.MinValueValidator(0)], verbose_name='tax rate')),
                ('exemption_reason', models.CharField(blank=True, max_length=120, verbose_name='reason for no tax')),
                ('exemption_code', models.CharField(blank=True, help_text='The code of that reason, such as VATEX-EU-132-1F.', max_length=20, validators=[django.core.validators.RegexValidator('^VATEX-[A-Z0-9-]{2,14}$', 'A VATEX code begins with VATEX-, such as VATEX-EU-132-1F.')], verbose_name='VATEX code')),
                ('happened_on', models.DateField(blank=True, null=True, verbose_name='date')),
                ('is_creditable', models.BooleanField(db_default=True, default=True, verbose_name='credits may pay for it')),
                ('is_allowance', models.BooleanField(db_default=False, default=False, help_text='The description is its reason. It is deducted, and lowers the tax of its category and rate.', verbose_name='discount on the whole invoice')),
                ('amount_minor', models.BigIntegerField(default=0, editable=False, verbose_name='amount')),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='invoices.invoice', verbose_name='invoice')),
                ('section', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.invoicesection', verbose_name='invoice section')),
            ],
            options={
                'verbose_name': 'invoice line',
                'verbose_name_plural': 'invoice lines',
                'indexes': [
                    models.Index(fields=['section', 'invoice'], name='line_by_section'),
                ],
            },
        ),
        migrations.CreateModel(
            name='CreditNoteLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(default=0, verbose_name='position')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('note', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='invoices.creditnote', verbose_name='credit note')),
                ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='invoices.invoiceline', verbose_name='line')),
            ],
            options={
                'verbose_name': 'line of a credit note',
                'verbose_name_plural': 'lines of credit notes',
                'constraints': [
                    models.UniqueConstraint(fields=('note', 'line'), name='line_once_per_credit_note'),
                ],
            },
        ),
        migrations.CreateModel(
            name='InvoiceTax',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.CharField(choices=[('S', 'Taxed at a rate'), ('Z', 'Zero-rated'), ('E', 'Exempt from tax'), ('AE', 'Reverse charge'), ('K', 'Intra-Community supply'), ('G', 'Export outside the EU'), ('O', 'Not subject to tax')], max_length=2, verbose_name='tax category')),
                ('rate', models.DecimalField(decimal_places=3, max_digits=6, verbose_name='tax rate')),
                ('taxable_minor', models.BigIntegerField(verbose_name='taxable amount')),
                ('tax_minor', models.BigIntegerField(verbose_name='tax')),
                ('exemption_reason', models.CharField(blank=True, max_length=1000, verbose_name='reason for no tax')),
                ('exemption_code', models.CharField(blank=True, max_length=20, verbose_name='VATEX code')),
                ('invoice', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='taxes', to='invoices.invoice', verbose_name='invoice')),
            ],
            options={
                'verbose_name': 'tax of an invoice',
                'verbose_name_plural': 'taxes of invoices',
                'constraints': [
                    models.UniqueConstraint(fields=('invoice', 'category', 'rate'), name='invoice_tax_once'),
                    models.CheckConstraint(condition=models.Q(('category', 'S'), models.Q(('rate', 0), ('tax_minor', 0)), _connector='OR'), name='invoice_tax_of_its_category'),
                ],
            },
        ),
        migrations.CreateModel(
            name='CreditNoteTax',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.CharField(choices=[('S', 'Taxed at a rate'), ('Z', 'Zero-rated'), ('E', 'Exempt from tax'), ('AE', 'Reverse charge'), ('K', 'Intra-Community supply'), ('G', 'Export outside the EU'), ('O', 'Not subject to tax')], max_length=2, verbose_name='tax category')),
                ('rate', models.DecimalField(decimal_places=3, max_digits=6, verbose_name='tax rate')),
                ('taxable_minor', models.BigIntegerField(verbose_name='taxable amount')),
                ('tax_minor', models.BigIntegerField(verbose_name='tax')),
                ('exemption_reason', models.CharField(blank=True, max_length=1000, verbose_name='reason for no tax')),
                ('exemption_code', models.CharField(blank=True, max_length=20, verbose_name='VATEX code')),
                ('note', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='taxes', to='invoices.creditnote', verbose_name='credit note')),
            ],
            options={
                'verbose_name': 'tax of a credit note',
                'verbose_name_plural': 'taxes of credit notes',
                'constraints': [
                    models.UniqueConstraint(fields=('note', 'category', 'rate'), name='credit_note_tax_once'),
                    models.CheckConstraint(condition=models.Q(('category', 'S'), models.Q(('rate', 0), ('tax_minor', 0)), _connector='OR'), name='credit_note_tax_of_its_category'),
                ],
            },
        ),
        migrations.CreateModel(
            name='IssuedDocument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('pdf', 'PDF'), ('xml', 'XML')], default='pdf', max_length=4, verbose_name='kind')),
                ('invoice', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='invoices.invoice')),
                ('credit_note', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='invoices.creditnote')),
                ('language', models.CharField(max_length=8, verbose_name='language')),
                ('content', models.BinaryField(verbose_name='content')),
                ('digest', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('created_at', models.DateTimeField(verbose_name='made')),
            ],
            options={
                'verbose_name': 'issued document',
                'verbose_name_plural': 'issued documents',
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('credit_note', None), ('invoice__isnull', False)), models.Q(('credit_note__isnull', False), ('invoice', None)), _connector='OR'), name='document_of_one_thing'), models.UniqueConstraint(condition=models.Q(('invoice__isnull', False)), fields=('invoice', 'kind', 'language'), name='invoice_document_once'), models.UniqueConstraint(condition=models.Q(('credit_note__isnull', False)), fields=('credit_note', 'kind', 'language'), name='credit_note_document_once')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('invoice', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='invoices.invoice', verbose_name='invoice')),
                ('credit_note', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='invoices.creditnote', verbose_name='credit note')),
                ('channel', models.CharField(choices=[('mail', 'Email'), ('folder', 'Folder'), ('peppol', 'Peppol')], max_length=8, verbose_name='channel')),
                ('status', models.CharField(choices=[('queued', 'Waiting to be sent'), ('sent', 'Sent'), ('delivered', 'Delivered'), ('accepted', 'Accepted by the buyer'), ('rejected', 'Rejected'), ('unclear', 'Sent, arrival not confirmed'), ('failed', 'Could not be sent')], default='queued', max_length=10, verbose_name='status')),
                ('recipient', models.CharField(blank=True, max_length=120, verbose_name='recipient')),
                ('message_id', models.UUIDField(unique=True, verbose_name='message ID')),
                ('reason', models.CharField(blank=True, max_length=500, verbose_name='reason')),
                ('created_at', models.DateTimeField(verbose_name='planned')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent')),
                ('answer_code', models.CharField(blank=True, max_length=2, verbose_name='code of the answer')),
                ('answer_ids', models.JSONField(blank=True, default=list, verbose_name='answers')),
                ('contradiction', models.CharField(blank=True, max_length=500, verbose_name='answered afterwards')),
                ('handed_on_at', models.DateTimeField(blank=True, null=True, verbose_name='handed on')),
                ('answered_at', models.DateTimeField(blank=True, null=True, verbose_name='last answer')),
                ('next_try_at', models.DateTimeField(blank=True, null=True, verbose_name='next attempt')),
                ('is_repeated', models.BooleanField(db_default=False, default=False, verbose_name='sent again')),
                ('needs_staff', models.BooleanField(db_default=False, default=False, verbose_name='needs staff')),
                ('tries', models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name='attempts')),
            ],
            options={
                'verbose_name': 'delivery',
                'verbose_name_plural': 'deliveries',
                'indexes': [models.Index(condition=models.Q(('next_try_at__isnull', False)), fields=['next_try_at', 'id'], name='delivery_to_make'), models.Index(condition=models.Q(('needs_staff', True)), fields=['id'], name='delivery_in_trouble')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('credit_note', None), ('invoice__isnull', False)), models.Q(('credit_note__isnull', False), ('invoice', None)), _connector='OR'), name='delivery_of_one_thing'), models.CheckConstraint(condition=models.Q(('status__in', ['queued', 'sent', 'delivered', 'accepted', 'rejected', 'unclear', 'failed'])), name='delivery_status_known')],
            },
        ),
        migrations.CreateModel(
            name='PeriodClosing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start_on', models.DateField(verbose_name='from')),
                ('end_on', models.DateField(verbose_name='up to')),
                ('outcome', models.CharField(choices=[('billed', 'Invoice issued'), ('nothing', 'Nothing to bill'), ('carried', 'Carried to the next invoice'), ('credited', 'Made a credit')], max_length=8, verbose_name='outcome')),
                ('closed_at', models.DateTimeField(verbose_name='closed')),
                ('booked_on', models.DateField(verbose_name='booked on')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('carried_minor', models.BigIntegerField(default=0, verbose_name='carried')),
                ('brought_minor', models.BigIntegerField(default=0, verbose_name='carried from before')),
                ('brought_from_on', models.DateField(blank=True, null=True, verbose_name='carried since')),
                ('credit', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='closing', to='invoices.credit', verbose_name='credit')),
                ('invoice', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='closing', to='invoices.invoice', verbose_name='invoice')),
                ('profile', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='closings', to='accounts.billingprofile', verbose_name='billing profile')),
            ],
            options={
                'verbose_name': 'closed period',
                'verbose_name_plural': 'closed periods',
                'indexes': [
                    models.Index(condition=models.Q(('outcome', 'carried')), fields=['profile', 'end_on'], name='period_carried'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('profile', 'start_on'), name='period_closed_once'),
                    models.CheckConstraint(condition=models.Q(('end_on__gt', models.F('start_on'))), name='period_ends_after_it_starts'),
                    models.CheckConstraint(condition=models.Q(models.Q(('invoice__isnull', False), ('outcome', 'billed')), models.Q(models.Q(('outcome', 'billed'), _negated=True), ('invoice', None)), _connector='OR'), name='period_billed_with_an_invoice'),
                    models.CheckConstraint(condition=models.Q(models.Q(('outcome', 'carried'), models.Q(('carried_minor', 0), _negated=True)), models.Q(('carried_minor__lt', 0), ('outcome', 'credited')), models.Q(('carried_minor', 0), ('outcome__in', ['billed', 'nothing'])), _connector='OR'), name='period_carried_with_an_amount'),
                    models.CheckConstraint(condition=models.Q(models.Q(('credit__isnull', False), ('outcome', 'credited')), models.Q(models.Q(('outcome', 'credited'), _negated=True), ('credit', None)), _connector='OR'), name='period_credited_with_a_credit'),
                    models.CheckConstraint(condition=models.Q(models.Q(('brought_from_on', None), ('brought_minor', 0)), models.Q(('brought_from_on__lt', models.F('start_on')), models.Q(('brought_minor', 0), _negated=True)), _connector='OR'), name='period_brought_since_a_day'),
                ],
            },
        ),
        migrations.CreateModel(
            name='RemittanceAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('valid_from_on', models.DateField(blank=True, help_text='Leave it empty for an account that was valid from the start.', null=True, verbose_name='valid from')),
                ('account_holder', models.CharField(max_length=70, verbose_name='account holder')),
                ('iban', models.CharField(max_length=34, verbose_name='IBAN or account number')),
                ('bic', models.CharField(blank=True, max_length=11, verbose_name='BIC')),
                ('bank', models.CharField(blank=True, max_length=120, verbose_name='bank')),
                ('check_address', models.TextField(blank=True, verbose_name='address for checks')),
                ('seller', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='remittance_accounts', to='accounts.seller', verbose_name='seller')),
            ],
            options={
                'verbose_name': 'remittance account',
                'verbose_name_plural': 'remittance accounts',
                'constraints': [
                    models.UniqueConstraint(fields=('seller', 'currency', 'valid_from_on'), name='remittance_account_once_a_day', violation_error_message='The seller has another account in this currency from this day.'),
                    models.UniqueConstraint(condition=models.Q(('valid_from_on', None)), fields=('seller', 'currency'), name='remittance_account_once_from_the_start', violation_error_message='The seller has another account in this currency from the start.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='ExchangeRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_currency', models.CharField(help_text='Such as EUR.', max_length=3, verbose_name='one of this currency')),
                ('to_currency', models.CharField(help_text='Such as USD.', max_length=3, verbose_name='in this currency')),
                ('quoted_on', models.DateField(help_text='On which the rate was published.', verbose_name='day')),
                ('rate', models.DecimalField(decimal_places=10, help_text='As it was published: 1.0850 where one euro is 1.0850 dollars.', max_digits=20, validators=[django.core.validators.MinValueValidator(0)], verbose_name='rate')),
                ('source', models.CharField(help_text='Who published it, such as ECB.', max_length=60, verbose_name='source')),
            ],
            options={
                'verbose_name': 'exchange rate',
                'verbose_name_plural': 'exchange rates',
                'constraints': [
                    models.UniqueConstraint(fields=('from_currency', 'to_currency', 'quoted_on'), name='exchange_rate_once_a_day', violation_error_message='There is a rate of these currencies on this day already. Change that one.'),
                    models.CheckConstraint(condition=models.Q(('rate__gt', 0)), name='exchange_rate_positive', violation_error_message='A rate is more than zero.'),
                    models.CheckConstraint(condition=models.Q(('from_currency', models.F('to_currency')), _negated=True), name='exchange_rate_of_two_currencies', violation_error_message='The two currencies are the same.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='TaxRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('percent', models.DecimalField(decimal_places=3, max_digits=6, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(100)], verbose_name='percent')),
                ('tax_category', models.CharField(choices=[('S', 'Taxed at a rate'), ('Z', 'Zero-rated'), ('E', 'Exempt from tax'), ('AE', 'Reverse charge'), ('K', 'Intra-Community supply'), ('G', 'Export outside the EU'), ('O', 'Not subject to tax')], default='S', max_length=2, verbose_name='tax category')),
                ('exemption_reason', models.CharField(blank=True, help_text='Printed on the invoice, such as the law.', max_length=120, verbose_name='reason for no tax')),
                ('exemption_code', models.CharField(blank=True, help_text='The code of that reason, such as VATEX-EU-132-1F.', max_length=20, validators=[django.core.validators.RegexValidator('^VATEX-[A-Z0-9-]{2,14}$', 'A VATEX code begins with VATEX-, such as VATEX-EU-132-1F.')], verbose_name='VATEX code')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
            ],
            options={
                'verbose_name': 'tax rate',
                'verbose_name_plural': 'tax rates',
                'constraints': [
                    models.UniqueConstraint(billing_portal.core.spelling.Compact('name'), name='tax_rate_name_once', violation_error_message='There is a tax rate of that name already.'),
                    models.CheckConstraint(condition=models.Q(('percent__range', (0, 100))), name='tax_rate_is_a_percentage', violation_error_message='A tax rate is between 0 and 100 percent.'),
                    models.CheckConstraint(condition=models.Q(models.Q(('percent__gt', 0), ('tax_category', 'S')), models.Q(models.Q(('tax_category', 'S'), _negated=True), ('percent', 0)), _connector='OR'), name='tax_rate_fits_its_category', violation_error_message='A rate above zero is “taxed at a rate”; every other category has none.'),
                    models.CheckConstraint(condition=models.Q(models.Q(('tax_category__in', ('S', 'Z')), _negated=True), models.Q(('exemption_code', ''), ('exemption_reason', '')), _connector='OR'), name='tax_rate_reason_without_tax', violation_error_message='A taxed or zero-rated supply has no reason for no tax.'),
                    models.CheckConstraint(condition=models.Q(models.Q(('tax_category', 'E'), _negated=True), models.Q(('exemption_reason', ''), _negated=True), models.Q(('exemption_code', ''), _negated=True), _connector='OR'), name='tax_rate_exempt_with_a_reason', violation_error_message='Give the reason of the exemption, or its VATEX code.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Charge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('usage', 'Usage'), ('one_off', 'One-off'), ('return', 'Return')], default='usage', max_length=8, verbose_name='kind')),
                ('description', models.CharField(max_length=200, verbose_name='description')),
                ('quantity', billing_portal.core.exact_decimals.ExactDecimalField(decimal_places=12, default=1, max_digits=24, verbose_name='quantity')),
                ('unit', models.CharField(choices=invoices.units.unit_choices, default='C62', max_length=3, verbose_name='unit')),
                ('unit_price', billing_portal.core.exact_decimals.ExactDecimalField(decimal_places=10, help_text='In the main unit of the currency (euros, not cents), without tax.', max_digits=24, verbose_name='unit price')),
                ('tax_category', models.CharField(choices=[('S', 'Taxed at a rate'), ('Z', 'Zero-rated'), ('E', 'Exempt from tax'), ('AE', 'Reverse charge'), ('K', 'Intra-Community supply'), ('G', 'Export outside the EU'), ('O', 'Not subject to tax')], editable=False, max_length=2, verbose_name='tax category')),
                ('tax_percent', models.DecimalField(decimal_places=3, default=0, editable=False, max_digits=6, verbose_name='tax rate')),
                ('exemption_reason', models.CharField(blank=True, editable=False, max_length=120, verbose_name='reason for no tax')),
                ('exemption_code', models.CharField(blank=True, editable=False, max_length=20, verbose_name='VATEX code')),
                ('happened_on', models.DateField(help_text='Of the service or sale; decides the billing period.', verbose_name='date')),
                ('is_creditable', models.BooleanField(default=True, verbose_name='credits may pay for it')),
                ('source_reference', models.CharField(blank=True, max_length=64, verbose_name='source reference')),
                ('created_at', models.DateTimeField(editable=False, verbose_name='recorded')),
                ('created_by', models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='recorded by')),
                ('profile', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='accounts.billingprofile', verbose_name='billing profile')),
                ('section', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.invoicesection', verbose_name='invoice section')),
                ('invoice', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='billed_charges', to='invoices.invoice', verbose_name='invoice')),
                ('settled_by', models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='settled_charges', to='invoices.periodclosing', verbose_name='made a credit by')),
                ('tax_rate', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='invoices.taxrate', verbose_name='tax rate')),
            ],
            options={
                'verbose_name': 'charge',
                'verbose_name_plural': 'charges',
                'indexes': [
                    models.Index(condition=models.Q(('invoice__isnull', True), ('settled_by__isnull', True)), fields=['profile', 'happened_on', 'id'], name='charge_unbilled'),
                    models.Index(condition=models.Q(('settled_by__isnull', False)), fields=['settled_by'], name='charge_settled'),
                    models.Index(fields=['profile', '-happened_on', '-id'], name='charge_by_date'),
                ],
                'constraints': [
                    models.UniqueConstraint(models.F('profile'), billing_portal.core.spelling.Compact('source_reference'), condition=models.Q(('source_reference', ''), _negated=True), name='charge_source_reference_once', violation_error_message='Another charge of this billing profile has this reference.'),
                    models.CheckConstraint(condition=models.Q(models.Q(('kind', 'return'), django.db.models.lookups.LessThanOrEqual(django.db.models.functions.comparison.Cast('quantity', models.FloatField()), 0)), models.Q(models.Q(('kind', 'return'), _negated=True), django.db.models.lookups.GreaterThanOrEqual(django.db.models.functions.comparison.Cast('quantity', models.FloatField()), 0)), _connector='OR'), name='charge_negative_means_return', violation_error_message='Only a return may be negative.'),
                    models.CheckConstraint(condition=models.Q(('invoice', None), ('settled_by', None), _connector='OR'), name='charge_settled_once'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Transfer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('invoice', 'Invoice'), ('credit_note', 'Credit note'), ('credit_granted', 'Credit granted'), ('credit_applied', 'Credit applied'), ('credit_given_back', 'Credit given back'), ('credit_taken_back', 'Credit taken back'), ('credit_expired', 'Credit expired'), ('payment', 'Payment'), ('refund', 'Refund'), ('refund_failed', 'Refund that failed'), ('chargeback', 'Taken back by the bank'), ('chargeback_undone', 'Returned by the bank'), ('write_off', 'Written off'), ('returns', 'Returns made a credit'), ('payout', 'Paid out by the provider'), ('payout_undone', 'Payout taken back')], max_length=20, verbose_name='kind')),
                ('debit', models.CharField(max_length=40, verbose_name='debit')),
                ('credit', models.CharField(max_length=40, verbose_name='credit')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('booked_on', models.DateField(verbose_name='booked on')),
                ('booked_at', models.DateTimeField(verbose_name='booked at')),
                ('key', models.CharField(max_length=80, unique=True, verbose_name='key')),
                ('reference', models.CharField(blank=True, max_length=200, verbose_name='reference')),
                ('invoice', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='transfers', to='invoices.invoice', verbose_name='invoice')),
                ('lot', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='transfers', to='invoices.credit', verbose_name='customer credit')),
                ('profile', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='transfers', to='accounts.billingprofile', verbose_name='billing profile')),
            ],
            options={
                'verbose_name': 'transfer',
                'verbose_name_plural': 'transfers',
                'indexes': [
                    models.Index(fields=['profile', 'booked_on', 'id'], name='transfer_by_day'),
                    models.Index(fields=['booked_on', 'id'], name='transfer_journal'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='transfer_amount_positive'),
                    models.CheckConstraint(condition=models.Q(('debit', models.F('credit')), _negated=True), name='transfer_between_two_accounts'),
                    models.CheckConstraint(condition=models.Q(models.Q(('debit__in', ('receivable', 'customer_credit', 'unmatched')), ('profile__isnull', False)), models.Q(('credit__in', ('receivable', 'customer_credit', 'unmatched')), ('profile__isnull', False)), models.Q(('invoice', None), ('kind__in', ('payout', 'payout_undone')), ('lot', None), ('profile', None)), _connector='OR'), name='transfer_of_a_balance_that_is_proven'),
                    models.CheckConstraint(condition=models.Q(models.Q(('debit', 'receivable'), ('credit', 'receivable'), _connector='OR', _negated=True), ('invoice__isnull', False), _connector='OR'), name='transfer_of_a_receivable_names_its_invoice'),
                    models.CheckConstraint(condition=models.Q(models.Q(('debit', 'customer_credit'), ('credit', 'customer_credit'), _connector='OR', _negated=True), ('lot__isnull', False), _connector='OR'), name='transfer_of_credit_names_its_lot'),
                ],
            },
        ),
        migrations.CreateModel(
            name='KeptStatement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_on', models.DateField(verbose_name='from')),
                ('last_on', models.DateField(verbose_name='to')),
                ('heading', models.JSONField(verbose_name='heading')),
                ('opening_minor', models.BigIntegerField(verbose_name='opening balance')),
                ('closing_minor', models.BigIntegerField(verbose_name='closing balance')),
                ('created_at', models.DateTimeField(verbose_name='made')),
                ('profile', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='kept_statements', to='accounts.billingprofile', verbose_name='billing profile')),
            ],
            options={
                'verbose_name': 'kept statement',
                'verbose_name_plural': 'kept statements',
                'constraints': [
                    models.UniqueConstraint(fields=('profile', 'first_on', 'last_on'), name='statement_kept_once'),
                    models.CheckConstraint(condition=models.Q(('first_on__lte', models.F('last_on'))), name='statement_ends_after_it_starts'),
                ],
            },
        ),
        migrations.CreateModel(
            name='LedgerAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.CharField(help_text='As in the ledger: receivable, revenue, tax:S:21.', max_length=40, unique=True, validators=[invoices.models.ledger.validate_account], verbose_name='account')),
                ('code', models.CharField(help_text='In your own bookkeeping.', max_length=40, verbose_name='code')),
            ],
            options={
                'verbose_name': 'ledger account',
                'verbose_name_plural': 'ledger accounts',
            },
        ),
        migrations.RunPython(adapt_to_postgresql, restore_on_postgresql),
        AppendOnly("invoices_creditentry"),
        AppendOnly("invoices_creditnote"),
        AppendOnly("invoices_creditnoteline"),
        AppendOnly("invoices_invoicetax"),
        AppendOnly("invoices_creditnotetax"),
        AppendOnly("invoices_issueddocument"),
        AppendOnly("invoices_transfer"),
        AppendOnly("invoices_keptstatement"),
        AppendOnly("invoices_periodclosing"),
        # Of a credit changes what is left of it; of a charge only the invoice, which check_books compares with the lines.
        # One that is on no invoice yet may be removed.
        FixedColumns(
            "invoices_credit",
            ["id", "profile_id", "source", "currency", "amount_minor", "description", "starts_on", "expires_on",
             "created_at", "created_by_id"],
        ),
        FixedColumns(
            "invoices_charge",
            ["id", "profile_id", "section_id", "kind", "description", "quantity", "unit", "unit_price", "tax_rate_id",
             "tax_category", "tax_percent", "exemption_reason", "exemption_code", "happened_on", "is_creditable",
             "source_reference", "created_at", "created_by_id"],
            kept_when="(OLD.invoice_id IS NOT NULL OR OLD.settled_by_id IS NOT NULL)",
        ),
    ]
