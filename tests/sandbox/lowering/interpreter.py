"""Runs lowered programs in the real interpreter, with what they find defined, and the same programs in CPython."""

import ast
from pathlib import Path
from typing import Any

import starlark

from mcp_hub.sandbox import lowering
from mcp_hub.sandbox.environment import Environment, dialect
from mcp_hub.sandbox.lowering import Lowered

PROGRAMS = Path(__file__).parent / "programs"

NAMESPACES = frozenset({"server"})
CALL_DEPTH = 200


def expressions(name: str) -> list[str]:
    """The expressions of a file in `programs`, one a line."""
    return (PROGRAMS / f"{name}.txt").read_text().splitlines()


def programs(name: str, folder: Path = PROGRAMS) -> dict[str, str]:
    """The programs of a file, by what stands in their first comment."""
    found = {}
    for text in (folder / f"{name}.txt").read_text().split("---\n"):
        title, _, code = text.partition("\n")
        found[title.removeprefix("# ")] = code
    return found


def within_function(code: str) -> str:
    """A program that sets `result`, as a function that returns it."""
    body = "\n".join(f"    {line}" for line in code.splitlines())
    return f"def wrapper():\n{body}\n    return result\nresult = wrapper()"


class Host:
    """Stands in for the running program: it prints to a list, and nothing fails before a try commits."""

    def __init__(self) -> None:
        self.printed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None

    def print(self, text: str) -> None:
        self.printed.append(text)


def lowered(code: str) -> Lowered:
    """`code` as Starlark."""
    return lowering.lower(ast.parse(code), NAMESPACES)


def value_of(code: str, failure: dict[str, str] | None = None) -> Any:
    """The value of the last expression of Starlark `code`."""
    return _run(code, failure)[1]


def here(code: str, failure: dict[str, str] | None = None) -> Any:
    """`result` of a program of Python's, lowered and run. `failure` is what every `_try` returns."""
    return _run(lowered(code).code, failure)[0].module["result"]


def as_it_stands(code: str) -> Any:
    """`result` of a program that isn't lowered."""
    return _run(code, None)[0].module["result"]


def _run(code: str, failure: dict[str, str] | None) -> tuple[Environment, Any]:
    environment = Environment()
    environment.evaluate_prelude()
    environment.program = Host()
    environment.module.add_callable("_try", lambda: failure)
    environment.module.add_callable("_commit", lambda: None)
    options = starlark.EvalOptions(max_callstack_size=CALL_DEPTH)
    program = starlark.parse("program", code, dialect())
    return environment, starlark.eval_with(options, environment.module, program, environment.globals).value


def in_python(code: str) -> Any:
    """`result` of a program in CPython, as JSON would carry it: tuples are lists."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "program", "exec"), variables)
    return as_data(variables.get("result"))


def as_data(value: Any) -> Any:
    """A value with tuples as lists."""
    if isinstance(value, list | tuple):
        return [as_data(each) for each in value]
    if isinstance(value, dict):
        return {key: as_data(each) for key, each in value.items()}
    return value


def same(code: str) -> None:
    """Check that a program means the same here and in CPython, types included."""
    expected = in_python(code)
    found = here(code)
    assert repr(found) == repr(expected), f"{found!r} here, {expected!r} in CPython\n{lowered(code).code}"
