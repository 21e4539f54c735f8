"""A value of a program -> the bounded answer that an agent reads: whole, or cut so that its shape stays visible.

Pure. What is too large is cut by its structure, so that what is shown is still JSON and a beginning of the value:

    a text         its first characters, then `…[+12,345 characters]`
    a list         its first items, then an item `…[+940 of 1,000 items]`
    an object      its first keys (all of them as far as possible), then a key `…` with `[+3 of 40 keys]`

Room is shared out from the top down: each level's small parts are whole, and its large ones share what is left. A last
line, outside of the JSON, says where something is missing and how large the whole is.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

LEAST = 48
"""Characters within which any value can be shown, if only by its size."""

TENTHS = 10
"""A list's room by this is the most that an item takes while others wait: several are begun before one is whole."""

ITEM = 200
"""Characters that an item may take of a small room too, up to a third of it: enough for an object's keys."""

ROUNDS = 5
"""Times that what small parts leave over is shared among the large ones; the gain is small after two or three."""

DEPTH = 64
"""Levels that are cut by their parts; what is deeper and doesn't fit is shown by its size alone."""

PLACES_CHARACTERS = 240
"""Room in the last line for where something is missing."""

NAME_CHARACTERS = 40
PATH_CHARACTERS = 100
"""Of a key, and of the path to a place, in the last line."""

CUT = "…"

T = TypeVar("T")

FILTER = "Filter or summarise in the program, and answer with what matters."


@dataclass(frozen=True)
class Rendered:
    """A program's answer as the agent reads it."""

    text: str
    cut: bool
    """Whether something is missing from the text."""


def render(value: Any, most: int, handle: str | None = None) -> Rendered:
    """Text as it is, everything else as JSON; what is over `most` characters is cut, and a last line tells of it.

    `most` is taken as 48 where it is less, and doesn't count the last line, which has at most 500 characters.
    `handle` is the name under which a later program recalls the whole.
    """
    most = max(most, LEAST)
    remedy = f'whole: recall("{handle}") in a later program' if handle else FILTER
    whole = value if isinstance(value, str) else _json(value)
    if len(whole) <= most:
        return Rendered(whole, cut=False)
    if isinstance(value, str):
        shown, told = _beginning(value, most)
        return Rendered(f"{shown}\n[cut: {told}. {remedy}]", cut=True)
    cutting = _Cutting()
    shown = _json(cutting.cut(value, most, "", DEPTH))
    return Rendered(f"{shown}\n[cut: {cutting.told()}; the whole has {len(whole):,} characters. {remedy}]", cut=True)


def _beginning(text: str, most: int) -> tuple[str, str]:
    """The first characters of a text, up to a line's end where one is near; and how much that is."""
    shown = text[:most]
    line_end = shown.rfind("\n")
    if line_end >= most // 2:
        shown = shown[:line_end]
    characters = f"the first {len(shown):,} of {len(text):,} characters"
    lines = text.count("\n") + (not text.endswith("\n"))
    if lines == 1:
        return shown, characters
    shown_lines = shown.count("\n") + 1
    return shown, f"{characters}, {shown_lines:,} of {lines:,} lines"


@dataclass
class _Cutting:
    """Cuts one value, and keeps where."""

    items: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Path of a list -> how many items are shown, of how many, each time that it was cut."""
    keys: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Path of an object -> how many keys are shown, of how many."""
    texts: dict[str, int] = field(default_factory=dict)
    """Path of a text or number -> how many of them were cut."""

    def cut(self, value: Any, room: int, path: str, depth: int) -> Any:
        """`value`, or a beginning of it, in at most `room` characters of JSON; `room` is LEAST or more, or enough."""
        if _size(value, room) <= room:
            return value
        match value:
            case str():
                self._cut_text_at(path)
                return _cut_text(value, room)
            case dict():
                return self._cut_object(value, room, path, depth)
            case list() | tuple():
                return self._cut_list(value, room, path, depth)
            case _:
                self._cut_text_at(path)
                return f"{CUT}[a number of {len(_json(value)):,} digits]"

    def told(self) -> str:
        """Where something is missing, the outermost places first."""
        places = [(path, _counted(cuts, "items", "lists")) for path, cuts in self.items.items()]
        places += [(path, _counted(cuts, "keys", "objects")) for path, cuts in self.keys.items()]
        places += [(path, "shortened" if n == 1 else f"{n:,} shortened") for path, n in self.texts.items()]
        places.sort(key=lambda place: place[0].count(".") + place[0].count("["))
        told = [f"{_end_of(path) or '.'} {what}" for path, what in places]
        shown = told[:1]
        for place in told[1:]:
            if sum(map(len, shown)) + len(place) > PLACES_CHARACTERS:
                break
            shown.append(place)
        if more := len(told) - len(shown):
            shown.append(f"and at {more:,} more place{'s' if more > 1 else ''}")
        return ", ".join(shown)

    def _cut_text_at(self, path: str) -> None:
        self.texts[path] = self.texts.get(path, 0) + 1

    def _cut_list(self, items: Sequence[Any], room: int, path: str, depth: int) -> list[Any]:
        share = max(LEAST, room // TENTHS, min(ITEM, room // 3))
        count = len(items)
        left = room - 2

        def least(item: Any) -> int:
            return min(_size(item, share), share) + 2

        shown = _fitting(items, left, least) if depth else 0
        if shown < count:
            left -= len(_json(CUT + _more(0, count, "items"))) + 2
            shown = _fitting(items[:shown], left, least)
            self.items.setdefault(path, []).append((shown, count))
        rooms = _shared_out(items[:shown], left - 2 * shown)
        kept = [self.cut(items[i], rooms[i], f"{path or '.'}[]", depth - 1) for i in range(shown)]
        return kept if shown == count else [*kept, f"{CUT}{_more(shown, count, 'items')}"]

    def _cut_object(self, value: dict[str, Any], room: int, path: str, depth: int) -> dict[str, Any]:
        names = list(value)
        count = len(names)
        left = room - 2

        def overhead(name: str) -> int:
            # The marker's name always is the marker: an object that has it as a key of its own ends there.
            return room if name == CUT or len(name) > room else len(_json(name)) + 4

        def least(name: str) -> int:
            return overhead(name) + min(_size(value[name], LEAST), LEAST)

        shown = _fitting(names, left, least) if depth else 0
        if shown < count:
            left -= len(_json(CUT)) + len(_json(_more(0, count, "keys"))) + 4
            shown = _fitting(names[:shown], left, least)
            self.keys.setdefault(path, []).append((shown, count))
        names = names[:shown]
        rooms = _shared_out([value[name] for name in names], left - sum(map(overhead, names)))
        kept = {name: self.cut(value[name], rooms[i], _below(path, name), depth - 1) for i, name in enumerate(names)}
        return kept if shown == count else {**kept, CUT: _more(shown, count, "keys")}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _size(value: Any, most: int) -> int:
    """Characters of a value's JSON; any number over `most` when it has more. Takes time by `most`, not by the size."""
    size = 0
    waiting = [value]
    while waiting and size <= most:
        match waiting.pop():
            case str() as text:
                size += len(_json(text[: most + 1]))
            case dict() as entries:
                size += max(2, 4 * len(entries))
                if size <= most:
                    waiting += entries.values()
                    size += sum(len(_json(name[: most + 1])) for name in entries)
            case list() | tuple() as items:
                size += max(2, 2 * len(items))
                if size <= most:
                    waiting += items
            case number:
                size += len(_json(number))
    return size


def _fitting(parts: Sequence[T], room: int, cost: Callable[[T], int]) -> int:
    """How many of the first parts cost no more than `room` together."""
    for count, part in enumerate(parts):
        room -= cost(part)
        if room < 0:
            return count
    return len(parts)


def _shared_out(values: Sequence[Any], room: int) -> list[int]:
    """Room for each value: what the small ones don't need goes to the large ones, in equal parts.

    `room` must hold each of them whole or LEAST characters of it.
    """
    rooms = [0] * len(values)
    large = list(range(len(values)))
    share = LEAST
    for _ in range(ROUNDS):
        sizes = {i: _size(values[i], share) for i in large}
        for i in large:
            if sizes[i] <= share:
                rooms[i] = sizes[i]
                room -= sizes[i]
        large = [i for i in large if sizes[i] > share]
        if not large or share == room // len(large):
            break
        share = room // len(large)
    for i in large:
        rooms[i] = share
    return rooms


def _cut_text(text: str, room: int) -> str:
    left = room - len(_json(_characters(len(text))))
    kept = bisect_right(range(1, min(len(text), left) + 1), left, key=lambda n: len(_json(text[:n])) - 2)
    return text[:kept] + _characters(len(text) - kept)


def _characters(missing: int) -> str:
    return f"{CUT}[+{missing:,} characters]"


def _more(shown: int, count: int, what: str) -> str:
    return f"[+{count - shown:,} of {count:,} {what}]"


def _below(path: str, name: str) -> str:
    if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and len(name) <= NAME_CHARACTERS:
        return f"{path}.{name}"
    return f"{path or '.'}[{_json(name if len(name) <= NAME_CHARACTERS else f'{name[:NAME_CHARACTERS]}{CUT}')}]"


def _end_of(path: str) -> str:
    return path if len(path) <= PATH_CHARACTERS else f"{CUT}{path[-PATH_CHARACTERS:]}"


def _counted(cuts: Sequence[tuple[int, int]], parts: str, wholes: str) -> str:
    if len(cuts) == 1:
        shown, count = cuts[0]
        return f"shows {shown:,} of {count:,} {parts}"
    return f"{len(cuts):,} {wholes} shortened"
