"""What a tool's results looked like in one session is shown to the next, and never a value of them."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from tests.support import LineHub, filled

ECHO = '[servers.echo]\ncommand = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]\n'
UNRECORDED = "[hub.journal]\nenabled = false\n"
CODE = """
echo.odd_params(from_="hunter2", type="one")
echo.odd_params(from_="hunter2", options={"class": "hunter2", "max-depth": 3})
echo.echo_text(text='[{"id": 1, "tags": ["hunter2"]}, {"id": 2}]')
echo.echo(value={"hunter2": 1})
result = attempt(lambda: echo.fail(message="hunter2")).ok
"""

pytestmark = pytest.mark.xdist_group("learned shapes")

Start = Callable[..., LineHub]


@pytest.fixture
def start(state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]) -> Start:
    """Start a hub whose servers.toml begins with the given text, over the echo server."""

    def begin(text: str = UNRECORDED) -> LineHub:
        hub = LineHub(servers_toml(f"{text}{ECHO}"), state, tmp_path)
        hub.initialize()
        hub.listed()
        return hub

    return begin


def call(hub: LineHub) -> None:
    """A session that calls three tools and one that fails."""
    assert hub.call("executeToolCode", code=CODE) == "false"
    assert hub.close() == 0


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state that a first session leaves, to which the tools' results are not known before."""
    folder = tmp_path_factory.mktemp("learned")
    config = folder / "servers.toml"
    config.write_text(filled(f"{UNRECORDED}{ECHO}"))
    hub = LineHub(config, folder / "state", folder)
    hub.initialize()
    hub.listed()
    assert returned(hub, "odd_params").startswith("Any")
    call(hub)
    return folder / "state"


@pytest.fixture
def second(learned: Path, state: Path) -> Path:
    """The state that a second session begins with."""
    return Path(shutil.copytree(learned, state))


def returned(hub: LineHub, name: str) -> str:
    """What the file of the server says that a tool returns, the remark on it included."""
    (line,) = (each for each in hub.call("readToolFile", fileName="echo").splitlines() if f"def {name}(" in each)
    return line.partition(" -> ")[2].partition(" Return the")[0]


def kept(state: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(state / "hub.db")) as database:
        return {tool: json.loads(shape) for tool, shape in database.execute("select tool, shape from shapes")}


def test_the_next_session_sees_what_the_results_of_this_one_looked_like(second: Path, start: Start) -> None:
    hub = start()
    assert returned(hub, "odd_params") == snapshot(
        '{"from": str, "type?": str, "options?": {"class": str, "max-depth": int}}  # Observed return type.'
    )
    assert returned(hub, "echo_text") == snapshot('list[{id: int, "tags?": list[str]}]  # Observed return type.')
    assert hub.close() == 0


def test_only_keys_and_types_of_successes_without_a_schema_are_kept(learned: Path) -> None:
    assert sorted(kept(learned)) == ["echo_text", "odd_params"]
    for file in learned.glob("hub.db*"):
        assert b"hunter2" not in file.read_bytes()


def test_shapes_that_are_not_to_be_learned_are_neither_kept_nor_shown(second: Path, start: Start) -> None:
    before = kept(second)
    off = start("[hub]\nlearn_shapes = false\njournal.enabled = false\n")
    assert returned(off, "odd_params").startswith("Any")
    off.call("executeToolCode", code="echo.pid()\necho.echo_text(text='x')")
    assert off.close() == 0
    assert kept(second) == before


def test_shapes_that_cant_be_read_stop_nothing(second: Path, start: Start) -> None:
    with closing(sqlite3.connect(second / "hub.db")) as database:
        database.execute("drop table shapes")
    call(start())


def test_two_hubs_that_learn_of_the_same_tool_both_count(start: Start, state: Path) -> None:
    one, other = start(), start()
    one.call("executeToolCode", code="echo.odd_params(from_='a')")
    other.call("executeToolCode", code="echo.odd_params(from_='a', type='one')")
    assert (one.close(), other.close()) == (0, 0)
    shape = kept(state)["odd_params"]
    assert sorted(shape["properties"]) == ["from", "type"]
    assert shape["required"] == ["from"]
