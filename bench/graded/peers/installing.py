"""Installs peers: each into an environment of its own below one folder, by pip, once for each list of requirements."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.graded.peers.peer import NotMeasuredError, Peer
from bench.graded.peers.wire import run_to_its_end
from bench.servers import INSTALL_WAIT, Say

NEWEST = 15
"""Python 3.NEWEST is the last that is looked for."""


def install(peer: Peer, root: Path, say: Say) -> Path:
    """The peer's environment, made if it isn't there yet. Raises NotMeasuredError."""
    venv = root / peer.name.lower().replace(" ", "-")
    stamp = venv / "installed"
    wanted = " ".join(peer.requirements)
    if not wanted or (stamp.exists() and stamp.read_text() == wanted):
        return venv
    python = find_python(peer.python)
    if python is None:
        raise NotMeasuredError(f"it needs Python {'.'.join(map(str, peer.python))} or newer, and none was found")
    say(f"installing {wanted}")
    root.mkdir(parents=True, exist_ok=True)
    for command in ([python, "-m", "venv", "--clear", str(venv)], [f"{venv}/bin/pip", "install", "-q", wanted]):
        if why := run_to_its_end(command, {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}, INSTALL_WAIT):
            raise NotMeasuredError(f"it couldn't be installed: {why}")
    stamp.write_text(wanted)
    return venv


def find_python(least: tuple[int, int]) -> str | None:
    """A Python of that version or a newer one: this one, or the first on PATH that runs; None if there is none."""
    if sys.version_info[:2] >= least:
        return sys.executable
    return next((each for each in _candidates(least) if _runs(each)), None)


def _candidates(least: tuple[int, int]) -> Iterator[str]:
    for minor in range(least[1], NEWEST + 1):
        name = f"python{least[0]}.{minor}"
        if found := shutil.which(name):
            yield found
        if pyenv := shutil.which("pyenv"):  # its names on PATH run only the versions that are switched on
            done = subprocess.run([pyenv, "prefix", f"{least[0]}.{minor}"], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                yield str(Path(done.stdout.strip()) / "bin" / name)


def _runs(python: str) -> bool:
    return run_to_its_end([python, "-c", "import venv, ensurepip"], {}, 30.0) is None
