"""The single path of a tool call: look up, policy, bind the arguments, validate, call, convert."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.lowlevel
import anyio.to_thread

from mcp_hub.errors import CallerError, DeniedError, HubError, ToolError
from mcp_hub.hub import arguments, results
from mcp_hub.hub.catalog import Catalog, Tool
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.policy import is_read_only
from mcp_hub.hub.remembering import Answer, Question, Remembering
from mcp_hub.hub.session import Progress
from mcp_hub.hub.validation import THREAD_STEPS, BoundedValidator
from mcp_hub.sandbox.conversation import PlannedCall, Problem

CHECKED = 200
"""Calls of a program's text that are checked before it runs; further ones are checked as they are made."""

CHECKED_AT_ONCE = 10
"""Calls that are checked until the event loop gets a turn: about half a millisecond."""


@dataclass(frozen=True)
class BoundCall:
    """A call that may be made: its arguments are the server's, and fit."""

    key: str
    """The server's name in servers.toml."""
    tool: Tool
    arguments: dict[str, Any]


class Calls:
    """Makes the calls of programs. `catalog` answers the catalog as it is now.

    `on_sent` is told each call of a tool without an output schema as it is sent, with the server's name in
    servers.toml, and says who is told its value, if it succeeds; neither must raise or take long. `remembering` is
    asked before a server is.
    """

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        downstreams: Downstreams,
        on_sent: Callable[[str, Tool], Callable[[Any], None]] | None = None,
        remembering: Remembering | None = None,
    ) -> None:
        self._catalog = catalog
        self._downstreams = downstreams
        self._on_sent = on_sent
        self._remembering = remembering
        self._validators: dict[tuple[str, str], tuple[Tool, BoundedValidator | None]] = {}

    async def call(
        self,
        server: str,
        tool: str,
        args: list[Any],
        kwargs: dict[str, Any],
        on_progress: Progress | None = None,
    ) -> Any:
        """One call, from a program's names and arguments to a value. Raises what `bound` and `send` raise."""
        call = await self.bound(server, tool, args, kwargs)
        known = await self.remembered(call)
        return known.value if known is not None else await self.send(call, on_progress)

    async def bound(self, server: str, tool: str, args: list[Any], kwargs: dict[str, Any]) -> BoundCall:
        """Look a call up, bind and check its arguments.

        Raises CallerError for names and arguments, DeniedError for the policy.
        """
        key, record = self._callable(server, tool)
        given = arguments.bind(record, args, kwargs)
        if (validator := await self._validator(record)) is not None:
            if arguments.is_large(given):
                found = await anyio.to_thread.run_sync(arguments.violations, validator, record, given, THREAD_STEPS)
            else:
                found = arguments.violations(validator, record, given)
            if found:
                raise CallerError(arguments.told(record, found))
        return BoundCall(key, record, given)

    async def remembered(self, call: BoundCall, client: str = "") -> Answer | None:
        """What the same call of this client gave before, if it is remembered; no server is asked.

        Raises CallerError and DeniedError for what has changed meanwhile.
        """
        question = self._question(call, client)
        if question is None or self._remembering is None:
            return None
        return await self._remembering.recall(question)

    async def send(self, call: BoundCall, on_progress: Progress | None = None, client: str = "") -> Any:
        """Make a bound call, or wait for the same one of this client that is under way; give its value.

        Raises CallerError and DeniedError for what has changed meanwhile, DownstreamError for the server, ToolError
        for the tool.
        """
        question = self._question(call, client)
        if question is None or self._remembering is None:
            return await self._ask(call, on_progress)
        return await self._remembering.share(question, partial(self._ask, call), on_progress)

    async def _ask(
        self, call: BoundCall, on_progress: Progress | None, on_reading: Callable[[], None] | None = None
    ) -> Any:
        """Ask the server; `on_reading` is called just before a call that changes nothing is sent."""
        tool = call.tool
        on_result: Callable[[Any], None] | None = None

        def check() -> None:
            """What was decided on a kept list, or before a reload, is decided again as the call is sent."""
            nonlocal on_result
            now = self._still(call)
            if self._on_sent is not None and now.output_schema is None:
                on_result = self._on_sent(call.key, now)
            if not is_read_only(now.annotations):
                if self._remembering is not None:
                    changing.enter_context(self._remembering.changing(call.key))
            elif on_reading is not None:
                on_reading()

        with ExitStack() as changing:
            result = await self._downstreams.call(call.key, tool.wire_name, call.arguments, on_progress, check)
        if result.is_error:
            raise ToolError(tool.server, tool.name, results.error_text(result))
        value = results.to_value(result)
        if on_result is not None:
            on_result(value)
        return value

    def _question(self, call: BoundCall, client: str) -> Question | None:
        """A call whose answer may be remembered. Raises CallerError and DeniedError for what has changed meanwhile."""
        if self._remembering is None:
            return None
        return self._remembering.question(call.key, self._still(call), call.arguments, client)

    def _still(self, call: BoundCall) -> Tool:
        """The tool of a bound call as it is now. Raises CallerError when it is another one, DeniedError."""
        tool = call.tool
        key, now = self._callable(tool.server, tool.name)
        if (key, now.wire_name) != (call.key, tool.wire_name):
            text = f"{tool.server}.{tool.name} has become another tool meanwhile; look its signature up again."
            raise CallerError(text)
        return now

    async def problems(self, planned: Sequence[PlannedCall]) -> list[Problem]:
        """What is wrong with calls as they stand in a program's text: arguments, and what the policy denies."""
        found: list[Problem] = []
        for number, call in enumerate(planned[:CHECKED], start=1):
            if number % CHECKED_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
            try:
                _, tool = self._callable(call.server, call.tool)
            except DeniedError as error:
                found.append((call.line, "denied", error.text))
                continue
            except HubError:
                continue  # a name that isn't there is found by whoever read the program
            validator = await self._validator(tool)
            wrong = arguments.planned_problems(tool, validator, call.args, call.kwargs, open_ended=call.open)
            if wrong:
                told = f"{call.server}.{call.tool}: {arguments.listed(tool, wrong)}"
                found.append((call.line, "arguments", told))
        return found

    def _callable(self, server: str, tool: str) -> tuple[str, Tool]:
        """The server's own name, and the tool, as the catalog has them now. Raises CallerError, DeniedError."""
        found = self._catalog().server(server)
        record = found.tool(tool)
        if not record.decision.allowed:
            raise DeniedError(record.server, record.name, record.decision.reason)
        return found.key, record

    async def _validator(self, tool: Tool) -> BoundedValidator | None:
        at = (tool.server, tool.name)
        known = self._validators.get(at)
        if known is None or known[0] is not tool:
            known = self._validators[at] = (tool, await anyio.to_thread.run_sync(arguments.make_validator, tool))
        return known[1]
