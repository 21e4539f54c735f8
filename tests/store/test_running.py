"""The records of hubs that are served over HTTP: found by configuration, private, gone with their hub."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_hub.store.running import RunningHub, RunningHubs

HUB = RunningHub(os.getpid(), "http://127.0.0.1:8400/mcp", "secret", "a" * 64)


@pytest.fixture
def running(tmp_path: Path) -> RunningHubs:
    return RunningHubs(tmp_path / "state")


def test_a_hub_is_found_by_its_configuration_while_it_is_announced(running: RunningHubs) -> None:
    running.write(HUB)
    assert running.find("a" * 64) == HUB
    assert running.find("b" * 64) is None
    running.remove(HUB.pid)
    assert running.find("a" * 64) is None


def test_a_changed_configuration_takes_the_place_of_the_one_before(running: RunningHubs) -> None:
    running.write(HUB)
    running.write(RunningHub(HUB.pid, HUB.url, HUB.secret, "b" * 64))
    assert running.find("a" * 64) is None
    assert running.find("b" * 64) is not None


def test_only_its_user_may_read_a_record(running: RunningHubs, tmp_path: Path) -> None:
    running.write(HUB)
    (record,) = (tmp_path / "state" / "running").iterdir()
    assert record.stat().st_mode & 0o777 == 0o600
    assert record.parent.stat().st_mode & 0o777 == 0o700


def test_the_record_of_a_hub_that_was_killed_is_removed(running: RunningHubs, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    running.write(RunningHub(ended.pid, HUB.url, HUB.secret, HUB.fingerprint))
    assert running.find(HUB.fingerprint) is None
    assert list((tmp_path / "state" / "running").glob("*.json")) == []


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"pid": 1}', json.dumps({"pid": 0, "url": "", "secret": "", "fingerprint": "a" * 64})]
)
def test_a_damaged_record_is_no_hub(running: RunningHubs, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "state" / "running"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(content)
    assert running.find("a" * 64) is None
