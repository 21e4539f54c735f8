"""Installs the clients and servers, runs every scenario against the hub and prints what held.

`python -m tests.clients --only proxy` runs those of the messages proxy alone, which take a minute.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from mcp_types import Tool

from tests.clients import installs
from tests.clients.claude_scenario import check_claude_code, check_definitions, check_killed_client
from tests.clients.codex import check_codex
from tests.clients.conformance import Suite, check_client, check_server
from tests.clients.gemini import check_gemini
from tests.clients.inspector import check_inspector
from tests.clients.installs import Installed, InstallError, install_all
from tests.clients.processes import ProcessWatch
from tests.clients.proxy_scenario import check_budget_ends, check_proxied
from tests.clients.reach import ATTACH, Reach, Served, by_stdio, served, word
from tests.clients.report import Report
from tests.clients.sdk_scenario import ERAS, check_era, check_token, direct_definitions
from tests.clients.upstream_scenario import UPSTREAMS, check_fallback, check_upstream
from tests.clients.workspace import SERVER_NAMES, Workspace, make_workspace

VERSIONS = {
    "Claude Code": installs.CLAUDE_CODE,
    "Codex CLI": installs.CODEX,
    "Gemini CLI": installs.GEMINI,
    "MCP Inspector": installs.INSPECTOR,
    "MCP conformance suite": installs.CONFORMANCE,
    "Node.js for the last four": installs.NODE,
    "server-filesystem, server-memory": installs.FILESYSTEM,
    "mcp-server-git": installs.GIT,
}


def main() -> int:
    """The exit status: 0 when every check passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    parser.add_argument("--only", choices=("proxy",), help="the scenarios of the messages proxy alone")
    only = parser.parse_args().only
    report = Report()
    report.section("installs")
    try:
        installed = install_all(report.note)
    except (InstallError, OSError, subprocess.SubprocessError) as error:
        report.check("the pinned clients and servers can be installed", False, str(error))
        return report.close()
    report.check("the pinned clients and servers are installed", True)
    for name, version in VERSIONS.items():
        report.note(name, version)
    folder = Path(tempfile.mkdtemp(prefix="mcp_hub_clients_")).resolve()
    run = _Run(report, make_workspace(folder, installed), installed)
    if only == "proxy":
        run.proxy()
    else:
        run.all()
    if report.failed:
        report.note("kept, to look into", folder)
    else:
        shutil.rmtree(folder)
    return report.close()


@dataclass(frozen=True)
class _Run:
    """Every scenario, in order, over one workspace."""

    report: Report
    workspace: Workspace
    installed: Installed

    def all(self) -> None:
        """First each client starts a hub of its own, then one hub is there for all; at last the conformance suite."""
        downstream: list[Tool] = []
        with self._scenario("the servers", "asking the servers without the hub"):
            with (self.workspace.folder / "direct.log").open("w") as log:
                downstream += anyio.run(direct_definitions, self.workspace, log)
            self.report.check("the servers answer without the hub", bool(downstream), f"{len(downstream)} tools")
        self._clients(by_stdio(self.workspace), None, downstream)
        with self._scenario("one hub over HTTP", "serving over HTTP") as watch:
            with served(self.workspace, self.workspace.folder / "http") as hub:
                check_token(self.report, hub.reach)
                self._clients(hub.reach, hub, downstream)
                self._attached(hub)
                self.report.section("the hub over HTTP, when all are gone")
                watch.snapshot(hub.pid)
            self._check_ended(watch)
        self._conformance()
        self._check_logs()

    def proxy(self) -> None:
        """The messages proxy's scenarios alone."""
        self._proxied(by_stdio(self.workspace))
        self._check_logs()

    def _clients(self, reach: Reach, hub: Served | None, downstream: list[Tool]) -> None:
        """Every client over one way to the hub; `hub` is the one that is there already."""
        report, workspace, path = self.report, self.workspace, self.installed.path
        for mode, version in ERAS.items():
            with self._scenario(f"the SDK's client, {version}, {word(reach)}", "a session", hub) as watch:
                anyio.run(check_era, report, workspace, reach, mode, watch)
        with self._scenario(f"Claude Code, {word(reach)}", "a scripted conversation", hub) as watch:
            request = check_claude_code(report, workspace, self.installed.claude, reach, watch)
            if request and hub is None:
                check_definitions(report, request, downstream)
        if hub is None:
            with self._scenario(f"Claude Code, killed, {word(reach)}", "a conversation cut short") as watch:
                check_killed_client(report, workspace, self.installed.claude, reach, watch)
            self._proxied(reach)
        with self._scenario(f"Codex CLI, {word(reach)}", "a scripted conversation", hub) as watch:
            check_codex(report, workspace, self.installed.codex, path, reach, watch)
        with self._scenario(f"Gemini CLI, {word(reach)}", "a scripted conversation", hub) as watch:
            check_gemini(report, workspace, self.installed.gemini, path, reach, watch)
        with self._scenario(f"MCP Inspector, {word(reach)}", "asking", hub) as watch:
            check_inspector(report, workspace, self.installed.inspector, path, reach, watch)

    def _proxied(self, reach: Reach) -> None:
        """The messages proxy between Claude Code and its model."""
        with self._scenario("Claude Code through the messages proxy", "a scripted conversation"):
            check_proxied(self.report, self.workspace, self.installed.claude, reach)
        with self._scenario("Claude Code, when a budget of the proxy ends", "a conversation cut short"):
            check_budget_ends(self.report, self.workspace, self.installed.claude, reach)
        for name, opened in UPSTREAMS.items():
            with self._scenario(f"Claude Code through the messages proxy, at {name}", "a scripted conversation"):
                check_upstream(self.report, self.workspace, self.installed.claude, reach, opened)
        with self._scenario("Claude Code, when the first upstream is overloaded", "a scripted conversation"):
            check_fallback(self.report, self.workspace, self.installed.claude, reach)

    def _attached(self, hub: Served) -> None:
        """A client starts a hub that hands everything to the one that is there."""
        reach = by_stdio(self.workspace, ATTACH)
        before = hub.servers
        with self._scenario(f"Claude Code, {word(reach)}", "a scripted conversation", hub) as watch:
            check_claude_code(self.report, self.workspace, self.installed.claude, reach, watch)
            after = hub.servers
            self.report.check(
                "the hub over HTTP has the same three server processes as before",
                before == after and sorted(after.values()) == sorted(SERVER_NAMES),
                f"{before}, then {after}",
            )

    def _conformance(self) -> None:
        suite = Suite(self.installed.conformance, self.installed.path, self.workspace.folder / "conformance")
        with self._scenario("MCP conformance suite, the hub as a server", "the suite") as watch:
            with served(self.workspace, suite.folder, token=None) as hub:
                check_server(self.report, suite, hub.reach.url)
                watch.snapshot(hub.pid)
            self._check_ended(watch)
        with self._scenario("MCP conformance suite, the hub as a client", "the suite"):
            check_client(self.report, suite)

    def _check_ended(self, watch: ProcessWatch) -> None:
        left = watch.survivors()
        self.report.check("after it ended, none of its processes is left", not left, left or f"{watch.count} seen")

    def _check_logs(self) -> None:
        """What the hubs that have a state folder here logged."""
        self.report.section("the hubs' logs")
        logs = list(self.workspace.folder.rglob("hub.log*"))
        faults = [
            f"{log}: {line}"
            for log in logs
            for line in log.read_text().splitlines()
            if " ERROR " in line or line.startswith("Traceback")
        ]
        self.report.check("no hub logged a fault of its own", bool(logs) and not faults, faults or f"{len(logs)} logs")

    @contextmanager
    def _scenario(self, title: str, what: str, hub: Served | None = None) -> Iterator[ProcessWatch]:
        """A section that leaves nothing running, however its block ends, but the hub that is there for several."""
        self.report.section(title)
        watch = ProcessWatch(self.workspace.folder, hub.pid if hub else None)
        try:
            with self.report.guarded(f"{what} runs to its end"):
                yield watch
        finally:
            watch.kill_all()


if __name__ == "__main__":
    sys.exit(main())
