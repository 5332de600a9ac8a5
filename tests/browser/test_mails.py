"""The mails as a mail program shows them: nothing sticks out, nothing that axe finds, on a phone and in the dark."""

from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

from billing_portal.core.mail import render
from billing_portal.core.models import OutgoingMail
from tests.factories import issued, member
from tests.payments.acts import card, press_pay
from tests.payments.test_pages_mails import SOURCES, context_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}
STICKING_OUT = """() => [...document.querySelectorAll('.card *')].filter(part => {
    const inner = part.getBoundingClientRect(), outer = document.querySelector('.card').getBoundingClientRect();
    return inner.left < outer.left || inner.right > outer.right;
}).map(part => part.outerHTML)"""


def test_a_mail_fits_whatever_it_is_read_on(page, profile):
    press_pay(member(profile, "invoice_manager"), issued(profile, "1234567.89"), card(profile, "9995"))
    of_payment = OutgoingMail.objects.get().context
    for template, language in product(SOURCES, ("en", "nl")):
        page.set_content(render(template, context_of(template, of_payment), language).html)
        for width in (600, 360, 320):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate(STICKING_OUT) == [], (template, language, width)
            assert page.evaluate("document.documentElement.scrollWidth") == width, (template, language, width)
        for theme in ("light", "dark") if language == "nl" else ():
            page.emulate_media(color_scheme=theme)
            assert Axe().run(page, options=WCAG).response["violations"] == [], (template, theme)
