"""The guardian: ends what is registered when its stdin ends, and nothing else."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from mcp_hub.hub import guardian
from tests.support import PATIENCE, alive, wait_until_gone

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(120)"
)


@pytest.fixture
def sleepers() -> Iterator[list["subprocess.Popen[str]"]]:
    """Two processes in groups of their own that ignore SIGTERM."""
    command = [sys.executable, "-I", "-S", "-c", STUBBORN]
    started = [subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_it_ends_what_is_registered_when_its_stdin_ends(sleepers: list["subprocess.Popen[str]"]) -> None:
    registered, withdrawn = (process.pid for process in sleepers)
    lines = f"+{registered}\n+{withdrawn}\n-{withdrawn}\n"
    command = [sys.executable, "-I", "-S", guardian.__file__]
    subprocess.run(command, input=lines, text=True, timeout=PATIENCE, check=True)
    assert wait_until_gone([registered]) == []
    assert alive(withdrawn)


def test_a_group_that_has_gone_already_is_no_trouble() -> None:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "pass"], start_new_session=True)
    process.wait()
    guardian.end({process.pid})
