"""A run's program as a shared script: its functions stay, what it does goes into one function.

Pure. A shared script runs nothing when it is loaded, so only functions, imports, loads and constants stay at the top
level. Python's ast finds the statements; the text is moved by whole lines, so that comments stay with them.
"""

import ast
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcp_hub.errors import CallerError

INDENT = "    "

MAIN, OTHER = "main", "run"
"""The function that does what the program did; OTHER where the program has a MAIN and does more than call it."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Shared:
    """The text of a shared script, and the function that does what the program did."""

    text: str
    function: str


@dataclass(frozen=True)
class _Part:
    """Statements that share lines, with the comments above them. Lines count from 0; `end` is after the last."""

    nodes: tuple[ast.stmt, ...]
    start: int
    end: int


def as_shared_script(code: str, header: str) -> Shared:
    """The program as a shared script below `header`, a comment. Raises CallerError when it can't be made one."""
    try:
        shared = _shared(code, header)
        ast.parse(shared.text)
    except SyntaxError as error:
        line = f" (line {error.lineno})" if error.lineno else ""
        raise CallerError(
            f"The program can't be read as Python: {error.msg}{line}. Write the script by hand."
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise CallerError("The program can't be read as Python: it is nested too deeply, or isn't text.") from None
    return shared


def _shared(code: str, header: str) -> Shared:
    tree = ast.parse(code)
    if not tree.body:
        raise CallerError("The program is empty.")
    if any(isinstance(node, ast.Global) for node in ast.walk(tree)):
        raise CallerError("A function of the program sets a global name; write the script by hand.")
    lines = code.splitlines()
    kept, moved = _divided(tree, code, _parts(tree.body, lines))
    defined = {node.name for node in tree.body if isinstance(node, _FUNCTIONS)}
    text = header
    for before, part in zip([None, *kept], kept, strict=False):
        apart = before is None or any(isinstance(node, _FUNCTIONS) for node in (*before.nodes, *part.nodes))
        text += ("\n\n\n" if apart else "\n") + "\n".join(lines[part.start : part.end]).strip("\n")
    function = MAIN
    if MAIN not in defined or not all(map(_only_calls_main, _nodes(moved))):
        function = OTHER if MAIN in defined else MAIN
        if function in defined:
            raise CallerError(f"The program defines {MAIN} and {OTHER} and does more; write the script by hand.")
        text += "\n".join([f"\n\n\ndef {function}():", *_body(tree, moved, lines, defined)])
    return Shared(f"{text}\n", function)


def _parts(body: Sequence[ast.stmt], lines: Sequence[str]) -> list[_Part]:
    parts: list[_Part] = []
    for node in body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]) - 1
        end = node.end_lineno or node.lineno
        if parts and first < parts[-1].end:  # after a semicolon
            parts[-1] = _Part((*parts[-1].nodes, node), parts[-1].start, end)
        else:
            parts.append(_Part((node,), parts[-1].end if parts else 0, end))
    parts[-1] = _Part(parts[-1].nodes, parts[-1].start, len(lines))
    return parts


# What stays at the top level


def _divided(tree: ast.Module, code: str, parts: Sequence[_Part]) -> tuple[list[_Part], list[_Part]]:
    """What stays at the top level; and what goes into the function: what runs, and all that depends on it."""
    bound = [name for node in tree.body for name in _bound(node)]
    changed = set(_changed(tree))
    reads = _Reads(code)
    moves = [not all(_may_stay(node, bound, changed) for node in part.nodes) for part in parts]
    while True:
        local = {
            name
            for part, moved in zip(parts, moves, strict=True)
            if moved
            for each in part.nodes
            for name in _bound(each)
        }
        again = [
            moved or any(local & reads.of(node) for node in part.nodes)
            for part, moved in zip(parts, moves, strict=True)
        ]
        if again == moves:
            pairs = list(zip(parts, moves, strict=True))
            return [part for part, moved in pairs if not moved], [part for part, moved in pairs if moved]
        moves = again


def _may_stay(node: ast.stmt, bound: Sequence[str], changed: set[str]) -> bool:
    """Whether a statement calls nothing when the script is loaded, and what it binds stays as it is."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.ClassDef():
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="load"))) | ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            calls = node.decorator_list or any(map(_calls, _head(node)))
            return bound.count(node.name) == 1 and not calls
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value)
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
        ):
            fixed = name.isupper() and name not in changed  # what is loaded can't be changed
            return name != "result" and bound.count(name) == 1 and _is_constant(value, may_hold=fixed)
    return False


def _is_constant(value: ast.expr, *, may_hold: bool) -> bool:
    plain = (ast.Constant, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.Name, ast.expr_context, ast.operator, ast.unaryop)
    kinds = (*plain, ast.List, ast.Dict) if may_hold else plain
    return all(isinstance(each, kinds) for each in ast.walk(value))


def _calls(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Call) for each in ast.walk(node))


def _head(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """What of a function is evaluated where it is defined."""
    defaults = [each for each in node.args.kw_defaults if each is not None]
    return [*node.decorator_list, *node.args.defaults, *defaults]


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a statement of the top level gives a value."""
    for each in _own(node):
        match each:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name):
                yield name


def _changed(tree: ast.Module) -> Iterator[str]:
    """The names of values that something in the program may change in place."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) | ast.AugAssign(target=ast.Name(id=name)):
                yield name


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """A node and those in it that belong to the same scope; of a function, the node only."""
    left = [node]
    while left:
        each = left.pop()
        yield each
        if not isinstance(each, _SCOPES):
            left += reversed(list(ast.iter_child_nodes(each)))


class _Reads:
    """Which names of the top level a statement reads, those in the body of a function included."""

    def __init__(self, code: str) -> None:
        top = symtable.symtable(code, "program", "exec")
        self._functions = {(table.get_name(), table.get_lineno()): set(_globals(table)) for table in top.get_children()}

    def of(self, node: ast.stmt) -> set[str]:
        if isinstance(node, _FUNCTIONS):
            body = self._functions[node.name, node.lineno]
            return body.union(*({n.id for n in ast.walk(each) if isinstance(n, ast.Name)} for each in _head(node)))
        return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_global())
    for child in table.get_children():
        yield from _globals(child)


# What goes into the function


def _nodes(parts: Sequence[_Part]) -> list[ast.stmt]:
    return [node for part in parts for node in part.nodes]


def _only_calls_main(node: ast.stmt) -> bool:
    """`main()`, `result = main()`, also below `if __name__ == "__main__":`, also in asyncio.run()."""
    match node:
        case ast.If(orelse=[]) if _is_main_guard(node):
            return all(map(_only_calls_main, node.body))
        case ast.Expr(value=value) | ast.Assign(targets=[ast.Name(id="result")], value=value):
            match value:
                case ast.Call(func=ast.Attribute(attr="run"), args=[ast.Call() as inner], keywords=[]):
                    value = inner
            match value:
                case ast.Call(func=ast.Name(id=name), args=[], keywords=[]):
                    return name == MAIN
    return False


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) == "__name__ == '__main__'"


def _body(tree: ast.Module, moved: Sequence[_Part], lines: Sequence[str], defined: set[str]) -> list[str]:
    """The lines of the function, which returns what the program answered."""
    nodes = _nodes(moved)
    own = [each for node in nodes for each in _own(node)]
    has_result = "result" in [name for node in nodes for name in _bound(node)]
    body = list(lines)
    last = tree.body[-1]
    after = []
    if MAIN in defined and not any(isinstance(each, ast.Name) and each.id == MAIN for each in own):
        after.append(f"{MAIN}()" if has_result else f"return {MAIN}()")
    elif isinstance(last, ast.Expr) and not has_result:
        _insert(body, last.lineno, last.col_offset, "return ")
    if has_result:
        after.append("return result")
        for each in reversed([each for each in own if isinstance(each, ast.Return) and each.value is None]):
            _insert(body, each.lineno, each.end_col_offset or 0, " result")
    in_text = _inside_texts(tree)
    before = ["result = None"] if has_result and not _always_answers(nodes, own) else []
    written = [f"{INDENT}{line}" for line in before]
    for part in moved:
        if len(part.nodes) == 1 and isinstance(guard := part.nodes[0], ast.If) and _is_main_guard(guard):
            for node in guard.body:
                written += [f"{INDENT}{line}" for line in ast.unparse(node).splitlines()]
        else:
            written += [
                body[at] if at in in_text or not body[at].strip() else f"{INDENT}{body[at]}"
                for at in range(part.start, part.end)
            ]
    while written and not written[0].strip():
        written.pop(0)
    return [*written, *(f"{INDENT}{line}" for line in after)] or [f"{INDENT}pass"]


def _always_answers(nodes: Sequence[ast.stmt], own: Sequence[ast.AST]) -> bool:
    """Whether `result` is set on every way through."""
    sets = any(isinstance(node, ast.Assign) and "result" in _bound(node) for node in nodes)
    return sets and not any(isinstance(each, ast.Return) for each in own)


def _insert(lines: list[str], number: int, byte: int, text: str) -> None:
    """Put `text` into a line (from 1) at a place that ast counts in bytes."""
    line = lines[number - 1].encode()
    lines[number - 1] = (line[:byte] + text.encode() + line[byte:]).decode()


def _inside_texts(tree: ast.Module) -> set[int]:
    """The lines (from 0) that begin inside a text, where blanks count."""
    texts = (each for each in ast.walk(tree) if isinstance(each, ast.Constant | ast.JoinedStr))
    return {at for each in texts for at in range(each.lineno, each.end_lineno or each.lineno)}
