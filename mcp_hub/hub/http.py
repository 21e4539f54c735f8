"""Serves MCP over streamable HTTP: who may connect, from where, how much they may send, and a bounded end.

Above are HTTP clients; below is the SDK's session manager, over the server that `server` builds. A session of the
older protocols belongs to the client that opened it: with another token it isn't found (MCP, security). Beside it are
the hub's metrics, for whoever may connect.
"""

import hashlib
import hmac
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, get_access_token
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_hub.errors import ConfigError
from mcp_hub.hub.metrics import Metrics
from mcp_hub.listening import bound, serve
from mcp_hub.prometheus import CONTENT_TYPE
from mcp_hub.settings import HttpSettings
from mcp_hub.table import address, is_loopback

logger = logging.getLogger(__name__)

PATH = "/mcp"
METRICS_PATH = "/metrics"

REQUEST_BYTES = 1024 * 1024
"""Largest request body: sixteen times the largest program."""

SESSIONS = 1000
"""Sessions of the older protocols at once; one that nobody uses ends after half an hour (the SDK's default)."""

END_WITHIN = 1
"""Seconds that requests under way get when the hub ends; then they are cancelled, and their programs with them."""

TOKEN_CHARACTERS = 16
"""A shorter token can be guessed."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

ANYONE = "http"
"""The name of all clients of a hub that asks for no token."""

ATTACHED = "attached"
"""Begins the name of a client that attached with the hub's own secret; its own part of the token follows."""


class Clients:
    """Who is calling: a bearer token -> a client's name. The SDK's TokenVerifier.

    `tokens` answers the tokens by name as they are now. `secret` is this hub's own, for hubs that attach to it:
    each sends `SECRET.NAME` with a name of its own.
    """

    def __init__(self, tokens: Callable[[], Mapping[str, str]], secret: str) -> None:
        self._tokens = tokens
        self._secret = secret

    async def verify_token(self, token: str) -> AccessToken | None:
        """The client that a token belongs to; None for one that is nobody's."""
        secret, dot, name = token.partition(".")
        if dot and _same(secret, self._secret):
            return AccessToken(token=token, client_id=f"{ATTACHED}:{name}", scopes=[])
        for client, known in self._tokens().items():
            if known and _same(token, known):
                return AccessToken(token=token, client_id=f"client:{client}", scopes=[])
        return None


def _same(given: str, known: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing of either."""
    return hmac.compare_digest(*(hashlib.sha256(text.encode()).digest() for text in (given, known)))


def current_client() -> str:
    """The client whose request is being answered; without tokens, everyone on this machine is one."""
    token = get_access_token()
    return token.client_id if token is not None else ANYONE


def check_tokens(host: str, http: HttpSettings) -> bool:
    """Whether clients need a token to connect to a hub that listens on `host`.

    Raises ConfigError for a token that is empty or too short, and for none at all beyond loopback.
    """
    for name, token in http.tokens.items():
        if len(token) < TOKEN_CHARACTERS:
            what = "is empty: is its environment variable set?" if not token else "is too short to be a secret."
            raise ConfigError(
                f"the token {what} Use {TOKEN_CHARACTERS} characters or more, such as `openssl rand -hex 32` prints.",
                key=f"hub.http.tokens.{name}",
            )
    if not http.tokens and not is_loopback(host):
        raise ConfigError(
            f"{host} can be reached from other machines, so clients need a token. Set MCP_HUB_TOKEN, or "
            'hub.http.tokens in servers.toml: tokens = { laptop = "${LAPTOP_TOKEN}" }'
        )
    return bool(http.tokens)


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[IPV6]:PORT` or `PORT` (on 127.0.0.1) -> host and port. Raises ConfigError."""
    try:
        return address(text)
    except ValueError as error:
        raise ConfigError(f"--http {text}: {error}.") from None


def url_of(listener: socket.socket) -> str:
    """The URL at which clients reach the hub."""
    host, port = bound(listener)
    return f"http://{host}:{port}{PATH}"


async def serve_http(
    server: Server[Any],
    listener: socket.socket,
    clients: Clients,
    http: HttpSettings,
    token_needed: Callable[[], bool],
    metrics: Metrics,
) -> None:
    """Serve until cancelled, and END_WITHIN seconds more for requests under way.

    `token_needed` answers whether a request needs a token as it arrives.
    """
    security = _security(listener, http)
    manager = StreamableHTTPSessionManager(
        server,
        security_settings=security,
        max_request_body_size=REQUEST_BYTES,
        max_sessions=SESSIONS,
    )
    app = Starlette(
        routes=[
            Route(PATH, _Endpoint(StreamableHTTPASGIApp(manager), token_needed)),
            Route(METRICS_PATH, _Endpoint(_MetricsPage(metrics, security), token_needed), methods=["GET"]),
        ],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(clients)),
            Middleware(AuthContextMiddleware),  # for `current_client`
        ],
        lifespan=lambda _: manager.run(),
    )
    await serve(app, listener, end_within=END_WITHIN)


class _MetricsPage:
    """Tells the metrics, after the checks of Host and Origin that the SDK makes for the MCP endpoint by itself."""

    def __init__(self, metrics: Metrics, security: TransportSecuritySettings) -> None:
        self._metrics = metrics
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._security.validate_request(Request(scope))
        if response is None:
            response = Response(await self._metrics.exposition(), media_type=CONTENT_TYPE)
        await response(scope, receive, send)


class _Endpoint:
    """An endpoint, behind the check for a token while one is needed."""

    def __init__(self, app: ASGIApp, token_needed: Callable[[], bool]) -> None:
        self._open = app
        self._guarded = RequireAuthMiddleware(app, [])
        self._token_needed = token_needed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._guarded if self._token_needed() else self._open)(scope, receive, send)


def _security(listener: socket.socket, http: HttpSettings) -> TransportSecuritySettings:
    """Which Host and Origin headers are answered: a web page must not reach the hub through a name of its own."""
    host, port = bound(listener)
    names = [*LOOPBACK_NAMES, host, *http.hosts]
    return TransportSecuritySettings(
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[*(f"http://{name}:{port}" for name in (*LOOPBACK_NAMES, host)), *http.origins],
    )
