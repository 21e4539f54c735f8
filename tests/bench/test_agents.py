"""Agents: a plan can use only what was read, and what is said is kept turn by turn."""

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from bench.graded.agents import PlanError, called_in, play, seen_in
from bench.graded.task import Answer, Call, call
from bench.graded.worlds import World

LISTED = """\
files: def read(path: str) -> str  # Read it, as def write( does
git: def log(repo: str) -> Any
"""
FILE = """\
# sqlite: 2 tools
# In a program: sqlite.TOOL(argument=value)
def query(sql: str) -> Any  # Run it
def tables() -> Any

# time: 1 tool
def now() -> str
"""


def test_signatures_are_seen_in_found_lines_and_in_files() -> None:
    assert seen_in(LISTED) == {"files.read", "git.log"}
    assert seen_in(FILE) == {"sqlite.query", "sqlite.tables", "time.now"}
    assert seen_in(LISTED + "\n" + FILE) == seen_in(LISTED) | seen_in(FILE)
    assert seen_in("Many servers. Servers:\n- files\n- git") == set()


def test_the_tools_that_a_program_calls_are_those_of_known_servers() -> None:
    code = "rows = sqlite.query(sql='x')\nresult = json.loads(files.read (path=p)) + text.strip()"
    assert called_in(code, frozenset({"sqlite", "files"})) == {"sqlite.query", "files.read"}


class Echo:
    """Answers with what it was asked."""

    async def answer(self, asked: Call) -> Answer:
        if asked.server == "nobody":
            raise PlanError("nobody isn't there")
        return Answer(str(asked.arguments["n"]))

    def before(self, calls: Sequence[Call]) -> Sequence[Call]:
        return [call("s", "t", n=0)] if any(each.arguments.get("n") == 3 for each in calls) else []


def counting(_: World) -> Generator[Sequence[Call], Sequence[Answer], str]:
    one, two = yield [call("s", "t", n=1), call("s", "t", n=2)]
    (three,) = yield [call("s", "t", n=int(one.text) + int(two.text))]
    return three.text


def lost(_: World) -> Generator[Sequence[Call], Sequence[Answer], str]:
    yield [call("nobody", "t")]
    return ""


@pytest.mark.anyio
async def test_a_plan_gets_its_answers_in_order_and_its_turns_are_kept_with_what_must_be_asked_first(
    tmp_path: Path,
) -> None:
    talk = await play(counting, World(tmp_path), Echo())
    assert talk.answer == "3"
    assert [[answer.text for answer in turn.answers] for turn in talk.turns] == [["1", "2"], ["0"], ["3"]]


@pytest.mark.anyio
async def test_a_plan_that_does_what_no_agent_can_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="nobody isn't there"):
        await play(lost, World(tmp_path), Echo())
