"""Texts for programs: what the prelude's `json`, `re` and `textwrap` compute in the host.

Pure. What is no plain text or number comes and goes as JSON text, which crosses much faster than values do. A regular
expression that takes too long is ended with the program, by the limits of the worker's process.
"""

import json
import re
import textwrap
from collections.abc import Callable
from typing import Any

MOST_INDENT = 1_000

BIG_OR_LONE = re.compile(r"\d{16}|\\u[dD][89a-fA-F]|NaN|Infinity")
"""What Starlark's own decoder may read otherwise than Python: long integers, lone surrogates, NaN."""

SURROGATE = re.compile("[\ud800-\udfff]")


class PatternError(ValueError):
    """A regular expression that can't be compiled."""


class JSONDecodeError(ValueError):
    """A text that isn't JSON."""


def json_check(text: str) -> bool:
    """Whether Starlark's own decoder reads `text` as Python would. Raises JSONDecodeError for what isn't JSON."""
    _loads(text)
    return BIG_OR_LONE.search(text) is None


def json_value(text: str) -> Any:
    """`json.loads`, but null for a number that isn't finite, and the replacement character for half a character."""
    return _whole(_loads(text, parse_constant=lambda _: None))


def json_text(
    compact: str,
    indent: int | str | None = None,
    sort_keys: bool = False,
    separators: list[str] | None = None,
    ensure_ascii: bool = True,
) -> str:
    """`json.dumps` of a value, given as JSON. Raises ValueError for an absurd indent."""
    size = len(indent) if isinstance(indent, str) else indent or 0
    if size > MOST_INDENT:
        raise ValueError(f"json.dumps() takes an indent of at most {MOST_INDENT}")
    return json.dumps(
        json.loads(compact),
        indent=indent,
        sort_keys=sort_keys,
        separators=None if separators is None else (separators[0], separators[1]),
        ensure_ascii=ensure_ascii,
    )


def re_groups(pattern: str, flags: int) -> int:
    """Compile a regular expression; its groups' count. Raises PatternError."""
    return _compiled(pattern, flags).groups


def re_one(how: str, pattern: str, flags: int, text: str) -> str:
    """The match that `search`, `match` or `fullmatch` finds, as JSON; "null" for none. Raises PatternError."""
    compiled = _compiled(pattern, flags)
    found = getattr(compiled, {"search": "search", "match": "match"}.get(how, "fullmatch"))(_text(text))
    return "null" if found is None else json.dumps(_match(found))


def re_all(pattern: str, flags: int, text: str, most: int = 0) -> str:
    """Every match in a text, or the first `most`, as JSON. Raises PatternError."""
    found = []
    for match in _compiled(pattern, flags).finditer(_text(text)):
        found.append(_match(match))
        if len(found) == most:
            break
    return json.dumps(found)


def re_findall(pattern: str, flags: int, text: str) -> str:
    """`re.findall`, as JSON. Raises PatternError."""
    return json.dumps(_compiled(pattern, flags).findall(_text(text)))


def re_sub(pattern: str, flags: int, replacement: str, text: str, count: int) -> list[Any]:
    """`re.subn` with a text to put in. Raises PatternError for a wrong pattern or template."""
    try:
        return list(_compiled(pattern, flags).subn(replacement, _text(text), count))
    except (re.error, IndexError) as error:
        raise PatternError(f"{error} (in the replacement {replacement!r})") from None


def re_split(pattern: str, flags: int, text: str, most: int) -> str:
    """`re.split`, as JSON. Raises PatternError."""
    return json.dumps(_compiled(pattern, flags).split(_text(text), most))


def re_expand(pattern: str, flags: int, text: str, start: int, template: str) -> str:
    """`match.expand` for the match that begins at `start`. Raises PatternError."""
    found = _compiled(pattern, flags).match(text, start)
    if found is None:
        return ""
    try:
        return found.expand(template)
    except (re.error, IndexError) as error:
        raise PatternError(f"{error} (in the template {template!r})") from None


def wrap(text: str, width: int = 70, **options: Any) -> list[str]:
    """`textwrap.wrap`."""
    return textwrap.wrap(text, width, **options)


def fill(text: str, width: int = 70, **options: Any) -> str:
    """`textwrap.fill`."""
    return textwrap.fill(text, width, **options)


def shorten(text: str, width: int, placeholder: str = " [...]") -> str:
    """`textwrap.shorten`. Raises ValueError when the placeholder is wider than the text may be."""
    return textwrap.shorten(text, width, placeholder=placeholder)


def _instead(value: Any) -> str:
    texts = [name for name, each in value.items() if isinstance(each, str)] if isinstance(value, dict) else []
    if len(texts) == 1:
        return f"give it the text in it, which is under [{json.dumps(texts[0])}]"
    return "a tool's result is read already"


def _loads(text: str, **options: Any) -> Any:
    if not isinstance(text, str):
        raise TypeError(f"json.loads() takes text, and got {_kind(text)}: {_instead(text)}")
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise JSONDecodeError("the text is nested too deep") from None
    except ValueError as error:
        raise JSONDecodeError(f"{error} (the text begins {text[:60]!r})") from None


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return value


def _compiled(pattern: str, flags: int) -> "re.Pattern[str]":
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern is text, not {_kind(pattern)}")
    try:
        return re.compile(pattern, flags)
    except (re.error, OverflowError, ValueError) as error:
        raise PatternError(f"{error} (the pattern is {pattern[:200]!r})") from None


def _text(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"expected text to look in, and got {_kind(text)}")
    return text


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _match(found: "re.Match[str]") -> list[Any]:
    """Texts, starts and ends of the groups, the whole first; the groups' names; the last group that took part."""
    numbers = range(found.re.groups + 1)
    return [
        [found[0], *found.groups()],
        [found.start(number) for number in numbers],
        [found.end(number) for number in numbers],
        dict(found.re.groupindex),
        found.lastindex,
    ]


CALLABLES: dict[str, Callable[..., Any]] = {
    "_lib_json_check": json_check,
    "_lib_json_value": json_value,
    "_lib_json_text": json_text,
    "_lib_re_groups": re_groups,
    "_lib_re_one": re_one,
    "_lib_re_all": re_all,
    "_lib_re_findall": re_findall,
    "_lib_re_sub": re_sub,
    "_lib_re_split": re_split,
    "_lib_re_expand": re_expand,
    "_lib_re_escape": re.escape,
    "_lib_wrap": wrap,
    "_lib_fill": fill,
    "_lib_shorten": shorten,
    "_lib_dedent": textwrap.dedent,
    "_lib_indent": textwrap.indent,
}
