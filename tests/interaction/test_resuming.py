"""Runs that failed or were cut off, resumed: no side effect is repeated, whatever ended them."""

import json
import os
import random
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import anyio
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.hub.programs import Executed
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.runs import Outcome, RecordedCall
from tests.ledger import LedgerHub, configuration, ledger_hub, nothing_left, received
from tests.sandbox.running import zygotes
from tests.support import LineHub, alive, until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LedgerHub]:
    """A hub over the ledger server, for all tests of this file that end no hub."""
    async with ledger_hub(tmp_path_factory.mktemp("resuming")) as opened:
        yield opened


def outcomes(calls: list[RecordedCall]) -> list[str]:
    return [f"{call.tool} {call.outcome}" for call in calls]


def run_in(text: str) -> str:
    """The run that an answer names to be resumed."""
    found = re.search(r'resume="([a-z2-7]+)', text)
    assert found, text
    return found[1]


# A program that failed


async def test_a_mended_program_makes_only_the_calls_that_are_new(api: LedgerHub) -> None:
    code = """\
first = api.add(text="mended one")
second = api.add(text="mended two")
third = api.fail_once(text="mended three")
result = [first, second, type(third)]
"""
    done = await api.failed(code)
    assert done.text.replace(done.run_id, "RUN").splitlines()[-1] == snapshot(
        'Next: mend the program and send it with resume="RUN": the 2 calls that succeeded aren\'t made again.'
    )
    first, second, third = await api.value(code, run_in(done.text))
    assert (second["calls"], third) == (first["calls"] + 1, "dict"), "what the first run was answered"
    assert api.received("mended one") == ["add mended one"]
    assert api.received("mended two") == ["add mended two"]
    assert api.received("mended three") == ["fail_once mended three"] * 2


async def test_each_call_is_answered_once_and_in_order(api: LedgerHub) -> None:
    code = '[api.add(text="same")["calls"] for _ in range(%d)]'
    done = await api.failed(f"print({code % 3})\nfail('stop')")
    values = await api.value(f"result = {code % 5}", done.run_id)
    assert len(set(values)) == 5
    assert values == sorted(values)
    assert str(values[:3]) in done.run.log
    assert len(api.received("same")) == 5


async def test_a_call_with_other_arguments_is_a_new_one(api: LedgerHub) -> None:
    done = await api.failed('api.create_issue(title="other", limit=1)\nfail("stop")')
    await api.value('api.create_issue(title="other", limit=2)', done.run_id)
    await api.value('api.create_issue(limit=1, title="other", state=None)', done.run_id)
    assert api.received("other") == ["create_issue other 1", "create_issue other 2"]


async def test_calls_that_run_side_by_side_are_not_made_again(api: LedgerHub) -> None:
    code = 'result = sorted(parallel(lambda n: api.add(text="side by side " + str(n))["calls"], range(20)))'
    done = await api.failed(f"{code}\nprint(result)\nfail('stop')")
    values = await api.value(code, done.run_id)
    assert str(values) in done.run.log
    assert sum("side by side" in call for call in api.received()) == 20


async def test_runs_that_are_resumed_again_and_again_repeat_nothing(api: LedgerHub) -> None:
    step = 'api.add(text="chain %d")\n'
    resume = None
    for fails_after in (3, 1, 0, 4, 2):
        code = "".join(step % number for number in range(fails_after))
        resume = (await api.failed(f"{code}fail('stop')", resume)).run_id
    again = await api.run("".join(step % number for number in range(5)), resume)
    assert outcomes(await api.calls(again.run_id)) == ["add reused"] * 4 + ["add ok"]
    assert [api.received(f"chain {number}") for number in range(5)] == [[f"add chain {number}"] for number in range(5)]


async def test_a_run_that_succeeded_can_be_gone_on_from(api: LedgerHub) -> None:
    done = await api.run('result = api.add(text="went well")')
    code = 'result = [api.add(text="went well"), api.add(text="and on")["calls"] > 0]'
    assert await api.value(code, done.run_id) == [done.run.value, True]
    assert api.received("went well") == ["add went well"]


# A call of which nobody knows


async def test_a_call_whose_server_died_asks_for_a_decision_and_is_never_repeated_unasked(api: LedgerHub) -> None:
    code = """\
api.add(text="died before")
got = api.die_once(text="died")
result = [got == None, api.add(text="died after")["calls"] > 0]
"""
    done = await api.failed(code)
    told = re.sub(r"/\S+/logs/", "LOGS/", done.text.replace(done.run_id, "RUN"))
    assert re.sub(r"\d+ bytes", "N bytes", told) == snapshot("""\
The program failed (tool).
Traceback (most recent call last):
  * program:2, in <module>
      got = api.die_once(text="died")
error: Server 'api' exited with status 3 before it answered die_once; it may or may not have done it. \
Its log: LOGS/servers/api.log
 --> program:2:1
  |
2 | got = api.die_once(text="died")
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
Calls:
  1. api.add({"text": "died before"}): ok, N bytes
  2. api.die_once({"text": "died"}): nobody knows whether it was done: Server 'api' exited with status 3 before it \
answered die_once; it may or may not have done it. Its log: LOGS/servers/api.log
Next: find out whether call 2 was done, then send the program again with resume="RUN skip" (it was: its value is \
None) or resume="RUN retry" (call it again).\
""")
    with pytest.raises(CallerError) as caught:
        await api.run(code, done.run_id)
    assert re.sub(r"/\S+/logs/", "LOGS/", caught.value.text.replace(done.run_id, "RUN")) == snapshot("""\
Nothing was run. One call of run RUN may have been done:
  2. api.die_once({"text": "died"}): Server 'api' exited with status 3 before it answered die_once; it may or may \
not have done it. Its log: LOGS/servers/api.log
Find out with a read-only call, then decide: resume="RUN skip" takes it as done (the value is None), \
resume="RUN retry" calls again.\
""")
    assert api.received("died after") == []
    assert await api.value(code, f"{done.run_id} retry") == [False, True]
    assert api.received("died") == ["die_once died"] * 2
    assert api.received("died before") == ["add died before"]


async def test_a_call_that_is_taken_as_done_isnt_made_and_gives_none(api: LedgerHub) -> None:
    code = 'result = [api.die_once(text="taken") == None, api.add(text="after taken")["calls"] > 0]'
    done = await api.failed(code)
    assert await api.value(code, f"{done.run_id} skip") == [True, True]
    assert api.received("taken") == ["die_once taken"]


async def test_what_was_decided_once_is_not_asked_again(api: LedgerHub) -> None:
    code = 'api.die_once(text="decided")\n'
    run = (await api.failed(code)).run_id
    skipped = await api.failed(f"{code}fail('stop')", f"{run} skip")
    assert await api.value(f"{code}result = 1", skipped.run_id) == 1
    assert api.received("decided") == ["die_once decided"]


async def test_a_call_that_only_reads_is_made_again_without_a_question(api: LedgerHub) -> None:
    code = 'api.add(text="reads")\nresult = api.look_once(text="looked")["calls"] > 0'
    done = await api.failed(code)
    assert "find out" not in done.text
    assert await api.value(code, done.run_id)
    assert api.received("looked") == ["look_once looked"] * 2
    assert api.received("reads") == ["add reads"]


# A hub that was killed


def test_a_run_whose_hub_was_killed_goes_on_in_the_next_hub(tmp_path: Path) -> None:
    config, state, ledger = configuration(tmp_path), tmp_path / "state", tmp_path / "ledger"
    code = 'api.add(text="once")\nwaited = api.wait(text="gate")\nresult = [waited, api.add(text="after")["calls"]]'
    killed = LineHub(config, state, tmp_path)
    killed.initialize()
    killed.send("tools/call", {"name": "executeToolCode", "arguments": {"code": code}})
    until(lambda: "wait gate" in received(ledger))
    below = killed.descendants()
    killed.process.kill()
    killed.wait()
    until(lambda: not any(alive(pid) for pid in below))

    hub = LineHub(config, state, tmp_path)
    hub.initialize()
    (run,) = _runs(state)
    asked = hub.call("executeToolCode", code=code, resume=run)
    assert asked.startswith(f"Nothing was run. One call of run {run} may have been done:\n  2. api.wait(")
    assert hub.call("executeToolCode", code=code, resume=f"{run} skip") == "[null, 3]"
    assert received(ledger) == ["add once", "wait gate", "add after"]
    assert hub.close() == 0


def _runs(state: Path) -> list[str]:
    with closing(sqlite3.connect(state / FILE_NAME)) as database:
        return [row[0] for row in database.execute("select id from runs")]


# Workers that are killed at any moment

KILLS = 40
"""Runs that must have been ended by a kill before there are enough."""

MOST_RUNS = 400
AT_ONCE = 4

LONGEST_LIFE = 0.05
"""Seconds within which the worker of a run is killed; about what a run takes."""

STEPS = """\
api.add(text="{name} 1")
def step(n):
    api.look(text="{name} look")
    api.add(text="{name} " + str(n))
    return n
side = parallel(step, range(2, 5))
kept = attempt(lambda: api.add(text="{name} 5"))
if not kept.ok:
    fail(kept.error)
api.add(text="{name} 6")
result = side
"""


async def test_workers_that_are_killed_at_any_moment_leave_a_true_journal_and_nothing_is_repeated(
    api: LedgerHub,
) -> None:
    chance = random.Random(7)
    ended: Counter[str] = Counter()
    numbers = iter(range(MOST_RUNS))
    (zygote,) = zygotes()

    async def kill_one() -> None:
        await anyio.sleep(chance.uniform(0, LONGEST_LIFE))
        if workers := zygote.children(recursive=True):
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers).pid, signal.SIGKILL)

    async def run_some() -> None:
        while ended["error"] < KILLS and (number := next(numbers, None)) is not None:
            async with anyio.create_task_group() as beside:
                beside.start_soon(kill_one)
                runs = await _run_to_its_value(api, f"killed {number}")
            ended["value" if len(runs) == 1 else "error"] += 1

    async with anyio.create_task_group() as programs:
        for _ in range(AT_ONCE):
            programs.start_soon(run_some)
    assert ended["error"] >= KILLS, ended


async def _run_to_its_value(api: LedgerHub, name: str) -> list[Executed]:
    """Run a program and resume it until it has its value; all of its runs."""
    code = STEPS.format(name=name)
    runs = [await api.run(code)]
    while (last := runs[-1]).run.error is not None:
        assert re.search("memory_mib|fail: ended", last.text), last.text
        assert "\nNext: " in last.text
        unknown = await _agreed(api, runs, name)
        there = _received(api, name)
        if done := [text for text in unknown if text in there]:
            # What was done is skipped by a program of its own, so that the rest can be made again.
            asks = "".join(f'api.add(text="{text}")\n' for text in done)
            runs.append(await api.run(f"{asks}fail('ended')", f"{last.run_id} skip"))
        else:
            runs.append(await api.run(code, f"{last.run_id} {'retry' if unknown else ''}"))
    assert last.run.value == [2, 3, 4]
    assert await _agreed(api, runs, name) == []
    there = _received(api, name)
    del there[f"{name} look"]
    assert there == {f"{name} {step}": 1 for step in range(1, 7)}
    return runs


async def _agreed(api: LedgerHub, runs: list[Executed], name: str) -> list[str]:
    """Hold the journal against the ledger; the texts of calls of which nobody knows whether they were made."""
    await api.hub.calls.call("api", "look", [], {"text": "all before it was received"})
    calls = [call for run in runs for call in await api.calls(run.run_id)]
    there = _received(api, name)
    unknown = []
    for step in [*map(str, range(1, 7)), "look"]:
        text = f"{name} {step}"
        ends = Counter(call.outcome for call in calls if f'"{text}"' in call.arguments)
        made = ends.total() - ends[Outcome.REUSED]
        assert ends[Outcome.OK] <= there[text] <= made, f"{text}: {ends}"
        if ends.total() and not ends[Outcome.OK] + ends[Outcome.REUSED] and step != "look":
            unknown.append(text)
    return unknown


def _received(api: LedgerHub, name: str) -> Counter[str]:
    """The texts that the server received and that begin with a name, counted."""
    lines = [line for line in api.ledger.read_text().splitlines() if f'"{name} ' in line]
    return Counter(json.loads(line)["arguments"]["text"] for line in lines)
