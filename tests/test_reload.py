"""Noticing a change: of content, of a file that comes or goes, and of nothing else."""

import os
from pathlib import Path

import anyio
import pytest

from mcp_hub import reload
from mcp_hub.reload import stamps, watch
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio


def test_a_file_that_is_changed_comes_or_goes_has_another_stamp(tmp_path: Path) -> None:
    file = tmp_path / "servers.toml"
    seen = [stamps([file])]
    file.write_text("a")
    seen.append(stamps([file]))
    file.write_text("ab")
    seen.append(stamps([file]))
    fresh = tmp_path / "fresh"
    fresh.write_text("cd")
    os.utime(fresh, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    fresh.replace(file)
    seen.append(stamps([file]))
    assert len(set(seen)) == 4
    assert stamps([file]) == seen[-1]
    file.unlink()
    assert stamps([file]) == seen[0]


async def test_each_change_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "LOOK_EVERY", 0)
    file = tmp_path / "servers.toml"
    told: list[str] = []

    async def on_change() -> None:
        told.append(file.read_text())
        if len(told) == 1:
            file.write_text("two")
        else:
            tasks.cancel_scope.cancel()

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            seen = stamps([file])
            file.write_text("1")
            tasks.start_soon(watch, [file], seen, on_change)
    assert told == ["1", "two"]
