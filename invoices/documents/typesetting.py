"""From a Typst template and its data to a PDF that is PDF/A-3a and PDF/UA-1: to be kept for ever, and read aloud.

Data reaches the template as JSON, so nothing a customer typed is read as markup. Nothing is fetched: no packages are
used, and the fonts are those of installed packages, never this machine's, so that a document is the same everywhere. A
document with a letter that no font can draw is refused.

One compiler is kept per process (making it reads the fonts) and used by one thread at a time. Typst has threads of its
own, which a fork does not copy: a child would wait for them for ever. So no process may fork after it made a document.
"""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import typst
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from lxml import etree
from pypdf import PdfReader, PdfWriter

from billing_portal.core.letters import FONT_FOLDERS, letter_names, unprintable

STANDARDS: list[Any] = ["a-3a", "ua-1"]
# What typst says of a letter that cannot be kept: no glyph, or one that PDF/A forbids.
REFUSED_LETTERS = ("could not be displayed", "disallowed codepoint")
SCREEN = 130.0  # dots per inch
PNG, MAX_PIXELS = b"\x89PNG\r\n\x1a\n", 4_000_000  # of a logo
_one_at_a_time = threading.Lock()


class MissingGlyphs(Exception):
    """No font can draw some letters of a document, so it is not made. The message says which letters, and in which text
    they stand, in the language of who reads it."""

    def __init__(self, words: Promise, **facts: Any) -> None:
        super().__init__(words, facts)
        self.words, self.facts = words, facts

    def __str__(self) -> str:
        return str(self.words) % self.facts


class Attachment(NamedTuple):
    """A file that a document carries, such as its data as XML."""

    name: str
    content: str
    description: str


def typeset(template: Path, data: Mapping[str, Any], *, at: datetime, attachment: Attachment | None = None) -> bytes:
    """The document as a PDF. ``template`` lies inside the project; ``at`` is the file's time of making. Never call it
    inside a transaction. Raises MissingGlyphs; typst.TypstError when the template is wrong."""
    check_letters(data)
    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    if attachment is not None:
        inputs["attachment"] = json.dumps(attachment._asdict(), ensure_ascii=False)
    with _one_at_a_time:
        try:
            return _compile(template, inputs, at)
        except typst.TypstError as error:
            if not any(words in str(error) for words in REFUSED_LETTERS):
                raise
            raise MissingGlyphs(_("Our documents cannot print one of these texts: %(error)s"), error=error) from error


def check_letters(data: Any) -> None:
    """Raises MissingGlyphs for a text in it, at whatever depth, that no font can draw."""
    for text in _texts(data):
        if letters := unprintable(text):
            shown = text if len(text) <= 80 else f"{text[:79]}…"
            words = _("Our documents cannot print %(letters)s in “%(text)s”.")
            raise MissingGlyphs(words, letters=letter_names(letters), text=shown)


def _texts(data: Any) -> Iterator[str]:
    """The texts in it, at whatever depth."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _texts(value)


def can_draw(drawing: bytes) -> bool:
    """Whether a logo is a PNG or SVG that a document can show, in little time and memory. An SVG is drawn, never run,
    and reaches no other file."""
    if not (_is_small_png(drawing) if drawing.startswith(PNG) else _is_plain_svg(drawing)):
        return False
    source = Path(__file__).with_name("logo.typ")
    inputs = {"data": json.dumps({"logo": list(drawing)})}
    with _one_at_a_time:
        _process, compiler = _compiler()
        try:
            compiler.compile(input=source, format="pdf", sys_inputs=inputs)
        except typst.TypstError:
            return False
    return True


def _is_small_png(drawing: bytes) -> bool:
    """Its header says how large it is: 30,000 pixels square fit into 100 kB, and into 1 GB of memory once drawn."""
    width, height = int.from_bytes(drawing[16:20]), int.from_bytes(drawing[20:24])
    return drawing[12:16] == b"IHDR" and 0 < width * height <= MAX_PIXELS


def _is_plain_svg(drawing: bytes) -> bool:
    """Without pictures inside, which may be as large, and filters, which are computed pixel by pixel: one of a million
    octaves never ends, and nobody else gets a document meanwhile."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(drawing, parser)
    except etree.XMLSyntaxError:
        return False
    if root.tag not in {"svg", "{http://www.w3.org/2000/svg}svg"} or root.getroottree().docinfo.doctype:
        return False
    for element in root.iter(etree.Element):
        name = etree.QName(element).localname.lower()
        styles = [element.text or ""] if name == "style" else []
        styles += [f"{key} {value}" for key, value in element.attrib.items() if key in {"filter", "style"}]
        if name in {"image", "filter"} or any("filter" in style.lower() for style in styles):
            return False
    return True


def page_count(pdf: bytes) -> int:
    return len(PdfReader(BytesIO(pdf)).pages)


def page_image(pdf: bytes, page: int) -> bytes:
    """A page (from 1) of a PDF as PNG, large enough to be read on a screen. Drawn from a PDF of that page alone: one of
    2,000 lines takes a second to be handed over, each time."""
    writer, single = PdfWriter(), BytesIO()
    writer.add_page(PdfReader(BytesIO(pdf)).pages[page - 1])
    writer.write(single)
    inputs = {"data": json.dumps({"pdf": list(single.getvalue())})}
    with _one_at_a_time:
        _process, compiler = _compiler()
        made = compiler.compile(input=Path(__file__).with_name("page.typ"), format="png", ppi=SCREEN, sys_inputs=inputs)
    assert isinstance(made, bytes)  # noqa: S101  one page is one image
    return made


@lru_cache(maxsize=1)
def _compiler() -> tuple[int, typst.Compiler]:
    """The compiler, and the process that made it."""
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=FONT_FOLDERS)
    start = Path(__file__).with_name("invoice.typ")
    return os.getpid(), typst.Compiler(start, root=settings.BASE_DIR, font_paths=fonts)


def _compile(template: Path, inputs: dict[str, str], at: datetime) -> bytes:
    process, compiler = _compiler()
    if process != os.getpid():
        raise RuntimeError("A document was made before this process was forked; making one here would hang.")
    made = compiler.compile(
        input=template, format="pdf", sys_inputs=inputs, pdf_standards=STANDARDS, timestamp=int(at.timestamp())
    )
    assert isinstance(made, bytes)  # noqa: S101  a PDF is one file, unlike pages as images
    return made
