"""mcp_hub itself, measured as its peers are."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcp import StdioServerParameters

from bench.graded.peers.peer import BARE, DISK_FULL, ECHO, Downstream, Hostile, NotMeasuredError, Setting, Started, meta
from bench.graded.starting import LISTED_WAIT, configuration
from bench.graded.task import Call, Plan
from bench.graded.tasks import TASKS
from bench.processes import ROOT, BenchError, Era, RawServer

HOSTILE = {
    Hostile.LOOP: "while True:\n    pass",
    Hostile.DOUBLING: "x = [0]\nwhile True:\n    x = x + x",
    Hostile.RECURSION: "def f(n):\n    return f(n + 1)\n\nresult = f(0)",
    Hostile.LARGE: 'result = "x" * 3000000',
    Hostile.CALLS: f'for n in range(1000):\n    result = {BARE}.tool_000(text="a", count=n)',
    Hostile.WRONG_TYPE: f'result = {BARE}.tool_000(text="a", count="many")',
    Hostile.UNKNOWN: f'result = {BARE}.tool_900(text="a")',
    Hostile.FAILING: f'result = {ECHO}.fail(message="{DISK_FULL}")',
}


class Hub:
    """The hub of this repository."""

    name = "mcp_hub"
    requirements: Sequence[str] = ()
    python = (3, 11)
    plans: Mapping[str, Plan | str] = {task.name: task.hub for task in TASKS}

    def prepare(self, setting: Setting) -> Started:
        """A configuration, and a first session in which all servers are listed."""
        config = setting.folder / "servers.toml"
        started = {server.name: _parameters(server) for server in setting.servers}
        config.write_text(configuration(started, learning=setting.learning))
        command = [sys.executable, "-m", "mcp_hub", "serve", "--config", str(config)]
        env = {"MCP_HUB_STATE_DIR": str(setting.folder / "state"), "PYTHONPATH": str(ROOT)}
        try:
            self._list_all(command, env, setting.folder, len(setting.servers))
        except BenchError as error:
            raise NotMeasuredError(str(error)) from None
        return Started(command, env)

    def run(self, code: str) -> Call:
        """executeToolCode."""
        return meta("executeToolCode", code=code)

    def calls(self, count: int) -> str:
        """A loop; without a call only an assignment."""
        if not count:
            return "result = 1"
        return f'for n in range({count}):\n    result = {BARE}.tool_000(text="a", count=n)'

    def hostile(self, kind: Hostile) -> str:
        """As a model would write it."""
        return HOSTILE[kind]

    def _list_all(self, command: Sequence[str], env: Mapping[str, str], folder: Path, count: int) -> None:
        until = time.monotonic() + LISTED_WAIT
        with RawServer(command, {**os.environ, **env}, folder / "first.log", Era.DISCOVER) as server:
            server.open()
            text = ""
            while time.monotonic() < until:
                text = server.call("listToolFiles", {})
                lines = [line for line in text.splitlines() if line.startswith("servers/") and " tool" in line]
                if len(lines) == count:
                    return
                time.sleep(0.2)
        raise NotMeasuredError(f"it hasn't listed all servers after {LISTED_WAIT:g} s; it says: {text[:300]}")


def _parameters(server: Downstream) -> StdioServerParameters:
    program, *arguments = server.command
    return StdioServerParameters(command=program, args=arguments, cwd=str(server.cwd), env=dict(server.env))
