"""The ways in which a client reaches the hub: it starts one, attaches to one, or connects to one over HTTP.

Each client writes them down in its own configuration; what they are is said here only.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.clients.workspace import Workspace
from tests.support import HttpHub, StartedHttpHub

HUB = Path(sys.executable).parent / "mcp_hub"

NAME = "mcp_hub"
"""The hub's name in every client's configuration."""

STATE_VARIABLE = "MCP_HUB_STATE_DIR"

TOKEN_VARIABLE = "MCP_HUB_TOKEN"

TOKEN = "a-token-of-these-checks-only"

ATTACH = "--attach"


@dataclass(frozen=True)
class Stdio:
    """The client starts the hub and speaks to it over stdin and stdout."""

    command: list[str]
    env: dict[str, str]

    @property
    def attaches(self) -> bool:
        """Whether what is started hands everything to the hub that is served over HTTP."""
        return ATTACH in self.command


@dataclass(frozen=True)
class Http:
    """The client connects to a hub that is there already."""

    url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


Reach = Stdio | Http


def by_stdio(workspace: Workspace, *options: str) -> Stdio:
    """`mcp_hub serve` over the workspace's three servers."""
    return Stdio(
        command=[str(HUB), "serve", *options, "--config", str(workspace.servers_file)],
        env={STATE_VARIABLE: str(workspace.folder / "state")},
    )


def word(reach: Reach) -> str:
    """The way in a word, for titles and names of files."""
    if isinstance(reach, Http):
        return "HTTP"
    return "attached" if reach.attaches else "stdio"


@dataclass(frozen=True)
class Served:
    """The one hub that is served over HTTP while its block runs."""

    hub: HttpHub
    reach: Http
    workspace: Workspace

    @property
    def pid(self) -> int:
        return self.hub.process.pid

    @property
    def servers(self) -> dict[int, str]:
        """Its server processes: pid -> the server's name."""
        found = {}
        for process in psutil.Process(self.pid).children(recursive=True):
            line: list[str] = []
            with suppress(psutil.Error):
                line = process.cmdline()
            for name, (command, _) in self.workspace.commands.items():
                if command[0] in line:
                    found[process.pid] = name
        return found


@contextmanager
def served(workspace: Workspace, folder: Path, *, token: str | None = TOKEN) -> Iterator[Served]:
    """`mcp_hub serve --http` on loopback, over the workspace's servers, with its log in `folder`."""
    folder.mkdir(exist_ok=True)
    state = workspace.folder / "state" if token else folder / "state"
    hub = StartedHttpHub(workspace.servers_file, state, folder, **({TOKEN_VARIABLE: token} if token else {}))
    try:
        yield Served(hub, Http(hub.url, token or ""), workspace)
    finally:
        hub.close()
