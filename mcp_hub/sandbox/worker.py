"""The interpreter process: reads one program from its socket, runs it, answers, ends.

Runs in a child that `zygote` forked, with nothing but that socket. Imports as little as it can.
"""

import os
import re
import resource
import select
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import starlark

from mcp_hub.errors import nearest
from mcp_hub.sandbox import preflight, protocol
from mcp_hub.sandbox.protocol import Frame

STEPS_A_TICK = 1000
"""starlark-pyo3 asks `check_cancelled` about once per 1,000 loop iterations (measured)."""

QUIET = 0.005
"""Seconds without a program before a worker rehearses: programs that follow each other closely leave no time for it,
and it would slow them."""

RECEIVE_BYTES = 65_536

NOTES_BYTES = 16 * 1024 * 1024
"""Memory kept back, so that a program which has used all of its own can still be told so."""

PRELUDE = (Path(__file__).parent / "prelude.star").read_text()

CALL_STACK_OVERFLOW = "Starlark call stack overflow"
CANCELLED = "Evaluation cancelled"
TRACE_LINES = 12
"""Lines of a traceback that are told; a deep recursion has hundreds alike."""


class ToolFailure(Exception):  # noqa: N818 - its name is what the program's traceback shows
    """A call failed; the message is the pool's."""


class _Failed(Exception):  # noqa: N818 - it carries an answer, it isn't an error of ours
    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message


class Channel:
    """The blocking end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()

    def send(self, frame: Frame) -> None:
        self._connection.sendall(protocol.encode(frame))

    def receive(self) -> Frame:
        (size,) = protocol.HEADER.unpack(self._exactly(protocol.HEADER.size))
        return protocol.decode(self._exactly(size))

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            chunk = self._connection.recv(RECEIVE_BYTES)
            if not chunk:
                os._exit(0)  # the pool has no more use for this program
            self._received += chunk
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken


Limits = Mapping[str, Any]
"""The pool's `limits.Limits`, as the zygote was started with them."""

Environment = tuple[starlark.Module, starlark.Globals]
"""A module in which the prelude has been evaluated, and the globals it sees."""


def environment() -> Environment:
    """A fresh environment for one program.

    The zygote makes one before it forks, and each worker has a copy of it: the first one in a process costs
    several milliseconds, since Starlark's standard library is set up with it.
    """
    globals_ = _globals()
    module = starlark.Module()
    module.add_callable("_print", lambda _: None)
    starlark.eval(module, starlark.parse("prelude", PRELUDE, _dialect()), globals_)
    return module, globals_


class Program:
    """One program while it runs: what it has printed and how many steps it took."""

    def __init__(self, channel: Channel, environment: Environment, job: Frame, limits: Limits) -> None:
        self._channel = channel
        self._environment = environment
        self._code: str = job["code"]
        self._namespaces: dict[str, list[str]] = job["namespaces"]
        self._unavailable: dict[str, str] = job["unavailable"]
        self._servers: list[str] = job["servers"]
        self._limits = limits
        self._printed: list[str] = []
        self._log_left: int = self._limits["log_bytes"]
        self._call_failed = ""
        self._exhausted = ""
        self._answered = True
        self.steps = 0

    def run(self) -> Frame:
        """Evaluate the program. The answer is a `done` or an `error` frame; nothing is raised."""
        try:
            frame = {"type": "done", "value": self._evaluate(), "answered": self._answered}
            protocol.encode(frame)
        except _Failed as failed:
            frame = {"type": "error", "kind": failed.kind, "message": failed.message}
        except starlark.StarlarkError as error:
            frame = self._explained(str(error))
        except (TypeError, ValueError) as error:
            frame = {
                "type": "error",
                "kind": "result",
                "message": f"The result can't be written as JSON ({error}). Answer with text, numbers, lists and "
                "dicts with text keys.",
            }
        except (RecursionError, OverflowError) as error:
            frame = {"type": "error", "kind": "script", "message": f"The program is nested too deep: {error}"}
        except BaseException as error:
            # pyo3 turns a Rust panic, such as a failed allocation, into a BaseException of its own.
            memory = isinstance(error, MemoryError) or "memory" in str(error)
            frame = {"type": "error", "kind": "memory" if memory else "script", "message": str(error)}
        frame["steps"] = self.steps
        return frame

    def flush(self) -> None:
        """Hand what was printed since the last time to the pool."""
        if self._printed:
            text, self._printed = "".join(self._printed), []
            self._channel.send({"type": "log", "text": text})

    def _evaluate(self) -> Any:
        reading = preflight.read(self._code, [*self._namespaces, *self._unavailable])
        if reading is not None and (found := preflight.problems(reading, self._namespaces, self._unavailable)):
            raise _Failed("syntax" if reading.habits else "name", "\n".join(found))
        try:
            program = starlark.parse("program", self._code, _dialect())
        except starlark.StarlarkError as error:
            raise _Failed("syntax", _mended(_without_alternatives(str(error)))) from None
        module, globals_ = self._environment
        module.add_callable("_print", self._print)
        starlark.eval(module, starlark.parse("namespaces", self._bind(module, reading), _dialect()), globals_)
        options = starlark.EvalOptions(check_cancelled=self._tick, max_callstack_size=self._limits["call_depth"])
        ended = starlark.eval_with(options, module, program, globals_)
        try:
            if reading is None or "result" in reading.assigned:
                value = module["result"]
                if value is not None or reading is not None:
                    return value
            if reading is not None and "main" in reading.functions and not reading.calls_main:
                call = starlark.parse("main", "main()", _dialect())
                return starlark.eval_with(options, module, call, globals_).value
            self._answered = ended.value is not None
            return ended.value
        except starlark.StarlarkError as error:
            if (held := _not_json(str(error))) and "Traceback" not in str(error):
                message = f"The result holds {held}, which can't be written as JSON. Answer with data."
                raise _Failed("result", message) from None
            raise

    def _bind(self, module: starlark.Module, reading: preflight.Reading | None) -> str:
        lines = []
        for namespace, tools in self._namespaces.items():
            if reading is None or reading.dynamic or namespace in reading.whole:
                wanted = tools
            else:
                wanted = list(reading.uses.get(namespace, ()))
            fields = []
            for tool in wanted:
                name = f"_{namespace}__{tool}"
                module.add_callable(name, self._caller(namespace, tool))
                fields.append(f"{tool}={name}")
            if wanted:
                lines.append(f"{namespace} = _struct({', '.join(fields)})\n")
        return "".join(lines)

    def _caller(self, server: str, tool: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.flush()
            try:
                self._channel.send({"type": "call", "server": server, "tool": tool, "args": args, "kwargs": kwargs})
            except TypeError as error:
                raise ToolFailure(f"an argument of {server}.{tool} can't be written as JSON: {error}") from None
            answer = self._channel.receive()
            if answer["type"] == "failure":
                self._call_failed = answer["kind"]
                raise ToolFailure(answer["message"])
            self._call_failed = ""
            return answer["value"]

        return call

    def _print(self, text: str) -> None:
        if self._log_left <= 0:
            return
        kept = text.encode()[: self._log_left].decode(errors="ignore")
        self._log_left -= len(text.encode())
        self._printed.append(kept if self._log_left > 0 else f"{kept}\n[the rest was left out: log_bytes]\n")

    def _tick(self) -> bool:
        self.steps += STEPS_A_TICK
        if self.steps > self._limits["steps"]:
            self._exhausted = "steps"
        return bool(self._exhausted)

    def _explained(self, text: str) -> Frame:
        if self._exhausted and CANCELLED in text:
            return {"type": "error", "kind": self._exhausted, "message": _shortened(text)}
        if CALL_STACK_OVERFLOW in text:
            return {"type": "error", "kind": "call_depth", "message": _shortened(text)}
        if "out of memory" in text:
            return {"type": "error", "kind": "memory", "message": _shortened(text)}
        kind = self._call_failed or "script"
        text = _shortened(text).replace("error: ToolFailure: ", "error: ")
        if (held := _not_json(text)) and "Traceback" not in text:
            return {
                "type": "error",
                "kind": "result",
                "message": f"The last expression is {held}, which can't be written as JSON. Answer with data.",
            }
        if held:
            kind = "arguments"
            told = f"error: an argument holds {held}, which can't be written as JSON; pass data"
            text = re.sub(r"error: StarlarkError: Operation `serde::serialize` [^\n]*", told, text)
        if unknown := re.search(r"Variable `(\w+)` not found", text):
            kind = "name"
            near = nearest(unknown[1], self._servers)
            if near:
                text += f"Servers are the names that programs use: did you mean {' or '.join(near)}?\n"
            elif "did you mean" not in text:
                text += f"It is neither a server nor defined in the program. Servers: {', '.join(self._servers)}\n"
        return {"type": "error", "kind": kind, "message": text}


def serve(descriptor: int, fresh: Environment, limits: Limits) -> None:
    """Take one job from the socket that `descriptor` is, run it in `fresh`, answer it."""
    confine(limits)
    connection = socket.socket(fileno=descriptor)
    channel = Channel(connection)
    if not select.select([connection], [], [], QUIET)[0]:
        rehearse(fresh, limits)
    program = Program(channel, fresh, channel.receive(), limits)
    answer = program.run()
    _allow_notes()
    try:
        program.flush()
        channel.send(answer)
        connection.recv(1)  # ending is work too: the pool ends this process once the answer has gone out
    except OSError:
        return  # the pool has gone


class _Rehearsal(Channel):
    """Stands in for the pool: it answers each call and sends nothing."""

    def __init__(self) -> None:
        pass

    def send(self, frame: Frame) -> None:
        protocol.encode(frame)

    def receive(self) -> Frame:
        return protocol.decode(b'{"type":"value","value":{"a":[1]}}')


def rehearse(fresh: Environment, limits: Limits) -> None:
    """Run a program of our own in `fresh`: what is set up at first use is set up, what a fork copies is copied, unseen.

    What it defined is taken back.
    """
    code = "_rehearsed = _rehearsal.call(a=1)\nprint(_rehearsed)\n_rehearsed"
    namespaces = {"_rehearsal": ["call"]}
    job = {"code": code, "namespaces": namespaces, "unavailable": {}, "servers": ["_rehearsal"]}
    Program(_Rehearsal(), fresh, job, limits).run()
    module, _ = fresh
    for name in ("_rehearsed", "_rehearsal", "__rehearsal__call"):
        module[name] = None


def confine(limits: Limits) -> None:
    """Set the OS limits: the soft ones bound the program, the hard ones leave room to tell that it was ended.

    `base_bytes` in the limits is the address space that the worker began with.
    """
    cpu = int(limits["wall_seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # the socket is open already; nothing else may be
    if sys.platform == "linux":
        soft = limits["base_bytes"] + limits["memory_mib"] * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (soft, soft + NOTES_BYTES))


def address_space() -> int:
    """Bytes of address space this process has mapped; 0 where the OS doesn't tell."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _allow_notes() -> None:
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _dialect() -> starlark.Dialect:
    dialect = starlark.Dialect.extended()
    dialect.enable_top_level_stmt = True
    dialect.enable_f_strings = True
    return dialect


def _globals() -> starlark.Globals:
    extension = starlark.LibraryExtension
    return starlark.Globals.extended_by(
        [extension.StructType, extension.Json, extension.Map, extension.Filter, extension.Partial]
    )


def _mended(text: str) -> str:
    """A parse error with what to write instead, where that is known."""
    if "Not a valid identifier: `" in text:
        return f"{text}An f-string takes plain names only: assign the expression to a name first, or use %.\n"
    return text


def _without_alternatives(text: str) -> str:
    return re.sub(r', expected (?:one of )?(?:"[^\n]*)', "", text)


def _not_json(text: str) -> str:
    """What starlark-pyo3 couldn't turn into a Python value, in words; "" when that isn't what the error is about."""
    found = re.search(r"Operation `serde::serialize` not supported on type `(\w+)`", text)
    if not found:
        return ""
    return "a tool or function" if found[1] in ("python_callable_value", "function") else f"a {found[1]}"


def _shortened(text: str) -> str:
    lines = text.splitlines()
    trace = [i for i, line in enumerate(lines) if line.startswith("  ")]
    if not lines or not lines[0].startswith("Traceback") or len(trace) <= TRACE_LINES:
        return text
    cut = trace[TRACE_LINES // 2 : -TRACE_LINES // 2]
    return "\n".join([*lines[: cut[0]], f"  ... {len(cut)} lines more ...", *lines[cut[-1] + 1 :]]) + "\n"
