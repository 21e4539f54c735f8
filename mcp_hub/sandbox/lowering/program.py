"""A whole program: its header, its top level, and the function around it when it ends early."""

import ast
from collections.abc import Sequence

from mcp_hub.sandbox.lowering import modules, scopes
from mcp_hub.sandbox.lowering.core import Output, Program, box
from mcp_hub.sandbox.lowering.expressions import Expressions
from mcp_hub.sandbox.lowering.guards import exception_classes
from mcp_hub.sandbox.lowering.kinds import Kinds
from mcp_hub.sandbox.lowering.patterns import Patterns

ANSWERS = ("result", "main")
"""What is looked for in the module when the program has ended."""

SETS = frozenset({"set", "frozenset"})
DATES = frozenset({"datetime", "timedelta"})
WRAPPER, VALUE = "_py_program", "_py_value"


def emitted(tree: ast.Module, nodes: Sequence[ast.AST], namespaces: frozenset[str]) -> Output:
    """The Starlark of a program, given also as all its nodes."""
    read = scopes.read(tree, namespaces)
    names = _names(nodes)
    program = Program(
        scopes=read,
        namespaces=namespaces,
        kinds=Kinds(read, namespaces),
        sets=bool(names & SETS) or any(type(node) in (ast.Set, ast.SetComp) for node in nodes),
        dates=bool(names & DATES),
        exceptions=exception_classes(nodes),
    )
    body = _top_level(tree.body)
    wrapped = any(_returns(statement) for statement in body)
    if wrapped:
        read.module.boxed |= {name for name in ANSWERS if name in read.module.bound}
    output = Output()
    statements = Patterns(Expressions(program), output)
    if wrapped:
        _wrapped(body, statements, output)
    else:
        for statement in body:
            statements.statement(statement)
    last = (tree.body[-1].end_lineno or 1) if tree.body else 1
    for name in ANSWERS:
        if name in read.module.boxed:
            output.add(f"{name} = {box(name)}[0]", last)
    if wrapped:
        output.add(VALUE, last)
    header = Output()
    for name in sorted(program.modules):
        header.add(f"{modules.alias(name)} = {name}", 1)
    for name in sorted(read.module.boxed):
        header.add(f"{box(name)} = [None]", 1)
    return Output([*header.lines, *output.lines], [*header.numbers, *output.numbers])


def _wrapped(body: Sequence[ast.stmt], statements: Patterns, output: Output) -> None:
    """The program as a function, so that it can return; what it loads stays outside."""
    inner = []
    for statement in body:
        if _loads(statement):
            statements.statement(statement)
        else:
            inner.append(statement)
    if inner and isinstance(inner[-1], ast.Expr):
        last = ast.Return(inner[-1].value)
        inner[-1] = ast.copy_location(last, inner[-1])
    output.add(f"def {WRAPPER}():", 1)
    statements.body(inner)
    output.add(f"{VALUE} = {WRAPPER}()", body[-1].end_lineno or 1)


def _top_level(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements of the top level; those of `if __name__ == "__main__"` are among them, and an exit returns."""
    found: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.If(
                test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]),
                body=inner,
            ):
                found += _top_level(inner)
            case _:
                found.append(_exiting(statement))
    return found


def _exiting(statement: ast.stmt) -> ast.stmt:
    """A statement with each exit of the top level as a return, so that what has been answered stays so."""
    match statement:
        case ast.Expr(value=ast.Call(func=function, args=arguments)) if _is_exit(function):
            return _returned(statement, arguments)
        case ast.Raise(exc=ast.Call(func=function, args=arguments)) if _is_exit(function):
            return _returned(statement, arguments)
        case ast.Raise(exc=ast.Name(id="SystemExit")):
            return _returned(statement, [])
        case ast.If(test=test, body=body, orelse=orelse):
            inner: ast.stmt = ast.If(test, [_exiting(each) for each in body], [_exiting(each) for each in orelse])
        case ast.While(test=test, body=body, orelse=orelse):
            inner = ast.While(test, [_exiting(each) for each in body], orelse)
        case ast.For(target=target, iter=values, body=body, orelse=orelse):
            inner = ast.For(target, values, [_exiting(each) for each in body], orelse)
        case _:
            return statement
    return ast.copy_location(inner, statement)


def _returned(statement: ast.stmt, arguments: list[ast.expr]) -> ast.stmt:
    """An exit as a return, unless it tells of a failure."""
    status = arguments[0] if arguments else None
    if isinstance(status, ast.JoinedStr) or (isinstance(status, ast.Constant) and status.value not in (0, None)):
        return statement
    value = None if isinstance(status, ast.Constant) else status
    return ast.copy_location(ast.Return(value), statement)


def _is_exit(function: ast.expr) -> bool:
    match function:
        case ast.Name(id="exit" | "quit" | "SystemExit"):
            return True
        case ast.Attribute(value=ast.Name(id="sys"), attr="exit"):
            return True
        case _:
            return False


def _returns(statement: ast.stmt) -> bool:
    """Whether a statement of the top level ends the program."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Return):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            pending += ast.iter_child_nodes(node)
    return False


def _loads(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="load"))):
            return True
        case _:
            return False


def _names(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that a program reads or binds, and those that it imports, or from where."""
    found: set[str] = set()
    for node in nodes:
        kind = type(node)
        if kind is ast.Name or kind is ast.alias or kind is ast.ImportFrom:
            match node:
                case ast.Name(id=name) | ast.alias(name=name) | ast.ImportFrom(module=str(name)):
                    found.add(name)
                case _:
                    pass
    return found
