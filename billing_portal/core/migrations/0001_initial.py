from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='JobRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('origin', models.CharField(max_length=20, verbose_name='started by')),
                ('done', models.JSONField(default=dict, verbose_name='done')),
                ('failed', models.JSONField(default=dict, verbose_name='failed')),
            ],
            options={
                'verbose_name': 'job run',
                'verbose_name_plural': 'job runs',
                'indexes': [models.Index(fields=['-started_at', '-id'], name='job_run_by_date')],
            },
        ),
        migrations.CreateModel(
            name='OutgoingMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=120, unique=True, verbose_name='key')),
                ('to', models.EmailField(max_length=254, verbose_name='to')),
                ('language', models.CharField(max_length=8, verbose_name='language')),
                ('template', models.CharField(max_length=60, verbose_name='template')),
                ('context', models.JSONField(default=dict, verbose_name='context')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('next_try_at', models.DateTimeField(null=True, verbose_name='next attempt')),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('unsure', models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name='may have arrived')),
                ('last_error', models.CharField(blank=True, max_length=300, verbose_name='last error')),
            ],
            options={
                'verbose_name': 'outgoing mail',
                'verbose_name_plural': 'outgoing mails',
                'indexes': [models.Index(condition=models.Q(('next_try_at__isnull', False)), fields=['next_try_at', 'id'], name='mail_to_send')],
            },
        ),
    ]
