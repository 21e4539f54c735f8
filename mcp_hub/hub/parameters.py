"""What a tool takes: its input schema -> parameters, whether they stand in it plainly or behind references and unions.

Pure. A tool's arguments are one object, which a schema may describe in parts: behind a `$ref`, in an `allOf`, or in
the members of an `anyOf` or `oneOf`, of which a call fits one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_hub.hub.schemas import (
    NEVER,
    Reader,
    Schema,
    TooLargeError,
    members_of,
    properties_of,
    required_names,
)
from mcp_hub.names import spellings

PARTS = 1_000
"""Schemas that are read for one tool's parameters; of one with more, what stands plainly at its top counts."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: how a program writes it, how the server spells it."""

    name: str
    wire_name: str
    schema: Schema
    required: bool
    always: bool = True
    """Whether its schema holds whatever the other arguments are; one from a union's member only may not."""


@dataclass(frozen=True)
class Taken:
    """What a tool takes."""

    parameters: tuple[Parameter, ...]
    """Required ones first, each group in the server's order."""
    more: bool
    """Whether it takes arguments that no parameter stands for."""


def taken_by(schema: Schema) -> Taken:
    """What a tool with this input schema takes."""
    try:
        part = _read(Reader(schema, PARTS), schema, frozenset()) or _Part()
    except (TooLargeError, RecursionError):
        part = _plain(schema)
    names = spellings(part.properties)
    listed = [
        Parameter(
            names[wire],
            wire,
            each if isinstance(each, Mapping) else {},
            wire in part.required,
            wire not in part.sometimes,
        )
        for wire, each in part.properties.items()
    ]
    parameters = tuple(sorted(listed, key=lambda parameter: not parameter.required))
    return Taken(parameters, part.more or (not parameters and not part.closed))


@dataclass
class _Part:
    """What one schema of an object says of its fields."""

    properties: dict[str, Any] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    sometimes: set[str] = field(default_factory=set)
    """Fields whose schemas hold in some cases only."""
    more: bool = False
    closed: bool = False
    """Whether it says that there are no further fields."""


def _plain(schema: Schema) -> _Part:
    further = schema.get("additionalProperties")
    return _Part(
        dict(properties_of(schema)),
        required_names(schema),
        more=bool(further) or "patternProperties" in schema,
        closed=further is False,
    )


def _read(reader: Reader, schema: Any, seen: frozenset[str]) -> _Part | None:
    """What a schema says with all that it refers to; None for one that begins again, or that nothing fits."""
    flat = reader.flat(schema, seen)
    if flat.cut is not None or flat.schema.get("not") in (NEVER["not"], True):
        return None
    part = _plain(flat.schema)
    for union in ("anyOf", "oneOf"):
        members = [_read(reader, member, flat.seen) for member in members_of(flat.schema, union)]
        if readable := [member for member in members if member is not None]:
            _add_one_of(part, readable)
    for condition in _conditional(flat.schema):
        if (member := _read(reader, condition, flat.seen)) is not None:
            _add_one_of(part, [member, _Part()])
    return part


def _conditional(schema: Schema) -> list[Any]:
    """The schemas that hold only where others do."""
    found = [schema[key] for key in ("then", "else") if key in schema and "if" in schema]
    dependent = schema.get("dependentSchemas")
    return [*found, *(dependent.values() if isinstance(dependent, Mapping) else ())]


def _add_one_of(part: _Part, members: Sequence[_Part]) -> None:
    """Take in that an object fits one of these too. What is required in each of them is required."""
    names = dict.fromkeys(name for member in members for name in member.properties)
    for name in names:
        schemas: list[Any] = []
        for member in members:
            if name in member.properties and member.properties[name] not in schemas:
                schemas.append(member.properties[name])
        either = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        known = part.properties.get(name, either)
        everywhere = all(name in member.properties and name not in member.sometimes for member in members)
        if name not in part.properties:
            part.properties[name] = either
            if not everywhere:
                part.sometimes.add(name)
        elif everywhere:
            # Known before from some members of another union only, it now holds whatever else does.
            part.properties[name] = either if name in part.sometimes or known == either else {"allOf": [known, either]}
            part.sometimes.discard(name)
    part.required |= frozenset.intersection(*(member.required for member in members))
    part.more = part.more or any(member.more for member in members)
