"""Text as literals of Starlark, and the names that imports bind."""

import starlark
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox.environment import dialect
from mcp_hub.sandbox.lowering.core import MARK, quoted


@given(st.text())
def test_a_quoted_text_is_the_text_on_one_line(text: str) -> None:
    literal = quoted(text)
    assert "\n" not in literal
    assert MARK not in literal
    program = starlark.parse("program", literal, dialect())
    assert starlark.eval(starlark.Module(), program, starlark.Globals.standard()) == text
