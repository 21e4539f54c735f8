"""What programs find defined: the same expressions mean here what they mean in CPython."""

import ast
import bisect
import collections
import copy
import functools
import heapq
import itertools
import json
import math
import operator
import re
import statistics
import string
import textwrap
from typing import Any

import pytest
import starlark
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox import environment, library

MODULES = {
    each.__name__: each
    for each in (
        ast, bisect, collections, copy, functools, heapq, itertools, json, math, operator, re, statistics, string,
        textwrap,
    )
}  # fmt: skip

HERE = environment.fresh()


def here(code: str, **given: Any) -> Any:
    """What a program's last expression is, in the sandbox's environment. `given` are JSON values under names."""
    for name, value in given.items():
        HERE.module[name] = value
    tree = starlark.parse("program", code, environment.dialect())
    return starlark.eval(HERE.module, tree, HERE.globals)


def data(value: Any) -> Any:
    """A value as JSON has it."""
    return json.loads(json.dumps(value, default=list))


EXPRESSIONS = """
sum([1, 2.5, True])
sum([[1], [2]], [])
sum([], 5)
min(3, 1, 2)
max("b", "a")
max([[1, "x"], [2, "y"]], key=lambda p: -p[0])
max([], default=None)
min("hello")
min([3, 1], key=None)
sorted("banana")
sorted([3, 1, 2], reverse=True)
sorted([("b", 1), ("a", 1), ("c", 0)], key=lambda p: p[1])
sorted([("b", 1), ("a", 1), ("c", 0)], key=lambda p: p[1], reverse=True)
sorted({"b": 1, "a": 2})
sorted([[2, "a"], [1, "b"]], key=None)
list("abc")
list({"a": 1})
list(tuple("ab"))
list(enumerate("ab", start=1))
list(reversed("abc"))
list(zip("ab", [1, 2], range(5)))
list(zip([1, 2], "xy", strict=True))
list(zip())
list(map(lambda a, b: a + b, [1, 2], [3, 4]))
list(map(len, ["a", "bb"]))
list(filter(None, [0, 1, "", "a"]))
list(filter(lambda c: c != "b", "abc"))
next(iter([7, 8]))
next(iter([]), "none")
divmod(-7, 2)
divmod(7.5, 2)
abs(-3)
abs(True)
round(2.5)
round(-2.675, 2)
round(1234, -2)
pow(2, 10)
pow(2, -1)
pow(7, 3, 5)
bin(10), hex(255), oct(8)
format(1234567.891, ",.2f")
format("ab", ">5")
format(0.256, ".1%")
format(7, "03d")
format(math.inf, "6.1f")
format([1])
json.loads('{"a": [1, 2.5, null, true], "b": "\\\\u00e9"}')
json.loads(" [] ")
json.loads("12345678901234567890123")
json.dumps({"b": [1, 2.0, "é", None], "a": {}})
json.dumps({"b": 1, "a": 2}, sort_keys=True, indent=2)
json.dumps([1, {"a": 2}], separators=(",", ":"))
json.dumps("é", ensure_ascii=False)
json.dumps({1: 2})
re.search(r"(\\d+)-(\\d+)", "a 12-34").groups()
re.search(r"(?P<year>\\d{4})(?:-(?P<month>\\d\\d))?", "in 2024").groupdict()
re.search("b", "abc").span()
re.search("x", "abc") == None
re.match("b", "abc") == None
re.fullmatch("a+", "aaa").group()
re.match("(a)(b)?", "ac").group(1, 2)
re.match("(a)(b)?", "ac").groups("-")
re.findall(r"\\w+", "one two")
re.findall(r"(\\w)(\\d)", "a1 b2")
re.findall("(a)", "aa")
[m.start() for m in re.finditer("a", "banana")]
re.sub("a", "<\\\\g<0>>", "banana", count=2)
re.sub(r"(\\w+) (\\w+)", r"\\2 \\1", "hello world")
re.sub("[aeiou]", lambda m: m.group().upper(), "hello world")
re.sub("A", "b", "aA", flags=re.I)
re.subn("a", lambda m: "o", "banana", 2)
re.split(r"[,;]\\s*", "a, b;c")
re.split("(-)", "a-b", maxsplit=1)
re.escape("a.b*c")
re.compile("^b", re.MULTILINE | re.IGNORECASE).findall("a\\nB")
re.compile("a").sub("b", "aa", count=1)
re.search(re.compile("a"), "ba").end()
math.floor(-2.5), math.ceil(2.1), math.trunc(-2.7)
math.sqrt(2), math.log(8, 2), math.log10(1000), math.exp(1), math.hypot(3, 4), math.pi, math.tau
math.gcd(12, 18), math.lcm(4, 6), math.factorial(10), math.comb(5, 2), math.perm(5, 2), math.isqrt(17)
math.isclose(0.1 + 0.2, 0.3), math.isnan(math.nan), math.isinf(-math.inf), math.isfinite(1e300)
math.fsum([0.1] * 10), math.prod([1, 2, 3.5]), math.modf(2.5), math.dist([0, 0], [3, 4])
min(math.inf, 5), max(-math.inf, 5)
statistics.mean([1, 2, 3]), statistics.mean([1, 2]), statistics.median([3, 1, 2]), statistics.median([1, 2, 3, 4])
statistics.mode(["a", "b", "a"]), statistics.multimode([1, 1, 2, 2]), statistics.stdev([1, 2, 3, 4]), statistics.pvariance([1, 2])
statistics.quantiles([1, 2, 3, 4, 5]), statistics.quantiles([1, 2, 3], n=10, method="inclusive"), statistics.median_low([1, 2])
string.ascii_letters, string.digits, string.punctuation, string.printable, string.whitespace, string.capwords("ab cd")
textwrap.wrap("the quick brown fox", 10), textwrap.fill("aaa bbb", width=3), textwrap.dedent("  a\\n   b"), textwrap.indent("a\\nb", "> ")
textwrap.shorten("Hello wonderful world", width=12, placeholder="..")
collections.Counter("hello")
dict(collections.Counter(a=2, b=1))
collections.OrderedDict([("a", 1)])
list(collections.deque("ab"))
collections.namedtuple("P", "x y", defaults=[5])(1)._asdict()
collections.namedtuple("P", ["x", "y"])(x=1, y=2)._replace(x=3).x
list(itertools.chain([1], "ab", (2,)))
list(itertools.islice([1, 2, 3, 4, 5], 1, None, 2))
list(itertools.islice(itertools.count(10, 5), 3))
list(zip(itertools.count(1), "ab"))
list(zip("abcd", itertools.cycle([1, 2])))
list(itertools.product("ab", repeat=2))
list(itertools.combinations(range(4), 2))
list(itertools.combinations("ab", 3))
list(itertools.combinations_with_replacement("ab", 2))
list(itertools.permutations([1, 2, 3], 2))
[[k, list(g)] for k, g in itertools.groupby("aabc")]
[[k, list(g)] for k, g in itertools.groupby([1, 3, 2], key=lambda n: n % 2)]
list(itertools.zip_longest([1, 2], "a", fillvalue="-"))
list(itertools.accumulate([1, 2, 3]))
list(itertools.accumulate([1, 2, 3], lambda a, b: a * b, initial=2))
list(itertools.pairwise([1, 2, 3]))
list(itertools.takewhile(lambda n: n < 3, [1, 2, 3, 1]))
list(itertools.dropwhile(lambda n: n < 3, [1, 2, 3, 1]))
list(itertools.filterfalse(lambda n: n % 2, [1, 2, 3]))
list(itertools.starmap(lambda a, b: a * b, [(1, 2), (3, 4)]))
list(itertools.compress("abc", [1, 0, 1]))
list(itertools.repeat("x", 2))
functools.reduce(lambda a, b: a + b, [1, 2, 3])
functools.reduce(lambda a, b: a + b, [], "empty")
functools.partial(lambda a, b=1: [a, b], 5)(b=2)
operator.itemgetter("a")({"a": 1}), operator.itemgetter(0, 2)([1, 2, 3]), operator.add(1, 2), operator.contains([1], 1)
operator.methodcaller("split", ",")("a,b")
copy.deepcopy({"a": [1, (2,)]}), copy.copy([1])
ast.literal_eval("[{'x': 1, 'y': None, 'z': [True, 2.5, \\"it's\\"]}]"), ast.literal_eval(" -3 "), ast.literal_eval("'a' 'b'")
ast.literal_eval("{1: ('a', []), (2, 3): {}}") == {1: ("a", []), (2, 3): {}}, ast.literal_eval("(1,)") == (1,)
bisect.bisect_left([1, 2, 2, 3], 2), bisect.bisect_right([1, 2, 2, 3], 2), bisect.bisect([1, 3], 2)
heapq.nlargest(2, [1, 3, 2]), heapq.nsmallest(2, [3, 1, 2], key=lambda n: -n)
"""  # noqa: E501  an expression a line


@pytest.mark.parametrize("expression", EXPRESSIONS.strip().splitlines())
def test_an_expression_means_what_it_means_in_cpython(expression: str) -> None:
    expected = eval(expression, dict(MODULES))
    assert data(here(f"[{expression}][0]" if "," not in expression else f"({expression})")) == data(expected)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("max([])", "ValueError: max() arg is an empty sequence"),
        ("next(iter([]))", "StopIteration: nothing is left"),
        ("next('a')", "TypeError: next() takes what iter() gave, and got string"),
        ("list(zip([1], [1, 2], strict=True))", "ValueError: zip() argument 2 is longer than argument 1"),
        ("pow(10, 10000000)", "OverflowError: the power has about 30000000 bits"),
        ("pow(-8, 0.5)", "ValueError: a negative number to a fractional power is complex"),
        ("round(float('nan'))", "ValueError: round() needs a finite number"),
        ("format(1, '99999999d')", "ValueError: the width or precision in '99999999d' is beyond 1000000"),
        ("json.loads('[1,')", "JSONDecodeError: Expecting value: line 1 column 4"),
        ("json.loads([1])", "TypeError: json.loads() takes text, and got list: a tool's result is read already"),
        (
            "ast.literal_eval([1])",
            "TypeError: ast.literal_eval() takes text, and got list: a tool's result is read already",
        ),
        ("ast.literal_eval('f(1)')", "ValueError: malformed node or string on line 1"),
        ("ast.literal_eval('[1,')", "SyntaxError: '[' was never closed"),
        ("ast.literal_eval('[1e999]')", "ValueError: the literal holds inf, which no program can"),
        ("ast.literal_eval('[' * 5000)", "SyntaxError: too many nested parentheses"),
        ("re.search('(', 'a')", "PatternError: missing ), unterminated subpattern at position 0 (the pattern is '(')"),
        ("re.search('a', None)", "TypeError: expected text to look in, and got None"),
        ("re.search('a', 'a').group(3)", "IndexError: no such group: 3"),
        ("re.sub('a', '\\\\2', 'a')", "PatternError: invalid group reference 2"),
        ("re.sub('a', lambda m: 1, 'a')", "TypeError: the function of re.sub() must return text, and returned int"),
        ("math.sqrt(-1)", "ValueError: math domain error"),
        ("math.floor(math.inf)", "ValueError: math.floor() needs finite numbers"),
        ("math.factorial(100000)", "ValueError: factorial() is computed up to 50000"),
        ("statistics.mean([])", "ValueError: mean requires at least one data point"),
        ("statistics.mean(['a'])", 'TypeError: statistics.mean() needs numbers, and got "a"'),
        ("statistics.stdev([1])", "ValueError: stdev requires at least two data points"),
        ("functools.reduce(lambda a, b: a, [])", "TypeError: reduce() of empty iterable with no initial value"),
        ("collections.namedtuple('P', 'x')(1, 2)", "TypeError: P() takes 1 values, and got 2"),
        ("collections.deque([], maxlen=3)", "ValueError: a deque is a list here, and has no maxlen"),
        ("json.dumps({}, indent=100000)", "ValueError: json.dumps() takes an indent of at most 1000"),
    ],
)
def test_what_is_wrong_is_told_with_the_name_that_python_has_for_it(code: str, told: str) -> None:
    with pytest.raises(starlark.StarlarkError) as raised:
        here(code)
    assert f"error: {told}" in str(raised.value)


def test_an_iterator_gives_each_item_once() -> None:
    assert here("it = iter([1, 2, 3, 4])\nfirst = next(it)\n[first, next(it), [x for x in it]]") == [1, 2, [3, 4]]


def test_an_infinite_number_in_a_json_text_is_null_and_half_a_character_is_replaced() -> None:
    assert here("json.loads(text)", text='[NaN, 1, "\\ud800"]') == [None, 1, "\ufffd"]


def test_a_sum_leaves_its_start_alone() -> None:
    assert here("start = [1]\nsum([[2], [3]], start)\nstart") == [1]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_json_text_is_read_as_cpython_reads_it(value: Any) -> None:
    assert here("json.loads(text)", text=json.dumps(value)) == value
    assert here("json.loads(text)", text=json.dumps(value, ensure_ascii=False)) == value


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_json_text_is_written_as_cpython_writes_it(value: Any, sort_keys: bool, indent: int | None) -> None:
    written = here(
        "json.dumps(value, sort_keys=sort_keys, indent=indent)", value=value, sort_keys=sort_keys, indent=indent
    )
    assert written == json.dumps(value, sort_keys=sort_keys, indent=indent)


@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=2)), max_size=12), st.booleans())
def test_sorting_is_stable_as_in_cpython(pairs: list[tuple[int, str]], reverse: bool) -> None:
    code = "sorted(pairs, key=lambda p: p[0], reverse=reverse)"
    assert here(code, pairs=pairs, reverse=reverse) == data(sorted(pairs, key=lambda p: p[0], reverse=reverse))


@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=2)), min_size=1, max_size=12))
def test_of_equals_min_and_max_give_the_first(pairs: list[tuple[int, str]]) -> None:
    code = "[min(pairs, key=lambda p: p[0]), max(pairs, key=lambda p: p[0])]"
    expected = [min(pairs, key=lambda p: p[0]), max(pairs, key=lambda p: p[0])]
    assert here(code, pairs=pairs) == data(expected)


def test_every_public_name_is_listed() -> None:
    assigned = {line.split(" = ")[0] for line in library.STAR.splitlines() if re.match(r"[a-z]\w* = ", line)}
    assert assigned == library.NAMES


@pytest.mark.parametrize("module", sorted(library.MODULES))
def test_every_member_of_a_module_is_listed(module: str) -> None:
    own = {"_new", "_class"}
    assert set(here(f"dir({module})")) - own == library.MODULES[module]


def test_every_host_function_is_used_and_defined() -> None:
    used = set(re.findall(r"\b_lib_\w+", library.STAR))
    assert used == set(library.CALLABLES)


def test_every_class_is_a_struct_with_its_constructor() -> None:
    for name in library.CLASSES:
        assert "_new" in here(f"dir({name})")
