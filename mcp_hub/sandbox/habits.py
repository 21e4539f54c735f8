"""Python habits that can't be made to work here, each with what works instead.

Pure. What Starlark lacks and `lowering` makes up for isn't told. All of a program's are told at once, so that it is
mended in one go.
"""

import ast
from collections.abc import Iterable, Iterator

from mcp_hub.sandbox.lowering import modules, rollback
from mcp_hub.sandbox.lowering.guards import QUIET_CONTEXTS, exception_classes

FILES = "there are no files: a server's tools read and write"

STATEMENTS: dict[type[ast.AST], str] = {
    ast.TryStar: "there is no except*: write except",
    ast.MatMult: "there is no @: multiply in a loop",
}

FUNCTIONS = {
    "open": FILES,
    "input": "nobody can be asked while a program runs: answer with the question",
    "eval": "text can't be run: json.loads(text) reads data, int(text) and float(text) numbers",
    "exec": "text can't be run: write what it says into the program",
    "compile": "text can't be run: write what it says into the program",
    "__import__": "nothing is imported so: json, re, math, datetime and their like are names already",
    "bytes": "there are no bytes: text stays text, [ord(c) for c in text] are its letters' numbers",
    "bytearray": "there are no bytes: text stays text, [ord(c) for c in text] are its letters' numbers",
    "memoryview": "there are no bytes: text stays text, [ord(c) for c in text] are its letters' numbers",
    "complex": "there are no complex numbers: keep two numbers",
    "globals": "variables can't be had by name: keep them in a dict",
    "locals": "variables can't be had by name: keep them in a dict",
    "vars": "variables can't be had by name: keep them in a dict",
    "setattr": "a value's fields can't be set: use a dict, d[\"name\"] = value",
    "delattr": "a value's fields can't be taken away: use a dict, d.pop(\"name\")",
    "super": "there is no class: use dicts and functions",
    "id": "values have no identity: compare with ==",
    "breakpoint": "nobody can look in while a program runs: print(value)",
    "anext": "a generator is a list here: loop over it",
    "aiter": "a generator is a list here: loop over it",
}

MODULES = {
    "os": FILES,
    "pathlib": FILES,
    "random": "there is no chance here: take items[0], or sort and take what comes first",
    "secrets": "there is no chance here, and no clock",
    "uuid": "there is no uuid: count the items, or make an id of what they hold",
    "requests": "there is no network: call the servers' tools",
    "urllib.request": "there is no network: call the servers' tools",
    "http": "there is no network: call the servers' tools",
    "httpx": "there is no network: call the servers' tools",
    "aiohttp": "there is no network: call the servers' tools",
    "subprocess": "there are no processes: call the servers' tools",
    "threading": "there are no threads: parallel(fn, items) runs fn(item) for all items side by side",
    "concurrent": "there are no threads: parallel(fn, items) runs fn(item) for all items side by side",
    "multiprocessing": "there are no processes: parallel(fn, items) runs fn(item) for all items side by side",
    "queue": "there are no threads, so no queue: a list does, with append and pop(0)",
    "logging": "there is no logging: print(...) is answered beside the result",
    "dataclasses": "there is no dataclass: use dicts, or collections.namedtuple",
    "enum": "there is no Enum: use text, or a dict of names",
    "decimal": "there is no Decimal: count in cents, or round(x, 2)",
    "fractions": "there are no fractions: keep numerator and denominator",
    "traceback": "there is no traceback: in except Exception as e, str(e) says what went wrong",
    "pandas": "there is no pandas: lists of dicts, sorted, and dicts to group by",
    "numpy": "there is no numpy: lists, sum, min, max and the statistics module",
    "hashlib": "there is no hashlib: use the value itself as a key",
    "base64": "there are no bytes, so no base64",
}
"""Modules that programs import, each with what is here instead."""

BYTES = "there are no bytes: text stays text"
CLASS = "there is no class, but of exceptions: use dicts and functions, or collections.namedtuple('Point', ['x', 'y'])"
FIELD = "a value's fields can't be set: use a dict, d[\"name\"] = value"
WITH = "there is no with, and there are no files: a server's tools read and write"
SENT = "a generator is a list here, and nothing can be sent into it: yield alone, as a statement"
ENDLESS = "a generator is made as a whole here, and this one has no end: return the items from a function, or break"
DEFAULTS = "a defaultdict must be the value of a variable here: write d.setdefault(key, []) where a key may be missing"

LOOKED_AT = frozenset(
    {*STATEMENTS, ast.Import, ast.ImportFrom, ast.ClassDef, ast.With, ast.AsyncWith, ast.Call, ast.Constant,
     ast.Attribute, ast.Yield, ast.YieldFrom, ast.FunctionDef, ast.MatchClass}
)  # fmt: skip
HOLDING = frozenset({ast.Expr, ast.NamedExpr, ast.Lambda, ast.Assign, ast.AnnAssign})
GUARDS = frozenset({ast.Try, ast.With, ast.AsyncWith})

TYPED = frozenset({"TypedDict", "Protocol"})
"""Classes of typing that say what a dict or a function looks like, and are nothing at run time."""


def found(
    nodes: Iterable[ast.AST], defined: frozenset[str], servers: frozenset[str] = frozenset()
) -> list[tuple[int, str]]:
    """Each habit in a program, given as all its nodes, with its line (from 1), in the program's order.

    `defined` are names that exist; an import of one of `servers` is left alone, since the server is meant.
    """
    program = list(nodes)
    exceptions = exception_classes(program)
    placed = {id(value) for node in program if type(node) in HOLDING for value in _values(node)}
    told: set[tuple[int, str]] = set()
    for node in program:
        if type(node) not in LOOKED_AT:
            continue
        line = getattr(node, "lineno", 1)
        if (text := STATEMENTS.get(type(node))) is not None:
            told.add((line, text))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            told |= {(line, text) for text in _imports(node, servers)}
        elif isinstance(node, ast.ClassDef):
            if node.name not in exceptions and not _is_typed(node):
                told.add((line, CLASS))
        elif isinstance(node, ast.With | ast.AsyncWith):
            contexts = [item.context_expr for item in node.items]
            if not all(_is_quiet(each, program) or _is_told(each, defined) for each in contexts):
                told.add((line, WITH))
        elif isinstance(node, ast.Call) and _makes_defaults(node) and id(node) not in placed:
            told.add((line, DEFAULTS))
        else:
            told |= {(line, text) for text in _of(node, defined, placed, servers)}
    if any(type(node) in GUARDS for node in program):
        told |= {each for node in program if isinstance(node, ast.Module) for each in rollback.lost(node, program)}
    return sorted(told)


def _of(node: ast.AST, defined: frozenset[str], placed: set[int], servers: frozenset[str]) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS and name not in defined:
            yield FUNCTIONS[name]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="encode")) if name in servers:
            pass  # a tool of that name
        case ast.Call(func=ast.Attribute(attr="encode"), args=args) if _encodes(args):
            yield BYTES
        case ast.Constant(value=bytes()):
            yield BYTES
        case ast.Constant(value=complex()):
            yield FUNCTIONS["complex"]
        case ast.Attribute(ctx=ast.Store() | ast.Del()):
            yield FIELD
        case ast.Yield() | ast.YieldFrom() if id(node) not in placed:
            yield SENT
        case ast.FunctionDef() if _never_ends(node):
            yield ENDLESS
        case ast.MatchClass(kwd_attrs=[_, *_]):
            yield "there is no class, so no pattern of its fields: match a dict, case {'x': x}"
        case _:
            pass


def _values(node: ast.AST) -> Iterator[ast.AST]:
    """What stands where it is certain to be known by a name, or to be a statement of its own."""
    match node:
        case (
            ast.Expr(value=ast.Yield() | ast.YieldFrom() as value) | ast.Lambda(body=value) | ast.NamedExpr(value=value)
        ):
            yield value
        case (
            ast.Assign(targets=[ast.Name(), *_], value=ast.Call() as value)
            | ast.AnnAssign(target=ast.Name(), value=ast.Call() as value)
        ):
            yield value
        case _:
            pass


def _imports(node: ast.Import | ast.ImportFrom, servers: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root not in servers and not modules.is_known(alias.name):
                yield _no_module(alias.name)
        return
    module = node.module or "."
    root = module.partition(".")[0]
    if root in servers or all((alias.asname or alias.name) in servers for alias in node.names):
        return
    if not modules.is_known(module):
        yield _no_module(module)
        return
    for alias in node.names:
        if alias.name == "*":
            yield f"import the names: from {module} import ..., or write {module}.name"
        elif not modules.has(module, alias.name):
            yield f"there is no {module}.{alias.name}"


def _no_module(name: str) -> str:
    root = name.partition(".")[0]
    known = f"there is no module {name}: there are {', '.join(sorted(modules.MODULES))}"
    return MODULES.get(name) or MODULES.get(root, known)


def _is_typed(node: ast.ClassDef) -> bool:
    return any((base.id if isinstance(base, ast.Name) else getattr(base, "attr", "")) in TYPED for base in node.bases)


def _is_quiet(context: ast.expr, program: list[ast.AST]) -> bool:
    """Whether a context is one that the lowering takes: suppress, or a lock that was made with asyncio."""
    if isinstance(context, ast.Name):
        return any(
            isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == context.id for target in node.targets)
            and _is_quiet(node.value, program)
            for node in program
        )
    if not isinstance(context, ast.Call):
        return False
    called = context.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return name == "suppress" or any(name == quiet.rpartition(".")[2] for quiet in QUIET_CONTEXTS)


def _is_told(context: ast.expr, defined: frozenset[str]) -> bool:
    """Whether a context is a call that is told already, as open is."""
    return (
        isinstance(context, ast.Call)
        and isinstance(context.func, ast.Name)
        and context.func.id in FUNCTIONS
        and context.func.id not in defined
    )


def _makes_defaults(node: ast.Call) -> bool:
    called = node.func
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == "defaultdict"


def _encodes(args: list[ast.expr]) -> bool:
    """Whether a call of encode is text's: the one of json has a value."""
    return not args or (
        isinstance(args[0], ast.Constant) and str(args[0].value).lower().startswith(("utf", "ascii", "lat"))
    )


def _never_ends(function: ast.FunctionDef) -> bool:
    """Whether a generator has a loop that nothing ends."""
    return any(
        isinstance(node, ast.While)
        and isinstance(node.test, ast.Constant)
        and bool(node.test.value)
        and _any(node.body, ast.Yield, ast.YieldFrom)
        and not _any(node.body, ast.Break, ast.Return, ast.Raise)
        for node in ast.walk(function)
    )


def _any(body: list[ast.stmt], *kinds: type[ast.AST]) -> bool:
    return any(isinstance(node, kinds) for statement in body for node in ast.walk(statement))
