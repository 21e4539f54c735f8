"""Which servers.toml a command reads and writes, and how: whole or not at all, and still trusted if it was."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_hub.errors import ConfigError, nearest
from mcp_hub.folders import folders

if TYPE_CHECKING:
    from mcp_hub.store.trust import TrustStore

scope_option = click.option(
    "--scope",
    type=click.Choice(["user", "project"]),
    help="The user's servers.toml, or ./servers.toml. Default: ./servers.toml if it is trusted, else the user's.",
)


def target(config_file: Path | None, scope: str | None) -> Path:
    """The file to write to: what somebody else may have put into the working directory isn't, unless it is trusted."""
    files = candidates(config_file)
    if len(files) == 1:
        return files[0]
    user, project = files
    if scope is None and project.exists() and trust_store().trusts(project, project.read_bytes()):
        return project
    return project if scope == "project" else user


def holding(name: str, config_file: Path | None) -> Path:
    """The file that has the server, the project's first. Raises ConfigError."""
    from mcp_hub.edit import server_names

    known: list[str] = []
    files = candidates(config_file)
    for path in reversed(files):
        if path.exists():
            names = server_names(read(path), path=path)
            if name in names:
                return path
            known += names
    near = nearest(name, known)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ConfigError(f"There is no server {name!r} in {' or '.join(map(str, files))}.{hint}")


def candidates(config_file: Path | None) -> list[Path]:
    """The one file that is named; or else the user's and the project's, there or not."""
    from mcp_hub.config import candidate_files

    return candidate_files(config_file, os.environ, Path.cwd(), folders(os.environ).config)


def read(path: Path) -> str:
    """A file's text. Raises ConfigError."""
    return _decoded(read_bytes(path), path)


def change(path: Path, edit: Callable[[str], str], *, create: bool = False) -> None:
    """Change a file's text; what would not be a valid servers.toml isn't written. A trusted file stays trusted."""
    from mcp_hub.config import validate

    there = path.exists() or not create
    content = read_bytes(path) if there else b""
    changed = edit(_decoded(content, path))
    validate(changed, path)
    write(path, changed, trusted=not there or bool(trust_store().trusts(path, content)))


def write(path: Path, text: str, *, trusted: bool) -> None:
    """Replace a file's content in one step; one that is new can be read by its user only, for it may hold secrets."""
    real = path.resolve()  # a link stays a link
    real.parent.mkdir(parents=True, exist_ok=True)
    mode = real.stat().st_mode & 0o777 if real.exists() else 0o600
    descriptor, fresh = tempfile.mkstemp(prefix=".servers-", suffix=".toml", dir=real.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        Path(fresh).chmod(mode)
        Path(fresh).replace(real)
    finally:
        Path(fresh).unlink(missing_ok=True)
    if trusted:
        trust_store().trust(path, text.encode())


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises ConfigError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't be read: {os.strerror(error.errno or 0)}.", file=str(path)) from None


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("isn't UTF-8; save the file as UTF-8.", file=str(path)) from None


def trust_store() -> "TrustStore":
    """Which files the user trusts."""
    from mcp_hub.store.trust import TrustStore

    return TrustStore(folders(os.environ).state)
