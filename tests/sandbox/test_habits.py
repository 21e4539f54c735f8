"""Python habits: each is told with its line and what works, and none that the interpreter does take is told."""

import ast

import pytest
import starlark
from inline_snapshot import snapshot

from mcp_hub.sandbox.habits import FUNCTIONS, STATEMENTS, found
from mcp_hub.sandbox.worker import PRELUDE, _dialect, _globals

HABITS = [
    "while True:\n    break",
    "try:\n    x = 1\nexcept Exception:\n    x = 2",
    "try:\n    x = 1\nexcept* ValueError:\n    x = 2",
    "raise ValueError('x')",
    "assert 1 == 1",
    "with x as y:\n    y",
    "class A:\n    b = 1",
    "async def f():\n    return 1",
    "async def f():\n    async for x in y:\n        x",
    "async def f():\n    async with x:\n        x",
    "async def f():\n    await x",
    "def f():\n    yield 1",
    "def f():\n    yield from [1]",
    "def f():\n    global x\n    x = 1",
    "def f():\n    def g():\n        nonlocal x\n    x = 1",
    "d = {}\ndel d['a']",
    "match 1:\n    case 1:\n        x = 2",
    "if (x := 1):\n    x",
    "x = {1, 2}",
    "x = {y for y in [1]}",
    "x = sum(y for y in [1])",
    "import json",
    "import os, re",
    "from datetime import date",
    "x = 1 is None",
    "x = 1 is not None",
    "x = 1 < 2 < 3",
    "x = 2 ** 3",
    "first, *rest = [1, 2]",
    "x = {**{}, 'a': 1}",
    "for x in [1]:\n    pass\nelse:\n    y = 1",
    "@f\ndef g():\n    return 1",
    "d = {}\nx = f\"{d['a']}\"",
]


def refused(code: str) -> bool:
    """Whether the interpreter itself can't run it."""
    module = starlark.Module()
    module.add_callable("_print", print)
    try:
        starlark.eval(module, starlark.parse("prelude", PRELUDE, _dialect()), _globals())
        starlark.eval(module, starlark.parse("program", code, _dialect()), _globals())
    except starlark.StarlarkError:
        return True
    return False


@pytest.mark.parametrize("code", HABITS)
def test_what_the_interpreter_refuses_is_told_with_a_line(code: str) -> None:
    assert refused(code)
    told = found(ast.walk(ast.parse(code)), frozenset())
    assert told
    assert all(1 <= line <= len(code.splitlines()) for line, _ in told)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_that_is_not_there_is_told_unless_the_program_defines_it(name: str) -> None:
    code = f"x = {name}([1, 2])"
    assert refused(code)
    assert found(ast.walk(ast.parse(code)), frozenset()) == [(1, FUNCTIONS[name])]
    assert found(ast.walk(ast.parse(code)), frozenset({name})) == []


def test_every_habit_of_the_table_has_its_example() -> None:
    seen = {type(node) for code in HABITS for node in ast.walk(ast.parse(code))}
    assert set(STATEMENTS) <= seen


@pytest.mark.parametrize(
    "code",
    [
        "x = [y * 2 for y in range(3) if y]",
        "x = {y: y for y in [1]}",
        "f = lambda a, b=1: a + b",
        "def f(*args, **kwargs):\n    return args\nx = f(*[1], **{'a': 1})",
        "x = 1 if 2 > 1 else 3",
        "y = 2\nx = f'{y}'",
        "x = 1 == 1 and not 2 == 3",
        "a, (b, c) = 1, (2, 3)",
        "x = [1, 2, 3][::2]",
        "x = {'a': 1} | {'b': 2}",
    ],
)
def test_what_works_is_not_told(code: str) -> None:
    assert not refused(code)
    assert found(ast.walk(ast.parse(code)), frozenset()) == []


def test_all_of_a_program_are_told_in_its_order() -> None:
    code = "import json\nx = 0\nwhile x < 3:\n    x += 1\nresult = set([x]) if x is not None else 2 ** x"
    assert "\n".join(
        f"line {line}: {text}" for line, text in found(ast.walk(ast.parse(code)), frozenset())
    ) == snapshot("""\
line 1: nothing is imported: json.decode(text) and json.encode(value) are there
line 3: there is no while: loop over a range and break, for _ in range(1000): if done: break
line 5: there are no sets: {x: None for x in items} has each once, sorted(that) as a list
line 5: there is no **: multiply, x * x
line 5: there is no is: == None, != None\
""")
