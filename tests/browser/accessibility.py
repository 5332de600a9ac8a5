"""What axe finds on a page as it looks in both color schemes and on a phone.

A page is loaded once and shown in one look after the other: it changes its colors and its width itself, by its style
sheets. The first look is judged by every rule; another one by the rules whose answer it can change.
"""

from typing import NamedTuple

from axe_playwright_python.base import AXE_SCRIPT

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
# All that the color scheme can change; and all that the width can, where it shows other parts or places them otherwise.
COLORS = EVERYTHING | {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "preload": False,
}
PLACES = ["target-size", "scrollable-region-focusable", "aria-hidden-focus", "button-name", "link-name", "label"]
LAYOUT = EVERYTHING | {"runOnly": {"type": "rule", "values": PLACES}, "preload": False}
FIND = """options => axe.run(document, options).then(found => found.violations.flatMap(rule => rule.nodes.map(
    node => `${rule.id}: ${node.target} ${node.html.slice(0, 120)} ${node.failureSummary}`)))"""
# Of these axe reads the content itself, by asking for each of them again.
READ_BY_AXE = """() => [
    ...[...document.styleSheets].map(sheet => sheet.href ?? sheet.ownerNode.textContent),
    ...[...document.querySelectorAll("audio, video")].map(media => media.outerHTML)]"""
_read: set[frozenset[str]] = set()


class Look(NamedTuple):
    name: str
    theme: str
    width: int
    rules: dict


LIGHT = Look("light", "light", 1280, EVERYTHING)
DARK = Look("dark", "dark", 1280, COLORS)
PHONE = Look("phone", "light", 320, LAYOUT)
LOOKS = [LIGHT, DARK, PHONE]
# Where parts are shown on a phone only, and have colors there of their own.
PHONE_DARK = Look("phone, dark", "dark", 320, COLORS)
PHONE_LIGHT = Look("phone, light", "light", 320, EVERYTHING)


def bring_axe(page) -> None:
    """Every page that is opened from now on has axe, which is then compiled once and not for each page."""
    page.add_init_script(AXE_SCRIPT)


def problems_of(page, looks=LOOKS) -> list[str]:
    """What is wrong with the open page, one line for each thing and look: axe's findings, and sideways scrolling.
    Leaves the page in the first look."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    problems = []
    for look in looks:
        show(page, look)
        rules = EVERYTHING | what_to_read(page) if look.rules is EVERYTHING else look.rules
        problems += [f"{look.name}: {found}" for found in page.evaluate(FIND, rules)]
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            problems.append(f"{look.name}: scrolls sideways by {overflow} px")
    show(page, looks[0])
    return problems


def what_to_read(page) -> dict:
    """Style sheets and media are read and judged once for each set of them. What a sheet says about turning the screen
    is the same on every page that has it, and in every look."""
    wanted = frozenset(page.evaluate(READ_BY_AXE))
    is_new = wanted not in _read
    _read.add(wanted)
    return {"preload": is_new}


def show(page, look: Look) -> None:
    page.emulate_media(color_scheme=look.theme, reduced_motion="reduce")
    page.set_viewport_size({"width": look.width, "height": 900})
