"""Expressions of Python as expressions of Starlark, each once, in Python's order."""

import ast
from collections.abc import Callable

from mcp_hub.sandbox.lowering import modules
from mcp_hub.sandbox.lowering.core import (
    BIT_OR,
    MARK,
    OR,
    PRIMARY,
    RESERVED,
    SUM,
    TEST,
    Emitted,
    Program,
    box,
    quoted,
    spelled,
)  # fmt: skip
from mcp_hub.sandbox.lowering.operators import Operators
from mcp_hub.sandbox.lowering.scopes import Scope
from mcp_hub.sandbox.lowering.types import CLASSES

VALUES = {
    "set": "_py_set", "frozenset": "_py_set", "str": "_py_str", "repr": "_py_repr", "format": "_py_format",
    "next": "_py_next", "iter": "_py_list_of", "int": "_py_int", "float": "_py_float", "callable": "_py_callable",
    "object": "_py_object", "exit": "_py_exit", "quit": "_py_exit", "isinstance": "_py_isinstance",
    "__name__": '"__main__"',
}  # fmt: skip
"""Builtins that are handed around instead of called."""


class Expressions(Operators):
    """Emits expressions; see `Core` for what it stands on."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._emitters: dict[type[ast.AST], Callable[..., Emitted]] = {
            ast.Name: self._name,
            ast.Constant: self._constant,
            ast.Attribute: self._attribute,
            ast.Call: self.call,
            ast.Subscript: self._subscript,
            ast.BinOp: self.binary,
            ast.UnaryOp: self.unary,
            ast.BoolOp: self.boolean,
            ast.Compare: self.compare,
            ast.IfExp: self._conditional,
            ast.Lambda: self._lambda,
            ast.JoinedStr: self.joined,
            ast.List: self._list,
            ast.Tuple: self._tuple,
            ast.Set: self._set,
            ast.Dict: self._dict,
            ast.ListComp: self._list_comprehension,
            ast.GeneratorExp: self._list_comprehension,
            ast.SetComp: self._set_comprehension,
            ast.DictComp: self._dict_comprehension,
            ast.NamedExpr: self._walrus,
            ast.Await: lambda node: (self.expression(node.value, PRIMARY), PRIMARY),
            ast.Starred: self._starred,
            ast.Slice: self._slice,
        }

    def expression(self, node: ast.expr, level: int = TEST) -> str:
        mark = ""
        if self.spread and node.lineno != self.line:
            self.line = node.lineno
            mark = f"\n{MARK}{node.lineno}{MARK}"
        emit = self._emitters.get(type(node))
        if emit is None:
            raise NotImplementedError(f"line {node.lineno}: {type(node).__name__} can't be lowered")
        text, own = emit(node)
        return f"{mark}({text})" if own < level else mark + text

    def _name(self, node: ast.Name) -> Emitted:
        owner = self.scope.owner(node.id)
        if owner is None:
            if node.id in self.program.namespaces:
                return node.id, PRIMARY
            return VALUES.get(node.id, node.id), PRIMARY
        if node.id in owner.boxed:
            return f"{box(node.id)}[0]", PRIMARY
        standard = self.standard(node)
        return (self.standard_value(standard) if standard else spelled(node.id)), PRIMARY

    def _constant(self, node: ast.Constant) -> Emitted:
        value = node.value
        if isinstance(value, str):
            return quoted(value), PRIMARY
        if isinstance(value, float):
            return ("_py_infinity" if value == float("inf") else repr(value)), PRIMARY
        if isinstance(value, bool | int) or value is None:
            return f"{value}", PRIMARY
        return "None", PRIMARY  # an Ellipsis; bytes and complex numbers are refused before

    def _attribute(self, node: ast.Attribute) -> Emitted:
        standard = self.standard(node)
        if standard:
            return self.standard_value(standard), PRIMARY
        if (error := self.caught_error(node.value)) is not None:
            return self.error_field(error, node.attr), PRIMARY
        if node.attr == "__name__":
            return self.type_name(node.value), PRIMARY
        if self.is_builtin(node.value, "str", "list", "dict", "int", "float") and isinstance(node.value, ast.Name):
            if node.value.id == "dict" and node.attr == "fromkeys":
                return "_py_fromkeys", PRIMARY
            return f"_py_method({quoted(node.attr)})", PRIMARY
        value = self.expression(node.value, PRIMARY)
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, int | float):
            value = f"({value})"
        if node.attr == RESERVED:
            return f"_py_getattr({value}, {quoted(RESERVED)})", PRIMARY
        return f"{value}.{node.attr}", PRIMARY

    def _subscript(self, node: ast.Subscript) -> Emitted:
        if self.standard(node.value).partition(".")[0] in modules.IGNORED or self.is_builtin(node.value, *CLASSES):
            return "None", PRIMARY  # an annotation's alias
        if (missing := self.missing(node.value)) is not None and not isinstance(node.slice, ast.Slice):
            value, key = self.expression(node.value, PRIMARY), self.expression(node.slice)
            return f"{value}.{missing.method}({key}, {missing.value})", PRIMARY
        value = self.expression(node.value, PRIMARY)
        index = self.expression(node.slice)
        if self.kind(node.slice) == "bool":
            index = f"_py_native_int({index})"
        return f"{value}[{index}]", PRIMARY

    def _starred(self, node: ast.Starred) -> Emitted:
        if self.kind(node.value) == "text":
            return f"*{self.iterated(node.value)}", TEST
        return f"*{self.expression(node.value, BIT_OR)}", TEST

    def _slice(self, node: ast.Slice) -> Emitted:
        parts = ["" if each is None else self.expression(each) for each in (node.lower, node.upper)]
        if node.step is not None:
            parts.append(self.expression(node.step))
        return ":".join(parts), TEST

    def _conditional(self, node: ast.IfExp) -> Emitted:
        body = self.expression(node.body, OR)
        test = self.expression(node.test, OR)
        return f"{body} if {test} else {self.expression(node.orelse)}", TEST

    # Functions and names

    def _lambda(self, node: ast.Lambda) -> Emitted:
        scope = self.program.scopes.of[node]
        parameters = self.parameters(node.args)
        boxed = [name for name in scope.parameters if name in scope.boxed]
        others = [name for name in scope.boxed if name not in scope.parameters]
        body = self.inside(scope, lambda: self.expression(node.body))
        if boxed or others:
            heads = ", ".join(box(name) for name in (*boxed, *others))
            values = ", ".join([*(f"[{spelled(name)}]" for name in boxed), *("[None]" for _ in others)])
            body = f"(lambda {heads}: {body})({values})"
        return f"lambda {parameters}: {body}" if parameters else f"lambda: {body}", TEST

    def parameters(self, arguments: ast.arguments) -> str:
        """The parameters of a function, without annotations; positional-only ones are ordinary."""
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        parts = [
            self._parameter(each, default)
            for each, default in zip(positional, [*defaults, *arguments.defaults], strict=True)
        ]
        if arguments.vararg is not None:
            parts.append(f"*{spelled(arguments.vararg.arg)}")
        elif arguments.kwonlyargs:
            parts.append("*")
        parts += [
            self._parameter(each, default)
            for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        ]
        if arguments.kwarg is not None:
            parts.append(f"**{spelled(arguments.kwarg.arg)}")
        return ", ".join(parts)

    def _parameter(self, parameter: ast.arg, default: ast.expr | None) -> str:
        name = spelled(parameter.arg)
        return name if default is None else f"{name} = {self.expression(default)}"

    def _walrus(self, node: ast.NamedExpr) -> Emitted:
        return f"_py_put({box(node.target.id)}, {self.expression(node.value)})", PRIMARY

    # Displays and comprehensions

    def _list(self, node: ast.List) -> Emitted:
        if any(isinstance(each, ast.Starred) for each in node.elts):
            return self.concatenated(node.elts), SUM
        return f"[{self.commas(node.elts)}]", PRIMARY

    def _tuple(self, node: ast.Tuple) -> Emitted:
        if any(isinstance(each, ast.Starred) for each in node.elts):
            return f"_py_tuple_of({self.concatenated(node.elts)})", PRIMARY
        if len(node.elts) == 1:
            return f"({self.expression(node.elts[0])},)", PRIMARY
        return f"({self.commas(node.elts)})", PRIMARY

    def _set(self, node: ast.Set) -> Emitted:
        if any(isinstance(each, ast.Starred) for each in node.elts):
            return f"_py_set({self.concatenated(node.elts)})", PRIMARY
        return f"_py_set([{self.commas(node.elts)}])", PRIMARY

    def _dict(self, node: ast.Dict) -> Emitted:
        groups: list[str] = []
        pairs: list[str] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                pairs.append(f"{self.expression(key)}: {self.expression(value)}")
                continue
            if pairs:
                groups.append(f"{{{', '.join(pairs)}}}")
                pairs = []
            groups.append(f"_py_native_dict({self.expression(value)})")
        if pairs or not groups:
            groups.append(f"{{{', '.join(pairs)}}}")
        return " | ".join(groups), BIT_OR if len(groups) > 1 else PRIMARY

    def _list_comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Emitted:
        return f"[{self._comprehended(node, lambda: self.expression(node.elt))}]", PRIMARY

    def _set_comprehension(self, node: ast.SetComp) -> Emitted:
        return f"{{{self._comprehended(node, lambda: self.expression(node.elt) + ': None')}}}", PRIMARY

    def _dict_comprehension(self, node: ast.DictComp) -> Emitted:
        def pair() -> str:
            return f"{self.expression(node.key)}: {self.expression(node.value)}"

        return f"{{{self._comprehended(node, pair)}}}", PRIMARY

    def _comprehended(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, element: Callable[[], str]
    ) -> str:
        scope: Scope = self.program.scopes.of[node]
        head = self.inside(scope, element)
        first = self.iterated(node.generators[0].iter, OR)
        clauses = self.inside(scope, lambda: self._clauses(node.generators, first))
        return f"{head} {clauses}"

    def _clauses(self, generators: list[ast.comprehension], first: str) -> str:
        parts = []
        for number, each in enumerate(generators):
            values = self.iterated(each.iter, OR) if number else first
            parts.append(f"for {self.target(each.target)} in {values}")
            parts += [f"if {self.expression(test, OR)}" for test in each.ifs]
        return " ".join(parts)

    def target(self, node: ast.expr) -> str:
        spread, self.spread = self.spread, False
        try:
            if isinstance(node, ast.Name):
                return self.name(node.id)
            if isinstance(node, ast.Tuple | ast.List):
                inner = ", ".join([self.target(each) for each in node.elts])
                return f"({inner},)" if len(node.elts) == 1 else f"({inner})"
            if isinstance(node, ast.Subscript):
                index = self.expression(node.slice)
                index = f"_py_native_int({index})" if self.kind(node.slice) == "bool" else index
                return f"{self.expression(node.value, PRIMARY)}[{index}]"
            if isinstance(node, ast.Starred):
                return self.target(node.value)
            return self.expression(node, PRIMARY)
        finally:
            self.spread = spread
