"""The journal of a hub's runs: what stands in it and when, what never does, and what happens without one."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from mcp_hub.errors import CallerError
from mcp_hub.hub.journal import LOCAL
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.runs import Outcome
from tests.ledger import SERVER, LedgerHub, ledger_hub, nothing_left
from tests.support import PATIENCE, series_in

pytestmark = pytest.mark.anyio

STORED = "stored-in-the-settings"
MARKED = SERVER.replace("timeout = 20", 'timeout = 20\nredact = ["create_issue.title"]').replace(
    'env = { LEDGER = "{ledger}" }', f'env = {{ LEDGER = "{{ledger}}", STORED = "{STORED}" }}'
)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LedgerHub]:
    """A hub over the ledger server, for all tests of this file that need no hub of their own."""
    async with ledger_hub(tmp_path_factory.mktemp("journal"), "[hub.journal]\nresult_kib = 1\n", MARKED) as opened:
        yield opened


async def told(api: LedgerHub, run: str) -> list[str]:
    return [f"{call.tool}: {call.outcome}" for call in await api.calls(run)]


# What is recorded


async def test_each_call_is_recorded_in_order_with_its_outcome_and_size(api: LedgerHub) -> None:
    code = """\
api.look(text="order")
api.add(text="order")
attempt(lambda: api.fail_once(text="order"))
attempt(lambda: api.add(text=[1][0]))
fail("stop")
"""
    done = await api.failed(code)
    calls = await api.calls(done.run_id)
    assert [(call.number, call.tool, call.read_only, call.outcome, call.arguments) for call in calls] == [
        (1, "look", True, Outcome.OK, '{"text": "order"}'),
        (2, "add", False, Outcome.OK, '{"text": "order"}'),
        (3, "fail_once", False, Outcome.FAILED, '{"text": "order"}'),
        (4, "add", True, Outcome.FAILED, '{"text": 1}'),
    ]
    assert calls[1].result["calls"] > 0
    assert calls[1].bytes == len(f'{{"calls":{calls[1].result["calls"]}}}')
    assert calls[2].error == "api.fail_once failed: the disk is full"
    assert "expected str, got int 1" in (calls[3].error or "")
    run = api.store.run(done.run_id)
    assert run is not None
    assert (run.status, run.error_kind, run.code, run.calls, run.answer) == ("failed", "script", code, 4, done.text)


async def test_a_call_that_may_change_something_is_committed_before_it_is_sent(api: LedgerHub) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(api.run, 'api.look(text="committed")\napi.wait(text="committed")')
        await api.receives("committed", 2)
        (run,) = api.store.runs(1)
        assert run.status == "running"
        assert api.store.calls(run.id)[-1].outcome is Outcome.STARTED  # read with no wait for the writer
        await api.value("api.release()")
    assert await told(api, run.id) == ["look: ok", "wait: ok"]


async def test_a_cancelled_run_leaves_its_call_unknown(api: LedgerHub) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(api.run, 'api.wait(text="cancelled")')
        await api.receives("cancelled")
        tasks.cancel_scope.cancel()
    (summary,) = api.store.runs(1)
    assert await told(api, summary.id) == ["wait: unknown"]
    run = api.store.run(summary.id)
    assert run is not None
    assert run.status == "cancelled"


async def test_a_run_is_its_clients(api: LedgerHub) -> None:
    for client, owner in (("client:ada", "client:ada"), ("attached:window", "local"), ("local", "local")):
        done = await api.run("1", client=client)
        await api.store.written()
        assert api.store.run(done.run_id, owner) is not None
        assert api.store.run(done.run_id, "client:bob") is None


# What is never in it


async def test_no_secret_is_in_the_database_or_in_an_answer_about_a_failure_or_in_the_log(
    api: LedgerHub, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = ["hunter2-hunter2", "computed-secret", "marked-title", "in-a-failed-check", STORED]
    code = """\
password = "hunter2-hunter2"
attempt(lambda: api.log_in(password="hunter2-hunter2"))
api.create_issue(title="".join(["marked", "-title"]))
print("computed-" + "secret")
api.log_in(password="computed-" + "secret", text="hunter2-" + "hunter2")
"""
    caplog.set_level(logging.DEBUG)
    first = await api.failed(code)
    second = await api.failed('api.log_in(password="in-a-failed-check", text=7)')
    wrong = await api.failed('api.log_in(password="hunter2-hunter2", text=7 + 1)')
    done = await api.run(f'result = "{STORED}"')
    await api.store.written()
    database = b"".join(path.read_bytes() for path in (api.ledger.parent / "state").glob(f"{FILE_NAME}*"))
    assert first.run_id.encode() in database, "it is the file that is written to"
    for secret in secrets:
        assert secret.encode() not in database, secret
        assert secret not in first.text + second.text + wrong.text, secret
        assert secret not in caplog.text, secret
    assert "failed: [redacted] isn't [redacted]" in first.text
    assert done.text == STORED, "what a program answers is its own"
    assert api.received("marked-title"), "the server gets it as it is"


# What is kept for resuming


async def test_a_result_that_is_too_large_is_not_kept_and_resuming_asks(api: LedgerHub) -> None:
    code = 'api.add(text="large")\napi.big(size=2000)\nfail("stop")'
    done = await api.failed(code)
    large = (await api.calls(done.run_id))[1]
    assert (large.outcome, large.has_result, large.result, large.bytes) == (Outcome.OK, False, None, 2002)
    with pytest.raises(CallerError, match="it succeeded, and its result was too large to be kept"):
        await api.run(code, done.run_id)
    again = await api.failed(code, f"{done.run_id} retry")
    assert await told(api, again.run_id) == ["add: reused", "big: ok"]
    assert await told(api, (await api.failed(code, f"{again.run_id} skip")).run_id) == ["add: reused", "big: reused"]
    assert api.received("large") == ["add large"]


async def test_a_run_that_was_resumed_already_is_gone_on_with_where_that_ended(api: LedgerHub) -> None:
    """As when the answer of the resumed run never reached the agent, which knows the first run only."""
    first = await api.failed('api.add(text="first")\nfail("stop")')
    longer = 'api.add(text="first")\napi.add(text="second")\nfail("stop")'
    await api.failed(longer, first.run_id)
    await api.failed(longer, first.run_id)
    assert api.received("first") == ["add first"]
    assert api.received("second") == ["add second"]


async def test_only_a_run_that_is_there_and_has_ended_is_resumed(api: LedgerHub) -> None:
    done = await api.failed('api.add(text="ended")\nfail("stop")', client="client:ada")
    for resume, client in (("nosuchrun", "client:ada"), (done.run_id, "client:bob"), (done.run_id, "local")):
        with pytest.raises(CallerError, match=r"There is no run '.*' to resume\. Send the program without resume\."):
            await api.run("1", resume, client)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(api.run, 'api.wait(text="going on")')
        await api.receives("going on")
        (running,) = api.store.runs(1)
        with pytest.raises(CallerError, match=f"Run '{running.id}' is still going on"):
            await api.run("1", running.id)
        await api.value("api.release()")


async def test_a_run_can_be_resumed_the_moment_that_its_answer_is_there(api: LedgerHub) -> None:
    for number in range(20):
        code = f'api.add(text="at once {number}")\nfail("stop")'
        again = await api.failed(code, (await api.failed(code)).run_id)
        assert await told(api, again.run_id) == ["add: reused"]


# Without one


async def test_without_a_journal_programs_run_and_nothing_is_resumed_or_recalled(tmp_path: Path) -> None:
    more = "[hub.journal]\nenabled = false\n[hub.limits]\nresult_characters = 100\n"
    async with ledger_hub(tmp_path, more) as api:
        done = await api.failed('api.add(text="a")\nfail("stop")')
        assert "resume" not in done.text
        assert '  1. api.add({"text": "a"}): ok\n' in done.text
        with pytest.raises(CallerError, match=r"the journal is switched off \(hub\.journal\.enabled\)"):
            await api.run("1", done.run_id)
        answer = await api.answer(code='result = "x" * 200')
        assert "recall" not in answer
        assert "Filter or summarise in the program" in answer
        assert "There is nothing to recall" in (await api.failed('recall("abc234")')).text


@pytest.mark.parametrize("what", ["a folder", "no database"])
async def test_where_no_journal_can_be_opened_programs_run_all_the_same(tmp_path: Path, what: str) -> None:
    file = tmp_path / "state" / FILE_NAME
    file.parent.mkdir()
    if what == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"this is no database, and it is longer than a header of one" * 100)
    async with ledger_hub(tmp_path) as api:
        assert await api.value('result = api.add(text="a")') == {"calls": 1}
        with pytest.raises(CallerError, match="Nothing can be resumed"):
            await api.run("1", "abc234")


async def test_what_changes_something_is_not_called_unrecorded_and_what_reads_is(tmp_path: Path) -> None:
    async with ledger_hub(tmp_path) as api:
        assert await api.value('api.add(text="before")') == {"calls": 1}
        with sqlite3.connect(tmp_path / "state" / FILE_NAME, isolation_level=None) as other:
            other.execute("alter table calls rename to elsewhere")
            done = await api.failed('print(api.look(text="unwritten"))\napi.add(text="unwritten")')
            assert "api.add was not called: the journal can't be written" in done.text
            assert api.received("unwritten") == ["look unwritten"]
            other.execute("alter table elsewhere rename to calls")
        with anyio.fail_after(PATIENCE):
            while (await api.run('api.add(text="again")')).run.error is not None:
                await anyio.sleep(0.05)
        assert api.received("again") == ["add again"]
        assert await told(api, done.run_id) == ["look: ok", "add: failed"]


# What the metrics are told


async def measured(api: LedgerHub) -> dict[str, float]:
    assert api.hub.metrics is not None
    return series_in((await api.hub.metrics.exposition()).decode())


async def test_the_metrics_count_what_the_journal_records(tmp_path: Path) -> None:
    async with ledger_hub(tmp_path, server=SERVER.replace("servers.api", "servers.a-pi"), measured=True) as api:
        code = """\
a_pi.look(text="order")
a_pi.add(text="order")
attempt(lambda: a_pi.fail_once(text="order"))
attempt(lambda: a_pi.add(text=[1][0]))
a_pi.die_once(text="order")
"""
        failed = await api.failed(code)
        resumed = await api.run(code.replace("die_once", "look"), f"{failed.run_id} skip")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(api.run, 'a_pi.wait(text="cancelled")')
            await api.receives("cancelled")
            tasks.cancel_scope.cancel()
        summaries = api.store.runs(9)
        outcomes = [call.outcome for run in summaries for call in await api.calls(run.id)]
        series = await measured(api)
        assert {name: value for name, value in series.items() if name.startswith("calls_total")} == {
            f"calls_total {outcome} a-pi": outcomes.count(outcome) for outcome in set(outcomes)
        }
        assert set(outcomes) == {Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN, Outcome.REUSED}
        sent = [call for run in summaries for call in await api.calls(run.id) if call.seconds is not None]
        assert series["call_seconds_count a-pi"] == len(sent) == len(api.received())
        assert {name: value for name, value in series.items() if name.startswith("runs_total")} == {
            "runs_total tool": 1,
            "runs_total ok": 1,
            "runs_total cancelled": 1,
        }
        fresh = [call for call in sent if call.outcome is Outcome.OK]
        assert series["result_bytes_total"] == sum(call.bytes or 0 for call in fresh)
        assert series["answer_bytes_total"] == len(failed.text) + len(resumed.text)


async def test_the_metrics_count_without_a_journal_too(tmp_path: Path) -> None:
    async with ledger_hub(tmp_path, "[hub.journal]\nenabled = false\n", measured=True) as api:
        await api.value("result = len(api.big(size=4000)) + len(parallel(lambda n: api.big(size=n), [1, 2]))")
        series = await measured(api)
    assert (series["runs_total ok"], series["calls_total ok api"]) == (1, 3)
    assert series["result_bytes_total"] == 4003 + 3 * len('""')
    assert series["tokens_saved_total"] == (4009 - len("4002")) // 4


async def test_a_name_that_no_server_has_makes_no_series(tmp_path: Path) -> None:
    async with ledger_hub(tmp_path, measured=True) as api:
        recording = await api.hub.journal.begin(LOCAL, "", None)
        for server, tool in (("made_up", "add"), ("api", "made_up")):
            with pytest.raises(CallerError):
                await recording.call(server, tool, [], {}, None)
        series = await measured(api)
    assert [name for name in series if name.startswith("calls_total")] == ["calls_total failed api"]
