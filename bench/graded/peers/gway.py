"""mcp-gway: the four meta-tools and callMany, Starlark by starlark-pyo3 in its own process.

It serves stdio one request after the other, and starts a server anew for each program that calls it.
"""

import os
import shlex
from collections.abc import Mapping, Sequence

from bench.graded.peers.gway_plans import PLANS
from bench.graded.peers.peer import BARE, DISK_FULL, ECHO, Downstream, Hostile, NotMeasuredError, Setting, Started, meta
from bench.graded.peers.wire import run_to_its_end
from bench.graded.task import Call, Plan

ADD_WAIT = 120.0
"""Seconds to add one server, which it starts twice for that."""
CALL_TIMEOUT = 30_000
"""Milliseconds for a call and for a server's start; its own 5,000 are too few for some of the servers."""

HOSTILE = {  # loops and conditions must stand in functions, and there is no while
    Hostile.LOOP: (
        "def f():\n    for i in range(1000000000):\n        for j in range(1000000000):\n            pass\n\n"
        "f()\nresult = 1"
    ),
    Hostile.DOUBLING: (
        "def f():\n    x = [0]\n    for i in range(1000000000):\n        x = x + x\n    return x\n\nresult = len(f())"
    ),
    Hostile.RECURSION: "def f(n):\n    return f(n + 1)\n\nresult = f(0)",
    Hostile.LARGE: 'result = "x" * 3000000',
    Hostile.CALLS: (
        "def f():\n    last = None\n    for n in range(1000):\n"
        f'        last = {BARE.capitalize()}.tool_000(text="a", count=n)\n    return last\n\nresult = f()'
    ),
    Hostile.WRONG_TYPE: f'result = {BARE.capitalize()}.tool_000(text="a", count="many")',
    Hostile.UNKNOWN: f'result = {BARE.capitalize()}.tool_900(text="a")',
    Hostile.FAILING: f'result = {ECHO.capitalize()}.fail(message="{DISK_FULL}")',
}


class Gway:
    """The gateway, configured by its own command."""

    name = "mcp-gway"
    requirements: Sequence[str] = ("mcp-gway==4.10.2",)
    python = (3, 12)
    plans: Mapping[str, Plan | str] = PLANS

    def prepare(self, setting: Setting) -> Started:
        """Add each server; commands are names that it finds on PATH and allows, so each gets a script of its own."""
        programs = setting.folder / "bin"
        programs.mkdir()
        names = [f"serve-{server.name}" for server in setting.servers]
        env = {
            "HOME": str(setting.folder),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "MCP_GWAY_ALLOW_LOCAL_COMMANDS": ",".join(names),
        }
        gateway = str(setting.venv / "bin" / "mcp-gway")
        refused = {}
        for server, name in zip(setting.servers, names, strict=True):
            script = programs / name
            script.write_text(launcher(server))
            script.chmod(0o755)
            options = ["--type", "local", "--command", name, "--cwd", str(server.cwd), "--timeout", str(CALL_TIMEOUT)]
            if why := run_to_its_end([gateway, "add", server.name, *options], env, ADD_WAIT):
                refused[server.name] = f"`mcp-gway add` failed: {why}"
        if len(refused) == len(setting.servers):
            raise NotMeasuredError("; ".join(refused.values()))
        return Started([gateway, "serve", "--log-level", "error"], env, refused)

    def run(self, code: str) -> Call:
        """executeToolCode."""
        return meta("executeToolCode", code=code)

    def calls(self, count: int) -> str:
        """A loop in a function; without a call only an assignment."""
        if not count:
            return "result = 1"
        return (
            f"def f():\n    last = None\n    for n in range({count}):\n"
            f'        last = {BARE.capitalize()}.tool_000(text="a", count=n)\n    return last\n\nresult = f()'
        )

    def hostile(self, kind: Hostile) -> str:
        """As a model would write it that knows its rules."""
        return HOSTILE[kind]


def launcher(server: Downstream) -> str:
    """A shell script that becomes the server."""
    env = [f"{name}={text}" for name, text in server.env.items()]
    return f"#!/bin/sh\nexec env {shlex.join([*env, *server.command])}\n"
