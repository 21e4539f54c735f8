"""What an agent knows without a look: the server's instructions, with the signatures that it will most likely need.

Pure. The text is made once for a session, from what was known at its start: a text that changed in mid-session
would cost the client its prompt cache.
"""

from collections.abc import Iterable, Mapping, Sequence

from mcp_hub.hub import stubs
from mcp_hub.hub.catalog import Catalog, Tool
from mcp_hub.hub.types import one_line

INSTRUCTION_CHARACTERS = 2_000
"""Characters of a server's instructions that clients show (Claude Code 2.1.197 cuts near 2,048)."""

ALL = "The tools of all servers, ready to call in one program with executeToolCode:"
SOME = (
    "MCP servers behind four tools. Find signatures with listToolFiles(query) or readToolFile, then do the whole task "
    "in one executeToolCode. Servers:"
)
OFTEN = "Used often here, ready to call:"

PURPOSE_CHARACTERS = (stubs.DESCRIPTION_CHARACTERS, 60, 0)
"""A server's purpose: the longest of these that leaves room for the signatures used often."""

SAID_CHARACTERS = (60, 0)
"""Of a tool's description: the longest of these that lets all signatures in. Every request of a session pays for it."""

MORE_CHARACTERS = 70
"""Room for the line that counts the servers left out."""

SERVERS_SHARE = 0.6
"""Of the characters, what the servers' lines may take while there are signatures to show."""


def instructions(purposes: Mapping[str, str], catalog: Catalog, used: Sequence[tuple[str, str]]) -> str:
    """At most INSTRUCTION_CHARACTERS: every signature where all fit, else the servers and the tools used most.

    `purposes`: each server that is switched on, by its name in programs, and what it is for. `used`: (server, tool)
    as the catalog names them, the most used first; what the catalog doesn't have is left out.
    """
    if purposes and all(name in catalog.servers for name in purposes):
        tools = [tool for name in purposes for tool in catalog.servers[name].tools.values() if tool.decision.allowed]
        for most in SAID_CHARACTERS:
            lines = _within(ALL, (f"{tool.server}: {stubs.line(tool, most)}" for tool in tools))
            if len(lines) == len(tools) + 1:
                return "\n".join(lines)
    known = [tool for pair in used if (tool := _tool(catalog, *pair)) is not None and tool.decision.allowed]
    return _servers_and_used(purposes, known)


def _servers_and_used(purposes: Mapping[str, str], used: Sequence[Tool]) -> str:
    room = INSTRUCTION_CHARACTERS * SERVERS_SHARE if used else INSTRUCTION_CHARACTERS
    for most in PURPOSE_CHARACTERS:
        servers = [_server(name, purpose, most) for name, purpose in purposes.items()]
        fits = _length(servers) <= room - len(SOME)
        if fits:
            break
    _, *shown = _within(SOME, servers, int(room) - (0 if fits else MORE_CHARACTERS))
    named = [line.removeprefix("- ") for line in shown if line.removeprefix("- ") in purposes]
    lines = [SOME, *(line for line in shown if line.removeprefix("- ") not in purposes)]
    if named:
        lines.append(f"- {', '.join(named)}")  # on one line: every request of a session pays for it
    if (left_out := len(servers) - len(shown)) > 0:
        lines.append(f"- and {left_out} more: listToolFiles() names all")
    if used:
        often = _within(OFTEN, (f"{tool.server}: {stubs.signature(tool)}" for tool in used), _left(lines))
        lines += often if len(often) > 1 else []
    return "\n".join(lines)


def _within(head: str, lines: Iterable[str], most: int = INSTRUCTION_CHARACTERS) -> list[str]:
    """`head` and as many of the lines as `most` characters have room for, line ends included."""
    kept = [head]
    left = most - len(head)
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            break
        kept.append(line)
    return kept


def _left(lines: Sequence[str]) -> int:
    return INSTRUCTION_CHARACTERS - _length(lines)


def _length(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _server(name: str, purpose: str, most: int) -> str:
    said = one_line(purpose, most) if purpose and most else ""
    return f"- {name}: {said}" if said else f"- {name}"


def _tool(catalog: Catalog, server: str, tool: str) -> Tool | None:
    found = catalog.servers.get(server)
    return found.tools.get(tool) if found else None
