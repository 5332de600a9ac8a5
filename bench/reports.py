"""What is measured, in which order, and how it is printed."""

from statistics import median

from bench import paying as payments
from bench.server import Server
from bench.tables import show

AIMS = {1: 2.5, 4: 3.5}


def paying(*, quick: bool) -> None:
    """Table one."""
    rounds, each = (4, 20) if quick else (12, 50)
    results = [
        payments.measure(gateway, clients, rounds=rounds, payments=each)
        for gateway in ("null", "sandbox")
        for clients in (1, 4)
    ]
    show(
        "Paying an invoice, and the same statements sent by bare psycopg2",
        ["gateway, clients", "pay/s", "bare/s", "times as long", "lowest", "highest", "aim", "queries", "commits"],
        [
            [
                f"{result.gateway}, {result.clients}",
                f"{result.portal.middle:.0f}",
                f"{result.bare.middle:.0f}",
                f"{median(result.ratios):.2f}",
                f"{min(result.ratios):.2f}",
                f"{max(result.ratios):.2f}",
                f"<= {AIMS[result.clients]}" if result.gateway == "null" else "",
                f"{result.queries}",
                f"{result.commits:.2f}",
            ]
            for result in results
        ],
        [
            f"{rounds} rounds of {each} payments a client, portal and bare in turns; medians over the rounds.",
            "null: a gateway that only says yes. sandbox: the embedded one, whose commits to its own file count too.",
            f"A commit alone takes {1000 / results[0].commit.middle:.2f} ms here.",
        ],
    )


def listing(server: Server, *, quick: bool) -> None:
    """Table two."""
