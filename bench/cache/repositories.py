"""Makes the repositories whose state is proven: so many committed files, five of them modified, five more untracked."""

import os
import subprocess
from pathlib import Path

from bench.processes import BenchError

CHANGED = 5
"""Files that are modified, and as many that are untracked."""

FILE_BYTES = 2_000

IN_A_FOLDER = 50
"""Files."""

GIT_WAIT = 120.0
"""Seconds; adding 5,000 files takes one."""


def made(folder: Path, files: int) -> Path:
    """A repository in `folder`, which is made, with so many committed files. Raises BenchError."""
    folder.mkdir(parents=True)
    paths = [folder / f"part_{number // IN_A_FOLDER:03}" / f"file_{number:04}.py" for number in range(files)]
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"NUMBER = {number}\n" + "# a line of source code\n" * (FILE_BYTES // 24))
    _git(folder, "init", "--quiet")
    _git(folder, "add", "--all")
    _git(folder, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "--message", "All")
    for number, path in enumerate(paths[:: files // CHANGED][:CHANGED]):
        path.write_text(path.read_text() + "CHANGED = True\n")
        path.with_name(f"new_{number}.py").write_text("NEW = True\n")
    return folder


def _git(folder: Path, *arguments: str) -> None:
    variables = {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=GIT_WAIT, check=False
    )
    if done.returncode:
        raise BenchError(f"git {arguments[0]} failed: {done.stderr[-400:]}")
