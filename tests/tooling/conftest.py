"""Fixtures of the tests that start the portal or write its logs."""

import logging

import pytest
import structlog


@pytest.fixture
def same_logs():
    """For a test that configures logs: afterwards they are as before. A logger that was used keeps the list of
    processors of its first line, and other tests capture what goes through it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    processors = structlog.get_config()["processors"]
    yield processors
    structlog.configure(processors=processors)
    root.handlers, root.level = handlers, level
