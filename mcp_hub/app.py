"""The composition root: the one place that wires the parts together.

`open_hub` makes a hub of settings; `Hub.begin` sets it going. Nothing is started before that, so that a client
has its first answer before anything else takes the processor.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from platformdirs import user_config_path, user_state_path

from mcp_hub import config
from mcp_hub.config import Loaded, ServerSettings
from mcp_hub.hub.calls import Calls
from mcp_hub.hub.catalog import LiveCatalog
from mcp_hub.hub.children import Children
from mcp_hub.hub.downstream import ENDING, Downstreams
from mcp_hub.hub.meta_tools import MetaTools
from mcp_hub.hub.session import Listed, is_legacy
from mcp_hub.hub.stubs import DESCRIPTION_CHARACTERS, one_line
from mcp_hub.names import server_identifier
from mcp_hub.sandbox.pool import Pool
from mcp_hub.store.catalogs import CatalogStore, KeptCatalog
from mcp_hub.store.trust import TrustStore

if TYPE_CHECKING:
    from sqlite_utils import Database

logger = logging.getLogger(__name__)

STATE_VARIABLE = "MCP_HUB_STATE_DIR"

LOG_BYTES = 1_000_000
"""Size at which the hub's own log begins anew; one older file is kept."""

INSTRUCTION_CHARACTERS = 2000
"""What clients show of a server's instructions (Claude Code 2.1.197 cuts near 2,048)."""


@dataclass(frozen=True)
class Folders:
    """Where things are kept: the user's configuration, and what the hub learns."""

    config: Path
    state: Path

    @property
    def logs(self) -> Path:
        return self.state / "logs"


def folders(environ: Mapping[str, str]) -> Folders:
    """The user's folders; $MCP_HUB_STATE_DIR moves the state."""
    state = environ.get(STATE_VARIABLE)
    return Folders(user_config_path("mcp_hub"), Path(state).expanduser() if state else user_state_path("mcp_hub"))


def load_settings(named: Path | None, where: Folders, environ: Mapping[str, str]) -> Loaded:
    """The settings in force for the working directory. Raises ConfigError."""
    return config.load(
        named=named,
        environ=environ,
        cwd=Path.cwd(),
        user_folder=where.config,
        trust_of=TrustStore(where.state).trusts,
    )


def log_to(where: Folders, level: str) -> None:
    """Send the hub's log to stderr and to a file; never to stdout, which belongs to the protocol."""
    console = logging.StreamHandler()
    console.setFormatter(logging.Formatter("mcp_hub: %(message)s"))
    console.setLevel(level)
    handlers: list[logging.Handler] = [console]
    problem: OSError | None = None
    try:
        where.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = RotatingFileHandler(where.logs / "hub.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        (where.logs / "hub.log").chmod(0o600)
        handlers.append(file)
    except OSError as error:
        problem = error
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    logging.getLogger("mcp_hub").setLevel(logging.DEBUG if level == "DEBUG" else logging.INFO)
    if problem is not None:
        logger.warning("no log file can be written in %s (%s); set %s", where.logs, problem.strerror, STATE_VARIABLE)


@dataclass
class Hub:
    """A wired hub."""

    loaded: Loaded
    where: Folders
    meta_tools: MetaTools
    live: LiveCatalog
    downstreams: Downstreams
    pool: Pool
    kept_loaded: anyio.Event
    _database: "Database | None" = None
    _store: CatalogStore | None = None
    _prints: dict[str, str] = field(default_factory=dict)

    async def begin(self, *, connect: bool = True) -> None:
        """Load what was kept of each server's catalog, make workers ready, then connect, a few at a time."""
        try:
            await anyio.to_thread.run_sync(self._load_kept)
        except Exception as error:  # the hub works without what it kept, whatever is wrong with it
            logger.warning("what was kept in %s can't be used, so nothing is kept: %s", self.where.state, error)
        self.kept_loaded.set()
        if connect:
            self.downstreams.want_all()
        with contextlib.suppress(OSError):  # a program tries again, and tells
            await self.pool.warm()

    async def took_list(self, name: str, listed: Listed) -> None:
        """A server gave its list: put it in the catalog, keep it if it is new."""
        known = self.live.knows(name)
        change = self.live.put(name, listed.tools)
        if change is None:
            return
        if known:
            logger.info("server '%s' lists other tools than before: %s", name, change)
        if self._store is not None:
            kept = KeptCatalog(listed.protocol, listed.instructions, listed.tools)
            try:
                await anyio.to_thread.run_sync(self._store.write, self._prints[name], name, kept)
            except sqlite3.Error as error:
                logger.warning("the tools of server '%s' weren't kept: %s", name, error)

    def close(self) -> None:
        """Close what was opened for keeping."""
        if self._database is not None:
            self._database.close()

    def _load_kept(self) -> None:
        import jsonschema.validators  # noqa: F401 - the first call needs it; here it is imported off the loop

        from mcp_hub.store.database import open_database

        servers = enabled(self.loaded)
        self._prints = {name: settings.fingerprint() for name, settings in servers.items()}
        self._database = open_database(self.where.state)
        self._store = CatalogStore(self._database)
        kept = self._store.read(set(self._prints.values()))
        for name, fingerprint in self._prints.items():
            if (catalog := kept.get(fingerprint)) is not None and not self.live.knows(name):
                self.live.put(name, catalog.tools)
                self.downstreams[name].legacy = is_legacy(catalog.protocol)


def enabled(loaded: Loaded) -> dict[str, ServerSettings]:
    """The servers that are switched on."""
    return {name: server for name, server in loaded.settings.servers.items() if server.enabled}


def longest_timeout(loaded: Loaded) -> float:
    """Seconds after which every server has either opened its session or failed to."""
    return max((server.timeout for server in enabled(loaded).values()), default=0) + ENDING + 1


@asynccontextmanager
async def open_hub(loaded: Loaded, where: Folders) -> AsyncIterator[Hub]:
    """A hub of these settings; on the way out every process that it started has ended."""
    servers = enabled(loaded)
    hub_settings = loaded.settings.hub
    live = LiveCatalog(servers)
    kept_loaded = anyio.Event()
    hub: Hub | None = None

    async def on_listed(name: str, listed: Listed) -> None:
        assert hub is not None
        await hub.took_list(name, listed)

    downstreams = Downstreams(
        servers,
        children=Children(where.logs, os.environ),
        on_listed=on_listed,
        max_message_bytes=hub_settings.max_message_mib * 1024 * 1024,
    )
    pool = Pool(hub_settings.limits)
    calls = Calls(lambda: live.snapshot, downstreams)
    meta_tools = MetaTools(
        live=live,
        kept_loaded=kept_loaded,
        servers=servers,
        downstreams=downstreams,
        calls=calls,
        pool=pool,
        limits=hub_settings.limits,
        notes=(loaded.untrusted.text,) if loaded.untrusted else (),
    )
    hub = Hub(loaded, where, meta_tools, live, downstreams, pool, kept_loaded)
    try:
        async with downstreams, pool:
            yield hub
    finally:
        hub.close()


async def serve_stdio(loaded: Loaded, where: Folders) -> None:
    """Serve stdin and stdout until stdin ends. The hub begins its own work after the first answer."""
    from mcp_hub.hub.server import build_server, serve_stdio

    async with open_hub(loaded, where) as hub, anyio.create_task_group() as tasks:
        answered = anyio.Event()

        async def begin() -> None:
            await answered.wait()
            await hub.begin()

        tasks.start_soon(begin)
        await serve_stdio(build_server(hub.meta_tools, instructions(loaded), answered.set), answered.set)
        tasks.cancel_scope.cancel()


def instructions(loaded: Loaded) -> str:
    """What the server says of itself when a client connects: the way to work, and the servers there are."""
    lines = [
        "Many MCP servers behind four tools. Find signatures with listToolFiles(query) or readToolFile, then do "
        "the whole task in one program with executeToolCode. Servers:"
    ]
    left = INSTRUCTION_CHARACTERS - len(lines[0])
    servers = enabled(loaded)
    for number, (name, server) in enumerate(servers.items()):
        purpose = one_line(server.description or "", DESCRIPTION_CHARACTERS)
        line = f"- {server_identifier(name)}{f': {purpose}' if purpose else ''}"
        left -= len(line) + 1
        if left < 60:
            lines.append(f"- and {len(servers) - number} more: listToolFiles() names all")
            break
        lines.append(line)
    return "\n".join(lines)
