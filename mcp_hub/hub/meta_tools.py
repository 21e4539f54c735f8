"""The four meta-tools: what they say of themselves, and what they answer.

Flow: reads the catalog, waits for servers that were never seen, runs programs. It knows nothing of how an
agent is connected; `server` binds it to MCP, the CLI calls it too.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from mcp_hub.errors import CallerError, HubError
from mcp_hub.hub import lookups, stubs
from mcp_hub.hub.catalog import Catalog, LiveCatalog, Server, Tool
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.journal import LOCAL
from mcp_hub.hub.lookups import Row
from mcp_hub.hub.programs import Programs, Report
from mcp_hub.hub.scripts import PREFIX, SharedScripts
from mcp_hub.hub.search import LEAST, Index
from mcp_hub.hub.types import one_line
from mcp_hub.hub.unseen import Unseen
from mcp_hub.names import server_identifier

if TYPE_CHECKING:  # imported where the hub is served over HTTP
    from mcp_hub.hub.metrics import Metrics

logger = logging.getLogger(__name__)

LIST_WAIT = 5.0
"""Seconds, from the first look-up on, that look-ups wait for servers never seen; then they say which are missing."""

FILE_CHARACTERS = 40_000
"""Characters of files in one answer; the next lines are asked for by number."""

SEVERAL = frozenset({"fileName", "tool"})
"""Arguments that may name several: with commas, as their schemas say, or as a list, as some models write them."""

DOCS_CHARACTERS = 24_000
"""Characters of docs in one answer; of the tools that are left out, the names are told."""


NAMES_CHARACTERS = 2_000
"""Of the names of tools whose docs are left out."""


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
    # Without bounds and additionalProperties: every session pays for them, and `_check` tells more.
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


META_TOOLS = (
    MetaTool(
        "listToolFiles",
        "Lists the servers' files. With query (plain words): the tool signatures that fit best, of all servers or one.",
        _schema(
            query={"type": "string"},
            server={"type": "string"},
            limit={"type": "integer"},
        ),
        read_only=True,
    ),
    MetaTool(
        "readToolFile",
        "Reads signatures. fileName: servers/github.pyi, servers/github/create_issue.pyi, several with commas, or a "
        "glob.",
        _schema(
            ("fileName",),
            fileName={"type": "string"},
            startLine={"type": "integer"},
            endLine={"type": "integer"},
        ),
        read_only=True,
    ),
    MetaTool(
        "getToolDocs",
        "Nested parameters, constraints, an example of a tool, when a signature isn't enough.",
        _schema(("server", "tool"), server={"type": "string"}, tool={"type": "string"}),
        read_only=True,
    ),
    MetaTool(
        "executeToolCode",
        """Runs a Starlark program (most plain Python runs as it is) that calls the servers' tools with keyword \
arguments; they give dicts, lists or text. Only the result comes back: loop, join and filter here, in one program.

late = [i for i in github.list_issues(owner="a", repo="b") if i["days_open"] > 30]
result = [slack.post_message(channel="ops", text=i["title"])["ts"] for i in late]

A failed call ends it, unless try/except catches it. parallel(fn, items) runs fn(item) side by side. json, re, math, \
datetime, collections, itertools are there; no class, open, network or clock. resume: a failed run's id, whose calls \
aren't repeated.""",
        _schema(("code",), code={"type": "string"}, resume={"type": "string"}),
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
        unseen: Unseen,
        downstreams: Downstreams,
        programs: Programs,
        scripts: Callable[[], SharedScripts],
        notes: Callable[[], Iterable[str]] = tuple,
        metrics: "Metrics | None" = None,
    ) -> None:
        self._live = live
        self._unseen = unseen
        self._downstreams = downstreams
        self._programs = programs
        self._scripts = scripts
        self._notes = notes
        self._metrics = metrics
        self._indexed: tuple[Catalog, Index] | None = None
        self._wait_until: float | None = None

    async def answer(
        self, name: str, arguments: Mapping[str, Any], client: str = LOCAL, report: Report | None = None
    ) -> Answer:
        """Call a meta-tool by name, for a client. Raises nothing but cancellation; CallerError for no meta-tool."""
        tool = meta_tool(name)
        if self._metrics is not None and tool.read_only:
            self._metrics.looked_up(name)
        try:
            _check(tool, arguments)
            match name:
                case "listToolFiles":
                    text = await self.list_tool_files(
                        arguments.get("query"), arguments.get("server"), arguments.get("limit")
                    )
                    return Answer((text,))
                case "readToolFile":
                    text = await self.read_tool_file(
                        arguments["fileName"], arguments.get("startLine", 1), arguments.get("endLine")
                    )
                    return Answer((text,))
                case "getToolDocs":
                    return Answer((await self.get_tool_docs(arguments["server"], arguments["tool"]),))
                case _:
                    return await self._execute(arguments["code"], client, arguments.get("resume"), report)
        except HubError as error:
            return Answer((error.text,), is_error=True)
        except Exception as error:  # a fault of ours is told as one, and the hub goes on
            logger.exception("%s failed", name)
            text = f"The hub failed at {name}: {type(error).__name__}. Its log, hub.log, says more; try it otherwise."
            return Answer((text,), is_error=True)

    async def list_tool_files(
        self, query: str | None = None, server: str | None = None, limit: int | None = None
    ) -> str:
        """The servers' files; for a query the signatures that fit, of one server or all. Raises CallerError."""
        if query and query.strip():
            tools = await self.find(query, server, limit)
            left_out = [] if server else self._not_searched()
            return "\n".join([await _rendered(lookups.found, tools, limit), *left_out, *self._notes()])
        if server:
            return await self.read_tool_file(server, end=limit + 2 if limit else None)
        await self._unseen.wait(list(self._live.settings), self._list_wait())
        rows = [self._row(name, key) for name, key in self._live.keys.items()]
        rows += [Row(path, "script", what) for path, what in await anyio.to_thread.run_sync(self._scripts().listed)]
        lines = [await _rendered(lookups.listing, rows)] if rows else []
        if not self._live.keys:
            lines.append("No server is configured. Add one to servers.toml; `mcp_hub config schema` describes it.")
        return "\n".join([*lines, *self._notes()])

    async def read_tool_file(self, file_name: str | list[str], start: int = 1, end: int | None = None) -> str:
        """Lines `start` to `end` (from 1, inclusive) of files, one after the other. Raises CallerError."""
        lines: list[str] = []
        if any(" " in each.strip() for each in ([file_name] if isinstance(file_name, str) else file_name)):
            # Whether a blank is part of a tool's name or stands between two files, only its server's list tells.
            await self._unseen.wait(list(self._live.settings), self._list_wait())
        for name in lookups.names_in(file_name, self._is_file):
            lines += (await self._file(name)).splitlines()
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

    async def get_tool_docs(self, server: str, tool: str | list[str]) -> str:
        """The docs of tools of a server: one, several, or those that fit a glob. Raises CallerError."""
        found = await self._server(server)
        names = lookups.names_in(tool, lambda name: lookups.named(found, lookups.bare(found, name)) is not None)
        tools = [each for name in names for each in lookups.tools_fitting(found, lookups.bare(found, name))]
        texts: list[str] = []
        left = DOCS_CHARACTERS
        for number, each in enumerate(tools):
            text = await _rendered(stubs.docs, each)
            left -= len(text)
            if left < 0 and texts:
                texts.append(
                    f"[not shown: {one_line(', '.join(rest.name for rest in tools[number:]), NAMES_CHARACTERS)}]"
                )
                break
            texts.append(text)
        return "\n".join(texts)

    async def find_tool(self, server: str, tool: str) -> Tool:
        """A tool by its server's name and its own, as programs or as they themselves spell them. Raises CallerError."""
        return (await self._server(server)).tool(tool)

    def _is_file(self, name: str) -> bool:
        """Whether a text, with all blanks and commas in it, is the name of one server's file or of one tool's."""
        pattern = lookups.pattern_of(name)
        if (key := self._key(pattern.server)) is None:
            return False
        server = self._live.snapshot.servers.get(server_identifier(key))
        return pattern.tool is None or (server is not None and lookups.named(server, pattern.tool) is not None)

    async def _file(self, name: str) -> str:
        """A file's text, or that of every file that a glob means. Raises CallerError."""
        path = name.removeprefix("./")
        if path.startswith(PREFIX):
            return await anyio.to_thread.run_sync(self._scripts().text, path)
        pattern = lookups.pattern_of(name)
        if not pattern.many:
            servers = [await self._server(pattern.server)]
        else:
            await self._unseen.wait(list(self._live.settings), self._list_wait())
            catalog = self._live.snapshot
            servers = [catalog.servers[each] for each in lookups.servers_fitting(pattern.server, catalog.servers)]
        if pattern.tool is None:
            return "".join([await _rendered(stubs.server_file, server) for server in servers])
        tools: list[Tool] = []
        for server in servers:
            try:
                tools += lookups.tools_fitting(server, pattern.tool)
            except CallerError:
                if len(servers) == 1:
                    raise
        if not tools:
            raise CallerError(f"No tool fits {name!r}. listToolFiles(query=...) searches in plain words.")
        return await _rendered(lookups.found, tools, len(tools))

    def _row(self, name: str, key: str) -> Row:
        server = self._live.snapshot.servers.get(name)
        if server is None:
            return Row(f"servers/{name}.pyi", "no tools yet", self._why_unseen(key), urgent=True)
        count = len(server.tools)
        purpose = one_line(server.description, stubs.DESCRIPTION_CHARACTERS)
        return Row(f"servers/{name}.pyi", f"{count} tool{'s' if count != 1 else ''}", purpose, server)

    async def _execute(self, code: str, client: str, resume: str | None, report: Report | None) -> Answer:
        executed = await self._programs.execute(code, client, resume, report)
        printed = (f"printed:\n{executed.run.log}",) if executed.run.log else ()
        return Answer((executed.text, *printed), is_error=executed.run.error is not None)

    async def find(self, query: str, server: str | None = None, limit: int | None = None) -> list[Tool]:
        """The tools that fit a request in plain words, best first. Raises CallerError when none does."""
        only = (await self._server(server)).name if server else None
        if only is None:
            await self._unseen.wait(list(self._live.settings), self._list_wait())
        catalog = self._live.snapshot
        if self._indexed is None or self._indexed[0] is not catalog:
            self._indexed = (catalog, await anyio.to_thread.run_sync(Index, catalog.tools()))
        most = min(limit or lookups.FOUND, lookups.MOST_FOUND)
        least = 0.0 if limit else LEAST
        found = await anyio.to_thread.run_sync(self._indexed[1].search, query, most, only, least)
        if not found:
            rows = [self._row(name, key) for name, key in self._live.keys.items()]
            files = await _rendered(lookups.listing, rows)
            where = f" in {only}" if only else ""
            text = f"No tool{where} fits {query!r}. Try other words, or read a file:\n{files}"
            raise CallerError("\n".join([text, *self._not_searched()]))
        return [catalog.servers[name].tools[tool] for name, tool in found]

    def _list_wait(self) -> float:
        """Seconds that a look-up waits for servers never seen: LIST_WAIT from the first one on, and no more."""
        if self._wait_until is None:
            self._wait_until = anyio.current_time() + LIST_WAIT
        return max(0.0, self._wait_until - anyio.current_time())

    def _key(self, name: str) -> str | None:
        """A server's name in servers.toml, by that or by its name in programs, in any case."""
        folded = server_identifier(name).lower()
        return next((key for spelled, key in self._live.keys.items() if spelled.lower() == folded), None)

    async def _server(self, name: str) -> Server:
        key = self._key(name)
        if key is None:
            known = ", ".join(self._live.keys) or "none"
            raise CallerError.unknown("server", name, self._live.keys, f"Servers: {known}.")
        await self._unseen.wait([key])
        if key in self._live.settings and not self._live.knows(key):
            raise CallerError(self._why_unseen(key))
        return self._live.snapshot.server(server_identifier(key))

    def _not_searched(self) -> list[str]:
        """Why a search left servers out, a text each."""
        return [f"Not searched: {self._why_unseen(key)}" for key in self._live.settings if not self._live.knows(key)]

    def _why_unseen(self, key: str) -> str:
        return self._downstreams[key].why_not_ready


async def _rendered(render: Callable[..., str], *what: Any) -> str:
    """What is written from servers' schemas, in a thread: they may be of any size, and other clients are waiting."""
    return await anyio.to_thread.run_sync(render, *what)


def _check(tool: MetaTool, arguments: Mapping[str, Any]) -> None:
    properties = tool.input_schema["properties"]
    for name in tool.input_schema.get("required", ()):
        if name not in arguments:
            raise CallerError(f"{tool.name} needs the argument {name!r}.")
    for name, value in arguments.items():
        if name not in properties:
            raise CallerError.unknown("argument", name, properties, where=f"of {tool.name}")
        schema = properties[name]
        if schema["type"] == "string" and name in SEVERAL and _is_list_of_text(value):
            continue
        wanted, kind = (str, "text") if schema["type"] == "string" else (int, "a whole number")
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise CallerError(f"{tool.name}: {name} must be {kind}.")
        if isinstance(value, int) and value < 1:
            raise CallerError(f"{tool.name}: {name} starts at 1.")


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
