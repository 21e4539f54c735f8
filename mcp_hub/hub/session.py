"""One open session with a downstream server: transport, handshake, tools/list, calls.

Owns the SDK's client while it is open. Above is `downstream`, which decides when to open one and what to do
when it is lost; below are the SDK, `children` and `stdio`. Whatever those raise leaves here as DownstreamError.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import mcp_types as types
from anyio.abc import TaskStatus
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.dispatcher import ProgressFnT
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from mcp_hub import __version__
from mcp_hub.errors import DownstreamError
from mcp_hub.hub.children import Child, Children
from mcp_hub.hub.direct import CLOSED, DirectCalls
from mcp_hub.hub.stdio import child_streams
from mcp_hub.settings import ServerSettings

logger = logging.getLogger(__name__)

PAGES = 1000
"""Pages of one tools/list; a server that never stops paging is cut off."""

EXIT_GRACE = 0.5
"""Seconds to learn how a child ended once its session was lost."""

HTTP_OTHER = 300.0
"""Seconds that a response stream may be silent: longer than any call may take by default."""

HTTP_FAILURES = ("Server returned an error response", "Session terminated", "Not Found")
"""What the SDK says for an HTTP error that carried no JSON-RPC error of the server's own."""

REFUSED = (401, 403)
"""HTTP statuses that refuse the credentials."""

ACKNOWLEDGED_WITHIN = 5.0
"""Seconds for a server to confirm a subscription to its tools; one that doesn't is used without."""

NEWS = (types.ResourceUpdatedNotification, types.ResourceListChangedNotification)
"""What a server says, beside a changed list of tools, when something that it answered before may have changed."""

RELISTEN_AFTER = 1.0
"""Seconds until a subscription that broke off is opened again."""

_FOREIGN = (MCPError, ValidationError, httpx2.HTTPError, OSError, RuntimeError, ValueError)

_CallResult: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)


@dataclass(frozen=True)
class Listed:
    """What a server said of itself when its session opened, and its tools as it listed them."""

    protocol: str
    instructions: str | None
    tools: list[dict[str, Any]]

    @property
    def legacy(self) -> bool:
        """Whether it speaks only the protocols with an initialize handshake."""
        return is_legacy(self.protocol)


def is_legacy(protocol: str) -> bool:
    """Whether a protocol version begins with an initialize handshake."""
    return protocol not in MODERN_PROTOCOL_VERSIONS


OnListed = Callable[[Listed], Awaitable[None]]

Progress = ProgressFnT
"""Called with (progress, total, message) while a tool works."""


class Session:
    """An open session; `lost` is set when it can't be used any more.

    `on_changed` is called then, and whenever the server says that something has changed; it must not raise.
    """

    def __init__(
        self,
        name: str,
        settings: ServerSettings,
        log: str | None,
        on_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.lost = anyio.Event()
        self._settings = settings
        self._log = log
        self._on_changed = on_changed
        self._client: Client | None = None
        self._child: Child | None = None
        self._direct = DirectCalls()
        self._http_status: int | None = None
        self._relist = anyio.Event()
        self._broke = anyio.Event()
        self._problem: BaseException | None = None
        self._noisy = False

    async def call(self, tool: str, arguments: dict[str, Any], on_progress: Progress | None) -> types.CallToolResult:
        """Call a tool by its wire name; the answer may take the server's timeout. Raises DownstreamError."""
        assert self._client is not None
        timeout = self._settings.timeout
        result: types.CallToolResult | types.InputRequiredResult | None = None
        try:
            # The SDK tells its own time-out by a code that a server may use too; a cancelled scope can't be mistaken.
            with anyio.move_on_after(timeout):
                result = await self._result(tool, arguments, on_progress)
        except MCPError as error:
            raise await self._call_failed(tool, error) from None
        except ValidationError:
            problem = f"answered {tool} with what is no tool result (MCP, tools/call)."
            raise self._error(problem, may_have_run=True) from None
        except httpx2.HTTPError as error:
            self._lose()
            may_have_run = not isinstance(error, httpx2.ConnectError)
            raise self._error(self._http_problem(error), may_have_run=may_have_run) from None
        except (ValueError, RuntimeError, OSError) as error:
            raise self._error(f"couldn't be asked for {tool}: {error}.", log=False) from None
        if result is None:
            bound = f"{timeout:g} s (servers.{self.name}.timeout)"
            raise self._error(f"didn't answer {tool} within {bound}; it may still have done it.", may_have_run=True)
        if isinstance(result, types.InputRequiredResult):
            raise self._error(f"asks for more input before it can answer {tool}, and the hub has none to give.")
        return result

    async def _result(
        self, tool: str, arguments: dict[str, Any], on_progress: Progress | None
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Not by Client.call_tool: a result that breaks its own output schema is still what the tool answered."""
        assert self._client is not None
        if self._settings.url is None:
            return _CallResult.validate_python(await self._direct.call(tool, arguments, on_progress), by_name=False)
        request = types.CallToolRequest(params=types.CallToolRequestParams(name=tool, arguments=arguments))
        return await self._client.session.send_request(request, _CallResult, progress_callback=on_progress)

    async def list_tools(self) -> Listed:
        """Every page of tools/list. Raises what the SDK raises."""
        assert self._client is not None
        tools: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(PAGES):
            page = await self._client.session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            tools += (tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools)
            if page.next_cursor is None or page.next_cursor == cursor:
                break
            cursor = page.next_cursor
        return Listed(self._client.protocol_version, self._client.instructions, tools)

    async def how_it_ended(self) -> str:
        """For a session that is lost: what became of the server, in words that follow its name."""
        if self._child is None:
            with anyio.move_on_after(EXIT_GRACE):
                await self._broke.wait()
            return self._http_problem(self._problem).rstrip(".") if self._problem else "closed the connection"
        status: int | None = None
        with anyio.move_on_after(EXIT_GRACE):
            status = await self._child.exited()
        if status is None:
            return "closed its stdout"
        words = await anyio.to_thread.run_sync(self._child.last_words)
        how = f"was ended by signal {-status}" if status < 0 else f"exited with status {status}"
        return f'{how} (its last words: "{words}")' if words else how

    @asynccontextmanager
    async def opened(
        self, children: Children, *, legacy: bool, max_message_bytes: int, on_listed: OnListed
    ) -> AsyncIterator[Listed]:
        """Open the session, list the tools, keep the list up to date while inside.

        Raises DownstreamError when it isn't open within the server's timeout.
        """
        timeout = self._settings.timeout
        started = anyio.current_time()
        opened = False
        callers: BaseException | None = None
        with anyio.CancelScope(deadline=started + timeout) as opening:
            try:
                async with self._transport(children, max_message_bytes) as transport:
                    self._client = Client(
                        transport,
                        mode="legacy" if legacy else "auto",
                        client_info=types.Implementation(name="mcp_hub", version=__version__),
                        message_handler=self._on_message,
                        cache=None,
                    )
                    async with self._client, anyio.create_task_group() as tasks:
                        with anyio.move_on_after(ACKNOWLEDGED_WITHIN):
                            await tasks.start(self._listen)  # before the list, so that no change falls between
                        listed = await self.list_tools()
                        await on_listed(listed)
                        opening.deadline = float("inf")
                        opened = True
                        tasks.start_soon(self._follow_list, on_listed)
                        try:
                            yield listed
                        except BaseException as error:
                            callers = error
                            raise
                        finally:
                            self._lose()
                            tasks.cancel_scope.cancel()
            except DownstreamError:
                raise
            except (*_FOREIGN, BaseExceptionGroup) as error:
                self._problem = _first(error)
                if self._problem is callers or not isinstance(self._problem, _FOREIGN):
                    raise self._problem from None
        self._broke.set()
        if opening.cancelled_caught:
            raise self._error(f"didn't open a session within {timeout:g} s (servers.{self.name}.timeout).")
        if self._problem is not None and opened:
            raise self._error(f"{await self.how_it_ended()}, which broke off its session.")
        if self._problem is not None:
            raise await self._not_opened(self._problem, anyio.current_time() - started) from None

    @asynccontextmanager
    async def _transport(self, children: Children, max_message_bytes: int) -> AsyncIterator[Any]:
        if self._settings.url is None:
            async with children.start(self.name, self._settings) as child, anyio.create_task_group() as tasks:
                self._child = child
                tasks.start_soon(self._watch, child)
                yield child_streams(
                    child.stdin, child.stdout, max_message_bytes, self._on_noise, self._lose, self._direct
                )
                tasks.cancel_scope.cancel()
            return
        timeout = httpx2.Timeout(self._settings.timeout, read=max(HTTP_OTHER, self._settings.timeout))
        client = partial(
            httpx2.AsyncClient,
            headers=self._settings.headers,
            timeout=timeout,
            event_hooks={"response": [self._on_response]},
        )
        async with await anyio.to_thread.run_sync(client) as http:  # it reads every root certificate
            yield streamable_http_client(self._settings.url, http_client=http, max_sse_event_size=max_message_bytes)

    def _lose(self) -> None:
        if not self.lost.is_set():
            self.lost.set()
            self._on_changed()

    async def _watch(self, child: Child) -> None:
        await child.exited()
        self._lose()

    async def _follow_list(self, on_listed: OnListed) -> None:
        while True:
            await self._relist.wait()
            self._relist = anyio.Event()
            try:
                await on_listed(await self.list_tools())
            except _FOREIGN as error:
                logger.warning("server '%s' changed its tools and then didn't list them: %s", self.name, error)

    async def _listen(self, *, task_status: TaskStatus[None]) -> None:
        """Take notice of changed tools where the server gives it on a stream of its own (MCP 2026-07-28)."""
        assert self._client is not None
        capability = self._client.server_capabilities.tools
        waiting = capability is not None and bool(capability.list_changed)
        if not waiting or is_legacy(self._client.protocol_version):
            task_status.started()
            return
        while True:
            try:
                async with self._client.listen(tools_list_changed=True) as subscription:
                    if waiting:
                        task_status.started()
                        waiting = False
                    else:
                        self._relist_changed()  # what changed while nobody listened
                    async for _ in subscription:
                        self._relist_changed()
                return
            except SubscriptionLost:
                await anyio.sleep(RELISTEN_AFTER)
            except (MCPError, ListenNotSupportedError) as error:
                logger.info("server '%s' gives no notice of changed tools: %s", self.name, error)
                if waiting:
                    task_status.started()
                return

    async def _on_message(self, message: types.ServerNotification | Exception) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._relist_changed()
        elif isinstance(message, NEWS):
            self._on_changed()
        elif isinstance(message, Exception):
            logger.warning("server '%s': %s", self.name, message)

    def _relist_changed(self) -> None:
        self._on_changed()
        self._relist.set()

    async def _on_response(self, response: httpx2.Response) -> None:
        # A server may refuse the stream that a GET asks for. One that refused the credentials has said what is
        # wrong, whatever it answers to the SDK's next attempt.
        if response.request.method == "POST" and self._http_status not in REFUSED:
            self._http_status = response.status_code

    def _on_noise(self, _: bytes) -> None:
        if not self._noisy:
            self._noisy = True
            logger.warning("server '%s' writes on stdout what is no message; it is passed over", self.name)

    async def _call_failed(self, tool: str, error: MCPError) -> DownstreamError:
        match error.code:
            case types.CONNECTION_CLOSED if self.lost.is_set() or error.message == CLOSED:
                self._lose()
                how = await self.how_it_ended()
                problem = f"{how} before it answered {tool}; it may or may not have done it."
                return self._error(problem, may_have_run=True)
            case _ if self._settings.url is not None and error.message in HTTP_FAILURES:
                self._lose()
                return self._error(self._http_problem(error), may_have_run=True)
            case code:
                # Everything else may come from the way there and back: a proxy, a bridge, an answer that was too large.
                refused = code in (types.METHOD_NOT_FOUND, types.INVALID_PARAMS)
                problem = f"answered {tool} with error {code}: {error.message}."
                return self._error(problem, log=False, may_have_run=not refused)

    async def _not_opened(self, error: BaseException, seconds: float) -> DownstreamError:
        if self._settings.url is not None:
            return self._error(self._http_problem(error))
        if isinstance(error, MCPError) and error.code != types.CONNECTION_CLOSED:
            return self._error(f"refused the session: {error.message}.")
        if isinstance(error, ValidationError):
            return self._error("doesn't follow the protocol: its answer to initialize or tools/list can't be read.")
        return self._error(f"{await self.how_it_ended()} {seconds:.1f} s after its start, before a session was open.")

    def _http_problem(self, error: BaseException) -> str:
        status = self._http_status
        if status in REFUSED:
            return f"refused the credentials (HTTP {status}). Check servers.{self.name}.headers."
        if status == 404:
            return f"has nothing at its URL, or has forgotten the session (HTTP 404). Check servers.{self.name}.url."
        if status is not None and status >= 400:
            return f"answered with HTTP {status}."
        if isinstance(error, httpx2.HTTPError):
            reason = str(error) or type(error).__name__
            return f"can't be reached: {reason}. Check that it is running, and servers.{self.name}.url and headers."
        return f"can't be used: {error}."

    def _error(self, problem: str, *, log: bool = True, may_have_run: bool = False) -> DownstreamError:
        for secret in self._settings.secrets:
            problem = problem.replace(secret, "***")
        return DownstreamError(self.name, problem, log=self._log if log else None, may_have_run=may_have_run)


def _first(error: BaseException) -> BaseException:
    """The first exception that isn't a group, in a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
