"""What an import gives: the part of Python's standard library that programs find defined.

Pure. The library defines the modules as structs under their names; an import binds other names to them.
"""

from mcp_hub.sandbox import library

MODULES = frozenset({*library.MODULES, "asyncio"})
"""Modules that the prelude defines, and the one that lowered.star does."""

IGNORED = frozenset({"typing", "typing_extensions", "__future__", "collections.abc", "types", "abc"})
"""Modules of annotations: what is imported of them is nothing."""

OWN = frozenset({"sys", "contextlib", "pprint"})
"""Modules of which the lowering knows what programs use: exit, suppress, pprint."""

LOWERED = {
    "functools.cache": "_py_cache",
    "functools.lru_cache": "_py_lru_cache",
    "functools.wraps": "_py_wraps",
    "sys.exit": "_py_exit",
    "pprint.pprint": "print",
    "pprint.pp": "print",
    "typing.cast": "_py_cast",
    "typing.NewType": "_py_new_type",
}
"""What the lowering has itself: the standard name, and the name in lowered.star."""

NOTHING = frozenset(
    {"json.JSONDecodeError", "re.error", "re.Pattern", "re.Match", "statistics.StatisticsError", "asyncio.TimeoutError",
     "asyncio.CancelledError", "asyncio.Task", "asyncio.Event"}
)  # fmt: skip
"""Classes that except clauses and annotations name, and nothing else does."""

ELSEWHERE = {"itertools.chain.from_iterable": "itertools.chain_from_iterable"}
"""Standard names that the library has under another one."""


def has(module: str, name: str) -> bool:
    """Whether a known module has `name`."""
    dotted = f"{module}.{name}"
    if module in IGNORED or dotted in LOWERED or dotted in NOTHING or module not in library.MODULES:
        return True
    return name in library.MODULES[module]


def is_known(module: str) -> bool:
    """Whether an import of `module` works."""
    return module in MODULES or module in IGNORED or module in OWN


def value(dotted: str) -> str:
    """The expression for something of the standard library, given as `module` or `module.name`."""
    if (own := LOWERED.get(dotted)) is not None:
        return own
    dotted = ELSEWHERE.get(dotted, dotted)
    module = dotted.partition(".")[0]
    if dotted in NOTHING or dotted.rpartition(".")[0] in IGNORED or module in IGNORED or module in OWN:
        return "None"
    return f"{alias(module)}{dotted[len(module) :]}"


def alias(module: str) -> str:
    """The variable under which the header keeps a module, whose name the program may bind to something else."""
    return f"_py_module_{module}"
