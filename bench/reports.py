"""What is measured, in which order, and how it is printed."""

from statistics import median, quantiles

from bench import closing as closings
from bench import importing as imports
from bench import listing as lists
from bench import paying as payments
from bench import proving as proofs
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


def importing(server: Server, *, quick: bool) -> None:
    """Table three."""
    databases = imports.Databases(server)
    sizes = [(10_000, 3)] if quick else [(10_000, 5), (100_000, 3)]
    results = [imports.measure(databases, lines, rounds=rounds) for lines, rounds in sizes]
    show(
        "Importing invoices from a file, and the same rows put in without the portal",
        ["lines, database", "s", "of which CPU", "lines/s", "MiB more", "bare, s", "times as long", "times a COPY"],
        [
            [
                f"{result.size:,}, {name}",
                f"{result.seconds(side):.1f}",
                f"{result.cpu_seconds(side):.1f}",
                f"{result.size / result.seconds(side):,.0f}",
                f"{result.peak_mib(side):.1f}",
                f"{result.seconds(bare):.1f}",
                f"{result.ratio(side, bare):.2f}",
                f"{result.ratio(side, 'copy'):.2f}",
            ]
            for result in results
            for name, side, bare in [("PostgreSQL", "postgresql", "copy"), ("SQLite", "sqlite", "inserts")]
        ],
        [
            f"Medians of {' and '.join(str(rounds) for _lines, rounds in sizes)} rounds, all four sides in turns.",
            "Two lines an invoice. Bare: rows that are ready, by COPY from files, or by prepared statements on SQLite.",
            "CPU: of the process that imports; on SQLite the database is in it, on PostgreSQL it has another.",
            "MiB more: the most memory above that at the start, in the process that imports; the worst of the rounds.",
        ],
    )


def closing(server: Server, *, sizes: list[tuple[int, int]]) -> None:
    """Table four. Sizes are numbers of profiles and rounds."""
    results = [closings.measure(server, profiles, rounds=rounds) for profiles, rounds in sizes]
    show(
        "Closing a billing period, and the rows it leaves put in without the portal",
        [
            "profiles, charges, database", "s", "of which CPU", "invoices/s", "MiB more",
            "new rows, s", "times as long", "all rows, s", "times as long",
        ],
        [
            [
                f"{result.size:,}, {closings.charges_of(result):,}, {name}",
                f"{result.seconds(side):.1f}",
                f"{result.cpu_seconds(side):.1f}",
                f"{result.size / result.seconds(side):,.0f}",
                f"{result.peak_mib(side):.1f}",
                f"{result.seconds(bare):.1f}",
                f"{result.ratio(side, bare):.2f}",
                f"{result.seconds(f'{bare}_all'):.1f}",
                f"{result.ratio(side, f'{bare}_all'):.2f}",
            ]
            for result in results
            for name, side, bare in [("PostgreSQL", "postgresql", "copy"), ("SQLite", "sqlite", "inserts")]
        ],
        [
            f"Medians of {' and '.join(str(rounds) for _profiles, rounds in sizes)} rounds, all sides in turns.",
            "New rows: invoices, lines, taxes, transfers, closings, audit entries.",
            "All rows: billed charges too, which a run rewrites.",
            "Rows that are ready are put in by COPY from files, or by prepared statements on SQLite.",
            "CPU: of the process that closes; on SQLite the database is in it, on PostgreSQL it has another.",
            "MiB more: the most memory above that at the start, in the process that closes; the worst of the rounds.",
        ],
    )  # fmt: skip


def proving(server: Server, *, few: int, many: int) -> None:
    """Table five."""
    results = [proofs.measure(server, invoices) for invoices in (few, many)]
    show(
        "Proving the books: all of them, and what happened since the last day",
        ["invoices, database", "s", "of which CPU", "MiB more", "times as long", "aim", "since, s", "MiB more"],
        [
            [
                f"{proof.size:,}, {name}",
                f"{proof.whole.seconds:.1f}",
                f"{proof.whole.cpu_seconds:.1f}",
                f"{proof.whole.peak_mib:.1f}",
                f"{proof.whole.seconds / results[0][name].whole.seconds:.1f}" if proof.size != few else "",
                f"<= {1.1 * many / few:.0f}" if proof.size != few else "",
                f"{proof.since.seconds:.1f}",
                f"{proof.since.peak_mib:.1f}",
            ]
            for name in results[0]
            for proof in (found[name] for found in results)
        ],
        [
            "Ten periods of as many profiles; nine in ten invoices are paid, some were refunded.",
            "Since: the last day, on which one in ten invoices was paid.",
            "CPU: of the process that proves; on SQLite the database is in it, on PostgreSQL it has another.",
        ],
    )
