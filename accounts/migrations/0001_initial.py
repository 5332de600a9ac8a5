import accounts.company_numbers
import accounts.models.customers
import billing_portal.core.iso_codes
import billing_portal.core.spelling
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from billing_portal.core.append_only import AppendOnly, Redactable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('email', models.EmailField(max_length=254, verbose_name='email address')),
                ('name', models.CharField(blank=True, max_length=120, verbose_name='name')),
                ('language', models.CharField(blank=True, max_length=8, verbose_name='language')),
                ('theme', models.CharField(blank=True, choices=[('', 'As the system'), ('light', 'Light'), ('dark', 'Dark')], default='', max_length=8, verbose_name='theme')),
                ('last_scope', models.CharField(blank=True, editable=False, max_length=40, verbose_name='last scope')),
                ('is_staff', models.BooleanField(default=False, help_text='May sign in to the staff pages.', verbose_name='staff')),
                ('is_active', models.BooleanField(default=True, help_text='Clear this instead of deleting the person.', verbose_name='active')),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='joined')),
                ('sessions_version', models.PositiveIntegerField(db_default=0, default=0, editable=False)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'permissions': [('export_user', 'Can export the personal data of a user'), ('erase_user', 'Can erase the personal data of a user')],
                'constraints': [
                    models.UniqueConstraint(django.db.models.functions.text.Lower('email'), name='user_email_unique', violation_error_message='Somebody has this email address already.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='SellerLogo',
            fields=[
                ('digest', models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name='digest')),
                ('content', models.BinaryField(verbose_name='content')),
                ('is_svg', models.BooleanField(verbose_name='SVG')),
            ],
            options={
                'verbose_name': 'logo',
                'verbose_name_plural': 'logos',
                'constraints': [],
            },
        ),
        migrations.CreateModel(
            name='Seller',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('postal_code', models.CharField(blank=True, max_length=20, verbose_name='postal code')),
                ('region', models.CharField(blank=True, max_length=80, verbose_name='region')),
                ('country', models.CharField(help_text='Two letters of ISO 3166, such as NL.', max_length=2, validators=[billing_portal.core.iso_codes.validate_country], verbose_name='country')),
                ('code', models.SlugField(help_text='A short name of your own, such as NL. It is not printed.', max_length=20, unique=True, verbose_name='code')),
                ('company', models.CharField(help_text='With its legal form, as in the company register.', max_length=120, verbose_name='company')),
                ('attention', models.CharField(blank=True, help_text='A department or person for questions.', max_length=120, verbose_name='contact')),
                ('street', models.CharField(max_length=160, verbose_name='street and number')),
                ('city', models.CharField(max_length=80, verbose_name='city')),
                ('phone', models.CharField(blank=True, max_length=40, verbose_name='phone number')),
                ('email', models.EmailField(help_text='Printed on documents; replies to mails go there.', max_length=254, verbose_name='email address')),
                ('vat_number', models.CharField(blank=True, max_length=40, verbose_name='VAT number')),
                ('company_number', models.CharField(blank=True, help_text='In the company register, such as KvK or SIRET.', max_length=40, verbose_name='company number')),
                ('tax_number', models.CharField(blank=True, help_text='The number at the tax office, if that is another one.', max_length=40, verbose_name='tax number')),
                ('tax_currency', models.CharField(default='EUR', help_text='The currency in which it pays tax. Invoices in another currency show their tax in this one too.', max_length=3, validators=[billing_portal.core.iso_codes.validate_currency], verbose_name='tax currency')),
                ('endpoint_scheme', models.CharField(blank=True, choices=accounts.company_numbers.scheme_choices, help_text='The kind of number by which Peppol and other networks of electronic invoices know it.', max_length=4, verbose_name='scheme of the endpoint')),
                ('endpoint_id', models.CharField(blank=True, max_length=80, verbose_name='endpoint')),
                ('invoice_prefix', models.CharField(default='INV-', help_text='A new prefix starts a new series at 1.', max_length=12, unique=True, validators=[django.core.validators.RegexValidator('^[^/]+$', 'A prefix has no slash: the number stands in the address of its page.')], verbose_name='prefix of invoice numbers')),
                ('credit_note_prefix', models.CharField(default='CN-', max_length=12, unique=True, validators=[django.core.validators.RegexValidator('^[^/]+$', 'A prefix has no slash: the number stands in the address of its page.')], verbose_name='prefix of credit note numbers')),
                ('logo', models.ForeignKey(blank=True, db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.sellerlogo', verbose_name='logo')),
                ('notes_en', models.TextField(blank=True, max_length=2000, verbose_name='legal notes in English')),
                ('notes_nl', models.TextField(blank=True, max_length=2000, verbose_name='legal notes in Dutch')),
                ('notes_de', models.TextField(blank=True, max_length=2000, verbose_name='legal notes in German')),
                ('notes_fr', models.TextField(blank=True, max_length=2000, verbose_name='legal notes in French')),
            ],
            options={
                'verbose_name': 'seller',
                'verbose_name_plural': 'sellers',
                'constraints': [models.CheckConstraint(condition=models.Q(('credit_note_prefix', django.db.models.functions.text.Upper('credit_note_prefix')), ('invoice_prefix', django.db.models.functions.text.Upper('invoice_prefix'))), name='seller_prefixes_in_capitals', violation_error_message='Prefixes are in capitals.'), models.CheckConstraint(condition=models.Q(('invoice_prefix', models.F('credit_note_prefix')), _negated=True), name='seller_prefixes_differ', violation_error_message='Invoices and credit notes need different prefixes.')],
            },
        ),
        migrations.CreateModel(
            name='BillingAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('company', models.CharField(max_length=120, verbose_name='company')),
                ('attention', models.CharField(blank=True, max_length=120, verbose_name='attention')),
                ('street', models.CharField(blank=True, max_length=160, verbose_name='street and number')),
                ('postal_code', models.CharField(blank=True, max_length=20, verbose_name='postal code')),
                ('city', models.CharField(blank=True, max_length=80, verbose_name='city')),
                ('region', models.CharField(blank=True, max_length=80, verbose_name='region')),
                ('country', models.CharField(help_text='Two letters of ISO 3166, such as NL.', max_length=2, validators=[billing_portal.core.iso_codes.validate_country], verbose_name='country')),
                ('code', models.CharField(default=accounts.models.customers.new_code, editable=False, max_length=12, unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('agreement_type', models.CharField(choices=[('customer', 'Customer agreement'), ('online_services', 'Online services agreement'), ('enterprise', 'Enterprise agreement'), ('partner', 'Partner agreement')], default='customer', max_length=16, verbose_name='agreement type')),
                ('seller', models.ForeignKey(help_text='The company that sends its invoices. It cannot be changed once there are amounts or cards.', on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='accounts.seller', verbose_name='seller')),
                ('requires_second_factor', models.BooleanField(db_default=False, default=False, help_text='Whoever pays or manages cards on its billing profiles must sign in with a second factor.', verbose_name='require a second factor')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
            ],
            options={
                'verbose_name': 'billing account',
                'verbose_name_plural': 'billing accounts',
                'indexes': [
                    models.Index(fields=['name', 'id'], name='account_by_name'),
                ],
            },
        ),
        migrations.CreateModel(
            name='BillingProfile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('company', models.CharField(max_length=120, verbose_name='company')),
                ('attention', models.CharField(blank=True, max_length=120, verbose_name='attention')),
                ('street', models.CharField(blank=True, max_length=160, verbose_name='street and number')),
                ('postal_code', models.CharField(blank=True, max_length=20, verbose_name='postal code')),
                ('city', models.CharField(blank=True, max_length=80, verbose_name='city')),
                ('region', models.CharField(blank=True, max_length=80, verbose_name='region')),
                ('country', models.CharField(help_text='Two letters of ISO 3166, such as NL.', max_length=2, validators=[billing_portal.core.iso_codes.validate_country], verbose_name='country')),
                ('code', models.CharField(default=accounts.models.customers.new_code, editable=False, max_length=12, unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('currency', models.CharField(help_text='Three letters of ISO 4217, such as EUR. It cannot be changed once there are amounts or cards.', max_length=3, validators=[billing_portal.core.iso_codes.validate_currency], verbose_name='currency')),
                ('invoice_day', models.PositiveSmallIntegerField(choices=accounts.models.customers.invoice_days, default=5, help_text='In a month without a 29th or 30th, the invoice comes on its last day.', verbose_name='invoice day')),
                ('payment_terms_days', models.PositiveSmallIntegerField(default=30, help_text='Days from invoice to due date.', validators=[django.core.validators.MaxValueValidator(365)], verbose_name='payment terms')),
                ('po_number', models.CharField(blank=True, max_length=60, verbose_name='PO number')),
                ('default_method', models.CharField(choices=[('card', 'Card'), ('check_wire', 'Check or wire transfer')], default='card', max_length=12, verbose_name='default payment method')),
                ('charges_automatically', models.BooleanField(db_default=True, default=True, help_text='Each invoice is charged to the default card after it was issued.', verbose_name='charge the card automatically')),
                ('is_wire_approved', models.BooleanField(db_default=False, default=False, verbose_name='may pay by check or wire')),
                ('issues_empty_invoices', models.BooleanField(db_default=False, default=False, verbose_name='invoice a period without charges')),
                ('mails_invoices', models.BooleanField(db_default=True, default=True, help_text='To its owners, contributors and invoice managers, and to its contacts.', verbose_name='mail each new invoice')),
                ('billed_until_on', models.DateField(blank=True, editable=False, null=True, verbose_name='invoiced up to')),
                ('next_invoice_on', models.DateField(blank=True, editable=False, null=True, verbose_name='next invoice')),
                ('document_language', models.CharField(choices=[('en', 'English'), ('nl', 'Nederlands'), ('de', 'Deutsch'), ('fr', 'Français')], db_default='en', default='en', max_length=2, verbose_name='language of documents')),
                ('invoice_format', models.CharField(choices=[('pdf', 'PDF'), ('facturx', 'PDF with the data inside (Factur-X, ZUGFeRD)'), ('ubl', 'Electronic invoice (Peppol BIS Billing 3)'), ('xrechnung', 'Electronic invoice for Germany (XRechnung)')], db_default='pdf', default='pdf', max_length=12, verbose_name='invoices are sent as')),
                ('buyer_reference', models.CharField(blank=True, db_default='', help_text='Printed on each invoice as your reference; for German authorities it is the Leitweg-ID.', max_length=60, verbose_name='buyer reference')),
                ('endpoint_scheme', models.CharField(blank=True, choices=accounts.company_numbers.scheme_choices, db_default='', help_text='The kind of number at which electronic invoices are received.', max_length=4, verbose_name='scheme of the endpoint')),
                ('endpoint_id', models.CharField(blank=True, db_default='', max_length=80, verbose_name='endpoint')),
                ('time_zone', models.CharField(default='Europe/Amsterdam', max_length=40, validators=[accounts.models.customers.validate_time_zone], verbose_name='time zone')),
                ('status', models.CharField(choices=[('active', 'Active'), ('warned', 'Warned'), ('disabled', 'Disabled'), ('held', 'On hold'), ('closed', 'Closed')], default='active', editable=False, max_length=12, help_text='Closed: no new invoices, nothing can be paid online. Warned and disabled follow from what is past due.', verbose_name='status')),
                ('hold_reason', models.CharField(blank=True, db_default='', editable=False, max_length=200, verbose_name='reason of the hold')),
                ('held_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='on hold since')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='created')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='profiles', to='accounts.billingaccount', verbose_name='billing account')),
            ],
            options={
                'verbose_name': 'billing profile',
                'verbose_name_plural': 'billing profiles',
                'indexes': [
                    models.Index(fields=['name', 'id'], name='profile_by_name'),
                    models.Index(fields=['next_invoice_on', 'id'], name='profile_to_invoice'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('invoice_day__range', (1, 31))), name='profile_invoice_day_in_a_month', violation_error_message='The invoice day is between 1 and 31.'),
                    models.CheckConstraint(condition=models.Q(('payment_terms_days__lte', 365)), name='profile_terms_within_a_year', violation_error_message='The payment terms are at most 365 days.'),
                    models.CheckConstraint(condition=models.Q(models.Q(('held_at__isnull', False), ('status', 'held'), models.Q(('hold_reason', ''), _negated=True)), models.Q(models.Q(('status', 'held'), _negated=True), ('held_at', None), ('hold_reason', '')), _connector='OR'), name='profile_held_for_a_reason'),
                ],
            },
        ),
        migrations.CreateModel(
            name='BillingContact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(blank=True, max_length=120, verbose_name='name')),
                ('email', models.EmailField(max_length=254, verbose_name='e-mail address')),
                ('language', models.CharField(choices=[('en', 'English'), ('nl', 'Dutch')], default='en', max_length=8, verbose_name='language')),
                ('gets_invoices', models.BooleanField(default=True, verbose_name='new invoices')),
                ('gets_reminders', models.BooleanField(default=True, verbose_name='reminders')),
                ('gets_statements', models.BooleanField(default=True, verbose_name='statements')),
                ('last_statement_on', models.DateField(blank=True, editable=False, null=True, verbose_name='last statement')),
                ('profile', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='contacts', to='accounts.billingprofile', verbose_name='billing profile')),
            ],
            options={
                'verbose_name': 'accounts payable contact',
                'verbose_name_plural': 'accounts payable contacts',
                'constraints': [
                    models.UniqueConstraint(django.db.models.functions.text.Lower('email'), models.F('profile'), name='contact_once_per_profile', violation_error_message='This address is a contact of the billing profile already.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('action', models.CharField(max_length=40, verbose_name='action')),
                ('subject', models.CharField(max_length=120, verbose_name='subject')),
                ('ip_address', models.GenericIPAddressField(blank=True, null=True, verbose_name='IP address')),
                ('browser', models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='browser')),
                ('detail', models.JSONField(default=dict, verbose_name='detail')),
                ('actor', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('person', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='about')),
                ('account', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.billingaccount', verbose_name='Billing account')),
                ('profile', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.billingprofile', verbose_name='Billing profile')),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'indexes': [
                    models.Index(fields=['profile', '-id'], name='audit_by_profile'),
                    models.Index(fields=['actor', '-id'], name='audit_by_actor'),
                    models.Index(condition=models.Q(('person__isnull', False)), fields=['person', '-id'], name='audit_by_person'),
                ],
            },
        ),
        migrations.CreateModel(
            name='EmailChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254, verbose_name='new email address')),
                ('requested_at', models.DateTimeField(verbose_name='requested')),
                ('expires_at', models.DateTimeField(verbose_name='valid until')),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='requested by')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='email_change', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'change of address',
                'verbose_name_plural': 'changes of address',
                'constraints': [
                    models.UniqueConstraint(django.db.models.functions.text.Lower('email'), name='email_change_unique'),
                ],
            },
        ),
        migrations.CreateModel(
            name='InvoiceSection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('profile', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sections', to='accounts.billingprofile', verbose_name='billing profile')),
            ],
            options={
                'verbose_name': 'invoice section',
                'verbose_name_plural': 'invoice sections',
                'constraints': [
                    models.UniqueConstraint(billing_portal.core.spelling.Compact('name'), models.F('profile'), name='section_name_once_per_profile', violation_error_message='This billing profile has an invoice section of that name already.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='RoleAssignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('account_owner', 'Billing account owner'), ('account_contributor', 'Billing account contributor'), ('account_reader', 'Billing account reader'), ('profile_owner', 'Billing profile owner'), ('profile_contributor', 'Billing profile contributor'), ('profile_reader', 'Billing profile reader'), ('invoice_manager', 'Invoice manager'), ('section_owner', 'Invoice section owner'), ('section_contributor', 'Invoice section contributor'), ('section_reader', 'Invoice section reader')], max_length=24, verbose_name='role')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='since')),
                ('account', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='accounts.billingaccount', verbose_name='Billing account')),
                ('profile', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='accounts.billingprofile', verbose_name='Billing profile')),
                ('section', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='accounts.invoicesection', verbose_name='Invoice section')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'role assignment',
                'verbose_name_plural': 'role assignments',
                'constraints': [
                    models.CheckConstraint(condition=models.Q(models.Q(('account__isnull', False), ('profile', None), ('role__in', ('account_owner', 'account_contributor', 'account_reader')), ('section', None)), models.Q(('account', None), ('profile__isnull', False), ('role__in', ('profile_owner', 'profile_contributor', 'invoice_manager', 'profile_reader')), ('section', None)), models.Q(('account', None), ('profile', None), ('role__in', ('section_owner', 'section_contributor', 'section_reader')), ('section__isnull', False)), _connector='OR'), name='assignment_role_fits_its_one_scope', violation_error_message='Choose one scope, and a role that exists at that scope.'),
                    models.UniqueConstraint(fields=('user', 'role', 'account'), name='assignment_once_per_account', violation_error_message='This person holds that role already.'),
                    models.UniqueConstraint(fields=('user', 'role', 'profile'), name='assignment_once_per_profile', violation_error_message='This person holds that role already.'),
                    models.UniqueConstraint(fields=('user', 'role', 'section'), name='assignment_once_per_section', violation_error_message='This person holds that role already.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='TaxId',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('vat', 'VAT number'), ('company', 'Company number'), ('national', 'Tax number'), ('exemption', 'Tax exemption certificate')], default='vat', max_length=16, verbose_name='kind')),
                ('value', models.CharField(max_length=40, verbose_name='number')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tax_ids', to='accounts.billingaccount', verbose_name='billing account')),
            ],
            options={
                'verbose_name': 'tax ID',
                'verbose_name_plural': 'tax IDs',
                'constraints': [
                    models.UniqueConstraint(billing_portal.core.spelling.Compact('value'), models.F('account'), models.F('kind'), name='tax_id_once_per_account', violation_error_message='This billing account has that number already.'),
                ],
            },
        ),
        migrations.CreateModel(
            name='WireRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('open', 'Waiting for our answer'), ('approved', 'Approved'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn')], default='open', max_length=10, verbose_name='status')),
                ('legal_name', models.CharField(max_length=120, verbose_name='legal name of the company')),
                ('registration_number', models.CharField(max_length=40, verbose_name='registration number')),
                ('monthly_amount', models.CharField(max_length=40, verbose_name='expected amount per month')),
                ('contact_name', models.CharField(max_length=120, verbose_name='contact in accounts payable')),
                ('contact_email', models.EmailField(max_length=254, verbose_name='email address of the contact')),
                ('contact_phone', models.CharField(blank=True, max_length=40, verbose_name='telephone of the contact')),
                ('reason', models.CharField(max_length=500, verbose_name='why a card does not work')),
                ('requested_at', models.DateTimeField(verbose_name='requested')),
                ('decided_at', models.DateTimeField(blank=True, null=True, verbose_name='decided')),
                ('answer', models.CharField(blank=True, max_length=500, verbose_name='reason for the decision')),
                ('decided_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='decided by')),
                ('profile', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='wire_requests', to='accounts.billingprofile', verbose_name='billing profile')),
                ('requested_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='requested by')),
            ],
            options={
                'verbose_name': 'request to pay by check or wire',
                'verbose_name_plural': 'requests to pay by check or wire',
                'indexes': [
                    models.Index(fields=['status', 'requested_at'], name='wire_request_by_status'),
                ],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('status', 'open')), fields=('profile',), name='one_open_wire_request_per_profile'),
                    models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='wire_request_decided_when_closed'),
                ],
            },
        ),
        AppendOnly("accounts_sellerlogo"),
        Redactable(
            "accounts_auditentry",
            kept=["id", "at", "actor_id", "action", "account_id", "profile_id", "person_id"],
            blanked={"subject": "text", "detail": "json", "ip_address": "removed", "browser": "emptied"},
        ),
    ]
