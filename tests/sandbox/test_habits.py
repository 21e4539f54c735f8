"""Python habits that can't be made to work: each is told with its line and what works; what works isn't told."""

import ast

import pytest
from inline_snapshot import snapshot

from mcp_hub.sandbox.habits import FUNCTIONS, MODULES, STATEMENTS, found
from tests.sandbox.lowering.interpreter import PROGRAMS, programs

HABITS = [
    "try:\n    x = 1\nexcept* ValueError:\n    x = 2",
    "x = a @ b",
    "with open('f') as f:\n    x = f",
    "class A:\n    b = 1",
    "from dataclasses import dataclass\n@dataclass\nclass A:\n    b: int",
    "def f():\n    x = yield 1",
    "def f():\n    while True:\n        yield 1",
    "x.a = 1",
    "del x.a",
    "x = b'a'",
    "x = 'a'.encode()",
    "x = 'a'.encode('utf-8')",
    "x = 1j",
    "from json import *",
    "from math import nothing",
    "import nothing",
    "from . import x",
    "from collections import defaultdict\nd['a'] = defaultdict(list)",
    "match x:\n    case P(a=1):\n        y = 1",
]


def told(code: str, servers: frozenset[str] = frozenset()) -> list[tuple[int, str]]:
    return found(ast.walk(ast.parse(code)), frozenset(), servers)


@pytest.mark.parametrize("code", HABITS)
def test_what_cannot_be_made_to_work_is_told_with_a_line(code: str) -> None:
    assert told(code)
    assert all(1 <= line <= len(code.splitlines()) for line, _ in told(code))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_that_is_not_there_is_told_unless_the_program_defines_it(name: str) -> None:
    nodes = list(ast.walk(ast.parse(f"x = {name}([1, 2])")))
    assert found(nodes, frozenset()) == [(1, FUNCTIONS[name])]
    assert found(nodes, frozenset({name})) == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_that_is_not_there_is_told_unless_a_server_is_called_so(name: str) -> None:
    for code in (f"import {name}", f"import {name} as p", f"from {name} import part"):
        assert told(code) == [(1, MODULES[name])]
        assert told(code, frozenset({name.partition(".")[0]})) == []


def test_an_import_of_a_server_from_anywhere_is_left_alone() -> None:
    assert told("from servers import github", frozenset({"github"})) == []
    assert told("from servers import github")


def test_a_tool_that_is_named_as_a_method_is_a_tool() -> None:
    assert told('x = calc.encode(action="decode", input="a")', frozenset({"calc"})) == []
    assert told('x = calc.encode(encoding="utf-8")')


def test_every_habit_of_the_table_has_its_example() -> None:
    seen = {type(node) for code in HABITS for node in ast.walk(ast.parse(code))}
    assert set(STATEMENTS) <= seen


@pytest.mark.parametrize(
    "file", sorted({path.stem for path in PROGRAMS.glob("*.txt")} - {"operators", "texts", "expressions", "types"})
)
def test_what_works_is_not_told(file: str) -> None:
    assert {title: told(code) for title, code in programs(file).items() if told(code)} == {}


@pytest.mark.parametrize(
    "code",
    [
        "class Failed(Exception):\n    pass",
        "class Bad(KeyError): pass\nclass Worse(Bad): pass",
        "from typing import TypedDict\nclass Row(TypedDict):\n    a: int",
        "import contextlib\nwith contextlib.suppress(KeyError):\n    x = 1",
        "import asyncio\nlimit = asyncio.Semaphore(5)\nasync def f():\n    async with limit:\n        return 1",
        "import json\nx = json.encode({'a': 1})",
        "def f():\n    while True:\n        yield 1\n        if x:\n            break",
        "from collections import defaultdict\nd = defaultdict(lambda: defaultdict(int))",
        "import urllib.parse, json as os",
    ],
)
def test_what_the_lowering_takes_is_not_told(code: str) -> None:
    assert told(code) == []


def test_all_of_a_program_are_told_in_its_order() -> None:
    code = """\
import os, json
count = 0
class Issue:
    pass
for number in range(3):
    try:
        count += 1
        text = server.read(number=number)
    except Exception:
        continue
with open("out.txt") as f:
    f.write(count)
result = count"""
    assert "\n".join(f"line {line}: {text}" for line, text in told(code)) == snapshot("""\
line 1: there are no files: a server's tools read and write
line 3: there is no class, but of exceptions: use dicts and functions, or collections.namedtuple('Point', ['x', 'y'])
line 7: in a try, what was changed before the failure is undone: move this line before the try, or after the call
line 11: there are no files: a server's tools read and write\
""")
