"""Claude Code against the hub: what it loads upfront, what its model gets back, and what is left behind."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from bpe_openai import get_encoding
from mcp_types import Tool

from tests.clients.claude_code import ClaudeCode, ClaudeRun
from tests.clients.conversation import LAST_WORDS, PROMPT, check_conversation, check_processes, script
from tests.clients.headless import Home
from tests.clients.messages_api import MessagesApi
from tests.clients.processes import ProcessWatch
from tests.clients.reach import NAME, Reach, word
from tests.clients.report import Report
from tests.clients.sdk_scenario import META_TOOLS
from tests.clients.stand_in import Answer, Body, Step, Text, ToolUse
from tests.clients.workspace import Workspace

TOKENIZER = "o200k_base"
MOST_TOKENS = 900
"""What the four definitions may cost in every request."""
SHORTEST_DESCRIPTION = 20
"""A downstream description shorter than this could stand in a request by chance."""


def check_claude_code(
    report: Report, workspace: Workspace, claude: Path, reach: Reach, watch: ProcessWatch
) -> Body | None:
    """One scripted conversation, then everything that can be read off it; its first request."""
    workspace.forget()
    folder = workspace.folder / f"claude-{word(reach)}"
    client = ClaudeCode(claude, Home(folder, os.environ["PATH"]).make(), reach)
    _check_added(report, client)
    pids: list[int] = []

    def look() -> None:
        for pid in pids:
            watch.snapshot(pid)

    with MessagesApi(PROMPT, script(workspace), look) as api:
        run = client.converse(PROMPT, api.url, pids.append)
        survivors = watch.survivors()
    (folder / "events.json").write_text(json.dumps(run.events, indent=1))
    _check_start(report, run)
    check_conversation(report, workspace, api, folder / "requests.json")
    last = run.event("result")
    report.check(
        "Claude Code ended by itself with the model's last words",
        run.done.exit_code == 0 and last.get("result") == LAST_WORDS and not last.get("is_error"),
        run.done.told,
    )
    check_processes(report, workspace, reach, watch, survivors)
    return api.record.main[0] if api.record.main else None


def check_killed_client(report: Report, workspace: Workspace, claude: Path, reach: Reach, watch: ProcessWatch) -> None:
    """A conversation whose client is killed after its first tool call and can't tell the hub so."""
    pids: list[int] = []

    def kill(_: str) -> Answer:
        watch.snapshot(pids[0])
        os.kill(pids[0], signal.SIGKILL)
        return Text("Nobody hears this.")

    steps: list[Step] = [lambda _: ToolUse("listToolFiles", {}), kill]
    home = Home(workspace.folder / f"claude-killed-{word(reach)}", os.environ["PATH"]).make()
    with MessagesApi(PROMPT, steps) as api:
        run = ClaudeCode(claude, home, reach).converse(PROMPT, api.url, pids.append)
        survivors = watch.survivors()
    ended = run.done.exit_code
    report.check("Claude Code was killed in mid-conversation", ended == -signal.SIGKILL, ended)
    report.check(
        "after it was killed, none of its processes is left",
        not survivors,
        survivors or f"{watch.count} seen",
    )


def check_definitions(report: Report, request: Body, downstream: list[Tool]) -> None:
    """What the four definitions of a request cost, and that nothing of the servers behind them is in it."""
    mine = {MessagesApi.spelled(name) for name in META_TOOLS}
    received = [tool for tool in request["tools"] if tool["name"] in mine]
    upfront = [tool["name"] for tool in received if not tool.get("defer_loading")]
    report.check("none of the four is deferred", len(upfront) == len(mine), upfront)
    theirs = {tool.name for tool in downstream}
    named = [tool["name"] for tool in request["tools"] if tool["name"].split("__")[-1] in theirs]
    texts = [tool.description for tool in downstream if len(tool.description or "") >= SHORTEST_DESCRIPTION]
    whole = json.dumps(request, ensure_ascii=False)
    told = [text for text in texts if text and json.dumps(text, ensure_ascii=False)[1:-1] in whole]
    report.check(
        f"no definition of the {len(downstream)} downstream tools is in it",
        not named and not told,
        named + told or "",
    )
    tokens = {tool["name"]: _tokens(tool) for tool in received}
    total = sum(tokens.values())
    report.check(
        f"the four definitions are at most {MOST_TOKENS} tokens",
        0 < total <= MOST_TOKENS,
        f"{total} ({TOKENIZER})",
    )
    for name, number in tokens.items():
        report.note(name, number)
    spared = sum(_tokens(_as_received(tool)) for tool in downstream)
    report.note(f"the {len(downstream)} downstream definitions would be", spared)


def _check_added(report: Report, client: ClaudeCode) -> None:
    added = client.add()
    report.check("claude mcp add takes the hub", added.exit_code == 0, added.stdout.strip() or added.told)
    listed = client.list_servers()
    mine = [line for line in listed.stdout.splitlines() if line.startswith(f"{NAME}:")]
    report.check(
        "claude mcp list tells that it is connected",
        [line.split()[-1] for line in mine] == ["Connected"],
        mine or listed.told,
    )


def _check_start(report: Report, run: ClaudeRun) -> None:
    servers = run.event("system").get("mcp_servers", [])
    report.check(
        "Claude Code connected to the hub",
        [server["status"] for server in servers] == ["connected"],
        servers or run.done.told,
    )


def _as_received(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}


def _tokens(definition: dict[str, Any]) -> int:
    told = {key: definition[key] for key in ("name", "description", "input_schema")}
    return len(get_encoding(TOKENIZER).encode(json.dumps(told, ensure_ascii=False)))
