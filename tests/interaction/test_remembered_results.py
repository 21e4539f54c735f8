"""Read-only calls through a whole hub: programs and sessions that repeat themselves ask the server once."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from mcp_hub.config import Loaded, parse
from mcp_hub.store.runs import Outcome
from tests.ledger import SERVER, LedgerHub, configuration, ledger_hub, nothing_left
from tests.spans import Taken
from tests.support import PATIENCE, series_in

pytestmark = pytest.mark.anyio

REMEMBERED = SERVER.replace("timeout = 20", 'timeout = 20\ncache = { "*" = "1h", add = "1h" }')


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LedgerHub]:
    """A hub over the ledger server that remembers, for all tests of this file."""
    async with ledger_hub(tmp_path_factory.mktemp("remembered"), server=REMEMBERED, measured=True) as opened:
        yield opened


def look(text: str) -> str:
    return f'result = api.look(text="{text}")["calls"]'


async def is_asked_for(api: LedgerHub, text: str) -> bool:
    """Whether a look reaches the server."""
    before = len(api.received(text))
    await api.value(look(text))
    return len(api.received(text)) > before


async def counted(api: LedgerHub) -> dict[str, float]:
    assert api.hub.metrics is not None
    return series_in((await api.hub.metrics.exposition()).decode())


async def spared(api: LedgerHub) -> float:
    """How many calls needed no call of the server so far."""
    return (await counted(api)).get("calls_remembered_total api", 0)


async def until_spared(api: LedgerHub, count: float) -> None:
    """Wait until so many calls needed none."""
    with anyio.fail_after(PATIENCE):
        while await spared(api) < count:
            await anyio.sleep(0.005)


async def test_a_program_that_repeats_itself_asks_once_and_so_do_the_next_programs(api: LedgerHub) -> None:
    code = '[api.look(text="loop")["calls"] for _ in range(20)]'
    values = await api.value(f"result = {code}")
    assert values == [values[0]] * 20
    assert await api.value(look("loop")) == values[0]
    assert await api.value(f"result = {code}", client="attached:another window") == values
    assert api.received("loop") == ["look loop"]


async def test_clients_with_tokens_of_their_own_are_told_nothing_of_each_others_calls(api: LedgerHub) -> None:
    for client in ("client:ada", "client:bob", "client:ada"):
        await api.value(look("clients"), client=client)
    assert api.received("clients") == ["look clients"] * 2


async def test_the_journal_records_each_call(api: LedgerHub) -> None:
    done = await api.run('first = api.look(text="journal")\nsecond = api.look(text="journal")')
    first, second = await api.calls(done.run_id)
    assert second.result == first.result
    assert (first.outcome, second.outcome) == (Outcome.OK, Outcome.OK)
    assert (first.key, first.digest, first.arguments) == (second.key, second.digest, second.arguments)
    assert first.seconds is not None
    assert second.seconds is None, "the server wasn't asked"


async def test_branches_side_by_side_share_one_call(api: LedgerHub) -> None:
    code = 'result = parallel(lambda _: api.watch(text="branches"), range(5))'
    values: list[list[str]] = []
    before = await spared(api)

    async def run() -> None:
        values.append(await api.value(code))

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(run)
        await until_spared(api, before + 9)
        await api.value("api.release()")
    assert values == [["released"] * 5] * 2
    assert api.received("branches") == ["watch branches"]


async def test_a_program_that_is_cancelled_leaves_a_shared_call_to_the_other(api: LedgerHub) -> None:
    values: list[str] = []
    before = await spared(api)
    first = anyio.CancelScope()

    async def wait(scope: anyio.CancelScope) -> None:
        with scope:
            values.append(await api.value('result = api.watch(text="cancelled")'))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, first)
        await api.receives("cancelled")
        tasks.start_soon(wait, anyio.CancelScope())
        await until_spared(api, before + 1)
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        await api.value("api.release()")
    assert values == ["released"]
    assert api.received("cancelled") == ["watch cancelled"]


async def test_a_call_that_may_change_something_is_seen_by_the_next_look(api: LedgerHub) -> None:
    before = await api.value(look("changed"))
    assert await api.value(look("changed")) == before
    code = 'api.add(text="a change")\nresult = api.look(text="changed")["calls"]'
    assert await api.value(code) == before + 2
    assert api.received("changed") == ["look changed"] * 2
    await api.value('api.add(text="a change")')
    assert api.received("a change") == ["add a change"] * 2, "never remembered, although it is configured"


async def test_a_failure_is_asked_again(api: LedgerHub) -> None:
    for _ in range(2):
        await api.failed('api.fail(text="fails")')
    assert len(api.received("fails")) == 2


async def test_a_server_that_started_again_is_asked_again(api: LedgerHub) -> None:
    assert [await is_asked_for(api, "restarted") for _ in range(2)] == [True, False]
    await api.failed('api.look_once(text="restarts")')
    assert [await is_asked_for(api, "restarted") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("news", ["tools/list_changed", "resources/updated", "resources/list_changed"])
async def test_a_server_that_says_that_something_changed_is_asked_again(api: LedgerHub, news: str) -> None:
    assert [await is_asked_for(api, news) for _ in range(2)] == [True, False]
    await api.value(f'api.hear(text="notifications/{news}")')
    with anyio.fail_after(PATIENCE):  # the notice takes a longer way than the answer after it
        while not await is_asked_for(api, news):
            await anyio.sleep(0.005)


async def test_other_news_drop_nothing(api: LedgerHub) -> None:
    await api.value(look("other news"))
    await api.value('api.hear(text="notifications/prompts/list_changed")')
    await api.value('api.look(text="meanwhile")')
    assert not await is_asked_for(api, "other news")


async def test_a_changed_configuration_drops_everything_and_leaves_the_server_alone(
    api: LedgerHub, tmp_path: Path
) -> None:
    assert [await is_asked_for(api, "reloaded") for _ in range(2)] == [True, False]
    asked_by = api.hub.downstreams["api"]

    async def take_over(server: str) -> None:
        path = configuration(tmp_path, server=server.replace("{ledger}", str(api.ledger)))
        settings = parse(path.read_text(), path, {})
        await api.hub.take_over(Loaded(settings, (path,), parts=((path, settings),)))

    await take_over(SERVER)
    assert [await is_asked_for(api, "reloaded") for _ in range(2)] == [True, True]
    await take_over(REMEMBERED)
    assert [await is_asked_for(api, "reloaded") for _ in range(2)] == [True, False]
    assert api.hub.downstreams["api"] is asked_by


async def test_a_resumed_run_is_answered_from_its_record(api: LedgerHub) -> None:
    code = '[api.look(text="resumed")["calls"] for _ in range(2)]'
    done = await api.failed(f"print({code})\nfail('stop')")
    await api.value('api.add(text="meanwhile")')
    again = await api.run(f"result = {code} + [api.look(text='resumed')['calls']]", done.run_id)
    assert str(again.run.value[:2]) in done.run.log
    assert [call.outcome for call in await api.calls(again.run_id)] == [Outcome.REUSED, Outcome.REUSED, Outcome.OK]
    assert len(api.received("resumed")) == 2


async def test_calls_that_needed_no_server_are_counted(api: LedgerHub) -> None:
    names = ("calls_remembered_total api", "calls_total ok api", "call_seconds_count api")
    before = await counted(api)
    await api.value('[api.look(text="counted") for _ in range(5)]')
    after = await counted(api)
    assert [after[name] - before[name] for name in names] == [4, 5, 1]


async def test_a_remembered_call_has_no_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Taken().used(monkeypatch)
    async with ledger_hub(tmp_path, server=REMEMBERED) as api:
        await api.value('[api.look(text="span") for _ in range(3)]')
    assert [span.name for span in taken.spans] == ["tools/call look", "execute_tool executeToolCode"]
