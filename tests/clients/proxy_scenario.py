"""Claude Code through the messages proxy: a whole conversation, and one whose budget ends in the middle of it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.clients.claude_code import ClaudeCode, ClaudeRun
from tests.clients.conversation import LAST_WORDS, PROMPT, check_conversation, script
from tests.clients.headless import Home
from tests.clients.messages_api import MessagesApi
from tests.clients.reach import Reach
from tests.clients.report import Report
from tests.clients.stand_in import Answer, ToolUse
from tests.clients.workspace import Workspace

KEY = "a-key-for-claude-code-0123456789"
END_SECONDS = 20.0

SETTINGS = """
[[proxy.upstreams]]
name = "anthropic"
url = "{url}"
credential = "the-upstreams-credential"

[[proxy.keys]]
name = "claude-code"
key = "{key}"
team = "clients"

[proxy.prices."claude-*"]
input = 3
output = 15

[proxy.budgets.team.clients]
{budget}
"""

AMPLE = 'budget_limit = 1000\nbudget_duration = "1d"'
THREE_REQUESTS = 'request_limit = 3\nrequest_limit_duration = "1Y"'
"""The year's end is the one moment at which this test may see four."""


Row = dict[str, object]
"""Of the ledger, added up."""


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs: its URL, and where it keeps its ledger."""

    url: str
    state: Path
    folder: Path

    def usage(self, by: str) -> list[Row]:
        """`mcp_hub usage --by ... --json`."""
        command = [sys.executable, "-m", "mcp_hub", "usage", "--by", by, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=_environ(self.state), capture_output=True, text=True, check=True
        )
        told: list[Row] = json.loads(done.stdout)
        return told


@contextmanager
def running(folder: Path, settings: str, env: Mapping[str, str] = MappingProxyType({})) -> Iterator[Proxy]:
    """`mcp_hub proxy` with these settings, and these variables besides; ended with SIGTERM."""
    folder.mkdir(parents=True, exist_ok=True)
    config, state = folder / "proxy.toml", folder / "state"
    config.write_text(settings)
    command = [sys.executable, "-m", "mcp_hub", "proxy", "--config", str(config), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, cwd=folder, env={**_environ(state), **env}, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        found = re.search(r"http://\S+", first)
        if found is None:
            raise RuntimeError(f"the proxy didn't start: {first}{process.stderr.read()}")
        yield Proxy(found[0], state, folder)
    finally:
        process.terminate()
        process.communicate(timeout=END_SECONDS)


def asked(api: MessagesApi) -> int:
    """How often a model was asked, in the conversation and beside it."""
    return len(api.record.main) + sum(path == "/v1/messages" for path, _ in api.record.side)


def check_ended(report: Report, run: ClaudeRun) -> None:
    """Claude Code had the conversation to its end."""
    last = run.event("result")
    report.check(
        "Claude Code ended by itself with the model's last words",
        run.done.exit_code == 0 and last.get("result") == LAST_WORDS and not last.get("is_error"),
        last.get("result") or run.done.told,
    )


def check_proxied(report: Report, workspace: Workspace, claude: Path, reach: Reach) -> None:
    """The scripted conversation, as without the proxy; the ledger has every request of it."""
    workspace.forget()
    folder = workspace.folder / "claude-proxied"
    client = ClaudeCode(claude, Home(folder, os.environ["PATH"]).make(), reach, KEY)
    with MessagesApi(PROMPT, script(workspace)) as api, running(folder / "proxy", _before(api, AMPLE)) as proxy:
        run = client.converse(PROMPT, proxy.url, lambda _: None)
        rows = proxy.usage("key")
        requests = asked(api)
    check_conversation(report, workspace, api, folder / "requests.json")
    check_ended(report, run)
    report.check(
        "the ledger has each request to the model, and no failed one",
        [(row["key"], row["requests"], row["errors"]) for row in rows] == [("claude-code", requests, 0)],
        rows,
    )


def check_budget_ends(report: Report, workspace: Workspace, claude: Path, reach: Reach) -> None:
    """A model that would call tools without end, and a budget of three requests."""
    folder = workspace.folder / "claude-budget"
    client = ClaudeCode(claude, Home(folder, os.environ["PATH"]).make(), reach, KEY)

    def again(_: str) -> Answer:
        return ToolUse("listToolFiles", {})

    with (
        MessagesApi(PROMPT, [again] * 20) as api,
        running(folder / "proxy", _before(api, THREE_REQUESTS)) as proxy,
    ):
        run = client.converse(PROMPT, proxy.url, lambda _: None)
        served = asked(api)
    (folder / "events.json").write_text(json.dumps(run.events, indent=1))
    last = run.event("result")
    report.check("the upstream saw as many requests as the budget has", served == 3, served)
    report.check(
        "Claude Code shows which budget is used up, and when it resets",
        "The budget of team 'clients' (3 requests a year) is used up." in str(last.get("result")),
        last.get("result"),
    )
    report.check("it ends by itself, and doesn't try again without end", run.done.exit_code is not None, run.done.told)


def _before(api: MessagesApi, budget: str) -> str:
    """Settings of a proxy in front of the scripted model."""
    return SETTINGS.format(url=api.url, key=KEY, budget=budget)


def _environ(state: Path) -> dict[str, str]:
    return {**os.environ, "MCP_HUB_STATE_DIR": str(state)}
