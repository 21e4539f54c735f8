"""Text: f-strings, the % operator, str() and format(), as Python writes values."""

import ast

from mcp_hub.sandbox.lowering.core import PRIMARY, PRODUCT, SUM, Core, quoted

PLAIN = frozenset({"text", "int", "bool", "none"})
"""Kinds that Starlark writes as Python does."""


class Texts(Core):
    """Expressions that make text."""

    def as_text(self, node: ast.expr) -> str:
        """`str(node)`: what Python writes for the value."""
        if (error := self.caught_error(node)) is not None:
            return f'{error}["message"]'
        kind = self.kind(node)
        if kind == "text" and not isinstance(node, ast.Name):
            return self.expression(node)
        if kind in PLAIN:
            return f"_py_native_str({self.expression(node)})"
        return f"_py_str({self.expression(node)})"

    def as_repr(self, node: ast.expr) -> str:
        """`repr(node)`."""
        if (error := self.caught_error(node)) is not None:
            return f"_py_error_repr({error})"
        return f"_py_repr({self.expression(node)})"

    def joined(self, node: ast.JoinedStr) -> tuple[str, int]:
        """An f-string."""
        parts: list[str] = []
        spread, self.spread = self.spread, False  # lines within a text's literal aren't told reliably
        for value in node.values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                parts.append(quoted(value.value))
            elif isinstance(value, ast.FormattedValue):
                parts.append(self._formatted(value))
        self.spread = spread
        if not parts:
            return '""', PRIMARY
        if len(parts) == 1:
            return parts[0], PRIMARY
        if len(parts) <= 3:
            return " + ".join(parts), SUM
        return f'"".join([{", ".join(parts)}])', PRIMARY

    def _formatted(self, node: ast.FormattedValue) -> str:
        if node.conversion in (ord("r"), ord("a")):
            text = self.as_repr(node.value)
        elif node.conversion == ord("s") or node.format_spec is None:
            text = self.as_text(node.value)
        else:
            text = self.expression(node.value)
        if node.format_spec is None:
            return text
        spec = self.joined(node.format_spec)[0] if isinstance(node.format_spec, ast.JoinedStr) else '""'
        return f"_py_format({text}, {spec})"

    def remainder(self, node: ast.BinOp) -> tuple[str, int]:
        """`%`, which formats when the left side is text."""
        kind = self.kind(node.left)
        left, right = self.expression(node.left, PRODUCT), self.expression(node.right, PRODUCT + 1)
        if kind in ("int", "float", "bool"):
            return f"{left} % {right}", PRODUCT
        if kind == "text":
            return f"_py_percent({left}, {right})", PRIMARY
        return f"_py_mod({left}, {right})", PRIMARY

    def text_call(self, name: str, node: ast.Call) -> tuple[str, int] | None:
        """A call of one of Python's functions that make text; None when it is left as it is."""
        if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            return None
        if name == "str":
            if not node.args:
                return '""', PRIMARY
            return (self.as_text(node.args[0]), TEXT_LEVEL) if len(node.args) == 1 else None
        if name == "repr" and len(node.args) == 1:
            return self.as_repr(node.args[0]), PRIMARY
        if name == "format" and node.args:
            spec = self.expression(node.args[1]) if len(node.args) > 1 else '""'
            return f"_py_format({self.expression(node.args[0])}, {spec})", PRIMARY
        return None


TEXT_LEVEL = 0
"""What `str(...)` becomes may be any expression."""
