"""The interpreter's error texts: the program's own lines, without ours, short, and what Python would have raised."""

import pytest
import starlark
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.sandbox import lowering, preflight
from mcp_hub.sandbox.environment import dialect, fresh
from mcp_hub.sandbox.explain import Source, mended, not_json, placed, points_into, python_type, told
from mcp_hub.sandbox.program import ToolFailure


class Branch:
    """In a program's place: every branch runs here, a failing call can be made, and what is printed is dropped."""

    def fork(self, count: int) -> int:
        return count - 1

    def done(self, value: object) -> None:
        pass

    def recall(self, handle: str) -> object:
        raise ToolFailure(f"nothing is kept under {handle}")


def error_of(code: str, file: str = "program") -> str:
    """What the interpreter itself says about this text."""
    environment = fresh()
    environment.program = Branch()
    with pytest.raises(starlark.StarlarkError) as failed:
        starlark.eval(environment.module, starlark.parse(file, code, dialect()), environment.globals)
    return str(failed.value)


def explained(code: str) -> str:
    """An error as the program's writer is told of it, where the program runs as it is."""
    return placed(error_of(code), {"program": Source(code)})


def explained_lowered(code: str) -> str:
    """An error as the program's writer is told of it, where the program is lowered first."""
    reading = preflight.read(code, [])
    assert reading is not None
    lowered = lowering.lower(reading.tree, frozenset())
    return placed(error_of(lowered.code), {"program": Source(code, lowered.lines)})


# Places


def test_an_error_is_told_with_its_trace_and_its_place() -> None:
    assert explained("def f(x):\n    return 1 // x\n\nf(0)") == snapshot("""\
Traceback (most recent call last):
  * program:4, in <module>
      f(0)
error: Floor division by zero: 1 // 0
 --> program:2:12
  |
2 |     return 1 // x
  |            ^^^^^^
  |
""")


def test_frames_of_our_own_are_left_out() -> None:
    assert explained("parallel(lambda i: 1 // i, [0])") == snapshot("""\
Traceback (most recent call last):
  * program:1, in <module>
      parallel(lambda i: 1 // i, [0])
error: Floor division by zero: 1 // 0
 --> program:1:20
  |
1 | parallel(lambda i: 1 // i, [0])
  |                    ^^^^^^
  |
""")


def test_an_error_inside_of_our_own_points_at_the_programs_call() -> None:
    assert explained("x = 1\ny = sorted(\n    x)") == snapshot("""\
Traceback (most recent call last):
  * program:2, in <module>
      y = sorted(
error: Operation `(iter)` not supported on type `int`
 --> program:2:1
  |
2 | y = sorted(
  | ^^^^^^^^^^^
  |
""")


def test_a_failed_call_is_told_in_its_own_words() -> None:
    assert explained("\nrecall('h')") == snapshot("""\
Traceback (most recent call last):
  * program:2, in <module>
      recall('h')
error: nothing is kept under h
 --> program:2:1
  |
2 | recall('h')
  | ^^^^^^^^^^^
  |
""")


def test_an_error_without_a_trace_has_no_empty_one() -> None:
    assert explained("x = [1]\n\nx[3]") == snapshot("""\
error: Index `3` is out of bound
 --> program:3:1
  |
3 | x[3]
  | ^^^^
  |
""")


def test_a_deep_trace_is_cut_in_its_middle() -> None:
    text = explained("def f(n):\n    return f(n + 1)\nf(1)")
    assert text == snapshot("""\
Traceback (most recent call last):
  * program:3, in <module>
      f(1)
  * program:2, in f
      return f(n + 1)
  * program:2, in f
      return f(n + 1)
  ... 86 lines more ...
  * program:2, in f
      return f(n + 1)
  * program:2, in f
      return f(n + 1)
  * program:2, in f
      return f(n + 1)
error: Starlark call stack overflow
 --> program:2:12
  |
2 |     return f(n + 1)
  |            ^^^^^^^^
  |
""")


def test_a_lowered_program_is_told_by_its_own_lines() -> None:
    code = "import json\nn = 3\nwhile n > 0:\n    n -= 1\n    if n is None:\n        break\ntotal = [\n    1,\n][5]\n"
    assert explained_lowered(code) == snapshot("""\
error: Index `5` is out of bound
 --> program:7:1
  |
7 | total = [
  | ^^^^^^^^^
  |
""")


def test_a_trace_through_lowered_functions_has_the_programs_lines() -> None:
    code = "def f(x):\n    while x > 0:\n        x -= 1\n    return g(x)\n\ndef g(x):\n    return 10 // x\n\nf(2)"
    assert explained_lowered(code) == snapshot("""\
Traceback (most recent call last):
  * program:9, in <module>
      f(2)
  * program:4, in f
      return g(x)
error: Floor division by zero: 10 // 0
 --> program:7:5
  |
7 |     return 10 // x
  |     ^^^^^^^^^^^^^^
  |
""")


def test_an_error_in_a_shared_script_is_told_in_its_file() -> None:
    code, script = "x = 1\ntriage(0)", "def triage(n):\n    return 1 // n\n"
    text = """\
Traceback (most recent call last):
  * program:2, in <module>
      triage(0)
error: Floor division by zero: 1 // 0
 --> scripts/a.star:2:12
  |
2 |     return 1 // n
  |            ^^^^^^
  |
"""
    assert placed(text, {"program": Source(code), "scripts/a.star": Source(script)}) == text


def test_which_file_an_error_points_into_is_known() -> None:
    text = error_of("parallel(lambda i: len, [0])")
    assert points_into(text, "branches")
    assert not points_into(text, "program")
    assert not points_into(error_of("fail('--> branches:1:1')"), "branches")


@pytest.mark.parametrize(("number", "own"), [(-3, 1), (0, 1), (1, 1), (2, 1), (3, 2), (4, 5), (99, 5)])
def test_a_line_of_the_interpreters_text_is_one_of_the_programs(number: int, own: int) -> None:
    assert Source("a\nb\nc\nd\ne", [1, 1, 2, 5]).own(number) == own


def test_a_line_that_isnt_there_is_empty() -> None:
    source = Source("a\nb")
    assert [source.line(n) for n in (-1, 0, 1, 2, 3)] == ["", "", "a", "b", ""]


@given(st.text(st.sampled_from("Traceback \n*:-->|programbranches0123,in<>error")), st.booleans())
def test_any_text_is_placed_and_never_breaks(text: str, lowered: bool) -> None:
    source = Source("x = 1", [1, 1] if lowered else None)
    assert placed(text, {"program": source}).endswith("\n")
    told(text)


# Words


@pytest.mark.parametrize(
    ("code", "words", "python"),
    [
        ("{}['a']", 'Key `"a"` was not found', "KeyError"),
        ("{1: 2}.pop(3)", "Key `3` not found in dictionary `{1: 2}`", "KeyError"),
        ("[][1]", "Index `1` is out of bound", "IndexError"),
        ("[].pop()", "Index `-1` is out of bound", "IndexError"),
        ("'a'[5]", "Index `5` is out of bound", "IndexError"),
        ("1 // 0", "Floor division by zero: 1 // 0", "ZeroDivisionError"),
        ("1 / 0", "float division by zero: 1 / 0", "ZeroDivisionError"),
        ("1 % 0", "Modulo by zero: 1 % 0", "ZeroDivisionError"),
        ("{}.foo", "Object of type `dict` has no attribute `foo`, did you mean `pop`?", "AttributeError"),
        ("1 + 'a'", "Operation `+` not supported for types `int` and `string`", "TypeError"),
        ("x = 1\nx()", "Operation `call()` not supported on type `int`", "TypeError"),
        ("len(1)", "Operation `len()` not supported on type `int`", "TypeError"),
        ("len(1, 2)", "Wrong number of positional arguments, expected 1, got 2", "TypeError"),
        ("def f(a): pass\nf()", "Missing parameter `a` for call to `program.f`", "TypeError"),
        ("def f(a): pass\nf(1, 2)", "Found 1 extra positional argument(s) for call to program.f", "TypeError"),
        ("def f(): pass\nf(b=1)", "Found `b` extra named parameter(s) for call to program.f", "TypeError"),
        ("{[]: 1}", "Value of type `list` is not hashable", "TypeError"),
        ("def f(n):\n    return f(n)\nf(1)", "Starlark call stack overflow", "RecursionError"),
        ("int('x')", "Cannot parse `x` as an integer in base 10", "ValueError"),
        ("a, b = [1]", "Unpacked 1 values but expected 2", "ValueError"),
        ("max([])", "ValueError: max() arg is an empty sequence", "ValueError"),
        ("fail('KeyError: x')", "fail: KeyError: x", "KeyError"),
        ("fail('StopIteration')", "fail: StopIteration", "StopIteration"),
        ("fail('no way')", "fail: no way", "ValueError"),
        ("fail('first\\nsecond')", "fail: first\nsecond", "ValueError"),
        ("recall('h')", "nothing is kept under h", "ValueError"),
    ],
)
def test_an_errors_own_words_and_pythons_name_for_it(code: str, words: str, python: str) -> None:
    own = told(error_of(code))
    assert own == words
    assert python_type("script", own) == python


@pytest.mark.parametrize(
    ("kind", "python"),
    [("tool", "ToolError"), ("denied", "ToolError"), ("arguments", "TypeError"), ("x", "ValueError")],
)
def test_a_failed_calls_exception_is_told_by_its_kind(kind: str, python: str) -> None:
    assert python_type(kind, "api.get failed: it is out") == python


@pytest.mark.parametrize(
    ("code", "held"),
    [
        ("recall(len)", "a tool or function"),
        ("recall([recall])", "a tool or function"),
        ("recall(range(3))", "a range"),
        ("recall(1 // 0)", ""),
    ],
)
def test_what_is_no_json_is_named(code: str, held: str) -> None:
    assert not_json(error_of(code)) == held


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "for in x",
            snapshot("""\
error: Parse error: unexpected keyword 'in' here
 --> program:1:5
  |
1 | for in x
  |     ^^
  |
"""),
        ),
        (
            "x = [1,\n",
            snapshot("""\
error: Parse error: unexpected new line here
--> program:1:1
 |
 |
"""),
        ),
        (
            "x = f'{a + 1}'",
            snapshot("""\
error: Not a valid identifier: `a + 1`
 --> program:1:8
  |
1 | x = f'{a + 1}'
  |        ^^^^^
  |
An f-string takes plain names only: assign the expression to a name first, or use %.
"""),
        ),
        (
            "x = 'a",
            snapshot("""\
error: Parse error: unfinished string literal
 --> program:1:5
  |
1 | x = 'a
  |     ^^
  |
"""),
        ),
    ],
)
def test_a_parse_error_is_short_and_says_what_to_write(code: str, text: str) -> None:
    with pytest.raises(starlark.StarlarkError) as failed:
        starlark.parse("program", code, dialect())
    assert mended(str(failed.value)) == text
