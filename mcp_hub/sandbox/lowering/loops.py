"""Loops: while, for over what Starlark takes and what it doesn't, their else, break and continue."""

import ast
from collections.abc import Sequence

from mcp_hub.sandbox.lowering.core import Block, Output
from mcp_hub.sandbox.lowering.expressions import Expressions
from mcp_hub.sandbox.lowering.statements import Statements, is_plain

MUTATING = frozenset([
    "append", "extend", "insert", "remove", "pop", "clear", "add", "discard", "update", "popleft", "appendleft",
    "popitem",
])  # fmt: skip
GROWING = frozenset({"append", "extend", "insert", "remove", "pop", "popleft", "appendleft"})


class Loops(Statements):
    """Emits loops; see `Statements` for the others."""

    def __init__(self, expressions: Expressions, output: Output) -> None:
        super().__init__(expressions, output)
        self._emitters |= {
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: self._while,
            ast.Break: self._leave_loop,
            ast.Continue: self._leave_loop,
        }

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        changed = changes(node.iter, node.body) if isinstance(node.iter, ast.Name) else ""
        values = self.gone_over(node.iter, node)
        starred = isinstance(node.target, ast.Tuple | ast.List) and not is_plain(node.target)
        item = self.x.fresh("item") if starred or changed == "grows" else self.x.target(node.target)
        block = self._open_loop(node)
        if changed == "grows":
            kept, position = self.x.fresh("kept"), self.x.fresh("position")
            self.line(f"{kept} = _py_same_list({values})", node)
            self.line(f"for {position} in _py_forever:", node)
            self._inside_loop(f"if {position} >= _py_len({kept}):", "break", node)
            self.out.indent += 1
            self.assign(node.target, f"{kept}[{position}]", node)
            self.out.indent -= 1
        else:
            self.line(f"for {item} in {f'_py_list_of({values})' if changed else values}:", node)
            if starred:
                self.out.indent += 1
                self.assign(node.target, item, node)
                self.out.indent -= 1
        self._close_loop(node, block)

    def _while(self, node: ast.While) -> None:
        block = self._open_loop(node)
        self.line(f"for {self.x.fresh('round')} in _py_forever:", node)
        if not (isinstance(node.test, ast.Constant) and node.test.value):
            self._inside_loop(f"if not ({self.value(node.test, node)}):", "break", node)
        self._close_loop(node, block)

    def _inside_loop(self, test: str, then: str, node: ast.AST) -> None:
        self.out.indent += 1
        self.line(test, node)
        self.out.indent += 1
        self.line(then, node)
        self.out.indent -= 2

    def _open_loop(self, node: ast.For | ast.AsyncFor | ast.While) -> Block:
        block = Block(loop=True)
        if node.orelse and leaves(node.body):
            block.flag = self.x.fresh("broken")
            self.line(f"{block.flag} = False", node)
        return block

    def _close_loop(self, node: ast.For | ast.AsyncFor | ast.While, block: Block) -> None:
        self.blocks.append(block)
        self.body(node.body)
        self.blocks.pop()
        if not node.orelse:
            return
        self.out.add(f"if not {block.flag}:" if block.flag else "if True:", node.orelse[0].lineno)
        self.body(node.orelse)

    def _leave_loop(self, node: ast.Break | ast.Continue) -> None:
        depth = max((number for number, block in enumerate(self.blocks) if block.loop), default=0)
        self.leave(self.blocks[depth:], node)
        flag = self.blocks[depth].flag if self.blocks else ""
        if isinstance(node, ast.Break) and flag:
            self.line(f"{flag} = True", node)
        self.line("break" if isinstance(node, ast.Break) else "continue", node)


def changes(iterated: ast.Name, body: Sequence[ast.stmt]) -> str:
    """How a loop's body changes what it goes over: "grows" for a list's items, "stores", or "" for not at all."""
    told = ""
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if name == iterated.id:
                    if method in GROWING:
                        return "grows"
                    told = "stores" if method in MUTATING else told
                case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if name == iterated.id:
                    told = "stores"
    return told


def leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether a loop with this body may be left by a break."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Break):
            return True
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            pending += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending += ast.iter_child_nodes(node)
    return False
