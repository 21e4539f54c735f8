"""What programs find defined beside the interpreter's own: Python's builtins and the modules that programs use.

Written in Starlark (`STAR`), over host functions (`CALLABLES`) that are pure functions of their input. Every program
pays for what its functions do in steps, memory and time; what can run long in a host function is ended with the
worker, and what is absurd is refused before it starts.

The order in an environment: CALLABLES are added to the module; prelude.star is evaluated, which keeps the
interpreter's own functions as `_native_...`; STAR is evaluated, which binds the public names (NAMES); then the
lowering's part. A program may bind any public name anew: nothing in STAR calls one.

For the lowering: a class of Python's that has methods of its own can't be a function here. It is a struct whose
`_new` is the constructor (CLASSES). Dates carry `_kind`; operators on them are the functions _date_add, _date_sub,
_date_mul, _date_div, _date_floordiv, _date_mod, _date_negate, _date_compare (-1, 0, 1), _date_equal, and
_date_format(date, spec); `_value` is the text that str() gives.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp_hub.sandbox.library import arithmetic, dates, formats, texts

RAISED: dict[str, type[Exception]] = {
    each.__name__: each
    for each in (ValueError, TypeError, IndexError, KeyError, RuntimeError, StopIteration, OverflowError)
}
"""Exceptions that Starlark code of ours raises by name."""


class StatisticsError(ValueError):
    """As Python's statistics module has it."""


def raise_(name: str, message: str) -> None:
    """Fail as Python would, with the exception called `name`."""
    raise RAISED.get(name, StatisticsError)(message)


CALLABLES: dict[str, Callable[..., Any]] = {
    **arithmetic.CALLABLES,
    **texts.CALLABLES,
    **dates.CALLABLES,
    **formats.CALLABLES,
    "_lib_raise": raise_,
}
"""Host functions by the names under which STAR calls them."""

FILES = ("builtins", "dates", "modules", "collections", "formats")
"""The Starlark files, in the order in which they need each other."""

STAR = "\n".join((Path(__file__).parent / f"{name}.star").read_text() for name in FILES)
"""Evaluated once into the module, after prelude.star."""

MODULES: dict[str, frozenset[str]] = {
    name: frozenset(members.split())
    for name, members in {
        "json": "decode encode loads dumps",
        "re": "search match fullmatch finditer findall sub subn split compile escape NOFLAG I IGNORECASE M MULTILINE S "
        "DOTALL U UNICODE X VERBOSE A ASCII",
        "math": "pi e tau inf nan sqrt exp log log2 log10 log1p expm1 sin cos tan asin acos atan atan2 sinh cosh tanh "
        "hypot degrees radians fabs fmod pow copysign cbrt ceil floor trunc gcd lcm isqrt isclose dist factorial comb "
        "perm fsum prod modf isfinite isnan isinf",
        "statistics": "mean fmean median median_low median_high mode multimode stdev pstdev variance pvariance "
        "quantiles",
        "string": "ascii_lowercase ascii_uppercase ascii_letters digits hexdigits octdigits punctuation whitespace "
        "printable capwords",
        "textwrap": "wrap fill shorten dedent indent",
        "datetime": "datetime date time timedelta timezone UTC fromisoformat strptime fromtimestamp utcfromtimestamp "
        "combine fromordinal fromisocalendar now utcnow today",
        "time": "sleep time time_ns monotonic perf_counter gmtime localtime strftime",
        "collections": "Counter defaultdict OrderedDict deque namedtuple",
        "itertools": "chain chain_from_iterable islice product combinations combinations_with_replacement permutations "
        "groupby zip_longest accumulate batched pairwise takewhile dropwhile repeat filterfalse starmap compress tee "
        "count cycle",
        "functools": "reduce partial cache lru_cache",
        "operator": "itemgetter attrgetter methodcaller add sub mul truediv floordiv mod pow neg abs eq ne lt le gt ge "
        "not_ truth contains getitem concat and_ or_ xor",
        "copy": "copy deepcopy",
        "bisect": "bisect bisect_left bisect_right insort",
        "heapq": "heappush heappop heapify nlargest nsmallest",
        "io": "StringIO",
        "csv": "reader DictReader writer DictWriter QUOTE_MINIMAL QUOTE_ALL QUOTE_NONNUMERIC QUOTE_NONE",
        "ast": "literal_eval",
        "urllib": "parse",
        "urllib.parse": "quote quote_plus unquote unquote_plus urljoin urlencode urlparse urlsplit parse_qs parse_qsl",
        "html": "escape unescape",
    }.items()
}
"""The modules that are defined, and what each has."""

CLASSES = frozenset({"datetime.datetime", "datetime.date", "datetime.time", "datetime.timezone"})
"""Names in modules that are structs with the constructor as `_new`."""

BUILTINS = frozenset({
    "print", "sum", "sorted", "min", "max", "abs", "divmod", "list", "tuple", "enumerate", "reversed", "zip", "map",
    "filter", "iter", "next", "format", "round", "pow", "bin", "hex", "oct",
})  # fmt: skip
"""Functions that are defined beside the modules, or in place of the interpreter's own."""

NAMES = frozenset({*(name for name in MODULES if "." not in name), *BUILTINS})
"""Every public name that prelude.star and STAR define."""
