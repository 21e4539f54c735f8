"""Tasks: each has a right end that its grader accepts, and wrong ones that it refuses; no server is needed."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bench.graded.grading import graded
from bench.graded.task import Level, Task
from bench.graded.tasks import TASKS
from bench.graded.worlds import World
from bench.servers import entries, in_catalog

NO_ANSWER = "I could not find out."


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in which nothing was made, to be copied: making its repository takes most of a test's time."""
    folder = tmp_path_factory.mktemp("empty") / "work"
    World(folder).reset()
    return folder


def contents(world: World) -> dict[str, bytes]:
    """What the servers show of a world: git's own files aside, but for what it has committed."""
    files = (path for path in world.root.rglob("*") if path.is_file() and ".git" not in path.parts)
    shown = {str(path.relative_to(world.root)): path.read_bytes() for path in files}
    return {**shown, "refs": world.git("for-each-ref").encode() + world.git("status", "--porcelain", "-b").encode()}


@pytest.fixture
def world(empty: Path, tmp_path: Path) -> World:
    shutil.copytree(empty, tmp_path / "work")
    return World(tmp_path / "work")


def test_there_are_enough_of_each_level_and_each_has_its_own_name_and_request() -> None:
    assert len(TASKS) >= 65
    assert max(Counter(task.name for task in TASKS).values()) == 1
    assert max(Counter(task.request for task in TASKS).values()) == 1
    counts = Counter(task.level for task in TASKS)
    assert all(counts[level] >= 10 for level in Level), counts


def test_every_task_can_be_asked_in_the_smallest_round() -> None:
    smallest = {entry.name for entry in in_catalog(entries(), 96) if entry.calls_work}
    assert not {task.name: task.servers - smallest for task in TASKS if task.servers - smallest}


def test_no_request_names_a_tool() -> None:
    """The request is a person's, who doesn't know the tools."""
    named = re.compile(r"\b(read_query|read_text_file|list_directory|git_log|execute_query|create_entities)\b")
    assert [task.name for task in TASKS if named.search(task.request)] == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_right_end_is_accepted_and_wrong_ones_are_refused(task: Task, world: World, tmp_path: Path) -> None:
    task.make(world)
    assert graded(task, world, NO_ANSWER)
    before = contents(world)
    shutil.copytree(world.root, tmp_path / "untouched")
    answer = task.solve(world)
    assert graded(task, world, answer) == ""
    assert len(task.wrong) >= 2
    assert [wrong for wrong in task.wrong if not graded(task, world, wrong)] == []
    if contents(world) != before:
        assert graded(task, World(tmp_path / "untouched"), answer), "a world in which nothing was done is accepted"


@pytest.mark.parametrize("task", TASKS[:3], ids=lambda task: task.name)
def test_a_world_is_made_the_same_each_time(task: Task, tmp_path: Path) -> None:
    worlds = [World(tmp_path / name) for name in ("one", "two")]
    for each in worlds:
        each.reset()
        task.make(each)
    one, two = ({str(path.relative_to(each.root)) for path in each.root.rglob("*")} for each in worlds)
    assert one == two
    assert worlds[0].git("log", "--format=%H") == worlds[1].git("log", "--format=%H")
