"""From a Typst template and its data to a PDF.

Data reaches the template as JSON, so nothing a customer typed is read as markup. Nothing is fetched: no packages are
used, and the font comes from an installed one, with the machine's own behind it for the scripts it lacks.

One compiler is kept per process (making it reads the fonts) and used by one thread at a time. Typst has threads of its
own, which a fork does not copy: a child would wait for them for ever. So no process may fork after it made a document.
"""

import json
import os
import threading
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import fontpkg_noto_sans
import typst
from django.conf import settings

ACCESSIBLE = ["ua-1"]
_one_at_a_time = threading.Lock()


class Attachment(NamedTuple):
    """A file that a document carries, such as its data as XML."""

    name: str
    content: str
    description: str


def typeset(template: Path, data: Mapping[str, Any], *, at: datetime, attachment: Attachment | None = None) -> bytes:
    """The document as a tagged PDF. ``template`` lies inside the project; ``at`` is the file's time of making.

    PDF/UA-1 wants a glyph for every letter. Where this machine has no font for one, the document is made without that
    label: an invoice with a box in it is better than none. Never call it inside a transaction. Raises typst.TypstError
    when the template is wrong.
    """
    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    standards = ACCESSIBLE
    if attachment is not None:
        inputs["attachment"] = json.dumps(attachment._asdict(), ensure_ascii=False)
        standards = ["a-3a", "ua-1"]
    with _one_at_a_time:
        process, compiler = _compiler()
        if process != os.getpid():
            raise RuntimeError("A document was made before this process was forked; making one here would hang.")
        try:
            return _compile(compiler, template, inputs, at, standards)
        except typst.TypstError as error:
            if attachment is not None or "could not be displayed" not in str(error):
                raise
            return _compile(compiler, template, inputs, at, [])


def can_draw(drawing: bytes) -> bool:
    """Whether a logo is a PNG or SVG that a document can show. An SVG is drawn, never run, and reaches
    no other file."""
    source = Path(__file__).with_name("logo.typ")
    inputs = {"data": json.dumps({"logo": list(drawing)})}
    with _one_at_a_time:
        _process, compiler = _compiler()
        try:
            compiler.compile(input=source, format="pdf", sys_inputs=inputs)
        except typst.TypstError:
            return False
    return True


@lru_cache(maxsize=1)
def _compiler() -> tuple[int, typst.Compiler]:
    """The compiler, and the process that made it."""
    fonts = Path(fontpkg_noto_sans.__file__).parent / "files"
    start = Path(__file__).with_name("invoice.typ")
    return os.getpid(), typst.Compiler(start, root=settings.BASE_DIR, font_paths=[fonts])


def _compile(
    compiler: typst.Compiler, template: Path, inputs: dict[str, str], at: datetime, standards: list[Any]
) -> bytes:
    made = compiler.compile(
        input=template, format="pdf", sys_inputs=inputs, pdf_standards=standards, timestamp=int(at.timestamp())
    )
    assert isinstance(made, bytes)  # noqa: S101  a PDF is one file, unlike pages as images
    return made
