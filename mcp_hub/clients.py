"""Where other MCP clients keep their servers: the files, and the keys in them.

Pure: a file's text comes in. What a server's entry says is `importing`'s to read.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import json5

from mcp_hub.config import tables, visible
from mcp_hub.errors import ConfigError

CLIENTS = {
    "claude-code": "Claude Code",
    "claude-desktop": "Claude Desktop",
    "cursor": "Cursor",
    "vscode": "VS Code",
    "codex": "Codex CLI",
    "gemini": "Gemini CLI",
    "zed": "Zed",
}
"""`Source.client`, and what people call it."""

WITH_COMMENTS = frozenset({"cursor", "vscode", "gemini", "zed"})
"""Whose JSON may have comments and trailing commas. The tolerant parser is too slow for a big ~/.claude.json."""


@dataclass(frozen=True)
class Source:
    """A file in which a client keeps servers; `scope` is "project", "local" (yours, in this project) or "user"."""

    client: str
    path: Path
    scope: str

    @property
    def label(self) -> str:
        return CLIENTS[self.client]


@dataclass(frozen=True)
class Entries:
    """The servers of a file as it has them, of any type; `off` are those switched off outside their entries."""

    servers: dict[str, Any]
    off: frozenset[str]
    inputs: dict[str, str]
    """What VS Code asks for, by id, with the descriptions."""


def known_sources(home: Path, cwd: Path, platform: str) -> list[Source]:
    """Where each client keeps its servers on `platform` (as in sys.platform), whether or not the files exist."""
    mac = platform == "darwin"
    applications = home / "Library" / "Application Support" if mac else home / ".config"
    code = applications / "Code" / "User"
    sources = [
        Source("claude-code", cwd / ".mcp.json", "project"),
        Source("claude-code", home / ".claude.json", "local"),
        Source("claude-code", home / ".claude.json", "user"),
        Source("claude-desktop", applications / "Claude" / "claude_desktop_config.json", "user"),
        Source("cursor", cwd / ".cursor" / "mcp.json", "project"),
        Source("cursor", home / ".cursor" / "mcp.json", "user"),
        Source("vscode", cwd / ".vscode" / "mcp.json", "project"),
        Source("vscode", code / "mcp.json", "user"),
        Source("vscode", code / "settings.json", "user"),
        Source("codex", cwd / ".codex" / "config.toml", "project"),
        Source("codex", home / ".codex" / "config.toml", "user"),
        Source("gemini", cwd / ".gemini" / "settings.json", "project"),
        Source("gemini", home / ".gemini" / "settings.json", "user"),
        Source("zed", cwd / ".zed" / "settings.json", "project"),
        Source("zed", home / ".config" / "zed" / "settings.json", "user"),
    ]
    users = {source.path for source in sources if source.scope == "user"}
    return [source for source in sources if source.scope != "project" or source.path not in users]


def read_entries(text: str, source: Source, *, cwd: Path) -> Entries:
    """The entries of the servers in a client's file; `cwd` is the project's folder. An empty file has none.

    Raises ConfigError when the text isn't JSON (TOML for Codex CLI), with the line, and when there is something
    else where the servers should be.
    """
    body = text.removeprefix("\ufeff")
    try:
        document = _parsed(body, source) if body.strip() else {}
    except RecursionError:
        raise ConfigError("is nested too deeply to be read.", file=str(source.path)) from None
    if not isinstance(document, dict):
        raise ConfigError("should hold an object.", file=str(source.path))
    return Entries(_servers(document, source, cwd), _switched_off(document, source, cwd), _inputs(document))


def _parsed(body: str, source: Source) -> Any:
    path = source.path
    if source.client == "codex":
        return tables(body, path)
    try:
        return json.loads(body)
    except ValueError as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else "a number can't be read"
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
    if source.client in WITH_COMMENTS:
        try:
            return json5.loads(body)
        except ValueError as error:
            found = re.fullmatch(r"<string>:(\d+) (.*)", str(error), re.DOTALL)
            problem, line = (found[2], int(found[1])) if found else (problem, line)
    raise ConfigError(f"this isn't JSON: {visible(problem)}.", file=str(path), line=line)


def _servers(document: dict[str, Any], source: Source, cwd: Path) -> dict[str, Any]:
    keys: tuple[str, ...] = ("mcpServers",)
    if source.scope == "local":
        keys = ("projects", str(cwd), "mcpServers")
    elif source.client == "vscode":
        keys = ("mcp", "servers") if source.path.name == "settings.json" else ("servers",)
    elif source.client in ("codex", "zed"):
        keys = ("mcp_servers",) if source.client == "codex" else ("context_servers",)
    found = document
    for number, key in enumerate(keys, start=1):
        inner = {} if found.get(key) is None else found[key]
        if not isinstance(inner, dict):
            raise ConfigError("should be an object.", file=str(source.path), key=".".join(keys[:number]))
        found = inner
    return found


def _inputs(document: Any) -> dict[str, str]:
    listed = [each for holder in (document, document.get("mcp")) for each in _items(_get(holder, "inputs"))]
    told = {_get(each, "id"): _get(each, "description") for each in listed if isinstance(_get(each, "id"), str)}
    return {str(key): value if isinstance(value, str) else "" for key, value in told.items()}


def _switched_off(document: Any, source: Source, cwd: Path) -> frozenset[str]:
    names: Any = None
    if source.client == "claude-code" and source.scope != "project":
        names = _get(_get(_get(document, "projects"), str(cwd)), "disabledMcpServers")
    elif source.client == "gemini":
        names = _get(_get(document, "mcp"), "excluded")
    return frozenset(name for name in _items(names) if isinstance(name, str))


def _get(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, dict) else None


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
