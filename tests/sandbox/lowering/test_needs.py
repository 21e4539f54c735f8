"""What is run as it stands, and what is lowered first."""

import ast
from pathlib import Path

import pytest

from mcp_hub.sandbox.lowering import needed
from tests.sandbox.lowering.interpreter import as_it_stands, expressions, in_python, programs

FOLDER = Path(__file__).parent / "needs"
PLAIN = (FOLDER / "plain.txt").read_text().split("---\n")
DIFFERENT = (FOLDER / "different.txt").read_text().split("---\n")


def differs(code: str) -> bool:
    return needed(ast.walk(ast.parse(code)), code)


@pytest.mark.parametrize("code", PLAIN)
def test_plain_starlark_is_run_as_it_stands(code: str) -> None:
    assert not differs(code)


@pytest.mark.parametrize("code", DIFFERENT)
def test_what_starlark_lacks_or_has_otherwise_is_lowered(code: str) -> None:
    assert differs(code)


def test_what_needs_no_lowering_means_the_same_as_it_stands() -> None:
    plain = [
        f"result = {each}" for file in ("operators", "texts", "expressions", "types") for each in expressions(file)
    ]
    plain = [
        code for code in (*plain, *programs("statements").values(), *programs("loops").values()) if not differs(code)
    ]
    assert plain
    assert [code for code in plain if repr(as_it_stands(code)) != repr(in_python(code))] == []
