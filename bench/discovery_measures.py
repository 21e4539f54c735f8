"""Measures of discovery on one catalog: tokens of each answer, times, memory, and which requests find their tool."""

import gc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from random import Random
from statistics import median
from typing import Any

import psutil

from bench import synthetic
from bench.tokens import tokens
from mcp_hub.hub import lookups, stubs
from mcp_hub.hub.catalog import Catalog, Server, Tool, build_server
from mcp_hub.hub.search import Index

LARGE_SERVERS = 100
"""Servers of the synthetic catalog; with 50 tools each they have 5,000."""

FIRST = 5
"""The right tool has to be among as many."""

DOCS = 500
"""Tools whose docs are rendered: all of a real catalog, evenly spread ones of a larger one."""

RawLists = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Spread:
    """Many values of one measure."""

    median: float
    p95: float
    largest: float
    values: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of at least one value."""
        ordered = sorted(values)
        return cls(median(ordered), ordered[ceil(0.95 * len(ordered)) - 1], ordered[-1], len(ordered))


@dataclass(frozen=True)
class Request:
    """What a person asks for, and the tools that serve it, as server/tool by the server's own names."""

    words: str
    tools: frozenset[str]
    tuned: bool


@dataclass(frozen=True)
class Missed:
    """A request whose tools aren't among the first ones shown."""

    words: str
    wanted: list[str]
    got: list[str]
    tuned: bool


@dataclass(frozen=True)
class Recall:
    """Of so many requests, how many find a right tool among the first FIRST, and how many as the very first."""

    requests: int
    among_first: int
    very_first: int
    shown: int
    """How many have it in the answer's text, which has no room for long signatures."""

    @property
    def share(self) -> float:
        """The share of those among the first."""
        return self.among_first / self.requests


class Agent:
    """What an agent reads of a catalog. The one place that knows how the meta-tools make their texts."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.index = Index(catalog.tools())

    def listing(self) -> str:
        """The answer of listToolFiles()."""
        return lookups.listing([self._row(server) for server in self.catalog.servers.values()])

    def find(self, words: str) -> list[Tool]:
        """The tools that listToolFiles(query=...) finds, best first."""
        found = self.index.search(words, lookups.FOUND)
        return [self.catalog.servers[server].tools[tool] for server, tool in found]

    def query(self, words: str) -> str:
        """The answer of listToolFiles(query=...)."""
        if found := self.find(words):
            return lookups.found(found)
        return f"No tool fits {words!r}. Try other words, or read a file:\n{self.listing()}"

    def files(self) -> list[str]:
        """The answers of readToolFile for each server's whole file."""
        return ["\n".join(stubs.server_file(server).splitlines()) for server in self.catalog.servers.values()]

    def docs(self, tool: Tool) -> str:
        """The answer of getToolDocs for a tool."""
        return stubs.docs(tool)

    def _row(self, server: Server) -> lookups.Row:
        count = len(server.tools)
        what = f"{count} tool{'s' if count != 1 else ''}"
        return lookups.Row(f"servers/{server.name}.pyi", what, server.description, server)


def build(listed: RawLists) -> Catalog:
    """Lists of MCP tools by server -> the catalog."""
    servers = (build_server(name, "", tools) for name, tools in listed.items())
    return Catalog({server.name: server for server in servers})


def sample(agent: Agent) -> list[Tool]:
    """The tools whose docs are counted."""
    tools = list(agent.catalog.tools())
    return tools[:: max(1, len(tools) // DOCS)]


def answers_tokens(agent: Agent, queries: Sequence[str]) -> dict[str, Spread]:
    """Tokens of each meta-tool's answers."""
    return {
        "listToolFiles()": Spread.of([tokens(agent.listing())]),
        "listToolFiles(query)": Spread.of(tokens(agent.query(words)) for words in queries),
        "readToolFile, each server": Spread.of(map(tokens, agent.files())),
        "getToolDocs": Spread.of(tokens(agent.docs(tool)) for tool in sample(agent)),
    }


def query_times(agent: Agent, queries: Sequence[str], rounds: int) -> Spread:
    """Milliseconds of a query with the text of its answer."""
    return Spread.of(_milliseconds(partial(agent.query, words)) for _ in range(rounds) for words in queries)


def docs_times(agent: Agent) -> Spread:
    """Milliseconds of one tool's docs."""
    return Spread.of(_milliseconds(partial(agent.docs, tool)) for tool in sample(agent))


def build_times(listed: RawLists) -> dict[str, float]:
    """Milliseconds of what is done once for a catalog, each from nothing."""
    catalogs: list[Catalog] = []
    building = _milliseconds(lambda: catalogs.append(build(listed)))
    agents: list[Agent] = []
    indexing = _milliseconds(lambda: agents.append(Agent(catalogs[0])))
    fresh = Agent(build(listed))
    return {
        "building the catalog": building,
        "building the index": indexing,
        "rendering all files": _milliseconds(fresh.files),
    }


def memory_growth() -> dict[str, float]:
    """MB (1,000,000 bytes) that this process grows by with the synthetic catalog, and then with its index.

    To be run in a process that has done nothing else.
    """
    Agent(build(synthetic.catalog(1)))
    before = _resident()
    catalog = build(synthetic.catalog(LARGE_SERVERS))
    between = _resident()
    agent = Agent(catalog)
    agent.query("overdue invoice")
    return {"catalog": between - before, "index": _resident() - between}


def large_queries(count: int = 200) -> list[str]:
    """Queries for the synthetic catalog, of words that many of its tools have."""
    random = Random(7)
    return [
        f"{random.choice(synthetic.VERBS)} the {random.choice(synthetic.QUALITIES)} {random.choice(synthetic.THINGS)} "
        f"by {random.choice(synthetic.FIELDS)}"
        for _ in range(count)
    ]


def recall(agent: Agent, requests: Sequence[Request]) -> tuple[Recall, list[Missed]]:
    """How many of at least one request find their tool, and those that don't."""
    missed = []
    among_first = very_first = shown = 0
    for request in requests:
        found = [_path(tool, agent.catalog) for tool in agent.find(request.words)][:FIRST]
        lines = len(agent.query(request.words).splitlines())
        among_first += any(path in request.tools for path in found)
        shown += any(path in request.tools for path in found[:lines])
        very_first += bool(found) and found[0] in request.tools
        if not request.tools.intersection(found):
            missed.append(Missed(request.words, sorted(request.tools), found, request.tuned))
    return Recall(len(requests), among_first, very_first, shown), missed


def task_tokens(agent: Agent, pairs: Sequence[Sequence[str]]) -> Spread:
    """Tokens that an agent reads when it asks once for each tool of a task."""
    return Spread.of(sum(tokens(agent.query(words)) for words in pair) for pair in pairs)


def longest_lines(catalog: Catalog, count: int) -> list[tuple[str, int, int]]:
    """The tools with the longest signature lines: server/tool, characters, tokens."""
    lines = [(_path(tool, catalog), stubs.line(tool)) for tool in catalog.tools()]
    lines.sort(key=lambda pair: len(pair[1]), reverse=True)
    return [(path, len(line), tokens(line)) for path, line in lines[:count]]


def _path(tool: Tool, catalog: Catalog) -> str:
    return f"{catalog.servers[tool.server].key}/{tool.wire_name}"


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _resident() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1e6
