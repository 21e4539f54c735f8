"""What results look like: the shape of a JSON value as a JSON Schema of keys and types, and the union of two shapes.

Pure. A shape is written in one way only, so that equal shapes are equal dicts:

- `{}` is anything; scalars are `{"type": ...}`, several of them a sorted list of types; an integer and a number
  together are a number; a container beside something else is a member of `anyOf`.
- An object has `properties`, and as `required` what every object had. An array has `items`, or none if all were empty.
- An object that wasn't looked at, there being too many values, is `{"type": "object"}`: its fields aren't known, and it
  adds nothing to the fields of others.
- An object whose keys look like data has `additionalProperties`, the shape of all its values, and no keys.

An answer that holds nothing but an error isn't looked at at all (`is_failure`): it says what went wrong this time, and
would make every field look optional for ever.

KEYS LOOK LIKE DATA when

- a key isn't a name: a letter or `_`, then letters, digits, `_` and `-`, at most NAME_CHARACTERS. So no blanks, dots,
  slashes or `@`: no path, address, date, sentence or number;
- a key with `_` inside has small and capital letters: names have one or the other (`snake_case`, `camelCase`), keys and
  tokens such as `ghp_Ab...` have both;
- an object holds two records or more with the same fields, and nothing else: its keys are what these are found by;
- a key has more than NAME_DIGITS digits, or digits in more than two places, or digits and no small letter: an id
  (`sha256` and `line_2` are names, `3f2a9c1` and `ABC-12` aren't);
- there are more than FIELDS keys;
- no key is in every object, and more than VARYING keys hold values of one type: the keys differ from one result to
  the next. One result can't tell `{"ann": 1, "bob": 2}` from a record; the next ones do.

Each rule holds for a union once it holds for a part of it, so the order of merging makes no difference, unless a shape
is larger than SIZE_CHARACTERS: it is written with fewer levels then.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import islice
from typing import Any

from mcp_hub.hub.schemas import Schema

DEPTH = 5
"""Levels of objects and arrays in each other; of deeper ones only the type is told."""

FIELDS = 60
"""Keys of an object; with more, they are data."""

VARYING = 8
"""Keys with values of one type that an object without a common key may have; with more, they are data."""

ITEMS = 50
"""Items of an array that are looked at."""

NODES = 300
"""Values of one result that are looked at, about 0.1 ms; what is beyond adds nothing to the shape."""

SIZE_CHARACTERS = 4000
"""Characters of a shape as JSON."""

NAME_CHARACTERS = 40
"""Characters of a key that is a name."""

NAME_DIGITS = 3
"""Digits of a key that is a name."""

ERRORS = frozenset({"error", "errors", "err"})
"""Keys under which tools tell what went wrong."""

WITH_ERRORS = ERRORS | {
    *("message", "msg", "code", "type", "status", "status_code", "statuscode", "detail", "details", "hint"),
    *("ok", "success", "succeeded", "is_error", "iserror", "request_id", "requestid"),
}
"""These, and keys that stand beside them and tell nothing else."""

_ANYTHING: Schema = {}
_UNSEEN: Schema = {"type": "object"}
_NAME = re.compile(rf"[^\W\d][\w-]{{0,{NAME_CHARACTERS - 1}}}")
_DIGITS = re.compile(r"\d+")
_KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_CONTAINERS = {"array", "object"}
_SCALARS: Mapping[type, Schema] = {each: {"type": kind} for each, kind in _KINDS.items() if kind not in _CONTAINERS}


def shape_of(value: Any) -> Schema:
    """The shape of a JSON value, never a part of the value. Of a very large one, the shape of what was looked at."""
    return _fitting(_shape([value], DEPTH, NODES))


def merged(one: Schema, other: Schema) -> Schema:
    """The union of two shapes: what fits either fits it."""
    return one if one == other else _fitting(_union(one, other))


def is_failure(value: Any) -> bool:
    """Whether a result tells that something went wrong, and nothing else, although it isn't marked as an error."""
    if not isinstance(value, dict) or len(value) > len(WITH_ERRORS):
        return False
    told = {str(key).lower(): each for key, each in value.items()}
    return told.keys() <= WITH_ERRORS and any(told.get(key) for key in ERRORS)


def is_name(key: str) -> bool:
    """Whether a key names a field, as opposed to being data itself."""
    if not _NAME.fullmatch(key):
        return False
    if "_" in key.strip("_") and key not in (key.lower(), key.upper()):
        return False
    digits = _DIGITS.findall(key)
    return not digits or (len(digits) <= 2 and sum(map(len, digits)) <= NAME_DIGITS and key != key.upper())


def _shape(values: Sequence[Any], levels: int, left: int) -> Schema:
    """The union of the values' shapes, with so many levels; `left` values inside them may be looked at."""
    types = set(map(type, values))
    if len(types) == 1 and (scalar := _SCALARS.get(*types)) is not None:
        return scalar
    if not types <= _KINDS.keys():
        return _ANYTHING
    kinds: dict[str, Schema] = {_KINDS[each]: {"type": _KINDS[each]} for each in types}
    share = left // 2 if kinds.keys() >= _CONTAINERS else left
    if "object" in kinds:
        kinds["object"] = _objects([value for value in values if isinstance(value, dict)], levels, share)
    if "array" in kinds:
        kinds["array"] = _arrays([value for value in values if isinstance(value, list)], levels, share)
    return _any_of(kinds)


def _objects(objects: Sequence[Mapping[str, Any]], levels: int, left: int) -> Schema:
    if levels == 0:
        return _map_of(_ANYTHING)
    columns: defaultdict[str, list[Any]] = defaultdict(list)
    looked_at = 0
    for each in objects:
        if len(each) > left and left <= FIELDS:  # a part of it would make its other fields look optional
            break
        for key, value in islice(each.items(), left):
            columns[key].append(value)
        left = max(0, left - len(each))
        looked_at += 1
    if not looked_at:
        return _UNSEEN
    if _are_data(columns) or _are_records(objects):
        return _map_of(_shape([value for column in columns.values() for value in column], levels - 1, left))
    nested = sum(not {list, dict}.isdisjoint(map(type, column)) for column in columns.values())
    share = left // nested if nested else 0
    properties = {key: _shape(column, levels - 1, share) for key, column in columns.items()}
    return _object(properties, [key for key, column in columns.items() if len(column) == looked_at])


def _arrays(arrays: Sequence[list[Any]], levels: int, left: int) -> Schema:
    if levels == 0:
        return _array_of(_ANYTHING)
    items: list[Any] = []
    for each in arrays:
        items += each[: min(ITEMS, left - len(items))]
    return _array_of(_shape(items, levels - 1, left - len(items)) if items else None)


def _union(one: Schema, other: Schema) -> Schema:
    if one == other:
        return one
    if not one or not other:
        return _ANYTHING
    kinds = _by_kind(one)
    for kind, schema in _by_kind(other).items():
        if kind not in kinds:
            kinds[kind] = schema
        elif kind == "array":
            kinds[kind] = _union_of_arrays(kinds[kind], schema)
        elif kind == "object":
            kinds[kind] = _union_of_objects(kinds[kind], schema)
    return _any_of(kinds)


def _union_of_arrays(one: Schema, other: Schema) -> Schema:
    if "items" in one and "items" in other:
        return _array_of(_union(one["items"], other["items"]))
    return one if "items" in one else other


def _union_of_objects(one: Schema, other: Schema) -> Schema:
    if _UNSEEN in (one, other):
        return other if one == _UNSEEN else one
    if "additionalProperties" in one or "additionalProperties" in other:
        return _map_of(reduce(_union, [*_values(one), *_values(other)]))
    fields, more = one["properties"], other["properties"]
    common = {name: _union(fields[name], more[name]) for name in fields if name in more}
    needed = set(other.get("required", ()))
    return _object({**fields, **more, **common}, [name for name in one.get("required", ()) if name in needed])


def _values(schema: Schema) -> list[Schema]:
    """The shapes of an object's values."""
    if "additionalProperties" in schema:
        return [schema["additionalProperties"]]
    return list(schema["properties"].values())


def _object(properties: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    needed = sorted(required)
    if _are_data(properties) or (not needed and _vary(properties.values())):
        return _map_of(reduce(_union, properties.values()))
    shape: dict[str, Any] = {"type": "object", "properties": {**properties}}
    return {**shape, "required": needed} if needed else shape


def _are_data(keys: Mapping[str, Any]) -> bool:
    return len(keys) > FIELDS or not all(map(is_name, keys))


def _are_records(objects: Sequence[Mapping[str, Any]]) -> bool:
    """Whether each object holds nothing but records with the same fields: its keys are then what they are found by."""
    for each in objects:
        fields = {tuple(value) if isinstance(value, dict) else () for value in islice(each.values(), FIELDS)}
        if len(each) < 2 or len(fields) != 1 or not all(fields):
            return False
    return bool(objects)


def _vary(schemas: Iterable[Schema]) -> bool:
    """Whether more than VARYING of them have a type in common."""
    counts: Counter[str] = Counter()
    for schema in schemas:
        kinds = _by_kind(schema) if schema else _KINDS.values()
        counts.update({"number" if kind == "integer" else kind for kind in kinds})
    return any(count > VARYING for count in counts.values())


def _map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _array_of(items: Schema | None) -> Schema:
    return {"type": "array"} if items is None else {"type": "array", "items": items}


def _by_kind(schema: Schema) -> dict[str, Schema]:
    """The types that a shape allows, each with its own shape; not for `{}`."""
    found: dict[str, Schema] = {}
    for member in schema.get("anyOf", [schema]):
        kind = member["type"]
        found |= {each: {"type": each} for each in kind} if isinstance(kind, list) else {kind: member}
    return found


def _any_of(kinds: Mapping[str, Schema]) -> Schema:
    scalars = sorted(
        kind for kind in kinds if kind not in _CONTAINERS and not (kind == "integer" and "number" in kinds)
    )
    members: list[Schema] = [{"type": scalars if len(scalars) > 1 else scalars[0]}] if scalars else []
    members += [kinds[kind] for kind in sorted(_CONTAINERS) if kind in kinds]
    return members[0] if len(members) == 1 else {"anyOf": members}


def _fitting(shape: Schema) -> Schema:
    """The shape with as many levels as SIZE_CHARACTERS allow."""
    fitting, levels = shape, DEPTH
    while len(json.dumps(fitting, ensure_ascii=False)) > SIZE_CHARACTERS:
        levels -= 1
        fitting = _cut(shape, levels)
    return fitting


def _cut(schema: Schema, levels: int) -> Schema:
    if "anyOf" in schema:
        return {"anyOf": [_cut(member, levels) for member in schema["anyOf"]]}
    if schema.get("type") == "array":
        if levels == 0:
            return _array_of(_ANYTHING)
        return {**schema, "items": _cut(schema["items"], levels - 1)} if "items" in schema else schema
    if schema.get("type") == "object":
        if levels == 0:
            return _map_of(_ANYTHING)
        if "additionalProperties" in schema:
            return _map_of(_cut(schema["additionalProperties"], levels - 1))
        if schema == _UNSEEN:
            return schema
        return {**schema, "properties": {name: _cut(each, levels - 1) for name, each in schema["properties"].items()}}
    return schema
