"""Dicts with a default: what a missing key gives is known from the call of defaultdict or Counter that made the dict.

The value itself is a plain dict; the program's text tells which variables, and which items of them, have a default.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from mcp_hub.sandbox.lowering.core import PRIMARY, Core, Program
from mcp_hub.sandbox.lowering.scopes import Scope


@dataclass(frozen=True)
class Missing:
    """What a key that isn't there gives, in a dict that has a default."""

    method: str
    """`setdefault`, or `get` where reading stores nothing."""
    value: str


class Defaults(Core):
    """Tells the defaults; see `Core` for what it stands on."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._made: dict[tuple[Scope, str], ast.Call | None] = {}

    def missing(self, node: ast.expr) -> Missing | None:
        """What a key that `node` hasn't gives; None when that is an error."""
        made = self._maker(node)
        if made is None:
            return None
        standard = self.standard(made.func)
        if standard == "collections.Counter":
            return Missing("get", "0")
        factory = made.args[0] if made.args else None
        match factory:
            case None | ast.Constant(value=None):
                return None
            case ast.Name(id="list"):
                return Missing("setdefault", "[]")
            case ast.Name(id="int"):
                return Missing("setdefault", "0")
            case ast.Name(id="float"):
                return Missing("setdefault", "0.0")
            case ast.Name(id="str"):
                return Missing("setdefault", '""')
            case ast.Name(id="bool"):
                return Missing("setdefault", "False")
            case ast.Name(id="dict" | "set"):
                return Missing("setdefault", "{}")
            case ast.Lambda(body=body):
                text = self.inside(self.program.scopes.of[factory], lambda: self.expression(body))
                return Missing("setdefault", text)
            case _ if self.standard(factory) == "collections.Counter":
                return Missing("setdefault", "{}")
            case _:
                return Missing("setdefault", f"{self.expression(factory, PRIMARY)}()")

    def is_counter(self, node: ast.expr) -> bool:
        """Whether a node is a Counter, as far as the text says."""
        made = self._maker(node)
        return made is not None and self.standard(made.func) == "collections.Counter"

    def _is_maker(self, node: ast.AST | None) -> bool:
        return isinstance(node, ast.Call) and self.standard(node.func) in (
            "collections.Counter",
            "collections.defaultdict",
        )

    def _maker(self, node: ast.AST | None) -> ast.Call | None:
        """The call of defaultdict or Counter that made what `node` is."""
        while isinstance(node, ast.BinOp):
            node = node.left
        if isinstance(node, ast.Call):
            return node if self._is_maker(node) else None
        if isinstance(node, ast.Subscript):
            return self._made_inside(self._maker(node.value))
        owner = self.scope.owner(node.id) if isinstance(node, ast.Name) else None
        if owner is None or not isinstance(node, ast.Name):
            return None
        if any(isinstance(value, ast.arg) for value in owner.bound[node.id][:1]):
            owner = self.program.scopes.module  # a parameter is taken to be what its name is at the top level
        key = (owner, node.id)
        if key not in self._made:
            self._made[key] = None  # a name may stand for itself
            values = owner.bound.get(node.id, [])
            self._made[key] = self.inside(owner, lambda: self._first_maker(values))
        return self._made[key]

    def _first_maker(self, values: Sequence[ast.AST | None]) -> ast.Call | None:
        return next((made for value in values if (made := self._maker(value)) is not None), None)

    def _made_inside(self, outer: ast.Call | None) -> ast.Call | None:
        """The call that makes what a missing key of `outer` gives."""
        factory = outer.args[0] if outer is not None and outer.args else None
        if isinstance(factory, ast.Lambda) and isinstance(factory.body, ast.Call) and self._is_maker(factory.body):
            return factory.body
        if factory is not None and self.standard(factory) == "collections.Counter":
            return ast.Call(factory, [], [])
        return None
