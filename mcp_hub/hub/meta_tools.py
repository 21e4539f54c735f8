"""The four meta-tools: what they say of themselves, and what they answer.

Flow: reads the catalog, waits for servers that were never seen, runs programs. It knows nothing of how an
agent is connected; `server` binds it to MCP, the CLI calls it too.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread

from mcp_hub.errors import CallerError, HubError, ScriptError
from mcp_hub.hub import results, stubs
from mcp_hub.hub.calls import Calls
from mcp_hub.hub.catalog import Catalog, LiveCatalog, Server, Tool
from mcp_hub.hub.downstream import ENDING, Downstreams
from mcp_hub.hub.search import Index
from mcp_hub.names import server_identifier
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Job, Pool, Run

logger = logging.getLogger(__name__)

NO_ANSWER = "null: the program gave no answer. Set result, return it from main(), or end with an expression."

LIST_WAIT = 5.0
"""Seconds, from the first look-up on, that look-ups wait for servers never seen; then they say which are missing."""

FOUND = 8
"""Tools that a search shows."""

FILE_CHARACTERS = 40_000
"""Characters of a file in one answer; the next lines are asked for by number."""

Report = Callable[[float, str], Awaitable[None]]
"""Called with (calls done so far, what is going on) while a program runs."""


@dataclass(frozen=True)
class MetaTool:
    """One meta-tool as an agent sees it."""

    name: str
    description: str
    input_schema: dict[str, Any]
    read_only: bool


@dataclass(frozen=True)
class Answer:
    """What a meta-tool answers: one or two texts, the second being what a program printed."""

    parts: tuple[str, ...]
    is_error: bool = False


def _schema(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


META_TOOLS = (
    MetaTool(
        "listToolFiles",
        "Lists the servers, one file of tool signatures each. With query (plain words): the signatures of the "
        "tools that fit best, over all servers, ready to call.",
        _schema(query={"type": "string"}),
        read_only=True,
    ),
    MetaTool(
        "readToolFile",
        "Reads a server's file: one line a tool, its Python-like signature and what it does. fileName as listed, "
        "such as servers/github.pyi.",
        _schema(
            ("fileName",),
            fileName={"type": "string"},
            startLine={"type": "integer", "minimum": 1},
            endLine={"type": "integer", "minimum": 1},
        ),
        read_only=True,
    ),
    MetaTool(
        "getToolDocs",
        "Everything about one tool: nested parameters, constraints, an example call. Only needed when its "
        "signature isn't enough.",
        _schema(("server", "tool"), server={"type": "string"}, tool={"type": "string"}),
        read_only=True,
    ),
    MetaTool(
        "executeToolCode",
        """Runs a Starlark program (a small Python) that calls the servers' tools; only its result comes back, so \
loop, join and filter here instead of reading data yourself. First find signatures (listToolFiles with a query, or \
readToolFile), then do the whole task in one program:

issues = github.list_issues(owner="a", repo="b", state="open")
late = [i for i in issues if i["days_open"] > 30]
for i in late:
    slack.post_message(channel="ops", text="%s is late" % i["title"])
result = {"late": len(late), "titles": [i["title"] for i in late]}

Each server is a name, each tool a function with keyword arguments; a tool gives dicts, lists or text. The answer is \
the global result, else what main() returns, else the last expression. print(...) is answered apart. A failed call \
ends the program and tells why. There are def, for, if, comprehensions, lambda, f-strings of plain names, sorted, sum, \
json.encode, json.decode; no import, while, try, class, `is` or `**`. A d["key"] is never d.key.""",
        _schema(("code",), code={"type": "string"}),
        read_only=False,
    ),
)


def meta_tool(name: str) -> MetaTool:
    """A meta-tool by its name. Raises CallerError."""
    found = next((tool for tool in META_TOOLS if tool.name == name), None)
    if found is None:
        raise CallerError.unknown("tool", name, [tool.name for tool in META_TOOLS])
    return found


class MetaTools:
    """Answers the four meta-tools. What goes wrong is an answer too: text that says what to do next."""

    def __init__(
        self,
        *,
        live: LiveCatalog,
        kept_loaded: anyio.Event,
        downstreams: Downstreams,
        calls: Calls,
        pool: Pool,
        limits: Limits,
        notes: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._live = live
        self._kept_loaded = kept_loaded
        self._downstreams = downstreams
        self._calls = calls
        self._pool = pool
        self._limits = limits
        self._notes = notes
        self._indexed: tuple[Catalog, Index] | None = None
        self._wait_until: float | None = None

    async def answer(self, name: str, arguments: Mapping[str, Any], report: Report | None = None) -> Answer:
        """Call a meta-tool by name. Raises nothing but cancellation; CallerError for a name that is none."""
        tool = meta_tool(name)
        try:
            _check(tool, arguments)
            match name:
                case "listToolFiles":
                    return Answer((await self.list_tool_files(arguments.get("query")),))
                case "readToolFile":
                    text = await self.read_tool_file(
                        arguments["fileName"], arguments.get("startLine", 1), arguments.get("endLine")
                    )
                    return Answer((text,))
                case "getToolDocs":
                    return Answer((await self.get_tool_docs(arguments["server"], arguments["tool"]),))
                case _:
                    return self._told(await self.execute(arguments["code"], report))
        except HubError as error:
            return Answer((error.text,), is_error=True)
        except Exception as error:  # a fault of ours is told as one, and the hub goes on
            logger.exception("%s failed", name)
            text = f"The hub failed at {name}: {type(error).__name__}. Its log, hub.log, says more; try it otherwise."
            return Answer((text,), is_error=True)

    async def list_tool_files(self, query: str | None = None) -> str:
        """The servers' files; or, for a query, the signatures that fit. Raises CallerError when nothing fits."""
        if query and query.strip():
            found = await self.find(query)
            lines = [f"{tool.server}: {stubs.line(tool)}" for tool in found]
            return "\n".join([*lines, *self._not_searched(), *self._notes()])
        await self._wait_for_unseen(list(self._live.settings), self._list_wait())
        catalog = self._live.snapshot
        rows: list[tuple[str, str, str]] = []
        for name, key in self._live.keys.items():
            server = catalog.servers.get(name)
            description = stubs.one_line(self._live.settings[key].description or "", stubs.DESCRIPTION_CHARACTERS)
            if server is not None:
                count = len(server.tools)
                rows.append((f"servers/{name}.pyi", f"{count} tool{'s' if count != 1 else ''}", description))
            else:
                rows.append((f"servers/{name}.pyi", "no tools yet", self._why_unseen(key)))
        widths = [max((len(row[i]) for row in rows), default=0) for i in (0, 1)]
        lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows]
        if not rows:
            lines.append("No server is configured. Add one to servers.toml; `mcp_hub config schema` describes it.")
        return "\n".join([*lines, *self._notes()])

    async def read_tool_file(self, file_name: str, start: int = 1, end: int | None = None) -> str:
        """Lines `start` to `end` (from 1, inclusive) of a server's file. Raises CallerError."""
        name = re.sub(r"^(\./)?servers/|\.pyi?$", "", file_name.strip(), flags=re.IGNORECASE)
        lines = stubs.server_file(await self._server(name)).splitlines()
        if start > len(lines):
            raise CallerError(f"The file has {len(lines)} lines; startLine {start} is beyond its end.")
        shown: list[str] = []
        left = FILE_CHARACTERS
        for line in lines[start - 1 : end]:
            left -= len(line) + 1
            if left < 0 and shown:
                return "\n".join([*shown, f"[go on with startLine {start + len(shown)}; the file has {len(lines)}]"])
            shown.append(line)
        return "\n".join(shown)

    async def get_tool_docs(self, server: str, tool: str) -> str:
        """One tool's docs. Raises CallerError."""
        return stubs.docs(await self.find_tool(server, tool))

    async def find_tool(self, server: str, tool: str) -> Tool:
        """A tool by its server's name and its own, as programs or as they themselves spell them. Raises CallerError."""
        return (await self._server(server)).tool(tool)

    async def execute(self, code: str, report: Report | None = None) -> Run:
        """Run a program over the servers that it names."""
        words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", code[: self._limits.source_bytes]))
        named = [name for name in self._live.keys if name in words]
        await self._wait_for_unseen([self._live.keys[name] for name in named], None)
        catalog, keys = self._live.snapshot, self._live.keys
        seen = {name: list(catalog.servers[name].tools) for name in named if name in catalog.servers}
        unavailable = {name: self._why_unseen(keys[name]) for name in named if name in keys and name not in seen}
        done = 0
        told = 0.0

        async def tell(progress: float, message: str) -> None:
            nonlocal told
            if report is not None and progress > told:  # progress MUST increase (MCP, progress)
                told = progress
                await report(progress, message)

        async def call_tool(server: str, tool: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
            nonlocal done
            if report is None:
                return await self._calls.call(server, tool, args, kwargs)

            async def on_progress(progress: float, total: float | None, message: str | None) -> None:
                share = progress / total if total else progress / (progress + 1)
                await tell(done + min(share, 0.99), f"{server}.{tool}{f': {message}' if message else ''}")

            value = await self._calls.call(server, tool, args, kwargs, on_progress)
            done += 1
            await tell(done, f"{server}.{tool}")
            return value

        job = Job(code, seen, unavailable, servers=list(keys))
        return await self._pool.run(job, call_tool)

    def _told(self, run: Run) -> Answer:
        printed = (f"printed:\n{run.log}",) if run.log else ()
        if run.error is None:
            text = results.render(run.value, self._limits.result_characters) if run.answered else NO_ANSWER
            return Answer((text, *printed))
        text = run.error.text.rstrip()
        if isinstance(run.error, ScriptError):
            text = f"The program failed ({run.error.kind}). {run.told_calls()}\n{text}"
        return Answer((text, *printed), is_error=True)

    async def find(self, query: str) -> list[Tool]:
        """The tools that fit a request in plain words, best first. Raises CallerError when none does."""
        await self._wait_for_unseen(list(self._live.settings), self._list_wait())
        catalog = self._live.snapshot
        if self._indexed is None or self._indexed[0] is not catalog:
            self._indexed = (catalog, await anyio.to_thread.run_sync(Index, catalog.tools()))
        found = await anyio.to_thread.run_sync(self._indexed[1].search, query, FOUND)
        if not found:
            known = ", ".join(f"{name} ({len(server.tools)})" for name, server in catalog.servers.items())
            text = f"No tool fits {query!r}. Servers and their tools: {known or 'none'}. Try other words."
            raise CallerError(" ".join([text, *self._not_searched()]))
        return [catalog.servers[name].tools[tool] for name, tool in found]

    def _list_wait(self) -> float:
        """Seconds that a look-up waits for servers never seen: LIST_WAIT from the first one on, and no more."""
        if self._wait_until is None:
            self._wait_until = anyio.current_time() + LIST_WAIT
        return max(0.0, self._wait_until - anyio.current_time())

    async def _server(self, name: str) -> Server:
        key = self._live.keys.get(server_identifier(name)) or next(
            (key for spelled, key in self._live.keys.items() if spelled.lower() == server_identifier(name).lower()),
            None,
        )
        if key is None:
            known = ", ".join(self._live.keys) or "none"
            raise CallerError.unknown("server", name, self._live.keys, f"Servers: {known}.")
        await self._wait_for_unseen([key], None)
        if key in self._live.settings and not self._live.knows(key):
            raise CallerError(self._why_unseen(key))
        return self._live.snapshot.server(server_identifier(key))

    async def _wait_for_unseen(self, keys: list[str], most: float | None) -> None:
        """Wait for servers whose tools nobody has seen; at most `most` seconds, else each for its own timeout."""
        await self._kept_loaded.wait()
        unseen = [key for key in keys if key in self._live.settings and not self._live.knows(key)]
        if unseen:
            longest = max(self._live.settings[key].timeout for key in unseen)
            await self._downstreams.settle(unseen, longest + ENDING if most is None else min(most, longest))

    def _not_searched(self) -> list[str]:
        """Why a search left servers out, a text each."""
        return [f"Not searched: {self._why_unseen(key)}" for key in self._live.settings if not self._live.knows(key)]

    def _why_unseen(self, key: str) -> str:
        return self._downstreams[key].why_not_ready


def _check(tool: MetaTool, arguments: Mapping[str, Any]) -> None:
    properties = tool.input_schema["properties"]
    for name in tool.input_schema.get("required", ()):
        if name not in arguments:
            raise CallerError(f"{tool.name} needs the argument {name!r}.")
    for name, value in arguments.items():
        if name not in properties:
            raise CallerError.unknown("argument", name, properties, where=f"of {tool.name}")
        wanted, kind = (str, "text") if properties[name]["type"] == "string" else (int, "a whole number")
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise CallerError(f"{tool.name}: {name} must be {kind}.")
        if wanted is int and value < properties[name].get("minimum", value):
            raise CallerError(f"{tool.name}: {name} starts at {properties[name]['minimum']}.")
