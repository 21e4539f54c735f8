"""Whether a program must be lowered: whether it has anything that Starlark lacks or has otherwise.

Pure. A program for which this isn't so is run as it stands, so that its errors show its own columns.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from mcp_hub.sandbox.lowering.calls import LACKING
from mcp_hub.sandbox.lowering.core import RESERVED
from mcp_hub.sandbox.lowering.exceptions import KNOWN
from mcp_hub.sandbox.lowering.loops import MUTATING

ALWAYS = frozenset(
    {
        ast.While, ast.Try, ast.TryStar, ast.Raise, ast.Assert, ast.With, ast.ClassDef, ast.AsyncFunctionDef,
        ast.AsyncFor, ast.AsyncWith, ast.Await, ast.Yield, ast.YieldFrom, ast.Global, ast.Nonlocal, ast.Delete,
        ast.Match, ast.NamedExpr, ast.Set, ast.SetComp, ast.GeneratorExp, ast.Import, ast.ImportFrom, ast.Pow,
        ast.Is, ast.IsNot, ast.AnnAssign, ast.FormattedValue,
    }
)  # fmt: skip
"""Nodes that Starlark lacks or has otherwise, whatever stands in them."""

NAMES = (
    KNOWN
    | frozenset(
        [
            "set",
            "frozenset",
            "isinstance",
            "issubclass",
            "next",
            "iter",
            "callable",
            "object",
            "exit",
            "quit",
            "format",
            "repr",
            "__name__",
            "str",
            "float",
            "int",
            "datetime",
            "timedelta",
        ]
    )
    | {RESERVED}
)
"""Builtins that Starlark lacks, or has otherwise."""

ATTRIBUTES = LACKING | {
    "Counter",
    "defaultdict",
    "timedelta",
    "datetime",
    "date",
    "from_iterable",
    "__name__",
    "__class__",
    "format",
    "fromkeys",
    "maketrans",
    "count",
    RESERVED,
}

TEXTS = frozenset(["lower", "upper", "strip", "lstrip", "rstrip", "replace", "join", "title", "capitalize"])
"""Methods that give text."""

SIMPLE_FORMAT = re.compile(r"(?:[^%]|%[sdrx])*")
DIGITS = re.compile(r"\d_\d")
ONE_LITERAL = re.compile(
    r"""[rRuU]?(?:'''(?:(?!''').)*'''|\"{3}(?:(?!\"{3}).)*\"{3}|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")""", re.DOTALL
)


@dataclass
class _Names:
    """What is done with names, which decides only together whether it matters."""

    gone_over: set[str] = field(default_factory=set)
    text: set[str] = field(default_factory=set)
    other: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    def differ(self) -> bool:
        """Whether a loop goes over what may be text, or over what it changes."""
        return bool(self.gone_over & (self.text | self.changed) or self.gone_over - self.other)


def needed(nodes: Iterable[ast.AST], code: str) -> bool:
    """Whether anything among a program's nodes needs lowering."""
    if DIGITS.search(code) is not None or "\\N{" in code:
        return True
    lines: list[bytes] = []
    names = _Names()
    for node in nodes:
        if type(node) in ALWAYS or _differs(node, names):
            return True
        if isinstance(node, ast.Constant):
            if node.value is ... or isinstance(node.value, bytes | complex):
                return True
            if isinstance(node.value, str):
                lines = lines or code.encode(errors="replace").split(b"\n")
                if not _is_one_literal(node, node.value, lines):
                    return True
    return names.differ()


def _differs(node: ast.AST, names: _Names) -> bool:
    match node:
        case ast.Name(id=name):
            return name in NAMES
        case ast.Attribute(attr=attribute):
            return attribute in ATTRIBUTES
        case ast.Call():
            return _call_differs(node, names)
        case ast.Compare():
            return _comparison_differs(node)
        case ast.BinOp(left=left, op=op, right=right):
            if isinstance(op, ast.Mod) and isinstance(left, ast.Constant) and isinstance(left.value, str):
                return SIMPLE_FORMAT.fullmatch(left.value) is None or isinstance(right, ast.Dict | ast.List)
            return _is_bool(left) or _is_bool(right) or _is_view(left)
        case ast.For(iter=values, orelse=orelse):
            return bool(orelse) or _goes_over(values, names)
        case ast.comprehension(iter=values):
            return _goes_over(values, names)
        case ast.Assign() | ast.AugAssign() | ast.Starred():
            return _assignment_differs(node, names)
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
            names.changed.add(name)
            return False
        case ast.Subscript(slice=ast.Tuple()):
            return True
        case ast.Subscript(slice=inner) | ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Invert(), operand=inner) if (
            _is_bool(inner)
        ):
            return True
        case ast.Dict(keys=keys):
            return None in keys
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return any(isinstance(each, ast.Starred) for each in elements)
        case ast.FunctionDef(decorator_list=decorators, returns=returns, args=arguments):
            return bool(decorators) or returns is not None or bool(arguments.posonlyargs)
        case ast.arg(annotation=annotation):
            return annotation is not None
        case ast.Module(body=body):
            return any(_returns(statement) for statement in body)
        case _:
            return False


def _assignment_differs(node: ast.Assign | ast.AugAssign | ast.Starred, names: _Names) -> bool:
    if isinstance(node, ast.Starred):
        return isinstance(node.ctx, ast.Store) or _is_text(node.value)
    if isinstance(node, ast.AugAssign):
        return _is_bool(node.value)
    if len(node.targets) > 1 or _holds_slice(node.targets[0]):
        return True
    if isinstance(node.targets[0], ast.Tuple | ast.List):
        return _is_text(node.value)
    if isinstance(node.targets[0], ast.Name):
        (names.text if _is_text(node.value) else names.other).add(node.targets[0].id)
    return False


def _comparison_differs(node: ast.Compare) -> bool:
    if len(node.ops) > 1:
        return True
    sides = (node.left, node.comparators[0])
    return any(isinstance(each, ast.Call) and _named(each.func) == "type" for each in sides)


def _call_differs(node: ast.Call, names: _Names) -> bool:
    starred = [number for number, each in enumerate(node.args) if isinstance(each, ast.Starred)]
    given = [each.arg for each in node.keywords]
    if (starred and starred != [len(node.args) - 1]) or given.count(None) > 1 or RESERVED in given:
        return True
    match node.func:
        case ast.Attribute(value=value, attr=name):
            if name in MUTATING and isinstance(value, ast.Name):
                names.changed.add(value.id)
            if name in ("join", "extend"):
                return bool(node.args) and (_is_text(node.args[0]) or isinstance(node.args[0], ast.Name))
            if name == "pop":
                return len(node.args) == 1 and isinstance(node.args[0], ast.UnaryOp)
            return name in ("split", "rsplit", "splitlines") and bool(node.keywords)
        case _:
            return False


def _goes_over(node: ast.expr, names: _Names) -> bool:
    if isinstance(node, ast.Name):
        names.gone_over.add(node.id)
    return _is_text(node)


def _is_text(node: ast.expr) -> bool:
    """Whether an expression is text, as far as it tells by itself."""
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in TEXTS
        case _:
            return False


def _is_bool(node: ast.expr) -> bool:
    match node:
        case ast.Compare() | ast.Constant(value=bool()) | ast.UnaryOp(op=ast.Not()):
            return True
        case _:
            return False


def _is_view(node: ast.expr) -> bool:
    """Whether an expression is a dict's keys or items, which are sets for operators."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items")


def _holds_slice(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)


def _named(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _returns(statement: ast.stmt) -> bool:
    """Whether a statement of the top level, or one within, is a return."""
    match statement:
        case ast.Return():
            return True
        case ast.If() | ast.For():
            return any(_returns(each) for each in (*statement.body, *statement.orelse))
        case _:
            return False


def _is_one_literal(node: ast.Constant, value: str, lines: list[bytes]) -> bool:
    """Whether a text stands as one literal: Starlark doesn't join two that follow each other."""
    last = node.end_lineno or node.lineno
    first = lines[node.lineno - 1]
    if last == node.lineno:
        text = first[node.col_offset : node.end_col_offset]
    else:
        between = lines[node.lineno : last - 1]
        text = b"\n".join([first[node.col_offset :], *between, lines[last - 1][: node.end_col_offset]])
    return len(text) == len(value) + 2 or ONE_LITERAL.fullmatch(text.decode(errors="replace")) is not None
