"""MCP Inspector's CLI against the hub: one process for each question, each with a session of its own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.headless import Done, Home
from tests.clients.processes import ProcessWatch
from tests.clients.reach import Http, Reach, word
from tests.clients.report import Report, carries
from tests.clients.sdk_scenario import META_TOOLS, file_of
from tests.clients.workspace import NEAREST_TOOL, SERVER_NAMES, Workspace

ERAS = ("legacy", "modern")

ASK_SECONDS = 60.0
"""One question; it takes a second, most of it for starting."""

TOOL_FAILED = 5
"""Inspector's exit code for a tool that answers with an error."""


@dataclass(frozen=True)
class Inspector:
    """An installed Inspector that asks one hub."""

    program: Path
    home: Home
    reach: Reach

    def ask(self, era: str, method: str, *options: str) -> Done:
        """Run the CLI with one method."""
        asked = ["--protocol-era", era, "--format", "json", "--quiet", "--method", method, *options]
        return self.home.run([str(self.program), "--cli", *self._placed(asked)], {}, seconds=ASK_SECONDS)

    def call(self, era: str, tool: str, arguments: dict[str, Any]) -> Done:
        """Call a tool."""
        return self.ask(era, "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))

    def _placed(self, asked: list[str]) -> list[str]:
        """The options and the target, in the order that Inspector wants."""
        if isinstance(self.reach, Http):
            headers = [part for name, value in self.reach.headers.items() for part in ("--header", f"{name}: {value}")]
            return [*asked, "--transport", "http", "--server-url", self.reach.url, *headers]
        variables = [part for name, value in self.reach.env.items() for part in ("-e", f"{name}={value}")]
        return [*asked, *variables, "--", *self.reach.command]


def check_inspector(
    report: Report, workspace: Workspace, program: Path, path: str, reach: Reach, watch: ProcessWatch
) -> None:
    """List and call, in both protocol eras."""
    inspector = Inspector(program, Home(workspace.folder / f"inspector-{word(reach)}", path).make(), reach)
    for era in ERAS:
        workspace.forget()
        listed = inspector.ask(era, "tools/list", "--strict")
        names = [tool["name"] for tool in _result(listed).get("tools", [])]
        report.check(
            f"{era}: tools/list has the four, their schemas portable",
            sorted(names) == sorted(META_TOOLS) and listed.exit_code == 0,
            names or listed.told,
        )
        listing = inspector.call(era, "listToolFiles", {})
        files = [file_of(name, _text(listing)) for name in SERVER_NAMES]
        report.check(f"{era}: listToolFiles names a file for each server", all(files), files or listing.told)
        joined = inspector.call(era, "executeToolCode", {"code": workspace.join_program})
        report.check(
            f"{era}: the program's answer is what was computed here",
            carries(_text(joined), workspace.expected) and joined.exit_code == 0,
            _text(joined) or joined.told,
        )
        unknown = inspector.call(era, "executeToolCode", {"code": workspace.unknown_tool_program})
        report.check(
            f"{era}: an unknown tool is an error that names the nearest",
            unknown.exit_code == TOOL_FAILED and NEAREST_TOOL in _text(unknown),
            _text(unknown) or unknown.told,
        )
    survivors = watch.survivors()
    report.check("after the last one, none of its processes is left", not survivors, survivors or "")


def _result(done: Done) -> dict[str, Any]:
    try:
        return dict(json.loads(done.stdout)["result"])
    except (ValueError, KeyError):
        return {}


def _text(done: Done) -> str:
    return "\n".join(block["text"] for block in _result(done).get("content", []))
