"""A JSON Schema as a Python-like type on one line, within a number of characters.

Pure. Whatever the schema, the type reads as a Python expression.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp_hub.hub.schemas import (
    NEVER,
    Reader,
    Schema,
    TooLargeError,
    combined,
    is_array,
    is_nullable,
    is_object,
    members_of,
    properties_of,
    required_names,
    tuple_items,
)
from mcp_hub.names import identifier

TYPE_CHARACTERS = 400
"""A type that would be longer is written with fewer levels, then with fewer fields."""

LITERAL_CHARACTERS = 120
"""Characters of an enum's values that are written out; of values that are longer only their type is."""

NODES = 200
"""Schemas that one type is written from; what needs more is written with fewer levels."""

NESTING = 20
"""Levels of lists and objects in a literal; deeper ones are `...`."""


@dataclass(frozen=True)
class Plan:
    """How much of a schema a type shows."""

    levels: int
    """Levels of objects that are written field by field; deeper ones are `dict`."""
    fields: int
    """Fields of each object; the others are counted."""
    literals: int
    """Values of an enum; of a longer one the first few and the count are shown."""


PLANS = (Plan(3, 12, 6), Plan(2, 12, 6), Plan(1, 12, 6), Plan(1, 6, 4), Plan(1, 3, 3), Plan(0, 0, 2))
"""From the fullest to the shortest; the first whose type fits is taken."""

SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

SHAPING = frozenset(
    {"type", "properties", "items", "prefixItems", "additionalProperties", "enum", "const", "$ref"}
    | {"anyOf", "oneOf", "allOf"}
)
"""Keywords that say what type a value has; the others only narrow it."""


def type_of(schema: Any, root: Schema | None, most: int = TYPE_CHARACTERS, plans: Sequence[Plan] = PLANS) -> str:
    """A schema as a Python-like type of at most `most` characters; `Any` when none of the plans is that short.

    `root` is what `$ref` refers into. Where a type begins again inside itself, only its name stands.
    """
    for plan in plans:
        written = planned_type(schema, root, plan)
        if written is not None and len(written) <= most:
            return written
    return "Any"


def planned_type(schema: Any, root: Schema | None, plan: Plan) -> str | None:
    """A schema as a Python-like type that shows as much as `plan` says; None when it has too many parts for that."""
    try:
        return _Writer(root, plan).type_of(schema)
    except (TooLargeError, RecursionError):
        return None


def result_schema(schema: Schema | None) -> Schema | None:
    """The schema inside the one-field `{result: ...}` wrapper, which `results` opens."""
    properties = properties_of(schema) if schema else {}
    if list(properties) == ["result"]:
        inner = properties["result"]
        return inner if isinstance(inner, Mapping) else {}
    return schema


def one_line(text: str, most: int) -> str:
    """`text` without line breaks, cut at a word to at most `most` characters."""
    flat = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    if len(flat) <= most:
        return flat
    cut = flat[: most - 3]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut else cut}..."


def literal(value: Any, nesting: int = NESTING) -> str:
    """A JSON value as a program writes it, on one line."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list | Mapping) and not nesting:
        return "..."
    if isinstance(value, list):
        return f"[{', '.join(literal(each, nesting - 1) for each in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k)}: {literal(v, nesting - 1)}" for k, v in value.items()) + "}"
    return str(value)


def _quoted(text: str) -> str:
    """`text` as a literal; what would break the line, or can't be seen, is escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in quoted)


class _Writer:
    """Writes one type. Raises TooLargeError."""

    def __init__(self, root: Schema | None, plan: Plan) -> None:
        self._reader = Reader(root, NODES)
        self._plan = plan

    def type_of(self, schema: Any, depth: int = 0, seen: frozenset[str] = frozenset()) -> str:
        flat = self._reader.flat(schema, seen)
        return flat.cut or self._flat(flat.schema, depth, flat.seen)

    def _flat(self, schema: Schema, depth: int, seen: frozenset[str]) -> str:
        written = self._plain(schema, depth, seen)
        return _union([written, "None"]) if is_nullable(schema) else written

    def _plain(self, schema: Schema, depth: int, seen: frozenset[str]) -> str:
        if schema.get("not") in (NEVER["not"], True):
            return "Never"
        if "const" in schema:
            return self._values([schema["const"]])
        if isinstance(values := schema.get("enum"), list) and values:
            return self._values(values)
        for union in ("anyOf", "oneOf"):
            if (members := members_of(schema, union)) and (
                written := self._members(schema, union, members, depth, seen)
            ) is not None:
                return written
        kind = schema.get("type")
        if isinstance(kind, list):
            return _union(self._plain({**schema, "type": each}, depth, seen) for each in kind)
        if is_array(schema):
            return self._array(schema, depth, seen)
        if is_object(schema):
            return self._object(schema, depth, seen)
        return SCALARS.get(str(kind), "Any")

    def _members(self, schema: Schema, union: str, members: list[Any], depth: int, seen: frozenset[str]) -> str | None:
        """A union's members, each with what stands beside the union; None when they say nothing of the type."""
        beside = {key: value for key, value in schema.items() if key != union}
        if SHAPING.isdisjoint(beside):
            return _union(self.type_of(member, depth, seen) for member in members)
        if not any(isinstance(member, Mapping) and not SHAPING.isdisjoint(member) for member in members):
            return None
        found = []
        for member in members:
            flat = self._reader.flat(member, seen)
            found.append(flat.cut or self._flat(combined(beside, flat.schema), depth, flat.seen))
        written = _union(found)
        return None if written == "Any" else written

    def _array(self, schema: Schema, depth: int, seen: frozenset[str]) -> str:
        if first := tuple_items(schema):
            items = [self.type_of(each, depth + 1, seen) for each in first[: self._plan.fields or 1]]
            rest = schema.get("items" if "prefixItems" in schema else "additionalItems")
            open_ended = len(items) < len(first) or (isinstance(rest, Mapping) and bool(rest))
            return f"tuple[{', '.join([*items, *(['...'] if open_ended else [])])}]"
        item = self.type_of(schema.get("items"), depth + 1, seen)
        return "list" if item == "Any" else f"list[{item}]"

    def _object(self, schema: Schema, depth: int, seen: frozenset[str]) -> str:
        properties = {name: field for name, field in properties_of(schema).items() if field is not False}
        if not properties:
            return self._mapping(schema, depth, seen)
        if depth >= self._plan.levels:
            return "dict"
        needed = required_names(schema)
        shown = properties.keys()
        if len(properties) > self._plan.fields:
            first = sorted(properties, key=lambda name: name not in needed)[: self._plan.fields]
            shown = dict.fromkeys(first).keys()
        fields = []
        for name, field in properties.items():
            if name not in shown:
                continue
            label = (
                name if name in needed and identifier(name) == name else literal(name if name in needed else f"{name}?")
            )
            fields.append(f"{label}: {self.type_of(field, depth + 1, seen)}")
        if len(properties) > len(fields):
            fields.append(f'"{len(properties) - len(fields)} more": Any')
        return "{" + ", ".join(fields) + "}"

    def _mapping(self, schema: Schema, depth: int, seen: frozenset[str]) -> str:
        """An object whose fields have no names of their own: `dict[str, T]` where its values have a type."""
        values = schema.get("additionalProperties")
        patterns = schema.get("patternProperties")
        kinds = [values] if isinstance(values, Mapping) else []
        kinds += list(patterns.values()) if isinstance(patterns, Mapping) else []
        value = _union(self.type_of(kind, depth + 1, seen) for kind in kinds)
        return "dict" if value == "Any" else f"dict[str, {value}]"

    def _values(self, values: list[Any]) -> str:
        shown: list[str] = []
        room = LITERAL_CHARACTERS
        for value in values[: self._plan.literals if len(values) > self._plan.literals else None]:
            written = literal(value)
            room -= len(written)
            if room < 0:
                break
            shown.append(written)
        if not shown:
            return _union(_kind(value) for value in values)
        if len(values) > len(shown):
            shown.append(literal(f"... {len(values) - len(shown)} more"))
        return f"Literal[{', '.join(shown)}]"


def _kind(value: Any) -> str:
    return "None" if value is None else "dict" if isinstance(value, Mapping) else type(value).__name__


def _union(members: Iterable[str]) -> str:
    every = list(members)
    distinct = dict.fromkeys(each.removesuffix(" | None") for each in every if each not in ("None", "Never"))
    if "Any" in distinct or not every:
        return "Any"
    null = ["None"] if any(each == "None" or each.endswith(" | None") for each in every) else []
    return " | ".join([*distinct, *null]) or "Never"
