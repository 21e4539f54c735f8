"""What a program finds when it begins: an interpreter that takes what programs write, and what stands behind it."""

from collections.abc import Callable
from typing import Any

import pytest
import starlark
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox.environment import HOST_FUNCTIONS, Environment, dialect, fresh
from mcp_hub.sandbox.program import Program


class Behind:
    """Stands behind the host functions: notes each call, answers it as it was told."""

    def __init__(self, **answers: Any) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._answers = answers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.calls.append((name, args))
            answer = self._answers.get(name)
            return answer.pop(0) if isinstance(answer, list) else answer

        return call


def evaluate(code: str, behind: Behind | None = None, environment: Environment | None = None) -> Any:
    """The value of a text's last expression."""
    environment = environment or fresh()
    environment.program = behind or Behind()
    return starlark.eval(environment.module, starlark.parse("program", code, dialect()), environment.globals)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("x = 0\nfor i in range(3):\n    x += i\nx", 3),
        ("x = 1\nif x:\n    x = 2\nx", 2),
        ("n = 'a'\nf'{n}!'", "a!"),
        ("(lambda a: a + 1)(1)", 2),
        ("def f(a: int) -> int:\n    return a\nf(1)", 1),
        ("[a for a in map(str, [1])] + list(filter(None, ['', 'b']))", ["1", "b"]),
        ("struct(a = 1).a", 1),
    ],
)
def test_the_interpreter_takes_what_programs_write(code: str, value: Any) -> None:
    assert evaluate(code) == value


@pytest.mark.parametrize("name", HOST_FUNCTIONS)
def test_each_host_function_has_a_method_of_the_program_behind_it(name: str) -> None:
    assert callable(getattr(Program, "try_" if name == "_try" else name.removeprefix("_")))


def test_a_host_function_reaches_whoever_is_behind_it_at_the_time() -> None:
    environment = fresh()
    first, second = Behind(recall=1), Behind(recall=2)
    assert evaluate("recall('a')", first, environment) == 1
    assert evaluate("recall('b')", second, environment) == 2
    assert (first.calls, second.calls) == ([("recall", ("a",))], [("recall", ("b",))])


def test_parallel_forks_for_each_item_and_joins_in_the_main_line() -> None:
    behind = Behind(fork=None, join=[["x"]])
    assert evaluate("parallel(lambda i: fail('not here'), [1, 2])", behind) == ["x"]
    assert behind.calls == [("fork", (2,)), ("join", ())]


def test_parallel_runs_its_function_in_the_branch_and_hands_the_value_over() -> None:
    behind = Behind(fork=1, join=[[]])
    evaluate("parallel(lambda i: i * 10, [1, 2, 3])", behind)
    assert behind.calls == [("fork", (3,)), ("done", (20,)), ("join", ())]


def test_attempt_commits_after_its_function_and_not_before() -> None:
    behind = Behind(recall="kept")
    code = "a = attempt(lambda: recall('h'))\n[a.ok, a.value, a.error]"
    assert evaluate(code, behind) == [True, "kept", None]
    assert behind.calls == [("try_", ()), ("recall", ("h",)), ("commit", ())]


def test_attempt_tells_the_error_where_it_failed_and_runs_nothing() -> None:
    behind = Behind(**{"try_": {"message": "no way", "type": "ValueError", "kind": "script"}})
    code = "a = attempt(lambda: recall('h'))\n[a.ok, a.value, a.error]"
    assert evaluate(code, behind) == [False, None, "no way"]
    assert behind.calls == [("try_", ())]


@pytest.mark.parametrize("name", ["len", "list", "struct", "json", "range", "sorted", "str", "print"])
def test_what_the_prelude_needs_is_its_own_whatever_a_program_defines(name: str) -> None:
    code = f"{name} = None\na = attempt(lambda: 1)\n[a.ok, sum([1, 2]), max(1, 2), any([1])]"
    assert evaluate(code) == [True, 3, 2, True]


def test_what_one_program_defines_no_other_finds() -> None:
    evaluate("leak = 1")
    with pytest.raises(starlark.StarlarkError, match="Variable `leak` not found"):
        evaluate("leak")


SHARED = fresh()
"""For many programs that define nothing."""


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text("ab\u00e4 \n\"'"), st.lists, max_leaves=5))
def test_values_reach_the_host_and_come_back_as_they_are(value: Any) -> None:
    behind = Behind(recall=[value])
    assert evaluate(f"recall({value!r})", behind, SHARED) == value
    assert behind.calls == [("recall", (value,))]
