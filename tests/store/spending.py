"""What tests of the ledger share: requests, caps, and spenders in threads and in a process of their own.

As a program (`python -m tests.store.spending DATABASE WAY`) it is that process: it says "ready" and waits for a line.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_hub.proxy.budgets import Allowed, Cap, Kind, Period, Tier, Want
from mcp_hub.proxy.pricing import Usage
from mcp_hub.store.ledger import Entry, Ledger, Status
from tests.support import ROOT

NOON = 1_772_366_400.0
"""2026-03-01, a Sunday, 12:00 UTC."""

LIMIT = 5_000
"""Nano-dollars a day that the spenders' key may spend."""

SPENDERS = 4
"""Threads in each process."""


def entry(id: str, **texts: Any) -> Entry:
    """A request of key 'ci' of team 'web'."""
    given: dict[str, Any] = {
        "at": NOON,
        "key": "ci",
        "team": "web",
        "customer": "acme",
        "upstream": "anthropic",
        "session": "s1",
    }
    return Entry(**{"id": id, "model_asked": "sonnet", "model": "claude-sonnet-4-6"} | given | texts)


def cap(
    limit: int, kind: Kind = "dollars", period: str = "1d", tier: Tier = "key", name: str = "ci", rolling: bool = False
) -> Cap:
    """A cap, on key 'ci' unless said otherwise; `rolling=True` for one that isn't aligned to the calendar."""
    return Cap(tier, name, kind, limit, Period.parse(period, rolling=rolling))


@dataclass
class Spent:
    """What one spender was allowed, and the most that it ever saw spent and reserved together."""

    admitted: int = 0
    most: int = 0


def spend(ledger: Ledger, name: str) -> Spent:
    """Make requests that are billed at their worst case, many more than there is room for."""
    spent, day = Spent(), [cap(LIMIT)]
    for number in range(30):
        worst = 40 + 17 * number % 90
        decision = ledger.reserve(entry(f"{name}-{number}"), day, Want(dollars=worst, tokens=1), NOON)
        (seen,) = ledger.standing(day, NOON)
        spent.most = max(spent.most, seen.spent + seen.reserved)
        if isinstance(decision, Allowed):
            spent.admitted += worst
            ledger.settle(f"{name}-{number}", Usage(output=1), worst, Status.OK, 0.1, 1.0, 200)
    return spent


def spend_together(path: Path, process: str) -> list[Spent]:
    """Spend in so many threads at once, all through one ledger."""
    ledger, together = Ledger(path, process), threading.Barrier(SPENDERS)

    def one(number: int) -> Spent:
        together.wait()
        return spend(ledger, f"{process}-{number}")

    with ThreadPoolExecutor(SPENDERS) as threads:
        spent = list(threads.map(one, range(SPENDERS)))
    ledger.close()
    return spent


@contextmanager
def other_process(path: Path, way: str) -> Iterator["subprocess.Popen[str]"]:
    """The program below, ready and waiting for a line; killed at the end, if it still runs."""
    command = [sys.executable, "-m", "tests.store.spending", str(path), way]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def main() -> None:
    path, way = Path(sys.argv[1]), sys.argv[2]
    if way == "leave":
        ledger = Ledger(path, str(os.getpid()))
        for id in ("dark", "noted", "settled"):
            ledger.reserve(entry(id), [], Want(dollars=100, tokens=60), NOON)
        ledger.noted("noted", Usage(input=5, output=2), 30)
        ledger.settle("settled", Usage(input=5, output=1), 20, Status.OK, 0.1, 1.0, 200)
    print("ready", flush=True)
    sys.stdin.readline()
    if way == "spend":
        print(json.dumps([vars(spent) for spent in spend_together(path, str(os.getpid()))]), flush=True)


if __name__ == "__main__":
    main()
