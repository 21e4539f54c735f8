"""Statements of Python as statements of Starlark; each line knows the line of the program that it stands for."""

import ast
import re
from collections.abc import Callable, Sequence

from mcp_hub.sandbox.lowering.core import MARK, PRIMARY, Block, Output, box, imported, is_simple, spelled
from mcp_hub.sandbox.lowering.expressions import Expressions
from mcp_hub.sandbox.lowering.operators import BINARY
from mcp_hub.sandbox.lowering.scopes import Scope

MARKED = re.compile(f"\n{MARK}(\\d+){MARK}")


class Statements:
    """Emits the statements of one program into `output`."""

    def __init__(self, expressions: Expressions, output: Output) -> None:
        self.x = expressions
        self.out = output
        self.blocks: list[Block] = []
        self._emitters: dict[type[ast.AST], Callable[..., None]] = {
            ast.Expr: self._expression,
            ast.Assign: self._assign,
            ast.AugAssign: self._augmented,
            ast.AnnAssign: self._annotated,
            ast.If: self._if,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Return: self._return,
            ast.Delete: self._delete,
            ast.Assert: self._assert,
            ast.Import: self._import,
            ast.ImportFrom: self._import,
            ast.Pass: lambda node: self.line("pass", node),
            ast.Global: lambda node: self.line("pass", node),
            ast.Nonlocal: lambda node: self.line("pass", node),
        }

    def body(self, statements: Sequence[ast.stmt]) -> None:
        """Emit statements one step further in; `pass` where nothing is left of them."""
        self.out.indent += 1
        before = len(self.out.lines)
        for statement in statements:
            self.statement(statement)
        if len(self.out.lines) == before:
            self.out.add("pass", statements[0].lineno if statements else 1)
        self.out.indent -= 1

    def statement(self, node: ast.stmt) -> None:
        """Emit one statement."""
        emit = self._emitters.get(type(node))
        if emit is None:
            raise NotImplementedError(f"line {node.lineno}: {type(node).__name__} can't be lowered")
        emit(node)

    def line(self, text: str, node: ast.AST) -> None:
        """Emit a statement's text, which may carry marks of further lines."""
        first = getattr(node, "lineno", 1)
        if MARK not in text:
            self.out.add(text, first)
            return
        pieces = MARKED.split(text)
        self.out.add(pieces[0], first)
        for number, piece in zip(pieces[1::2], pieces[2::2], strict=True):
            self.out.add(piece, int(number))

    def value(self, node: ast.expr, statement: ast.AST) -> str:
        """An expression that stands by itself: in brackets, and with marks, if it has several lines."""
        line = getattr(statement, "lineno", node.lineno)
        if (node.end_lineno or node.lineno) == line == node.lineno:
            return self.x.expression(node)
        self.x.spread, self.x.line = True, line
        text = self.x.expression(node)
        self.x.spread = False
        return f"({text})" if MARK in text else text

    def gone_over(self, node: ast.expr, statement: ast.AST) -> str:
        """An expression that a loop goes over."""
        if self.x.kind(node) in ("text", "unknown"):
            return f"_py_iter({self.value(node, statement)})"
        return self.value(node, statement)

    # Simple statements

    def _expression(self, node: ast.Expr) -> None:
        value = node.value
        if isinstance(value, ast.Yield | ast.YieldFrom):
            self._yield(value, node)
        elif isinstance(value, ast.NamedExpr):
            self.line(f"{box(value.target.id)}[0] = {self.value(value.value, node)}", node)
        elif isinstance(value, ast.Constant) and not isinstance(value.value, int | float | str):
            self.line("pass" if value.value is ... else "None", node)
        else:
            self.line(self.value(value, node), node)

    def _yield(self, value: ast.Yield | ast.YieldFrom, node: ast.stmt) -> None:
        if isinstance(value, ast.YieldFrom):
            self.line(f"_py_yielded.extend({self.gone_over(value.value, node)})", node)
        else:
            given = "None" if value.value is None else self.value(value.value, node)
            self.line(f"_py_yielded.append({given})", node)

    def _assign(self, node: ast.Assign) -> None:
        if len(node.targets) == 1:
            self.assign(node.targets[0], self.value(node.value, node), node, self.x.kind(node.value))
            return
        if is_simple(node.value):
            text = self.x.expression(node.value)
        else:
            text = self.x.fresh("value")
            self.line(f"{text} = {self.value(node.value, node)}", node)
        for target in node.targets:
            self.assign(target, text, node, self.x.kind(node.value))

    def assign(self, target: ast.expr, value: str, node: ast.AST, kind: str = "unknown") -> None:
        """Assign Starlark text to a target of Python's."""
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
            bounds = ["None" if each is None else self.x.expression(each) for each in _bounds(target.slice)]
            self.line(f"_py_set_slice({self.x.expression(target.value)}, {', '.join(bounds)}, {value})", node)
        elif isinstance(target, ast.Tuple | ast.List):
            starred = [number for number, each in enumerate(target.elts) if isinstance(each, ast.Starred)]
            if starred:
                after = len(target.elts) - starred[0] - 1
                value = f"_py_unpacked({value}, {starred[0]}, {after})"
            elif kind == "text":
                value = f"_py_iter({value})"
            self._unpack(target, value, node)
        else:
            self.line(f"{self.x.target(target)} = {value}", node)

    def _unpack(self, target: ast.Tuple | ast.List, value: str, node: ast.AST) -> None:
        """Targets within that take more than Starlark's unpacking are assigned from a variable each."""
        names: list[str] = []
        later: list[tuple[ast.expr, str]] = []
        for each in target.elts:
            inner = each.value if isinstance(each, ast.Starred) else each
            if is_plain(inner):
                names.append(self.x.target(inner))
            else:
                names.append(self.x.fresh("part"))
                later.append((inner, names[-1]))
        self.line(f"({', '.join(names)}{',' if len(names) == 1 else ''}) = {value}", node)
        for inner, name in later:
            self.assign(inner, name, node)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value, node), node)

    def _augmented(self, node: ast.AugAssign) -> None:
        value = node.value
        helper = self.x.augmented(node)
        missing = self.x.missing(node.target.value) if isinstance(node.target, ast.Subscript) else None
        if helper is None and missing is None:
            operand = self.value(value, node)
            if self.x.kind(value) == "bool":
                operand = f"_py_native_int({operand})"
            elif isinstance(node.op, ast.Add) and self.x.kind(node.target) == "list":
                operand = self.gone_over(value, node)
            sign = "%" if isinstance(node.op, ast.Mod) else BINARY[type(node.op)][0]
            self.line(f"{self.x.target(node.target)} {sign}= {operand}", node)
            return
        target, current = self._read_once(node)
        operand = self.value(value, node)
        if helper is not None:
            self.line(f"{target} = {helper}({current}, {operand})", node)
        else:
            if self.x.kind(value) == "bool":
                operand = f"_py_native_int({operand})"
            self.line(f"{target} = {current} {BINARY[type(node.op)][0]} ({operand})", node)

    def _read_once(self, node: ast.AugAssign) -> tuple[str, str]:
        """The target, whose parts are evaluated before, and how it is read."""
        target = node.target
        if isinstance(target, ast.Name):
            name = self.x.name(target.id)
            return name, name
        if isinstance(target, ast.Attribute):
            text = self.x.target(target)
            return text, text
        holder = self.x.expression(target.value, PRIMARY)
        if not is_simple(target.value):
            name = self.x.fresh("holder")
            self.line(f"{name} = {holder}", node)
            holder = name
        key = self.x.expression(target.slice)
        if not is_simple(target.slice):
            name = self.x.fresh("key")
            self.line(f"{name} = {key}", node)
            key = name
        missing = self.x.missing(target.value)
        current = f"{holder}[{key}]" if missing is None else f"{holder}.{missing.method}({key}, {missing.value})"
        return f"{holder}[{key}]", current

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._delete_target(target, node)

    def _delete_target(self, target: ast.expr, node: ast.Delete) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for each in target.elts:
                self._delete_target(each, node)
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
            bounds = ["None" if each is None else self.x.expression(each) for each in _bounds(target.slice)]
            self.line(f"_py_set_slice({self.x.expression(target.value)}, {', '.join(bounds)}, [])", node)
        elif isinstance(target, ast.Subscript):
            self.line(f"_py_del({self.x.expression(target.value)}, {self.x.expression(target.slice)})", node)
        elif isinstance(target, ast.Name):
            self.line(f"{self.x.name(target.id)} = None", node)

    def _assert(self, node: ast.Assert) -> None:
        message = '""' if node.msg is None else self.x.as_text(node.msg)
        self.line(f"if not ({self.value(node.test, node)}):", node)
        self.out.indent += 1
        self.line(f'_py_raise("AssertionError", {message})', node)
        self.out.indent -= 1

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            dotted = alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
            name = alias.asname or alias.name.partition(".")[0]
            owner = self.x.scope.owner(name)
            if owner is None or (imported(name, owner) and name not in owner.boxed):
                continue
            self.line(f"{self.x.name(name)} = {self.x.standard_value(dotted)}", node)

    # Functions

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        scope = self.x.program.scopes.of[node]
        name = spelled(node.name)
        owner = self.x.scope.owner(node.name)
        boxed = owner is not None and node.name in owner.boxed
        decorators = [(each, self.x.fresh("decorator")) for each in node.decorator_list]
        for each, variable in decorators:
            self.line(f"{variable} = {self._decorator(each)}", each)
        defined = f"_py_function_{name}" if boxed else name
        self.line(f"def {defined}({self.x.parameters(node.args)}):", node)
        self._function_body(node, scope)
        for each, variable in reversed(decorators):
            self.line(f"{defined} = {variable}({defined})", each)
        if boxed:
            self.line(f"{self.x.name(node.name)} = {defined}", node)

    def _decorator(self, node: ast.expr) -> str:
        standard = self.x.standard(node)
        return "_py_cache" if standard == "functools.lru_cache" else self.x.expression(node)

    def _function_body(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        outer_scope, self.x.scope = self.x.scope, scope
        outer_blocks, self.blocks = self.blocks, []
        self.out.indent += 1
        for name in sorted(scope.boxed):
            self.line(f"{box(name)} = [{spelled(name) if name in scope.parameters else 'None'}]", node)
        if scope.yields:
            self.line("_py_yielded = []", node)
        self.out.indent -= 1
        self.body(node.body)
        if scope.yields:
            self.out.indent += 1
            self.out.add("return _py_yielded", node.end_lineno or node.lineno)
            self.out.indent -= 1
        self.x.scope, self.blocks = outer_scope, outer_blocks

    def _return(self, node: ast.Return) -> None:
        value = "" if node.value is None else self.value(node.value, node)
        if self.x.scope.yields:
            value = "_py_yielded"
        if value and self.blocks and any(block.guarded for block in self.blocks) and not _is_constant(node.value):
            kept = self.x.fresh("returned")
            self.line(f"{kept} = {value}", node)
            value = kept
        self.leave(self.blocks, node)
        self.line(f"return {value}".rstrip(), node)

    def _if(self, node: ast.If) -> None:
        word = "if"
        branch: ast.If | None = node
        while branch is not None:
            self.line(f"{word} {self.value(branch.test, branch)}:", branch)
            self.body(branch.body)
            rest = branch.orelse
            branch = None
            if len(rest) == 1 and isinstance(rest[0], ast.If):
                word, branch = "elif", rest[0]
            elif rest:
                self.out.add("else:", rest[0].lineno)
                self.body(rest)

    def leave(self, blocks: Sequence[Block], node: ast.stmt) -> None:
        """What is to be done before blocks are left from within, innermost first."""
        kept = self.blocks
        for block in reversed(blocks):
            if block.guarded:
                self.line("_commit()", node)
            if block.final:
                self.blocks = kept[: kept.index(block)]
                for statement in block.final:
                    self.statement(statement)
        self.blocks = kept


def is_plain(target: ast.expr) -> bool:
    """Whether Starlark assigns to a target as Python does."""
    if isinstance(target, ast.Tuple | ast.List):
        return all(is_plain(each) for each in target.elts)
    if isinstance(target, ast.Subscript):
        return not isinstance(target.slice, ast.Slice)
    return not isinstance(target, ast.Starred)


def _is_constant(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant)


def _bounds(node: ast.Slice) -> tuple[ast.expr | None, ast.expr | None, ast.expr | None]:
    return node.lower, node.upper, node.step
