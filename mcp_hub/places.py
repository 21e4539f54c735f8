"""Where a value stands in a TOML text, which tomllib doesn't tell: its line, for errors and edits."""

import re
from collections.abc import Mapping

Place = tuple[str | int, ...]
"""Keys from the top, and after a list's own key the number in it, from 0."""

_HEADER = re.compile(r"\s*\[(\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")


def line_of(text: str, at: Place) -> int | None:
    """The line (from 1) where the key path `at`, or the deepest part of it, stands in a TOML text.

    tomllib keeps no positions. Table headers and keys at a line's start are what people write; a key inside
    an inline table is found by the line of the table. A number in `at` counts the tables of a [[list]] from 0.
    """
    best: tuple[int, int | None] = (0, None)
    table: Place = ()
    lists: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            path = _dotted(header[2])
            if header[1]:
                lists[path] = lists.get(path, -1) + 1
            table = here = _numbered(path, lists)
        elif key := _KEY.match(line):
            here = (*table, *_dotted(key[1]))
        else:
            continue
        depth = min(len(here), len(at))
        if here[:depth] == at[:depth] and depth > best[0]:
            best = (depth, number)
    return best[1]


def _numbered(path: tuple[str, ...], lists: Mapping[tuple[str, ...], int]) -> Place:
    """A table's path with the number of the last table of each list in it."""
    numbered: Place = ()
    for depth, part in enumerate(path, start=1):
        count = lists.get(path[:depth])
        numbered = (*numbered, part) if count is None else (*numbered, part, count)
    return numbered


def _dotted(path: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", path))


def keys_of(at: Place) -> tuple[str, ...]:
    """A place without the numbers in lists."""
    return tuple(part for part in at if isinstance(part, str))
