"""Helpers of the command line's tests: a command run as a person runs it, and servers to run it on."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support import PATIENCE

BARE = '[servers.%s]\ncommand = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "2"]\n'
BROKEN = '[servers.broken]\ncommand = ["no-such-program"]\n'
STOCK = '[servers.stock]\ncommand = ["{python}", "{fixtures}/stock_server.py"]\n'


def mcp_hub(*arguments: str, cwd: Path, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
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
