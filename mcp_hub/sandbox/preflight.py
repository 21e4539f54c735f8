"""What can be known of a program before anything of it runs.

Starlark is nearly a subset of Python's syntax and its interpreter gives no access to syntax nodes, so Python's
own `ast` reads the program. A program that only Starlark can parse is run unchecked: this finds mistakes
early, it doesn't guard anything.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcp_hub.errors import nearest
from mcp_hub.sandbox import habits

DYNAMIC = frozenset({"getattr", "hasattr", "dir"})
"""Builtins by which a program may reach a tool that it doesn't spell out."""


@dataclass
class Reading:
    """What a program's text says about itself."""

    assigned: set[str] = field(default_factory=set)
    """Names bound at the top level."""
    functions: set[str] = field(default_factory=set)
    """Functions defined at the top level."""
    uses: dict[str, dict[str, int]] = field(default_factory=dict)
    """Namespace -> attribute -> the line of its first use."""
    whole: set[str] = field(default_factory=set)
    """Namespaces that are used otherwise than by one of their attributes, or whose name is also a variable's."""
    dynamic: bool = False
    habits: list[tuple[int, str]] = field(default_factory=list)
    """What is Python and not Starlark: line, and what to write instead."""
    calls_main: bool = False
    """Whether the top level calls `main` by itself, as programs in Python do."""


def read(code: str, namespaces: Sequence[str]) -> Reading | None:
    """Read `code` for what it defines and which attributes of `namespaces` it uses.

    None when Python can't parse it. Raises RecursionError or MemoryError for a program nested too deep.
    """
    try:
        tree = ast.parse(code, "program")
    except (SyntaxError, ValueError):
        return None
    reading = Reading()
    for statement in tree.body:
        _bind(statement, reading)
    reading.calls_main = any(_calls_main(statement) for statement in tree.body)
    nodes = list(ast.walk(tree))
    names = set(namespaces)
    bound = {name for node in nodes for name in _bound_by(node)}
    own = names - bound
    reading.habits = habits.found(nodes, frozenset(names | bound))
    attributes: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in own:
            attributes.add(id(node.value))
            reading.uses.setdefault(node.value.id, {}).setdefault(node.attr, node.lineno)
        elif isinstance(node, ast.Name):
            if node.id in DYNAMIC:
                reading.dynamic = True
            elif node.id in names and id(node) not in attributes:
                reading.whole.add(node.id)
    return reading


def problems(reading: Reading, namespaces: Mapping[str, Sequence[str]], unavailable: Mapping[str, str]) -> list[str]:
    """What is wrong with a program and the tools that it uses, a line each, in the order of the program.

    `unavailable` are namespaces that exist but can't be used now, with the reason.
    """
    found = [(line, f"line {line}: {text}.") for line, text in reading.habits]
    for namespace, attributes in reading.uses.items():
        if namespace in unavailable:
            line = min(attributes.values())
            found.append((line, f"line {line}: {unavailable[namespace]}"))
            continue
        for attribute, line in attributes.items():
            if attribute in namespaces[namespace]:
                continue
            near = nearest(attribute, namespaces[namespace])
            hint = (
                f"Did you mean {' or '.join(f'{namespace}.{n}' for n in near)}?"
                if near
                else f"readToolFile('servers/{namespace}.pyi') shows what it has."
            )
            found.append((line, f"line {line}: {namespace} has no tool {attribute!r}. {hint}"))
    return [text for _, text in sorted(found)]


def _calls_main(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef):
        return False
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "main"
        for node in ast.walk(statement)
    )


def _bound_by(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
            return (name,)
        case _:
            return ()


def _bind(statement: ast.stmt, reading: Reading) -> None:
    if isinstance(statement, ast.FunctionDef):
        reading.assigned.add(statement.name)
        reading.functions.add(statement.name)
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            _bind_target(target, reading)
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        _bind_target(statement.target, reading)
    elif isinstance(statement, ast.For):
        _bind_target(statement.target, reading)
        for inner in (*statement.body, *statement.orelse):
            _bind(inner, reading)
    elif isinstance(statement, ast.If):
        for inner in (*statement.body, *statement.orelse):
            _bind(inner, reading)


def _bind_target(target: ast.expr, reading: Reading) -> None:
    if isinstance(target, ast.Name):
        reading.assigned.add(target.id)
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            _bind_target(element, reading)
