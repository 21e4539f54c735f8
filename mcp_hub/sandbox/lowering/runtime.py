"""What lowered programs need of Python itself: how values are written, and methods of text that Starlark lacks.

Pure functions of their input, which crosses as JSON. They run in the worker, under its limits; what is absurd
(a width of a billion) is refused before it is tried.
"""

import re
from collections.abc import Callable
from string import Formatter
from typing import Any

MOST_WIDTH = 1_000_000
"""Characters that a format may fill up to."""

NUMBER = re.compile(r"\d+")

PERCENT = re.compile(
    r"%(?:\((?P<key>[^)]*)\))?(?P<spec>[-#0 +]*(?:\*|\d+)?(?:\.(?:\*|\d*))?)[hlL]?(?P<kind>.)", re.DOTALL
)

FIELD = re.compile(r"(?P<first>[^.\[]*)(?P<rest>(?:\.[^.\[]+|\[[^\]]+\])*)")


def _checked(spec: str) -> str:
    """A format's spec, unless it asks for too much. Raises ValueError."""
    for found in NUMBER.finditer(spec):
        if len(found[0]) > 7 or int(found[0]) > MOST_WIDTH:
            raise ValueError(f"{found[0]} characters are more than a format may fill ({MOST_WIDTH})")
    return spec


def quote(text: str) -> str:
    """A text as Python's repr writes it."""
    return repr(text)


def float_text(number: float) -> str:
    """A number as Python writes a float."""
    return repr(float(number))


def format_value(value: Any, spec: str) -> str:
    """`format(value, spec)` for text and numbers. Raises ValueError for a spec that isn't one of the value's."""
    return format(value, _checked(spec))


def format_special(text: str, spec: str) -> str:
    """`format(float(text), spec)` for what JSON has no number for: nan and the infinities."""
    return format(float(text), _checked(spec))


def percent_parts(template: str) -> list[list[str]]:
    """A %-format taken apart: text before, then key, flags and width, and kind of each conversion; kind "" at the end.

    Raises ValueError for a format that ends within a conversion.
    """
    parts: list[list[str]] = []
    start = 0
    while (at := template.find("%", start)) >= 0:
        found = PERCENT.match(template, at)
        if found is None:
            raise ValueError("incomplete format")
        keyed = "" if found["key"] is None else f"={found['key']}"
        parts.append([template[start:at], keyed, _checked(found["spec"]), found["kind"]])
        start = found.end()
    parts.append([template[start:], "", "", ""])
    return parts


def percent_value(spec: str, kind: str, value: Any) -> str:
    """One conversion of a %-format. Raises TypeError or ValueError for a value that it can't write."""
    return f"%{_checked(spec)}{kind}" % (value,)


def format_parts(template: str) -> list[list[Any]]:
    """A str.format template taken apart: text before, the field's first name, the ways into it, conversion, spec.

    The first name is None at the end. Raises ValueError for one that isn't well formed.
    """
    parts: list[list[Any]] = []
    for text, name, spec, conversion in Formatter().parse(template):
        if name is None:
            parts.append([text, None, [], "", ""])
            continue
        found = FIELD.fullmatch(name)
        if found is None:
            raise ValueError(f"{{{name}}} isn't a field of a format")
        ways = re.findall(r"\.([^.\[]+)|\[([^\]]+)\]", found["rest"])
        parts.append([text, found["first"], [a or b for a, b in ways], conversion or "", _checked(spec or "")])
    return parts


TEXT_METHODS: dict[str, Callable[..., Any]] = {
    name: getattr(str, name)
    for name in [
        "center",
        "ljust",
        "rjust",
        "zfill",
        "casefold",
        "swapcase",
        "isnumeric",
        "isdecimal",
        "isidentifier",
        "isascii",
        "isprintable",
        "expandtabs",
    ]
}


def text_method(name: str, text: str, arguments: list[Any]) -> Any:
    """A method of Python's text. Raises AttributeError for one that isn't in the table, ValueError for a huge width."""
    if name not in TEXT_METHODS:
        raise AttributeError(f"text has no attribute {name!r}")
    if arguments and isinstance(arguments[0], int):
        _checked(str(abs(arguments[0])))
    return TEXT_METHODS[name](text, *arguments)


def real_power(base: float, exponent: float) -> float:
    """`base ** exponent` when one of them is no whole number, or the exponent is negative.

    Raises ValueError where Python gives a complex number.
    """
    value = base**exponent
    if isinstance(value, complex):
        raise ValueError(f"{base} ** {exponent} is a complex number, and there are none here")
    return float(value)


def parse_int(text: str, base: int = 10) -> int:
    """`int(text, base)`. Raises ValueError in Python's words."""
    return int(text, base)


def parse_float(text: str) -> float:
    """`float(text)`. Raises ValueError in Python's words."""
    return float(text)


def _failing(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with errors that begin with their type's name as an agent's own do."""

    def called(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (ValueError, TypeError, AttributeError, OverflowError, ZeroDivisionError) as error:
            return {"_py_error": type(error).__name__, "message": str(error)}

    return called


CALLABLES: dict[str, Callable[..., Any]] = {
    "_py_host_quote": quote,
    "_py_host_float_text": float_text,
    "_py_host_format": _failing(format_value),
    "_py_host_format_special": _failing(format_special),
    "_py_host_percent_parts": _failing(percent_parts),
    "_py_host_percent": _failing(percent_value),
    "_py_host_format_parts": _failing(format_parts),
    "_py_host_text_method": _failing(text_method),
    "_py_host_power": _failing(real_power),
    "_py_host_int": _failing(parse_int),
    "_py_host_float": _failing(parse_float),
}
"""The functions by the names that lowered.star calls."""
