"""Which servers.toml a command reads and writes, and how: whole or not at all, and still trusted if it was."""

import os
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
    help="The user's servers.toml, or ./servers.toml. Default: ./servers.toml if there is one, else the user's.",
)


def target(config_file: Path | None, scope: str | None) -> Path:
    """The file to write to."""
    files = candidates(config_file)
    if len(files) == 1:
        return files[0]
    user, project = files
    return project if scope == "project" or (scope is None and project.exists()) else user


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
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("isn't UTF-8; save the file as UTF-8.", file=str(path)) from None
    except OSError as error:
        raise ConfigError(f"can't be read: {os.strerror(error.errno or 0)}.", file=str(path)) from None


def change(path: Path, edit: Callable[[str], str], *, create: bool = False) -> None:
    """Change a file's text; what would not be a valid servers.toml isn't written. A trusted file stays trusted."""
    from mcp_hub.config import validate

    there = path.exists()
    text = read(path) if there or not create else ""
    changed = edit(text)
    validate(changed, path)
    trusted = not there or bool(trust_store().trusts(path, path.read_bytes()))
    write(path, changed, trusted=trusted)


def write(path: Path, text: str, *, trusted: bool) -> None:
    """Replace a file's content in one step; one that is new can be read by its user only, for it may hold secrets."""
    path = path.resolve()  # a link stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.touch(mode=0o600)
        fresh.write_bytes(text.encode())
        fresh.chmod(mode)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    if trusted:
        trust_store().trust(path, text.encode())


def trust_store() -> "TrustStore":
    """Which files the user trusts."""
    from mcp_hub.store.trust import TrustStore

    return TrustStore(folders(os.environ).state)
