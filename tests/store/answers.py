"""What tests of kept answers share: answers, a look at whether all tables agree, and processes that keep answers.

As a program (`python -m tests.store.answers DATABASE`) it forks a process for each line that it reads, a number, which
keeps answers from that number on, tells each, and goes on until it is killed or has kept as many as were asked for.
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.responses import KeptAnswer
from mcp_hub.store.responses import Responses

ROOT = Path(__file__).parents[2]

NOON = 1_772_366_400.0
"""2026-03-01, a Sunday, 12:00 UTC."""

HOUR = 3600.0
ROOM = 10**9


def answer(name: str, *parts: bytes, **given: Any) -> KeptAnswer:
    """The answer to a request with these parts, or to one that is only its name."""
    usual: dict[str, Any] = {
        "digest": f"digest of {name}",
        "family": None,
        "text": "",
        "key": "ci",
        "team": "web",
        "model": "claude-sonnet-4-6",
        "upstream": "anthropic",
        "kept_at": NOON,
        "message": b'{"id":"msg_1","content":[{"type":"text","text":"4"}]}',
        "stream": b"event: ping\ndata: {}\n\n" * 30,
        "pace": ((0.0, 300), (0.25, 360)),
        "usage": Usage(input=5, output=2, cache_read=90),
        "dollars": 1234,
    }
    return KeptAnswer(**{"id": name, "parts": parts or (name.encode(),)} | usual | given)


def numbered(number: int) -> KeptAnswer:
    """An answer that is known by its number: every fifth shares a long head, and each takes some pages."""
    filling = b"".join(sha256(b"%d %d" % (number, each)).digest() for each in range(40))
    head = sha256(b"%d" % (number % 5)).digest() * 5 + bytes(range(256)) * 16
    return answer(f"n{number}", head, b"again", filling, b"again", message=filling * 2, kept_at=NOON + number)


def tables_agree(path: Path) -> None:
    """Assert that users, sums and rows are what is really there, and that nothing is left of what has gone."""
    with closing(sqlite3.connect(path)) as connection:

        def rows(sql: str) -> list[Any]:
            return connection.execute(sql).fetchall()

        assert rows("pragma integrity_check") == [("ok",)]
        used = "select value, count(distinct number) from response_contents, json_each(parts) group by value"
        assert rows("select number, users from response_parts order by number") == rows(f"{used} order by value")
        sizes = " + ".join(
            f"(select coalesce(sum(size), 0) from {table})"
            for table in ("responses", "response_parts", "response_pairs", "response_vectors")
        )
        assert rows("select entries, bytes from response_totals") == rows(
            f"select (select count(*) from responses), {sizes}"
        )
        own = "coalesce((select sum(size) from response_parts where number in (select value from json_each(parts))), 0)"
        assert not rows(f"select * from responses join response_contents using (number) where parts_size <> {own}")
        for table, column, owner in (
            ("response_contents", "number", "select number from responses"),
            ("responses", "number", "select number from response_contents"),
            ("response_part_bodies", "number", "select number from response_parts"),
            ("response_parts", "number", "select number from response_part_bodies"),
            ("response_pairs", "response", "select number from responses"),
            ("response_vectors", "id", "select id from responses"),
        ):
            assert not rows(f"select * from {table} where {column} not in ({owner})")


@contextmanager
def keepers(path: Path, room: int = ROOM, count: int = 10**6) -> Iterator["subprocess.Popen[str]"]:
    """The program below; ended at the end."""
    command = [sys.executable, "-m", "tests.store.answers", str(path), str(room), str(count)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    path, room, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            store = Responses(path, room, HOUR)
            for number in range(int(line), int(line) + count):
                store.keep(numbered(number))
                os.write(1, f"{os.getpid()} {number}\n".encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.write(1, b"ended\n")


if __name__ == "__main__":
    main()
