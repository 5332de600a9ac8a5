# The web server and the worker; compose.yaml starts both from this one image.
FROM python:3.13-slim

ENV PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /portal

COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt

COPY . .
# Both commands read the settings; the values of the checks stand in for those of the installation.
RUN set -a && . .ci/production.env && python manage.py compile_messages && python manage.py collectstatic --no-input

RUN useradd --uid 10001 --no-create-home portal && chown -R portal var
USER 10001

CMD ["gunicorn", "--config", "python:billing_portal.gunicorn_config", "--workers", "2", "billing_portal.wsgi"]
