"""Turns the servers in other MCP clients' configuration files into tables for servers.toml.

Pure: a file's text comes in. What can't be taken over is told, either as a note beside a server or as the reason
why one is left out; neither ever repeats a value of `env` or of `headers`.
"""

import glob
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mcp_hub.clients import Source, read_entries
from mcp_hub.config import visible
from mcp_hub.names import server_identifier
from mcp_hub.settings import SERVER_NAME, ServerSettings

LITERAL = frozenset({"claude-desktop", "codex", "zed"})
"""Who takes every text as it is written."""

PREFIXED = frozenset({"cursor", "vscode"})
"""Who reads a variable as ${env:NAME}, and takes ${NAME} as it is written."""

LONGEST_TIMEOUT = 3600
"""The most that servers.toml takes, in seconds."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-[^}]*)?\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACES = re.compile(r"\$\{([^{}]*)\}()")
_BRACES_OR_NAME = re.compile(r"\$\{([^{}]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")
_OAUTH = ("oauth", "auth", "oauth_resource", "scopes", "authProviderType")


@dataclass(frozen=True)
class Imported:
    """A server as servers.toml has it, and what a person should know or do about it."""

    name: str
    table: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Skipped:
    """A server that is left out: its name in the client's file, and why, as in "it is this hub"."""

    name: str
    reason: str


def read_source(text: str, source: Source, *, cwd: Path, home: Path) -> tuple[list[Imported], list[Skipped]]:
    """The servers in a client's file, those that can be taken over and those that can't, each in the file's order.

    `cwd` is the project's folder. Raises ConfigError when the file isn't JSON (TOML for Codex CLI), with the
    line, and when there is something else where its servers should be.
    """
    entries = read_entries(text, source, cwd=cwd)
    imported: list[Imported] = []
    skipped: list[Skipped] = []
    taken: dict[str, str] = {}
    for original, entry in entries.servers.items():
        name = _server_name(original)
        reading = _Reading(source, cwd, home, entries.inputs)
        if name != original:
            reading.note(f"{source.label} calls it {original!r}")
        try:
            table = reading.table(entry, off=original in entries.off)
        except _UnusableError as why:
            skipped.append(Skipped(visible(original), str(why)))
            continue
        other = taken.setdefault(server_identifier(name).lower(), original)
        if other != original:
            reason = f"it would have the same name in a program as {other!r}; rename one of them there"
            skipped.append(Skipped(visible(original), reason))
            continue
        imported.append(Imported(name, table, tuple(reading.notes)))
    return imported, skipped


class _UnusableError(Exception):
    """Why a server is left out."""


def _server_name(original: str) -> str:
    """A client's name for a server as servers.toml can have it; one that is valid stays."""
    if SERVER_NAME.fullmatch(original):
        return original
    plain = unicodedata.normalize("NFKD", original).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-").lstrip("_-")
    if not name[:1].isalpha():
        name = f"server-{name}".rstrip("-")
    return name[:64]


@dataclass
class _Reading:
    """One server of a file, while it is read."""

    source: Source
    cwd: Path
    home: Path
    inputs: Mapping[str, str]
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def table(self, entry: Any, *, off: bool) -> dict[str, Any]:
        """The server's table. Raises _UnusableError when it can't be one."""
        if not isinstance(entry, dict):
            raise _UnusableError("it should be an object")
        if isinstance(nested := entry.get("command"), dict) and self.source.client == "zed":  # as it was until 2025
            entry = {**entry, **nested, "command": nested.get("path")}
        for key in ("command", "url", "httpUrl", "cwd"):
            if not isinstance(entry.get(key), str | None):
                raise _UnusableError(f"its {key} should be a text")
        table = self._stdio(entry) if _transport(entry, self.source.client) == "stdio" else self._http(entry)
        if (seconds := self._timeout(entry)) is not None:
            table["timeout"] = seconds
        if off or entry.get("disabled") is True or entry.get("enabled") is False:
            table["enabled"] = False
        if tools := _tools(entry):
            table["tools"] = tools
        self._left_behind(entry)
        _check(table)
        return table

    def _stdio(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        arguments = entry.get("args")
        if not isinstance(arguments, list | None):
            raise _UnusableError("its args should be a list")
        command = [self._text(entry["command"], "command"), *(self._text(each, "args") for each in arguments or [])]
        if _is_hub(command):
            raise _UnusableError("it is this hub")
        table: dict[str, Any] = {"command": command}
        env = self._texts(entry.get("env"), "env")
        handed_on = entry.get("env_vars")  # by Codex CLI
        for each in handed_on if isinstance(handed_on, list) else ():
            name = each.get("name") if isinstance(each, dict) else each
            if isinstance(name, str) and _VARIABLE.fullmatch(name):
                env.setdefault(name, f"${{{name}:-}}")
        if env:
            table["env"] = env
        if entry.get("cwd"):
            table["cwd"] = self._folder(self._text(entry["cwd"], "cwd"))
        return table

    def _folder(self, folder: str) -> str:
        if re.match(r"~[^/]", folder):
            raise _UnusableError("its cwd is in another user's home; write it in full")
        relative = not folder.startswith(("~", "${")) and not Path(folder).is_absolute()
        return str(self.cwd / folder) if relative and self.source.scope != "user" else folder

    def _http(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        url = self._text(entry.get("httpUrl") or entry.get("url"), "url")
        untyped = self.source.client == "gemini" and not entry.get("httpUrl") and not entry.get("type")
        if untyped or re.search(r"/sse/?($|[?#])", url):
            self.note("it may speak SSE only, which the hub doesn't; if so, look for its streamable HTTP address")
        headers = self._texts(entry.get("headers"), "headers") | self._texts(entry.get("http_headers"), "http_headers")
        variables = self._texts(entry.get("env_http_headers"), "env_http_headers")
        if token := entry.get("bearer_token_env_var"):
            headers["Authorization"] = f"Bearer {_reference(token, 'bearer_token_env_var')}"
        headers |= {name: _reference(variable, "env_http_headers") for name, variable in variables.items()}
        for name, value in list(headers.items()):
            if not re.fullmatch(r"[!-~]+", name) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
                del headers[name]
                self.note(f"the header {name!r} is left out: it is empty, or not printable ASCII without blanks around")
        return {"url": url, **({"headers": headers} if headers else {})}

    def _timeout(self, entry: Mapping[str, Any]) -> float | None:
        """Seconds for connecting and for a call, which are one thing here."""
        if self.source.client == "codex":
            starting = _seconds(entry.get("startup_timeout_sec"), 1) or _seconds(entry.get("startup_timeout_ms"), 1000)
            calling = _seconds(entry.get("tool_timeout_sec"), 1)
            default = ServerSettings.model_fields["timeout"].default
            seconds = max(starting or 0, calling or default) if starting or calling else None
        elif self.source.client in ("claude-code", "gemini", "zed"):
            seconds = _seconds(entry.get("timeout"), 1 if self.source.client == "zed" else 1000)
        else:
            seconds = None
        if seconds is not None and seconds > LONGEST_TIMEOUT:
            self.note(f"its timeout is cut to {LONGEST_TIMEOUT} seconds")
            seconds = LONGEST_TIMEOUT
        return int(seconds) if seconds is not None and seconds == int(seconds) else seconds

    def _left_behind(self, entry: Mapping[str, Any]) -> None:
        if entry.get("envFile"):
            self.note("its envFile isn't read; put what it sets into env")
        if entry.get("headersHelper"):
            self.note("its headersHelper isn't run; put the headers into headers")
        if entry.get("bearer_token"):
            self.note('its bearer_token isn\'t taken over; add the header Authorization = "Bearer ..." to headers')
        if any(entry.get(key) for key in _OAUTH):
            self.note("the hub doesn't sign in with OAuth; put a token into headers")
        if entry.get("sandboxEnabled"):
            self.note(f"it will run without the sandbox that {self.source.label} gives it")

    def _texts(self, value: Any, key: str) -> dict[str, str]:
        if not isinstance(value, dict | None):
            raise _UnusableError(f"its {key} should be an object")
        return {name: self._text(each, key) for name, each in (value or {}).items() if each is not None}

    def _text(self, value: Any, key: str) -> str:
        """A text, or a number or truth as one, with the client's variables spelt as the hub spells them."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            return str(int(value))  # as JavaScript writes it
        if isinstance(value, int | float):
            try:
                return str(value)
            except ValueError:  # thousands of digits
                raise _UnusableError(f"a number in its {key} is too long") from None
        if not isinstance(value, str):
            raise _UnusableError(f"its {key} should hold texts only")
        if self.source.client in LITERAL:
            for name in _REFERENCE.findall(value):
                self._misread(name)
            return value
        pattern = _BRACES_OR_NAME if self.source.client == "gemini" else _BRACES
        return pattern.sub(self._variable, value)

    def _misread(self, name: str) -> None:
        self.note(
            f"the hub will put the environment variable {name} where {self.source.label} leaves ${{...}} as it is"
        )

    def _variable(self, match: re.Match[str]) -> str:
        if match[2]:
            return f"${{{match[2]}}}"
        kind, _, rest = match[1].partition(":")
        known = {
            **dict.fromkeys(("workspaceFolder", "workspaceRoot", "cwd"), str(self.cwd)),
            **({"CLAUDE_PROJECT_DIR": str(self.cwd)} if self.source.client == "claude-code" else {}),
            "workspaceFolderBasename": self.cwd.name,
            "userHome": str(self.home),
            **dict.fromkeys(("pathSeparator", "/"), "/"),
        }
        if kind in known and (not rest or rest.startswith("-")):
            return known[kind]
        if kind == "env" and _VARIABLE.fullmatch(rest):
            return f"${{{rest}}}"
        if kind == "input" and rest:
            name = re.sub(r"[^A-Za-z0-9]+", "_", rest).strip("_").upper()
            name = name if name[:1].isalpha() else f"INPUT_{name}"
            told = self.inputs.get(rest)
            asked = f", which {self.source.label} asks for" + (f": {visible(told)}" if told else "")
            self.note(f"set the environment variable {name}{asked}")
            return f"${{{name}}}"
        if self.source.client in PREFIXED:
            if reference := _REFERENCE.fullmatch(match[0]):
                self._misread(reference[1])
            else:
                what = f"${{{kind}:...}}" if rest and _VARIABLE.fullmatch(kind) else "${...}"  # perhaps of a secret
                self.note(f"the hub can't fill in {what} as {self.source.label} does; write out what is meant")
        return match[0]


def _transport(entry: Mapping[str, Any], client: str) -> str:
    """How to reach a server: "stdio" or "http"."""
    command, url = entry.get("command"), entry.get("httpUrl") or entry.get("url")
    told = entry.get("type") or entry.get("transport")
    word = re.sub("[-_]", "", told).lower() if isinstance(told, str) else told
    if word == "sse" and not entry.get("httpUrl"):
        raise _UnusableError("it speaks SSE, which the hub doesn't; add its streamable HTTP address, if it has one")
    if word not in (None, "stdio", "local", "http", "streamablehttp", "sse"):
        raise _UnusableError("it has a type that the hub doesn't know; it speaks stdio and streamable HTTP")
    if not command and not url:
        extension = client == "zed" and (entry.get("source") == "extension" or "settings" in entry)
        raise _UnusableError(
            "it comes from a Zed extension, which knows its command; add it with that command"
            if extension
            else "it has neither command nor url"
        )
    if command and url and word is None:
        raise _UnusableError("it has both command and url; take one of them out")
    stdio = word in ("stdio", "local") if word else bool(command)
    if not (command if stdio else url):
        raise _UnusableError("it has a type that needs a " + ("command" if stdio else "url"))
    return "stdio" if stdio else "http"


def _is_hub(command: Iterable[str]) -> bool:
    program, *arguments = (re.split(r"[/\\]", part)[-1] for part in command)
    hub = re.compile(r"mcp_hub(\.exe)?([@=<>~\[].*)?")
    return bool(hub.fullmatch(program)) or ("serve" in arguments and any(map(hub.fullmatch, arguments)))


def _tools(entry: Mapping[str, Any]) -> dict[str, list[str]]:
    """The filter of Gemini CLI or Codex CLI, which goes by whole names."""
    tools = {}
    for ours, theirs in (("allow", ("includeTools", "enabled_tools")), ("deny", ("excludeTools", "disabled_tools"))):
        for key in theirs:
            if (names := entry.get(key)) is not None:
                if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                    raise _UnusableError(f"its {key} should be a list of texts")
                tools[ours] = [glob.escape(name.partition("(")[0]) for name in names]
    return tools


def _reference(variable: Any, key: str) -> str:
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise _UnusableError(f"its {key} should name environment variables")
    return f"${{{variable}}}"


def _seconds(value: Any, unit: int) -> float | None:
    """A time of so many a second, unless it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return None
    return min(value, 10**9) / unit or None


def _check(table: dict[str, Any]) -> None:
    """Raises _UnusableError when servers.toml can't have the table, whatever its variables hold."""
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for text in _strings(table) for c in text):
        raise _UnusableError("it holds a character that can't be written or handed on")
    problem = ""
    for stand_in in ("1", "http://host"):  # what a variable may hold: a part of a URL, or the start of one
        tried = {**table, "url": _REFERENCE.sub(stand_in, table["url"])} if "url" in table else table
        try:
            ServerSettings.model_validate(tried)
            return
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            problem = f"its {''.join(map(str, first['loc'][:1]))} {first['msg'].removeprefix('Value error, ')}"
    raise _UnusableError(problem)


def _strings(value: Any) -> Iterable[str]:
    """Every text in a table, its keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value:
            yield from _strings(each)
            yield from _strings(value[each]) if isinstance(value, dict) else ()
