"""What statements change: variables that get another value, and things that variables stand for.

Pure. A change is told of the variable through which it was made, which may stand for a part of another's value.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from mcp_hub.sandbox.lowering.liveness import Names, names

Function = ast.FunctionDef | ast.AsyncFunctionDef

CHANGING = frozenset(
    [
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "clear",
        "add",
        "discard",
        "update",
        "setdefault",
        "popitem",
        "sort",
        "reverse",
        "appendleft",
        "popleft",
        "extendleft",
    ]
)
"""Methods that change what they are called on."""


@dataclass(frozen=True)
class Change:
    name: str
    line: int
    in_loop: bool
    assigns: bool
    """Whether the name gets another value, and not what it stands for."""


def changes(nodes: Sequence[ast.AST], in_loop: bool) -> list[Change]:
    """What one statement, given as all its nodes, changes."""
    found: list[Change] = []
    own: set[str] = set()
    for each in nodes:
        match each:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.append(Change(name, each.lineno, in_loop, assigns=True))
            case ast.Subscript(ctx=ast.Store() | ast.Del(), value=value):
                if (root := root_name(value)) is not None:
                    found.append(Change(root, each.lineno, in_loop, assigns=False))
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in CHANGING:
                if (root := root_name(value)) is not None:
                    found.append(Change(root, each.lineno, in_loop, assigns=False))
            case ast.comprehension(target=target):
                own |= names(target)
            case _:
                pass
    return [change for change in found if not (change.assigns and change.name in own)]


def root_name(node: ast.expr) -> str | None:
    """The variable that an item or an attribute belongs to."""
    while True:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Subscript(value=value) | ast.Attribute(value=value):
                node = value
            case ast.Call(func=ast.Attribute(value=value, attr="setdefault" | "items" | "values")):
                node = value
            case _:
                return None


def origins_of(body: Sequence[ast.stmt]) -> dict[str, str | None]:
    """Names that a body binds -> the variable whose part they are; None for what is made in the body."""
    found: dict[str, str | None] = {}
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        found.update(dict.fromkeys(_stored(target), root_name(value)))
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    found.update(dict.fromkeys(_stored(target), root_name(value)))
                case ast.For(target=target, iter=values) | ast.AsyncFor(target=target, iter=values):
                    found.update(dict.fromkeys(_stored(target), root_name(values)))
                case _:
                    pass
    return found


def _stored(target: ast.expr) -> list[str]:
    return [each.id for each in ast.walk(target) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]


def outermost(name: str, origins: dict[str, str | None]) -> str | None:
    """The variable from outside of the body that `name` is a part of; None when it was made within."""
    seen: set[str] = set()
    current: str | None = name
    while current is not None and current in origins and current not in seen:
        seen.add(current)
        current = origins[current]
    return current


def parameters_of(function: Function) -> list[str]:
    arguments = function.args
    return [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def assigned_by(function: Function) -> Names:
    found = {each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return frozenset(found | set(parameters_of(function))) - declared_by(function)


def declared_by(function: Function) -> Names:
    """Names of other scopes that a function assigns."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            found |= set(node.names)
    return frozenset(found)


def bound_in(nodes: Sequence[ast.AST]) -> Names:
    """The names that a program, given as all its nodes, binds anywhere."""
    found: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case _:
                pass
    return frozenset(found)
