"""Wires the messages proxy together and serves it: the proxy's composition root, as `app` is the hub's."""

import contextlib
import logging
import os
import sqlite3
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2

from mcp_hub import tracing
from mcp_hub.caching import Kept
from mcp_hub.errors import ConfigError, HubError
from mcp_hub.listening import bound, listen, serve
from mcp_hub.proxy.admission import Admission
from mcp_hub.proxy.attempts import Attempts
from mcp_hub.proxy.choice import Choice, Standing, State
from mcp_hub.proxy.flow import Proxy
from mcp_hub.proxy.keys import Keyring, declared, unused_budgets
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.pricing import PriceList
from mcp_hub.proxy.server import Application
from mcp_hub.proxy.spans import Spans
from mcp_hub.proxy.upstreams.opening import opened
from mcp_hub.proxy.upstreams.upstream import Upstream
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.store.database import database_file
from mcp_hub.store.keys import KeyStore
from mcp_hub.store.ledger import Ledger
from mcp_hub.store.lives import Life, Lives
from mcp_hub.store.upstream_states import UpstreamState, UpstreamStates
from mcp_hub.table import address

logger = logging.getLogger(__name__)

INSTEAD = "Choose another address with --listen, or proxy.listen."
"""What to do about an address that can't be listened on."""

END_WITHIN = 5
"""Seconds that answers under way get when the proxy is stopped."""

KEYS_EVERY = 1.0
"""Seconds after which a key that was made or revoked elsewhere is known here."""

LATE_EVERY = 1.0
"""Seconds between tries to settle what couldn't be settled, because the database was locked or its disk full."""

MIB = 1024 * 1024


async def serve_proxy(
    settings: ProxySettings,
    state: Path,
    listen_at: str | None,
    on_listening: Callable[[str, bool], None],
) -> None:
    """Serve until cancelled; `on_listening` is told the URL, and whether clients need a key of the proxy.

    `state` is the folder of the database; `listen_at` goes before `proxy.listen`. Raises ConfigError.
    """
    settings = settings if listen_at is None else settings.model_copy(update={"listen": listen_at})
    try:
        host, port = address(settings.listen)
    except ValueError as error:
        raise ConfigError(f"--listen {listen_at}: {error}.") from None
    settings.check()
    with contextlib.closing(await anyio.to_thread.run_sync(listen, host, port, INSTEAD)) as listener:
        async with open_proxy(settings, state) as proxy:
            name, number = bound(listener)
            on_listening(f"http://{name}:{number}", settings.keys_required)
            app = Application(proxy.handle, settings.max_body_mib * MIB, settings.hosts)
            # The upstream's date passes, in place of one of this server.
            await serve(app, listener, end_within=END_WITHIN, date_header=False, last_words=app.end)


@asynccontextmanager
async def open_proxy(settings: ProxySettings, state: Path) -> AsyncIterator[Proxy]:
    """A wired proxy, whose database is in the folder `state`. Raises ConfigError."""
    path, lives, life = await anyio.to_thread.run_sync(_database, state)
    with contextlib.closing(life):
        ledger, store = Ledger(path, life.name), KeyStore(path)
        if lost := await anyio.to_thread.run_sync(ledger.recover, lives.has):
            logger.warning("%s requests of a proxy that was killed are charged at their worst case", lost)

        async def known_keys() -> Keyring:
            return Keyring([*declared(settings), *await anyio.to_thread.run_sync(store.read)])

        keyring = await known_keys()
        for text in unused_budgets(settings, keyring.records):
            logger.warning("%s", text)
        prices = PriceList.shipped().with_overrides({name: each.price for name, each in settings.prices.items()})

        async def follow_keys() -> None:
            nonlocal keyring
            while True:
                await anyio.sleep(KEYS_EVERY)
                try:
                    keyring = await known_keys()
                except (sqlite3.Error, ValueError, HubError) as error:
                    logger.warning("the keys can't be read, so those known before count: %s", error)

        async def settle_late() -> None:
            while True:
                await anyio.sleep(LATE_EVERY)
                await admission.settle_late()
                with contextlib.suppress(sqlite3.Error):  # the next time, then
                    await anyio.to_thread.run_sync(ledger.recover, lives.has)

        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(anyio.to_thread.run_sync, ledger.close)
            trust = _trust(settings)
            upstreams: dict[str, Upstream] = {}
            for each in settings.upstreams:
                upstreams[each.name] = await opened(each, trust)
                stack.push_async_callback(upstreams[each.name].close)
            metrics = Metrics(prices.entry)
            standings = _Standings(list(upstreams), metrics, UpstreamStates(path))
            choice = Choice(list(upstreams), standings.changed)
            tracer = await stack.enter_async_context(tracing.tracer(os.environ))
            spans = Spans(tracer, settings) if tracer is not None else None
            admission = Admission(settings, prices, ledger, metrics, time.time, spans)
            attempts = Attempts(settings, admission, upstreams, choice, metrics, time.time)
            names = list(upstreams)
            kept = await Kept.open(settings.cache, path, stack) if settings.cache is not None else None
            async with anyio.create_task_group() as tasks:
                cache = (
                    None
                    if kept is None
                    else kept.cache(tasks, admission, attempts.prepared, metrics, settings.upstreams)
                )
                proxy = Proxy(settings, lambda: keyring, admission, attempts, names, metrics, _new_id, cache)
                for task in (follow_keys, settle_late, standings.keep):
                    tasks.start_soon(task)
                yield proxy
                tasks.cancel_scope.cancel()


class _Standings:
    """Tells how upstreams stand to the metrics at once, and to the database as soon as a thread can."""

    def __init__(self, upstreams: Sequence[str], metrics: Metrics, states: UpstreamStates) -> None:
        self._metrics = metrics
        self._states = states
        self._changed: dict[str, UpstreamState] = {}
        self._any = anyio.Event()
        for name in upstreams:
            self.changed(Standing(name, State.CLOSED, ""))

    def changed(self, standing: Standing) -> None:
        """An upstream stands in another way."""
        self._metrics.stands(standing.upstream, standing.state)
        self._changed[standing.upstream] = UpstreamState(
            standing.upstream, standing.state, time.time(), standing.reason
        )
        self._any.set()

    async def keep(self) -> None:
        """Write what has changed, until cancelled."""
        with contextlib.suppress(sqlite3.Error):  # then they are told a little longer
            await anyio.to_thread.run_sync(self._states.forget_others, list(self._changed))
        while True:
            await self._any.wait()
            self._any = anyio.Event()
            changed, self._changed = self._changed, {}
            try:
                await anyio.to_thread.run_sync(self._states.write, *changed.values())
            except sqlite3.Error as error:
                logger.warning("how upstreams stand isn't kept: %s", error)


def _trust(settings: ProxySettings) -> ssl.SSLContext:
    """The system's certificates, as for the hub's servers; reading them takes 50 ms, which plain HTTP doesn't need."""
    if all(each.url is not None and each.url.startswith("http:") for each in settings.upstreams):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx2.create_ssl_context()


def _new_id() -> str:
    return f"mhreq_{uuid.uuid4().hex}"


def environment(url: str) -> Mapping[str, str]:
    """The variables with which Claude Code and other Anthropic clients use a proxy at `url`.

    ENABLE_TOOL_SEARCH: some versions of Claude Code send every MCP definition upfront to a URL that isn't Anthropic's.
    """
    return {"ANTHROPIC_BASE_URL": url, "ENABLE_TOOL_SEARCH": "true"}


def _database(state: Path) -> tuple[Path, Lives, Life]:
    """The database's file, who else uses it, and this proxy's own life there."""
    lives = Lives(state)
    try:
        path, life = database_file(state), lives.begin()
        lives.sweep()
        return path, lives, life
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(f"the proxy's ledger in {state} can't be opened: {error}.", key="proxy") from None
