"""The settings as frozen, validated values: what a servers.toml may say, key by key.

Pure. `config` reads them from files; every other part is handed the piece that it acts on.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Annotated, Literal, NoReturn, Self, get_args

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from mcp_hub.errors import nearest
from mcp_hub.names import server_identifier
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.sandbox.limits import Limits
from mcp_hub.table import NO_URL, Table, checked_path, is_url, problem_at

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


class ToolFilter(Table):
    """Which of a server's tools exist for the agent, by globs over the server's own tool names."""

    allow: tuple[str, ...] = Field(("*",), description="Globs; a tool must match one of them.")
    deny: tuple[str, ...] = Field((), description="Globs; a tool that matches one is left out. Wins over allow.")


LONGEST_CACHE = 24 * 3600
"""Seconds that a result may be remembered: what is older than a day is hardly what a tool would say now."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smh])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class CacheRule:
    """For how long results of the tools that fit a glob are remembered; 0: not at all."""

    tool: str
    seconds: float


def _cache_rules(value: object) -> object:
    """A duration for all tools, or a table of globs and durations -> the rules."""
    if isinstance(value, str):
        return (CacheRule("*", _duration(value)),)
    if not isinstance(value, dict):
        return _no_duration()
    if "" in value:
        raise problem_at("a glob over tool names can't be empty")
    return tuple(CacheRule(glob, _duration(text, glob)) for glob, text in value.items())


def _duration(text: object, *at: str) -> float:
    """`60s`, `1.5m` or `24h` -> seconds. Raises what is wrong with it, at its place."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return _no_duration(*at)
    seconds = float(found[1]) * _UNIT_SECONDS[found[2]]
    if seconds > LONGEST_CACHE:
        raise problem_at("is too long; nothing is remembered for more than 24h", *at)
    return seconds


def _no_duration(*at: str) -> NoReturn:
    or_table = "" if at else ', or a table of them by tool, such as { "get_*" = "5m" }'
    raise problem_at(f'must be a duration: a number with s, m or h, such as "60s"{or_table}', *at)


class ServerSettings(Table):
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
    idle_stop: float | None = Field(
        None, ge=0, description="Seconds without a call until it is stopped; 0: never. Default: hub.idle_stop."
    )
    tools: ToolFilter = ToolFilter()
    cache: Annotated[
        tuple[CacheRule, ...],
        BeforeValidator(_cache_rules),
        WithJsonSchema(
            {
                "anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}],
                "examples": ["60s", {"search_*": "5m", "get_user": "60s"}],
            }
        ),
    ] = Field(
        (),
        description="For how long results of read-only tools are remembered, such as 60s, 5m, 24h; or a table of "
        "globs over tool names with such durations, of which the most specific decides. Default: not at all.",
    )
    redact: tuple[str, ...] = Field(
        (),
        description="TOOL.ARGUMENT globs: values of these arguments aren't written to the journal. Without a further "
        "dot ARGUMENT holds at any depth, with one it is a path, such as create_user.profile.phone.",
    )
    _substituted: tuple[str, ...] = PrivateAttr(())

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be repeated in a log or an answer: values of `env`, of `headers`, and of each `${VAR}`."""
        values = (*self.env.values(), *self.headers.values(), *self._substituted)
        return tuple(sorted({value for value in values if len(value) >= SECRET_CHARACTERS}, key=len, reverse=True))

    @field_validator("url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and "${" not in url and not is_url(url):
            raise ValueError(NO_URL)
        return url

    @field_validator("cwd")
    @classmethod
    def _reachable(cls, cwd: str | None) -> str | None:
        return None if cwd is None else checked_path(cwd)

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not re.fullmatch(r"[!-~]+", name) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
                raise ValueError(f"the header {name!r} must be printable ASCII, without blanks or line ends around it")
        return headers

    @field_validator("redact")
    @classmethod
    def _tool_and_argument(cls, redact: tuple[str, ...]) -> tuple[str, ...]:
        for text in redact:
            tool, _, argument = text.partition(".")
            if not tool or not argument:
                raise ValueError(f"{text!r} must be TOOL.ARGUMENT, such as 'create_secret.value' or '*.body'")
        return redact

    @model_validator(mode="after")
    def _command_or_url(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("needs either command or url" if self.command is None else "has both command and url")
        stray = (
            [k for k in ("headers",) if k in self.model_fields_set]
            if self.command
            else [k for k in ("env", "env_pass", "cwd") if k in self.model_fields_set]
        )
        if self.enabled and self.url is not None and not is_url(self.url):
            raise ValueError(NO_URL)  # in a server that is switched off, variables aren't read
        if stray:
            raise ValueError(f"{' and '.join(stray)} can't be used with {'command' if self.command else 'url'}")
        return self

    def same_connection(self, other: Self) -> bool:
        """Whether a running server is what `other` asks for too.

        What the agent reads of it may differ, and idle_stop, and what is redacted or remembered.
        """
        told = {"description", "tools", "enabled", "idle_stop", "redact", "cache"}
        return self.model_dump(exclude=told) == other.model_dump(exclude=told)

    def fingerprint(self) -> str:
        """What the server is, as a hash: the key of its kept catalog. A changed command or URL changes it."""
        what = [self.command, sorted(self.env.items()), self.cwd, self.url, sorted(self.headers.items())]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


class HttpSettings(Table):
    """`[hub.http]`: who may connect to `serve --http`, and under which names."""

    tokens: dict[str, str] = Field(
        {}, repr=False, description='Client name = bearer token, such as laptop = "${LAPTOP_TOKEN}".'
    )
    hosts: tuple[str, ...] = Field((), description="Host names that clients may use beside the one listened on.")
    origins: tuple[str, ...] = Field((), description="Origins of web pages that may connect, with scheme and port.")


class JournalSettings(Table):
    """`[hub.journal]`: what is kept of each run, for `mcp_hub runs` and for resuming."""

    enabled: bool = Field(True, description="false: nothing is kept of runs, so none can be shown or resumed.")
    keep_days: int = Field(14, ge=1, le=3650, description="Days until a run is forgotten.")
    max_mib: int = Field(
        256, ge=1, le=65_536, description="MiB that all runs may take together; the oldest are forgotten first."
    )
    result_kib: int = Field(
        1024, ge=0, le=65_536, description="KiB of a call's result; a larger one isn't kept, so resuming calls again."
    )


class HubSettings(Table):
    """`[hub]`: what isn't about one server."""

    limits: Limits = Limits()
    http: HttpSettings = HttpSettings()
    journal: JournalSettings = JournalSettings()
    scripts: str | None = Field(
        None,
        min_length=1,
        description="Folder of the shared scripts that programs load, relative to the folder of this file.",
    )
    max_message_mib: int = Field(16, ge=1, le=256, description="Largest message a server may send, in MiB.")
    idle_stop: float = Field(
        0, ge=0, description="Seconds without a call until a server is stopped; its next call starts it. 0: never."
    )
    learn_shapes: bool = Field(
        True,
        description="Learn from results which keys and types tools without an output schema give back, and show it.",
    )

    @field_validator("scripts")
    @classmethod
    def _reachable(cls, scripts: str | None) -> str | None:
        return None if scripts is None else checked_path(scripts)


Annotation = Literal["readOnly", "destructive", "openWorld", "unannotated"]


@dataclass(frozen=True)
class Rule:
    """One entry of `[policy]`: globs over server and tool names, and an annotation if it names one."""

    server: str
    tool: str
    annotation: Annotation | None
    text: str
    """As it is written in servers.toml."""

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """`server.tool`, `server.tool@annotation` or `@annotation`; globs in both names. Raises ValueError."""
        names, at, annotation = text.partition("@")
        known = get_args(Annotation)
        if at and annotation not in known:
            near = nearest(annotation, known, count=1)
            hint = f"did you mean '@{near[0]}'?" if near else f"known are @{', @'.join(known)}"
            raise ValueError(f"{text!r}: there is no annotation {annotation!r}; {hint}")
        server, _, tool = (names or ("*.*" if at else "")).partition(".")
        if not server or not tool:
            example = f"{names.strip('.')}.*" if names.strip(".") else "github.delete_*"
            raise ValueError(
                f"{text!r} must be SERVER.TOOL, such as {example!r}, or an annotation, such as '@destructive'"
            )
        return cls(server, tool, annotation or None, text)  # type: ignore[arg-type]  # checked above


def _rule(value: object) -> object:
    return Rule.parse(value) if isinstance(value, str) else value


PolicyRule = Annotated[
    Rule,
    BeforeValidator(_rule),
    WithJsonSchema({"type": "string", "examples": ["github.delete_*", "@destructive", "github.*@destructive"]}),
]


class PolicySettings(Table):
    """`[policy]`: which tools may be called, whoever asks. The most specific rule decides (docs/policy.md)."""

    mode: Literal["open", "read-only"] = Field(
        "open", description="What holds where no rule does: every tool, or only those annotated as read-only."
    )
    allow: tuple[PolicyRule, ...] = Field(
        (), description="SERVER.TOOL globs, @annotations, or both: SERVER.TOOL@annotation."
    )
    deny: tuple[PolicyRule, ...] = Field((), description="The same; wins over an equally specific rule of allow.")


class Settings(Table):
    """servers.toml, whole."""

    servers: dict[str, ServerSettings] = Field({}, description="The downstream servers, by name.")
    hub: HubSettings = HubSettings()
    policy: PolicySettings = PolicySettings()
    proxy: ProxySettings = ProxySettings()

    @field_validator("servers")
    @classmethod
    def _names(cls, servers: dict[str, ServerSettings]) -> dict[str, ServerSettings]:
        seen: dict[str, str] = {}
        for name in servers:
            if not SERVER_NAME.fullmatch(name):
                raise problem_at(
                    f"the server name {name!r} must start with a letter and hold only letters, digits, '-' and '_'",
                    name,
                )
            spelling = server_identifier(name).lower()
            if spelling in seen:
                raise problem_at(
                    f"the server names {seen[spelling]!r} and {name!r} would be the same name in a program; "
                    "rename one of them",
                    name,
                )
            seen[spelling] = name
        return servers
