"""On a phone, in Dutch, in the dark, without scripts and without a mouse: from signing in to signing out."""

import re

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from playwright.sync_api import expect

from tests.browser.test_keyboard import tab_to
from tests.factories import issued, member, proven
from tests.payments.acts import card, charges

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.browser_context_args(
        java_script_enabled=False, locale="nl-NL", color_scheme="dark", viewport={"width": 360, "height": 740}
    ),
]

PASSWORD = "correct horse battery staple"
TEXTS = """() => {
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) found.push(walk.currentNode.data.trim());
    for (const one of document.querySelectorAll("[aria-label]")) found.push(one.getAttribute("aria-label"));
    return found;
}"""


@pytest.fixture(scope="module")
def english():
    """What the pages say in English and in other words in Dutch. A language is called by its own name."""
    with (settings.BASE_DIR / "locale/nl/LC_MESSAGES/django.po").open("rb") as file:
        return {message.id for message in read_po(file) if message.id != message.string} - {"", "English"}


def test_an_invoice_is_paid(profile, page, live_server, english):
    profile.document_language = "nl"
    profile.save(update_fields=["document_language"])
    invoice = issued(profile)
    card(profile, is_default=True)
    person = member(profile, "invoice_manager", email="noor@example.com", name="Noor")
    proven(person, PASSWORD)

    def press(role, name):
        """By Tab and Enter, on a page that holds no English and does not scroll sideways."""
        assert english & set(page.evaluate(TEXTS)) == set(), page.url
        assert page.evaluate("document.documentElement.scrollWidth") == 360, page.url
        tab_to(page, page.get_by_role(role, name=re.compile(name)))
        page.keyboard.press("Enter")

    page.goto(live_server.url)
    assert page.locator(".product").bounding_box()["x"] >= 16, "the mark keeps off the edge"
    tab_to(page, page.locator("#id_login"))
    page.keyboard.type(person.email)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Facturen")

    press("link", "^Nu betalen")
    expect(page.get_by_role("heading", level=1)).to_have_text("Factuur betalen")
    label, button = page.locator(".summary .tile-label"), page.locator("#pay-button").bounding_box()
    assert label.bounding_box()["height"] < 25, "the label stays on one line"
    below = page.get_by_text("Uw kaartnummer gaat").bounding_box()
    assert below["y"] - button["y"] - button["height"] >= 6, "the text keeps off the button"

    press("button", "^Nu betalen")
    expect(page.locator("main .status").first).to_have_text("Geslaagd")
    assert charges(invoice) == [12000]
    with page.expect_download() as receipt:
        press("link", "^Betalingsbewijs")
    assert receipt.value.suggested_filename.startswith("betalingsbewijs-PAY-")

    press("button", "^Account: Noor")
    press("button", "^Afmelden")
    expect(page.get_by_role("status")).to_have_text("U bent afgemeld.")
    assert english & set(page.evaluate(TEXTS)) == set()
