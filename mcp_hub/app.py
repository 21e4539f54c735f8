"""The composition root: the one place that wires the parts together.

`open_hub` makes a hub of settings; `Hub.load` reads what earlier ones kept, `Hub.begin` sets it going. Nothing is
started before that, so that a client has its first answer before anything else takes the processor. `Hub.take_over`
changes a running one.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from mcp_hub import tracing
from mcp_hub.config import Loaded
from mcp_hub.folders import Folders
from mcp_hub.hub import upfront
from mcp_hub.hub.calls import Calls
from mcp_hub.hub.catalog import Catalog, LiveCatalog
from mcp_hub.hub.children import Children
from mcp_hub.hub.downstream import ENDING, Downstreams
from mcp_hub.hub.journal import Journal
from mcp_hub.hub.learning import Learner
from mcp_hub.hub.meta_tools import MetaTools
from mcp_hub.hub.policy import Policy
from mcp_hub.hub.programs import Programs
from mcp_hub.hub.remembering import Remembering
from mcp_hub.hub.scripts import SharedScripts
from mcp_hub.hub.session import Listed, is_legacy
from mcp_hub.hub.shapes import merged
from mcp_hub.hub.spans import Spans
from mcp_hub.hub.unseen import Unseen
from mcp_hub.names import server_identifier
from mcp_hub.sandbox.pool import Pool
from mcp_hub.settings import ServerSettings
from mcp_hub.store.catalogs import CatalogStore, KeptCatalog
from mcp_hub.store.runs import RunStore
from mcp_hub.store.shapes import ShapeStore

if TYPE_CHECKING:
    from sqlite_utils import Database

    from mcp_hub.hub.metrics import Metrics

logger = logging.getLogger(__name__)

KEPT_WITHIN = 1.0
"""Seconds that a first answer waits for what was kept: it is read in milliseconds, but for another hub's lock."""

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Counts the time that the machine slept, too: what was remembered before is older by it."""

USED_TOOLS = 40
"""Tools used most in a folder that are looked at: more signatures than a server's instructions have room for."""


@dataclass
class Hub:
    """A wired hub."""

    loaded: Loaded
    where: Folders
    meta_tools: MetaTools
    programs: Programs
    calls: Calls
    journal: Journal
    live: LiveCatalog
    downstreams: Downstreams
    pool: Pool
    kept_loaded: anyio.Event
    remembering: Remembering
    _prints: dict[str, str]
    folder: str | None = None
    """The working directory of the only client; None where several are served, who must not see what others use."""
    problem: str | None = None
    """Why a changed servers.toml wasn't taken over."""
    unrecorded: str | None = None
    """Why programs aren't in the journal, although they should be."""
    _load_began: bool = False
    _database: "Database | None" = None
    _store: CatalogStore | None = None
    learner: Learner | None = None
    """None when shapes of results are neither learned nor shown."""
    metrics: "Metrics | None" = None
    """None where nobody can ask for them."""
    _shapes: ShapeStore | None = None

    async def load(self) -> None:
        """Open what is kept, and put what was kept of each server's catalog into the hub's own."""
        self._load_began = True
        try:
            await anyio.to_thread.run_sync(self._open_kept)
            await self._take_kept()
            await self._take_shapes()
        except Exception as error:  # the hub works without what it kept, whatever is wrong with it
            logger.warning("what was kept in %s can't be used, so nothing is kept: %s", self.where.state, error)
            if self.loaded.settings.hub.journal.enabled:
                state = self.where.state
                self.unrecorded = f"{state} can't be used ({error}): programs run unrecorded and can't be resumed."
        self.kept_loaded.set()

    async def begin(self, *, connect: bool = True) -> None:
        """Load what is kept, if nothing has begun to; then connect, a few at a time, and make workers ready."""
        if not self._load_began:
            await self.load()
        await self.kept_loaded.wait()
        await anyio.to_thread.run_sync(_import_jsonschema)
        if connect:
            self.downstreams.want_all()
        with contextlib.suppress(OSError):  # a program tries again, and tells
            await self.pool.warm()

    async def instructions(self) -> str:
        """What a client is told at its start: the signatures of a small catalog, or those used most in its folder."""
        used: list[tuple[str, str]] = []
        in_thread = partial(anyio.to_thread.run_sync, abandon_on_cancel=True)
        with anyio.move_on_after(KEPT_WITHIN):
            await self.kept_loaded.wait()
            if self.folder is not None and self.journal.store is not None:
                with contextlib.suppress(sqlite3.Error):  # then none is known to be used
                    most_used = self.journal.store.most_used
                    used = await in_thread(most_used, self.folder, USED_TOOLS)
            return await in_thread(upfront.instructions, purposes(self.loaded), self.live.snapshot, used)
        return servers_only(self.loaded)

    async def take_over(self, loaded: Loaded) -> None:
        """Go on with changed settings: servers come, go and start again, the others are left alone.

        `[hub]` counts from the next start, but for idle_stop, scripts and http.tokens.
        """
        before, self.loaded = self.loaded, loaded
        self.remembering.forget_all()
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
        await self._take_shapes()
        with contextlib.suppress(sqlite3.Error):  # the servers list their tools when they have started
            await self._take_kept()

    def notes(self) -> list[str]:
        """What an agent is told at the end of a list of servers."""
        untrusted = self.loaded.untrusted
        return [text for text in (untrusted.text if untrusted else None, self.problem, self.unrecorded) if text]

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

    async def close(self) -> None:
        """Close what was opened for keeping; what the journal still holds is written."""
        if self.journal.store is not None:
            self.journal.store.end_writing()
        await anyio.to_thread.run_sync(self._close_kept)

    def _close_kept(self) -> None:
        if self.journal.store is not None:
            self.journal.store.close()
        if self.learner is not None:
            self.learner.close()
        if self._database is not None:
            self._database.close()

    def _open_kept(self) -> None:
        from mcp_hub.store.database import FILE_NAME, open_database

        self._database = open_database(self.where.state)
        self._store = CatalogStore(self._database)
        if self.loaded.settings.hub.journal.enabled:
            self.journal.use(RunStore(self._database, self.loaded.settings.hub.journal, self.folder))
        self._shapes = ShapeStore(self.where.state / FILE_NAME, merged)

    async def _take_shapes(self) -> None:
        """Show what earlier results looked like, and keep what is learned from now on."""
        if self.learner is None or self._shapes is None:
            return
        self.learner.use(self._shapes)
        try:
            kept = await anyio.to_thread.run_sync(self._shapes.read, set(self._prints.values()))
            self.learner.take(kept)
        except Exception as error:  # whatever is wrong with them, the rest isn't
            logger.warning("what results looked like can't be read, so it is learned anew: %s", error)

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
    return loaded.settings.hub.model_dump(exclude={"idle_stop": True, "http": {"tokens"}, "scripts": True})


def enabled(loaded: Loaded) -> dict[str, ServerSettings]:
    """The servers that are switched on, each with its idle_stop."""
    idle_stop = loaded.settings.hub.idle_stop
    return {
        name: server if server.idle_stop is not None else server.model_copy(update={"idle_stop": idle_stop})
        for name, server in loaded.settings.servers.items()
        if server.enabled
    }


def purposes(loaded: Loaded) -> dict[str, str]:
    """Each server that is switched on, by its name in programs, and what it is for as far as the settings say."""
    return {server_identifier(name): server.description or "" for name, server in enabled(loaded).items()}


def servers_only(loaded: Loaded) -> str:
    """What a client is told at its start where nothing is known of the servers' tools."""
    return upfront.instructions(purposes(loaded), Catalog({}), ())


def _import_jsonschema() -> None:
    """The first call needs it; it is imported off the loop, when the first answer has been given."""
    import jsonschema.validators  # noqa: F401


def longest_timeout(loaded: Loaded) -> float:
    """Seconds after which every server has either opened its session or failed to."""
    return max((server.timeout for server in enabled(loaded).values()), default=0) + ENDING + 1


@asynccontextmanager
async def open_hub(
    loaded: Loaded, where: Folders, folder: Path | None = None, *, measured: bool = False
) -> AsyncIterator[Hub]:
    """A hub of these settings; on the way out every process that it started has ended.

    `folder` is the working directory of the only client, if there is only one. A `measured` hub has metrics.
    """
    servers = enabled(loaded)
    hub_settings = loaded.settings.hub
    live = LiveCatalog(servers, Policy(loaded.policies))
    kept_loaded = anyio.Event()
    hub: Hub | None = None
    metrics = None
    if measured:
        from mcp_hub.hub.metrics import Metrics

        metrics = Metrics(lambda: [server.status.state for server in downstreams])
    remembering = Remembering(
        lambda: live.settings, partial(time.clock_gettime, CLOCK), metrics.remembered if metrics is not None else None
    )

    async def on_listed(name: str, listed: Listed) -> None:
        assert hub is not None
        await hub.took_list(name, listed)

    downstreams = Downstreams(
        servers,
        children=Children(where.server_logs, os.environ),
        on_listed=on_listed,
        max_message_bytes=hub_settings.max_message_mib * 1024 * 1024,
        on_changed=remembering.forget,
    )
    pool = Pool(hub_settings.limits)
    learner = None
    if hub_settings.learn_shapes and folder is not None:  # names of fields may tell one client of another's data
        learner = Learner(
            lambda: hub._prints if hub is not None else {},
            live.observe,
            lambda seconds, then: asyncio.get_running_loop().call_later(seconds, then),
        )
    calls = Calls(lambda: live.snapshot, downstreams, learner.sent if learner is not None else None, remembering)
    journal = Journal(hub_settings.journal, calls, lambda: live.settings, metrics)
    unseen = Unseen(live, downstreams, kept_loaded)

    def scripts() -> SharedScripts:
        folder = (hub.loaded if hub is not None else loaded).settings.hub.scripts
        return SharedScripts(Path(folder) if folder else None)

    programs = Programs(
        live=live,
        downstreams=downstreams,
        calls=calls,
        journal=journal,
        pool=pool,
        scripts=scripts,
        limits=hub_settings.limits,
        unseen=unseen,
    )
    meta_tools = MetaTools(
        live=live,
        unseen=unseen,
        downstreams=downstreams,
        programs=programs,
        scripts=scripts,
        notes=lambda: hub.notes() if hub is not None else (),
        metrics=metrics,
    )
    prints = {name: settings.fingerprint() for name, settings in servers.items()}
    hub = Hub(
        loaded,
        where,
        meta_tools,
        programs,
        calls,
        journal,
        live,
        downstreams,
        pool,
        kept_loaded,
        remembering,
        prints,
        folder=str(folder) if folder is not None else None,
        learner=learner,
        metrics=metrics,
    )
    try:
        async with tracing.tracer(os.environ) as tracer, downstreams, remembering, pool:
            if tracer is not None:
                journal.spans = Spans(tracer, lambda: live.settings)
            yield hub
    finally:
        with anyio.CancelScope(shield=True):
            await hub.close()


async def kept_instructions(loaded: Loaded, where: Folders, folder: Path) -> str:
    """What a hub of these settings would tell its only client in `folder` at its start; no server is started."""
    async with open_hub(loaded, where, folder) as hub, anyio.create_task_group() as tasks:
        tasks.start_soon(hub.load)
        text = await hub.instructions()
        tasks.cancel_scope.cancel()
    return text
