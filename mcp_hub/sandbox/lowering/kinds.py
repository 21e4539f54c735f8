"""What kind of value an expression gives, as far as a program's text says so.

Pure. Python and Starlark differ by the kinds of the operands (text can be iterated in one and not in the other), and
the helpers that make up for it cost something at each use. What is certain from the text needs none. A kind is never
relied on where a wrong one would break a program: annotations and names may lie.
"""

import ast
from typing import Literal

from mcp_hub.sandbox.lowering.scopes import Scope, Scopes, item_of

Kind = Literal["text", "int", "float", "bool", "none", "list", "tuple", "dict", "set", "data", "date", "unknown"]
"""`data` is what a tool gave; `date` is anything of the datetime module."""

ITERABLE: frozenset[Kind] = frozenset({"list", "tuple", "dict", "set", "data"})
NUMBERS: frozenset[Kind] = frozenset({"int", "float", "bool"})

FUNCTIONS: dict[str, Kind] = {
    "str": "text", "repr": "text", "chr": "text", "format": "text", "hex": "text", "bin": "text", "oct": "text",
    "int": "int", "len": "int", "ord": "int", "hash": "int",
    "float": "float", "bool": "bool", "isinstance": "bool", "any": "bool", "all": "bool", "callable": "bool",
    "hasattr": "bool",
    "list": "list", "sorted": "list", "range": "list", "enumerate": "list", "zip": "list", "reversed": "list",
    "map": "list", "filter": "list", "iter": "list", "dir": "list", "parallel": "list",
    "tuple": "tuple", "divmod": "tuple", "dict": "dict", "set": "set", "frozenset": "set",
}  # fmt: skip

METHODS: dict[str, Kind] = {
    **dict.fromkeys(
        [
            "lower", "upper", "strip", "lstrip", "rstrip", "title", "capitalize", "replace", "join", "format",
            "zfill", "ljust", "rjust", "center", "casefold", "swapcase", "removeprefix", "removesuffix",
            "expandtabs", "isoformat", "strftime", "dumps", "encode",
        ],
        "text",
    ),
    **dict.fromkeys([
        "startswith", "endswith", "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "issubset",
        "issuperset", "isdisjoint", "isnumeric", "isdecimal",
    ], "bool"),
    **dict.fromkeys([
        "split", "rsplit", "splitlines", "keys", "values", "items", "elems", "most_common", "findall", "finditer",
    ], "list"),
    **dict.fromkeys(["find", "rfind", "index", "count"], "int"),
    **dict.fromkeys(["partition", "rpartition", "popitem", "groups"], "tuple"),
    **dict.fromkeys(["union", "intersection", "difference", "symmetric_difference"], "set"),
    **dict.fromkeys(["total_seconds", "timestamp", "mean", "median"], "float"),
    **dict.fromkeys(["fromkeys", "groupdict"], "dict"),
    **dict.fromkeys([
        "strptime", "fromisoformat", "fromtimestamp", "utcnow", "now", "today", "timedelta", "astimezone",
    ], "date"),
}  # fmt: skip

ANNOTATIONS: dict[str, Kind] = {
    "str": "text", "int": "int", "float": "float", "bool": "bool", "list": "list", "List": "list", "tuple": "tuple",
    "Tuple": "tuple", "dict": "dict", "Dict": "dict", "set": "set", "Set": "set", "frozenset": "set",
}  # fmt: skip

CONSTANTS: dict[type, Kind] = {str: "text", int: "int", float: "float", bool: "bool", type(None): "none"}

DISPLAYS: dict[type[ast.AST], Kind] = {
    ast.JoinedStr: "text", ast.List: "list", ast.ListComp: "list", ast.GeneratorExp: "list", ast.Tuple: "tuple",
    ast.Dict: "dict", ast.DictComp: "dict", ast.Set: "set", ast.SetComp: "set", ast.Compare: "bool",
}  # fmt: skip


class Kinds:
    """Tells kinds in one program. `namespaces` are names of servers, `dates` those of the datetime module's classes."""

    def __init__(self, scopes: Scopes, namespaces: frozenset[str]) -> None:
        self._scopes = scopes
        self._namespaces = namespaces
        self._names: dict[tuple[Scope, str], Kind] = {}
        self._sums: dict[ast.AST, Kind] = {}
        self._depth = 0

    def of(self, node: ast.AST | None, scope: Scope) -> Kind:
        """The kind of an expression that stands in `scope`."""
        if isinstance(node, ast.Name):
            return self._name(node.id, scope)
        if isinstance(node, ast.Constant):
            return CONSTANTS.get(type(node.value), "unknown")
        found = DISPLAYS.get(type(node)) if node is not None else None
        return found if found is not None else self._composed(node, scope)

    def _composed(self, node: ast.AST | None, scope: Scope) -> Kind:
        match node:
            case ast.Call():
                return self._call(node, scope)
            case ast.BinOp() if node in self._sums:
                return self._sums[node]
            case ast.BinOp():
                kind = self._operation(node, scope)
                if not self._depth:  # within a name's own values, what is told of the name isn't final
                    self._sums[node] = kind
                return kind
            case ast.UnaryOp(op=ast.Not()):
                return "bool"
            case ast.UnaryOp(operand=operand):
                kind = self.of(operand, scope)
                return "int" if kind == "bool" else kind
            case ast.BoolOp(values=values):
                return self._joined([self.of(value, scope) for value in values])
            case ast.IfExp(body=body, orelse=orelse):
                return self._joined([self.of(body, scope), self.of(orelse, scope)])
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                return self.of(value, scope)
            case ast.Subscript():
                return self._item(node, scope)
            case ast.Attribute(attr="__name__"):
                return "text"
            case ast.Attribute(value=value) if self.of(value, scope) == "date":
                return "int"
            case ast.arg(annotation=annotation):
                return self.annotated(annotation)
            case _:
                return "unknown"

    def annotated(self, annotation: ast.expr | None) -> Kind:
        """The kind that an annotation names."""
        match annotation:
            case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
                return self.annotated(inner)
            case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
                return ANNOTATIONS.get(name, "unknown")
            case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
                return self.annotated(left)
            case _:
                return "unknown"

    def _name(self, name: str, scope: Scope) -> Kind:
        owner = scope.owner(name)
        if owner is None:
            return "unknown"
        key = (owner, name)
        if key not in self._names:
            self._names[key] = "none"  # stands for itself while its own values are looked at
            self._depth += 1
            self._names[key] = self._joined([self.of(value, owner) for value in owner.bound[name]])
            self._depth -= 1
        return self._names[key]

    def _joined(self, kinds: list[Kind]) -> Kind:
        different = set(kinds) - {"none"}
        if not different:
            return "none"
        if len(different) == 1:
            return different.pop()
        return "float" if different <= NUMBERS else "unknown"

    def _item(self, node: ast.Subscript, scope: Scope) -> Kind:
        """The kind of an item, or of a part."""
        if isinstance(node.slice, ast.Slice):
            return self.of(node.value, scope)
        match node.value:
            case ast.Call(func=ast.Name(id="range")):
                return "int"
            case ast.Call(func=ast.Name(id="enumerate" | "zip")) | ast.Call(func=ast.Attribute(attr="items")):
                return "tuple"
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements) if elements:
                return self._joined([self.of(element, scope) for element in elements])
            case ast.Call(func=ast.Attribute(attr="split" | "rsplit" | "splitlines" | "elems")):
                return "text"
            case ast.Name(id=name) if (owner := scope.owner(name)) is not None:
                values = owner.bound[name]
                if len(values) == 1 and isinstance(values[0], ast.List | ast.Tuple | ast.Call):
                    return self._item(item_of(values[0]), owner)
                return "text" if self._name(name, scope) == "text" else "unknown"
            case value:
                return "text" if self.of(value, scope) == "text" else "unknown"

    def _call(self, node: ast.Call, scope: Scope) -> Kind:
        function = node.func
        if isinstance(function, ast.Name):
            if scope.owner(function.id) is None:
                if function.id in ("abs", "sum", "min", "max", "round") and node.args:
                    return self._reduced(function.id, node, scope)
                return FUNCTIONS.get(function.id, "unknown")
            return "date" if function.id in ("datetime", "date", "timedelta") else "unknown"
        if isinstance(function, ast.Attribute):
            if isinstance(function.value, ast.Name) and function.value.id in self._namespaces:
                return "data"
            if function.attr in ("copy", "replace", "pop", "get") and not isinstance(function.value, ast.Name):
                return "unknown"
            kind = METHODS.get(function.attr, "unknown")
            if kind == "text" and function.attr == "replace" and self.of(function.value, scope) == "date":
                return "date"
            return self.of(function.value, scope) if function.attr == "copy" else kind
        return "unknown"

    def _reduced(self, name: str, node: ast.Call, scope: Scope) -> Kind:
        if name == "round":
            return "float" if len(node.args) + len(node.keywords) > 1 else "int"
        if name == "abs" or (len(node.args) > 1 and name != "sum"):
            return self._joined([self.of(each, scope) for each in node.args])
        return "unknown"

    def _operation(self, node: ast.BinOp, scope: Scope) -> Kind:
        left, right = self.of(node.left, scope), self.of(node.right, scope)
        if "none" in (left, right):  # a name within its own value: what it is by the others, but for what changes it
            other = right if left == "none" else left
            return "none" if other in ("int", "bool") else other
        if isinstance(node.op, ast.Mod) and left == "text":
            return "text"
        if isinstance(node.op, ast.Div):
            return "float" if left in NUMBERS and right in NUMBERS else "unknown"
        if left in NUMBERS and right in NUMBERS:
            if isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor) and left == right == "bool":
                return "bool"
            return "unknown" if isinstance(node.op, ast.Pow) else "float" if "float" in (left, right) else "int"
        if isinstance(node.op, ast.Mult) and {left, right} & {"text", "list", "tuple"}:
            return left if left in ("text", "list", "tuple") else right
        if "date" in (left, right):
            return "date"
        if left == right:
            return left
        if isinstance(node.op, ast.Add) and "text" in (left, right):
            return "text"
        return "set" if "set" in (left, right) else "unknown"
