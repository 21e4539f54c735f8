"""Claude Code against the hub: what it loads upfront, what its model gets back, and what is left behind."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from bpe_openai import get_encoding
from mcp_types import Tool

from tests.clients.claude_code import ClaudeCode, ClaudeRun, tool_name
from tests.clients.messages_api import (
    Answer,
    Body,
    MessagesApi,
    Record,
    Step,
    Text,
    ToolUse,
    last_result,
    text_of,
)
from tests.clients.processes import ProcessWatch
from tests.clients.report import Report, carries
from tests.clients.sdk_scenario import META_TOOLS, file_of, line_with
from tests.clients.workspace import NEAREST_TOOL, Hub, Workspace

PROMPT = "Add up the stock that the last commits counted."
LAST_WORDS = "The stock is counted."

TOKENIZER = "o200k_base"
MOST_TOKENS = 900
"""What the four definitions may cost in every request."""
SHORTEST_DESCRIPTION = 20
"""A downstream description shorter than this could stand in a request by chance."""

TURNS = ("listToolFiles", "readToolFile", "getToolDocs", "executeToolCode", "executeToolCode")


def check_claude_code(
    report: Report,
    workspace: Workspace,
    claude: Path,
    hub: Hub,
    downstream: list[Tool],
    watch: ProcessWatch,
) -> None:
    """One scripted conversation, then everything that can be read off it."""
    workspace.forget()
    pids: list[int] = []

    def look() -> None:
        for pid in pids:
            watch.snapshot(pid)

    with MessagesApi(PROMPT, _script(workspace), look) as api:
        run = ClaudeCode(claude, workspace.folder).run(PROMPT, api_url=api.url, hub=hub, started=pids.append)
        survivors = watch.survivors()
    (workspace.folder / "requests.json").write_text(json.dumps(api.record.main, indent=1))
    (workspace.folder / "events.json").write_text(json.dumps(run.events, indent=1))
    _check_start(report, run, api.record)
    if api.record.main:
        _check_definitions(report, api.record.main[0], downstream)
    _check_turns(report, workspace, run, api.record)
    programs = [hub.command[-1], *(command[0] for command, _ in workspace.commands.values())]
    unseen = [Path(program).name for program in programs if not watch.saw(program)]
    report.check("while it ran, the hub and the three servers were seen", not unseen, unseen or "")
    report.check("after it ended, none of its processes is left", not survivors, survivors or f"{watch.count} seen")


def check_killed_client(
    report: Report,
    workspace: Workspace,
    claude: Path,
    hub: Hub,
    watch: ProcessWatch,
) -> None:
    """A conversation whose client is killed after its first tool call and can't tell the hub so."""
    pids: list[int] = []

    def kill(body: Body) -> Answer:
        watch.snapshot(pids[0])
        os.kill(pids[0], signal.SIGKILL)
        return Text("Nobody hears this.")

    script: list[Step] = [lambda body: ToolUse(tool_name("listToolFiles"), {}), kill]
    with MessagesApi(PROMPT, script, lambda: None) as api:
        run = ClaudeCode(claude, workspace.folder).run(PROMPT, api_url=api.url, hub=hub, started=pids.append)
        survivors = watch.survivors()
    report.check("Claude Code was killed in mid-conversation", run.exit_code == -signal.SIGKILL, run.exit_code)
    report.check(
        "after it was killed, none of its processes is left",
        not survivors,
        survivors or f"{watch.count} seen",
    )


def _script(workspace: Workspace) -> list[Step]:
    def read(body: Body) -> Answer:
        listing = text_of(last_result(body))
        return ToolUse(tool_name("readToolFile"), {"fileName": file_of("git", listing) or "servers/git.pyi"})

    def call(name: str, **arguments: str) -> Step:
        return lambda body: ToolUse(tool_name(name), dict(arguments))

    return [
        call("listToolFiles"),
        read,
        call("getToolDocs", server="git", tool="git_log"),
        call("executeToolCode", code=workspace.join_program),
        call("executeToolCode", code=workspace.unknown_tool_program),
        lambda body: Text(LAST_WORDS),
    ]


def _check_start(report: Report, run: ClaudeRun, record: Record) -> None:
    servers = run.event("system").get("mcp_servers", [])
    report.check(
        "Claude Code connected to the hub",
        [server["status"] for server in servers] == ["connected"],
        servers or run.stderr,
    )
    names = [tool["name"] for tool in record.main[0]["tools"]] if record.main else []
    upfront = [name for name in names if name.startswith("mcp__")]
    report.check(
        "its first request has the four definitions, and no other of MCP",
        sorted(upfront) == sorted(tool_name(name) for name in META_TOOLS),
        ", ".join(upfront) or names,
    )
    used = [block["name"] for block in _tool_uses(record)]
    report.check(
        "the conversation is the script's, with no turn of ToolSearch",
        used == [tool_name(name) for name in TURNS],
        used,
    )
    report.note("requests of the conversation, and others", f"{len(record.main)}, {len(record.side)}")


def _check_definitions(report: Report, request: Body, downstream: list[Tool]) -> None:
    mine = {tool_name(name) for name in META_TOOLS}
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


def _check_turns(report: Report, workspace: Workspace, run: ClaudeRun, record: Record) -> None:
    results = [block for block in _blocks(record, "user") if block["type"] == "tool_result"]
    report.check(
        "every turn of the script was answered",
        len(results) == len(TURNS) and not record.errors,
        record.errors or "",
    )
    if len(results) == len(TURNS):
        listing, stub, docs, joined, unknown = results
        text = text_of(joined)
        report.check("listToolFiles told the git file", file_of("git", text_of(listing)) is not None, text_of(listing))
        report.check(
            "readToolFile told its signatures", NEAREST_TOOL in text_of(stub), line_with(NEAREST_TOOL, text_of(stub))
        )
        report.check("getToolDocs told of git_log", "max_count" in text_of(docs), line_with("max_count", text_of(docs)))
        right = carries(text, workspace.expected) and not joined.get("is_error")
        report.check(
            "the program's answer is what was computed here",
            right,
            f"expected {workspace.expected}, answered {text}",
        )
        report.check(
            "its call to the memory server took effect",
            workspace.remembered == workspace.expected,
            f"{len(workspace.remembered)} entities",
        )
        report.check(
            "an unknown tool is an error that names the nearest",
            unknown.get("is_error") is True and NEAREST_TOOL in text_of(unknown),
            line_with(NEAREST_TOOL, text_of(unknown)),
        )
    last = run.event("result")
    report.check(
        "Claude Code ended by itself with the model's last words",
        run.exit_code == 0 and last.get("result") == LAST_WORDS and not last.get("is_error"),
        f"exit {run.exit_code}" if run.exit_code == 0 else f"exit {run.exit_code}: {last or run.stderr}",
    )


def _blocks(record: Record, role: str) -> list[Body]:
    """Every content block of one side of the conversation, from the last request."""
    messages = record.main[-1]["messages"] if record.main else []
    return [
        block
        for message in messages
        if message["role"] == role and isinstance(message["content"], list)
        for block in message["content"]
    ]


def _tool_uses(record: Record) -> list[Body]:
    return [block for block in _blocks(record, "assistant") if block["type"] == "tool_use"]


def _as_received(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}


def _tokens(definition: dict[str, Any]) -> int:
    told = {key: definition[key] for key in ("name", "description", "input_schema")}
    return len(get_encoding(TOKENIZER).encode(json.dumps(told, ensure_ascii=False)))
