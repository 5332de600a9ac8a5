"""What the tests of the invoice pages share."""

from accounts.models import BillingProfile


def list_url(profile: BillingProfile, **query: str) -> str:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/profiles/{profile.code}/invoices/" + (f"?{words}" if words else "")


def numbers(response) -> list[str]:
    """The invoice numbers of a list, in its order."""
    return [row["number"] for row in response.context["rows"]]
