"""Admission: what makes a request fit that doesn't by its bytes, and what happens when the ledger can't be written."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from fixtures.messages_server import INPUT_TOKENS, MessagesServer
from mcp_hub.proxy import admission
from mcp_hub.proxy.admission import Admission, Admitted, End
from mcp_hub.proxy.budgets import Cap, Period
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.pricing import PriceList, Usage
from mcp_hub.proxy.wire import MessagesRequest
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.store import connection as connections
from mcp_hub.store import ledger, writer
from mcp_hub.store.database import FILE_NAME, database_file
from mcp_hub.store.ledger import Entry, Ledger, Status
from tests.proxy.conftest import KEY, MODEL, Running, Serving
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

CAP = {"budgets": {"team": {"web": {"budget_limit": "0.05", "budget_duration": "1d"}}}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def body(text: str, **more: Any) -> bytes:
    return json.dumps(
        {"model": MODEL, "max_tokens": 50, **more, "messages": [{"role": "user", "content": text}]}
    ).encode()


async def ask(running: Running, sent: bytes) -> httpx2.Response:
    async with httpx2.AsyncClient(verify=False, timeout=PATIENCE) as client:
        return await client.post(f"{running.url}/v1/messages", content=sent, headers={"x-api-key": KEY})


def paths(upstream: MessagesServer) -> list[str]:
    return [each["path"].removeprefix("/v1/messages") for each in upstream.requests]


async def test_a_prompt_that_does_not_fit_by_its_bytes_is_counted_by_the_upstream(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(**CAP) as running:
        answer = await ask(running, body("x" * 60_000, temperature=0.5))
    assert answer.status_code == 200
    assert paths(upstream) == ["/count_tokens", ""]
    counted = json.loads(upstream.requests[0]["body"])
    assert set(counted) == {"model", "messages"}


async def test_one_that_fits_is_not_counted(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(**CAP) as running:
        assert (await ask(running, body("say hello"))).status_code == 200
    assert paths(upstream) == [""]


async def test_tools_that_the_api_runs_are_not_counted_for_they_bring_more(
    proxied: Serving, upstream: MessagesServer
) -> None:
    search = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]
    async with proxied(**CAP) as running:
        assert (await ask(running, body("say hello", tools=search))).status_code == 402
    assert upstream.requests == []


async def test_what_still_does_not_fit_is_lowered_after_the_count(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(**CAP) as running:
        answer = await ask(running, body("x" * 60_000, max_tokens=100_000))
    assert answer.status_code == 200
    assert paths(upstream) == ["/count_tokens", ""]
    assert 1024 <= int(answer.headers["x-mcp-hub-max-tokens"]) < 100_000


async def test_servers_that_the_api_calls_are_not_counted_either(proxied: Serving, upstream: MessagesServer) -> None:
    servers = [{"type": "url", "url": "https://mcp.example", "name": "a"}]
    async with proxied(**CAP) as running:
        assert (await ask(running, body("say hello", mcp_servers=servers))).status_code == 402
    assert upstream.requests == []


async def test_requests_side_by_side_that_must_all_be_lowered_are_all_answered(
    proxied: Serving, upstream: MessagesServer
) -> None:
    """The first takes all the room that there is, and uses little of it."""
    answers: list[int] = []
    async with proxied(**CAP, wait_seconds=PATIENCE) as running:

        async def one() -> None:
            answers.append((await ask(running, body("say hello", max_tokens=128_000))).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)
    assert answers == [200] * 4


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """While another process would be writing for long."""
    with closing(sqlite3.connect(state / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger waits no longer than it must for others."""
    for module in (writer, connections):
        monkeypatch.setattr(module, "BUSY_TIMEOUT", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_ledger_that_cannot_be_written_refuses_what_is_under_a_cap_and_nothing_else(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(**CAP) as running:
        with locked(running.state):
            refused = await ask(running, body("say hello"))
    assert refused.status_code == 503
    assert "nothing can be spent under the cap of team 'web'" in refused.json()["error"]["message"]
    assert upstream.requests == []
    async with proxied() as running:
        with locked(running.state):
            assert (await ask(running, body("say hello"))).status_code == 200
        assert running.spent() == []


@pytest.mark.usefixtures("impatient")
async def test_what_could_not_be_settled_is_settled_later(
    proxied: Serving, upstream: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = ledger.Ledger.settle
    failures = iter([sqlite3.OperationalError("database or disk is full")])

    def once(self: ledger.Ledger, *arguments: Any) -> bool:
        for failure in failures:
            raise failure
        return settle(self, *arguments)

    monkeypatch.setattr(ledger.Ledger, "settle", once)
    async with proxied(**CAP) as running:
        assert (await ask(running, body("say hello"))).status_code == 200
        with anyio.fail_after(PATIENCE):
            while not (rows := running.spent()):
                await anyio.sleep(0.01)
    assert rows[0].usage.input == INPUT_TOKENS


class Budgeted:
    """An admission over a ledger, with keys that may use 4,000 tokens a year, and how often the ledger was read."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(database_file(folder), "tests")
        settings = ProxySettings(when_too_large="refuse")
        prices = PriceList.shipped()
        self.admission = Admission(settings, prices, self.ledger, Metrics(prices.entry), lambda: 1.8e9)
        self.admitted: list[str] = []

    async def ask(self, id: str, key: str, max_tokens: int = 2_000) -> Admitted:
        """Admit a request of a key."""
        entry = Entry(id, 1.8e9, key, "", "", "anthropic", "", MODEL, MODEL)
        cap = Cap("key", key, "tokens", 4_000, Period("1Y"))
        request = MessagesRequest.parse(body("hello", max_tokens=max_tokens))

        async def uncounted(_: MessagesRequest) -> None:
            return None

        admitted, _ = await self.admission.admit(entry, request, [cap], uncounted)
        self.admitted.append(id)
        return admitted

    async def settle(self, admitted: Admitted) -> None:
        await self.admission.settle(admitted, End(Usage(), Status.OK, 200, 0.1, 0.2))

    async def until_waiting(self, count: int) -> None:
        with anyio.fail_after(PATIENCE):
            while len(self.admission._waiting) != count:
                await anyio.sleep(0.01)


@pytest.fixture
def budgeted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Budgeted]:
    monkeypatch.setattr(admission, "ASK_AGAIN", PATIENCE)
    made = Budgeted(tmp_path)
    yield made
    made.ledger.close()


async def test_who_waits_is_woken_by_what_settles_under_its_own_cap_and_by_nothing_else(
    budgeted: Budgeted, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await budgeted.ask("first", "mine")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(budgeted.ask, "second", "mine")
        await budgeted.until_waiting(1)
        (event,) = budgeted.admission._waiting
        await budgeted.settle(await budgeted.ask("other", "theirs"))
        assert not event.is_set()
        await budgeted.settle(first)
        with anyio.fail_after(PATIENCE):
            while len(budgeted.admitted) < 3:
                await anyio.sleep(0.01)
    assert budgeted.admitted == ["first", "other", "second"]


async def test_of_many_who_wait_the_first_are_woken_first(budgeted: Budgeted) -> None:
    first = await budgeted.ask("first", "mine")
    async with anyio.create_task_group() as tasks:
        for number in range(admission.WOKEN + 2):
            tasks.start_soon(budgeted.ask, f"{number}", "mine")
            await budgeted.until_waiting(number + 1)
        events = list(budgeted.admission._waiting)
        await budgeted.settle(first)
        assert [event.is_set() for event in events] == [True] * admission.WOKEN + [False] * 2
        with anyio.fail_after(PATIENCE):
            while len(budgeted.admitted) < 2:
                await anyio.sleep(0.01)
        assert int(budgeted.admitted[1]) < admission.WOKEN
        tasks.cancel_scope.cancel()


async def test_what_the_ledger_could_not_record_is_neither_noted_nor_settled(
    budgeted: Budgeted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    for name in ("reserve", "noted", "settle"):
        monkeypatch.setattr(budgeted.ledger, name, fails)
    entry = Entry("r", 1.8e9, "mine", "", "", "anthropic", "", MODEL, MODEL)

    async def uncounted(_: MessagesRequest) -> None:
        return None

    admitted, _ = await budgeted.admission.admit(entry, MessagesRequest.parse(body("hello")), [], uncounted)
    await budgeted.admission.note(admitted, Usage(input=1))
    await budgeted.settle(admitted)
    assert budgeted.admission._unsettled == {}
