"""Starts what is measured and speaks to it: commands, a raw JSON-RPC client, a folder for what they leave.

Owns every process and file of a run. The raw client imports nothing of the SDK, so a start is timed without
a client's own import; it reads with a bound and ends its process on the way out, whatever happened.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]

TOOLS = 96
"""Tools that each fixture lists."""

ANSWER_WAIT = 60.0
"""Seconds for one answer; a server that takes longer has failed."""

STDIN_GRACE = 10.0
"""Seconds that a process gets to end after its stdin has, its own children included."""
TERMINATE_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""

LOG_TAIL = 800


class BenchError(Exception):
    """What is measured didn't do its job; the text tells what and why."""


class Era(StrEnum):
    """Which protocol the raw client speaks."""

    DISCOVER = "2026-07-28"
    INITIALIZE = "2025-11-25"


def fixture_command() -> list[str]:
    """The fast downstream server."""
    return [sys.executable, str(ROOT / "fixtures" / "bare_server.py"), "--tools", str(TOOLS)]


def hop_command() -> list[str]:
    """The bare forwarding hop, with the fixture behind it."""
    return [sys.executable, "-m", "bench.bare_hop", *fixture_command()]


def sdk_server_command() -> list[str]:
    """The bare SDK server."""
    return [sys.executable, str(ROOT / "bench" / "bare_sdk_server.py")]


def hub_command(config: Path) -> list[str]:
    """The hub as a client starts it."""
    script = Path(sys.executable).with_name("mcp_hub")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "mcp_hub"]
    return [*program, "serve", "--config", str(config)]


def write_config(path: Path, names: Sequence[str]) -> Path:
    """A servers.toml with the fixture under each of these names."""
    command = json.dumps(fixture_command())
    path.write_text("".join(f"[servers.{name}]\ncommand = {command}\n\n" for name in names))
    return path


def environment(state: Path) -> dict[str, str]:
    """What the hub gets: the usual variables, its state in `state`."""
    return {**os.environ, "MCP_HUB_STATE_DIR": str(state)}


def tail(log: Path) -> str:
    """The end of what was written to stderr."""
    return log.read_text(errors="replace")[-LOG_TAIL:].strip() or "empty"


class RawServer:
    """A stdio server that this process started, spoken to in plain JSON lines. A context manager."""

    def __init__(self, command: Sequence[str], env: dict[str, str], log: Path, era: Era) -> None:
        self._command = command
        self._env = env
        self._log = log
        self._era = era
        self._buffer = b""
        self._ids = 0

    def __enter__(self) -> Self:
        with self._log.open("wb") as errors:
            self.started = time.perf_counter()
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._env,
                cwd=ROOT,
                bufsize=0,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(STDIN_GRACE)
        except BaseException as reason:
            self._end_by_force()
            if not isinstance(reason, subprocess.TimeoutExpired):
                raise
        finally:
            self.process.stdout.close()

    def open(self) -> float:
        """Send the era's first request; the seconds from the start of the process until its answer was read."""
        if self._era is Era.DISCOVER:
            self.request("server/discover", {})
            return self._since_start()
        me = {"name": "bench", "version": "1"}
        self.request("initialize", {"protocolVersion": self._era, "capabilities": {}, "clientInfo": me})
        taken = self._since_start()
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return taken

    def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """Call a tool; its first text. Raises BenchError when the tool failed."""
        result = self.request("tools/call", {"name": tool, "arguments": arguments})
        text: str = result["content"][0]["text"]
        if result.get("isError"):
            raise BenchError(f"{tool} failed: {text}")
        return text

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """One request and its result. Raises BenchError for an error, an end, or no answer in time."""
        self._ids += 1
        if self._era is Era.DISCOVER:
            prefix = "io.modelcontextprotocol"
            params["_meta"] = {
                f"{prefix}/protocolVersion": self._era,
                f"{prefix}/clientInfo": {"name": "bench", "version": "1"},
                f"{prefix}/clientCapabilities": {},
            }
        self._send({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        deadline = time.monotonic() + ANSWER_WAIT
        while True:
            message = json.loads(self._line(method, deadline))
            if message.get("id") != self._ids:
                continue
            if "result" not in message:
                raise BenchError(f"{method} was answered with {message.get('error')}")
            result: dict[str, Any] = message["result"]
            return result

    def _since_start(self) -> float:
        return time.perf_counter() - self.started

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise self._ended(str(message.get("method"))) from None

    def _line(self, method: str, deadline: float) -> bytes:
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise BenchError(f"{method} wasn't answered within {ANSWER_WAIT:g} s")
            chunk = os.read(fd, 1 << 20)
            if not chunk:
                raise self._ended(method)
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _ended(self, method: str) -> BenchError:
        name = Path(self._command[0]).name
        return BenchError(f"{name} ended before it answered {method}; its stderr: {tail(self._log)}")

    def _end_by_force(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(TERMINATE_GRACE)
        finally:
            self.process.kill()
            self.process.wait()
