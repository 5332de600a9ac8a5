# The tasks of developers and operators. `make help` lists them.
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
PYTHON_IN = .venv/bin/python
# The portal's commands with the settings of the tests, so that the results do not depend on this machine.
MANAGE = DJANGO_SETTINGS_MODULE=tests.settings $(PYTHON_IN) manage.py
REPORTS = var/test-reports
# A few tests take a minute: the worker that has nothing left takes over what waits behind them.
PYTEST = $(PYTHON_IN) -m pytest -n auto --dist worksteal -q --no-header

.PHONY: help run setup test check lint format types architecture checks test-postgresql test-sqlite test-browser test-previous year histories faults einvoices bench screenshots document-pictures messages lock outdated clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the portal with demo data on http://localhost:8000 (you can set PORT and DATABASE_URL)
	@.ci/setup
	@exec $(PYTHON_IN) -m billing_portal.local

setup: ## create .venv with everything that tests and linting need
	@.ci/setup dev

test: setup lint types architecture checks test-postgresql test-sqlite test-browser test-previous ## run every check and every test
	@$(PYTHON_IN) .ci/counts $(REPORTS)/postgresql.xml $(REPORTS)/sqlite.xml $(REPORTS)/browser.xml

check: setup ## the inner loop, in a minute: lint, types, who imports whom, and with APP=payments the tests of one app
	@$(MAKE) lint types architecture
	@$(if $(APP),TEST_DATABASE=sqlite $(PYTEST) -m 'not browser and not long' tests/$(APP),true)

lint: setup ## check style: ruff, and djade for templates
	$(PYTHON_IN) -m ruff check --quiet .
	$(PYTHON_IN) -m ruff format --quiet --check .
	git ls-files -z '*templates/*.html' | xargs -0 -r .venv/bin/djade --check

format: setup ## apply the style that lint checks to Python and templates
	$(PYTHON_IN) -m ruff check --quiet --fix --exit-zero .
	$(PYTHON_IN) -m ruff format --quiet .
	git ls-files -z '*templates/*.html' | xargs -0 -r .venv/bin/djade || true

types: setup ## check types: mypy, strict
	$(PYTHON_IN) -m mypy --no-error-summary billing_portal accounts invoices payments

architecture: setup ## check which module imports which
	PYTHONPATH=. .venv/bin/lint-imports --no-logo

checks: setup ## run Django's own checks, also with the values of a real installation
	$(MANAGE) check
	$(MANAGE) makemigrations --check --dry-run
	@echo 'check --deploy, with .ci/production.env'; set -a; . .ci/production.env; PORTAL_VAR_DIR=var/tools $(PYTHON_IN) manage.py check --deploy --fail-level WARNING

test-postgresql: setup ## the suite on PostgreSQL
	TEST_DATABASE=postgresql $(PYTEST) -m 'not browser' --junit-xml=$(REPORTS)/postgresql.xml

test-sqlite: setup ## the suite on SQLite
	TEST_DATABASE=sqlite $(PYTEST) -m 'not browser' --junit-xml=$(REPORTS)/sqlite.xml

test-browser: setup ## the browser tests, in headless Chromium
	CHROMIUM="$$(.ci/chromium)" && export CHROMIUM && TEST_DATABASE=postgresql $(PYTEST) -m browser --junit-xml=$(REPORTS)/browser.xml

test-previous: setup ## the payment tests of the release before, on the tables of this version
	.ci/previous-release

year: setup ## live through a year of billing periods with fifty profiles, killed and begun twice
	TEST_DATABASE=postgresql YEAR_PROFILES=50 $(PYTEST) -n 0 tests/payments/test_a_year.py

histories: setup ## draw 20,000 histories of a payment on each database, and compare ledger, pages and provider
	TEST_DATABASE=postgresql HISTORIES=20000 $(PYTEST) tests/payments/test_order_of_facts.py
	TEST_DATABASE=sqlite HISTORIES=20000 $(PYTEST) tests/payments/test_order_of_facts.py
	TEST_DATABASE=sqlite HISTORIES=20000 $(PYTEST) -n 0 -k order_of_their_own tests/payments/test_order_of_facts.py # says how many differ

faults: setup ## make 200 payments with every fault on the way, and compare the books with the provider's list
	TEST_DATABASE=postgresql FAULTY_PAYMENTS=200 $(PYTEST) -n 0 tests/payments -k every_fault

einvoices: setup ## hold 500 e-invoices of up to 5,000 lines, drawn at random, against the official rules and a second judge
	TEST_DATABASE=sqlite GENERATED_EINVOICES=500 $(PYTEST) -n 0 tests/invoices/einvoice/test_generated.py

bench: setup ## measure paying, the invoice list, importing and closing periods against their floors
	$(PYTHON_IN) -m bench

screenshots: setup ## take the pictures of the README and the tour
	CHROMIUM="$$(.ci/chromium)" && export CHROMIUM && PYTHONPATH=. $(PYTHON_IN) docs/tour/take.py

document-pictures: setup ## draw documents of every kind into FOLDER, as PDF and as pictures
	TEST_DATABASE=sqlite $(MANAGE) shell -v 0 -c "from pathlib import Path; from docs.tour.documents import draw; draw(Path('$(or $(FOLDER),var/documents)'))"

messages: setup ## collect new texts into the catalogues of locale/ and compile them
	$(MANAGE) make_messages
	$(MANAGE) compile_messages

LOCK = .venv/bin/uv pip compile --quiet --universal --generate-hashes --upgrade --custom-compile-command 'make lock' pyproject.toml

lock: setup ## pin the newest packages that pyproject.toml allows, with hashes, in requirements*.txt
	$(LOCK) --output-file requirements.txt
	$(LOCK) --group dev --constraints requirements.txt --output-file requirements-dev.txt

outdated: setup ## list the installed packages of which there is a newer version
	@$(PYTHON_IN) -m pip list --outdated

clean: ## remove what the other targets created, except the data under var/
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis $(REPORTS) var/tools var/static
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find locale -name '*.mo' -delete
