"""servers.toml and the environment -> frozen, validated settings.

Nothing here starts or connects to anything. `load` decides which files count and merges them; `parse` turns
one file's text into settings and says what is wrong in it by file, line, key and remedy. A value that came
from the environment never appears in an error.
"""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mcp_hub.errors import ConfigError, nearest
from mcp_hub.names import server_identifier
from mcp_hub.sandbox.limits import Limits

FILE_NAME = "servers.toml"
CONFIG_VARIABLE = "MCP_HUB_CONFIG"

PROXY_AND_CERTIFICATES = (
    *(
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
    ),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
)
"""What a child gets besides PATH, HOME and the locale unless `env_pass` says otherwise (issue 1)."""

SERVER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


SECRET_CHARACTERS = 6
"""A shorter value is no secret, and masking it would make texts unreadable."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ToolFilter(_Table):
    """Which of a server's tools exist for the agent, by globs over the server's own tool names."""

    allow: tuple[str, ...] = Field(("*",), description="Globs; a tool must match one of them.")
    deny: tuple[str, ...] = Field((), description="Globs; a tool that matches one is left out. Wins over allow.")


class ServerSettings(_Table):
    """One downstream server: a command to start, or a URL to connect to."""

    command: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        repr=False,
        description="Program and arguments of a stdio server. A relative program with a slash is looked up in cwd.",
    )
    env: dict[str, str] = Field({}, repr=False, description="Environment variables for the command.")
    env_pass: tuple[str, ...] = Field(
        PROXY_AND_CERTIFICATES, description="Variables of the hub's own environment to hand on."
    )
    cwd: str | None = Field(
        None, description="Working directory, relative to the folder of this file. Default: the hub's own."
    )
    url: str | None = Field(None, repr=False, description="Endpoint of a streamable HTTP server.")
    headers: dict[str, str] = Field({}, repr=False, description="HTTP headers for every request to the URL.")
    enabled: bool = Field(True, description="false: the server is kept in the file and left alone.")
    timeout: float = Field(30, gt=0, le=3600, description="Seconds for a connection, and for one tool call.")
    description: str | None = Field(None, description="What the server is for, in a line, as the agent reads it.")
    tools: ToolFilter = ToolFilter()
    _substituted: tuple[str, ...] = PrivateAttr(())

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be repeated in a log or an answer: values of `env`, of `headers`, and of each `${VAR}`."""
        values = (*self.env.values(), *self.headers.values(), *self._substituted)
        return tuple(sorted({value for value in values if len(value) >= SECRET_CHARACTERS}, key=len, reverse=True))

    @field_validator("url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # brackets that don't match, a port that is no number
            usable = False
        if not usable:
            raise ValueError("must be a URL: http:// or https://, a host, and a port from 1 to 65535 if any")
        return url

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not re.fullmatch(r"[!-~]+", name) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
                raise ValueError(f"the header {name!r} must be printable ASCII, without blanks or line ends around it")
        return headers

    @model_validator(mode="after")
    def _command_or_url(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("needs either command or url" if self.command is None else "has both command and url")
        stray = (
            [k for k in ("headers",) if k in self.model_fields_set]
            if self.command
            else [k for k in ("env", "env_pass", "cwd") if k in self.model_fields_set]
        )
        if stray:
            raise ValueError(f"{' and '.join(stray)} can't be used with {'command' if self.command else 'url'}")
        return self

    def fingerprint(self) -> str:
        """What the server is, as a hash: the key of its kept catalog. A changed command or URL changes it."""
        what = [self.command, sorted(self.env.items()), self.cwd, self.url, sorted(self.headers.items())]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


class HubSettings(_Table):
    """`[hub]`: what isn't about one server."""

    limits: Limits = Limits()
    max_message_mib: int = Field(16, ge=1, le=256, description="Largest message a server may send, in MiB.")


class Settings(_Table):
    """servers.toml, whole."""

    servers: dict[str, ServerSettings] = {}
    hub: HubSettings = HubSettings()

    @field_validator("servers")
    @classmethod
    def _names(cls, servers: dict[str, ServerSettings]) -> dict[str, ServerSettings]:
        seen: dict[str, str] = {}
        for name in servers:
            if not SERVER_NAME.fullmatch(name):
                raise _name_error(
                    name,
                    f"the server name {name!r} must start with a letter and hold only letters, digits, '-' and '_'",
                )
            spelling = server_identifier(name).lower()
            if spelling in seen:
                raise _name_error(
                    name,
                    f"the server names {seen[spelling]!r} and {name!r} would be the same name in a program; "
                    "rename one of them",
                )
            seen[spelling] = name
        return servers


def _name_error(name: str, problem: str) -> PydanticCustomError:
    return PydanticCustomError("server_name", "{problem}", {"problem": problem, "server": name})


@dataclass(frozen=True)
class Untrusted:
    """A servers.toml that was found in the working directory and is left alone until somebody trusts it."""

    path: Path
    changed: bool

    @property
    def text(self) -> str:
        why = "has changed since it was trusted" if self.changed else "isn't trusted yet"
        return (
            f"{self.path} was found and left alone, because it {why} and starts commands on this machine. "
            f"Read it, then run: mcp_hub trust {self.path}"
        )


@dataclass(frozen=True)
class Loaded:
    """The settings in force, the files they came from, and a file that was left alone."""

    settings: Settings
    files: tuple[Path, ...]
    untrusted: Untrusted | None = None


def load(
    *,
    named: Path | None,
    environ: Mapping[str, str],
    cwd: Path,
    user_folder: Path,
    trust_of: Callable[[Path, bytes], bool | None],
) -> Loaded:
    """Find, read and merge the files that count.

    `named` (from --config), else the file that $MCP_HUB_CONFIG names, is used alone. Otherwise the project's
    ./servers.toml, if it is trusted, is merged over the user's, server by server and key by key of [hub].
    `trust_of(path, content)` answers True, False (trusted once, changed since) or None (never trusted).

    Raises ConfigError for a named file that isn't there and for whatever is wrong in a file.
    """
    if named is None and environ.get(CONFIG_VARIABLE):
        named = Path(environ[CONFIG_VARIABLE])
    if named is not None:
        path = cwd / named.expanduser()  # clients that set the variable have no shell to do it
        return Loaded(_read(path, environ), (path,))
    files: list[tuple[Path, Settings]] = []
    untrusted = None
    user = user_folder / FILE_NAME
    if user.is_file():
        files.append((user, _read(user, environ)))
    project = cwd / FILE_NAME
    if project.is_file() and project != user:
        content = _bytes(project)
        if trust_of(project, content):
            files.append((project, parse(_decoded(content, project), project, environ)))
        else:
            untrusted = Untrusted(project, changed=trust_of(project, content) is False)
    settings = Settings()
    for path, each in files:
        settings = _merged(settings, each, path)
    return Loaded(settings, tuple(path for path, _ in files), untrusted)


def parse(text: str, path: Path, environ: Mapping[str, str]) -> Settings:
    """One file's text -> settings, `${VAR}` and `${VAR:-default}` expanded, `cwd` made absolute.

    Raises ConfigError naming file, line, key and remedy.
    """
    substituted: dict[str, list[str]] = {}
    expanded = _expand(_tables(text, path), (), text, path, environ, substituted)
    try:
        settings = Settings.model_validate(expanded)
    except ValidationError as error:
        raise _explained(error, text, path) from None
    return settings.model_copy(
        update={
            "servers": {
                name: _anchored(server, path, tuple(substituted.get(name, ())))
                for name, server in settings.servers.items()
            }
        }
    )


def started_by(content: bytes, path: Path) -> dict[str, str]:
    """What a file starts or connects to, server by server, as it is written: nothing is expanded, and what a
    terminal would act on or not show is escaped.

    Raises ConfigError when it isn't TOML.
    """
    servers = _tables(_decoded(content, path), path).get("servers")
    shown = {}
    for name, server in (servers if isinstance(servers, dict) else {}).items():
        if isinstance(server, dict):
            command = server.get("command")
            what = " ".join(map(str, command)) if isinstance(command, list) else str(server.get("url", "nothing"))
            off = "" if server.get("enabled", True) else "  (switched off)"
            shown[_visible(name)] = f"{_visible(what)}{off}"
    return shown


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of servers.toml, for editors that complete it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Settings.model_json_schema(),
        "title": "mcp_hub servers.toml",
    }


def _tables(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.match(r"(.*) \(at line (\d+), column (\d+)\)", str(error))
        what = found[1] if found else str(error).removesuffix(" (at end of document)")
        line = int(found[2]) if found else text.count("\n") + 1
        raise ConfigError(f"this isn't TOML: {what}.", file=str(path), line=line) from None


def _read(path: Path, environ: Mapping[str, str]) -> Settings:
    return parse(_decoded(_bytes(path), path), path, environ)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ConfigError(f"can't be read: {reason}. Check the path.", file=str(path)) from None


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")  # Windows editors put a byte order mark first
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError("isn't UTF-8 here; save the file as UTF-8.", file=str(path), line=line) from None


def _merged(below: Settings, above: Settings, path: Path) -> Settings:
    hub = below.hub.model_dump(exclude_unset=True)
    over = above.hub.model_dump(exclude_unset=True)
    limits = {**hub.get("limits", {}), **over.get("limits", {})}
    servers: dict[str, ServerSettings] = {**below.servers, **above.servers}
    try:
        return Settings.model_validate(
            {"servers": servers, "hub": {**hub, **over, **({"limits": limits} if limits else {})}}
        )
    except ValidationError as error:
        raise ConfigError(_problem(error.errors()[0]), file=str(path)) from None


def _anchored(server: ServerSettings, path: Path, substituted: tuple[str, ...]) -> ServerSettings:
    anchored = {} if server.cwd is None else {"cwd": str((path.parent / Path(server.cwd).expanduser()).resolve())}
    placed = server.model_copy(update=anchored)
    placed._substituted = substituted
    return placed


_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _expand(
    value: Any,
    at: tuple[str, ...],
    text: str,
    path: Path,
    environ: Mapping[str, str],
    substituted: dict[str, list[str]],
) -> Any:
    """`value` with every `${VAR}` replaced; what a server's were replaced by is added to `substituted`."""
    if isinstance(value, dict):
        if len(at) == 2 and at[0] == "servers" and value.get("enabled") is False:
            return value  # a server that is switched off may refer to what isn't set
        return {key: _expand(each, (*at, key), text, path, environ, substituted) for key, each in value.items()}
    if isinstance(value, list):
        return [_expand(each, at, text, path, environ, substituted) for each in value]
    if not isinstance(value, str):
        return value

    def substitute(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        found = environ.get(name)
        if found or (found is not None and default is None):
            if len(at) > 1 and at[0] == "servers":
                substituted.setdefault(at[1], []).append(found)
            return found
        if default is not None:
            return default
        raise ConfigError(
            f"the environment variable {name} isn't set. Set it, or give a default: ${{{name}:-...}}",
            file=str(path),
            line=line_of(text, at),
            key=".".join(at),
        )

    return _REFERENCE.sub(substitute, value)


def _explained(error: ValidationError, text: str, path: Path) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    at = tuple(part for part in first["loc"] if isinstance(part, str))
    if first["type"] == "server_name":
        at = (*at, first["ctx"]["server"])
    return ConfigError(_problem(first), file=str(path), line=line_of(text, at), key=".".join(at))


def _problem(first: Mapping[str, Any]) -> str:
    at = tuple(part for part in first["loc"] if isinstance(part, str))
    if first["type"] == "extra_forbidden":
        known = _known_keys(at[:-1])
        near = nearest(at[-1], known, count=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}."
        return f"unknown key {at[-1]!r}. {hint}"
    message = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if first["type"] == "too_short":
        message = "can't be empty"
    message = message.replace("a valid tuple", "a list").replace("a valid dictionary", "a table")
    message = re.sub(r" or instance of \w+", "", message)
    return message[0].lower() + message[1:].rstrip(".") + "."


def _known_keys(at: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in at:
        if model is Settings and part == "servers":
            continue
        field = model.model_fields.get(part)
        if field is None:
            model = ServerSettings
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return list(model.model_fields)


_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")


def line_of(text: str, at: tuple[str, ...]) -> int | None:
    """The line (from 1) where the key path `at`, or the deepest part of it, stands in a TOML text.

    tomllib keeps no positions. Table headers and keys at a line's start are what people write; a key inside
    an inline table is found by the line of the table.
    """
    best: tuple[int, int | None] = (0, None)
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = here = _dotted(header[1])
        elif key := _KEY.match(line):
            here = (*table, *_dotted(key[1]))
        else:
            continue
        depth = min(len(here), len(at))
        if here[:depth] == at[:depth] and depth > best[0]:
            best = (depth, number)
    return best[1]


def _dotted(path: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", path))
