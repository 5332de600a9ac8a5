"""What axe finds on a page as it looks in both color schemes and on a phone."""

from typing import NamedTuple

from axe_playwright_python.base import AXE_SCRIPT

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
# All that the color scheme can change, and all but that.
COLORS = EVERYTHING | {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "preload": False,
}
LAYOUT = EVERYTHING | {"rules": {"color-contrast": {"enabled": False}}, "preload": False}
FIND = """options => axe.run(document, options).then(found => found.violations.flatMap(rule => rule.nodes.map(
    node => `${rule.id}: ${node.target} ${node.html.slice(0, 120)} ${node.failureSummary}`)))"""


class Look(NamedTuple):
    name: str
    theme: str
    width: int
    rules: dict


LIGHT = Look("light", "light", 1280, EVERYTHING)
DARK = Look("dark", "dark", 1280, COLORS)
PHONE = Look("phone", "light", 320, LAYOUT)
LOOKS = [LIGHT, DARK, PHONE]


def problems_of(page, looks=LOOKS) -> list[str]:
    """What is wrong with the open page, one line for each thing and look: axe's findings, and sideways scrolling.
    Leaves the page in the first look."""
    page.evaluate(AXE_SCRIPT)
    problems = []
    for look in looks:
        show(page, look)
        problems += [f"{look.name}: {found}" for found in page.evaluate(FIND, look.rules)]
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            problems.append(f"{look.name}: scrolls sideways by {overflow} px")
    show(page, looks[0])
    return problems


def show(page, look: Look) -> None:
    page.emulate_media(color_scheme=look.theme, reduced_motion="reduce")
    page.set_viewport_size({"width": look.width, "height": 900})
