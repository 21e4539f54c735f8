"""Calls: of Python's builtins, of methods that Starlark lacks, and of the standard library's collections."""

import ast

from mcp_hub.sandbox import library
from mcp_hub.sandbox.lowering import exceptions, modules
from mcp_hub.sandbox.lowering.core import OR, PRIMARY, RESERVED, TEST, Emitted, quoted, spelled
from mcp_hub.sandbox.lowering.defaults import Defaults
from mcp_hub.sandbox.lowering.texts import Texts
from mcp_hub.sandbox.lowering.types import Types

LACKING = frozenset(
    [
        "sort",
        "reverse",
        "copy",
        "zfill",
        "ljust",
        "rjust",
        "center",
        "casefold",
        "swapcase",
        "isnumeric",
        "isdecimal",
        "isidentifier",
        "isascii",
        "expandtabs",
        "translate",
        "format_map",
        "most_common",
        "elements",
        "total",
        "subtract",
        "add",
        "discard",
        "union",
        "intersection",
        "difference",
        "symmetric_difference",
        "issubset",
        "issuperset",
        "isdisjoint",
        "intersection_update",
        "difference_update",
        "symmetric_difference_update",
        "popleft",
        "appendleft",
        "extendleft",
        "rotate",
        "move_to_end",
        "bit_length",
        "is_integer",
        "isprintable",
    ]
)
"""Methods of Python's that no value of Starlark's has: `_py_m_NAME(object, ...)` does it, or asks the object itself."""

RENAMED = {
    "set": "_py_set", "frozenset": "_py_set", "next": "_py_next", "iter": "_py_list_of", "callable": "_py_callable",
    "object": "_py_object",
}  # fmt: skip

CONVERSIONS = {"int": "_py_int", "float": "_py_float"}

SEPARATING = ("split", "rsplit")

EXITS = frozenset({"exit", "quit", "sys.exit"})


class Calls(Texts, Types, Defaults):
    """Emits calls; see `Core` for what it stands on."""

    def call(self, node: ast.Call) -> Emitted:
        """A call."""
        function = node.func
        told: Emitted | None = None
        if standard := self.standard(function):
            told = self._standard_call(standard, node)
        elif isinstance(function, ast.Name):
            told = self._builtin(function.id, node) if self.unbound(function.id) else self._exception(function.id, node)
        elif isinstance(function, ast.Attribute) and not self.is_namespace(function):
            told = self._method(function, node)
        if told is not None:
            return told
        return f"{self.expression(function, PRIMARY)}({self.arguments(node)})", PRIMARY

    def _exception(self, name: str, node: ast.Call) -> Emitted | None:
        """An exception that is made and not raised at once: what raising it takes, and its text."""
        if name not in self.program.exceptions and name not in exceptions.KNOWN:
            return None
        message = self.as_text(node.args[0]) if node.args else '""'
        return f"_py_exception({quoted(name)}, {message})", PRIMARY

    # Arguments

    def arguments(self, node: ast.Call) -> str:
        """The arguments of a call, at most one of them starred and one with two stars."""
        starred = [number for number, each in enumerate(node.args) if isinstance(each, ast.Starred)]
        parts: list[str] = []
        if starred and starred != [len(node.args) - 1]:
            parts.append(f"*{self.concatenated(node.args)}")
        else:
            parts += [self.expression(each) for each in node.args]
        starring = parts.pop() if starred else None
        more: list[str] = []
        for keyword in node.keywords:
            if keyword.arg is None:
                more.append(f"_py_native_dict({self.expression(keyword.value)})")
            elif keyword.arg == RESERVED:
                more.append(f"{{{quoted(RESERVED)}: {self.expression(keyword.value)}}}")
            else:
                parts.append(f"{spelled(keyword.arg)} = {self.expression(keyword.value)}")
        if starring is not None:
            parts.append(starring)
        if more:
            parts.append(f"**{more[0]}" if len(more) == 1 else f"**({' | '.join(more)})")
        return ", ".join(parts)

    def concatenated(self, nodes: list[ast.expr]) -> str:
        """One list of items and starred sequences."""
        groups: list[str] = []
        items: list[str] = []
        for node in nodes:
            if not isinstance(node, ast.Starred):
                items.append(self.expression(node))
                continue
            if items:
                groups.append(f"[{', '.join(items)}]")
                items = []
            groups.append(f"_py_list_of({self.expression(node.value)})")
        if items:
            groups.append(f"[{', '.join(items)}]")
        return f"({' + '.join(groups)})" if len(groups) > 1 else groups[0]

    # Builtins

    def _builtin(self, name: str, node: ast.Call) -> Emitted | None:
        if name in ("isinstance", "issubclass") and len(node.args) == 2:
            return self.is_instance(node.args[0], node.args[1])
        if (told := self.text_call(name, node)) is not None:
            return told
        if name in ("any", "all", "next") and (told := self._stopping(name, node)) is not None:
            return told
        if name in EXITS:
            return f"_py_exit({self.arguments(node)})", PRIMARY
        if name in CONVERSIONS and node.args and not isinstance(node.args[0], ast.Starred):
            known = self.kind(node.args[0]) in ("int", "float", "bool")
            return f"{f'_py_native_{name}' if known else CONVERSIONS[name]}({self.arguments(node)})", PRIMARY
        if name == "print":
            return self._print(node)
        if name in RENAMED:
            return f"{RENAMED[name]}({self.arguments(node)})", PRIMARY
        return self._exception(name, node)

    def _print(self, node: ast.Call) -> Emitted:
        """`print` writes values as Python does."""
        parts = [
            self.expression(each)
            if isinstance(each, ast.Starred) or self.kind(each) in ("text", "int", "bool", "none")
            else self.as_text(each)
            for each in node.args
        ]
        if any(isinstance(each, ast.Starred) for each in node.args[:-1]):
            return f"print({self.arguments(node)})", PRIMARY
        named = [each for each in node.keywords if each.arg in ("sep", "end")]
        starring = [parts.pop()] if node.args and isinstance(node.args[-1], ast.Starred) else []
        parts += [f"{each.arg} = {self.expression(each.value)}" for each in named]
        return f"print({', '.join(parts + starring)})", PRIMARY

    def _stopping(self, name: str, node: ast.Call) -> Emitted | None:
        """any, all and next over a generator end at the first item that decides."""
        generator = node.args[0] if node.args else None
        if not isinstance(generator, ast.GeneratorExp) or len(generator.generators) != 1:
            return None
        each = generator.generators[0]
        scope = self.program.scopes.of[generator]
        names = each.target.elts if isinstance(each.target, ast.Tuple | ast.List) else [each.target]
        if scope.boxed or not all(isinstance(target, ast.Name) for target in names):
            return None
        heads = self.inside(scope, lambda: ", ".join([self.target(target) for target in names]))
        spread_over = "" if each.target is names[0] else "_star"
        values = self.iterated(each.iter)

        def test() -> str:
            tests = [self.expression(condition, OR + 1) for condition in each.ifs]
            return f"lambda {heads}: {' and '.join(tests)}" if tests else f"lambda {heads}: True"

        def element() -> str:
            return f"lambda {heads}: {self.expression(generator.elt)}"

        parts = [values, self.inside(scope, test), self.inside(scope, element)]
        parts += [self.expression(default) for default in node.args[1:]]
        name = "next_of" if name == "next" else name
        return f"_py_{name}{spread_over}({', '.join(parts)})", PRIMARY

    # The standard library

    def _standard_call(self, standard: str, node: ast.Call) -> Emitted | None:
        if standard in EXITS:
            return f"_py_exit({self.arguments(node)})", PRIMARY
        if standard == "typing.cast" and len(node.args) == 2:
            return self.expression(node.args[1]), TEST
        if standard == "collections.defaultdict":
            return f"_py_native_dict({', '.join(self.expression(each) for each in node.args[1:])})", PRIMARY
        if standard in library.CLASSES or standard == "datetime":
            return f"{self.expression(node.func, PRIMARY)}._new({self.arguments(node)})", PRIMARY
        if standard in ("pprint.pprint", "pprint.pp"):
            return f"print({', '.join(self.as_text(each) for each in node.args[:1])})", PRIMARY
        if standard.partition(".")[0] in modules.IGNORED:
            return "None", PRIMARY
        return None

    # Methods

    def _method(self, function: ast.Attribute, node: ast.Call) -> Emitted | None:
        name, value = function.attr, function.value
        if self.is_builtin(value, "str", "list", "dict", "set", "int", "float", "frozenset"):
            return self._unbound_method(function, node)
        kind = self.kind(value)
        if name in LACKING or name == "format":
            return self._helped(name, value, node)
        if name == "update" and self.is_counter(value):
            return self._helped("count_more", value, node)
        if name in ("remove", "update") and (kind == "set" or (kind == "unknown" and self.program.sets)):
            return self._helped(name, value, node)
        if name == "pop" and self._pops_unlike_starlark(node, kind):
            return self._helped(name, value, node)
        if name == "count" and kind != "text":
            return self._helped(name, value, node)
        if name in SEPARATING and node.keywords:
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            separator = node.args[0] if node.args else given.get("sep")
            most = node.args[1] if len(node.args) > 1 else given.get("maxsplit")
            parts = ["None" if separator is None else self.expression(separator)]
            parts += [] if most is None else [self.expression(most)]
            return f"{self.expression(value, PRIMARY)}.{name}({', '.join(parts)})", PRIMARY
        if name == "splitlines" and node.keywords:
            return f"{self.expression(value, PRIMARY)}.splitlines({self.expression(node.keywords[0].value)})", PRIMARY
        if name in ("extend", "join") and len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
            return f"{self.expression(value, PRIMARY)}.{name}({self.iterated(node.args[0])})", PRIMARY
        return None

    def _helped(self, name: str, value: ast.expr, node: ast.Call) -> Emitted:
        arguments = self.expression(value)
        more = self.arguments(node)
        return f"_py_m_{name}({arguments}{', ' if more else ''}{more})", PRIMARY

    def _pops_unlike_starlark(self, node: ast.Call, kind: str) -> bool:
        if not node.args:
            return kind == "set" or (kind == "unknown" and self.program.sets)
        first = node.args[0]
        return len(node.args) == 1 and isinstance(first, ast.UnaryOp) and isinstance(first.op, ast.USub)

    def _unbound_method(self, function: ast.Attribute, node: ast.Call) -> Emitted | None:
        """`str.lower(x)` is `x.lower()`."""
        assert isinstance(function.value, ast.Name)
        if function.attr == "fromkeys":
            return f"_py_fromkeys({self.arguments(node)})", PRIMARY
        if function.attr == "maketrans":
            return f"_py_maketrans({self.arguments(node)})", PRIMARY
        return f"_py_method({quoted(function.attr)})({self.arguments(node)})", PRIMARY
