"""The scopes of a program: which names each binds, and which of them must be kept in a box.

Pure. Starlark has no way to assign to a name of an outer scope, nor to assign inside an expression. A name for which
a program does one of these is kept in a list of one item, its box, wherever it is read or assigned.
"""

import ast
from dataclasses import dataclass, field

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

LEAVES = frozenset(
    {ast.Name, ast.Constant, ast.Load, ast.Store, ast.Del, ast.Pass, ast.Break, ast.Continue, ast.alias}
    | {each for base in (ast.operator, ast.cmpop, ast.boolop, ast.unaryop) for each in base.__subclasses__()}
)  # fmt: skip
"""Nodes that neither bind by themselves nor hold others that do."""

BINDING = frozenset(
    {ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.AsyncFor, ast.comprehension, ast.Global,
     ast.Nonlocal, ast.withitem, ast.Import, ast.ImportFrom, ast.ClassDef, ast.ExceptHandler, ast.MatchAs,
     ast.MatchStar, ast.MatchMapping, ast.Delete, ast.Yield, ast.YieldFrom}
)  # fmt: skip
"""Nodes that `_note` looks at."""


@dataclass(eq=False)
class Scope:
    """A module, a function or a comprehension."""

    parent: "Scope | None"
    is_comprehension: bool = False
    bound: dict[str, list[ast.AST | None]] = field(default_factory=dict)
    """Name -> the values it is bound to; None for a value that no expression of the program stands for."""
    declared: dict[str, type[ast.stmt]] = field(default_factory=dict)
    """Names of `global` and `nonlocal` statements."""
    boxed: set[str] = field(default_factory=set)
    parameters: list[str] = field(default_factory=list)
    yields: bool = False
    """Whether it is a generator's."""

    def owner(self, name: str) -> "Scope | None":
        """The scope that binds `name` as it is seen from here; None for one that no scope binds."""
        scope: Scope | None = self
        while scope is not None:
            if scope.declared.get(name) is ast.Global:
                return scope.module()
            if name in scope.bound and name not in scope.declared:
                return scope
            scope = scope.parent
        return None

    def module(self) -> "Scope":
        """The outermost scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def function(self) -> "Scope":
        """The nearest scope that is no comprehension's."""
        scope = self
        while scope.is_comprehension and scope.parent is not None:
            scope = scope.parent
        return scope


@dataclass(frozen=True)
class Scopes:
    """Every scope of a program."""

    module: Scope
    of: dict[ast.AST, Scope]
    """Function, lambda or comprehension -> its own scope."""


def read(tree: ast.Module, namespaces: frozenset[str]) -> Scopes:
    """Read a program's scopes. An import of a name in `namespaces` binds nothing: the server is meant."""
    module = Scope(None)
    of: dict[ast.AST, Scope] = {}
    pending: list[tuple[ast.AST, Scope]] = [(statement, module) for statement in reversed(tree.body)]
    while pending:
        node, scope = pending.pop()
        inner = scope
        if isinstance(node, FUNCTIONS):
            inner = of[node] = Scope(scope)
            _enter_function(node, scope, inner, pending)
            continue
        if isinstance(node, COMPREHENSIONS):
            inner = of[node] = Scope(scope, is_comprehension=True)
            first = node.generators[0]
            pending.append((first.iter, scope))
            _bind_target(first.target, item_of(first.iter), inner)
            children = [*first.ifs, *node.generators[1:]]
            children += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            pending.extend((child, inner) for child in reversed(children))
            continue
        if type(node) in BINDING:
            _note(node, scope, namespaces)
        for name in node._fields:
            child = getattr(node, name)
            if isinstance(child, list):
                pending += [
                    (each, inner) for each in reversed(child) if type(each) not in LEAVES and isinstance(each, ast.AST)
                ]
            elif type(child) not in LEAVES and isinstance(child, ast.AST):
                pending.append((child, inner))
    scopes = Scopes(module, of)
    _settle(scopes)
    return scopes


def _enter_function(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
    scope: Scope,
    inner: Scope,
    pending: list[tuple[ast.AST, Scope]],
) -> None:
    arguments = node.args
    for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        inner.bound[parameter.arg] = [parameter]
        inner.parameters.append(parameter.arg)
    for rest, empty in ((arguments.vararg, ast.Tuple([])), (arguments.kwarg, ast.Dict([], []))):
        if rest is not None:
            inner.bound[rest.arg] = [empty]
            inner.parameters.append(rest.arg)
    outside: list[ast.expr] = [*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)]
    if isinstance(node, ast.Lambda):
        body: list[ast.AST] = [node.body]
    else:
        body = [*node.body]
        outside += node.decorator_list
        scope.bound.setdefault(node.name, []).append(node)
    pending.extend((each, inner) for each in reversed(body))
    pending.extend((each, scope) for each in outside)


def _note(node: ast.AST, scope: Scope, namespaces: frozenset[str]) -> None:
    """Note what a node binds or declares in `scope`."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                _bind_target(target, value, scope)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            _bind_target(target, value, scope)
        case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
            scope.bound.setdefault(name, []).append(ast.BinOp(ast.Name(target.id, ast.Load()), op, value))
        case ast.NamedExpr(target=target, value=value):
            scope.function().bound.setdefault(target.id, []).append(value)
            scope.function().boxed.add(target.id)
        case ast.For(target=target, iter=values) | ast.AsyncFor(target=target, iter=values):
            _bind_target(target, item_of(values), scope)
        case ast.comprehension(target=target, iter=values):
            _bind_target(target, item_of(values), scope)
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            scope.declared.update(dict.fromkeys(names, type(node)))
        case ast.withitem(optional_vars=ast.expr() as target):
            _bind_target(target, None, scope)
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            for alias in aliases:
                name = (alias.asname or alias.name).partition(".")[0]
                if name not in namespaces:
                    scope.bound.setdefault(name, []).append(node)
        case ast.ClassDef(name=name):
            scope.bound.setdefault(name, []).append(node)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            scope.bound.setdefault(name, []).append(node)
        case ast.MatchMapping(rest=str(name)):
            scope.bound.setdefault(name, []).append(node)
        case ast.Delete(targets=targets):
            for target in targets:
                _bind_target(target, None, scope)
        case ast.Yield() | ast.YieldFrom():
            scope.function().yields = True
        case _:
            pass


def item_of(values: ast.expr) -> ast.Subscript:
    """An expression that stands for the items of another one."""
    return ast.Subscript(values, ast.Constant(...), ast.Load())


def _bind_target(target: ast.expr, value: ast.AST | None, scope: Scope) -> None:
    match target:
        case ast.Name(id=name):
            scope.bound.setdefault(name, []).append(value)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for number, element in enumerate(elements):
                _bind_target(element, _part(value, number, len(elements)), scope)
        case ast.Starred(value=inner):
            _bind_target(inner, ast.List([]), scope)
        case _:
            pass


def _part(value: ast.AST | None, number: int, count: int) -> ast.AST | None:
    """The value that one name of several gets."""
    match value:
        case ast.Tuple(elts=elements) | ast.List(elts=elements) if len(elements) == count:
            return elements[number]
        case ast.Subscript(value=ast.Call(func=ast.Name(id="enumerate"), args=[items, *_])) if count == 2:
            return item_of(items) if number else ast.Constant(0)
        case ast.Subscript(value=ast.Call(func=ast.Attribute(value=mapping, attr="items"), args=[])) if (
            count == 2 and number
        ):
            return item_of(mapping)
        case _:
            return None


def _settle(scopes: Scopes) -> None:
    """Box what an inner scope assigns, and let its owner know the values."""
    for scope in scopes.of.values():
        for name, statement in scope.declared.items():
            values = scope.bound.get(name)
            if values is None:
                continue
            outer = scope.parent if statement is ast.Nonlocal else scopes.module
            owner = outer.owner(name) if outer is not None else None
            if statement is ast.Global:
                scopes.module.bound.setdefault(name, [])
                owner = scopes.module
            if owner is not None:
                owner.bound[name] += values
                owner.boxed.add(name)
    for scope in (scopes.module, *scopes.of.values()):
        for name in [name for name in scope.boxed if name in scope.declared]:
            scope.boxed.discard(name)
            owner = scope.owner(name)
            if owner is not None:
                owner.boxed.add(name)
