#!/usr/bin/env python
"""Django's command line for the billing portal."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import Error as DatabaseProblem

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as problem:
        sys.exit(f"Configuration: {problem}")
    except DatabaseProblem:
        from billing_portal.core.database import why_unreachable

        if sentence := why_unreachable():
            sys.exit(sentence)
        raise
