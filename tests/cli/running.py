"""Running a command in a process of its own, to its end or beside the test; waiting for what it writes."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.prepared import Prepared
from tests.support import PATIENCE, until

MISBEHAVING = """
[servers.odd]
command = ["{python}", "-I", "-S", "{fixtures}/misbehaving_server.py", "--mode", "%s"]
env = { FAULT_JOURNAL = "%s" }
"""


def alone(*arguments: str, cwd: Path, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end in a process of its own: `serve` ends the one that it is in."""
    return subprocess.run(
        [sys.executable, "-m", "mcp_hub", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **environment},
    )


def prepared(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """The same without the price of a start."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Prepared([*arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd, env=os.environ)
        status = process.wait(PATIENCE)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(arguments, status, *said)


def wrong(done: "subprocess.CompletedProcess[str]") -> str:
    """What was wrong with a command line, without the usage that click puts above it."""
    return done.stderr.partition("\nError: ")[2].rstrip()


@contextlib.contextmanager
def started(*arguments: str, cwd: Path) -> Iterator["subprocess.Popen[str]"]:
    """A command that goes on beside the test; it is killed at the end if it hasn't ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mcp_hub", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(path: Path, text: str) -> None:
    """Wait until a file has that text."""
    until(lambda: path.exists() and text in path.read_text())
