"""Types: isinstance, type(x) compared or named, and what an error has as attributes."""

import ast

from mcp_hub.sandbox.lowering.core import COMPARE, PRIMARY, Core, Emitted, quoted

CLASSES = frozenset([
    "str", "int", "float", "bool", "list", "dict", "tuple", "set", "frozenset", "bytes", "complex", "type", "object",
    "range",
])  # fmt: skip

ABSTRACT = {
    "Mapping": "dict", "MutableMapping": "dict", "Sequence": "list", "Iterable": "list", "Collection": "list",
    "Number": "float", "Callable": "function", "Hashable": "str", "Dict": "dict", "List": "list", "Tuple": "tuple",
    "Set": "set",
}  # fmt: skip
"""Classes of typing and collections.abc, as the one that stands for them; `_py_is` knows which include others."""


class Types(Core):
    """Expressions about types."""

    def is_instance(self, value: ast.expr, classes: ast.expr) -> Emitted:
        """`isinstance(value, classes)`."""
        names = self._class_names(classes)
        if (error := self.caught_error(value)) is not None and names is not None:
            return f"_py_caught({error}, [{', '.join(map(quoted, names))}])", PRIMARY
        if names is None:
            return f"_py_isinstance({self.expression(value)}, {self.expression(classes)})", PRIMARY
        return f"_py_is({self.expression(value)}, [{', '.join(map(quoted, names))}])", PRIMARY

    def type_comparison(self, node: ast.Compare) -> Emitted | None:
        """`type(x) is str`, `type(x) in (int, float)`; None for any other comparison."""
        if len(node.ops) != 1:
            return None
        left, operator, right = node.left, node.ops[0], node.comparators[0]
        if not self._is_type_call(left):
            left, right = right, left
            if not self._is_type_call(left) or isinstance(operator, ast.In | ast.NotIn):
                return None
        names = self._class_names(right)
        if names is None:
            return None
        named = self.type_name(left)
        if isinstance(operator, ast.In | ast.NotIn):
            word = "in" if isinstance(operator, ast.In) else "not in"
            return f"{named} {word} [{', '.join(map(quoted, names))}]", COMPARE
        sign = "==" if isinstance(operator, ast.Eq | ast.Is) else "!="
        return f"{named} {sign} {quoted(names[0])}", COMPARE

    def type_name(self, node: ast.expr) -> str:
        """`node.__name__`, where `node` is `type(x)`, a class or a function."""
        if isinstance(node, ast.Call) and self._is_type_call(node):
            error = self.caught_error(node.args[0])
            return f'{error}["type"]' if error else f"_py_type_name({self.expression(node.args[0])})"
        if isinstance(node, ast.Attribute) and node.attr == "__class__":
            error = self.caught_error(node.value)
            return f'{error}["type"]' if error else f"_py_type_name({self.expression(node.value)})"
        return quoted(node.id) if isinstance(node, ast.Name) else f"_py_function_name({self.expression(node)})"

    def error_field(self, error: str, field: str) -> str:
        """An attribute of an error that a handler has under a name."""
        if field == "args":
            return f'({error}["message"],)'
        return f"_py_error_field({error}, {quoted(field)})"

    def _is_type_call(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and len(node.args) == 1 and self.is_builtin(node.func, "type")

    def _class_names(self, node: ast.expr) -> list[str] | None:
        """The names of one class or of several; None when they aren't plain names of classes."""
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = [self._class_names(each) for each in node.elts]
            return None if None in parts else [name for part in parts if part for name in part]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            left, right = self._class_names(node.left), self._class_names(node.right)
            return None if left is None or right is None else left + right
        if self._is_type_call(node) and isinstance(node, ast.Call):
            first = node.args[0]
            return ["NoneType"] if isinstance(first, ast.Constant) and first.value is None else None
        if isinstance(node, ast.Constant) and node.value is None:
            return ["NoneType"]
        standard = self.standard(node)
        if standard:
            last = standard.rpartition(".")[2]
            return [ABSTRACT.get(last, last)]
        if isinstance(node, ast.Name) and self.unbound(node.id) and (node.id in CLASSES or node.id.endswith("Error")):
            return [node.id]
        if isinstance(node, ast.Name) and node.id in self.program.exceptions:
            return [node.id]
        return ["Exception"] if isinstance(node, ast.Name) and node.id in ("Exception", "BaseException") else None
