"""Runs Claude Code headless with one MCP server: its own commands for that, and a conversation with a given model."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients.headless import Done, Home
from tests.clients.reach import NAME, Http, Reach, Stdio

COMMAND_SECONDS = 60.0
"""`claude mcp add` and its like; they take a second or two."""

NOWHERE = "http://127.0.0.1:9"
"""A base URL for commands that ask no model."""


@dataclass(frozen=True)
class ClaudeRun:
    """What a finished run printed."""

    done: Done
    events: list[dict[str, Any]]

    def event(self, kind: str) -> dict[str, Any]:
        """The first event of a type; empty if there was none."""
        return next((event for event in self.events if event["type"] == kind), {})


@dataclass(frozen=True)
class ClaudeCode:
    """An installed Claude Code, the folder that it may use, how it reaches the hub, and its key of the model's API."""

    program: Path
    home: Home
    reach: Reach
    api_key: str = "sk-ant-a-dummy"
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables besides its own, or other than these."""

    def add(self) -> Done:
        """`claude mcp add`."""
        return self._command("mcp", "add", *self._add_options())

    def list_servers(self) -> Done:
        """`claude mcp list`, which connects to each."""
        return self._command("mcp", "list")

    def converse(
        self, prompt: str, api_url: str, started: Callable[[int], None], more: Sequence[str] = (), tools: str = ""
    ) -> ClaudeRun:
        """Run one conversation to its end, with the hub as the only server; `started` is told the process id.

        `more` are further options; `tools` are tools besides the hub's that may be used, with commas.
        """
        mcp_file = self.home.folder / "mcp.json"
        mcp_file.write_text(json.dumps({"mcpServers": {NAME: self._entry()}}, indent=2))
        options = [
            *("--mcp-config", str(mcp_file), "--strict-mcp-config"),
            *("--output-format", "stream-json", "--verbose"),
            *("--allowedTools", f"mcp__{NAME},{tools}" if tools else f"mcp__{NAME}"),
            *more,
        ]
        done = self.home.run([str(self.program), "--print", prompt, *options], self._env(api_url), started)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return ClaudeRun(done, [json.loads(line) for line in lines])

    def _command(self, *arguments: str) -> Done:
        return self.home.run([str(self.program), *arguments], self._env(NOWHERE), seconds=COMMAND_SECONDS)

    def _add_options(self) -> list[str]:
        match self.reach:
            case Http(url):
                headers = [
                    part for name, value in self.reach.headers.items() for part in ("--header", f"{name}: {value}")
                ]
                return ["--transport", "http", NAME, url, *headers]
            case Stdio(command, env):
                variables = [part for name, value in env.items() for part in ("--env", f"{name}={value}")]
                return [NAME, *variables, "--", *command]

    def _entry(self) -> dict[str, Any]:
        """The hub in a .mcp.json."""
        match self.reach:
            case Http(url):
                return {"type": "http", "url": url, "headers": self.reach.headers}
            case Stdio(command, env):
                return {"command": command[0], "args": command[1:], "env": env}

    def _env(self, api_url: str) -> dict[str, str]:
        return {
            "CLAUDE_CONFIG_DIR": str(self.home.home / ".claude"),
            "ANTHROPIC_BASE_URL": api_url,
            "ANTHROPIC_API_KEY": self.api_key,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_TELEMETRY": "1",
            **self.env,
        }
