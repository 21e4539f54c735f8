"""Which variables are still read after a point of a program: what a failed try has undone matters for them only.

Pure. Statements are gone through backwards, loops until nothing is added. What a nested function reads is read at any
time.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

Names = frozenset[str]
NONE: Names = frozenset()

OnTry = Callable[[ast.Try | ast.With | ast.AsyncWith, Names], None]
"""Told of each guarded statement, with the names that are read once a handler of it has begun."""


@dataclass(frozen=True)
class _Ways:
    """What is read where a statement may go other than on."""

    broken: Names = NONE
    continued: Names = NONE


class Liveness:
    """Liveness in one function's body, or the module's. `always` are names that are read at any time."""

    def __init__(self, always: Names, on_try: OnTry) -> None:
        self._always = always
        self._on_try = on_try

    def before(self, body: Sequence[ast.stmt], after: Names, ways: _Ways | None = None) -> Names:
        """The names that are read from the start of `body` on, if `after` are read behind it."""
        live = after | self._always
        for statement in reversed(body):
            live = self._statement(statement, live, ways or _Ways()) | self._always
        return live

    def _statement(self, node: ast.stmt, after: Names, ways: _Ways) -> Names:
        match node:
            case ast.Assign(targets=targets, value=value):
                return (after - _bound(targets)) | reads(value) | reads(*targets)
            case ast.AnnAssign(target=target, value=value):
                return after if value is None else (after - _bound([target])) | reads(value) | reads(target)
            case ast.AugAssign(target=target, value=value):
                return after | names(target) | reads(value)
            case ast.If(test=test, body=body, orelse=orelse):
                return reads(test) | self.before(body, after, ways) | self.before(orelse, after, ways)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node, after, ways)
            case ast.Try():
                return self._try(node, after, ways)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                self._on_try(node, after)
                return self.before(body, after, ways) | after | reads(*(item.context_expr for item in items))
            case ast.Match(subject=subject, cases=cases):
                inner = [self.before(case.body, after, ways) for case in cases]
                return after.union(reads(subject), reads(*(case for case in cases)), *inner)
            case ast.Return() | ast.Raise():
                return reads(node)
            case ast.Break():
                return ways.broken
            case ast.Continue():
                return ways.continued
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                return (after - {name}) | reads(node)
            case _:
                return after | reads(node)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, after: Names, ways: _Ways) -> Names:
        test = reads(node.test) if isinstance(node, ast.While) else NONE
        bound = NONE if isinstance(node, ast.While) else _bound([node.target])
        live = self.before(node.orelse, after, ways) | test
        while True:
            inner = self.before(node.body, live, replace(ways, broken=after, continued=live)) - bound
            if inner <= live:
                break
            live |= inner
        return live if isinstance(node, ast.While) else live | reads(node.iter)

    def _try(self, node: ast.Try, after: Names, ways: _Ways) -> Names:
        last = self.before(node.finalbody, after, ways) if node.finalbody else after
        handled = NONE
        for handler in node.handlers:
            live = self.before(handler.body, last, ways)
            handled |= live - {handler.name} if handler.name else live
        if not node.handlers:
            handled = self.before(node.finalbody, NONE)
        self._on_try(node, handled)
        return self.before(node.body, self.before(node.orelse, last, ways), ways) | handled


def reads(*nodes: ast.AST | None) -> Names:
    """The names that expressions or statements read, those of functions within included."""
    found: set[str] = set()
    for each in nodes:
        if each is not None:
            found |= {
                node.id for node in ast.walk(each) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)
            }
    return frozenset(found)


def names(node: ast.AST) -> Names:
    """Every name in a node."""
    return frozenset(each.id for each in ast.walk(node) if isinstance(each, ast.Name))


def _bound(targets: Sequence[ast.expr]) -> Names:
    """The names that an assignment gives a new value to, which makes the old one unread."""
    found: set[str] = set()
    pending = list(targets)
    while pending:
        target = pending.pop()
        if isinstance(target, ast.Name):
            found.add(target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            pending += target.elts
        elif isinstance(target, ast.Starred):
            pending.append(target.value)
    return frozenset(found)
