"""Installs the clients and servers, runs every scenario against the hub and prints what held."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
from mcp_types import Tool

from tests.clients import installs
from tests.clients.claude_scenario import check_claude_code, check_killed_client
from tests.clients.installs import Installed, InstallError, install_all
from tests.clients.processes import ProcessWatch
from tests.clients.report import Report
from tests.clients.sdk_scenario import ERAS, check_era, direct_definitions
from tests.clients.workspace import Hub, Workspace, make_workspace

HUB = Path(sys.executable).parent / "mcp_hub"


def main() -> int:
    """The exit status: 0 when every check passed."""
    report = Report()
    report.section("installs")
    try:
        installed = install_all(report.note)
    except (InstallError, OSError, subprocess.SubprocessError) as error:
        report.check("the pinned clients and servers can be installed", False, str(error))
        return report.close()
    report.check("the pinned clients and servers are installed", True)
    report.note("Claude Code", installs.CLAUDE_CODE)
    report.note("server-filesystem, server-memory", installs.FILESYSTEM)
    report.note("mcp-server-git", installs.GIT)
    folder = Path(tempfile.mkdtemp(prefix="mcp_hub_clients_")).resolve()
    _run(report, make_workspace(folder, installed), installed)
    if report.failed:
        report.note("kept, to look into", folder)
    else:
        shutil.rmtree(folder)
    return report.close()


def _run(report: Report, workspace: Workspace, installed: Installed) -> None:
    hub = Hub(
        command=[str(HUB), "serve", "--config", str(workspace.servers_file)],
        env={"MCP_HUB_STATE_DIR": str(workspace.folder / "state")},
    )
    downstream: list[Tool] = []
    with _watched(workspace), report.guarded("the servers answer without the hub"):
        with (workspace.folder / "direct.log").open("w") as log:
            downstream += anyio.run(direct_definitions, workspace, log)
        report.check("the servers answer without the hub", bool(downstream), f"{len(downstream)} tools")
    for mode, version in ERAS.items():
        report.section(f"the SDK's client, {version}")
        with _watched(workspace) as watch, report.guarded(f"a session in mode={mode!r} runs to its end"):
            anyio.run(check_era, report, workspace, hub, mode, watch)
    report.section(f"Claude Code {installs.CLAUDE_CODE}")
    with _watched(workspace) as watch, report.guarded("a scripted conversation runs to its end"):
        check_claude_code(report, workspace, installed.claude, hub, downstream, watch)
    with _watched(workspace) as watch, report.guarded("a conversation can be cut short"):
        check_killed_client(report, workspace, installed.claude, hub, watch)


@contextmanager
def _watched(workspace: Workspace) -> Iterator[ProcessWatch]:
    """Leaves nothing running, however its block ends."""
    watch = ProcessWatch(workspace.folder)
    try:
        yield watch
    finally:
        watch.kill_all()


if __name__ == "__main__":
    sys.exit(main())
