"""Texts as an e-invoice can hold them."""

import re

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What many systems take as the name of an item; all of it stands in the description (BT-154).
LONGEST_NAME = 100


def without_spaces(text: str) -> str:
    """In capitals, without blanks and the marks that part the groups of a number."""
    return re.sub(r"[\s./-]", "", text).upper()


def clean(text: str) -> str:
    """Without the characters that XML cannot hold, and without blank lines at either end."""
    return NOT_IN_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def one_line(text: str) -> str:
    """Without characters that XML cannot hold, line breaks and double blanks."""
    return " ".join(NOT_IN_XML.sub(" ", text).split())


def short_name(description: str) -> str:
    """The name of an item (BT-153), cut between two words; empty when there is nothing to cut."""
    if len(description) <= LONGEST_NAME:
        return ""
    cut = description[: LONGEST_NAME - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"
