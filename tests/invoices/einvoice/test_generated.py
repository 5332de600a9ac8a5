"""E-invoices drawn at random, against the official rules and a second judge. `GENERATED_EINVOICES=500` draws so many,
of up to 5,000 lines; `EINVOICE_REPORT` names a file for how many rules were asked of how many documents."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from invoices.documents.einvoice.checks import missing
from invoices.documents.einvoice.reading import read_terms
from invoices.documents.einvoice.terms import Format, Terms
from tests.invoices.einvoice.judge import CII_RULES, UBL_RULES, judged, written
from tests.invoices.einvoice.samples import drawn_terms, profiles

FORMATS = (Format.UBL, Format.XRECHNUNG, Format.FACTURX)
COUNT = int(os.environ.get("GENERATED_EINVOICES", "25"))
MOST_LINES = 5000 if COUNT >= 500 else 40

pytestmark = pytest.mark.django_db


def test_complete_documents_lack_nothing_and_no_judge_finds_anything():
    """Each document is read back from both syntaxes, with the same terms."""
    asked, seen = Counter(), Counter()
    for terms in drawn_terms(Random(16_931), profiles(), COUNT, most_lines=MOST_LINES):
        for form in FORMATS:
            xml = written(terms, form)
            verdict = judged(xml)
            asked |= verdict.asked
            seen[f"{form} {'credit note' if terms.is_credit_note else 'invoice'}"] += 1
            assert (terms.number, form, missing(terms, form), verdict.broken) == (terms.number, form, [], set())
        assert read_terms(written(terms, Format.UBL)) == with_network(read_terms(written(terms, Format.FACTURX)), terms)
    report(documents=seen, rules=asked)
    assert min(seen.values()) >= COUNT // 4
    assert asked["mock-einvoice, peppol"] > 1100
    assert asked["mock-einvoice, xrechnung"] > 1000
    assert min(asked[UBL_RULES], asked[CII_RULES]) > 100


def test_our_checks_miss_nothing_that_a_judge_finds():
    """Of documents that lack something, or have it wrong: what our checks let through, the judges do too."""
    caught, passed = Counter(), 0
    for terms in drawn_terms(Random(2017), profiles(), 2 * COUNT, most_lines=5, spoiled=True):
        for form in FORMATS:
            faults = missing(terms, form)
            caught.update(fault.check for fault in faults)
            if not faults:
                passed += 1
                assert (terms, form, judged(written(terms, form)).broken) == (terms, form, set())
    report(caught=caught)
    assert len(caught) > 15
    assert passed > COUNT // 2


def report(**counts: Counter) -> None:
    if path := os.environ.get("EINVOICE_REPORT"):
        with Path(path).open("a") as file:
            for name, counted in counts.items():
                file.writelines(f"{name} {key}: {count}\n" for key, count in sorted(counted.items()))


def with_network(read: Terms, terms: Terms) -> Terms:
    """What CII has no place for: the network of a card."""
    if read.payment.card is None or terms.payment.card is None:
        return read
    return replace(read, payment=replace(read.payment, card=terms.payment.card))
