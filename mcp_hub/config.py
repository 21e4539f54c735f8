"""servers.toml and the environment -> frozen, validated settings.

Nothing here starts or connects to anything. `load` decides which files count and merges them; `parse` turns
one file's text into settings and says what is wrong in it by file, line, key and remedy. A value that came
from the environment never appears in an error.
"""

import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from mcp_hub.errors import ConfigError, nearest
from mcp_hub.folders import at_home
from mcp_hub.places import Place, keys_of, line_of
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.settings import HubSettings, PolicySettings, ServerSettings, Settings

FILE_NAME = "servers.toml"
CONFIG_VARIABLE = "MCP_HUB_CONFIG"


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
    parts: tuple[tuple[Path, Settings], ...] = ()
    """Each file's settings before they were merged."""

    @property
    def policies(self) -> tuple[tuple[Path, PolicySettings], ...]:
        """Each file's own policy: they aren't merged, so a project's can't loosen the user's."""
        return tuple((path, part.policy) for path, part in self.parts if "policy" in part.model_fields_set)

    def fingerprint(self, environ: Mapping[str, str]) -> str:
        """What is configured, as a hash, with every value of the environment that it names.

        Two hubs of the same files and variables have the same.
        """
        told = self.settings.model_dump_json(exclude={"hub": {"http"}, "proxy": True}, exclude_unset=True)
        policies = [policy.model_dump_json(exclude_unset=True) for _, policy in self.policies]
        passed = [
            f"{key}={environ.get(key)}"
            for server in self.settings.servers.values()
            if "env_pass" in server.model_fields_set  # those for proxies and certificates differ harmlessly
            for key in server.env_pass
        ]
        return hashlib.sha256("\0".join([told, *policies, *map(str, self.files), *passed]).encode()).hexdigest()


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
    ./servers.toml, if it is trusted, is merged over the user's, server by server and key by key of [hub]; its
    [proxy] takes the place of the user's.
    `trust_of(path, content)` answers True, False (trusted once, changed since) or None (never trusted).

    Raises ConfigError for a named file that isn't there and for whatever is wrong in a file.
    """
    candidates = candidate_files(named, environ, cwd, user_folder)
    if len(candidates) == 1:
        return combined([(candidates[0], _read(candidates[0], environ))], None)
    files = []
    untrusted = None
    user, project = candidates
    if user.is_file():
        files.append((user, _read(user, environ)))
    if project.is_file() and project != user:
        content = _bytes(project)
        if trust_of(project, content):
            files.append((project, parse(_decoded(content, project), project, environ)))
        else:
            untrusted = Untrusted(project, changed=trust_of(project, content) is False)
    return combined(files, untrusted)


def candidate_files(named: Path | None, environ: Mapping[str, str], cwd: Path, user_folder: Path) -> list[Path]:
    """The one file that --config or $MCP_HUB_CONFIG names; or else the user's and the project's, there or not.

    Raises ConfigError for a home that is nobody's.
    """
    if named is None and environ.get(CONFIG_VARIABLE):
        named = Path(environ[CONFIG_VARIABLE])
    if named is not None:
        return [cwd / at_home(named)]  # clients that set the variable have no shell to do it
    return [user_folder / FILE_NAME, cwd / FILE_NAME]


def combined(parts: Sequence[tuple[Path, Settings]], untrusted: Untrusted | None) -> Loaded:
    """The settings of several files, later ones over earlier ones. Raises ConfigError for names that collide."""
    settings = Settings()
    for path, each in parts:
        settings = _merged(settings, each, path)
    return Loaded(settings, tuple(path for path, _ in parts), untrusted, tuple(parts))


def parse(text: str, path: Path, environ: Mapping[str, str]) -> Settings:
    """One file's text -> settings, `${VAR}` and `${VAR:-default}` expanded, folders made absolute.

    Raises ConfigError naming file, line, key and remedy.
    """
    substituted: dict[str, list[str]] = {}
    expanded = _expand(tables(text, path), (), text, path, environ, substituted)
    try:
        settings = Settings.model_validate(expanded)
    except ValidationError as error:
        raise _explained(error, text, path) from None
    update: dict[str, Any] = {
        "servers": {
            name: _anchored(server, path, tuple(substituted.get(name, ()))) for name, server in settings.servers.items()
        },
        "hub": _with_scripts(settings.hub, path),
    }
    if "proxy" in settings.model_fields_set:
        update["proxy"] = _with_credentials(settings.proxy, path)
    return settings.model_copy(update=update)


def validate(text: str, path: Path) -> None:
    """Raises ConfigError for whatever is wrong in a file's text, but for variables that aren't set."""
    text = re.sub(rf"""(\burl["']?\s*=\s*["']){_REFERENCE.pattern}""", r"\1http://variable", text)
    parse(text, path, {found[1]: "1" for found in _REFERENCE.finditer(text)})  # fits a text, a number, a port


def started_by(content: bytes, path: Path) -> dict[str, str]:
    """What a file starts or connects to, server by server, as it is written: nothing is expanded, and what a
    terminal would act on or not show is escaped.

    Raises ConfigError when it isn't TOML.
    """
    servers = tables(_decoded(content, path), path).get("servers")
    shown = {}
    for name, server in (servers if isinstance(servers, dict) else {}).items():
        if isinstance(server, dict):
            command = server.get("command")
            what = " ".join(map(str, command)) if isinstance(command, list) else str(server.get("url", "nothing"))
            off = "" if server.get("enabled", True) else "  (switched off)"
            shown[visible(name)] = f"{visible(what)}{off}"
    return shown


def visible(text: str) -> str:
    """`text` with what a terminal would act on, or not show, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of servers.toml, for editors that complete it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Settings.model_json_schema(),
        "title": "mcp_hub servers.toml",
    }


def tables(text: str, path: Path) -> dict[str, Any]:
    """A TOML text as data. Raises ConfigError with the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.match(r"(.*) \(at line (\d+), column (\d+)\)", str(error))
        what = found[1] if found else str(error).removesuffix(" (at end of document)")
        line = int(found[2]) if found else text.count("\n") + 1
        raise ConfigError(f"this isn't TOML: {what}.", file=str(path), line=line) from None
    except RecursionError:
        raise ConfigError("is nested too deeply to be read.", file=str(path)) from None
    except ValueError:  # a whole number of thousands of digits
        raise ConfigError("holds a number that can't be read.", file=str(path)) from None


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
    for key, value in above.hub.model_dump(exclude_unset=True).items():
        hub[key] = {**hub.get(key, {}), **value} if isinstance(value, dict) else value
    servers: dict[str, ServerSettings] = {**below.servers, **above.servers}
    proxy = above.proxy if "proxy" in above.model_fields_set else below.proxy
    try:
        return Settings.model_validate({"servers": servers, "hub": hub, "proxy": proxy})
    except ValidationError as error:
        raise ConfigError(_problem(error.errors()[0]), file=str(path)) from None


def _anchored(server: ServerSettings, path: Path, substituted: tuple[str, ...]) -> ServerSettings:
    anchored = {} if server.cwd is None else {"cwd": _from(path, server.cwd)}
    placed = server.model_copy(update=anchored)
    placed._substituted = substituted
    return placed


def _with_scripts(hub: HubSettings, path: Path) -> HubSettings:
    return hub if hub.scripts is None else hub.model_copy(update={"scripts": _from(path, hub.scripts)})


def _with_credentials(proxy: ProxySettings, path: Path) -> ProxySettings:
    upstreams = [
        each.model_copy(update={"credential_file": _from(path, each.credential_file)}) if each.credential_file else each
        for each in proxy.upstreams
    ]
    return proxy.model_copy(update={"upstreams": tuple(upstreams)})


def _from(path: Path, folder: str) -> str:
    """A file or folder that the file at `path` names, relative to its own."""
    return str((path.parent / Path(folder).expanduser()).resolve())


NEEDED_LATER = (
    ("hub", "http", "tokens"),
    ("proxy", "keys", "key"),
    ("proxy", "upstreams", "credential"),
    ("proxy", "metrics_token"),
)
"""What only `serve --http` or the proxy needs, which say what is empty; the hub starts without them."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _expand(
    value: Any,
    at: Place,
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
        return [_expand(each, (*at, number), text, path, environ, substituted) for number, each in enumerate(value)]
    if not isinstance(value, str):
        return value

    def substitute(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        found = environ.get(name)
        if found or (found is not None and default is None):
            if len(at) > 1 and at[0] == "servers":
                substituted.setdefault(str(at[1]), []).append(found)
            return found
        if default is not None:
            return default
        if keys_of(at)[:3] in NEEDED_LATER:
            return ""
        raise ConfigError(
            f"the environment variable {name} isn't set. Set it, or give a default: ${{{name}:-...}}",
            file=str(path),
            line=line_of(text, at),
            key=".".join(keys_of(at)),
        )

    return _REFERENCE.sub(substitute, value)


def _explained(error: ValidationError, text: str, path: Path) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    at: Place = tuple(first["loc"])
    if first["type"] == "problem_at":
        at = (*at, *first["ctx"]["at"])
    return ConfigError(_problem(first), file=str(path), line=line_of(text, at), key=".".join(keys_of(at)))


def _problem(first: Mapping[str, Any]) -> str:
    at = keys_of(first["loc"])
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
    here: Any = Settings
    for part in at:
        here = _inside(here.model_fields[part].annotation if hasattr(here, "model_fields") else get_args(here)[1])
    return list(here.model_fields)


def _inside(annotation: Any) -> Any:
    """What one value of `X | None`, or one of a list of X, is."""
    while not hasattr(annotation, "model_fields") and get_origin(annotation) is not dict:
        annotation = get_args(annotation)[0]
    return annotation
