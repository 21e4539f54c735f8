"""The prelude: the interpreter's own functions are kept, and a program may bind any name to something else."""

import symtable
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import starlark

from mcp_hub.sandbox import environment, library

USES = """
values = [
    sum_([True, 2]), sorted_("ba"), max_([1, 2], key=lambda n: -n), list_(zip_("ab", [1, 2])), round_(2.5),
    json_.loads(json_.dumps({"a": [1]}, indent=1)), re_.sub("a", lambda m: m.group().upper(), "banana"),
    statistics_.mean([1, 2]), math_.floor(2.5), textwrap_.shorten("aaa bbb", 5, placeholder=""),
    collections_.Counter("aab"), itertools_.permutations([1, 2]), functools_.reduce(lambda a, b: a + b, [1, 2]),
    datetime_.datetime._new(2024, 2, 29).strftime("%d.%m.%Y"), datetime_.timedelta(hours=36).days,
    heapq_.nlargest(1, [1, 2]), bisect_.bisect([1, 2], 1), next_(iter_("ab")), format_(1.5, ".2f"),
    copy_.deepcopy([[1]]), csv_.DictReader("a,b\\n1,2\\n"), urllib_.parse.urlencode({"a": "b c"}),
    itertools_.groupby("aab"),
]
"""

REBOUND = [
    *sorted(library.NAMES),
    "abs", "all", "any", "bool", "chr", "dict", "dir", "enumerate", "fail", "filter", "float", "getattr", "hasattr",
    "hash", "int", "len", "list", "map", "max", "min", "ord", "partial", "range", "repr", "reversed", "sorted", "str",
    "struct", "tuple", "type", "zip",
]  # fmt: skip


def evaluate(fresh: environment.Environment, code: str) -> object:
    return starlark.eval(fresh.module, starlark.parse("program", code, environment.dialect()), fresh.globals)


def test_a_program_that_binds_every_name_to_something_else_breaks_nothing() -> None:
    kept = "".join(f"{name}_ = {name}\n" for name in sorted(library.NAMES))
    plain, rebound = environment.fresh(), environment.fresh()
    evaluate(plain, kept)
    evaluate(rebound, kept)
    evaluate(rebound, "".join(f"{name} = 1\n" for name in REBOUND))
    assert evaluate(rebound, USES + "values") == evaluate(plain, USES + "values")


def outer_names(table: symtable.SymbolTable) -> Iterator[str]:
    """The names of the module that its functions refer to."""
    for inner in table.get_children():
        yield from (each.get_name() for each in inner.get_symbols() if each.is_global())
        yield from outer_names(inner)


def test_no_function_of_ours_refers_to_a_name_that_a_program_may_bind() -> None:
    assert not set(outer_names(symtable.symtable(library.STAR, "library", "exec"))) & library.NAMES


def test_the_interpreters_own_functions_stay_within_reach_of_ours() -> None:
    fresh = environment.fresh()
    assert evaluate(fresh, "len = 3\nsorted = None\n_native_sorted([2, _native_len([0])])") == [1, 2]


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("print()", "\n"),
        ("print('a', 1, None, sep='-', end='!')", "a-1-None!"),
        ("print('a', 'b', sep=None, end=None, file=None, flush=True)", "a b\n"),
        ("print(datetime.date._new(2024, 1, 2))", "2024-01-02\n"),
    ],
)
def test_print_writes_as_python_does(code: str, printed: str) -> None:
    written: list[str] = []
    fresh = environment.fresh()
    fresh.program = SimpleNamespace(print=written.append)
    evaluate(fresh, code)
    assert "".join(written) == printed
