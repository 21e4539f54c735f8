"""Reading what git leaves open: nothing outside is opened, nothing is waited for, no mix of two moments is a state."""

import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_hub.proxy import contents
from mcp_hub.proxy.contents import Reading
from mcp_hub.proxy.git import Look, UnprovenError


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "top"
    folder.mkdir()
    return folder


def digest(top: Path, *changed: str, deadline: float = float("inf")) -> str:
    """Of a repository in which git calls these files changed."""
    names = b"".join(b"? %b\0" % os.fsencode(name) for name in changed)
    look = Look(top, b"# branch.oid 1234\0# branch.head main\0" + names, b"", b"", b"")
    return Reading({}, deadline).digest([(top, top)], [look])


def reason(top: Path, *changed: str, deadline: float = float("inf")) -> str:
    with pytest.raises(UnprovenError) as raised:
        digest(top, *changed, deadline=deadline)
    return raised.value.text


def after(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[], object]) -> None:
    """Let something change right after the first call of a function of the os module."""
    real = getattr(os, name)
    changes = [change]

    def called(*arguments: object, **named: object) -> object:
        given = real(*arguments, **named)
        while changes:
            changes.pop()()
        return given

    monkeypatch.setattr(os, name, called)


def test_equal_files_are_one_state_and_different_ones_are_two(top: Path) -> None:
    (top / "a").write_text("one")
    before = digest(top, "a")
    (top / "a").write_text("two")
    assert digest(top, "a") != before
    (top / "a").write_text("one")
    assert digest(top, "a") == before
    (top / "a").chmod(0o700)
    assert digest(top, "a") != before


def test_what_is_in_one_file_is_told_from_the_next_files_name(top: Path) -> None:
    (top / "a").write_text("")
    (top / "b").write_text("")
    assert len({digest(top, "a"), digest(top, "b"), digest(top, "a", "b"), digest(top)}) == 4


def test_what_a_link_says_isnt_taken_for_the_next_file(top: Path) -> None:
    states = set()
    for links in ({"a": "t", "b": "uc120777v"}, {"a": "tb120777u", "c": "v"}):  # 120777 is the mode of a link
        for name, target in links.items():
            (top / name).unlink(missing_ok=True)
            (top / name).symlink_to(target)
        states.add(digest(top, *links))
    assert len(states) == 2


def test_a_link_is_its_target_and_isnt_followed(top: Path) -> None:
    outside = top.parent / "outside"
    outside.write_text("one")
    (top / "a").symlink_to(outside)
    before = digest(top, "a")
    outside.write_text("two")
    assert digest(top, "a") == before
    (top / "a").unlink()
    (top / "a").symlink_to("outside")
    assert digest(top, "a") != before


def test_a_folder_that_is_a_link_now_isnt_followed(top: Path) -> None:
    outside = top.parent / "outside"
    outside.mkdir()
    (top / "a").symlink_to(outside)
    absent = digest(top, "a/b")
    (outside / "b").write_text("secret")
    assert digest(top, "a/b") == absent


def test_a_folder_in_a_files_place_is_told_from_no_file(top: Path) -> None:
    absent = digest(top, "a")
    (top / "a").mkdir()
    assert digest(top, "a") != absent


def test_what_is_neither_a_file_nor_a_link_is_unproven(top: Path) -> None:
    os.mkfifo(top / "a")
    assert reason(top, "a") == "a changed file is neither a file nor a link"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(top / "b"))
        assert reason(top, "b") == "a changed file is neither a file nor a link"


@pytest.mark.parametrize("written", [b"", b"for another"])
def test_a_fifo_that_takes_a_files_place_is_neither_waited_for_nor_read(
    top: Path, monkeypatch: pytest.MonkeyPatch, written: bytes
) -> None:
    (top / "a").write_text("one")
    opened: list[int] = []

    def replace(mode: int) -> bool:
        monkeypatch.undo()
        (top / "a").unlink()
        os.mkfifo(top / "a")
        if written:
            opened.append(os.open(top / "a", os.O_RDWR))
            os.write(opened[0], written)
        return False

    monkeypatch.setattr(stat, "S_ISLNK", replace)
    assert reason(top, "a") == "a file changed while it was read"
    for fifo in opened:
        assert os.read(fifo, 100) == written
        os.close(fifo)


def test_a_file_that_cant_be_read_is_unproven(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "a").write_text("one")

    def refused(*arguments: object, **named: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "read", refused)  # permissions don't stop everybody
    assert reason(top, "a") == "a changed file can't be read"


@pytest.mark.parametrize("changed", ["a", "b"])
def test_a_file_that_changes_while_files_are_read_is_unproven(
    top: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    (top / "a").write_text("one")
    (top / "b").write_text("one")
    after(monkeypatch, "read", lambda: (top / changed).write_text("two"))
    assert reason(top, "a", "b") == "a file changed while it was read"


def test_a_file_that_appears_or_goes_while_files_are_read_is_unproven(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (top / "a").write_text("one")
    after(monkeypatch, "read", lambda: (top / "b").write_text("two"))
    assert reason(top, "a", "b") == "a file changed while it was read"
    after(monkeypatch, "read", (top / "b").unlink)
    assert reason(top, "a", "b") == "a file changed while it was read"


def test_a_file_that_was_changed_just_now_is_read_when_the_clock_has_gone_on(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    (top / "a").write_text("one")
    now = (top / "a").stat().st_ctime_ns
    monkeypatch.setattr(time, "time_ns", lambda: now + 1_000_000)
    assert reason(top, "a") == "a file changed while it was read"
    assert waited[0] == contents.CLOCK_TICK
    monkeypatch.setattr(time, "time_ns", lambda: now + 100_000_000)
    digest(top, "a")


def test_more_files_or_bytes_than_the_limits_are_unproven(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (top / name).write_text("1234")
    monkeypatch.setattr(contents, "CHANGED_FILES", 3)
    monkeypatch.setattr(contents, "READ_BYTES", 12)
    digest(top, "a", "b", "c")
    monkeypatch.setattr(contents, "CHANGED_FILES", 2)
    assert reason(top, "a", "b", "c") == "more than 2 files are changed"
    monkeypatch.setattr(contents, "READ_BYTES", 1 << 20)
    (top / "a").write_bytes(bytes((1 << 20) + 1))
    assert reason(top, "a") == "the changed files have more than 1 MiB"


def test_files_that_are_gone_dont_count_as_read(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "CHANGED_FILES", 0)
    digest(top, "a", "b")


def test_reading_ends_at_its_deadline(top: Path) -> None:
    (top / "a").write_text("one")
    assert reason(top, "a", deadline=time.monotonic()) == "reading the files took too long"
