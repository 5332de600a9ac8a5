"""The files for a real installation agree with the portal: limits, timeouts, names and what goes into the image."""

import re

from django.conf import settings

from billing_portal import gunicorn_config
from billing_portal.core.jobs import STOP_SECONDS
from billing_portal.processes import ProcessGroup

ROOT = settings.BASE_DIR


def number(file, pattern):
    """The only number in the file that the pattern finds."""
    (found,) = re.findall(pattern, (ROOT / file).read_text())
    return int(found)


def test_nginx_lets_the_largest_body_through_and_no_larger():
    assert number("deploy/nginx.conf", r"client_max_body_size (\d+)k;") * 1024 == settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_nginx_waits_longer_for_an_answer_than_the_web_server():
    assert number("deploy/nginx.conf", r"proxy_read_timeout (\d+)s;") > gunicorn_config.timeout


def test_whoever_stops_the_web_server_waits_until_requests_in_progress_have_ended():
    assert number("deploy/billing-portal-web.service", r"TimeoutStopSec=(\d+)") > gunicorn_config.graceful_timeout
    assert number("compose.yaml", r"stop_grace_period: (\d+)s") > gunicorn_config.graceful_timeout


def test_whoever_stops_the_worker_waits_longer_than_it_gives_its_jobs():
    assert number("deploy/billing-portal-worker.service", r"TimeoutStopSec=(\d+)") > STOP_SECONDS
    assert number("compose.yaml", r"stop_grace_period: (\d+)s") > STOP_SECONDS
    assert ProcessGroup().patience > STOP_SECONDS


def test_each_file_starts_the_web_server_and_the_worker_with_the_portals_own_settings():
    gunicorn = "gunicorn --config python:billing_portal.gunicorn_config --workers 2 billing_portal.wsgi"
    image = re.search(r"^CMD \[(.*)]", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]
    assert image.replace('"', "").replace(",", "") == gunicorn
    assert gunicorn in (ROOT / "deploy/billing-portal-web.service").read_text()
    for file in ("deploy/billing-portal-worker.service", "compose.yaml"):
        assert "python manage.py run_worker" in (ROOT / file).read_text()


def test_the_image_holds_every_app_and_everything_that_the_settings_name():
    kept = re.findall(r"^!(.+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert [name for name in kept if not (ROOT / name).exists()] == []
    apps = {app.partition(".")[0] for app in settings.INSTALLED_APPS}
    wanted = {app for app in apps if (ROOT / app).is_dir()} | {"locale", "manage.py", "static", "templates"}
    assert wanted <= set(kept)
