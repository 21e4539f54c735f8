"""What an agent looks up, as text: the listing of all servers, the tools that a search found, which tools a name means.

Pure, over a catalog. `meta_tools` waits for servers, reads shared scripts and says what is missing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mcp_hub.errors import CallerError
from mcp_hub.hub import stubs
from mcp_hub.hub.catalog import Server, Tool
from mcp_hub.hub.types import one_line
from mcp_hub.names import server_identifier

LISTING_CHARACTERS = 4_000
"""Characters of the listing of all servers: at most 1,200 tokens (o200k_base), however many there are (issue 4)."""

NAMES_CHARACTERS = 2_800
"""The same where nothing but names and numbers is left, which take more tokens than words do."""

FOUND = 5
"""Tools that a search shows unless it is asked for more."""

MOST_FOUND = 50
"""Tools that a search shows at most."""

FOUND_CHARACTERS = 2_600
"""Characters of what a search shows unless it is asked for more: two searches fit into 1,500 tokens (issue 4)."""

MOST_NAMES = 50
"""Files or tools that are named in one argument."""

PURPOSE_CHARACTERS = (120, 60, 30)
"""A server's purpose in the listing: the longest of these that lets all rows fit."""

NAMED_TOOLS = 5
"""Tools that are named for a server whose purpose nobody has configured."""


@dataclass(frozen=True)
class Row:
    """One line of the listing: a server or a shared script."""

    file: str
    what: str
    """How many tools there are, or what else the file is."""
    purpose: str = ""
    server: Server | None = None
    """The server, once its tools are known."""
    urgent: bool = False
    """Whether the purpose is what keeps the server from being used; it is never cut."""


def listing(rows: Sequence[Row]) -> str:
    """The files that there are: with every signature where all fit, else with purposes, else names and counts."""
    small = _with_signatures(rows)
    if len(small) <= LISTING_CHARACTERS:
        return small
    for most in PURPOSE_CHARACTERS:
        if len(text := _table(rows, most)) <= LISTING_CHARACTERS:
            return text
    return _names_and_counts(rows)


def found(tools: Sequence[Tool], most: int | None = None) -> str:
    """The tools that a search found, a line each; `most` is what was asked for, if anything was.

    Without it, descriptions are left out from the end on, and then tools, so that FOUND_CHARACTERS hold.
    """
    full = [f"{tool.server}: {stubs.line(tool)}" for tool in tools]
    if most is not None or sum(map(len, full)) <= FOUND_CHARACTERS:
        return "\n".join(full)
    short = [f"{tool.server}: {stubs.signature(tool)}" for tool in tools]
    for kept in range(len(full) - 1, -1, -1):
        lines = [*full[:kept], *short[kept:]]
        if sum(map(len, lines)) <= FOUND_CHARACTERS:
            return "\n".join(lines)
    while len(short) > 1 and sum(map(len, short)) > FOUND_CHARACTERS:
        short.pop()
    return "\n".join(short)


def names_in(given: str | Sequence[str], is_known: Callable[[str], bool] = lambda _: False) -> list[str]:
    """The names in an argument that takes one, several with commas or blanks between, or a list, each once.

    Servers may have commas and blanks in their tools' names: what `is_known` is one name. Raises CallerError for none
    and for too many.
    """
    listed = [given] if isinstance(given, str) else given
    names = list(dict.fromkeys(name for each in listed for name in _names_in_text(each.strip(), is_known)))
    if not names:
        raise CallerError("No name was given. listToolFiles() lists the files.")
    if len(names) > MOST_NAMES:
        raise CallerError(
            f"{len(names)} names are too many at once; at most {MOST_NAMES} are taken. A glob means several."
        )
    return names


def _names_in_text(text: str, is_known: Callable[[str], bool]) -> list[str]:
    if is_known(text):
        return [text]
    parts = [part.strip() for part in text.split(",")]
    return [name for part in parts for name in ([part] if part and is_known(part) else part.split())]


@dataclass(frozen=True)
class Pattern:
    """What a file's name means: a server, or tools of it. Either may be a glob."""

    server: str
    tool: str | None = None

    @property
    def many(self) -> bool:
        """Whether more than one server may be meant."""
        return is_glob(self.server)


def pattern_of(name: str) -> Pattern:
    """`servers/github.pyi`, `servers/github/create_issue.pyi`, `github`, `github.create_issue`, or globs of these."""
    bare = re.sub(r"^(\./)?(servers/)?|\.pyi$", "", name.strip(), flags=re.IGNORECASE)
    server, *tool = re.split("[/.]", bare, maxsplit=1)  # servers' names have neither; a tool's may have both
    return Pattern(server, "".join(tool) or None)


def is_glob(name: str) -> bool:
    """Whether a name stands for all that fit it."""
    return any(character in name for character in "*?[")


def servers_fitting(glob: str, names: Iterable[str]) -> list[str]:
    """The servers whose names fit a glob, in any case. Raises CallerError when none does."""
    known = list(names)
    fitting = [name for name in known if fnmatchcase(name.lower(), glob.lower())]
    if not fitting:
        raise CallerError(f"No server fits {glob!r}. Servers: {', '.join(known) or 'none'}.")
    return fitting


def tools_fitting(server: Server, name: str) -> list[Tool]:
    """The tools of a server that a name or glob means: as programs or as the server spell them, in any case.

    Raises CallerError with the nearest ones.
    """
    if (tool := named(server, name)) is not None:
        return [tool]
    if not is_glob(name):
        return [server.tool(name)]
    glob = name.lower()
    fitting = [
        tool
        for tool in server.tools.values()
        if fnmatchcase(tool.name.lower(), glob) or fnmatchcase(tool.wire_name.lower(), glob)
    ]
    if not fitting:
        raise CallerError(
            f"No tool of {server.name} fits {name!r}. readToolFile('servers/{server.name}.pyi') lists all."
        )
    return fitting


def named(server: Server, name: str) -> Tool | None:
    """The tool that programs or the server call so, or else call so in another case."""
    tools = server.tools.values()
    exact = server.tools.get(name) or next((tool for tool in tools if tool.wire_name == name), None)
    folded = name.lower()
    return exact or next((tool for tool in tools if folded in (tool.name.lower(), tool.wire_name.lower())), None)


def bare(server: Server, name: str) -> str:
    """A tool's name without its server's in front, which agents write too."""
    before, _, tool = name.partition(".")
    of_it = tool and named(server, name) is None and server_identifier(before).lower() == server.name.lower()
    return tool if of_it else name


def _with_signatures(rows: Sequence[Row]) -> str:
    parts: list[str] = []
    left = LISTING_CHARACTERS
    widths = _widths(rows)
    for row in rows:
        parts.append(_row(row, row.purpose, widths))
        left -= len(parts[-1])
        for tool in row.server.tools.values() if row.server else ():
            parts.append(f"  {stubs.line(tool)}")
            left -= len(parts[-1])
            if left < 0:  # it won't fit, and of a large catalog not every line has to be made to know that
                return "\n".join(parts)
    return "\n".join(parts)


def _table(rows: Sequence[Row], most: int) -> str:
    widths = _widths(rows)
    return "\n".join(_row(row, row.purpose if row.urgent else _purpose(row, most), widths) for row in rows)


def _widths(rows: Sequence[Row]) -> tuple[int, int]:
    return max((len(row.file) for row in rows), default=0), max((len(row.what) for row in rows), default=0)


def _row(row: Row, purpose: str, widths: tuple[int, int]) -> str:
    return f"{row.file:<{widths[0]}}  {row.what:<{widths[1]}}  {purpose}".rstrip()


def _purpose(row: Row, most: int) -> str:
    """What a server is for, or else what some of its tools are called."""
    if row.purpose or row.server is None:
        return one_line(row.purpose, most)
    named = list(row.server.tools)[:NAMED_TOOLS]
    while named and len(", ".join(named)) > most:
        named.pop()
    more = ", ..." if named and len(named) < len(row.server.tools) else ""
    return ", ".join(named) + more


def _names_and_counts(rows: Sequence[Row]) -> str:
    """`github (35), slack (12)` and so on: what is left when not even the files' names fit."""
    head = "Files servers/NAME.pyi, with how many tools each has: "
    left = NAMES_CHARACTERS - len(head) - len("; and 1,000,000 more: listToolFiles(query=...) finds their tools")
    shown: list[str] = []
    for row in rows:
        name = re.sub(r"^servers/|\.pyi$", "", row.file)
        entry = f"{name} ({len(row.server.tools)})" if row.server else f"{name} ({row.what})"
        left -= len(entry) + 2
        if left < 0:
            break
        shown.append(entry)
    more = len(rows) - len(shown)
    return (
        head + ", ".join(shown) + (f"; and {more:,} more: listToolFiles(query=...) finds their tools" if more else "")
    )
