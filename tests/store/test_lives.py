"""Lives: one goes on until it is ended or its process is gone, also one that was killed and that nobody has reaped."""

import errno
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


def test_where_nothing_can_be_found_out_a_life_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without descriptors, say: what lives may not be settled by others."""
    lives = Lives(tmp_path)
    life = lives.begin()
    with monkeypatch.context() as without:

        def fails(*_: object) -> int:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        without.setattr(os, "open", fails)
        assert lives.has(life.name)
    assert lives.has(life.name)
    life.close()


def test_files_of_lives_that_ended_are_swept_away(tmp_path: Path) -> None:
    lives = Lives(tmp_path)
    life = lives.begin()
    for number in range(3):
        (tmp_path / FOLDER_NAME / f"killed-{number}").touch()
    lives.sweep()
    assert [path.name for path in (tmp_path / FOLDER_NAME).iterdir()] == [life.name]
    life.close()
