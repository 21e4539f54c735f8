"""Lowering: a program written as plain Python, as the Starlark that the interpreter runs.

Pure. Python's own `ast` has parsed the program; an emitter writes Starlark from the tree, line by line, and knows for
each line which of the program's it stands for. Names that begin with `_py_` are helpers of lowered.star, or variables
that the program doesn't have. What is lowered to what:

    f-strings, str, repr, format, %       _py_str, _py_repr, _py_format, _py_percent: values as Python writes them
    x is None, a < b < c, x ** 2          ==, and (each operand once), _py_pow (refused beyond a million bits)
    iterating text                        _py_iter(text), where the text of the program doesn't tell that it is none
    True + 1                              int(True) + 1, where the program's text tells that it is a bool
    sets                                  dicts with None as values; | & - ^ <= < and the methods by helpers
    generator expressions, generators     lists, made as a whole; any, all and next end at the first that decides
    [*a, b], {**a}, f(*a, *b), a, *b = c  lists and dicts joined; _py_unpacked
    while, while/for else, changed lists  for over a huge range; a variable that says whether it was left by a break
    global, nonlocal, :=                  the variable is kept in a list of one item, its box
    a = b = c, del d[k], l[1:2] = x       one assignment each; _py_del; _py_set_slice
    annotations, def f(a, /), async       left out; await x is x; asyncio.run and gather call and collect
    decorators                            f = decorator(f)
    try, raise, assert, suppress          _try() forks, _commit() ends the guarded part; fail("KeyError: 'a'")
    class X(Exception), TypedDict         the name of an exception; dict
    match                                 if and elif
    imports                               names of the library's modules, under _py_module_NAME
    isinstance, type(x) is str            _py_is(x, ["str"]), _py_type_name(x) == "str"
    l.sort(), s.zfill(3), c.most_common() _py_m_sort(l), ...: each asks the object itself if it isn't of the kind
    defaultdict, Counter                  plain dicts; d[k] is d.setdefault(k, []) where the program's text tells
    dates: a - b, a <= b                  _py_sub(a, b), _py_compare("<=", a, b), in programs that mention dates
    return or sys.exit at the top level   the program is a function, and its answer is taken from it

What can't be lowered is told by `habits`, and what a failed try would undo by `rollback`.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcp_hub.sandbox.lowering.needs import needed
from mcp_hub.sandbox.lowering.program import emitted
from mcp_hub.sandbox.lowering.runtime import CALLABLES

STAR = (Path(__file__).parent / "lowered.star").read_text()
"""Helpers that lowered programs call; evaluated once into the module, after CALLABLES and the prelude."""

__all__ = ["CALLABLES", "STAR", "Lowered", "lower", "needed"]


@dataclass(frozen=True)
class Lowered:
    """A program as Starlark."""

    code: str
    lines: Sequence[int]
    """The program's line for each line of `code`: one statement may take several lines of Starlark."""

    def line(self, number: int) -> int:
        """The program's line that line `number` of `code` stands for, both from 1."""
        return self.lines[min(max(number, 1), len(self.lines)) - 1]


def lower(tree: ast.Module, namespaces: frozenset[str], nodes: Iterable[ast.AST] | None = None) -> Lowered:
    """Write a program as Starlark. `namespaces` are names of servers: what is called on them is never touched.

    `nodes` are those of `ast.walk(tree)`, if the caller has them. Raises NotImplementedError, with the line, for what
    can't be lowered (`habits.found` tells of all that before), and RecursionError for a program nested too deep.
    """
    output = emitted(tree, list(nodes) if nodes is not None else list(ast.walk(tree)), namespaces)
    return Lowered("\n".join(output.lines) + "\n", output.numbers)
