"""Installs the real servers of catalogs.toml and lists their tools, each once: kept in a folder, started with the SDK.

Owns that folder: ROOT/npm, a virtual environment for each PyPI server in ROOT/venvs, ROOT/work with what their commands
need, ROOT/listed with what they listed. `python -m bench.servers [--root FOLDER]` installs and lists all of them.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from bench.processes import BenchError, tail
from bench.running import Progress

CATALOGS = Path(__file__).with_name("catalogs.toml")
FOLDER = Path(__file__).resolve().parents[1] / "build" / "servers"

SIZES = (96, 251, 508)
"""The nested catalogs, by the tools in them."""

INSTALL_WAIT = 600.0
"""Seconds for one installation; the largest takes about one minute."""
LIST_WAIT = 60.0
"""Seconds from a server's start to its whole list; the slowest takes some ten."""

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: none, user: {}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
"""
"""The Kubernetes server ends without an active cluster; this one is never reached."""

Say = Callable[[str], None]
RawTool = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One server of catalogs.toml."""

    name: str
    catalog: int
    tools: int
    registry: str
    package: str
    version: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    pins: list[str] = field(default_factory=list)
    calls_work: bool = False

    @property
    def requirement(self) -> str:
        """The package with its version, as the registry's client takes it."""
        return f"{self.package}{'@' if self.registry == 'npm' else '=='}{self.version}"

    @property
    def stamp(self) -> str:
        """What the stamp of a finished installation says."""
        return " ".join([self.registry, self.requirement, *self.pins])


@dataclass(frozen=True)
class Failure:
    """A server that can't be used, and why."""

    server: str
    why: str


def entries(path: Path = CATALOGS) -> list[Entry]:
    """The servers of catalogs.toml, in its order."""
    with path.open("rb") as file:
        return [Entry(**each) for each in tomllib.load(file)["server"]]


def in_catalog(every: Iterable[Entry], size: int) -> list[Entry]:
    """The servers of the catalog with `size` tools; the catalogs are nested."""
    return [entry for entry in every if entry.catalog <= size]


def install(every: Sequence[Entry], root: Path, say: Say) -> list[Failure]:
    """Install what isn't yet installed in `root`; the servers that failed.

    Raises BenchError when a program that installs is missing.
    """
    for program in ("npm", "git"):
        if shutil.which(program) is None:
            raise BenchError(f"{program} is missing, and the real servers need it; install it and run again.")
    _prepare_work(root)
    missing = [entry for entry in every if not _is_installed(entry, root)]
    packages = [entry for entry in missing if entry.registry == "npm"]
    failures = _install_npm(packages, root, say) if packages else []
    for entry in missing:
        if entry.registry == "npm":
            continue
        say(f"installing {entry.name} ({entry.requirement})")
        venv = root / "venvs" / entry.name
        why = _run([sys.executable, "-m", "venv", "--clear", str(venv)], root) or _run(
            [str(venv / "bin" / "pip"), "install", "-q", entry.requirement, *entry.pins], root
        )
        failures += _finished(entry, root, why)
    return failures


async def listed(every: Sequence[Entry], root: Path, say: Say) -> tuple[dict[str, list[RawTool]], list[Failure]]:
    """Each server's tools as it lists them, and the servers that didn't, or listed another number of tools.

    A list is kept in `root`/listed and read from there when the same version was listed before.
    """
    found: dict[str, list[RawTool]] = {}
    failures = []
    for entry in every:
        kept = root / "listed" / f"{entry.name}.json"
        tools = _kept(kept, entry)
        if tools is None:
            say(f"listing the tools of {entry.name}")
            try:
                tools = await _list(entry, root)
            except BenchError as error:
                failures.append(Failure(entry.name, str(error)))
                continue
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps({"stamp": entry.stamp, "tools": tools}, indent=1) + "\n")
        if len(tools) != entry.tools:
            why = f"listed {len(tools)} tools, and catalogs.toml says {entry.tools}; correct it or remove {kept}."
            failures.append(Failure(entry.name, why))
            continue
        found[entry.name] = tools
    return found, failures


def _prepare_work(root: Path) -> None:
    repository = root / "work" / "repo"
    if (repository / ".git").exists():
        return
    repository.mkdir(parents=True, exist_ok=True)
    (repository / "README.md").write_text("A repository for the git server.\n")
    (root / "work" / "kubeconfig").write_text(KUBECONFIG)
    author = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
    for arguments in (["init", "-q"], ["add", "README.md"], [*author, "commit", "-q", "-m", "First"]):
        if why := _run(["git", *arguments], repository):
            raise BenchError(f"git could not make {repository}: {why}")


def _install_npm(packages: Sequence[Entry], root: Path, say: Say) -> list[Failure]:
    folder = root / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "package.json").exists():
        (folder / "package.json").write_text('{"name": "servers", "private": true}\n')
    command = ["npm", "install", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"]
    say(f"installing {len(packages)} npm packages")
    if _run([*command, *(entry.requirement for entry in packages)], folder) is None:
        return [failure for entry in packages for failure in _finished(entry, root, None)]
    failures = []
    for entry in packages:
        say(f"installing {entry.name} ({entry.requirement}) by itself")
        failures += _finished(entry, root, _run([*command, entry.requirement], folder))
    return failures


def _run(command: Sequence[str], folder: Path) -> str | None:
    """None, or why it failed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_WAIT, check=False)
    except subprocess.TimeoutExpired:
        return f"`{' '.join(command[:3])} ...` took more than {INSTALL_WAIT:g} s; try again."
    if done.returncode == 0:
        return None
    last = (done.stderr.strip() or done.stdout.strip())[-500:]
    return f"`{' '.join(command[:3])} ...` ended with status {done.returncode}: {last}"


def _finished(entry: Entry, root: Path, why: str | None) -> list[Failure]:
    program = Path(filled(entry.command[0], root))
    if why is None and not program.exists():
        why = f"{entry.requirement} has no program {program}; correct its command in catalogs.toml."
    if why is not None:
        return [Failure(entry.name, why)]
    stamp = root / "stamps" / entry.name
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(entry.stamp)
    return []


def _is_installed(entry: Entry, root: Path) -> bool:
    stamp = root / "stamps" / entry.name
    return stamp.exists() and stamp.read_text() == entry.stamp


def filled(text: str, root: Path) -> str:
    """A part of a command or of env, with the folder in its place."""
    return text.replace("{ROOT}", str(root))


def _kept(path: Path, entry: Entry) -> list[RawTool] | None:
    if not path.exists():
        return None
    kept: dict[str, Any] = json.loads(path.read_text())
    return kept["tools"] if kept["stamp"] == entry.stamp else None


async def _list(entry: Entry, root: Path) -> list[RawTool]:
    """Starts the server and asks it; the older handshake next, since some servers end at a message they don't know.

    Raises BenchError.
    """
    program, *arguments = (filled(each, root) for each in entry.command)
    env = {name: filled(value, root) for name, value in entry.env.items()}
    parameters = StdioServerParameters(command=program, args=arguments, env=env, cwd=str(root / "work"))
    log = root / "logs" / f"{entry.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    why = ""
    for mode in ("auto", "legacy"):
        try:
            with log.open("w") as errors, anyio.fail_after(LIST_WAIT):
                async with Client(stdio_client(parameters, errors), mode=mode) as client:
                    return await _pages(client)
        except Exception as error:  # whatever a foreign server did, it is told with its name
            why = _told(error)
    raise BenchError(f"its tools could not be listed ({why}). Its log, {log}, ends with: {tail(log)}")


def _told(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def _pages(client: Client) -> list[RawTool]:
    tools: list[RawTool] = []
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += (tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools)
        cursor = page.next_cursor
        if cursor is None:
            return tools


def main() -> int:
    """Install and list every server; the exit status tells whether all of them did."""
    parser = argparse.ArgumentParser(prog="python -m bench.servers", description=__doc__)
    parser.add_argument("--root", type=Path, default=FOLDER, help="the folder to install into (%(default)s)")
    root = parser.parse_args().root.resolve()
    progress = Progress()
    every = entries()
    try:
        failures = install(every, root, progress.say)
        failed = {failure.server for failure in failures}
        usable = [entry for entry in every if entry.name not in failed]
        found, unlisted = anyio.run(listed, usable, root, progress.say)
    except BenchError as error:
        progress.clear()
        print(f"bench: {error}", file=sys.stderr)
        return 1
    progress.clear()
    for failure in [*failures, *unlisted]:
        print(f"bench: {failure.server}: {failure.why}", file=sys.stderr)
    print(f"{len(found)} of {len(every)} servers, {sum(map(len, found.values()))} tools, in {root}{os.sep}listed")
    return 1 if failures or unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
