"""The folder of shared scripts: what is listed, what is read, which of it a program needs, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.hub.scripts import LOADED, SCRIPT_BYTES, SharedScripts

TRIAGE = """# Sorts a team's issues.

load("scripts/dates.star", "late")

def triage(owner):
    return [i for i in api.list_issues(owner=owner) if late(i)]

def _helper():
    return 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shared"
    made.mkdir()
    (made / "triage.star").write_text(TRIAGE)
    (made / "dates.star").write_text("def late(issue):\n    return True\n")
    return made


def test_each_script_is_listed_with_its_functions_and_its_first_comment(folder: Path) -> None:
    (folder / "notes.txt").write_text("no script")
    (folder / "with space.star").write_text("no name that can be loaded")
    (folder / "empty.star").write_text("")
    (folder / "many.star").write_text("".join(f"def f{number}():\n    pass\n" for number in range(12)))
    assert SharedScripts(folder).listed() == snapshot(
        [
            ("scripts/dates.star", "late"),
            ("scripts/empty.star", ""),
            ("scripts/many.star", "f0, f1, f2, f3, f4, f5, f6, f7, 4 more"),
            ("scripts/triage.star", "triage: Sorts a team's issues."),
        ]
    )


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    assert SharedScripts(None).listed() == []
    assert SharedScripts(tmp_path / "gone").listed() == []
    with pytest.raises(CallerError, match=r"no folder of shared scripts is set \(\[hub\] scripts\)"):
        SharedScripts(None).text("scripts/a.star")


def test_an_edit_counts_at_once(folder: Path) -> None:
    scripts = SharedScripts(folder)
    assert scripts.text("scripts/dates.star").startswith("def late")
    (folder / "dates.star").write_text("def early():\n    pass\n")
    assert scripts.text("scripts/dates.star").startswith("def early")


def test_a_script_that_is_not_there_is_told_with_the_nearest(folder: Path) -> None:
    with pytest.raises(CallerError) as caught:
        SharedScripts(folder).text("scripts/triag.star")
    assert caught.value.text == snapshot(
        "There is no shared script 'scripts/triag.star'. Did you mean 'scripts/triage.star' or "
        "'scripts/dates.star'? listToolFiles lists all."
    )


@pytest.mark.parametrize(
    "path",
    [
        "scripts/../secret.star",
        "scripts/sub/x.star",
        "scripts//etc/x.star",
        "scripts/..star",
        "scripts/.hidden.star",
        "scripts/triage.star\n",
        "scripts/triage.py",
        "/scripts/triage.star",
        "scripts/a\0.star",
        "triage.star",
    ],
)
def test_a_name_that_would_lead_elsewhere_is_refused(folder: Path, path: str) -> None:
    (folder.parent / "secret.star").write_text("SECRET = 1")
    with pytest.raises(CallerError, match="A shared script is named like"):
        SharedScripts(folder).text(path)


@given(st.text())
def test_no_name_reads_what_is_not_in_the_folder(name: str) -> None:
    with pytest.raises(CallerError):
        SharedScripts(Path("/nowhere")).text(f"scripts/{name}")


def test_what_cannot_be_read_is_told(folder: Path) -> None:
    scripts = SharedScripts(folder)
    (folder / "large.star").write_text("#" * (SCRIPT_BYTES + 1))
    with pytest.raises(CallerError, match="larger than 262,144 bytes"):
        scripts.text("scripts/large.star")
    (folder / "latin.star").write_bytes(b"# caf\xe9\n")
    with pytest.raises(CallerError, match=r"scripts/latin\.star can't be read"):
        scripts.text("scripts/latin.star")
    (folder / "folder.star").mkdir()
    with pytest.raises(CallerError, match=r"scripts/folder\.star can't be read"):
        scripts.text("scripts/folder.star")


def test_one_script_that_cannot_be_read_leaves_the_list_of_the_others(folder: Path) -> None:
    (folder / "latin.star").write_bytes(b"# caf\xe9\n")
    listed = dict(SharedScripts(folder).listed())
    assert listed["scripts/latin.star"].startswith("scripts/latin.star can't be read")
    assert listed["scripts/triage.star"].startswith("triage")


def test_a_program_needs_what_it_loads_and_what_that_loads(folder: Path) -> None:
    needed = SharedScripts(folder).needed('load("scripts/triage.star", "triage")\nresult = triage("a")')
    assert sorted(needed) == ["scripts/dates.star", "scripts/triage.star"]
    assert needed["scripts/triage.star"] == TRIAGE


def test_scripts_that_load_each_other_are_read_once(folder: Path) -> None:
    (folder / "dates.star").write_text('load("scripts/triage.star", "triage")\n')
    assert len(SharedScripts(folder).needed("load('scripts/triage.star', 'triage')")) == 2


def test_a_program_loads_a_bounded_number(folder: Path) -> None:
    for number in range(LOADED + 1):
        (folder / f"s{number}.star").write_text(f'load("scripts/s{number + 1}.star", "x")\n')
    with pytest.raises(CallerError, match="loads more than 50 shared scripts"):
        SharedScripts(folder).needed('load("scripts/s0.star", "x")')
