"""What a failed try would undo and the program reads: told; what makes no difference isn't."""

import ast
from pathlib import Path

import pytest

from mcp_hub.sandbox.lowering.rollback import IN_LOOP, ONCE, lost
from tests.sandbox.lowering.interpreter import programs

FOLDER = Path(__file__).parent / "rollback"

REMEDIES = {"once": ONCE, "loop": IN_LOOP}

TOLD = programs("told", FOLDER)
"""Programs by their titles, which end with the lines that are told, each with the remedy's name."""

QUIET = programs("quiet", FOLDER)


def told(code: str) -> list[tuple[int, str]]:
    tree = ast.parse(code)
    return lost(tree, ast.walk(tree))


@pytest.mark.parametrize("title", TOLD)
def test_a_change_that_a_failure_would_undo_is_told(title: str) -> None:
    expected = [part.split(" ") for part in title.rpartition(": ")[2].split(", ")]
    assert told(TOLD[title]) == [(int(line), REMEDIES[remedy]) for line, remedy in expected]


@pytest.mark.parametrize("title", QUIET)
def test_a_change_that_makes_no_difference_is_not_told(title: str) -> None:
    assert told(QUIET[title]) == []
