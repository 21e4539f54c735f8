"""What can be known of a program before anything of it runs.

Starlark is nearly a subset of Python's syntax and its interpreter gives no access to syntax nodes, so Python's
own `ast` reads the program. A program that only Starlark can parse is run unchecked: this finds mistakes
early, it doesn't guard anything.
"""

import ast
import builtins
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_hub.errors import nearest
from mcp_hub.names import BUILTINS
from mcp_hub.sandbox import habits, library

DYNAMIC = frozenset({"getattr", "hasattr", "dir"})
"""Builtins by which a program may reach a tool that it doesn't spell out."""

PROVIDED = frozenset({"attempt", "parallel", "recall", "load"})
"""What the prelude defines with the process behind it (`program`), beside the library's names."""

DEFINED = frozenset({*BUILTINS, *PROVIDED, *library.NAMES, *dir(builtins), "exit", "quit", "__name__", "__file__"})
"""Names that a program needn't define: those it finds, and Python's, which have their own answers (`habits`)."""

SCALARS = (str, int, float, bool, type(None))
"""What JSON holds beside lists and objects, and may stand as a key."""

RESERVED = frozenset({"_commit", "_done", "_exit", "_fork", "_join", "_print", "_recall", "_struct", "_try"})
"""Names that what the hub defines needs; they can't be a program's."""

Problem = tuple[int, str, str]
"""Line, kind (as a ScriptError's), what is wrong and what to write instead."""


@dataclass
class Reading:
    """What a program's text says about itself."""

    tree: ast.Module
    nodes: list[ast.AST] = field(default_factory=list)
    """All of the tree's nodes."""
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
    calls: list[dict[str, Any]] = field(default_factory=list)
    """Each call of a namespace's attribute: line, server, tool; args and kwargs, a constant as [value], else []; and
    `open` for one that unpacks further arguments."""
    undefined: dict[str, int] = field(default_factory=dict)
    """Names that nothing defines -> the line of their first use."""
    names: set[str] = field(default_factory=set)
    """Names that the program binds anywhere."""
    calls_main: bool = False
    """Whether the top level calls `main` by itself, as programs in Python do."""


def read(code: str, namespaces: Sequence[str]) -> Reading | None:
    """Read `code` for what it defines and which attributes of `namespaces` it uses and calls.

    None when Python can't parse it. Raises RecursionError or MemoryError for a program nested too deep.
    """
    try:
        tree = ast.parse(code, "program")
    except (SyntaxError, ValueError):
        return None
    reading = Reading(tree, _nodes(tree))
    for statement in tree.body:
        _bind(statement, reading)
    if any(isinstance(node, ast.Global | ast.NamedExpr) for node in reading.nodes):
        reading.assigned.update(_assigned_elsewhere(reading.nodes))
    reading.calls_main = any(_calls_main(statement) for statement in tree.body)
    names = set(namespaces)
    for node in reading.nodes:
        if type(node) in BINDING:
            # Where a server has the name of an imported module, the server is meant.
            imports = isinstance(node, ast.Import | ast.ImportFrom)
            reading.names.update(name for name in _bound_by(node) if not (imports and name in names))
    own = names - reading.names
    reading.habits = habits.found(reading.nodes, frozenset(names | reading.names), frozenset(names))
    attributes: set[int] = set()
    for node in reading.nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in own:
            attributes.add(id(node.value))
            reading.uses.setdefault(node.value.id, {}).setdefault(node.attr, node.lineno)
        elif isinstance(node, ast.Call):
            if isinstance(of := node.func, ast.Attribute) and isinstance(of.value, ast.Name) and of.value.id in own:
                reading.calls.append(_call(node, of.value.id, of.attr))
        elif isinstance(node, ast.Name):
            if node.id in DYNAMIC:
                reading.dynamic = True
            elif node.id in names:
                if id(node) not in attributes:
                    reading.whole.add(node.id)
            elif node.id not in reading.names and node.id not in DEFINED:
                reading.undefined.setdefault(node.id, node.lineno)
    return reading


def unreadable(code: str) -> str:
    """Why Python can't parse a program, with the line."""
    try:
        ast.parse(code, "program")
    except SyntaxError as error:
        return f"line {error.lineno}: this can't be read: {error.msg}."
    except ValueError as error:
        return f"This can't be read: {error}."
    return "This can't be read."


def problems(
    reading: Reading,
    namespaces: Mapping[str, Sequence[str]],
    unavailable: Mapping[str, str],
    servers: Sequence[str],
) -> list[Problem]:
    """What is wrong with a program and the names that it uses.

    `unavailable` are namespaces that exist but can't be used now, with the reason; `servers` is every namespace.
    """
    found: list[Problem] = [(line, "syntax", f"{text}.") for line, text in reading.habits]
    for name in reading.names & RESERVED:
        found.append((1, "name", f"the name {name} is the hub's own: call it otherwise."))
    for name, line in reading.undefined.items():
        near = nearest(name, [*servers, *reading.names, *PROVIDED, *library.NAMES])
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Servers: {', '.join(servers) or 'none'}."
        found.append((line, "name", f"nothing is called {name!r}, no server and nothing in the program. {hint}"))
    for namespace, attributes in reading.uses.items():
        if namespace in unavailable:
            found.append((min(attributes.values()), "name", unavailable[namespace]))
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
            found.append((line, "name", f"{namespace} has no tool {attribute!r}. {hint}"))
    return sorted(found)


def _call(node: ast.Call, server: str, tool: str) -> dict[str, Any]:
    unpacks = any(isinstance(arg, ast.Starred) for arg in node.args) or any(word.arg is None for word in node.keywords)
    return {
        "line": node.lineno,
        "server": server,
        "tool": tool,
        "args": [_constant(arg) for arg in node.args if not isinstance(arg, ast.Starred)],
        "kwargs": {word.arg: _constant(word.value) for word in node.keywords if word.arg is not None},
        "open": unpacks,
    }


def _constant(node: ast.expr) -> list[Any]:
    """[value] for what is written out, [] for what the program computes."""
    try:
        value = ast.literal_eval(node)
        return [value] if _is_data(value) else []
    except (ValueError, TypeError, SyntaxError):
        return []


def _is_data(value: Any) -> bool:
    """Whether JSON can hold a literal's value."""
    match value:
        case dict():
            return all(isinstance(key, SCALARS) for key in value) and all(map(_is_data, value.values()))
        case list() | tuple():
            return all(map(_is_data, value))
        case _:
            return isinstance(value, SCALARS)


def _calls_main(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef):
        return False
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "main"
        for node in ast.walk(statement)
    )


BINDING = frozenset(
    {ast.Name, ast.arg, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs}
    | {ast.MatchStar, ast.MatchMapping, ast.Import, ast.ImportFrom, ast.Call}
)
"""Nodes that may bind a name."""


def _nodes(tree: ast.Module) -> list[ast.AST]:
    """All nodes but those that only say whether a name is read or written: `ast.walk` takes three times as long."""
    found: list[ast.AST] = [tree]
    for node in found:  # it grows meanwhile
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST) and name != "ctx":
                found.append(value)
    return found


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case (
            ast.Name(id=name, ctx=ast.Store())
            | ast.arg(arg=name)
            | ast.FunctionDef(name=name)
            | ast.AsyncFunctionDef(name=name)
            | ast.ClassDef(name=name)
            | ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.MatchMapping(rest=str(name))
        ):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in aliases)
        case ast.Call(func=ast.Name(id="load"), args=[_, *loaded], keywords=words):
            yield from (each.value for each in loaded if isinstance(each, ast.Constant) and isinstance(each.value, str))
            yield from (word.arg for word in words if word.arg is not None)


def _bind(statement: ast.stmt, reading: Reading) -> None:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
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
    elif isinstance(statement, ast.If | ast.While):
        for inner in (*statement.body, *statement.orelse):
            _bind(inner, reading)
    elif isinstance(statement, ast.With):
        for inner in statement.body:
            _bind(inner, reading)
    elif isinstance(statement, ast.Match):
        for case in statement.cases:
            reading.assigned.update(name for node in ast.walk(case.pattern) for name in _bound_by(node))
            for inner in case.body:
                _bind(inner, reading)
    elif isinstance(statement, ast.Try):
        handled = [inner for handler in statement.handlers for inner in handler.body]
        for inner in (*statement.body, *handled, *statement.orelse, *statement.finalbody):
            _bind(inner, reading)


def _assigned_elsewhere(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Names that are the top level's although a function or an expression assigns them."""
    for node in nodes:
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.NamedExpr):
            yield node.target.id


def _bind_target(target: ast.expr, reading: Reading) -> None:
    if isinstance(target, ast.Name):
        reading.assigned.add(target.id)
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            _bind_target(element, reading)
