"""Lives: one goes on until it is ended or its process is gone, also one that was killed and that nobody has reaped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_hub.store.lives import FOLDER_NAME, Lives
from tests.support import ROOT

OTHER = """
import sys
from pathlib import Path
from mcp_hub.store.lives import Lives
print(Lives(Path(sys.argv[1])).begin().name, flush=True)
sys.stdin.read()
"""


def test_a_life_goes_on_until_it_is_ended(tmp_path: Path) -> None:
    lives = Lives(tmp_path)
    life = lives.begin()
    assert lives.has(life.name)
    life.close()
    assert not lives.has(life.name)
    assert list((tmp_path / FOLDER_NAME).iterdir()) == []


def test_a_process_that_was_killed_has_none_even_while_nobody_has_reaped_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        assert Lives(tmp_path).has(name)
        other.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays in the table
        assert not Lives(tmp_path).has(name)
        assert list((tmp_path / FOLDER_NAME).iterdir()) == []


def test_no_two_lives_have_the_same_name(tmp_path: Path) -> None:
    lives = [Lives(tmp_path).begin() for _ in range(2)]
    assert lives[0].name != lives[1].name
    lives[0].close()
    assert Lives(tmp_path).has(lives[1].name)
    lives[1].close()


@pytest.mark.parametrize("name", ["", "never", "4711@1.0"])
def test_what_never_lived_does_not(tmp_path: Path, name: str) -> None:
    assert not Lives(tmp_path).has(name)
