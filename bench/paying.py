"""Payments per second, through the portal and as bare statements, with one client and with several."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from statistics import median
from time import sleep
from typing import Any, NamedTuple

import psycopg2
from django.db import connection

from bench.client import serve
from bench.filling import add_open_invoices, make_profile, tidy_up
from payments.operations.integrity import check_books


class Side(NamedTuple):
    """Payments per second of each round."""

    rates: list[float]

    @property
    def middle(self) -> float:
        return median(self.rates)


class Result(NamedTuple):
    gateway: str
    clients: int
    queries: int
    commits: float
    portal: Side
    bare: Side
    commit: Side

    @property
    def ratios(self) -> list[float]:
        """How many times as long a payment takes as its statements, by round: neighbors in time are compared."""
        return [bare / portal for portal, bare in zip(self.portal.rates, self.bare.rates, strict=True)]


class Team:
    """Clients that work at the same time."""

    def __init__(self, gateway: str, profiles: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.barrier = context.Barrier(len(profiles))  # kept, because it is gone for all when it is gone for one
        self.pipes = []
        self.processes = []
        for profile in profiles:
            ours, theirs = context.Pipe()
            arguments = {"profile": profile, "gateway": gateway}
            process = context.Process(target=serve, args=(theirs, self.barrier), kwargs=arguments, daemon=True)
            process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)

    def all_do(self, name: str, values: Sequence[Any]) -> list[Any]:
        """Every client does it with its own value; the answers in the order of the clients."""
        for pipe, value in zip(self.pipes, values, strict=True):
            pipe.send((name, value))
        return [pipe.recv() for pipe in self.pipes]

    def rate(self, name: str, values: Sequence[Any], times: int) -> float:
        """How often a second, all clients together."""
        spans = self.all_do(name, [(value,) for value in values])
        seconds = max(ended for _, ended in spans) - min(started for started, _ in spans)
        return times * len(self.pipes) / seconds

    def stop(self) -> None:
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.send(None)
            process.join()


@contextmanager
def team(gateway: str, profiles: Sequence[str]) -> Iterator[Team]:
    working = Team(gateway, profiles)
    yield working
    working.stop()  # clients of a run that failed are daemons, and end with it


def measure(gateway: str, clients: int, *, rounds: int, payments: int) -> Result:
    """Rounds of so many payments a client: portal, bare, portal, bare. The first round only warms up."""
    profiles = [make_profile(f"{gateway} {clients}") for _ in range(clients)]
    blocks = [
        iter(Blocks(add_open_invoices(profile, 1 + (2 * rounds + 3) * payments), payments)) for profile in profiles
    ]
    tidy_up()
    portal, bare, commit = Side([]), Side([]), Side([])
    with team(gateway, [profile.code for profile in profiles]) as working:
        queries = working.all_do("prepare", [(next(block)[0],) for block in blocks])[0]
        for number in range(rounds + 1):
            sides = [("with_portal", portal), ("with_bare_statements", bare)]
            for name, side in sides if number % 2 else reversed(sides):
                rate = working.rate(name, [next(block) for block in blocks], payments)
                if number:
                    side.rates.append(rate)
            if number:
                commit.rates.append(working.rate("commit_only", [payments] * clients, payments))
        block_of_each = [next(block) for block in blocks]
        commits = commits_per_payment(working, [ids[:1] for ids in block_of_each], [ids[1:] for ids in block_of_each])
    if problems := check_books():
        raise RuntimeError(f"The books do not add up after the measurement: {problems[:3]}")
    return Result(gateway, clients, queries, commits, portal, bare, commit)


class Blocks:
    """Ids of invoices: one alone, then so many at a time."""

    def __init__(self, ids: list[int], size: int) -> None:
        self.ids, self.size = ids, size

    def __iter__(self) -> Iterator[list[int]]:
        yield self.ids[:1]
        for start in range(1, len(self.ids), self.size):
            yield self.ids[start : start + self.size]


def commits_per_payment(working: Team, few: Sequence[list[int]], many: Sequence[list[int]]) -> float:
    """What the server counted for many payments, less what it counted for few: connecting falls out of it."""
    counted = []
    for blocks in (few, many):
        working.all_do("close", [()] * len(blocks))
        before = commits_so_far()
        working.all_do("with_portal", [(block,) for block in blocks])
        working.all_do("close", [()] * len(blocks))
        counted.append(commits_so_far() - before)
    return (counted[1] - counted[0]) / (sum(map(len, many)) - sum(map(len, few)))


def commits_so_far() -> int:
    """Asked from another database, so that asking is not counted. Sessions report when they end, a moment later."""
    sleep(0.5)
    parameters = connection.get_connection_params()
    with closing(psycopg2.connect(host=parameters["host"], user=parameters["user"], dbname="postgres")) as other:
        cursor = other.cursor()
        cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = %s", [parameters["dbname"]])
        count: int = cursor.fetchone()[0]
    return count
