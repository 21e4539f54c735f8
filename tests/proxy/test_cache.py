"""The response cache in a proxy that is served: what is given again and to whom, what never is, and what is told."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from anthropic.types import Message
from anyio.abc import SocketStream
from inline_snapshot import snapshot

from fixtures.messages_answers import Answer
from fixtures.messages_server import INPUT_TOKENS, Handler, MessagesServer
from mcp_hub.proxy.pricing import NANO, PriceList, Usage, cost
from mcp_hub.store.database import FILE_NAME
from tests.proxy.caches import ASK, ask, entries, ids, kept, said, settled, told
from tests.proxy.conftest import CREDENTIAL, KEY, MODEL, Running, Serving
from tests.support import PATIENCE, series_in, served

pytestmark = pytest.mark.anyio

PRICE = PriceList.shipped().of(MODEL)
OTHER_KEY = "another-key-of-the-tests-0123"
TWO_KEYS = [
    {"name": "ci", "key": KEY, "team": "web"},
    {"name": "dev", "key": OTHER_KEY, "team": "web"},
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class HeldHandler(Handler):
    """Holds each message after its first piece until the gate opens."""

    def _write(self, piece: bytes, answer: Answer) -> None:
        super()._write(piece, answer)
        assert isinstance(self.server, HeldServer)
        if self.path.startswith("/v1/messages"):
            self.server.begun.set()
            self.server.gate.wait(PATIENCE)


class HeldServer(MessagesServer):
    def __init__(self) -> None:
        super().__init__(CREDENTIAL)
        self.RequestHandlerClass = HeldHandler
        self.gate = threading.Event()
        self.begun = threading.Event()


@pytest.fixture
def held() -> Iterator[HeldServer]:
    server = HeldServer()
    with served(server):
        yield server
        server.gate.set()


async def test_the_same_request_is_answered_again_without_the_model(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache={}) as running:
        first = await ask(running)
        await kept(running, 1)
        second = await ask(running)
        (row,) = running.spent()
    assert len(upstream.served) == 1
    assert (first.json(), first.status_code) == (second.json(), second.status_code)
    assert told(first) == snapshot("mcp_hub; fwd=uri-miss")
    assert told(second) == snapshot("mcp_hub; hit; kind=exact")
    assert second.headers["age"] == "0"
    assert PRICE is not None
    used = Usage(input=INPUT_TOKENS, output=5, cache_read=3)
    assert (row.requests, row.served, row.usage, row.dollars) == (2, 1, used, cost(used, PRICE))
    assert (row.saved_dollars, row.saved_tokens) == (cost(used, PRICE), used.tokens)


async def test_without_its_table_nothing_is_kept_and_nothing_told(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running:
        answers = [await ask(running) for _ in range(2)]
    assert (len(upstream.served), entries(running)) == (2, 0)
    assert not [answer for answer in answers if "cache-status" in answer.headers]


async def test_a_stream_and_a_whole_answer_share_an_entry(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache={}) as running, running.client() as client:
        streamed = await ask(running, "think", stream=True)
        await kept(running, 1)
        whole = await client.messages.create(**ASK, messages=said("think"))
        again = await ask(running, "think", stream=True)
        other = await ask(running, "say it whole")
        await kept(running, 2)
        async with client.messages.stream(**ASK, messages=said("say it whole")) as stream:
            told_as_stream = await stream.get_final_message()
    assert len(upstream.served) == 2
    assert again.content == streamed.content
    assert again.headers["content-type"].startswith("text/event-stream")
    assert whole.content[0].type == "thinking"
    expected = Message.model_validate(other.json())
    assert told_as_stream.model_dump(exclude_none=True) == expected.model_dump(exclude_none=True)


@pytest.mark.parametrize(
    ("what", "stream"),
    [
        ("cut", True),
        ("torn", True),
        *(
            (what, stream)
            for what in ("overload", "error 529", "error 400", "tools", "search")
            for stream in (True, False)
        ),
    ],
)
async def test_what_is_no_complete_answer_is_never_kept(
    proxied: Serving, upstream: MessagesServer, what: str, stream: bool
) -> None:
    async with proxied(cache={}) as running:
        for _ in range(2):
            try:
                answer = await ask(running, what, stream=stream)
                assert "hit" not in answer.headers["cache-status"]
            except httpx2.RemoteProtocolError:
                pass
    assert entries(running) == 0


async def test_answers_that_call_tools_are_kept_where_that_is_wanted(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(cache={"tool_calls": True}) as running:
        first = await ask(running, "tool", stream=True)
        await kept(running, 1)
        second = await ask(running, "tool", stream=True)
    assert len(upstream.served) == 1
    assert first.content == second.content


async def test_an_answer_is_given_to_no_other_key(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache={}, keys=TWO_KEYS) as running:
        await ask(running)
        await kept(running, 1)
        other = await ask(running, key=OTHER_KEY)
    assert told(other) == "mcp_hub; fwd=uri-miss"
    assert len(upstream.served) == 2


async def test_a_team_may_share_its_answers(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache={"shared_by": "team"}, keys=TWO_KEYS) as running:
        await ask(running)
        await kept(running, 1)
        other = await ask(running, key=OTHER_KEY)
        rows = {row.group: (row.requests, row.served, row.dollars > 0) for row in running.spent("key")}
    assert told(other) == "mcp_hub; hit; kind=exact"
    assert rows == {("ci",): (1, 0, True), ("dev",): (1, 1, False)}


async def test_clients_without_keys_share_by_their_credential(proxied: Serving, upstream: MessagesServer) -> None:
    anybody = [{"name": "anthropic", "url": upstream.url}]
    async with proxied(cache={}, keys=[], upstreams=anybody) as running:
        first = await ask(running, key=CREDENTIAL)
        await kept(running, 1)
        again = await ask(running, key=CREDENTIAL)
        other = await ask(running, key="somebody-elses")
    assert (told(first), told(again)) == ("mcp_hub; fwd=uri-miss", "mcp_hub; hit; kind=exact")
    assert other.status_code == 401


async def test_a_client_may_ask_for_a_new_answer_or_leave_none_behind(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(cache={}) as running:
        unkept = await ask(running, "say it once", cache_control="no-store")
        first = await ask(running)
        await kept(running, 1)
        before = ids(running)
        new = await ask(running, cache_control="no-cache")
        with anyio.fail_after(PATIENCE):
            while ids(running) == before:
                await anyio.sleep(0.01)
        young = await ask(running, cache_control="max-age=60")
        old = await ask(running, cache_control="max-age=0")
    assert [told(each) for each in (unkept, first, new, young, old)] == snapshot(
        [
            "mcp_hub; fwd=uri-miss",
            "mcp_hub; fwd=uri-miss",
            'mcp_hub; fwd=request; detail="the client asked for a new answer"',
            "mcp_hub; hit; kind=exact",
            'mcp_hub; fwd=request; detail="the client asked for a new answer"',
        ]
    )
    assert len(upstream.served) == 4


async def test_what_passes_by_says_why(proxied: Serving) -> None:
    search = [{"type": "web_search_20250305", "name": "web_search"}]
    async with proxied(
        cache={"models": ["claude-*"], "max_temperature": 0.5, "exact_for": ["ci"]}, keys=TWO_KEYS
    ) as running:
        answers = [
            await ask(running, temperature=1.0),
            await ask(running, tools=search),
            await ask(running, max_tokens=0),
            await ask(running, key=OTHER_KEY),
            await ask(running, model="gpt-2"),
            await ask(running, system="Working directory: /srv/other"),
            await ask(running, system="Working directory: /srv/other", x_forwarded_for="10.0.0.1"),
        ]
    assert [told(each) for each in answers] == snapshot(
        [
            'mcp_hub; fwd=bypass; detail="its temperature asks for variety"',
            'mcp_hub; fwd=bypass; detail="the API runs tools in it"',
            'mcp_hub; fwd=bypass; detail="it only fills the prompt cache"',
            'mcp_hub; fwd=bypass; detail="the cache is off for this key"',
            'mcp_hub; fwd=bypass; detail="the cache is off for this model"',
            'mcp_hub; fwd=bypass; detail="the folder isn\'t under a root of proxy.cache.roots"',
            'mcp_hub; fwd=bypass; detail="the workspace is on another machine, and its state can\'t be known here"',
        ]
    )


async def test_a_budget_that_is_spent_does_not_keep_what_costs_nothing_from_its_key(
    proxied: Serving, upstream: MessagesServer
) -> None:
    limits = {"budgets": {"team": {"web": {"request_limit": 1, "request_limit_duration": "1d"}}}}
    async with proxied(cache={}, **limits) as running:
        await ask(running)
        await kept(running, 1)
        again, another = await ask(running), await ask(running, "say something else")
    assert (again.status_code, another.status_code) == (200, 402)
    assert len(upstream.served) == 1


async def test_an_answer_that_was_shortened_for_a_budget_is_not_kept(
    proxied: Serving, upstream: MessagesServer
) -> None:
    dollars = {"budgets": {"team": {"web": {"budget_limit": "0.05", "budget_duration": "1d"}}}, "output_floor": 1}
    async with proxied(cache={}, **dollars) as running:
        lowered = await ask(running, max_tokens=10_000)
    assert "x-mcp-hub-max-tokens" in lowered.headers
    assert entries(running) == 0


async def test_an_answer_of_a_fallback_is_not_kept_for_the_model_that_was_asked(
    proxied: Serving, upstream: MessagesServer
) -> None:
    upstreams = [
        {"name": "gone", "url": "http://127.0.0.1:9", "credential": CREDENTIAL},
        {"name": "anthropic", "url": upstream.url, "credential": CREDENTIAL},
    ]
    pins = [{"when": "*", "upstream": "gone", "fallbacks": ["anthropic"]}]
    async with proxied(cache={}, upstreams=upstreams, pins=pins) as running:
        answer = await ask(running)
    assert "x-mcp-hub-fallback" in answer.headers
    assert (len(upstream.served), entries(running)) == (1, 0)


async def test_a_damaged_store_costs_a_hit_and_no_answer(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache={}) as running:
        await ask(running)
        await kept(running, 1)
        with sqlite3.connect(running.state / FILE_NAME) as connection:
            connection.execute("drop table response_contents")
        answer = await ask(running)
    assert (answer.status_code, told(answer)) == (200, "mcp_hub; fwd=uri-miss")
    assert len(upstream.served) == 2


async def test_an_old_answer_is_not_given(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache={"ttl_seconds": 60}) as running:
        await ask(running)
        await kept(running, 1)
        with sqlite3.connect(running.state / FILE_NAME) as connection:
            connection.execute("update responses set kept_at = kept_at - 61")
        assert told(await ask(running)) == "mcp_hub; fwd=uri-miss"
    assert len(upstream.served) == 2


async def test_a_stream_may_be_given_again_at_its_pace(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache={"pace": "recorded"}) as running:
        first = await ask(running, "say in many pieces", stream=True)
        await kept(running, 1)
        again = await ask(running, "say in many pieces", stream=True)
    assert again.content == first.content
    assert "content-length" not in again.headers
    assert len(upstream.served) == 1


async def all_at_once(running: Running, count: int, **more: Any) -> list[httpx2.Response]:
    answers: list[httpx2.Response] = []

    async def one() -> None:
        answers.append(await ask(running, **more))

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return answers


@pytest.mark.parametrize("stream", [True, False])
async def test_a_hundred_that_ask_at_once_are_answered_by_one_call(
    proxied: Serving, upstream: MessagesServer, stream: bool
) -> None:
    async with proxied(cache={}) as running:
        answers = await all_at_once(running, 100, text="say the same to all", stream=stream)
        row = await settled(running, 100)
    assert len(upstream.served) == 1
    assert {answer.content for answer in answers} == {answers[0].content}
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["x-mcp-hub-request"] for answer in answers}) == 100
    assert (row.requests, row.served) == (100, 99)
    assert PRICE is not None
    assert row.saved_dollars == 99 * row.dollars


@pytest.mark.parametrize("stream", [True, False])
async def test_others_have_the_whole_answer_when_the_first_client_goes(
    proxied: Serving, held: HeldServer, stream: bool
) -> None:
    upstreams = [{"name": "anthropic", "url": held.url, "credential": CREDENTIAL}]
    text = "say to those who stay | drip"
    answers: list[bytes] = []
    async with proxied(cache={}, upstreams=upstreams) as running, anyio.create_task_group() as tasks:
        first = await begun(running, text, stream)
        await anyio.to_thread.run_sync(held.begun.wait, PATIENCE)
        for _ in range(20):
            tasks.start_soon(heard, await begun(running, text, stream), answers)
        await gone(first)
        held.gate.set()
        with anyio.fail_after(PATIENCE):
            while len(answers) < 20:
                await anyio.sleep(0.01)
        row = await settled(running, 21)
    assert len(held.served) == 1
    assert set(answers) == {answers[0]}
    assert b"stay" in answers[0]
    assert (row.requests, row.served, row.errors) == (21, 20, 0)


async def test_when_all_clients_have_gone_the_model_is_not_listened_to(proxied: Serving, held: HeldServer) -> None:
    upstreams = [{"name": "anthropic", "url": held.url, "credential": CREDENTIAL}]
    async with proxied(cache={}, upstreams=upstreams) as running:
        for client in [await begun(running, "say nothing to nobody | drip", True) for _ in range(3)]:
            await gone(client)
        held.gate.set()
        row = await settled(running, 3)
        again = await ask(running, "say nothing to nobody | drip", stream=True)
    assert row.usage.output > 0
    assert told(again) == "mcp_hub; fwd=uri-miss"


async def begun(running: Running, text: str, stream: bool, heads: list[bytes] | None = None) -> SocketStream:
    """A client that has asked, and has the beginning of its answer, which is added to `heads`."""
    host, _, port = running.url.removeprefix("http://").partition(":")
    client = await anyio.connect_tcp(host, int(port))
    body = json.dumps({**ASK, "messages": said(text), "stream": stream}).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: {host}\r\nx-api-key: {KEY}\r\nconnection: close\r\n"
    await client.send(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    with anyio.fail_after(PATIENCE):
        answer = await client.receive()
    assert b"200 OK" in answer
    if heads is not None:
        heads.append(answer)
    return client


async def gone(client: SocketStream) -> None:
    """Go away, and wait until the proxy has noticed."""
    await client.send_eof()
    with anyio.fail_after(PATIENCE):
        async for _ in client:
            pass
    await client.aclose()


async def heard(client: SocketStream, answers: list[bytes]) -> None:
    """All that comes until the answer has ended."""
    answers.append(b"".join([piece async for piece in client]))
    await client.aclose()


async def test_an_entry_under_the_digest_of_another_request_is_not_given(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(cache={}) as running:
        await ask(running, "say a")
        await kept(running, 1)
        await ask(running, "say b")
        await kept(running, 2)
        with sqlite3.connect(running.state / FILE_NAME) as connection:
            (digest,) = connection.execute("select digest from responses order by number desc").fetchone()
            connection.execute("delete from responses where digest = ?", [digest])
            connection.execute("update responses set digest = ?", [digest])
        answer = await ask(running, "say b")
    assert answer.json()["content"][0]["text"] == "b"
    assert told(answer) == "mcp_hub; fwd=uri-miss"


async def test_the_metrics_tell_what_the_cache_made_of_requests_and_what_it_saved(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(cache={}) as running:
        await ask(running)
        await kept(running, 1)
        await ask(running)
        await ask(running, max_tokens=0)
        async with httpx2.AsyncClient(verify=False) as client:
            series = series_in((await client.get(f"{running.url}/metrics")).text)
    assert {name: value for name, value in series.items() if name.startswith("proxy_cache_total")} == {
        "proxy_cache_total ci miss web": 1,
        "proxy_cache_total ci exact web": 1,
        "proxy_cache_total ci bypass web": 1,
    }
    assert PRICE is not None
    saved = cost(Usage(input=INPUT_TOKENS, output=5, cache_read=3), PRICE)
    assert series[f"proxy_cache_saved_dollars_total ci {MODEL} web"] == pytest.approx(saved / NANO)


async def test_an_upstream_that_has_taken_anothers_name_is_asked(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache={}) as running:
        await ask(running)
        await kept(running, 1)
    moved = [{"name": "anthropic", "url": f"{upstream.url}/", "credential": CREDENTIAL}]
    async with proxied(cache={}, upstreams=moved) as running:
        assert "hit" not in told(await ask(running))


async def test_a_key_that_has_taken_anothers_name_is_given_nothing_of_it(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(cache={}) as running:
        await ask(running)
        await kept(running, 1)
    async with proxied(cache={}, keys=[{"name": "ci", "key": OTHER_KEY}]) as running:
        assert told(await ask(running, key=OTHER_KEY)) == "mcp_hub; fwd=uri-miss"


async def test_lines_of_one_header_count_together(proxied: Serving) -> None:
    async with proxied(cache={}) as running:
        await ask(running, cache_control=["no-store", "max-age=100"])
    assert entries(running) == 0


async def test_a_body_that_the_cache_cannot_read_is_answered_by_the_model(
    proxied: Serving, upstream: MessagesServer
) -> None:
    deep: Any = []
    for _ in range(700):
        deep = [deep]
    async with proxied(cache={}) as running:
        answers = [await ask(running, unknown=deep) for _ in range(2)]
    assert {each.status_code for each in answers} == {200}


async def test_who_listens_is_told_nothing_of_whoever_asked_first(proxied: Serving, held: HeldServer) -> None:
    upstreams = [{"name": "anthropic", "url": held.url, "credential": CREDENTIAL}]
    heads: list[bytes] = []
    async with proxied(cache={}, upstreams=upstreams) as running:
        for client in [await begun(running, "say it | drip", True, heads) for _ in range(2)]:
            await gone(client)
    first, second = (head.partition(b"\r\n\r\n")[0].lower() for head in heads)
    assert b"set-cookie" in first
    assert b"collapsed" in second
    for name in (b"set-cookie", b"anthropic-organization-id", b"ratelimit"):
        assert name not in second
