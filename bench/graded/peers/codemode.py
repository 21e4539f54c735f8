"""FastMCP's CodeMode: search, get_schema and execute, a subset of Python run by Monty.

Wired with a connected client for each server; its proxy of a configuration would start a server for every call.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.graded.peers.codemode_plans import PLANS
from bench.graded.peers.peer import BARE, DISK_FULL, ECHO, Hostile, Setting, Started, meta
from bench.graded.task import Call, Plan

SERVER = Path(__file__).with_name("codemode_server.py")

HOSTILE = {
    Hostile.LOOP: "while True:\n    pass",
    Hostile.DOUBLING: "x = [0]\nwhile True:\n    x = x + x",
    Hostile.RECURSION: "def f(n):\n    return f(n + 1)\n\nreturn f(0)",
    Hostile.LARGE: 'return "x" * 3000000',
    Hostile.CALLS: (
        f'for n in range(1000):\n    last = await call_tool("{BARE}_tool_000", {{"text": "a", "count": n}})\n'
        "return last"
    ),
    Hostile.WRONG_TYPE: f'return await call_tool("{BARE}_tool_000", {{"text": "a", "count": "many"}})',
    Hostile.UNKNOWN: f'return await call_tool("{BARE}_tool_900", {{"text": "a"}})',
    Hostile.FAILING: f'return await call_tool("{ECHO}_fail", {{"message": "{DISK_FULL}"}})',
}


class CodeMode:
    """The transform on a server that mounts a proxy of each downstream server, all by its defaults."""

    name = "FastMCP CodeMode"
    requirements: Sequence[str] = ("fastmcp[code-mode]==4.2.3",)
    python = (3, 11)
    plans: Mapping[str, Plan | str] = PLANS

    def prepare(self, setting: Setting) -> Started:
        """Its list of servers; it connects with all of them before it answers."""
        config = setting.folder / "servers.json"
        every = [
            {"name": each.name, "command": [*each.command], "env": {**each.env}, "cwd": str(each.cwd)}
            for each in setting.servers
        ]
        config.write_text(json.dumps(every, indent=1))
        env = {"FASTMCP_CHECK_FOR_UPDATES": "off"}
        return Started([str(setting.venv / "bin" / "python"), "-P", str(SERVER), str(config)], env)

    def run(self, code: str) -> Call:
        """execute."""
        return meta("execute", code=code)

    def calls(self, count: int) -> str:
        """A loop; without a call only a return."""
        if not count:
            return "return 1"
        return (
            f'for n in range({count}):\n    last = await call_tool("{BARE}_tool_000", {{"text": "a", "count": n}})\n'
            "return last"
        )

    def hostile(self, kind: Hostile) -> str:
        """As a model would write it."""
        return HOSTILE[kind]
