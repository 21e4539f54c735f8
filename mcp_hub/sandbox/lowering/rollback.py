"""What a failed try would undo although the program goes on with it: the one way in which a try isn't Python's.

Pure. The part of a try that fails is forgotten as a whole (see `guards`). That is what programs mean, but where one
changes something first, calls what may fail, and reads the changed thing afterwards. Such a change is told beforehand.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mcp_hub.sandbox.lowering.changes import (
    CHANGING,
    Change,
    Function,
    assigned_by,
    bound_in,
    changes,
    declared_by,
    origins_of,
    outermost,
    parameters_of,
    root_name,
)  # fmt: skip
from mcp_hub.sandbox.lowering.liveness import NONE, Liveness, Names, names, reads

ONCE = "in a try, what was changed before the failure is undone: move this line before the try, or after the call"
IN_LOOP = (
    "in a try, what was changed before the failure is undone, earlier rounds of the loop too: put the try into the "
    "loop, around the call alone"
)

SAFE_METHODS = CHANGING | frozenset(
    [
        "get",
        "items",
        "keys",
        "values",
        "lower",
        "upper",
        "strip",
        "lstrip",
        "rstrip",
        "split",
        "rsplit",
        "splitlines",
        "join",
        "startswith",
        "endswith",
        "replace",
        "format",
        "copy",
        "count",
        "title",
        "capitalize",
        "zfill",
        "ljust",
        "rjust",
        "find",
        "isdigit",
        "isalpha",
        "most_common",
        "union",
        "intersection",
        "difference",
    ]
)
SAFE_FUNCTIONS = frozenset(
    [
        "len",
        "str",
        "repr",
        "print",
        "range",
        "enumerate",
        "zip",
        "sorted",
        "list",
        "dict",
        "set",
        "tuple",
        "isinstance",
        "bool",
        "sum",
        "any",
        "all",
        "reversed",
        "type",
        "abs",
        "round",
        "map",
        "filter",
        "frozenset",
        "Counter",
        "defaultdict",
    ]
)
"""Calls that don't fail, as programs use them."""

NAMED_FOR_ITEMS = frozenset({"KeyError", "IndexError", "LookupError", "ZeroDivisionError", "TypeError"})
"""A clause that names one of these expects a missing key, or a division by zero."""

Guarded = ast.Try | ast.With | ast.AsyncWith


@dataclass
class _Summary:
    """What a function of the program's does to what is outside of it."""

    parameters: list[str]
    changed: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    """Of `changed`, what something follows in the function that may fail."""


def lost(tree: ast.Module, nodes: Iterable[ast.AST]) -> list[tuple[int, str]]:
    """Each change that a failed try undoes and that is read afterwards: its line, and what to do.

    `nodes` are all of the tree's.
    """
    program = list(nodes)
    functions = [node for node in program if isinstance(node, Function)]
    own = bound_in(program)
    summaries = _summaries(functions, own)
    read = {function: reads(function) for function in functions}
    found: set[tuple[int, str]] = set()
    bodies = [(tree.body, frozenset({"result"}).union(*read.values()), NONE)]
    for function in functions:
        inner = [reads(node) for node in ast.walk(function) if isinstance(node, Function | ast.Lambda)][1:]
        outer = read[function] - assigned_by(function) | declared_by(function)
        bodies.append((function.body, outer.union(*inner), frozenset(parameters_of(function))))
    for body, always, parameters in bodies:

        def tell(node: Guarded, live: Names, outside: Names = always | parameters) -> None:
            found.update(_told(node, live, outside, summaries, own))

        Liveness(always, tell).before(body, NONE)
    return sorted(found)


def _told(
    node: Guarded, live: Names, outside: Names, summaries: dict[str, _Summary], own: Names
) -> set[tuple[int, str]]:
    """The changes in one guarded body that are read once it has failed."""
    if isinstance(node, ast.With | ast.AsyncWith) and not _suppresses(node):
        return set()
    scan = _Scan(summaries, own, items_fail=_expects_items(node, own))
    scan.body(node.body, False, _Ways())
    origins = origins_of(node.body)
    told = set()
    for change in scan.lost:
        if change.assigns:
            matters = change.name in live
        else:
            root = outermost(change.name, origins)
            matters = root is not None and (root in live or root in outside)
        if matters:
            told.add((change.line, IN_LOOP if change.in_loop else ONCE))
    return told


@dataclass(frozen=True)
class _Ways:
    """Where a statement stands: whether something may fail where a break or a continue leads, and more."""

    broken: bool = False
    continued: bool = False
    in_loop: bool = False
    caught: bool = False
    """Whether another try catches what fails."""


class _Scan:
    """Goes through a guarded body backwards: what is changed where something that may fail can still follow."""

    def __init__(self, summaries: dict[str, _Summary], own: Names, items_fail: bool) -> None:
        self._summaries = summaries
        self._own = own
        self._items_fail = items_fail
        self.changes: set[Change] = set()
        self.lost: set[Change] = set()

    def body(self, body: Sequence[ast.stmt], after: bool, ways: _Ways) -> bool:
        """Whether something may fail from the start of `body` on, if `after` says so of what is behind it."""
        for statement in reversed(body):
            after = self._statement(statement, after, ways)
        return after

    def _statement(self, node: ast.stmt, after: bool, ways: _Ways) -> bool:
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                branches = [self.body(each, after, ways) for each in (body, orelse)]
                return self._head(test, any(branches), ways)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node, after, ways)
            case ast.Try():
                return self._try(node, after, ways)
            case ast.With(body=body) | ast.AsyncWith(body=body):
                return self.body(body, after, ways)
            case ast.Match(subject=subject, cases=cases):
                branches = [self.body(case.body, after, ways) for case in cases]
                return self._head(subject, after or any(branches), ways)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return after
            case ast.Return():
                return self._head(node, False, ways)
            case ast.Break():
                return ways.broken
            case ast.Continue():
                return ways.continued
            case _:
                return self._head(node, after, ways)

    def _try(self, node: ast.Try, after: bool, ways: _Ways) -> bool:
        """Behind what is finally done, an error may go on."""
        goes_on = not node.handlers and not ways.caught and self.body(node.body, False, ways)
        last = self.body(node.finalbody, after or goes_on, ways)
        handled = [self.body(each.body, last, ways) for each in node.handlers]
        then = self.body(node.orelse, last, ways)
        guarded = replace(ways, caught=ways.caught or bool(node.handlers))
        return self.body(node.body, then, guarded) or any(handled)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, after: bool, ways: _Ways) -> bool:
        """Behind a round of a loop stands the next one."""
        then = self.body(node.orelse, after, ways)
        within = replace(ways, in_loop=True, broken=False, continued=False)
        fails = then or self.body(node.body, False, within)
        if isinstance(node, ast.While):
            fails = self._head(node.test, fails, ways)
        self.body(node.body, fails, replace(within, broken=after, continued=fails))
        if isinstance(node, ast.While):
            return fails
        if fails:
            self.lost.update(Change(name, node.lineno, True, True) for name in names(node.target))
        return self._head(node.iter, fails, ways)

    def _head(self, node: ast.AST, after: bool, ways: _Ways) -> bool:
        """A simple statement, or what a compound one begins with: it changes things once it has been evaluated."""
        nodes = list(ast.walk(node))
        for change in changes(nodes, ways.in_loop):
            self._note(change, after)
        for call in nodes:
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in self._summaries:
                self._note_call(call, self._summaries[call.func.id], after, ways)
        if after or ways.caught:
            return after
        return any(_may_fail(each, self._own, self._items_fail) for each in nodes)

    def _note_call(self, call: ast.Call, summary: _Summary, after: bool, ways: _Ways) -> None:
        given = dict(zip(summary.parameters, call.args, strict=False))
        for name in summary.changed:
            target = given.get(name)
            known = root_name(target) if target is not None else None if name in summary.parameters else name
            if known is not None:
                self._note(Change(known, call.lineno, ways.in_loop, False), after or name in summary.lost)

    def _note(self, change: Change, after: bool) -> None:
        self.changes.add(change)
        if after:
            self.lost.add(change)


def _may_fail(node: ast.AST, own: Names, items_fail: bool) -> bool:
    """Whether evaluating a node may fail by itself. `own` are the program's names; others are servers'."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name not in SAFE_FUNCTIONS
        case ast.Call(func=ast.Attribute(value=ast.Name(id=holder), attr=name)):
            return name not in SAFE_METHODS or holder not in own
        case ast.Call(func=ast.Attribute(attr=name)):
            return name not in SAFE_METHODS
        case ast.Call() | ast.Raise() | ast.Assert():
            return True
        case ast.Subscript(ctx=ast.Load(), slice=index):
            return items_fail and not isinstance(index, ast.Slice)
        case ast.BinOp(op=ast.Div() | ast.FloorDiv(), right=right):
            return items_fail and not isinstance(right, ast.Constant)
        case _:
            return False


def _expects_items(node: Guarded, own: Names) -> bool:
    """Whether a missing key is what a try is for: it names that error, or has no call that may fail."""
    if isinstance(node, ast.Try):
        named = {
            each.id
            for handler in node.handlers
            if handler.type
            for each in ast.walk(handler.type)
            if isinstance(each, ast.Name)
        }
    else:
        named = {each.id for item in node.items for each in ast.walk(item.context_expr) if isinstance(each, ast.Name)}
    if named & NAMED_FOR_ITEMS:
        return True
    return not any(_may_fail(each, own, False) for statement in node.body for each in ast.walk(statement))


def _suppresses(node: ast.With | ast.AsyncWith) -> bool:
    return any(
        isinstance(call := item.context_expr, ast.Call)
        and (call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")) == "suppress"
        for item in node.items
    )


def _summaries(functions: Sequence[Function], names_own: Names) -> dict[str, _Summary]:
    """What each function changes of its parameters and of what is outside of it, calls of others included."""
    found: dict[str, _Summary] = {each.name: _Summary(parameters_of(each)) for each in functions}
    known = [
        (
            function,
            declared_by(function),
            assigned_by(function) - set(parameters_of(function)),
            origins_of(function.body),
        )
        for function in functions
    ]
    for _ in range(2):  # the second time round, what the functions that are called change is known
        for function, declared, own, origins in known:
            scan = _Scan(found, names_own, items_fail=False)
            scan.body(function.body, False, _Ways())
            summary = found[function.name]
            for noted, outside in ((scan.changes, summary.changed), (scan.lost, summary.lost)):
                for change in noted:
                    root = change.name if change.assigns else outermost(change.name, origins)
                    if root is not None and (root in declared if change.assigns else root not in own):
                        outside.add(root)
    return found
