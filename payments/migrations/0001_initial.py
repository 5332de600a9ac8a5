import billing_portal.core.spelling
import django.db.models.deletion
import django.db.models.expressions
import payments.models.payments
import uuid
from django.conf import settings
from django.db import migrations, models

from billing_portal.core.append_only import AppendOnly, FixedColumns


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('invoices', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('reference', models.CharField(default=payments.models.payments.new_reference, editable=False, max_length=16, unique=True, verbose_name='reference')),
                ('attempt_key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('channel', models.CharField(choices=[('card', 'Card'), ('wire', 'Wire transfer'), ('check', 'Check')], default='card', max_length=8, verbose_name='channel')),
                ('status', models.CharField(choices=[('created', 'Being confirmed'), ('needs_customer', 'Waiting for bank approval'), ('pending', 'On its way'), ('unknown', "Waiting for the bank's answer"), ('mismatch', 'Under review by our staff'), ('succeeded', 'Succeeded'), ('declined', 'Declined'), ('expired', 'Expired'), ('not_sent', 'Not sent')], default='created', max_length=16, verbose_name='status')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('refunded_minor', models.BigIntegerField(default=0, verbose_name='refunded')),
                ('charged_back_minor', models.BigIntegerField(db_default=0, default=0, verbose_name='taken back by the bank')),
                ('disputed_at', models.DateTimeField(null=True, verbose_name='disputed since')),
                ('card_brand', models.CharField(blank=True, max_length=20, verbose_name='brand')),
                ('card_last_four', models.CharField(blank=True, max_length=4, verbose_name='last four digits')),
                ('is_automatic', models.BooleanField(db_default=False, default=False, verbose_name='automatic')),
                ('save_method', models.BooleanField(default=False, verbose_name='save the card')),
                ('make_default', models.BooleanField(default=False, verbose_name='make it the default')),
                ('gateway', models.CharField(blank=True, max_length=20, verbose_name='gateway')),
                ('gateway_id', models.CharField(blank=True, max_length=120, verbose_name="gateway's payment id")),
                ('next_url', models.CharField(blank=True, editable=False, max_length=500)),
                ('decline_code', models.CharField(blank=True, max_length=24, verbose_name='reason for the decline')),
                ('decline_bucket', models.CharField(blank=True, max_length=20, verbose_name='what can be done')),
                ('gateway_message', models.CharField(blank=True, max_length=300, verbose_name="gateway's message")),
                ('bank_reference', models.CharField(blank=True, max_length=80, verbose_name='bank or check reference')),
                ('received_on', models.DateField(blank=True, null=True, verbose_name='received on')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('next_lookup_at', models.DateTimeField(null=True, verbose_name='next look-up')),
                ('lookups', models.PositiveSmallIntegerField(default=0, verbose_name='look-ups')),
                ('needs_staff', models.BooleanField(default=False, verbose_name='needs staff')),
                ('profile', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='accounts.billingprofile', verbose_name='billing profile')),
                ('started_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
            ],
            options={
                'verbose_name': 'payment',
                'verbose_name_plural': 'payments',
                'indexes': [
                    models.Index(fields=['profile', '-started_at', '-id'], name='payment_by_profile'),
                    models.Index(condition=models.Q(('started_by__isnull', False)), fields=['started_by', '-started_at'], name='payment_by_person'),
                    models.Index(condition=models.Q(('next_lookup_at__isnull', False)), fields=['next_lookup_at', 'id'], name='payment_to_look_up'),
                    models.Index(condition=models.Q(('needs_staff', True)), fields=['-started_at', '-id'], name='payment_for_staff'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='payment_amount_positive'),
                    models.CheckConstraint(condition=models.Q(('refunded_minor__gte', 0), ('refunded_minor__lte', models.F('amount_minor'))), name='payment_refunds_within_amount'),
                    models.CheckConstraint(condition=models.Q(('charged_back_minor__gte', 0), ('charged_back_minor__lte', models.F('refunded_minor'))), name='payment_charged_back_within_refunded'),
                    models.CheckConstraint(condition=models.Q(('status__in', ['created', 'needs_customer', 'pending', 'unknown', 'mismatch', 'succeeded', 'declined', 'expired', 'not_sent'])), name='payment_status_known'),
                    models.UniqueConstraint(condition=models.Q(('gateway_id', ''), _negated=True), fields=('gateway', 'gateway_id'), name='gateway_payment_once'),
                    models.UniqueConstraint(billing_portal.core.spelling.Compact('bank_reference'), models.F('profile'), models.F('channel'), condition=models.Q(('bank_reference', ''), _negated=True), name='bank_reference_once'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Dispute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('gateway', models.CharField(max_length=20, verbose_name='gateway')),
                ('gateway_id', models.CharField(max_length=120, verbose_name="gateway's dispute id")),
                ('status', models.CharField(choices=[('open', 'Waiting for the bank'), ('won', 'Closed, nothing taken'), ('lost', 'Taken back by the bank')], max_length=8, verbose_name='status')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('taken_minor', models.BigIntegerField(default=0, verbose_name='taken back')),
                ('written_off_minor', models.BigIntegerField(db_default=0, default=0, verbose_name='written off')),
                ('reason', models.CharField(blank=True, max_length=80, verbose_name="reason given by the gateway")),
                ('evidence_due_at', models.DateTimeField(null=True, verbose_name='evidence due')),
                ('opened_at', models.DateTimeField(verbose_name='opened')),
                ('closed_at', models.DateTimeField(null=True, verbose_name='decided')),
                ('next_lookup_at', models.DateTimeField(null=True, verbose_name='next look-up')),
                ('needs_staff', models.BooleanField(default=False, verbose_name='needs staff')),
                ('payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='payments.payment', verbose_name='payment')),
            ],
            options={
                'verbose_name': 'dispute',
                'verbose_name_plural': 'disputes',
                'indexes': [
                    models.Index(condition=models.Q(('next_lookup_at__isnull', False)), fields=['next_lookup_at', 'id'], name='dispute_to_look_up'),
                    models.Index(condition=models.Q(('needs_staff', True)), fields=['-opened_at', '-id'], name='dispute_for_staff'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('gateway', 'gateway_id'), name='gateway_dispute_once'),
                    models.CheckConstraint(condition=models.Q(('status__in', ['open', 'won', 'lost'])), name='dispute_status_known'),
                    models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='dispute_closed_when_decided'),
                    models.CheckConstraint(condition=models.Q(('taken_minor', 0), models.Q(('status', 'lost'), ('taken_minor__gt', 0), ('taken_minor__lte', models.F('amount_minor'))), _connector='OR'), name='dispute_takes_when_lost'),
                    models.CheckConstraint(condition=models.Q(('written_off_minor', 0), models.Q(('status', 'lost'), ('written_off_minor__gt', 0), ('written_off_minor__lte', django.db.models.expressions.CombinedExpression(models.F('amount_minor'), '-', models.F('taken_minor')))), _connector='OR'), name='dispute_written_off_within_missing'),
                ],
            },
        ),
        migrations.CreateModel(
            name='AutomaticCharge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('planned', 'Planned'), ('waiting', 'Waiting for an answer'), ('stopped', 'Stopped'), ('done', 'Done')], default='planned', max_length=8, verbose_name='status')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('stopped_because', models.CharField(blank=True, choices=[('paid', 'it was paid in another way'), ('void', 'it is void'), ('nothing_due', 'nothing is due'), ('switched_off', 'automatic charging was switched off'), ('by_wire', 'the billing profile pays by check or wire'), ('disputed', 'a payment of it is disputed'), ('no_card', 'there is no default card'), ('card_expired', 'the default card has expired'), ('refused', 'the bank refused the card for good'), ('used_up', 'the bank refused the card at every attempt'), ('customer_must_act', 'the bank wants the payer to confirm'), ('capped', 'the card was refused too often within 30 days'), ('no_answer', 'the payment provider could not be reached'), ('config_error', 'our staff have to look at it'), ('agreement', 'this agreement type cannot pay by card'), ('card_limit', 'the amount is above the card limit'), ('currency', 'cards cannot be charged in its currency'), ('too_small', 'the amount is too small for a card'), ('too_large', 'the amount is too large for a card'), ('profile_closed', 'the billing profile is closed')], max_length=24, verbose_name='stopped because')),
                ('created_at', models.DateTimeField(verbose_name='planned')),
                ('changed_at', models.DateTimeField(verbose_name='changed')),
                ('invoice', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='automatic_charge', to='invoices.invoice', verbose_name='invoice')),
                ('profile', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='automatic_charges', to='accounts.billingprofile', verbose_name='billing profile')),
                ('last_payment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.payment', verbose_name='last payment')),
            ],
            options={
                'verbose_name': 'automatic charge',
                'verbose_name_plural': 'automatic charges',
                'indexes': [
                    models.Index(condition=models.Q(('status__in', ('planned', 'waiting'))), fields=['changed_at', 'id'], name='automatic_charge_in_hand'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('status', 'stopped'), _negated=True), models.Q(('stopped_because', ''), _negated=True), _connector='OR'), name='automatic_charge_stops_for_a_reason'),
                ],
            },
        ),
        migrations.CreateModel(
            name='PaymentAllocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('refunded_minor', models.BigIntegerField(default=0, verbose_name='refunded')),
                ('is_open', models.BooleanField(default=True, editable=False)),
                ('credit', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='allocation', to='invoices.credit', verbose_name='credit')),
                ('invoice', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='invoices.invoice', verbose_name='invoice')),
                ('payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='payments.payment')),
            ],
            options={
                'verbose_name': 'allocation',
                'verbose_name_plural': 'allocations',
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('is_open', True)), fields=('invoice',), name='one_open_attempt_per_invoice'),
                    models.CheckConstraint(condition=models.Q(models.Q(('credit__isnull', False), ('invoice', None)), models.Q(('credit', None), ('invoice__isnull', False)), _connector='OR'), name='allocation_to_one_thing'),
                    models.CheckConstraint(condition=models.Q(('amount_minor__gte', 0), ('refunded_minor__gte', 0), ('refunded_minor__lte', models.F('amount_minor'))), name='allocation_refunds_within_amount'),
                ],
            },
        ),
        migrations.CreateModel(
            name='DisputeAllocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('dispute', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='payments.dispute')),
                ('allocation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='payments.paymentallocation')),
            ],
            options={
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='dispute_allocation_positive'),
                ],
            },
        ),
        migrations.CreateModel(
            name='PaymentEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('source', models.CharField(choices=[('customer', 'Customer'), ('return', 'Return from the bank'), ('webhook', 'Message from the gateway'), ('reconciler', 'Look-up'), ('staff', 'Staff'), ('automatic', 'Automatic')], max_length=12, verbose_name='from')),
                ('result', models.CharField(max_length=16, verbose_name='result')),
                ('old_status', models.CharField(blank=True, max_length=16, verbose_name='status before')),
                ('new_status', models.CharField(max_length=16, verbose_name='status after')),
                ('detail', models.JSONField(default=dict, verbose_name='detail')),
                ('payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='payments.payment')),
            ],
            options={
                'verbose_name': 'payment event',
                'verbose_name_plural': 'payment events',
            },
        ),
        migrations.CreateModel(
            name='PaymentMethod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('active', 'Active'), ('removed', 'Removed')], default='active', max_length=8, verbose_name='status')),
                ('is_default', models.BooleanField(default=False, verbose_name='default')),
                ('backup_order', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='backup order')),
                ('brand', models.CharField(max_length=20, verbose_name='brand')),
                ('last_four', models.CharField(max_length=4, verbose_name='last four digits')),
                ('expiry_month', models.PositiveSmallIntegerField(verbose_name='expiry month')),
                ('expiry_year', models.PositiveSmallIntegerField(verbose_name='expiry year')),
                ('fingerprint', models.CharField(blank=True, max_length=80, verbose_name='fingerprint')),
                ('gateway', models.CharField(max_length=20, verbose_name='gateway')),
                ('gateway_customer', models.CharField(blank=True, max_length=120, verbose_name="gateway's payer id")),
                ('gateway_method', models.CharField(max_length=120, verbose_name="gateway's card id")),
                ('created_at', models.DateTimeField(verbose_name='added')),
                ('removed_at', models.DateTimeField(editable=False, null=True, verbose_name='removed')),
                ('expiry_warned_on', models.DateField(editable=False, null=True)),
                ('next_lookup_at', models.DateTimeField(editable=False, null=True)),
                ('created_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='added by')),
                ('profile', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payment_methods', to='accounts.billingprofile', verbose_name='billing profile')),
            ],
            options={
                'verbose_name': 'payment method',
                'verbose_name_plural': 'payment methods',
                'indexes': [
                    models.Index(condition=models.Q(('status', 'active')), fields=['expiry_year', 'expiry_month', 'expiry_warned_on'], name='method_by_expiry'),
                    models.Index(condition=models.Q(('next_lookup_at__isnull', False)), fields=['next_lookup_at', 'id'], name='method_to_look_up'),
                ],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('profile',), name='one_default_method_per_profile'),
                    models.UniqueConstraint(fields=('gateway', 'gateway_method'), name='gateway_method_once'),
                    models.CheckConstraint(condition=models.Q(('is_default', False), ('status', 'active'), _connector='OR'), name='default_method_is_active'),
                    models.CheckConstraint(condition=models.Q(('backup_order', None), models.Q(('is_default', False), ('status', 'active')), _connector='OR'), name='backup_method_is_active'),
                    models.UniqueConstraint(condition=models.Q(('backup_order__isnull', False)), fields=('profile', 'backup_order'), name='one_method_per_backup_place'),
                    models.CheckConstraint(condition=models.Q(('expiry_month__range', (1, 12))), name='expiry_month_is_a_month'),
                    models.CheckConstraint(condition=models.Q(('last_four__regex', '^[0-9]{4}$')), name='last_four_are_four_digits'),
                ],
            },
        ),
        migrations.AddField(
            model_name='payment',
            name='method',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='payments.paymentmethod', verbose_name='payment method'),
        ),
        migrations.CreateModel(
            name='MethodSetup',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('status', models.CharField(choices=[('created', 'Started'), ('needs_customer', 'Waiting for bank approval'), ('succeeded', 'Card added'), ('declined', 'Declined'), ('expired', 'Not completed')], default='created', max_length=16, verbose_name='status')),
                ('gateway', models.CharField(max_length=20, verbose_name='gateway')),
                ('setup_id', models.CharField(blank=True, max_length=120, verbose_name="gateway's id")),
                ('next_url', models.CharField(blank=True, editable=False, max_length=500)),
                ('make_default', models.BooleanField(default=False, verbose_name='make it the default')),
                ('decline_code', models.CharField(blank=True, max_length=24, verbose_name='reason for the decline')),
                ('created_at', models.DateTimeField(verbose_name='started')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('next_look_at', models.DateTimeField(editable=False, null=True)),
                ('created_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
                ('profile', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.billingprofile', verbose_name='billing profile')),
                ('method', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.paymentmethod', verbose_name='payment method')),
                ('replaces', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.paymentmethod', verbose_name='replaces')),
            ],
            options={
                'verbose_name': 'card being added',
                'verbose_name_plural': 'cards being added',
                'indexes': [
                    models.Index(fields=['profile', '-created_at'], name='setup_by_profile'),
                    models.Index(fields=['created_by', '-created_at'], name='setup_by_person'),
                    models.Index(condition=models.Q(('next_look_at__isnull', False)), fields=['next_look_at', 'id'], name='setup_to_look_at'),
                ],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('setup_id', ''), _negated=True), fields=('gateway', 'setup_id'), name='gateway_setup_once'),
                    models.CheckConstraint(condition=models.Q(models.Q(('method__isnull', False), ('status', 'succeeded')), models.Q(models.Q(('status', 'succeeded'), _negated=True), ('method', None)), _connector='OR'), name='setup_succeeded_with_a_card'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Detachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('gateway', models.CharField(max_length=20, verbose_name='gateway')),
                ('gateway_method', models.CharField(max_length=120, verbose_name="gateway's card id")),
                ('created_at', models.DateTimeField(verbose_name='given up')),
                ('done_at', models.DateTimeField(null=True, verbose_name='deleted')),
                ('next_try_at', models.DateTimeField(null=True, verbose_name='next attempt')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('last_error', models.CharField(blank=True, max_length=300, verbose_name='last error')),
                ('method', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='detachments', to='payments.paymentmethod', verbose_name='payment method')),
            ],
            options={
                'verbose_name': 'card to delete at the provider',
                'verbose_name_plural': 'cards to delete at the provider',
                'indexes': [
                    models.Index(condition=models.Q(('next_try_at__isnull', False)), fields=['next_try_at', 'id'], name='detachment_to_do'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('attempt_key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('status', models.CharField(choices=[('created', 'Being confirmed'), ('pending', 'On its way'), ('unknown', 'Waiting for an answer'), ('succeeded', 'Refunded'), ('failed', 'Failed')], default='created', max_length=12, verbose_name='status')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('missing_minor', models.BigIntegerField(db_default=0, default=0, verbose_name='missing')),
                ('written_off_minor', models.BigIntegerField(db_default=0, default=0, verbose_name='written off')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('gateway_id', models.CharField(blank=True, max_length=120, verbose_name="gateway's refund id")),
                ('gateway_message', models.CharField(blank=True, max_length=300, verbose_name="gateway's message")),
                ('bank_reference', models.CharField(blank=True, db_default='', max_length=80, verbose_name='bank or check reference')),
                ('paid_on', models.DateField(null=True, verbose_name='sent on')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('next_lookup_at', models.DateTimeField(null=True, verbose_name='next look-up')),
                ('lookups', models.PositiveSmallIntegerField(default=0, verbose_name='look-ups')),
                ('needs_staff', models.BooleanField(default=False, verbose_name='needs staff')),
                ('payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='payments.payment', verbose_name='payment')),
                ('started_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
            ],
            options={
                'verbose_name': 'refund',
                'verbose_name_plural': 'refunds',
                'indexes': [
                    models.Index(condition=models.Q(('next_lookup_at__isnull', False)), fields=['next_lookup_at', 'id'], name='refund_to_look_up'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='refund_amount_positive'),
                    models.CheckConstraint(condition=models.Q(('missing_minor__gte', 0), ('missing_minor__lte', models.F('amount_minor'))), name='refund_missing_within_amount'),
                    models.CheckConstraint(condition=models.Q(('written_off_minor__gte', 0), ('written_off_minor__lte', models.F('missing_minor'))), name='refund_written_off_within_missing'),
                    models.UniqueConstraint(condition=models.Q(('gateway_id', ''), _negated=True), fields=('payment', 'gateway_id'), name='gateway_refund_once'),
                    models.UniqueConstraint(billing_portal.core.spelling.Compact('bank_reference'), models.F('payment'), condition=models.Q(('bank_reference', ''), _negated=True), name='bank_refund_once'),
                ],
            },
        ),
        migrations.CreateModel(
            name='RefundAllocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('allocation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='payments.paymentallocation')),
                ('refund', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='payments.refund')),
            ],
            options={
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='refund_allocation_positive'),
                ],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('gateway', models.CharField(max_length=20, verbose_name='gateway')),
                ('event_id', models.CharField(max_length=120, verbose_name='event')),
                ('kind', models.CharField(max_length=12, verbose_name='kind')),
                ('type', models.CharField(max_length=80, verbose_name='type')),
                ('object_id', models.CharField(blank=True, max_length=120, verbose_name='object')),
                ('reference', models.CharField(blank=True, max_length=40, verbose_name='our reference')),
                ('gateway_payment_id', models.CharField(blank=True, max_length=120, verbose_name="gateway's payment id")),
                ('status', models.CharField(choices=[('received', 'Received'), ('processed', 'Processed'), ('ignored', 'Not ours'), ('failed', 'Failed')], default='received', max_length=10, verbose_name='status')),
                ('received_at', models.DateTimeField(verbose_name='received')),
                ('processed_at', models.DateTimeField(null=True, verbose_name='processed')),
                ('next_try_at', models.DateTimeField(null=True, verbose_name='next attempt')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('last_error', models.CharField(blank=True, max_length=300, verbose_name='last error')),
            ],
            options={
                'verbose_name': 'webhook delivery',
                'verbose_name_plural': 'webhook deliveries',
                'indexes': [
                    models.Index(condition=models.Q(('next_try_at__isnull', False)), fields=['next_try_at', 'id'], name='delivery_to_process'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('gateway', 'event_id'), name='event_once_per_gateway'),
                ],
            },
        ),
        migrations.CreateModel(
            name='CardHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(choices=[('failed', 'Unsuccessful attempts'), ('new_cards', 'New cards')], max_length=12, verbose_name='what was counted')),
                ('tries', models.PositiveIntegerField(verbose_name='attempts within an hour')),
                ('since', models.DateTimeField(verbose_name='held since')),
                ('until', models.DateTimeField(verbose_name='held until')),
                ('released_at', models.DateTimeField(blank=True, null=True, verbose_name='released')),
                ('release_reason', models.CharField(blank=True, max_length=300, verbose_name='reason of the release')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='person')),
                ('profile', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.billingprofile', verbose_name='billing profile')),
                ('released_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='released by')),
            ],
            options={
                'verbose_name': 'card hold',
                'verbose_name_plural': 'card holds',
                'indexes': [
                    models.Index(condition=models.Q(('released_at', None)), fields=['until'], name='card_hold_by_end'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('person__isnull', False), ('profile', None)), models.Q(('person', None), ('profile__isnull', False)), _connector='OR'), name='card_hold_of_one_person_or_profile'),
                    models.CheckConstraint(condition=models.Q(('until__gt', models.F('since'))), name='card_hold_ends_after_it_began'),
                    models.CheckConstraint(condition=models.Q(models.Q(('release_reason', ''), ('released_at', None), ('released_by', None)), models.Q(('released_at__isnull', False), ('released_by__isnull', False), models.Q(('release_reason', ''), _negated=True)), _connector='OR'), name='card_hold_released_by_somebody_for_a_reason'),
                ],
            },
        ),
        migrations.CreateModel(
            name='BooksCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(unique=True, verbose_name='day')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('problems', models.JSONField(default=list, verbose_name='differences')),
            ],
            options={
                'verbose_name': 'check of the books',
                'verbose_name_plural': 'checks of the books',
            },
        ),
        migrations.CreateModel(
            name='Payout',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('gateway', models.CharField(max_length=20, verbose_name='gateway')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('amount_minor', models.BigIntegerField(verbose_name='amount')),
                ('fees_minor', models.BigIntegerField(db_default=0, default=0, verbose_name='fees')),
                ('paid_on', models.DateField(verbose_name='paid out on')),
                ('reference', models.CharField(help_text='Of the payout, as the provider shows it.', max_length=80, verbose_name='reference')),
                ('version', models.PositiveSmallIntegerField(db_default=1, default=1, verbose_name='version')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('created_at', models.DateTimeField(verbose_name='recorded')),
                ('created_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='recorded by')),
                ('reverses', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversed_by', to='payments.payout', verbose_name='takes back')),
            ],
            options={
                'verbose_name': 'payout',
                'verbose_name_plural': 'payouts',
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('amount_minor', 0), _negated=True), ('fees_minor__gt', 0), _connector='OR'), name='payout_of_something'),
                    models.CheckConstraint(condition=models.Q(('fees_minor__gte', 0)), name='payout_fees_not_negative'),
                    models.CheckConstraint(condition=models.Q(('reverses', None), models.Q(('reason', ''), _negated=True), _connector='OR'), name='payout_taken_back_for_a_reason'),
                    models.UniqueConstraint(models.F('gateway'), billing_portal.core.spelling.Compact('reference'), models.F('version'), condition=models.Q(('reverses', None)), name='payout_reference_once'),
                ],
            },
        ),
        AppendOnly("payments_payout"),
        AppendOnly("payments_paymentevent"),
        AppendOnly("payments_refundallocation"),
        # What was asked and recorded at the beginning; what came of it changes.
        FixedColumns(
            "payments_payment",
            ["id", "attempt_key", "reference", "profile_id", "channel", "bank_reference", "received_on", "started_at"],
        ),
        FixedColumns(
            "payments_refund",
            ["id", "attempt_key", "payment_id", "amount_minor", "currency", "bank_reference", "paid_on", "started_at"],
        ),
        migrations.CreateModel(
            name='GatewayComparison',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('gateway', models.CharField(max_length=20, unique=True, verbose_name='gateway')),
                ('next_at', models.DateTimeField(verbose_name='next comparison')),
                ('compared_at', models.DateTimeField(null=True, verbose_name='compared')),
            ],
        ),
        migrations.CreateModel(
            name='GatewayDifference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('gateway', models.CharField(max_length=20, verbose_name='gateway')),
                ('kind', models.CharField(choices=[('payment', 'Payment'), ('refund', 'Refund'), ('dispute', 'Dispute'), ('clock', 'Clock')], max_length=8, verbose_name='kind')),
                ('gateway_id', models.CharField(blank=True, max_length=120, verbose_name="gateway's id")),
                ('theirs', models.CharField(blank=True, max_length=120, verbose_name='at the provider')),
                ('ours', models.CharField(blank=True, max_length=120, verbose_name='here')),
                ('found_at', models.DateTimeField(verbose_name='found')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('note', models.CharField(blank=True, max_length=300, verbose_name='what was done')),
                ('ended_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='ended by')),
                ('payment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.payment', verbose_name='payment')),
            ],
            options={
                'verbose_name': 'difference with a provider',
                'verbose_name_plural': 'differences with providers',
                'indexes': [models.Index(condition=models.Q(('ended_at', None)), fields=['found_at'], name='difference_for_staff')],
                'constraints': [models.UniqueConstraint(fields=('gateway', 'kind', 'gateway_id'), name='one_difference_about_a_thing')],
            },
        ),
    ]
