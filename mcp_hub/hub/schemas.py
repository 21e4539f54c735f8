"""What a JSON Schema asks for, once its references are followed and its `allOf` members are one.

Pure. Schemas come from foreign servers: any keyword may have any value, and references may lead in circles.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from mcp_hub.names import identifier

Schema = Mapping[str, Any]

NEVER: Schema = {"not": {}}
"""What the schema `false` means: nothing fits."""

ALL_OF_DEPTH = 40
"""Levels of `allOf` inside `allOf` that are merged."""

STRUCTURE = frozenset({"properties", "items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties"})
"""Parts of a reference's path that name no type."""

COMPARED = 100_000
"""Pairs of values that are compared where two enums are merged; of larger ones the second counts."""


class TooLargeError(Exception):
    """A schema consists of more parts than are read."""


@dataclass(frozen=True)
class Flat:
    """A schema without `$ref` and `allOf` at its top."""

    schema: Schema
    seen: frozenset[str]
    """The references that led here; one that comes again below is a recursion."""
    cut: str | None = None
    """The name of the type that would begin again here; `schema` is empty then."""


class Reader:
    """Reads the schemas below one root, at most `most` of them altogether."""

    def __init__(self, root: Schema | None, most: int) -> None:
        self._root = root
        self._left = most

    def flat(self, schema: Any, seen: frozenset[str] = frozenset(), depth: int = 0) -> Flat:
        """A schema with its `$ref`s followed and its `allOf` merged. Raises TooLargeError.

        What stands beside a `$ref` counts too. A reference to what isn't there, or isn't in this schema, asks for
        nothing.
        """
        above: Schema = {}
        while True:
            self.spend()
            if schema is False:
                return Flat(NEVER, seen)
            if not isinstance(schema, Mapping):
                return Flat(above, seen)
            if "$ref" not in schema and "allOf" not in schema:
                return Flat(combined(schema, above) if above else schema, seen)
            own: Schema = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
            members = schema.get("allOf")
            if isinstance(members, list):
                if depth == ALL_OF_DEPTH:
                    raise TooLargeError
                merged: Schema = {}
                for member in members:
                    part = self.flat(member, seen, depth + 1)
                    merged, seen = combined(merged, part.schema), seen | part.seen
                own = combined(merged, own)
            above = combined(own, above)
            ref = schema.get("$ref")
            if not isinstance(ref, str):
                return Flat(above, seen)
            if ref in seen:
                return Flat({}, seen, type_name(ref))
            seen, schema = seen | {ref}, resolve(ref, self._root)

    def spend(self) -> None:
        """Count one part. Raises TooLargeError when there were too many."""
        self._left -= 1
        if self._left < 0:
            raise TooLargeError


def resolve(ref: str, root: Schema | None) -> Any:
    """What a `#/...` reference refers to; {} when it isn't there or isn't local."""
    if not ref.startswith("#"):
        return {}
    found: Any = root
    for part in filter(None, unquote(ref[1:]).split("/")):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return {}
    return found


def type_name(ref: str) -> str:
    """What a reference's type is called: the last part that names something, as an identifier; `Self` for the root."""
    parts = [part for part in unquote(ref).split("/")[1:] if part not in STRUCTURE and not part.isdecimal()]
    return identifier(parts[-1]) if parts and parts[-1] else "Self"


def combined(one: Schema, other: Schema) -> Schema:
    """A schema that asks for what both ask for. Where they only describe, or can't be joined, `other` counts.

    Where no value can fit both, it is NEVER beside the rest: an empty `enum` or `type` alone would read as anything.
    """
    merged = {**one, **other}
    for key, join in _JOINS.items():
        if key in one and key in other and one[key] != other[key]:
            merged[key] = join(one[key], other[key])
            if key in ("enum", "type") and merged[key] == []:
                merged |= NEVER
    if "const" in merged and ("const" in one) != ("const" in other) and isinstance(merged.get("enum"), list):
        return merged if _is_in(merged["const"], merged["enum"]) else {**merged, **NEVER}
    if "const" in one and "const" in other and not _is_in(one["const"], [other["const"]]):
        merged |= NEVER
    return merged


def unchecked(*_: Any) -> Iterator[Any]:
    """Stands in for a keyword in a validator, where checking it has no bound: it finds nothing wrong."""
    return iter(())


def is_object(schema: Schema) -> bool:
    """Whether a schema (without `$ref`) describes an object, said or not."""
    return schema.get("type") == "object" or ("type" not in schema and isinstance(schema.get("properties"), Mapping))


def is_array(schema: Schema) -> bool:
    """Whether a schema (without `$ref`) describes an array, said or not."""
    return schema.get("type") == "array" or (
        "type" not in schema and not schema.keys().isdisjoint(("items", "prefixItems"))
    )


def properties_of(schema: Schema) -> Mapping[str, Any]:
    """An object's fields and their schemas; none where `properties` is nonsense."""
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def required_names(schema: Schema) -> frozenset[str]:
    """The properties that an object must have; `required` may be anything in a foreign schema."""
    required = schema.get("required")
    return frozenset(each for each in required if isinstance(each, str)) if isinstance(required, list) else frozenset()


def tuple_items(schema: Schema) -> list[Any]:
    """The schemas of an array's first items, each with its own, as either generation of JSON Schema writes them."""
    found = schema.get("prefixItems", schema.get("items"))
    return found if isinstance(found, list) else []


def members_of(schema: Schema, union: str) -> list[Any]:
    """The members of an `anyOf` or `oneOf`; none where it is nonsense."""
    members = schema.get(union)
    return members if isinstance(members, list) else []


def is_nullable(schema: Schema) -> bool:
    """Whether null fits beside the schema's type, as OpenAPI has it."""
    return schema.get("nullable") is True


def _both(one: Any, other: Any) -> Any:
    if one is False or other is False:
        return False
    if one is True or other is True:
        return other if one is True else one
    return {"allOf": [one, other]}


def _neither(one: Any, other: Any) -> Any:
    return NEVER["not"] if NEVER["not"] in (one, other) or True in (one, other) else {"anyOf": [one, other]}


def _fields(one: Any, other: Any) -> Any:
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return other
    return {
        **{key: _both(value, other[key]) if other.get(key, value) != value else value for key, value in one.items()},
        **{key: value for key, value in other.items() if key not in one},
    }


def _all_names(one: Any, other: Any) -> Any:
    if not isinstance(one, list) or not isinstance(other, list):
        return other
    return list(dict.fromkeys(each for each in (*one, *other) if isinstance(each, str)))


def _common_types(one: Any, other: Any) -> Any:
    ones, others = ([each] if isinstance(each, str) else each for each in (one, other))
    if not isinstance(ones, list) or not isinstance(others, list):
        return other
    common = [kind for kind in ones if kind in others or (kind == "integer" and "number" in others)]
    common += [kind for kind in others if kind == "integer" and "number" in ones and kind not in common]
    return common[0] if len(common) == 1 else common


def _common_values(one: Any, other: Any) -> Any:
    if not isinstance(one, list) or not isinstance(other, list):
        return other
    if len(one) * len(other) > COMPARED:
        return other
    return [each for each in one if _is_in(each, other)]


def _is_in(value: Any, values: list[Any]) -> bool:
    """Whether a JSON value is among others; to Python, True is 1."""
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in values)


def _stricter(choose: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def join(one: Any, other: Any) -> Any:
        numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other))
        return choose(one, other) if numbers else other

    return join


_JOINS: Mapping[str, Callable[[Any, Any], Any]] = {
    "properties": _fields,
    "required": _all_names,
    "type": _common_types,
    "enum": _common_values,
    "not": _neither,
    "items": _both,
    "additionalProperties": _both,
    "nullable": lambda one, other: one is True and other is True,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), _stricter(max)),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), _stricter(min)),
}
"""How two values of a keyword become the one that asks for both."""
