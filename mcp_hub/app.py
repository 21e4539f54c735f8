"""The composition root: the one place that wires the parts together.

`open_hub` makes a hub of settings; `Hub.begin` sets it going. Nothing is started before that, so that a client
has its first answer before anything else takes the processor. `Hub.take_over` changes a running one.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from mcp_hub import config
from mcp_hub.config import Loaded
from mcp_hub.folders import STATE_VARIABLE, Folders
from mcp_hub.hub.calls import Calls
from mcp_hub.hub.catalog import LiveCatalog
from mcp_hub.hub.children import Children
from mcp_hub.hub.downstream import ENDING, Downstreams
from mcp_hub.hub.meta_tools import MetaTools
from mcp_hub.hub.policy import Policy
from mcp_hub.hub.session import Listed, is_legacy
from mcp_hub.hub.stubs import DESCRIPTION_CHARACTERS, one_line
from mcp_hub.names import server_identifier
from mcp_hub.sandbox.pool import Pool
from mcp_hub.settings import ServerSettings
from mcp_hub.store.catalogs import CatalogStore, KeptCatalog
from mcp_hub.store.trust import TrustStore

if TYPE_CHECKING:
    from sqlite_utils import Database

logger = logging.getLogger(__name__)

LOG_BYTES = 1_000_000
"""Size at which the hub's own log begins anew; one older file is kept."""

INSTRUCTION_CHARACTERS = 2000
"""What clients show of a server's instructions (Claude Code 2.1.197 cuts near 2,048)."""


@dataclass(frozen=True)
class Configuration:
    """Where the settings come from: it can be read again when a file has changed."""

    named: Path | None
    where: Folders
    environ: Mapping[str, str]
    cwd: Path

    def load(self) -> Loaded:
        """The settings in force for the working directory. Raises ConfigError."""
        return config.load(
            named=self.named,
            environ=self.environ,
            cwd=self.cwd,
            user_folder=self.where.config,
            trust_of=TrustStore(self.where.state).trusts,
        )

    @property
    def files(self) -> list[Path]:
        """Every file that decides, there or not."""
        candidates = config.candidate_files(self.named, self.environ, self.cwd, self.where.config)
        return [*candidates, TrustStore(self.where.state).path]


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
    calls: Calls
    live: LiveCatalog
    downstreams: Downstreams
    pool: Pool
    kept_loaded: anyio.Event
    _prints: dict[str, str]
    problem: str | None = None
    """Why a changed servers.toml wasn't taken over."""
    _database: "Database | None" = None
    _store: CatalogStore | None = None

    async def begin(self, *, connect: bool = True) -> None:
        """Load what was kept of each server's catalog, make workers ready, then connect, a few at a time."""
        try:
            await anyio.to_thread.run_sync(self._open_kept)
            await self._take_kept()
        except Exception as error:  # the hub works without what it kept, whatever is wrong with it
            logger.warning("what was kept in %s can't be used, so nothing is kept: %s", self.where.state, error)
        self.kept_loaded.set()
        if connect:
            self.downstreams.want_all()
        with contextlib.suppress(OSError):  # a program tries again, and tells
            await self.pool.warm()

    async def take_over(self, loaded: Loaded) -> None:
        """Go on with changed settings: servers come, go and start again, the others are left alone.

        `[hub]` counts from the next start, but for idle_stop and http.tokens.
        """
        before, self.loaded = self.loaded, loaded
        servers = enabled(loaded)
        prints = {name: settings.fingerprint() for name, settings in servers.items()}
        self.live.configure(servers, Policy(loaded.policies))
        for name in self._prints:
            if name in prints and prints[name] != self._prints[name]:
                self.live.forget(name)
        self._prints = prints
        changes = self.downstreams.configure(servers)
        if _counting_from_a_start(before) != _counting_from_a_start(loaded):
            logger.warning("[hub] was changed in servers.toml, in a key that counts from the hub's next start")
        logger.info("servers.toml was taken over: %s", str(changes) or "no server is another one")
        with contextlib.suppress(sqlite3.Error):  # the servers list their tools when they have started
            await self._take_kept()

    def notes(self) -> list[str]:
        """What an agent is told at the end of a list of servers."""
        untrusted = self.loaded.untrusted
        return [text for text in (untrusted.text if untrusted else None, self.problem) if text]

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

    def _open_kept(self) -> None:
        import jsonschema.validators  # noqa: F401 - the first call needs it; here it is imported off the loop

        from mcp_hub.store.database import open_database

        self._database = open_database(self.where.state)
        self._store = CatalogStore(self._database)

    async def _take_kept(self) -> None:
        """Put what was kept of servers that haven't listed their tools yet into the catalog."""
        if self._store is None:
            return
        prints = dict(self._prints)
        kept = await anyio.to_thread.run_sync(self._store.read, set(prints.values()))
        for name, fingerprint in prints.items():
            unseen = self._prints.get(name) == fingerprint and not self.live.knows(name)
            if unseen and (catalog := kept.get(fingerprint)) is not None:
                self.live.put(name, catalog.tools)
                self.downstreams[name].legacy = is_legacy(catalog.protocol)


def _counting_from_a_start(loaded: Loaded) -> dict[str, Any]:
    return loaded.settings.hub.model_dump(exclude={"idle_stop": True, "http": {"tokens"}})


def enabled(loaded: Loaded) -> dict[str, ServerSettings]:
    """The servers that are switched on, each with its idle_stop."""
    idle_stop = loaded.settings.hub.idle_stop
    return {
        name: server if server.idle_stop is not None else server.model_copy(update={"idle_stop": idle_stop})
        for name, server in loaded.settings.servers.items()
        if server.enabled
    }


def longest_timeout(loaded: Loaded) -> float:
    """Seconds after which every server has either opened its session or failed to."""
    return max((server.timeout for server in enabled(loaded).values()), default=0) + ENDING + 1


@asynccontextmanager
async def open_hub(loaded: Loaded, where: Folders) -> AsyncIterator[Hub]:
    """A hub of these settings; on the way out every process that it started has ended."""
    servers = enabled(loaded)
    hub_settings = loaded.settings.hub
    live = LiveCatalog(servers, Policy(loaded.policies))
    kept_loaded = anyio.Event()
    hub: Hub | None = None

    async def on_listed(name: str, listed: Listed) -> None:
        assert hub is not None
        await hub.took_list(name, listed)

    downstreams = Downstreams(
        servers,
        children=Children(where.server_logs, os.environ),
        on_listed=on_listed,
        max_message_bytes=hub_settings.max_message_mib * 1024 * 1024,
    )
    pool = Pool(hub_settings.limits)
    calls = Calls(lambda: live.snapshot, downstreams)
    meta_tools = MetaTools(
        live=live,
        kept_loaded=kept_loaded,
        downstreams=downstreams,
        calls=calls,
        pool=pool,
        limits=hub_settings.limits,
        notes=lambda: hub.notes() if hub is not None else (),
    )
    prints = {name: settings.fingerprint() for name, settings in servers.items()}
    hub = Hub(loaded, where, meta_tools, calls, live, downstreams, pool, kept_loaded, prints)
    try:
        async with downstreams, pool:
            yield hub
    finally:
        hub.close()


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
