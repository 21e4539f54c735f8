"""Answers on their way: settled once, also when nobody takes a piece, and at the worst case where they don't say."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mcp_hub.proxy import answer as module
from mcp_hub.proxy.admission import Admission, Admitted
from mcp_hub.proxy.answer import Heard
from mcp_hub.proxy.budgets import Want
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.pricing import Price, PriceList, Usage, cost, worst_cost
from mcp_hub.proxy.upstreams.upstream import Reply
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

    def __init__(
        self,
        folder: Path,
        body: bytes,
        headers: Sequence[tuple[str, str]] = (),
        *,
        status: int = 200,
        grows: bool = False,
        price: Price = PRICE,
    ) -> None:
        open_database(folder).conn.close()
        self.ledger = Ledger(folder / FILE_NAME, "tests")
        entry = Entry("r", 1.0, "ci", "", "", "u", "s", "m", "m")
        self.ledger.reserve(entry, [], Want(1_500, 1_500), 1.0)
        self.closed, self.price = 0, price

        async def pieces() -> AsyncIterator[bytes]:
            yield body

        def close() -> None:
            self.closed += 1

        admission = Admission(ProxySettings(), PriceList.shipped(), self.ledger, Metrics(str), lambda: 1.0)
        reply = Reply(status, headers, pieces(), close)
        self.heard = Heard(reply, Admitted(entry, WORST, price, grows, None), admission, 0.0)

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


async def test_what_nothing_is_known_of_is_charged_at_the_dearest_price_as_it_was_reserved(tmp_path: Path) -> None:
    """The cache may have read the whole prompt, and a price that somebody sets for that may be the dearest."""
    held = Held(tmp_path, b"", STREAM, price=Price(500, 1, 500, 500, 2_000, 1))
    await held.taken()
    (row,) = held.ledger.usage(0, ["key"])
    assert row.dollars == worst_cost(WORST, held.price) > cost(WORST, held.price)


async def test_where_the_api_runs_tools_the_input_told_at_the_beginning_is_only_a_part(tmp_path: Path) -> None:
    cut = events(START)
    assert await Held(tmp_path, cut, STREAM, grows=True).taken() == WORST


async def test_cache_reads_without_an_input_are_not_added_to_the_worst_case(tmp_path: Path) -> None:
    start = {"type": "message_start", "message": {"usage": {"cache_read_input_tokens": 900}}}
    assert await Held(tmp_path, events(start, STOP), STREAM).taken() == WORST


@pytest.mark.parametrize(
    ("usage", "grows", "noted"),
    [
        ({"input_tokens": 7}, False, 7 + 500),
        ({"cache_read_input_tokens": 9}, False, 1_500),
        ({"input_tokens": 7}, True, 1_500),
    ],
)
async def test_a_killed_proxys_request_is_charged_what_it_had_told_if_that_was_all_of_its_input(
    tmp_path: Path, usage: dict[str, int], grows: bool, noted: int
) -> None:
    held = Held(tmp_path, events({"type": "message_start", "message": {"usage": usage}}), STREAM, grows=grows)
    pieces = held.heard.pieces()
    await anext(pieces)
    await anext(pieces)  # what was told is noted before the next piece comes
    with closing(Ledger(tmp_path / FILE_NAME, "the next")) as other:
        other.recover(lambda name: False)
        assert [row.tokens for row in other.usage(0, [])] == [noted]
    await pieces.aclose()


async def test_an_answer_that_is_too_long_to_be_one_passes_and_is_charged_its_worst_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE_BYTES", 10)
    body = json.dumps({"type": "message", "usage": {"input_tokens": 5, "output_tokens": 1}}).encode()
    held = Held(tmp_path, body)
    assert b"".join([piece async for piece in held.heard.pieces()]) == body
    assert held.charged() == WORST


async def test_a_stream_that_breaks_off_is_in_the_log_by_its_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await Held(tmp_path, events(START), STREAM).taken()
    assert caplog.messages == ["r: The upstream 'u' ended its answer in the middle."]
