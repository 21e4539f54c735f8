"""Runs Claude Code headless, in a home of its own, against a given Messages API and with one MCP server."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.workspace import Hub

RUN_SECONDS = 120.0
"""A whole scripted conversation; it takes about five seconds."""
END_SECONDS = 10.0

SERVER = "mcp_hub"
"""The hub's name in Claude Code's configuration."""


def tool_name(name: str) -> str:
    """What the model calls the hub's tool `name`."""
    return f"mcp__{SERVER}__{name}"


@dataclass(frozen=True)
class ClaudeRun:
    """What a finished run printed."""

    events: list[dict[str, Any]]
    exit_code: int | None
    """None: it did not end within RUN_SECONDS and was killed."""
    stderr: str

    def event(self, kind: str) -> dict[str, Any]:
        """The first event of a type; empty if there was none."""
        return next((event for event in self.events if event["type"] == kind), {})


@dataclass(frozen=True)
class ClaudeCode:
    """An installed Claude Code and the folder that it may use."""

    program: Path
    folder: Path

    def run(
        self,
        prompt: str,
        *,
        api_url: str,
        hub: Hub,
        started: Callable[[int], None],
    ) -> ClaudeRun:
        """Run one conversation to its end; `started` is told the process id."""
        work, home = self.folder / "work", self.folder / "home"
        work.mkdir(exist_ok=True)
        home.mkdir(exist_ok=True)
        mcp_file = self.folder / "mcp.json"
        server = {"command": hub.command[0], "args": hub.command[1:], "env": hub.env}
        mcp_file.write_text(json.dumps({"mcpServers": {SERVER: server}}))
        options = [
            *("--mcp-config", str(mcp_file), "--strict-mcp-config"),
            *("--output-format", "stream-json", "--verbose"),
            *("--allowedTools", f"mcp__{SERVER}"),
        ]
        process = subprocess.Popen(
            [str(self.program), "--print", prompt, *options],
            cwd=work,
            env=self._env(home, api_url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started(process.pid)
        exit_code: int | None
        try:
            stdout, stderr = process.communicate(timeout=RUN_SECONDS)
            exit_code = process.returncode
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate(timeout=END_SECONDS)
            exit_code = None
        lines = [line for line in stdout.splitlines() if line.startswith("{")]
        return ClaudeRun([json.loads(line) for line in lines], exit_code, stderr)

    def _env(self, home: Path, api_url: str) -> dict[str, str]:
        """Nothing of the caller's but where programs are: no key, setting or proxy of theirs takes part."""
        own = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {
            **own,
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home / ".claude"),
            "ANTHROPIC_BASE_URL": api_url,
            "ANTHROPIC_API_KEY": "sk-ant-a-dummy",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_TELEMETRY": "1",
        }
