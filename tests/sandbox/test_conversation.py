"""What is said between a worker and the hub: each call answered by its number, nothing that a worker sends trusted."""

import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError, HubError, LimitError, ScriptError
from mcp_hub.sandbox import protocol
from mcp_hub.sandbox.conversation import Conversation, Job, PlannedCall, Run, Worker
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.protocol import HEADER, MAIN_LINE, NO_ANSWER, Frame
from mcp_hub.sockets import SocketReader
from tests.sandbox.running import Host
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

CALL = {"type": "call", "server": "api", "tool": "get", "args": [], "kwargs": {}}


class Peer:
    """The worker's end of a conversation, in the hands of a test."""

    def __init__(self, connection: socket.socket, worker: Worker, run: Run) -> None:
        connection.settimeout(PATIENCE)
        self.connection = connection
        self.worker = worker
        self.run = run

    async def send(self, frame: Frame, number: int = NO_ANSWER) -> None:
        await self.send_bytes(protocol.encode(frame, number))

    async def send_bytes(self, sent: bytes) -> None:
        await anyio.to_thread.run_sync(self.connection.sendall, sent)

    async def receive(self) -> tuple[int, Frame]:
        size, number = HEADER.unpack(await self._exactly(HEADER.size))
        return number, protocol.decode(await self._exactly(size))

    async def ask(self, frame: Frame, number: int = MAIN_LINE) -> Frame:
        """Send a call; its answer, which must have its number."""
        await self.send(frame, number)
        answered, answer = await self.receive()
        assert answered == number
        return answer

    async def end(self, status: int = 0) -> None:
        """End as a process does: its socket ends, and the zygote tells its status."""
        await anyio.to_thread.run_sync(self.connection.close)
        self.worker.status = status
        self.worker.exited.set()

    async def _exactly(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            received += await anyio.to_thread.run_sync(self.connection.recv, size - len(received))
        return received


@asynccontextmanager
async def talking(
    host: Host | None = None, job: Job | None = None, call: Any = None, **limits: Any
) -> AsyncIterator[Peer]:
    """A conversation with a test in the worker's place, which has been sent its job; it has ended at the end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    worker = Worker(1, ours, SocketReader(ours))
    bounds = Limits(**{"wall_seconds": PATIENCE, **limits})
    conversation = Conversation(worker, job or Job("code", {"api": ["get"]}), call or (host or Host()).call, bounds)
    with anyio.fail_after(PATIENCE), theirs, contextlib.closing(worker):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(conversation.hold)
            peer = Peer(theirs, worker, conversation.run)
            assert (await peer.receive())[1]["type"] == "run"
            yield peer


def failure(run: Run) -> HubError:
    """The error that a program ended with."""
    assert run.error is not None
    return run.error


# The job, and the end


async def test_the_job_is_sent_as_it_is() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    worker = Worker(1, ours, SocketReader(ours))
    job = Job("x = 1", {"api": ["get"]}, {"down": "It is down."}, ["api", "down"], {"scripts/a.star": "def f(): pass"})
    with theirs, contextlib.closing(worker):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Conversation(worker, job, Host().call, Limits()).hold)
            peer = Peer(theirs, worker, Run())
            assert await peer.receive() == snapshot(
                (
                    0,
                    {
                        "type": "run",
                        "code": "x = 1",
                        "namespaces": {"api": ["get"]},
                        "unavailable": {"down": "It is down."},
                        "servers": ["api", "down"],
                        "scripts": {"scripts/a.star": "def f(): pass"},
                    },
                )
            )
            await peer.send({"type": "done"})


async def test_a_value_an_answer_and_steps_are_what_came_of_it() -> None:
    async with talking() as peer:
        await peer.send({"type": "log", "text": "one\n"})
        await peer.send({"type": "done", "value": [1], "answered": False, "steps": 3_000})
    assert peer.run == Run(value=[1], answered=False, log="one\n", steps=3_000)
    assert peer.worker.answered


async def test_an_error_comes_with_its_kind_and_steps() -> None:
    async with talking() as peer:
        await peer.send({"type": "error", "kind": "name", "message": "line 1: no", "steps": 1_000})
    assert isinstance(peer.run.error, ScriptError)
    assert (peer.run.error.kind, peer.run.error.text, peer.run.steps) == ("name", "line 1: no", 1_000)


@pytest.mark.parametrize(
    ("kind", "limit", "told"),
    [
        ("steps", "steps", True),
        ("memory", "memory_mib", False),
        ("cpu", "wall_seconds", False),
        ("call_depth", "call_depth", True),
        ("value_nesting", "value_nesting", True),
    ],
)
async def test_an_error_that_is_a_limits_is_told_as_that_limit(kind: str, limit: str, told: bool) -> None:
    async with talking() as peer:
        await peer.send({"type": "error", "kind": kind, "message": "at line 7"})
    assert isinstance(peer.run.error, LimitError)
    assert peer.run.error.limit == limit
    assert ("at line 7" in peer.run.error.text) == told


@pytest.mark.parametrize(
    ("status", "limit"),
    [(signal.SIGXCPU, "wall_seconds"), (signal.SIGKILL, "memory_mib"), (signal.SIGABRT, "memory_mib")],
)
async def test_a_worker_that_a_signal_ended_met_a_limit(status: int, limit: str) -> None:
    async with talking() as peer:
        await peer.end(status)
    assert isinstance(peer.run.error, LimitError)
    assert peer.run.error.limit == limit


async def test_a_worker_that_was_too_large_met_the_memory_limit_however_it_ended() -> None:
    async with talking() as peer:
        peer.worker.too_large = True
        await peer.end(signal.SIGXCPU)
    assert isinstance(peer.run.error, LimitError)
    assert peer.run.error.limit == "memory_mib"


async def test_a_worker_that_just_ends_is_told_with_its_status() -> None:
    async with talking() as peer:
        await peer.end(7 << 8)
    assert failure(peer.run).text == snapshot("The interpreter ended without an answer (wait status 1792).")


# Calls


async def test_each_answer_carries_the_number_of_its_call_whatever_the_order() -> None:
    host = Host()
    async with talking(host) as peer:
        await peer.send({**CALL, "tool": "wait"}, 2)
        assert (await peer.ask({**CALL, "args": [3]}, 3))["value"]["args"] == [3]
        host.released.set()
        assert (await peer.receive())[0] == 2
        await peer.send({"type": "done"})
    assert (peer.run.calls, peer.run.succeeded) == (2, 2)


async def test_no_more_calls_of_branches_are_under_way_than_may_be() -> None:
    host = Host()
    async with talking(host, calls_parallel=3) as peer:
        for number in range(2, 12):
            await peer.send({**CALL, "tool": "wait"}, number)
        assert (await peer.ask({"type": "recall", "handle": "h"}))["type"] == "failure"  # all the others have been read
        await anyio.wait_all_tasks_blocked()
        assert host.under_way == 3
        host.released.set()
        assert sorted([(await peer.receive())[0] for _ in range(10)]) == list(range(2, 12))
        await peer.send({"type": "done"})
    assert host.most_under_way == 3


async def test_large_answers_to_branches_dont_mix() -> None:
    async def large(server: str, tool: str, args: list[str], kwargs: Any) -> Any:
        return args[0] * 1_000_000

    async with talking(call=large) as peer:
        for number, letter in enumerate("abcde", start=2):
            await peer.send({**CALL, "args": [letter]}, number)
        answers = dict([await peer.receive() for _ in "abcde"])
        assert {number: answer["value"] for number, answer in answers.items()} == {
            number: letter * 1_000_000 for number, letter in enumerate("abcde", start=2)
        }
        await peer.send({"type": "done"})


@pytest.mark.parametrize(("tool", "kind"), [("fail", "tool"), ("refuse", "arguments"), ("deny", "denied")])
@pytest.mark.parametrize("number", [1, 2])
async def test_a_failed_call_is_answered_by_kind(tool: str, kind: str, number: int) -> None:
    async with talking() as peer:
        answer = await peer.ask({**CALL, "tool": tool}, number)
        assert (answer["type"], answer["kind"]) == ("failure", kind)
        await peer.send({"type": "done"})
    assert (peer.run.calls, peer.run.succeeded) == (1, 0)


@pytest.mark.parametrize("number", [1, 2])
async def test_a_call_that_takes_too_long_fails_and_the_program_goes_on(number: int) -> None:
    host = Host()
    async with talking(host, call_seconds=0.2) as peer:
        answer = await peer.ask({**CALL, "tool": "wait"}, number)
        assert answer["kind"] == "tool"
        assert answer["message"] == snapshot(
            "api.wait didn't answer within call_seconds = 0.2 (hub.limits.call_seconds in servers.toml); it may still "
            "have done it."
        )
        assert host.cancelled
        assert (await peer.ask(CALL, number))["type"] == "value"
        await peer.send({"type": "done"})
    assert (peer.run.calls, peer.run.succeeded) == (2, 1)


@pytest.mark.parametrize("numbers", [[1, 1, 1], [2, 3, 4]])
async def test_one_call_too_many_ends_the_program_before_it_is_made(numbers: list[int]) -> None:
    host = Host()
    async with talking(host, calls=2) as peer:
        for number in numbers[:2]:
            await peer.ask(CALL, number)
        await peer.send(CALL, numbers[2])
    assert failure(peer.run).text.startswith("The program was ended: it reached the limit calls = 2 ")
    assert len(host.calls) == 2


async def test_the_end_of_the_program_cancels_the_calls_of_its_branches() -> None:
    host = Host()
    async with talking(host) as peer:
        await peer.send({**CALL, "tool": "wait"}, 2)
        await host.waiting.wait()
        await peer.send({"type": "error", "kind": "script", "message": "no"})
    assert host.cancelled


async def test_time_over_cancels_every_call() -> None:
    host = Host()
    async with talking(host, wall_seconds=0.2) as peer:
        await peer.send({**CALL, "tool": "wait"}, 2)
        await peer.send({**CALL, "tool": "wait"}, 1)
    assert isinstance(peer.run.error, LimitError)
    assert (peer.run.error.limit, host.cancelled, host.under_way) == ("wall_seconds", True, 0)


# What is kept


@pytest.mark.parametrize("number", [1, 2])
async def test_a_kept_value_is_recalled_and_counts_as_no_call(number: int) -> None:
    async def recall(handle: str) -> Any:
        if handle != "known":
            raise CallerError(f"Nothing is kept under {handle!r}.")
        return [1, 2]

    async with talking(job=Job("", {}, recall=recall)) as peer:
        assert await peer.ask({"type": "recall", "handle": "known"}, number) == {"type": "value", "value": [1, 2]}
        refused = await peer.ask({"type": "recall", "handle": "unknown"}, number)
        assert refused == {"type": "failure", "kind": "arguments", "message": "Nothing is kept under 'unknown'."}
        await peer.send({"type": "done"})
    assert (peer.run.calls, peer.run.succeeded) == (0, 0)


async def test_without_anything_kept_a_recall_fails() -> None:
    async with talking() as peer:
        assert await peer.ask({"type": "recall", "handle": "h"}) == snapshot(
            {"type": "failure", "kind": "arguments", "message": "Nothing is kept here that could be recalled."}
        )
        await peer.send({"type": "done"})


async def test_what_is_printed_is_bounded_and_what_was_left_out_is_said_once() -> None:
    async with talking(log_bytes=10) as peer:
        for _ in range(5):
            await peer.send({"type": "log", "text": "x" * 100})
        await peer.send({"type": "done"})
    assert peer.run.log == "x" * 210 + "\n[the rest was left out: log_bytes]\n"


# The check


def checking(*found: tuple[int, str, str]) -> tuple[Job, list[Sequence[PlannedCall]]]:
    """A job whose check finds these problems, and a list of what it was asked."""
    asked: list[Sequence[PlannedCall]] = []

    async def check(calls: Sequence[PlannedCall]) -> list[tuple[int, str, str]]:
        asked.append(calls)
        return list(found)

    return Job("", {}, check=check), asked


PLANNED: Mapping[str, Any] = {
    "line": 4, "server": "api", "tool": "get", "args": [[1], []], "kwargs": {"a": [None]}, "open": False
}  # fmt: skip


async def test_the_check_is_asked_for_the_planned_calls_and_a_good_program_goes_on() -> None:
    job, asked = checking()
    async with talking(job=job) as peer:
        await peer.send({"type": "check", "problems": [], "calls": [PLANNED]})
        assert (await peer.ask(CALL))["type"] == "value"
        await peer.send({"type": "done"})
    assert asked == [[PlannedCall(4, "api", "get", [[1], []], {"a": [None]}, open=False)]]
    assert peer.run.error is None


async def test_problems_of_the_program_and_of_its_calls_are_told_together_by_line() -> None:
    job, _ = checking((7, "arguments", "seven."), (2, "arguments", "two."))
    async with talking(job=job) as peer:
        await peer.send({"type": "check", "problems": [[4, "name", "four."]], "calls": [PLANNED]})
    assert isinstance(peer.run.error, ScriptError)
    assert (peer.run.error.kind, peer.run.error.text) == ("arguments", "line 2: two.\nline 4: four.\nline 7: seven.")


async def test_a_program_with_a_syntax_problem_among_others_has_that_kind() -> None:
    async with talking() as peer:
        await peer.send({"type": "check", "problems": [[1, "name", "a"], [2, "syntax", "b"]], "calls": []})
    assert isinstance(peer.run.error, ScriptError)
    assert peer.run.error.kind == "syntax"


async def test_very_many_problems_are_counted_and_not_all_told() -> None:
    async with talking() as peer:
        problems = [[line, "name", "no."] for line in range(1, 31)]
        await peer.send({"type": "check", "problems": problems, "calls": []})
    assert failure(peer.run).text.splitlines()[-2:] == ["line 20: no.", "and 10 more"]


async def test_a_check_that_is_refused_itself_is_the_programs_error() -> None:
    async def check(calls: Sequence[PlannedCall]) -> list[tuple[int, str, str]]:
        raise CallerError("Server 'api' is still starting.")

    async with talking(job=Job("", {}, check=check)) as peer:
        await peer.send({"type": "check", "problems": [], "calls": [PLANNED]})
    assert failure(peer.run).text == "Server 'api' is still starting."


# What a worker must not send


OTHER_FIELDS: list[Frame] = [{"line": "4"}, {"args": [1]}, {"args": {}}, {"kwargs": []}, {"tool": None}, {"more": 1}]


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ({"type": "nonsense"}, "The worker sent a frame of the unknown type 'nonsense'."),
        ({"type": "run"}, "The worker sent a frame of the unknown type 'run'."),
        ({"type": "check"}, "The worker sent a check that is none."),
        ({"type": "check", "problems": [[1]], "calls": []}, "The worker sent a check that is none."),
        ({"type": "check", "problems": [[1e999, "name", "x"]], "calls": []}, "The worker sent a check that is none."),
        ({"type": "check", "problems": 3, "calls": []}, "The worker sent a check that is none."),
        ({"type": "check", "problems": [], "calls": [[]]}, "The worker sent a check that is none."),
        ({"type": "check", "problems": [], "calls": [{"line": 1}]}, "The worker sent a check that is none."),
        *(
            (
                {"type": "check", "problems": [], "calls": [{**PLANNED, **other}]},
                "The worker sent a check that is none.",
            )
            for other in OTHER_FIELDS
        ),
        ({"type": "forked", "group": "all"}, "The worker sent a frame whose group is no whole number."),
        ({"type": "done", "steps": "many"}, "The worker sent a frame whose steps is no whole number."),
        ({"type": "done", "steps": 1e999}, "The worker sent a frame whose steps is no whole number."),
        ({"type": "error", "kind": "x", "steps": [1]}, "The worker sent a frame whose steps is no whole number."),
    ],
)
@pytest.mark.parametrize("number", [0, 1, 2])
async def test_a_frame_that_makes_no_sense_ends_the_program(frame: Frame, told: str, number: int) -> None:
    body = json.dumps(frame).encode()
    async with talking(job=checking()[0]) as peer:
        await peer.send_bytes(HEADER.pack(len(body), number) + body)
    assert isinstance(peer.run.error, ScriptError)
    assert peer.run.error.text == told


@pytest.mark.parametrize("wrong", [{"args": {"a": 1}}, {"args": "ab"}, {"kwargs": [1]}])
async def test_arguments_that_are_none_reach_no_tool(wrong: Frame) -> None:
    told = "The worker sent a call whose arguments are no list and no object."
    host = Host()
    async with talking(host) as peer:
        assert (await peer.ask({**CALL, **wrong}, 2))["message"] == told
        await peer.send({**CALL, **wrong}, MAIN_LINE)
    assert failure(peer.run).text == told
    assert not host.calls


@pytest.mark.parametrize("body", [b"no json", b"[]", b"\xff\xff", b'{"type":3}', b"[" * 100_000])
async def test_what_is_no_frame_ends_the_program(body: bytes) -> None:
    async with talking() as peer:
        await peer.send_bytes(HEADER.pack(len(body), 0) + body)
    assert failure(peer.run).text.startswith("The worker sent what is no frame: ")


async def test_a_huge_frame_is_refused_before_it_is_read() -> None:
    async with talking() as peer:
        await peer.send_bytes(HEADER.pack(2**32 - 1, 0))
    assert isinstance(peer.run.error, LimitError)
    assert peer.run.error.limit == "result_characters"
    assert "had 4294967295 bytes" in peer.run.error.text


@pytest.mark.parametrize("sent", [b"", b"\x00", HEADER.pack(100, 0), HEADER.pack(100, 0) + b'{"type":'])
async def test_a_frame_that_is_cut_off_is_a_worker_that_ended(sent: bytes) -> None:
    async with talking() as peer:
        await peer.send_bytes(sent)
        await peer.end(signal.SIGKILL)
    assert isinstance(peer.run.error, LimitError)


async def test_a_worker_that_stops_reading_is_ended_by_time() -> None:
    async def large(*_: Any) -> Any:
        return "x" * 3_000_000

    async with talking(call=large, wall_seconds=0.3) as peer:
        for number in range(2, 6):
            await peer.send(CALL, number)
    assert isinstance(peer.run.error, LimitError)
    assert peer.run.error.limit == "wall_seconds"
