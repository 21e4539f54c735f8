"""The metrics: what is told to them, as a scraper reads it; and how few series there can be."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from prometheus_client import REGISTRY

from mcp_hub.errors import DownstreamError, HubError, LimitError, ScriptError
from mcp_hub.hub.downstream import State
from mcp_hub.hub.metrics import Metrics
from mcp_hub.sandbox.conversation import Run
from mcp_hub.store.runs import Outcome, RecordedCall
from tests.support import ROOT, series_in

pytestmark = pytest.mark.anyio

REUSED = RecordedCall(1, "git_hub", "list_issues", "{}", "key", True, Outcome.REUSED, bytes=4000)
LIMIT = LimitError("wall_seconds", "60", "", "")


def metrics(*states: State) -> Metrics:
    return Metrics(lambda: states)


async def told(made: Metrics) -> dict[str, float]:
    return series_in((await made.exposition()).decode())


async def test_a_scraper_reads_what_the_hub_did() -> None:
    made = metrics(State.READY, State.READY, State.FAILED)
    made.looked_up("listToolFiles")
    made.called("git-hub", Outcome.OK, 0.04)
    made.called("git-hub", Outcome.OK, 3)
    made.called("slack", Outcome.REUSED, None)
    made.remembered("git-hub")
    made.ended(Run(result_bytes=9000, log="printed"), "the answer", [], 4)
    made.ended(Run(error=LIMIT), "The program failed", [], 60.5)
    assert (await made.exposition()).decode() == snapshot("""\
# HELP mcp_hub_runs_total Programs that ended, by how: ok, cancelled, or the kind of failure as the journal names it.
# TYPE mcp_hub_runs_total counter
mcp_hub_runs_total{status="ok"} 1.0
mcp_hub_runs_total{status="wall_seconds"} 1.0
# HELP mcp_hub_run_seconds Seconds that programs took, with their calls and the wait for their turn.
# TYPE mcp_hub_run_seconds histogram
mcp_hub_run_seconds_bucket{le="0.01"} 0.0
mcp_hub_run_seconds_bucket{le="0.025"} 0.0
mcp_hub_run_seconds_bucket{le="0.05"} 0.0
mcp_hub_run_seconds_bucket{le="0.1"} 0.0
mcp_hub_run_seconds_bucket{le="0.25"} 0.0
mcp_hub_run_seconds_bucket{le="0.5"} 0.0
mcp_hub_run_seconds_bucket{le="1.0"} 0.0
mcp_hub_run_seconds_bucket{le="2.5"} 0.0
mcp_hub_run_seconds_bucket{le="5.0"} 1.0
mcp_hub_run_seconds_bucket{le="10.0"} 1.0
mcp_hub_run_seconds_bucket{le="30.0"} 1.0
mcp_hub_run_seconds_bucket{le="60.0"} 1.0
mcp_hub_run_seconds_bucket{le="+Inf"} 2.0
mcp_hub_run_seconds_count 2.0
mcp_hub_run_seconds_sum 64.5
# HELP mcp_hub_limits_hit_total Programs that a limit of [hub.limits] ended, by the limit.
# TYPE mcp_hub_limits_hit_total counter
mcp_hub_limits_hit_total{limit="wall_seconds"} 1.0
# HELP mcp_hub_calls_total Calls of tools, by the journal's outcome. For a reused one, the server wasn't asked.
# TYPE mcp_hub_calls_total counter
mcp_hub_calls_total{outcome="ok",server="git-hub"} 2.0
mcp_hub_calls_total{outcome="reused",server="slack"} 1.0
# HELP mcp_hub_call_seconds Seconds that calls took, with the wait for a server that had to connect first.
# TYPE mcp_hub_call_seconds histogram
mcp_hub_call_seconds_bucket{le="0.01",server="git-hub"} 0.0
mcp_hub_call_seconds_bucket{le="0.025",server="git-hub"} 0.0
mcp_hub_call_seconds_bucket{le="0.05",server="git-hub"} 1.0
mcp_hub_call_seconds_bucket{le="0.1",server="git-hub"} 1.0
mcp_hub_call_seconds_bucket{le="0.25",server="git-hub"} 1.0
mcp_hub_call_seconds_bucket{le="0.5",server="git-hub"} 1.0
mcp_hub_call_seconds_bucket{le="1.0",server="git-hub"} 1.0
mcp_hub_call_seconds_bucket{le="2.5",server="git-hub"} 1.0
mcp_hub_call_seconds_bucket{le="5.0",server="git-hub"} 2.0
mcp_hub_call_seconds_bucket{le="10.0",server="git-hub"} 2.0
mcp_hub_call_seconds_bucket{le="30.0",server="git-hub"} 2.0
mcp_hub_call_seconds_bucket{le="60.0",server="git-hub"} 2.0
mcp_hub_call_seconds_bucket{le="+Inf",server="git-hub"} 2.0
mcp_hub_call_seconds_count{server="git-hub"} 2.0
mcp_hub_call_seconds_sum{server="git-hub"} 3.04
# HELP mcp_hub_calls_remembered_total Of the calls, those for which the server wasn't asked: its answer was remembered, or an identical call was under way.
# TYPE mcp_hub_calls_remembered_total counter
mcp_hub_calls_remembered_total{server="git-hub"} 1.0
# HELP mcp_hub_lookups_total Look-ups of agents, by meta-tool.
# TYPE mcp_hub_lookups_total counter
mcp_hub_lookups_total{tool="listToolFiles"} 1.0
# HELP mcp_hub_result_bytes_total Bytes of results that programs received, as JSON; reused ones aren't counted again.
# TYPE mcp_hub_result_bytes_total counter
mcp_hub_result_bytes_total 9000.0
# HELP mcp_hub_answer_bytes_total Bytes of the answers that agents got to programs, with what the programs printed.
# TYPE mcp_hub_answer_bytes_total counter
mcp_hub_answer_bytes_total 35.0
# HELP mcp_hub_tokens_saved_total An estimate: each program's result bytes less its answer's, if positive, at 4 bytes a token. Tool definitions that weren't sent aren't in it.
# TYPE mcp_hub_tokens_saved_total counter
mcp_hub_tokens_saved_total 2245.0
# HELP mcp_hub_servers Configured servers, by state.
# TYPE mcp_hub_servers gauge
mcp_hub_servers{state="not started"} 0.0
mcp_hub_servers{state="connecting"} 0.0
mcp_hub_servers{state="ready"} 2.0
mcp_hub_servers{state="failed"} 1.0
""")  # noqa: E501


async def test_a_hub_that_did_nothing_tells_zeros() -> None:
    assert await told(metrics()) == snapshot(
        {
            "run_seconds_count": 0.0,
            "run_seconds_sum": 0.0,
            "result_bytes_total": 0.0,
            "answer_bytes_total": 0.0,
            "tokens_saved_total": 0.0,
            "servers not started": 0.0,
            "servers connecting": 0.0,
            "servers ready": 0.0,
            "servers failed": 0.0,
        }
    )


async def test_a_program_is_counted_by_how_it_ended() -> None:
    made = metrics()
    errors: list[HubError | None] = [
        None,
        None,
        ScriptError("tool", "x"),
        DownstreamError("git-hub", "is gone."),
        HubError("The interpreter couldn't be started."),
        LIMIT,
        LimitError("memory_mib", "256", "", ""),
    ]
    for error in errors:
        made.ended(Run(error=error), "", [], 1)
    made.cancelled(1)
    series = await told(made)
    assert {name: value for name, value in series.items() if name.startswith(("runs", "limits"))} == {
        "runs_total ok": 2,
        "runs_total tool": 1,
        "runs_total hub": 2,
        "runs_total wall_seconds": 1,
        "runs_total memory_mib": 1,
        "runs_total cancelled": 1,
        "limits_hit_total wall_seconds": 1,
        "limits_hit_total memory_mib": 1,
    }
    assert series["run_seconds_count"] == series["run_seconds_sum"] == 8


async def test_kinds_that_a_worker_made_up_are_one_series() -> None:
    made = metrics()
    for number in range(50):
        made.ended(Run(error=ScriptError(f"made up {number}", "x")), "", [], 1)
    made.ended(Run(error=ScriptError("wall_seconds", "x")), "", [], 1)
    series = await told(made)
    assert {name for name in series if name.startswith(("runs", "limits"))} == {"runs_total other"}
    assert series["runs_total other"] == 51


@pytest.mark.parametrize(
    ("received", "printed", "answer", "saved"),
    [
        (4400, "", "x" * 400, 1000),
        (4400, "p" * 400, "x" * 400, 900),
        (4400, "", "é" * 200, 1000),
        (100, "", "x" * 400, 0),
        (0, "", "", 0),
    ],
)
async def test_what_a_program_kept_from_its_agent_is_told_in_tokens_and_is_never_negative(
    received: int, printed: str, answer: str, saved: int
) -> None:
    made = metrics()
    made.ended(Run(result_bytes=received, log=printed), answer, [], 1)
    series = await told(made)
    assert series["result_bytes_total"] == received
    assert series["answer_bytes_total"] == 400 * bool(answer) + len(printed)
    assert series["tokens_saved_total"] == saved


async def test_one_programs_long_answer_takes_nothing_from_what_another_saved() -> None:
    made = metrics()
    made.ended(Run(result_bytes=4000), "", [], 1)
    made.ended(Run(result_bytes=0), "x" * 8000, [], 1)
    assert (await told(made))["tokens_saved_total"] == 1000


async def test_a_result_that_is_given_again_is_counted_once() -> None:
    made = metrics()
    made.ended(Run(result_bytes=4000, error=ScriptError("script", "x")), "", [replace(REUSED, outcome=Outcome.OK)], 1)
    made.ended(Run(result_bytes=5000), "", [REUSED], 1)
    assert (await told(made))["result_bytes_total"] == 5000


async def test_an_answer_that_is_no_unicode_is_counted_too() -> None:
    made = metrics()
    made.ended(Run(log="\ud800"), "\udfff", [], 1)
    assert (await told(made))["answer_bytes_total"] == 2


async def test_a_servers_name_may_be_any_text() -> None:
    made = metrics()
    for name in ('quo"ted', "two\nlines", "back\\slash", "größe"):
        made.called(name, Outcome.FAILED, 1)
    series = await told(made)
    assert [series[f"calls_total failed {name}"] for name in ('quo"ted', "two\nlines", "back\\slash", "größe")] == [
        1
    ] * 4


async def test_states_are_those_at_the_time_of_asking() -> None:
    states = [State.CONNECTING, State.IDLE]
    made = Metrics(lambda: states)
    assert (await told(made))["servers connecting"] == 1
    states[0] = State.READY
    series = await told(made)
    assert {name: value for name, value in series.items() if name.startswith("servers")} == {
        "servers not started": 1,
        "servers connecting": 0,
        "servers ready": 1,
        "servers failed": 0,
    }


async def test_two_hubs_in_one_process_have_nothing_in_common() -> None:
    one, two = metrics(), metrics()
    one.looked_up("getToolDocs")
    assert (await told(one))["lookups_total getToolDocs"] == 1
    assert "lookups_total getToolDocs" not in await told(two)
    assert not [family for family in REGISTRY.collect() if family.name.startswith("mcp_hub_")]


def test_a_hub_that_nobody_can_ask_does_not_wait_for_the_library(tmp_path: Path) -> None:
    script = """\
import asyncio, pathlib, sys
from mcp_hub import app, serving
from mcp_hub.config import Loaded
from mcp_hub.folders import Folders
from mcp_hub.settings import Settings

async def main():
    where = Folders(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1]))
    for measured in (False, True):
        async with app.open_hub(Loaded(Settings(), ()), where, measured=measured) as hub:
            print(hub.metrics is not None, "prometheus_client" in sys.modules)

asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.split() == ["False", "False", "True", "True"], ran.stderr
