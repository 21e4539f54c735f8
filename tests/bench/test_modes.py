"""Modes: what each puts upfront, and what a search adds to a conversation."""

from bench.graded.agents import Conversation, Turn
from bench.graded.modes import SEARCH_TOOL, Mode, behind_a_search, upfront_definitions
from bench.graded.task import Answer, Call

DEFINITIONS = {
    ("files", "read"): {"name": "read", "description": "Read.", "input_schema": {}},
    ("files", "write"): {"name": "write", "description": "Write.", "input_schema": {}},
    ("git", "log"): {"name": "log", "description": "Log.", "input_schema": {}},
}


def test_a_search_brings_the_definitions_of_just_the_tools_that_are_used_once_each() -> None:
    turn = Turn((Call("files", "read", {}), Call("git", "log", {})), (Answer("a"), Answer("b")))
    talk = behind_a_search(Conversation([turn, turn], "end"), DEFINITIONS)
    assert talk.turns[1:] == [turn, turn]
    (search,) = talk.turns[0].calls
    assert (search.tool, search.arguments) == ("ToolSearch", {"query": "select:read,log"})
    assert talk.turns[0].answers[0].text.splitlines() == [
        '{"name":"read","description":"Read.","input_schema":{}}',
        '{"name":"log","description":"Log.","input_schema":{}}',
    ]


def test_only_what_a_mode_gives_stands_upfront() -> None:
    every, meta_tools = list(DEFINITIONS.values()), [{"name": "listToolFiles"}]
    assert upfront_definitions(Mode.DIRECT, every, meta_tools) == every
    assert upfront_definitions(Mode.SEARCH, every, meta_tools) == [SEARCH_TOOL]
    assert upfront_definitions(Mode.HUB, every, meta_tools) == meta_tools
