"""One program while it runs: read, checked, lowered if need be, evaluated, answered.

Runs in a worker, and in the processes that a worker forks for it (`branches`).
"""

import os
import re
import resource
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import starlark

from mcp_hub.errors import nearest
from mcp_hub.sandbox import explain, lowering, preflight, protocol
from mcp_hub.sandbox.branches import FORK_DEPTH, Branches, Channel, Guard
from mcp_hub.sandbox.environment import Environment, dialect, fresh
from mcp_hub.sandbox.explain import Source
from mcp_hub.sandbox.protocol import MAIN_LINE, Frame

STEPS_A_TICK = 1000
"""starlark-pyo3 asks `check_cancelled` about once per 1,000 loop iterations (measured)."""

CALL_STACK_OVERFLOW = "Starlark call stack overflow"
CANCELLED = "Evaluation cancelled"
OUT_OF_MEMORY = re.compile(r"out of memory|MemoryError|memory allocation|PyObject pointer is null")
"""How the interpreter, Python and the glue between them say that an allocation failed."""

INDEXED_BY_TEXT = re.compile(r'Type of parameters mismatch, expected `int`, actual `string \(repr: "(.*?)"\)`')
"""How the interpreter refuses a key where a place is wanted."""

NOTES_BYTES = 16 * 1024 * 1024
"""Memory kept back, so that a program which has used all of its own can still be told so."""

RAISED_AGAIN = ("fail: ToolError: ", "fail: ToolError(")
"""How a tool's failure begins that an `except` clause caught and raised again."""

UNCATCHABLE = frozenset({"steps", "memory", "cpu", "processes"})
"""Kinds of errors that end a program wherever they come up: there is nothing left to go on with."""

Limits = Mapping[str, Any]
"""The pool's `limits.Limits`, as the zygote was started with them."""


class ToolFailure(Exception):  # noqa: N818 - its name is what the interpreter puts before the message
    """A call failed; the message is the pool's."""


class _Failed(Exception):  # noqa: N818 - it carries an answer, it isn't an error of ours
    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message


class Program:
    """One program: `run` evaluates it; the other public methods are what the prelude calls (environment.py)."""

    def __init__(self, channel: Channel, environment: Environment, job: Frame, limits: Limits) -> None:
        self._channel = channel
        self._environment = environment
        self._code: str = job["code"]
        self._namespaces: dict[str, list[str]] = job["namespaces"]
        self._unavailable: dict[str, str] = job["unavailable"]
        self._servers: list[str] = job["servers"]
        self._scripts: dict[str, str] = job["scripts"]
        self._limits = limits
        self._sources = {explain.PROGRAM: Source(self._code)}
        self._printed: list[str] = []
        self._log_left: int = limits["log_bytes"]
        self._failed_kind = ""
        self._ending: Frame | None = None
        self._exited = False
        self._answered = True
        self._loading: list[str] = []
        self._loaded: dict[str, starlark.FrozenModule] = {}
        self._bound: list[tuple[str, str]] = []
        self._guards: list[Guard] = []
        self._branches: Branches | None = None
        self._branch_most: int = limits["calls_parallel"]
        self._in_branch = False
        self._fork_depth = 0
        self._told_group = False
        self._steps = 0
        self._steps_before = 0
        self._environment.program = self

    def run(self) -> Frame:
        """Evaluate the program. The answer is a `done` or an `error` frame; nothing is raised.

        Returns in the process that has become the program, which need not be the one that called.
        """
        frame = self._outcome()
        frame["steps"] = self._steps - self._steps_before
        if frame["type"] == "error" and frame["kind"] not in UNCATCHABLE and self._guards:
            self.flush()
            self._guards.pop().fail(frame)
        while self._guards:
            self._guards.pop().commit()
        return frame

    @property
    def in_branch(self) -> bool:
        """Whether this process runs a branch, and not the program's main line."""
        return self._in_branch

    @property
    def channel(self) -> Channel:
        """Where the answer goes: to the pool, or in a branch to the process that forked it."""
        return self._channel

    def flush(self) -> None:
        """Hand what was printed since the last time to the pool."""
        if self._printed:
            text, self._printed = "".join(self._printed), []
            self._channel.send({"type": "log", "text": text})

    def print(self, text: str) -> None:
        """Keep a text for the answer's log."""
        if self._log_left <= 0:
            return
        size = len(text.encode(errors="replace"))
        kept = (
            text.encode(errors="replace")[: self._log_left].decode(errors="ignore") if size > self._log_left else text
        )
        self._log_left -= size
        self._printed.append(kept if self._log_left > 0 else f"{kept}\n[the rest was left out: log_bytes]\n")

    def exit(self) -> None:
        """End the program here; its answer is what `result` is now."""
        if self._in_branch:
            raise ToolFailure("exit() can't end the program from a branch of parallel: return, and look at the values")
        self._exited = True
        raise ToolFailure("exit")

    def fork(self, count: int) -> int | None:
        """Run `count` branches: in a branch its number, from 0; None in the process that waits, once the last runs.

        In one go: between two forks, each page that this process writes to must be copied anew.
        """
        branches = self._branches = Branches(self._branch_most)
        for number in range(count):
            branches.serve(self._channel, branches.most - 1)
            if branches.failure is not None:
                return None
            ours, theirs = socket.socketpair()
            pid = self._forked()
            if pid == 0:
                ours.close()
                branches.drop()
                self._become_branch(Channel(theirs), branches.steps)
                return number
            theirs.close()
            branches.add(pid, ours)
        return None

    def done(self, value: Any) -> None:
        """In a branch: send what it came to, and end."""
        frame = {"type": "done", "value": value, "steps": self._steps - self._steps_before}
        self._refuse_deep(value, "the value of a branch")
        encoded = protocol.encode(frame)
        self.flush()
        self._channel.send_bytes(encoded)
        os._exit(0)

    def join(self) -> list[Any]:
        """Wait for all branches: their values, in the order of the items. Fails with the first that failed."""
        branches, self._branches = self._branches, None
        if branches is None:
            return []
        branches.serve(self._channel, 0)
        self._steps += branches.steps
        if branches.failure is not None:
            self._end(branches.failure)
        if self._steps > self._limits["steps"]:
            self._end(_error("steps", f"The branches together took {branches.steps} steps."))
        return branches.values

    def try_(self) -> Frame | None:
        """Begin a guarded part: None in the process that goes on; why it failed in the one that waited."""
        guard = Guard()
        pid = self._forked()
        if pid == 0:
            guard.enter()
            self._guards.append(guard)
            return None
        frame = guard.wait(pid, self._channel)
        self._steps = max(self._steps, self._steps_before + int(frame["steps"]))
        if frame["kind"] in UNCATCHABLE:
            self._end(frame)
        return {"kind": frame["kind"], "type": frame["python"], "message": frame["told"]}

    def commit(self, value: Any = None) -> Any:
        """End the innermost guarded part, which succeeded. Gives back what it is given."""
        self._guards.pop().commit()
        self._fork_depth -= 1
        return value

    def recall(self, handle: Any) -> Any:
        """A value that was too large for an answer, by its handle."""
        return self._ask({"type": "recall", "handle": handle})

    def _outcome(self) -> Frame:
        try:
            value = self._evaluate()
            frame = {"type": "done", "value": value, "answered": self._answered}
            if protocol.nested_deeper(value, self._limits["value_nesting"]):
                return _error("value_nesting", "")
            protocol.encode(frame)
            return frame
        except BaseException as error:  # pyo3 turns a Rust panic into a BaseException of its own
            release_reserve()
            return self._failure(error)

    def _failure(self, error: BaseException) -> Frame:
        match error:
            case _Failed():
                return _error(error.kind, error.message)
            case starlark.StarlarkError():
                return self._explained(str(error))
            case TypeError() | ValueError():
                told = f"The result can't be written as JSON ({error})."
                return _error("result", f"{told} Answer with text, numbers, lists and dicts with text keys.")
            case RecursionError() | OverflowError():
                return _error("script", f"The program is nested too deep: {error}")
            case _:
                memory = isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error))
                return _error("memory" if memory else "script", str(error))

    def _evaluate(self) -> Any:
        reading = preflight.read(self._code, [*self._namespaces, *self._unavailable])
        if reading is not None:
            self._tell_what_is_known(reading)
        program = self._parsed(reading)
        environment = self._environment
        self._bind(environment, reading)
        module, globals_ = environment.module, environment.globals
        options = self._options()
        loader = starlark.FileLoader(self._load) if self._scripts else None
        try:
            ended = starlark.eval_with(options, module, program, globals_, file_loader=loader)
        except starlark.StarlarkError:
            if not self._exited:
                raise
            return module["result"] if reading is None or "result" in reading.assigned else None
        try:
            if reading is None or "result" in reading.assigned:
                value = module["result"]
                if value is not None or reading is not None:
                    return value
            if reading is not None and "main" in reading.functions and not reading.calls_main:
                call = starlark.parse("main", "main()", dialect())
                return starlark.eval_with(options, module, call, globals_).value
            self._answered = ended.value is not None
            return ended.value
        except starlark.StarlarkError as error:
            if (held := explain.not_json(str(error))) and "Traceback" not in str(error):
                message = f"The result holds {held}, which can't be written as JSON. Answer with data."
                raise _Failed("result", message) from None
            raise

    def _tell_what_is_known(self, reading: preflight.Reading) -> None:
        """Have the pool check what the program is going to call; its first call waits for that, and nothing else."""
        problems = preflight.problems(reading, self._namespaces, self._unavailable, self._servers)
        if not problems and not reading.calls:
            return
        self._channel.send({"type": "check", "problems": problems, "calls": reading.calls})
        if problems:
            self._channel.receive()

    def _parsed(self, reading: preflight.Reading | None) -> starlark.AstModule:
        try:
            if reading is None or not lowering.needed(reading.nodes, self._code):
                plain = starlark.parse(explain.PROGRAM, self._code, dialect())
                if reading is not None:
                    return plain
        except starlark.StarlarkError as error:
            if reading is None:
                raise _Failed("syntax", explain.mended(str(error))) from None
        if reading is None:  # what can't be read can't be checked either
            raise _Failed("syntax", preflight.unreadable(self._code))
        lowered = lowering.lower(reading.tree, frozenset(self._namespaces), reading.nodes)
        self._sources[explain.PROGRAM] = Source(self._code, lowered.lines)
        try:
            return starlark.parse(explain.PROGRAM, lowered.code, dialect())
        except starlark.StarlarkError as error:
            text = explain.placed(str(error), self._sources)
            raise _Failed("syntax", explain.mended(text)) from None

    def _bind(self, environment: Environment, reading: preflight.Reading | None) -> None:
        """Define the namespaces that the program uses, each with the tools that it spells out, or with all."""
        lines = []
        for namespace, tools in self._namespaces.items():
            if reading is None or reading.dynamic or namespace in reading.whole or self._scripts:
                wanted = tools
            else:
                wanted = list(reading.uses.get(namespace, ()))
            fields = []
            for tool in wanted:
                name = f"_tool_{len(self._bound)}"
                self._bound.append((namespace, tool))
                environment.module.add_callable(name, self._caller(namespace, tool))
                fields.append(f"{tool}={name}")
            if wanted:
                lines.append(f"{namespace} = _struct({', '.join(fields)})\n")
        text = starlark.parse("namespaces", "".join(lines), dialect())
        starlark.eval(environment.module, text, environment.globals)

    def _load(self, path: str) -> starlark.FrozenModule:
        """A shared script, evaluated once: it defines functions and makes no call."""
        if (known := self._loaded.get(path)) is not None:
            return known
        if path not in self._scripts:
            raise ToolFailure(f"there is no shared script {path!r}; listToolFiles lists those there are")
        if path in self._loading:
            raise ToolFailure(f"shared scripts load each other in a circle: {' -> '.join([*self._loading, path])}")
        code = self._scripts[path]
        reading = preflight.read(code, list(self._namespaces))
        self._sources[path] = Source(code)
        if reading is not None and lowering.needed(reading.nodes, code):
            lowered = lowering.lower(reading.tree, frozenset(self._namespaces), reading.nodes)
            self._sources[path] = Source(code, lowered.lines)
            code = lowered.code
        self._loading.append(path)
        environment = fresh()
        environment.program = self
        self._bind(environment, None)
        loader = starlark.FileLoader(self._load)
        program = starlark.parse(path, code, dialect())
        starlark.eval_with(self._options(), environment.module, program, environment.globals, file_loader=loader)
        self._loading.pop()
        self._loaded[path] = environment.module.freeze()
        return self._loaded[path]

    def _options(self) -> starlark.EvalOptions:
        return starlark.EvalOptions(check_cancelled=self._tick, max_callstack_size=self._limits["call_depth"])

    def _caller(self, server: str, tool: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._loading:
                by = f"{self._loading[-1]} calls {server}.{tool} when it is loaded"
                raise ToolFailure(f"{by}; a shared script only defines functions")
            return self._ask({"type": "call", "server": server, "tool": tool, "args": args, "kwargs": kwargs})

        return call

    def _ask(self, frame: Frame) -> Any:
        """Send a call and wait for its answer."""
        self._refuse_deep(frame, "an argument", more=2)
        try:
            encoded = protocol.encode(frame, MAIN_LINE)
        except TypeError as error:
            self._failed_kind = "arguments"
            raise ToolFailure(f"an argument can't be written as JSON: {error}") from None
        self.flush()
        self._channel.send_bytes(encoded)
        answer = self._channel.receive(MAIN_LINE)
        if answer["type"] == "failure":
            self._failed_kind = answer["kind"]
            raise ToolFailure(answer["message"])
        self._failed_kind = ""
        return answer["value"]

    def _refuse_deep(self, value: Any, what: str, more: int = 0) -> None:
        most = self._limits["value_nesting"]
        if protocol.nested_deeper(value, most + more):
            self._failed_kind = "value_nesting"
            raise ToolFailure(f"{what} has lists or dicts nested more than {most} deep") from None

    def _become_branch(self, channel: Channel, steps: int) -> None:
        """`steps` are those of the branches that have ended before: together they have one budget."""
        self._branches = None
        self._guards = []
        self._branch_most = 1
        self._in_branch = True
        self._steps += steps
        self._steps_before = self._steps
        self._channel = channel

    def _forked(self) -> int:
        self._fork_depth += 1
        if self._fork_depth > FORK_DEPTH:
            self._end(_error("processes", f"parallel, attempt and try stand in each other more than {FORK_DEPTH} deep"))
        if not self._told_group:
            self._told_group = True
            self._channel.send({"type": "forked", "group": os.getpgrp()})
        self.flush()
        try:
            pid = os.fork()
        except OSError as error:
            self._end(_error("processes", f"The machine refused the program another process ({error})."))
        if pid:
            self._fork_depth -= 1
        return pid

    def _end(self, frame: Frame) -> NoReturn:
        """Fail with an error that another process of the program has met."""
        self._ending = frame
        raise ToolFailure(frame["told"])

    def _tick(self) -> bool:
        self._steps += STEPS_A_TICK
        return bool(self._steps > self._limits["steps"])

    def _explained(self, text: str) -> Frame:
        if self._ending is not None and self._ending["told"] in text:
            return {**self._ending}
        placed = explain.placed(text, self._sources)
        told = explain.told(text)
        if self._steps > self._limits["steps"] and CANCELLED in text:
            return _error("steps", placed, told)
        if CALL_STACK_OVERFLOW in text:
            return _error("call_depth", placed, told)
        if OUT_OF_MEMORY.search(text):
            return _error("memory", placed, told)
        if "Maximum depth of" in text:
            return _error("value_nesting", placed, told)
        kind = self._failed_kind or ("tool" if told.startswith(RAISED_AGAIN) else "script")
        held = explain.not_json(text)
        if held and "Traceback" not in text:
            return _error("result", f"The last expression is {held}, which can't be written as JSON. Answer with data.")
        if held:
            of_branch = explain.points_into(text, "branches")
            kind, what = ("result", "the value of a branch") if of_branch else ("arguments", "an argument")
            told = f"{what} holds {held}, which can't be written as JSON; {'return' if of_branch else 'pass'} data"
            placed = re.sub(r"error: StarlarkError: Operation `serde::serialize` [^\n]*", f"error: {told}", placed)
        if unknown := re.search(r"Variable `(\w+)` not found", text):
            kind = "name"
            near = nearest(unknown[1], self._servers)
            if near:
                placed += f"Servers are the names that programs use: did you mean {' or '.join(near)}?\n"
            elif "did you mean" not in placed:
                placed += f"It is neither a server nor defined in the program. Servers: {', '.join(self._servers)}\n"
        if (key := re.search(r"Object of type `dict` has no attribute `(\w+)`", text)) is not None:
            placed += f'A dict\'s values are reached by key: d["{key[1]}"], or d.get("{key[1]}").\n'
        if (name := INDEXED_BY_TEXT.search(text)) is not None:
            placed += (
                f'A text or list has no ["{name[1]}"], its places are numbers. If a tool gave a text that holds data, '
                "ast.literal_eval(text) reads a Python literal; JSON comes read.\n"
            )
        return _error(kind, placed, told)


def release_reserve() -> None:
    """Allow this process the memory that was kept back: its program has ended."""
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _error(kind: str, message: str, told: str | None = None) -> Frame:
    told = told if told is not None else message
    return {
        "type": "error",
        "kind": kind,
        "message": message,
        "told": told,
        "python": explain.python_type(kind, told),
        "steps": 0,
    }
