"""Answers on their way: settled once, also when nobody takes a piece, and at the worst case where they don't say."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mcp_hub.proxy.admission import Admission, Admitted
from mcp_hub.proxy.answer import Heard
from mcp_hub.proxy.budgets import Want
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.pricing import Price, PriceList, Usage
from mcp_hub.proxy.upstream import Reply
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.store.database import FILE_NAME, open_database
from mcp_hub.store.ledger import Entry, Ledger

pytestmark = pytest.mark.anyio

WORST = Usage(input=1_000, output=500)
PRICE = Price(1, 1, 1, 1, 1, 1)
STREAM = [("content-type", "text/event-stream; charset=utf-8")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Held:
    """An answer whose request was reserved in a ledger."""

    def __init__(self, folder: Path, body: bytes, headers: Sequence[tuple[str, str]] = (), status: int = 200) -> None:
        open_database(folder).conn.close()
        self.ledger = Ledger(folder / FILE_NAME, "tests")
        entry = Entry("r", 1.0, "ci", "", "", "u", "s", "m", "m")
        self.ledger.reserve(entry, [], Want(1_500, 1_500), 1.0)
        self.closed = 0

        async def pieces() -> AsyncIterator[bytes]:
            yield body

        def close() -> None:
            self.closed += 1

        admission = Admission(ProxySettings(), PriceList.shipped(), self.ledger, Metrics(bool), lambda: 1.0)
        reply = Reply(status, headers, pieces(), close)
        self.heard = Heard(reply, Admitted(entry, b"", WORST, PRICE, None), admission, 0.0)

    async def taken(self) -> Usage:
        """What was charged once all pieces were taken and it was closed, twice."""
        async for _ in self.heard.pieces():
            pass
        await self.heard.close()
        await self.heard.close()
        return self.charged()

    def charged(self) -> Usage:
        (row,) = self.ledger.usage(0, ["key"])
        return row.usage


async def test_a_body_that_nobody_takes_is_settled_when_it_is_closed(tmp_path: Path) -> None:
    held = Held(tmp_path, b"")
    assert held.ledger.usage(0, ["key"]) == []
    await held.heard.close()
    assert held.charged() == WORST
    assert held.closed == 1


@pytest.mark.parametrize(
    "usage", [None, {}, {"input_tokens": 5.0, "output_tokens": 1}, {"input_tokens": -5, "output_tokens": 1}]
)
async def test_an_answer_that_does_not_say_what_it_used_is_charged_its_worst_case(tmp_path: Path, usage: Any) -> None:
    assert await Held(tmp_path, json.dumps({"type": "message", "usage": usage}).encode()).taken() == WORST


async def test_one_that_says_it_is_charged_that(tmp_path: Path) -> None:
    told = {"input_tokens": 5, "output_tokens": 1}
    assert await Held(tmp_path, json.dumps({"type": "message", "usage": told}).encode()).taken() == Usage(5, 1)


def events(*kinds: dict[str, Any]) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (each["type"].encode(), json.dumps(each).encode()) for each in kinds)


START = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}
STOP = {"type": "message_stop"}


@pytest.mark.parametrize(
    ("body", "charged"),
    [
        (events(STOP), WORST),
        (events(START, STOP), Usage(7, 500)),
        (events(START, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9}}, STOP), Usage(7, 9)),
        (events(START, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9}}), Usage(7, 500)),
        (events({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}), Usage()),
        (b"", WORST),
    ],
)
async def test_a_stream_is_charged_what_it_says_to_its_end(tmp_path: Path, body: bytes, charged: Usage) -> None:
    assert await Held(tmp_path, body, STREAM).taken() == charged


async def test_an_error_costs_nothing(tmp_path: Path) -> None:
    assert await Held(tmp_path, b"{}", status=529).taken() == Usage()


async def test_an_error_that_nobody_reads_is_an_error_all_the_same(tmp_path: Path) -> None:
    held = Held(tmp_path, b"{}", status=529)
    await held.heard.close()
    (row,) = held.ledger.usage(0, ["key"])
    assert (row.errors, row.usage) == (1, Usage())


async def test_a_stream_is_one_however_its_type_is_written(tmp_path: Path) -> None:
    end = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9}}
    headers = [("content-type", "Text/Event-Stream")]
    assert await Held(tmp_path, events(START, end, STOP), headers).taken() == Usage(7, 9)


@pytest.mark.parametrize("last", [STOP, {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}])
async def test_what_comes_after_the_end_passes_too(tmp_path: Path, last: dict[str, Any]) -> None:
    held = Held(tmp_path, events(START, last) + b": no blank line", STREAM)
    assert b"".join([piece async for piece in held.heard.pieces()]).endswith(b": no blank line")
