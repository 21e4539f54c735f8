"""try, raise, assert and with."""

import pytest
import starlark
from inline_snapshot import snapshot

from tests.sandbox.lowering.interpreter import here, lowered, programs, same, within_function

PROGRAMS = programs("guards")


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_program_means_what_it_means_in_python(title: str) -> None:
    same(PROGRAMS[title])


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_program_means_the_same_in_a_function(title: str) -> None:
    if "global" not in title and "__future__" not in PROGRAMS[title] and "'''" not in PROGRAMS[title]:
        same(within_function(PROGRAMS[title]))


def failed(kind: str, message: str) -> dict[str, str]:
    return {"kind": "script", "type": kind, "message": message}


@pytest.mark.parametrize(
    ("clause", "kind", "caught"),
    [
        ("except KeyError", "KeyError", True),
        ("except KeyError", "ValueError", False),
        ("except LookupError", "IndexError", True),
        ("except (KeyError, ValueError)", "UnicodeDecodeError", True),
        ("except (KeyError, TypeError)", "ValueError", False),
        ("except json.JSONDecodeError", "JSONDecodeError", True),
        ("except ArithmeticError", "ZeroDivisionError", True),
        ("except Exception", "KeyError", True),
        ("except BaseException", "ToolError", True),
        ("except", "ToolError", True),
        ("except RuntimeError", "ToolError", True),
        ("except ToolError", "ToolError", True),
        ("except httpx.HTTPError", "ToolError", True),
        ("except ValueError", "ToolError", False),
        ("except Own", "Own", True),
        ("except Own", "Narrower", True),
        ("except Narrower", "Own", False),
        ("except (Own, KeyError)", "KeyError", True),
    ],
)
def test_a_clause_catches_what_it_names(clause: str, kind: str, caught: bool) -> None:
    code = f"""\
class Own(Exception):
    pass
class Narrower(Own):
    pass
result = "before"
try:
    result = "done"
{clause}:
    result = "caught"
"""
    if caught:
        assert here(code, failed(kind, "why")) == "caught"
    else:
        with pytest.raises(starlark.StarlarkError, match=f"fail: {kind}: why"):
            here(code, failed(kind, "why"))


@pytest.mark.parametrize(
    ("handler", "result"),
    [
        ("result = str(e)", "it's 'x'"),
        ("result = e", "it's 'x'"),
        ("result = f'{e}'", "it's 'x'"),
        ("result = f'{e!r}'", "KeyError(\"it's 'x'\")"),
        ("result = f'{type(e).__name__}: {e}'", "KeyError: it's 'x'"),
        ("result = e.__class__.__name__", "KeyError"),
        ("result = e.args[0]", "it's 'x'"),
        ("result = e.message", "it's 'x'"),
        ("result = e.kind", "script"),
        ("result = [e for e in [1]]", [1]),
        (
            "result = [isinstance(e, KeyError), isinstance(e, ValueError), isinstance(e, Exception)]",
            [True, False, True],
        ),
        ("last = e\n    result = last", "it's 'x'"),
        ("result = 'x' in str(e) and len(str(e))", 8),
    ],
)
def test_a_handler_has_the_error_under_its_name(handler: str, result: object) -> None:
    code = f"try:\n    x = 1\nexcept Exception as e:\n    {handler}\n"
    assert here(code, failed("KeyError", "it's 'x'")) == result


def test_what_a_program_raised_is_told_with_the_type_that_it_named() -> None:
    code = "try:\n    x = 1\nexcept ValueError as e:\n    result = [type(e).__name__, str(e)]\n"
    assert here(code, failed("Anything", "fail: ValueError: a: b")) == ["ValueError", "a: b"]
    assert here(code.replace("ValueError", "Exception"), failed("Anything", "fail: lower: a")) == [
        "Exception",
        "lower: a",
    ]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("raise ValueError('why')", "fail: ValueError: why"),
        ("raise ValueError", "fail: ValueError\n"),
        ("raise ValueError(f'{1 + 1} of {[1]}')", r"fail: ValueError: 2 of \[1\]"),
        ("raise KeyError('a') from None", "fail: KeyError: a"),
        ("raise Own('why')", "fail: Own: why"),
        ("raise Own", "fail: Own\n"),
        ("problem = Own('why')\nraise problem", "fail: Own: why"),
        ("problem = ValueError(5)\nraise problem", "fail: ValueError: 5"),
        ("raise server.Strange('why')", "fail: Strange: why"),
        ("raise ValueError('a', 1)", r"fail: ValueError: \('a', 1\)"),
        ("assert 1 > 2", "fail: AssertionError\n"),
        ("assert [], f'no {1}'", "fail: AssertionError: no 1"),
        ("import sys\nsys.exit('bad')", "fail: SystemExit: bad"),
        ("def f():\n    raise RuntimeError('deep')\nf()", "fail: RuntimeError: deep"),
    ],
)
def test_what_is_raised_fails_with_its_name_and_text(statement: str, message: str) -> None:
    with pytest.raises(starlark.StarlarkError, match=message):
        here(f"class Own(Exception):\n    pass\n{statement}\n")


def test_a_bare_raise_fails_as_before() -> None:
    for handler in ("raise", "raise e"):
        with pytest.raises(starlark.StarlarkError, match="fail: KeyError: why"):
            here(f"try:\n    x = 1\nexcept Exception as e:\n    {handler}\n", failed("KeyError", "why"))


def test_what_is_finally_done_is_done_before_an_error_goes_on() -> None:
    code = "try:\n    x = 1\nfinally:\n    print('end')\n"
    with pytest.raises(starlark.StarlarkError, match="fail: KeyError: why"):
        here(code, failed("KeyError", "why"))


def test_suppress_goes_on_behind() -> None:
    code = "from contextlib import suppress\nresult = 1\nwith suppress(KeyError):\n    result = 2\n"
    assert here(code, failed("KeyError", "why")) == 1
    with pytest.raises(starlark.StarlarkError, match="fail: ValueError"):
        here(code, failed("ValueError", "why"))


def test_a_lowered_try() -> None:
    code = """\
def f(items):
    for item in items:
        try:
            if item:
                return server.get(id=item)
            continue
        except KeyError as e:
            print(e)
        else:
            print("else")
        finally:
            print("end")
    return None
"""
    assert lowered(code).code == snapshot("""\
def f(items):
    for item in _py_iter(items):
        _py_error1 = _py_try()
        if _py_error1 == None:
            _py_error2 = _py_try()
            if _py_error2 == None:
                if item:
                    _py_returned3 = server.get(id = item)
                    _commit()
                    _commit()
                    print("end")
                    return _py_returned3
                _commit()
                _commit()
                print("end")
                continue
                print("else")
            elif _py_error2["type"] in ["KeyError"]:
                e = _py_error2["message"]
                print(_py_error2["message"])
            else:
                _py_reraise(_py_error2)
            _commit()
        print("end")
        if _py_error1 != None:
            _py_reraise(_py_error1)
    return None
""")
