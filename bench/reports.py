"""What is measured, in which order, and how it is printed."""

from statistics import median, quantiles

from bench import listing as lists
from bench import paying as payments
from bench.server import Server
from bench.tables import show

AIMS = {1: 2.5, 4: 3.5}


def paying(*, quick: bool) -> None:
    """Table one."""
    rounds, each = (12, 8) if quick else (30, 8)
    results = [
        payments.measure(gateway, clients, rounds=rounds, payments=each)
        for gateway in ("null", "sandbox")
        for clients in (1, 4)
    ]
    show(
        "Paying an invoice, and the same statements sent by bare psycopg2",
        ["gateway, clients", "pay/s", "bare/s", "times as long", "half of the rounds", "aim", "queries", "commits"],
        [
            [
                f"{result.gateway}, {result.clients}",
                f"{result.portal.middle:.0f}",
                f"{result.bare.middle:.0f}",
                f"{median(result.ratios):.2f}",
                "{0:.2f} - {2:.2f}".format(*quantiles(result.ratios, n=4)),
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
    sizes = (1_000, 100_000) if quick else (1_000, 100_000, 1_000_000)
    places = [lists.Place(size, server.copy("empty", f"list_{size}")) for size in sizes]
    measured = lists.measure(places, list(lists.pages()), rounds=7 if quick else 21)
    nothing, frame = lists.measure(places, list(lists.comparisons()), rounds=15 if quick else 41)
    first = measured[0]
    show(
        "The list of invoices of one profile: milliseconds by the number of its invoices",
        ["asked for", *(f"{size:,}" for size in sizes), "longest : shortest", "aim", "queries"],
        [
            [
                row.task.name,
                *(f"{row.middle(size):.1f}" for size in range(len(sizes))),
                f"{row.ratio:.2f}",
                f"<= {row.task.aim}" if row.task.aim else "",
                f"{row.queries}",
            ]
            for row in [*measured, nothing, frame]
        ],
        [
            "Through the whole portal, signed in; medians, all sizes in turns; the ratio is that of neighbors in time.",
            f"The first 50 rows cost {first.middle(0) - frame.middle(0):.1f} ms more than the frame alone.",
            f"The frame costs {frame.middle(0) - nothing.middle(0):.1f} ms more than an answer with nothing in it.",
        ],
    )
