"""Runs lowered programs in the real interpreter, with what they find defined, and the same programs in CPython."""

import ast
from pathlib import Path
from typing import Any

import starlark

from mcp_hub.sandbox import library, lowering
from mcp_hub.sandbox.environment import BRANCHES, PRELUDE, Environment, dialect, fresh
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


class Ground:
    """An environment for one program after the other: to evaluate its prelude takes most of a test's time.

    A program that could find what an earlier one left, or that defines anew what the prelude defines, has its own.
    """

    def __init__(self) -> None:
        self._environment = fresh()
        self._left: set[str] = set()
        texts = (PRELUDE, library.STAR, BRANCHES, lowering.STAR)
        self._prelude = {name for text in texts for name in _bound(ast.parse(text))}

    def environment_for(self, code: str) -> Environment:
        """An environment in which `code` meets nothing but the prelude."""
        tree = ast.parse(code)
        bound = _bound(tree)
        if bound & self._prelude:
            return fresh()
        if self._left & _met(tree):
            self._environment, self._left = fresh(), set()
        self._left |= bound
        self._environment.module["result"] = None  # what a program doesn't set isn't an earlier one's
        return self._environment


def _met(tree: ast.Module) -> set[str]:
    """The names that a program may read before it has set them itself."""
    found: set[str] = set()
    own: set[str] = set()
    for statement in tree.body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        read = {name.id for name in names if isinstance(name.ctx, ast.Load)}
        if isinstance(statement, ast.FunctionDef):
            own.add(statement.name)
            read -= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        found |= read - own
        if isinstance(statement, ast.Assign):
            own |= _bound(statement)
    return found


def _bound(tree: ast.AST) -> set[str]:
    """The names that a program leaves in its module."""
    found: set[str] = set()
    nodes = [tree]
    while nodes:
        match nodes.pop():
            case ast.FunctionDef(name=name):
                found.add(name)
            case ast.Lambda() | ast.ListComp() | ast.DictComp():
                pass
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case node:
                nodes += ast.iter_child_nodes(node)
    return found


GROUND = Ground()


def _run(code: str, failure: dict[str, str] | None) -> tuple[Environment, Any]:
    environment = GROUND.environment_for(code)
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
