"""Classes of exceptions: which ones an except clause catches, by the name of an error's type.

Pure. A clause that names what Python doesn't have and the program doesn't define (ToolError, HTTPError) means
whatever goes wrong, and so do the classes that Python raises for everything.
"""

from collections.abc import Mapping

BASES = {
    "KeyError": "LookupError", "IndexError": "LookupError", "ZeroDivisionError": "ArithmeticError",
    "OverflowError": "ArithmeticError", "FloatingPointError": "ArithmeticError", "UnicodeError": "ValueError",
    "UnicodeDecodeError": "UnicodeError", "UnicodeEncodeError": "UnicodeError", "JSONDecodeError": "ValueError",
    "StatisticsError": "ValueError", "ModuleNotFoundError": "ImportError", "RecursionError": "RuntimeError",
    "NotImplementedError": "RuntimeError", "UnboundLocalError": "NameError",
}  # fmt: skip
"""Class -> its base, where the base isn't Exception."""

DIRECT = frozenset(
    [
        "ValueError",
        "TypeError",
        "LookupError",
        "ArithmeticError",
        "AttributeError",
        "NameError",
        "AssertionError",
        "StopIteration",
        "ImportError",
        "MemoryError",
        "BufferError",
        "EOFError",
        "SyntaxError",
        "StopAsyncIteration",
    ]
)
"""Classes right below Exception that catch their own only."""

EVERYTHING = frozenset({"Exception", "BaseException", "RuntimeError", "OSError", "IOError", "ConnectionError",
                        "TimeoutError", "PermissionError", "SystemExit", "KeyboardInterrupt"})  # fmt: skip
"""What a failed call may be taken for: a clause that names one of these catches whatever goes wrong."""

KNOWN = frozenset(BASES) | DIRECT | EVERYTHING


def caught_by(name: str, defined: Mapping[str, str]) -> frozenset[str] | None:
    """The types that a clause naming `name` catches; None for all. `defined` are the program's classes with bases."""
    if name not in BASES and name not in DIRECT and name not in defined:
        return None
    bases = {**BASES, **defined}
    found = {name}
    for each in bases:
        above: str | None = each
        for _ in bases:
            if above == name:
                found.add(each)
            above = bases.get(above) if above is not None else None
    return frozenset(found)
