"""The one conversation that every scripted client has, and what must have come of it."""

import json
from pathlib import Path

from tests.clients.processes import ProcessWatch
from tests.clients.reach import ATTACH, Reach, Stdio
from tests.clients.report import Report, carries
from tests.clients.sdk_scenario import META_TOOLS, file_of, line_with
from tests.clients.stand_in import Answer, Body, StandIn, Step, Text, ToolUse
from tests.clients.workspace import NEAREST_TOOL, Workspace

PROMPT = "Add up the stock that the last commits counted."
LAST_WORDS = "The stock is counted."

TURNS = ("listToolFiles", "readToolFile", "getToolDocs", "executeToolCode", "executeToolCode")


def script(workspace: Workspace) -> list[Step]:
    """What the model does, turn by turn."""

    def read(listing: str) -> Answer:
        return ToolUse("readToolFile", {"fileName": file_of("git", listing) or "servers/git.pyi"})

    def call(name: str, **arguments: str) -> Step:
        return lambda _: ToolUse(name, dict(arguments))

    return [
        call("listToolFiles"),
        read,
        call("getToolDocs", server="git", tool="git_log"),
        call("executeToolCode", code=workspace.join_program),
        call("executeToolCode", code=workspace.unknown_tool_program),
        lambda _: Text(LAST_WORDS),
    ]


def check_conversation(report: Report, workspace: Workspace, api: StandIn, keep: Path) -> None:
    """What the client offered its model, and what it told it of each tool's result; `keep` is for reading later."""
    record = api.record
    keep.write_text(json.dumps(record.main, indent=1))
    first: Body = record.main[0] if record.main else {"tools": []}
    offered = api.offered(first)
    report.check(
        "its first request has the four definitions, and no other of MCP",
        sorted(offered) == sorted(api.spelled(name) for name in META_TOOLS),
        ", ".join(offered) or [tool.get("name") for tool in first["tools"]],
    )
    used = api.used(record.main[-1]) if record.main else []
    report.check(
        "the conversation is the script's, and has no turn besides",
        used == [api.spelled(name) for name in TURNS],
        used,
    )
    report.note("requests of the conversation, and others", f"{len(record.main)}, {len(record.side)}")
    results = api.results(record.main[-1]) if record.main else []
    report.check(
        "every turn of the script was answered",
        len(results) == len(TURNS) and not record.errors,
        record.errors or "",
    )
    if len(results) != len(TURNS):
        return
    listing, stub, docs, joined, unknown = results
    report.check("listToolFiles told the git file", file_of("git", listing.text) is not None, listing.text)
    report.check("readToolFile told its signatures", NEAREST_TOOL in stub.text, line_with(NEAREST_TOOL, stub.text))
    report.check("getToolDocs told of git_log", "max_count" in docs.text, line_with("max_count", docs.text))
    report.check(
        "the program's answer is what was computed here",
        carries(joined.text, workspace.expected) and not joined.is_error,
        f"expected {workspace.expected}, answered {joined.text}",
    )
    report.check(
        "its call to the memory server took effect",
        workspace.remembered == workspace.expected,
        f"{len(workspace.remembered)} entities",
    )
    report.check(
        "an unknown tool is an error that names the nearest",
        unknown.is_error is not False and NEAREST_TOOL in unknown.text,
        line_with(NEAREST_TOOL, unknown.text),
    )


def check_processes(
    report: Report, workspace: Workspace, reach: Reach, watch: ProcessWatch, survivors: list[str]
) -> None:
    """What was started for the client, and that nothing of it is left."""
    servers = [command[0] for command, _ in workspace.commands.values()]
    if isinstance(reach, Stdio) and not reach.attaches:
        unseen = [Path(program).name for program in (reach.command[0], *servers) if not watch.saw(program)]
        report.check("while it ran, the hub and the three servers were seen", not unseen, unseen or "")
    else:
        seen = [Path(program).name for program in servers if watch.saw(program)]
        report.check("no second set of the servers was started", not seen, seen or "")
    if isinstance(reach, Stdio) and reach.attaches:
        report.check(f"while it ran, the hub with {ATTACH} was seen", watch.saw(ATTACH), f"{watch.count} seen")
    report.check("after it ended, none of its processes is left", not survivors, survivors or f"{watch.count} seen")
