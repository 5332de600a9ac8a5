"""Between French companies: what French law and the platforms of its tax office want besides (BR-FR-Flux2)."""

from dataclasses import replace

import pytest
from lxml import etree

from invoices.documents.einvoice.checks import missing
from invoices.documents.einvoice.reading import read_terms
from invoices.documents.einvoice.terms import Format, Identifier, Terms, buyer_of, seller_of, terms_of
from tests.invoices.einvoice.documents import document, line
from tests.invoices.einvoice.judge import FRENCH_RULES, broken_rules, judged, written
from tests.invoices.einvoice.samples import FRENCH, SELLERS, buyer_json
from tests.invoices.einvoice.test_terms import issued


def french(note: str = FRENCH) -> Terms:
    made = document(line(rate="20"))
    return replace(made, seller=seller_of(SELLERS["FR"]), buyer=buyer_of(buyer_json("FR")), note=note)


def notes_of(xml: bytes) -> dict[str, str]:
    notes = etree.fromstring(xml).iter("{*}IncludedNote")
    return {note.findtext("{*}SubjectCode", ""): note.findtext("{*}Content") for note in notes}


def test_the_judges_find_nothing():
    xml = written(french(), Format.FACTURX)
    assert missing(french(), Format.FACTURX) == []
    assert judged(xml).broken == set()
    assert broken_rules(xml, FRENCH_RULES) == []


def test_what_the_law_wants_is_a_note_of_its_own():
    assert notes_of(written(french(), Format.FACTURX)) == {
        "": "SAS au capital de 10 000 EUR, RCS Paris.",
        "PMD": "Pénalités de retard : 10 %.",
        "PMT": "Indemnité forfaitaire pour frais de recouvrement : 40 EUR.",
        "AAB": "Pas d'escompte pour paiement anticipé.",
    }
    assert read_terms(written(french(), Format.FACTURX)).note == FRENCH


@pytest.mark.parametrize(("word", "rule"), [("Pénalités", "PMD"), ("recouvrement", "PMT"), ("escompte", "AAB")])
def test_a_missing_note_is_told_before_the_platform_refuses_the_invoice(word, rule):
    without = french(FRENCH.replace(word, "..."))
    (fault,) = missing(without, Format.FACTURX)
    assert fault.text == (
        f"The seller's legal notes in French lack: {word.lower()}. Add a line for each in the staff pages."
    )
    assert broken_rules(written(without, Format.FACTURX), FRENCH_RULES) == [f"BR-FR-05_BT-22_{rule}"]


def test_what_is_paid_says_so():
    paid = replace(french(), prepaid_minor=french().total_minor)
    xml = written(paid, Format.FACTURX)
    assert etree.fromstring(xml).findtext(".//{*}BusinessProcessSpecifiedDocumentContextParameter/{*}ID") == "S2"
    assert broken_rules(xml, FRENCH_RULES) == []


@pytest.mark.django_db
def test_the_notes_are_french_whatever_the_language_of_the_document(profile):
    terms = terms_of(issued(profile, seller="FR", buyer="FR"))
    assert terms.note == FRENCH
    assert terms.seller.company == Identifier("303265045", "0002")  # the SIREN of a SIRET
