"""What there is to call: tools as records, names that a program can write, the nearest ones for those it can't.

Pure. A server's list comes in as the server gave it; a `Catalog` is a snapshot that never changes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from mcp_hub.errors import CallerError
from mcp_hub.hub.parameters import Parameter, Taken, taken_by
from mcp_hub.hub.policy import UNDECIDED, Decision, Policy
from mcp_hub.hub.schemas import Schema
from mcp_hub.names import identifier, server_identifier, spellings
from mcp_hub.settings import ServerSettings

UNRESTRICTED = Policy(())


@dataclass(frozen=True)
class Tool:
    """One tool of one server: how a program writes it, how the server spells it, what it takes and gives."""

    server: str
    name: str
    wire_name: str
    description: str
    input_schema: Schema
    output_schema: Schema | None
    annotations: Mapping[str, Any]
    decision: Decision = UNDECIDED
    """Whether the policy lets it be called."""
    observed: Schema | None = None
    """The shape that its results were seen to have, where the server promises none."""

    @cached_property
    def taken(self) -> Taken:
        """What it takes."""
        return taken_by(self.input_schema)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Required ones first, each group in the server's order."""
        return self.taken.parameters


@dataclass(frozen=True)
class Server:
    """One server as programs know it."""

    name: str
    """The name in programs, an identifier."""
    key: str
    """The name in servers.toml."""
    description: str
    tools: Mapping[str, Tool]

    def tool(self, name: str) -> Tool:
        """The tool by its name in programs or by the server's own. Raises CallerError with the nearest."""
        found = self.tools.get(name)
        if found is None:
            found = next((tool for tool in self.tools.values() if tool.wire_name == name), None)
        if found is None:
            raise CallerError.unknown(
                "tool",
                name,
                self.tools,
                f"readToolFile('servers/{self.name}.pyi') lists all.",
                where=f"in {self.name}",
            )
        return found


@dataclass(frozen=True)
class Catalog:
    """Every server with its tools, by the names that programs use."""

    servers: Mapping[str, Server]

    def server(self, name: str) -> Server:
        """The server by its name in programs or in servers.toml, in any case. Raises CallerError."""
        if (found := self.servers.get(name)) is not None:
            return found
        folded = server_identifier(name).lower()
        for server in self.servers.values():
            if server.name.lower() == folded:
                return server
        known = ", ".join(self.servers) or "none"
        raise CallerError.unknown("server", name, self.servers, f"Servers: {known}.")

    def tools(self) -> Iterable[Tool]:
        """All tools, in the order of the servers."""
        for server in self.servers.values():
            yield from server.tools.values()


@dataclass(frozen=True)
class Change:
    """How a server's list differs from the one before."""

    added: list[str]
    removed: list[str]
    altered: list[str]

    def __str__(self) -> str:
        parts = (("added", self.added), ("removed", self.removed), ("altered", self.altered))
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)


class LiveCatalog:
    """The catalog as it is now: each server's latest list, and the snapshot made of them."""

    def __init__(self, servers: Mapping[str, ServerSettings], policy: Policy) -> None:
        self._listed: dict[str, Sequence[Mapping[str, Any]]] = {}
        self._servers: dict[str, Server] = {}
        self._observed: dict[str, Mapping[str, Schema]] = {}
        self.configure(servers, policy)

    def configure(self, servers: Mapping[str, ServerSettings], policy: Policy) -> None:
        """Take over which servers there are, how they are filtered and what may be called; lists are kept."""
        self.settings = dict(servers)
        """Each server that is switched on, by its name in servers.toml, in the order of the configuration."""
        self.keys = {server_identifier(key): key for key in servers}
        """The name that a program uses -> the name in servers.toml."""
        self.policy = policy
        self._listed = {key: listed for key, listed in self._listed.items() if key in self.settings}
        self._observed = {key: shapes for key, shapes in self._observed.items() if key in self.settings}
        self._servers = {key: self._built(key) for key in self._listed}
        self._take_snapshot()

    @property
    def snapshot(self) -> Catalog:
        """Every server that has been seen, in the order of the configuration."""
        return self._snapshot

    def knows(self, key: str) -> bool:
        """Whether a list of this server has been seen, now or by an earlier hub."""
        return key in self._servers

    def count(self, key: str) -> int | None:
        """How many tools of this server an agent sees; None when it was never seen."""
        return len(self._servers[key].tools) if key in self._servers else None

    def forget(self, key: str) -> None:
        """Drop a server's list: what stands behind the name is another server now."""
        self._listed.pop(key, None)
        self._servers.pop(key, None)
        self._observed.pop(key, None)
        self._take_snapshot()

    def put(self, key: str, listed: Sequence[Mapping[str, Any]]) -> Change | None:
        """Take over a server's list; what changed, or None when it is the same as before."""
        before = self._servers.get(key)
        self._listed[key] = _steady(self._listed.get(key, ()), listed)
        server = self._built(key)
        if before == server:
            return None
        self._servers[key] = server
        self._take_snapshot()
        old = before.tools if before is not None else {}
        return Change(
            added=sorted(set(server.tools) - set(old)),
            removed=sorted(set(old) - set(server.tools)),
            altered=sorted(name for name, tool in server.tools.items() if name in old and old[name] != tool),
        )

    def observe(self, key: str, shapes: Mapping[str, Schema]) -> None:
        """Take over what a server's results were seen to look like, by the tools' own names."""
        self._observed[key] = shapes
        if key in self._servers:
            self._servers[key] = self._built(key)
            self._take_snapshot()

    def _built(self, key: str) -> Server:
        settings = self.settings[key]
        return build_server(
            key,
            settings.description or "",
            self._listed[key],
            allow=settings.tools.allow,
            deny=settings.tools.deny,
            policy=self.policy,
            observed=self._observed.get(key, {}),
        )

    def _take_snapshot(self) -> None:
        ordered = (self._servers[name] for name in self.settings if name in self._servers)
        self._snapshot = Catalog({each.name: each for each in ordered})


def _is_mere_text(output: Any) -> bool:
    """Whether an outputSchema promises `{result: str}` only, which says nothing: the text may be JSON (`results`)."""
    properties = output.get("properties") if isinstance(output, Mapping) else None
    if not isinstance(properties, Mapping) or list(properties) != ["result"]:
        return False
    inner = properties["result"]
    return isinstance(inner, Mapping) and inner.get("type") == "string" and not {"enum", "const", "format"} & set(inner)


def _steady(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """A server's list, with each tool as it was listed before if only the order inside of defaults has changed.

    A server that joins a set into a default lists it in another order at each start; what an agent reads stays.
    """
    known = {str(raw.get("name")): raw for raw in before}
    steady = []
    for raw in now:
        old = known.get(str(raw.get("name")))
        same = old is not None and old != raw and _without_order(old) == _without_order(raw)
        steady.append(old if old is not None and same else raw)
    return steady


def _without_order(value: Any, *, default: bool = False) -> Any:
    """A value with the words and the items of every `default` in alphabetical order."""
    if isinstance(value, Mapping):
        return {key: _without_order(each, default=key == "default") for key, each in value.items()}
    if isinstance(value, list):
        items = [_without_order(each) for each in value]
        return sorted(items, key=repr) if default else items
    return sorted(re.split(r"[\s,]+", value)) if default and isinstance(value, str) else value


def _matches(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) or fnmatchcase(identifier(name), glob) for glob in globs)


def build_server(
    key: str,
    description: str,
    listed: Sequence[Mapping[str, Any]],
    *,
    allow: Sequence[str] = ("*",),
    deny: Sequence[str] = (),
    policy: Policy = UNRESTRICTED,
    observed: Mapping[str, Schema] | None = None,
) -> Server:
    """A server's own list (MCP Tool objects as JSON) -> the server as programs know it.

    `allow` and `deny` are globs over a tool's own name or its spelling in programs; what they leave out isn't there.
    What `policy` denies is there, with the reason. `observed`: shapes of results, by the tools' own names. The order
    and the spellings depend on the names alone, so the same tools give the same server however the list was ordered.
    Of two tools with one name, the first counts.
    """
    by_name: dict[str, Mapping[str, Any]] = {}
    for raw in listed:
        by_name.setdefault(str(raw["name"]), raw)
    kept = sorted(name for name in by_name if _matches(name, allow) and not _matches(name, deny))
    name = server_identifier(key)
    names = spellings(kept)
    tools = {}
    for wire in kept:
        raw = by_name[wire]
        schema = raw.get("inputSchema")
        output = None if _is_mere_text(raw.get("outputSchema")) else raw.get("outputSchema")
        annotations = raw.get("annotations")
        annotations = annotations if isinstance(annotations, Mapping) else {}
        tools[names[wire]] = Tool(
            server=name,
            name=names[wire],
            wire_name=wire,
            description=str(raw.get("description") or raw.get("title") or ""),
            input_schema=schema if isinstance(schema, Mapping) else {},
            output_schema=output if isinstance(output, Mapping) else None,
            annotations=annotations,
            decision=policy.decide((key, name), (wire, names[wire], identifier(wire)), annotations),
            observed=None if isinstance(output, Mapping) else (observed or {}).get(wire),
        )
    return Server(name, key, description, tools)
