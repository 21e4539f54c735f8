"""Statements about errors and contexts: try, raise, with, and classes of exceptions.

The guarded part of a try runs in a process of its own, which goes on as the program once it has committed: `_try()`,
by way of `_py_try()`, forks it.
"""

import ast
from collections.abc import Sequence

from mcp_hub.sandbox.lowering import exceptions
from mcp_hub.sandbox.lowering.core import Block, Caught, Output, quoted, spelled
from mcp_hub.sandbox.lowering.expressions import Expressions
from mcp_hub.sandbox.lowering.loops import Loops

QUIET_CONTEXTS = frozenset({"asyncio.Semaphore", "asyncio.BoundedSemaphore", "asyncio.Lock", "contextlib.nullcontext",
                            "asyncio.timeout"})  # fmt: skip
"""Contexts that a program which does one thing after the other needs nothing of."""


class Guards(Loops):
    """Emits try, raise, with and class statements; see `Statements` for the others."""

    def __init__(self, expressions: Expressions, output: Output) -> None:
        super().__init__(expressions, output)
        self._emitters |= {
            ast.Try: self._try,
            ast.Raise: self._raise,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.ClassDef: self._class,
        }

    def _try(self, node: ast.Try) -> None:
        if node.finalbody and node.handlers:
            inner = ast.Try(node.body, node.handlers, node.orelse, [])
            self._finally(node, [ast.copy_location(inner, node)])
        elif node.finalbody:
            self._finally(node, node.body)
        else:
            self._except(node, node.body, node.handlers, node.orelse)

    def _begin(self, node: ast.AST) -> str:
        error = self.x.fresh("error")
        self.line(f"{error} = _py_try()", node)
        self.line(f"if {error} == None:", node)
        return error

    def _guarded(self, body: Sequence[ast.stmt], block: Block) -> None:
        self.blocks.append(block)
        self.body(body)
        self.blocks.pop()
        if not ends(body):
            self.out.indent += 1
            self.out.add("_commit()", body[-1].end_lineno or body[-1].lineno)
            self.out.indent -= 1

    def _finally(self, node: ast.Try, body: Sequence[ast.stmt]) -> None:
        error = self._begin(node)
        self._guarded(body, Block(guarded=True, final=node.finalbody))
        for statement in node.finalbody:
            self.statement(statement)
        self._reraise(f"if {error} != None:", error, body)

    def _except(
        self,
        node: ast.stmt,
        body: Sequence[ast.stmt],
        handlers: Sequence[ast.ExceptHandler],
        orelse: Sequence[ast.stmt],
    ) -> None:
        error = self._begin(node)
        self._guarded(body, Block(guarded=True))
        self.out.indent += 1
        for statement in orelse:
            self.statement(statement)
        self.out.indent -= 1
        everything = False
        for handler in handlers:
            types = self._types(handler.type)
            test = "True" if types is None else f'{error}["type"] in [{", ".join(map(quoted, sorted(types)))}]'
            self.line("else:" if types is None else f"elif {test}:", handler)
            self._handler(handler, error)
            if types is None:
                everything = True
                break  # nothing is left for the clauses after it
        if not everything:
            self._reraise("else:", error, body)

    def _reraise(self, test: str, error: str, body: Sequence[ast.stmt]) -> None:
        """Fail with an error that nothing caught, at the beginning of the body that it came from."""
        self.out.add(test, body[0].lineno)
        self.out.indent += 1
        self.out.add(f"_py_reraise({error})", body[0].lineno)
        self.out.indent -= 1

    def _handler(self, handler: ast.ExceptHandler, error: str) -> None:
        self.x.caught.append(Caught(error, handler.name))
        if handler.name is not None:
            self.out.indent += 1
            self.line(f'{self.x.name(handler.name)} = {error}["message"]', handler)
            self.out.indent -= 1
        self.body(handler.body)
        self.x.caught.pop()

    def _types(self, node: ast.expr | None) -> frozenset[str] | None:
        """The types that a clause catches; None for all."""
        if isinstance(node, ast.Tuple):
            parts = [self._types(each) for each in node.elts]
            return None if None in parts else frozenset().union(*(part for part in parts if part))
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            return exceptions.caught_by(name, self.x.program.exceptions)
        return None

    def _raise(self, node: ast.Raise) -> None:
        raised = node.exc
        if raised is None:
            self.line(f"_py_reraise({self.x.caught[-1].variable if self.x.caught else 'None'})", node)
            return
        if (error := self.x.caught_error(raised)) is not None:
            self.line(f"_py_reraise({error})", node)
            return
        called = raised.func if isinstance(raised, ast.Call) else raised
        name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
        is_class = name in exceptions.KNOWN or name in self.x.program.exceptions or name[:1].isupper()
        if not is_class:
            self.line(f"_py_raise_value({self.value(raised, node)})", node)
            return
        if name == "SystemExit":
            self.line(f"_py_exit({self.x.arguments(raised) if isinstance(raised, ast.Call) else ''})", node)
            return
        message = '""'
        if isinstance(raised, ast.Call) and raised.args:
            several = raised.args if len(raised.args) > 1 else []
            spread = (node.end_lineno or node.lineno) > node.lineno
            self.x.spread, self.x.line = spread, node.lineno
            message = f"_py_str(({self.x.commas(several)}))" if several else self.x.as_text(raised.args[0])
            self.x.spread = False
        self.line(f"_py_raise({quoted(name)}, {message})", node)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        """`suppress` is a try; a lock, which nobody contends for, is nothing."""
        for item in node.items:
            context = item.context_expr
            called = context.func if isinstance(context, ast.Call) else context
            if self.x.standard(called) == "contextlib.suppress" and isinstance(context, ast.Call):
                types = ast.Tuple(context.args, ast.Load())
                handler = ast.ExceptHandler(types if context.args else None, None, [ast.Pass()])
                for each in ast.walk(handler):
                    if isinstance(each, ast.ExceptHandler | ast.Pass | ast.Tuple):
                        ast.copy_location(each, node)
                self._except(node, node.body, [handler], [])
                return
            if item.optional_vars is not None:
                self.assign(item.optional_vars, self.value(context, node), node)
        for statement in node.body:
            self.statement(statement)

    def _class(self, node: ast.ClassDef) -> None:
        """A class of exceptions is its name; one of typing's is a dict."""
        if node.name not in self.x.program.exceptions:
            self.line(f"{self.x.name(spelled(node.name))} = _py_native_dict", node)


def ends(body: Sequence[ast.stmt]) -> bool:
    """Whether what stands behind a body is never reached."""
    return isinstance(body[-1], ast.Return | ast.Raise | ast.Break | ast.Continue)


def exception_classes(nodes: Sequence[ast.AST]) -> dict[str, str]:
    """The classes of exceptions that a program defines, each with its base."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.ClassDef) and len(node.bases) == 1:
            base = node.bases[0]
            name = base.id if isinstance(base, ast.Name) else base.attr if isinstance(base, ast.Attribute) else ""
            if name in exceptions.KNOWN or name in found or name.endswith(("Error", "Exception")):
                found[node.name] = name
    return found
