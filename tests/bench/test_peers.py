"""The comparison with peers: what needs none of them installed."""

from collections import Counter
from pathlib import Path

import pytest

from bench.graded.peers import PEERS, attacks, installing, tables, wire
from bench.graded.peers.attacks import Stood
from bench.graded.peers.gway import launcher
from bench.graded.peers.peer import Downstream, Hostile, NotMeasuredError, Peer
from bench.graded.peers.playing import Outcome, as_json, called, right_everywhere, translated
from bench.graded.task import Call, Level
from bench.graded.tasks import TASKS
from bench.processes import fixture_command

by_name = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)


def stood(**changes: object) -> Stood:
    well = {
        "seconds": 0.5,
        "alive": True,
        "answers_after": True,
        "peak": 100_000_000,
        "killed": False,
        "length": 300,
        "is_error": True,
        "meanwhile": 0.01,
        "was_running": False,
        "text": "The program failed.",
    }
    return Stood(**{**well, **changes})  # type: ignore[arg-type]


@by_name
def test_every_peer_has_each_hostile_program_and_plain_ones(peer: Peer) -> None:
    assert len({peer.hostile(kind) for kind in Hostile}) == len(Hostile)
    assert "40" in peer.calls(40)
    assert "tool_000" not in peer.calls(0)
    assert peer.run("x").arguments == {"code": "x"}


@by_name
def test_every_plan_is_of_a_task(peer: Peer) -> None:
    assert set(peer.plans) <= {task.name for task in TASKS}


def test_a_dozen_tasks_are_translated_for_all_peers_four_of_each_level() -> None:
    counts = Counter(task.level for task in translated(PEERS))
    assert counts == {Level.SIMPLE: 4, Level.MEDIUM: 4, Level.HARD: 4}


def test_tools_that_a_program_calls_are_found_in_every_dialect() -> None:
    assert called('x = await call_tool("git_git_log", {"repo_path": "repo"})\nx.split("a")') == {"git_git_log"}
    assert called('for m in Git.git_log(repo_path="repo").split("a"): Memory.read_graph()') == {"git_log", "read_graph"}
    assert called('result = memory.open_nodes(names=["a"])') == {"open_nodes"}


def test_a_program_that_ends_and_leaves_the_process_well_is_contained() -> None:
    assert stood().faults == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"seconds": None}, "not ended after 40 s"),
        ({"seconds": None, "alive": False}, "its process ended"),
        ({"seconds": None, "alive": False, "killed": True}, "ended by the bench"),
        ({"answers_after": False}, "doesn't answer afterwards"),
        ({"peak": 3 << 30}, "3.0 GiB"),
        ({"length": 3_000_000}, "an answer of 3,000,000 characters"),
    ],
)
def test_whatever_a_program_did_to_the_process_is_a_fault(changes: dict[str, object], fault: str) -> None:
    assert stood(**changes).faults == [fault]


@pytest.mark.parametrize(
    ("kind", "text", "tool", "problem"),
    [
        (Hostile.WRONG_TYPE, "bare.tool_000: argument count: expected int", True, True),
        (Hostile.WRONG_TYPE, '{"ok": true, "calls": [{"tool": "tool_000"}], "call_count": 1}', True, False),
        (Hostile.UNKNOWN, "bare has no tool 'tool_900'. Did you mean bare.tool_090?", True, True),
        (Hostile.UNKNOWN, "Unknown tool: bare_tool_900", True, True),
        (Hostile.UNKNOWN, "Internal error", False, False),
        (Hostile.FAILING, "echo.fail failed: the disk is full", True, True),
        (Hostile.FAILING, "The program failed: the disk is full", False, True),
    ],
)
def test_an_answer_names_the_tool_and_the_problem_or_not(kind: Hostile, text: str, tool: bool, problem: bool) -> None:
    assert attacks.told(kind, text) == {"tool": tool, "problem": problem}


def test_a_launcher_quotes_the_command_and_sets_the_environment() -> None:
    server = Downstream("a", ["/opt/a b/serve", "--root", "/w"], Path("/w"), {"KEY": "it's"})
    assert launcher(server) == "#!/bin/sh\nexec env 'KEY=it'\"'\"'s' '/opt/a b/serve' --root /w\n"


def test_a_peer_whose_python_is_nowhere_is_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(installing, "NEWEST", 99)
    gway = next(peer for peer in PEERS if peer.name == "mcp-gway")
    monkeypatch.setattr(gway, "python", (3, 98))
    with pytest.raises(NotMeasuredError, match=r"Python 3\.98 or newer"):
        installing.install(gway, tmp_path, lambda _: None)


def test_means_are_of_the_tasks_that_ended_right_with_every_peer() -> None:
    one = [Outcome("a", "hard", True, "", 3, 100), Outcome("b", "hard", True, "", 3, 900)]
    other = [Outcome("a", "hard", True, "", 4, 200), Outcome("b", "hard", False, "it was refused")]
    compared = right_everywhere({"one": one, "other": other})
    assert (as_json(one, compared)["input_mean"], as_json(other, compared)["input_mean"]) == (100, 200)
    assert (as_json(one, compared)["right"], as_json(other, compared)["right"]) == (2, 1)


def test_a_peer_that_was_not_measured_is_in_the_report_with_the_reason() -> None:
    document = {
        "machine": {"processor": "x", "cores": 2, "python": "3.11"},
        "date": "2026-01-01",
        "load_before": [0.1],
        "load_after": [0.2],
        "command": "python -m bench.graded.peers",
        "direct": {"tools": 96, "definitions_tokens": 12_000},
        "counts": [0, 1, 40],
        "peers": {"mcp-gway": {"requirements": ["mcp-gway"], "why_not": "it needs Python 3.12"}},
    }
    assert "- **mcp-gway**: not measured: it needs Python 3.12" in tables.markdown(document)


@pytest.mark.anyio
async def test_several_requests_are_answered_on_one_wire(tmp_path: Path) -> None:
    async with wire.opened(fixture_command(), {}, tmp_path / "log", watched=True) as open_wire:
        listed, length = await open_wire.request("tools/list", {})
        answer = await open_wire.call(Call("", "tool_000", {"text": "a"}))
        refused, _ = await open_wire.request("no/such", {})
    assert (len(listed["tools"]), answer.text) == (96, '{"ok": true, "n": 1}')
    assert length > 10_000
    assert refused["error"]["code"] == -32601


@pytest.mark.anyio
async def test_what_holds_too_much_memory_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wire, "KILL_AT", 1_000_000)
    monkeypatch.setattr(wire, "ANSWER_WAIT", 30.0)

    async def ask_until_it_ends() -> None:
        async with wire.opened(fixture_command(), {}, tmp_path / "log", watched=True) as open_wire:
            while True:
                await open_wire.request("tools/list", {})

    with pytest.raises(wire.EndedError):
        await ask_until_it_ends()
