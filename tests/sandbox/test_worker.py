"""The worker process: what the OS forbids it, tried from inside with Python code in the program's place."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PATIENCE, ROOT

INSIDE = """
import sys
sys.path.insert(0, {root!r})
import starlark
from mcp_hub.sandbox import worker
limits = {{"wall_seconds": 0.5, "memory_mib": 32, "base_bytes": worker.address_space()}}
worker.confine(limits)
{code}
"""


def inside(code: str) -> "subprocess.CompletedProcess[str]":
    """Run Python code under a worker's limits."""
    command = [sys.executable, "-c", INSIDE.format(root=str(ROOT), code=code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_file_can_be_opened_for_writing_but_not_written(tmp_path: Path) -> None:
    target = tmp_path / "file"
    done = inside(f"open({str(target)!r}, 'w').write('x' * 100000)")
    assert done.returncode != 0
    assert not target.exists() or target.read_bytes() == b""


def test_what_was_rehearsed_is_out_of_a_programs_reach() -> None:
    done = inside(
        "from mcp_hub.sandbox.environment import fresh\n"
        "from mcp_hub.sandbox.limits import Limits\n"
        "environment = fresh()\n"
        "worker.rehearse(environment, Limits().model_dump())\n"
        "names = ('_rehearsed', '_rehearsal', '_tool_0')\n"
        "sys.exit(0 if [environment.module[name] for name in names] == [None, None, None] else 7)"
    )
    assert done.returncode == 0, done.stderr


def test_few_descriptors_are_there_to_be_had() -> None:
    done = inside("import socket\nkept = [socket.socket() for _ in range(worker.DESCRIPTORS)]")
    assert "Too many open files" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the OS bounds no address space")
def test_memory_beyond_the_limit_is_refused() -> None:
    assert inside("x = bytearray(16 * 1024 * 1024)").returncode == 0
    assert "MemoryError" in inside("x = bytearray(64 * 1024 * 1024)").stderr


def test_processor_time_beyond_the_limit_is_a_signal() -> None:
    assert inside("while True: pass").returncode == -24  # SIGXCPU
