"""Edits the text of a servers.toml: adds, removes and switches servers, and leaves all the rest as it is.

Pure. A text is split into statements, each of them whole lines and the keys that it sets, so that an edit takes
out or puts in lines and can't touch any other. Only what stands on one line with something else, in an inline
table, is edited by tomlkit. Every result is parsed and compared with what was asked for before it is handed out.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from mcp_hub.config import tables
from mcp_hub.errors import ConfigError, nearest
from mcp_hub.places import line_of

STARTER = """\
# The servers that mcp_hub starts or connects to. To use an example, take the # off its lines and change them.
# A text may hold ${VAR} or ${VAR:-default} from the environment.

# A server that the hub starts: its program and arguments.
# [servers.github]
# command = ["npx", "-y", "@modelcontextprotocol/server-github"]
# env = { GITHUB_PERSONAL_ACCESS_TOKEN = "${GITHUB_TOKEN}" }
# description = "Code, issues and pull requests"

# A server that the hub reaches over HTTP.
# [servers.search]
# url = "https://search.example.com/mcp"
# headers = { Authorization = "Bearer ${TOKEN}" }
# timeout = 60

# Which tools may be called, whoever asks. The most specific rule decides; where none fits, the mode does.
# [policy]
# mode = "read-only"
# deny = ["*.delete_*", "@destructive"]
# allow = ["github.create_issue"]
"""

LINE_LENGTH = 120
"""A longer array is written with one item on a line."""

BEYOND = "its servers are written in a way that only you can change. Edit the file."

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEY = re.compile(rf"(?P<indent>[ \t]*)(?P<key>{_PART}(?:[ \t]*\.[ \t]*{_PART})*)")


def server_names(text: str, *, path: Path) -> list[str]:
    """The servers of a servers.toml in the order of the file, switched off ones too.

    Raises ConfigError when the text isn't TOML.
    """
    return list(_Document.read(text, path).servers)


def add_server(text: str, name: str, table: Mapping[str, Any], *, path: Path) -> str:
    """The text with `[servers.NAME]` at its end, its keys in the order of `table`.

    Whether a name and a table are valid settings is for `config.parse` to say. Raises ConfigError when there is
    a server of that name, when the text isn't TOML, and when a value can't be written in UTF-8.
    """
    document = _Document.read(text, path)
    if name in document.servers:
        raise document.error("is there already. Remove it first, or choose another name.", name)
    if (inline := document.inline_servers()) is not None:
        lines = document.edited(inline, ("servers",), _inline(name, tomlkit.value(_value(table))))
    else:
        lines = document.complete_lines()
        if lines and lines[-1].strip():
            lines.append(document.newline)
        keys = [line for key, value in table.items() for line in _assignments(_key(key), value)]
        lines += [f"{line}{document.newline}" for line in (f"[servers.{_key(name)}]", *keys)]
    return document.checked(lines, {**document.servers, name: table})


def remove_server(text: str, name: str, *, path: Path) -> str:
    """The text without the server, however it is spelt: a table, its sub-tables, dotted keys, an inline table.

    The comments inside go with it, and those that touch it: directly above it, or after its last line.
    Raises ConfigError when there is no such server, and when the text isn't TOML.
    """
    document = _Document.read(text, path)
    document.require(name)
    if (inline := document.inline_servers()) is not None:
        lines = document.edited(inline, ("servers",), _inline(name))
    else:
        lines = list(document.lines)
        for first, end in reversed(document.runs(name)):
            _cut(lines, first, end)
    return document.checked(lines, {each: table for each, table in document.servers.items() if each != name})


def switch_server(text: str, name: str, on: bool, *, path: Path) -> str:
    """The text with the server switched off by `enabled = false`, or on by taking `enabled` out.

    The same text when it is so already. Raises ConfigError when there is no such server, when it is no table,
    and when the text isn't TOML.
    """
    document = _Document.read(text, path)
    server = document.require(name)
    if not isinstance(server, dict):
        raise document.error("should be a table.", name)
    if server.get("enabled", True) is on:
        return text
    switched = {key: value for key, value in server.items() if key != "enabled"} | ({} if on else {"enabled": False})
    return document.checked(document.switched(name, on), {**document.servers, name: switched})


@dataclass(frozen=True)
class _Statement:
    """A table's header, or a key with its value: lines `first` to `end` (not included), and what it sets."""

    first: int
    end: int
    table: tuple[str, ...]
    keys: tuple[str, ...]
    """From the top: those of a header are its table's."""
    indent: str = ""
    key: str = ""
    """As it is written behind the indentation; a header has none."""


@dataclass(frozen=True)
class _Document:
    path: Path
    mark: str
    lines: list[str]
    data: dict[str, Any]
    statements: list[_Statement]

    @classmethod
    def read(cls, text: str, path: Path) -> "_Document":
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        data = tables(text.removeprefix(mark), path)
        lines = [line for line in re.split(r"(?<=\n)", text.removeprefix(mark)) if line]
        return cls(path, mark, lines, data, _statements(lines))

    @property
    def newline(self) -> str:
        return "\r\n" if any(line.endswith("\r\n") for line in self.lines) else "\n"

    def complete_lines(self) -> list[str]:
        """The lines, the last one ended too."""
        ended = "".join(self.lines[-1:]).endswith("\n") or not self.lines
        return list(self.lines) if ended else [*self.lines[:-1], f"{self.lines[-1]}{self.newline}"]

    @property
    def servers(self) -> dict[str, Any]:
        servers = self.data.get("servers", {})
        return servers if isinstance(servers, dict) else {}

    def error(self, problem: str, name: str = "") -> ConfigError:
        """What is wrong in the file, or with the server `name` in it."""
        line = line_of("".join(self.lines), ("servers", name)) if name else None
        return ConfigError(problem, file=str(self.path), line=line, key=f"servers.{name}" if name else "")

    def require(self, name: str) -> Any:
        if name not in self.servers:
            near = " or ".join(map(repr, nearest(name, self.servers)))
            hint = f"Did you mean {near}?" if near else f"The file has {', '.join(self.servers) or 'none'}."
            raise self.error(f"there is no server {name!r}. {hint}")
        return self.servers[name]

    def of(self, name: str) -> list[_Statement]:
        return [each for each in self.statements if each.keys[:2] == ("servers", name)]

    def inline_servers(self) -> _Statement | None:
        """`servers = { ... }`, if all servers stand in one value."""
        value = next((each for each in self.statements if each.keys == ("servers",) and each.key), None)
        return value if isinstance(self.data.get("servers"), dict) else None

    def runs(self, name: str) -> list[tuple[int, int]]:
        """The lines that belong to a server, comments too: one run, or several with other tables between them."""
        runs: list[tuple[int, int]] = []
        ours = self.of(name)
        for number, statement in enumerate(self.statements):
            if statement in ours:
                goes_on = number > 0 and self.statements[number - 1] in ours
                first = runs.pop()[0] if goes_on else self._comments_above(number)
                runs.append((first, self._comments_below(number)))
        return runs

    def _comments_above(self, number: int) -> int:
        """The first line of the comment that stands directly above a statement, or of the statement."""
        first = self.statements[number].first
        while first > (self.statements[number - 1].end if number else 0) and _is_comment(self.lines[first - 1]):
            first -= 1
        return first

    def _comments_below(self, number: int) -> int:
        """The end of the comment that directly follows in a server's own table, or of the statement."""
        statement = self.statements[number]
        following = self.statements[number + 1].first if number + 1 < len(self.statements) else None
        end = statement.end
        while end < len(self.lines) and _is_comment(self.lines[end]):
            end += 1
        is_about_the_next = end == following
        return statement.end if len(statement.table) < 2 or is_about_the_next else end

    def switched(self, name: str, on: bool) -> list[str]:
        """The lines with `enabled` set to false or taken out, in the spelling of this server's other keys."""
        at = ("servers", name)
        ours = self.of(name)
        for statement in (self.inline_servers(), *ours):
            if statement is not None and statement.key and statement.keys in (("servers",), at):
                return self.edited(statement, at, _inline("enabled", None if on else False))
            if statement is not None and statement.keys == (*at, "enabled"):
                off = self.edited(statement, statement.keys, lambda _: False)
                return self._without(statement, off[statement.first]) if on else off
        lines = self.complete_lines()
        if direct := [each for each in ours if each.table == at or len(each.table) < len(at)]:
            last = direct[-1]
            key = ".".join([*re.findall(_PART, last.key)[: len(at) - len(last.table)], "enabled"])
            lines.insert(last.end, f"{last.indent}{key} = false{self.newline}")
        else:  # sub-tables only
            header = [f"[servers.{_key(name)}]", "enabled = false", ""]
            lines[ours[0].first : ours[0].first] = [f"{line}{self.newline}" for line in header]
        return lines

    def _without(self, statement: _Statement, off: str) -> list[str]:
        """The lines without a statement; a comment behind it gets a line of its own. `off` is it with `false`."""
        lines = list(self.lines)
        _, mark, comment = off[len(statement.indent + statement.key) :].partition("#")
        if mark:
            lines[statement.first : statement.end] = [f"{statement.indent}#{comment}"]
        else:
            _cut(lines, statement.first, statement.end)
        return lines

    def edited(self, statement: _Statement, at: tuple[str, ...], change: Callable[[Any], Any]) -> list[str]:
        """The lines with the value of the key `at`, which stands in a statement, changed by tomlkit."""
        try:
            parsed: Any = tomlkit.parse("".join(self.lines[statement.first : statement.end]))
        except TOMLKitError:  # it and tomllib may disagree on what is new in TOML
            raise self.error(BEYOND) from None
        table = parsed
        *outer, last = at[len(statement.table) :]
        for key in outer:
            table = table[key]
        table[last] = change(table[last])
        return [*self.lines[: statement.first], parsed.as_string(), *self.lines[statement.end :]]

    def checked(self, lines: list[str], servers: Mapping[str, Any]) -> str:
        """The text of `lines`, if it can be written and says what the file said, with these servers."""
        text = "".join(lines)
        try:
            text.encode()
            if _comparable(tomllib.loads(text)) == _comparable({**self.data, "servers": servers}):
                return f"{self.mark}{text}"
        except UnicodeEncodeError:
            raise self.error("a value can't be written in UTF-8. Leave it out.") from None
        except tomllib.TOMLDecodeError:
            pass
        raise self.error(BEYOND)


def _statements(lines: list[str]) -> list[_Statement]:
    """The statements of a valid TOML text. One that goes over lines ends with the first at which it parses."""
    found: list[_Statement] = []
    table: tuple[str, ...] = ()
    first = 0
    while first < len(lines):
        end = first + 1
        if lines[first].lstrip().startswith("["):
            table = _path(tomllib.loads(lines[first]))
            found.append(_Statement(first, end, table, table))
        elif match := _KEY.match(lines[first]):
            while end < len(lines) and not _parses("".join(lines[first:end])):
                end += 1
            keys = _path(tomllib.loads(f"{match['key']} = 0"))
            found.append(_Statement(first, end, table, (*table, *keys), match["indent"], match["key"]))
        first = end
    return found


def _parses(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _path(nested: Any) -> tuple[str, ...]:
    keys = []
    while isinstance(nested, dict) and nested:
        ((key, nested),) = nested.items()
        keys.append(key)
    return tuple(keys)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _cut(lines: list[str], first: int, end: int) -> None:
    """Take lines out, and the blank ones that would pile up where they were."""
    above, below = first, end
    while above > 0 and not lines[above - 1].strip():
        above -= 1
    while below < len(lines) and not lines[below].strip():
        below += 1
    if below == len(lines):
        del lines[above:]
    elif above < first or first == 0:
        del lines[first:below]
    else:
        del lines[first:end]


def _inline(key: str, value: Any = None) -> Callable[[Any], Any]:
    """Sets a key of an inline table, or takes it out, and keeps the blanks inside its braces."""

    def change(table: Any) -> Any:
        blank = "" if re.match(r"\{[^ \t}]", table.as_string()) else " "
        if value is None:
            table.pop(key)
        else:
            table[key] = value
        inner = table.as_string()[1:-1].strip()
        return tomlkit.value(f"{{{blank}{inner}{blank}}}" if inner else "{}")

    return change


def _comparable(data: Mapping[str, Any]) -> str:
    """What a text says, as a text: dates and nan compare too, and an empty `[servers]` says nothing."""
    told = {key: value for key, value in data.items() if key != "servers" or value}
    return json.dumps(told, sort_keys=True, default=str)


def _assignments(key: str, value: Any) -> list[str]:
    """Lines that set a key of a server's table. `tools` is written as dotted keys, other tables on one line."""
    if key == "tools" and isinstance(value, Mapping) and value:
        return [line for inner, each in value.items() for line in _assignments(f"tools.{_key(inner)}", each)]
    line = f"{key} = {_value(value)}"
    if len(line) <= LINE_LENGTH or not isinstance(value, list | tuple):
        return [line]
    return [f"{key} = [", *(f"    {_value(item)}," for item in value), "]"]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return visible(tomlkit.item(value).as_string())


def _key(key: str) -> str:
    return visible(tomlkit.key(key).as_string())


def visible(written: str) -> str:
    """A TOML string with escapes for what an editor or a terminal wouldn't show."""
    return "".join(c if c.isprintable() or "\ud800" <= c <= "\udfff" else f"\\U{ord(c):08X}" for c in written)
