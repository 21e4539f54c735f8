"""Helpers of the command line's tests: a command run as a person runs it, and servers to run it on."""

import contextlib
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from mcp_hub.cli import main

BARE = '[servers.%s]\ncommand = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "2"]\n'
BROKEN = '[servers.broken]\ncommand = ["no-such-program"]\n'
STOCK = '[servers.stock]\ncommand = ["{python}", "{fixtures}/stock_server.py"]\n'


def mcp_hub(*arguments: str, cwd: Path, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, in this process, which has imported everything; its servers are real children.

    What it doesn't turn into a text and a status is raised.
    """
    with contextlib.chdir(cwd), _logging_kept():
        done = CliRunner().invoke(
            main, arguments, input=stdin, prog_name="mcp_hub", env=environment, catch_exceptions=False
        )
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("mcp_hub")
    handlers, levels = root.handlers[:], (root.level, own.level)
    root.handlers[:] = []
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        own.setLevel(levels[1])
