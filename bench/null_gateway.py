"""A gateway that says yes and does nothing else: with it only the portal's own work is measured."""

from uuid import uuid4

from django.urls import URLPattern

from payments.gateways.base import Attempt, Browser, Capabilities, Gateway, Outcome, Result


class NullGateway(Gateway):
    """Keeps no books and has no delay. It can charge, which is all that `pay` asks of a gateway."""

    label = "None"
    test_mode = True
    capabilities = Capabilities()
    browser = Browser(template="")

    def __init__(self, slug: str) -> None:
        self.slug = slug

    def charge(self, attempt: Attempt) -> Outcome:
        return Outcome(Result.SUCCEEDED, gateway_id=f"null_{uuid4().hex}", amount=attempt.amount)

    def checks(self) -> list[str]:
        return []

    def urls(self) -> list[URLPattern]:
        return []
