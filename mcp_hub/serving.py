"""The ways in which a hub is served: on stdio, over HTTP, or attached to one that is served over HTTP.

Each runs until its client goes or it is cancelled, and takes a changed servers.toml over meanwhile.
"""

import contextlib
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping

import anyio
import anyio.to_thread
import httpx2

from mcp_hub.app import Hub, kept_instructions, open_hub
from mcp_hub.config import Loaded, combined
from mcp_hub.configuration import Configuration
from mcp_hub.errors import HubError
from mcp_hub.hub.attached import NAME, Attached, connection
from mcp_hub.hub.children import Children
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.server import build_server, serve_stdio
from mcp_hub.listening import listen
from mcp_hub.reload import Stamps, watch
from mcp_hub.settings import HttpSettings, ServerSettings
from mcp_hub.store.running import RunningHub, RunningHubs

logger = logging.getLogger(__name__)

TOKEN_VARIABLE = "MCP_HUB_TOKEN"  # noqa: S105 - a variable's name
"""A bearer token for `serve --http`, of the client called `default`."""

INSTEAD = "Choose another address with --http."
"""What to do about an address that can't be listened on."""

REACHED_WITHIN = 1.0
"""Seconds for a running hub on this machine to accept a connection."""


async def serve_on_stdio(configuration: Configuration, loaded: Loaded, seen: Stamps) -> None:
    """Serve stdin and stdout until stdin ends. The hub begins its own work after the first answer.

    `seen` are the files' stamps from before they were loaded, here and below.
    """
    where, cwd = configuration.where, configuration.cwd
    async with open_hub(loaded, where, cwd) as hub, anyio.create_task_group() as tasks:
        answered = anyio.Event()
        tasks.start_soon(hub.load)
        server = build_server(hub.meta_tools, await hub.instructions(), answered.set)

        async def begin() -> None:
            await answered.wait()
            await hub.begin()
            await follow(hub, configuration, seen)

        tasks.start_soon(begin)
        await serve_stdio(server, answered.set)
        tasks.cancel_scope.cancel()


async def serve_over_http(
    configuration: Configuration,
    loaded: Loaded,
    seen: Stamps,
    host: str,
    port: int,
    on_listening: Callable[[str, bool], None],
) -> None:
    """Serve streamable HTTP until cancelled; `on_listening` is told the URL, and whether a token is needed.

    Raises ConfigError.
    """
    from mcp_hub.hub import http

    def settings() -> HttpSettings:
        return with_token(hub.loaded.settings.hub.http if hub else loaded.settings.hub.http, configuration.environ)

    hub: Hub | None = None
    token_needed = http.check_tokens(host, settings())
    secret = secrets.token_urlsafe(32)
    running = RunningHubs(configuration.where.state)
    with contextlib.closing(await anyio.to_thread.run_sync(listen, host, port, INSTEAD)) as listener:
        url = http.url_of(listener)
        async with open_hub(loaded, configuration.where, measured=True) as hub, anyio.create_task_group() as tasks:
            server = build_server(hub.meta_tools, "", lambda: None, http.current_client)

            async def announce() -> None:
                assert hub is not None
                server.instructions = await hub.instructions()
                print_ = hub.loaded.fingerprint(configuration.environ)
                try:
                    await anyio.to_thread.run_sync(running.write, RunningHub(os.getpid(), url, secret, print_))
                except OSError as error:
                    logger.warning("no other hub can attach, because nothing can be written to the state: %s", error)

            def needed() -> bool:
                """A token that is configured later counts; taking the last one out doesn't open the hub again."""
                nonlocal token_needed
                token_needed = token_needed or bool(settings().tokens)
                return token_needed

            def check(changed: Loaded) -> None:
                http.check_tokens(host, with_token(changed.settings.hub.http, configuration.environ))

            tasks.start_soon(hub.begin)
            tasks.start_soon(follow, hub, configuration, seen, check, announce)
            await announce()
            try:
                on_listening(url, token_needed)
                clients = http.Clients(lambda: settings().tokens, secret)
                assert hub.metrics is not None
                await http.serve_http(server, listener, clients, settings(), needed, hub.metrics)
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(running.remove, os.getpid())


def with_token(http: HttpSettings, environ: Mapping[str, str]) -> HttpSettings:
    """The settings with the token of $MCP_HUB_TOKEN, if it is set, as the client `default`."""
    token = environ.get(TOKEN_VARIABLE)
    return http.model_copy(update={"tokens": {**http.tokens, "default": token}}) if token else http


async def serve_attached(configuration: Configuration, loaded: Loaded, seen: Stamps) -> None:
    """Serve stdio by asking a running HTTP hub of the same configuration; without one, serve by itself."""
    running = RunningHubs(configuration.where.state)
    me = secrets.token_hex(8)

    def look() -> ServerSettings | None:
        now = configuration.load()
        found = running.find(now.fingerprint(configuration.environ))
        return connection(found, me, now.settings.hub.limits.wall_seconds) if found else None

    async def find() -> ServerSettings | None:
        try:
            return await anyio.to_thread.run_sync(look)
        except (HubError, OSError) as error:
            logger.warning("no running hub can be looked for: %s", error)
            return None

    target = await find()
    if target is None or not await _reached(target):
        logger.warning("no hub of this configuration is served over HTTP, so this one serves by itself")
        await serve_on_stdio(configuration, loaded, seen)
        return
    logger.info("attached to the hub at %s", target.url)
    # Its folder's most used tools are this user's own: the other hub, which may serve others too, tells them to nobody.
    instructions = await kept_instructions(loaded, configuration.where, configuration.cwd)

    async def on_listed(*_: object) -> None:
        return

    downstreams = Downstreams(
        {NAME: target},
        children=Children(configuration.where.server_logs, configuration.environ),
        on_listed=on_listed,
        max_message_bytes=loaded.settings.hub.max_message_mib * 1024 * 1024,
    )
    async with downstreams:
        attached = Attached(downstreams, target, find)
        await serve_stdio(build_server(attached, instructions, downstreams.want_all), lambda: None)


async def follow(
    hub: Hub,
    configuration: Configuration,
    seen: Stamps,
    check: Callable[[Loaded], None] = lambda _: None,
    on_change: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Take over each change of the configuration's files since `seen`, then call `on_change`.

    What can't be used, `check` raising ConfigError included, is told to agents and left.
    """

    async def changed() -> None:
        try:
            loaded = await anyio.to_thread.run_sync(configuration.load)
            untrusted = loaded.untrusted
            if untrusted is not None and untrusted.path in hub.loaded.files:
                # The project's file as it was when it was trusted; a change of the user's own counts all the same.
                before = [part for part in hub.loaded.parts if part[0] == untrusted.path]
                loaded = combined([*loaded.parts, *before], None)
            check(loaded)
        except (HubError, OSError) as error:
            text = error.text if isinstance(error, HubError) else str(error)
            hub.problem = f"A changed servers.toml isn't used, and the hub goes on with what it had: {text}"
            logger.warning("%s", hub.problem)
            return
        kept = untrusted is not None and untrusted.path in loaded.files
        hub.problem = f"The hub goes on with what it had: {untrusted.text}" if kept and untrusted else None
        if hub.problem:
            logger.warning("%s", hub.problem)
        if loaded != hub.loaded:
            await hub.take_over(loaded)
            if on_change is not None:
                await on_change()

    await watch(configuration.files, seen, changed)


async def _reached(target: ServerSettings) -> bool:
    url = httpx2.URL(target.url or "")
    try:
        with anyio.fail_after(REACHED_WITHIN):
            stream = await anyio.connect_tcp(url.host, url.port or 80)
    except (OSError, TimeoutError):
        return False
    await stream.aclose()
    return True
