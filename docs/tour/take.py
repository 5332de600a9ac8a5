"""Takes the pictures of the README and the tour: ``make screenshots``.

Starts the portal with fresh demo data on a free port, walks through it in headless Chromium as a customer would, and
writes the pictures beside this file. Dates in the demo are relative to today, so the pictures differ from day to day;
take them again when a page has changed.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
PASSWORD = "demo-portal-2026"  # noqa: S105  the demo's, offered on its sign-in page
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def portal() -> Iterator[str]:
    """The portal's address while it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as var:
        environment = os.environ | {"PORT": str(port), "PORTAL_VAR_DIR": var, "PUBLIC_URL": f"http://localhost:{port}"}
        command = [sys.executable, "-m", "billing_portal.local"]
        process = subprocess.Popen(command, env=environment, cwd=HERE.parent.parent, stdout=subprocess.DEVNULL)  # noqa: S603  our own command
        try:
            wait_for(f"http://localhost:{port}/healthz")
            yield f"http://localhost:{port}"
        finally:
            process.terminate()
            process.wait(30)


def wait_for(address: str) -> None:
    for _try in range(480):
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310  our own address
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("The portal did not start; run `make run` to see why.")


def sign_in(page: Page, address: str, who: str) -> None:
    page.goto(f"{address}/account/login/")
    page.locator("input[name=login]").fill(f"{who}@example.com")
    page.locator("input[type=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/account/login" not in url)
    page.goto(page.url)  # without the greeting


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=HERE / f"{name}.png", animations="disabled")


def walk(page: Page, address: str) -> None:
    """As an invoice manager: the list, paying, the invoice, the list in the dark."""
    sign_in(page, address, "manager")
    take(page, "invoices")
    row = page.locator("tr", has=page.locator(".status-past-due")).first
    number = row.locator("a").first.inner_text()
    row.get_by_role("link", name=re.compile("Pay now")).click()
    blade = page.locator("dialog#blade[open]")
    blade.get_by_label("Add a new card").check()
    take(page, "pay")
    blade.get_by_label(re.compile("4242")).first.check()
    blade.get_by_role("button", name=re.compile("Pay now")).click()
    blade.get_by_role("heading", name="Invoice paid").wait_for()
    take(page, "paid")
    page.keyboard.press("Escape")
    page.get_by_role("link", name=number, exact=True).click()
    blade.get_by_role("heading", name=number).wait_for()
    take(page, "invoice")
    page.keyboard.press("Escape")
    page.mouse.click(640, 70)
    page.emulate_media(color_scheme="dark")
    take(page, "dark")


def look_around(page: Page, address: str) -> None:
    """As an owner: cards and what is charged automatically, credits, the statement, where to send the money."""
    sign_in(page, address, "owner")
    for profile, menu, name in (
        ("Tokyo office", "Payment methods", "methods"),
        ("Operations NL", "Credits", "credits"),
        ("Operations NL", "Statement of account", "statement"),
        ("Head office, by wire", "Invoices", "wire"),
    ):
        page.goto(f"{address}/scopes/")
        page.get_by_role("main").get_by_role("link", name=profile).first.click()
        page.get_by_role("link", name=menu, exact=True).first.click()
        if name == "wire":
            page.locator("tbody tr").first.get_by_role("link").first.click()
            page.locator("dialog#blade[open]").get_by_role("heading", name="How to pay").scroll_into_view_if_needed()
        take(page, name)


def main() -> None:
    executable = os.environ.get("CHROMIUM") or None
    with portal() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        walk(browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB"), address)
        look_around(browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB"), address)
        phone = browser.new_page(viewport={"width": 360, "height": 720}, locale="nl-NL")
        sign_in(phone, address, "reader")
        phone.get_by_role("link", name="Operations NL").click()
        phone.wait_for_url(re.compile("/invoices/"))
        take(phone, "phone")
        staff = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB")
        sign_in(staff, address, "admin")
        staff.goto(f"{address}/admin/payments/payment/")
        take(staff, "staff")
        browser.close()


if __name__ == "__main__":
    main()
