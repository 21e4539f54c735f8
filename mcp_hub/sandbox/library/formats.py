"""Tables, literals, addresses for programs: the host's part of the prelude's `csv`, `ast`, `urllib.parse`, `html`.

Pure. Rows and fields come and go as JSON text.
"""

import ast
import csv
import html
import io
import json
import math
import urllib.parse
from collections.abc import Callable
from typing import Any


class CsvError(ValueError):
    """A text that isn't CSV."""


def csv_rows(text: str, options: dict[str, Any]) -> str:
    """The rows of a CSV text, as JSON. Raises CsvError, and TypeError for an unknown option."""
    try:
        return json.dumps(list(csv.reader(io.StringIO(text, newline=""), **options)))
    except csv.Error as error:
        raise CsvError(str(error)) from None


def csv_text(rows: str, options: dict[str, Any]) -> str:
    """Rows, as JSON, in CSV. Raises CsvError, and TypeError for an unknown option."""
    written = io.StringIO(newline="")
    try:
        csv.writer(written, **options).writerows(json.loads(rows))
    except csv.Error as error:
        raise CsvError(str(error)) from None
    return written.getvalue()


def literal(text: str) -> str:
    """The value of a Python literal (`ast.literal_eval`), as JSON: ["plain", value], or ["built", node] where JSON has
    no such value; a node is ["list" | "tuple", nodes], ["dict", pairs of nodes] or ["is", scalar].

    Raises TypeError for what is no text, SyntaxError for what is no expression, ValueError for one that is no literal,
    or holds what programs don't have: bytes, a set, a complex number, infinity.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"ast.literal_eval() takes text, and got {type(text).__name__}: a tool's result is read already"
        )
    try:
        value = ast.literal_eval(text.strip())
        return json.dumps(["plain", value] if _is_plain(value) else ["built", _node(value)])
    except (RecursionError, MemoryError):
        raise ValueError("the literal is nested too deep") from None


def _is_plain(value: Any) -> bool:
    match value:
        case dict():
            return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
        case list():
            return all(map(_is_plain, value))
        case None | bool() | int() | str():
            return True
        case _:
            return isinstance(value, float) and math.isfinite(value)


def _node(value: Any) -> list[Any]:
    match value:
        case dict():
            return ["dict", [[_node(key), _node(each)] for key, each in value.items()]]
        case list() | tuple():
            return [type(value).__name__, [_node(each) for each in value]]
        case None | bool() | int() | str():
            return ["is", value]
        case float() if math.isfinite(value):
            return ["is", value]
        case _:
            raise ValueError(f"the literal holds {value!r:.40}, which no program can")


def url_parts(url: str) -> dict[str, Any]:
    """The parts of a URL by `urlparse`'s names. Raises ValueError for a wrong port or host."""
    parts = urllib.parse.urlparse(url)
    more = {name: getattr(parts, name) for name in ("hostname", "port", "username", "password")}
    return {**parts._asdict(), **more}


def url_encoded(fields: str, doseq: bool = False) -> str:
    """`urlencode` of [name, value] pairs, as JSON."""
    return urllib.parse.urlencode([(name, value) for name, value in json.loads(fields)], doseq=doseq)


def url_fields(query: str, keep_blank_values: bool = False) -> list[list[str]]:
    """`parse_qsl`: the [name, value] pairs of a query."""
    return [list(pair) for pair in urllib.parse.parse_qsl(query, keep_blank_values=keep_blank_values)]


CALLABLES: dict[str, Callable[..., Any]] = {
    "_lib_csv_rows": csv_rows,
    "_lib_csv_text": csv_text,
    "_lib_literal": literal,
    "_lib_url_parts": url_parts,
    "_lib_url_encoded": url_encoded,
    "_lib_url_fields": url_fields,
    "_lib_url_quote": urllib.parse.quote,
    "_lib_url_quote_plus": urllib.parse.quote_plus,
    "_lib_url_unquote": urllib.parse.unquote,
    "_lib_url_unquote_plus": urllib.parse.unquote_plus,
    "_lib_url_join": urllib.parse.urljoin,
    "_lib_html_escape": html.escape,
    "_lib_html_unescape": html.unescape,
}
