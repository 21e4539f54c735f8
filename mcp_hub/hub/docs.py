"""Everything about one tool as getToolDocs shows it: description, fields to any depth, example, results, policy.

Pure. The whole is bounded; what is left out is said in the last line.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from mcp_hub.hub.catalog import Tool
from mcp_hub.hub.examples import example
from mcp_hub.hub.policy import UNDECIDED
from mcp_hub.hub.schemas import (
    Flat,
    Reader,
    Schema,
    TooLargeError,
    members_of,
    properties_of,
    required_names,
    tuple_items,
)
from mcp_hub.hub.types import NODES, PLANS, Plan, literal, one_line, result_schema, type_of

DOCS_CHARACTERS = 12_000
"""The docs of one tool are at most so long."""

DESCRIPTION_CHARACTERS = 4_000
"""Of a tool's description."""

FIELD_CHARACTERS = 500
"""Of a field's description."""

VALUES_CHARACTERS = 1_500
"""Of the values of one enum, and of one default."""

CONSTRAINT_CHARACTERS = 200
"""Of one constraint: a pattern can be a page long."""

SIGNATURE_CHARACTERS = 2_000
"""Of a signature whose required parameters alone are longer than a line."""

EXAMPLE_CHARACTERS = 2_000
"""A longer example call isn't shown."""

RETURNS_CHARACTERS = 1_500
"""Of the type of the result."""

NOTES_CHARACTERS = 400
"""Of the policy's reason, and of the annotations."""

RETURN_PLANS = (Plan(10, 60, 12), *PLANS)
"""The type of a result is written out further than on a signature's line."""

LEVELS = (30, 6, 3, 2, 1)
"""Levels of fields that are described; the most that fit."""

CONSTRAINTS = (
    *("format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    *("not", "if", "then", "else", "dependentRequired", "contentMediaType", "readOnly", "deprecated"),
)


class _FullError(Exception):
    """The fields need more room."""


def written_docs(tool: Tool, signature: str) -> str:
    """The docs of a tool whose signature is `signature`, in at most DOCS_CHARACTERS characters."""
    left_out: list[str] = []
    head = _head(tool, signature, left_out)
    middle = ["", f"Example: {_example(tool)}", *_returned(tool)]
    tail = _tail(tool)
    room = DOCS_CHARACTERS - NOTES_CHARACTERS - sum(len(each) + 1 for each in (*head, *middle, *tail))
    parameters = _parameters(tool, room, left_out)
    results = _result_fields(tool, room - sum(len(each) + 1 for each in parameters), left_out)
    last = ["", f"[left out for length: {'; '.join(left_out)}]"] if left_out else []
    return "\n".join([*head, *parameters, *middle, *results, *tail, *last]) + "\n"


def _head(tool: Tool, signature: str, left_out: list[str]) -> list[str]:
    lines = [_cut(f"{tool.server}.{tool.name}", NOTES_CHARACTERS)]
    if tool.wire_name != tool.name:
        lines.append(f"(the server calls it {_cut(repr(tool.wire_name), NOTES_CHARACTERS)})")
    lines += [_cut(signature, SIGNATURE_CHARACTERS), ""]
    if not tool.decision.allowed:
        lines += [f"DENIED by policy: {one_line(tool.decision.reason, NOTES_CHARACTERS)}", ""]
    description = tool.description.strip()
    if len(description) > DESCRIPTION_CHARACTERS:
        left_out.append(f"the last {len(description) - DESCRIPTION_CHARACTERS:,} characters of the description")
        description = f"{description[:DESCRIPTION_CHARACTERS].rstrip()} [...]"
    return [*lines, description, ""] if description else lines


def _example(tool: Tool) -> str:
    call = example(tool)
    return call if len(call) <= EXAMPLE_CHARACTERS else "too long to be shown"


def _returned(tool: Tool) -> list[str]:
    """What comes back."""
    schema = tool.output_schema if tool.output_schema is not None else tool.observed
    if schema is None:
        return []
    inner = result_schema(schema) if tool.output_schema is not None else schema
    source = "" if tool.output_schema is not None else " (as seen in earlier results; not promised by the server)"
    return ["", f"Returns{source}: {type_of(inner, schema, RETURNS_CHARACTERS, RETURN_PLANS)}"]


def _tail(tool: Tool) -> list[str]:
    lines = []
    hints = [f"{name}: {json.dumps(value)}" for name, value in tool.annotations.items() if name != "title"]
    if hints:
        lines += ["", f"Annotations: {one_line(', '.join(hints), NOTES_CHARACTERS)}"]
    if tool.decision.allowed and tool.decision != UNDECIDED:
        lines += ["", f"Policy: allowed: {one_line(tool.decision.reason, NOTES_CHARACTERS)}"]
    return lines


def _parameters(tool: Tool, room: int, left_out: list[str]) -> list[str]:
    """Each parameter's line, and its fields' below it."""
    if not tool.parameters:
        return ["It takes no parameters."]
    for levels in LEVELS:
        fields = _Fields(tool.input_schema, levels, room)
        try:
            for parameter in tool.parameters:
                fields.add(parameter.name, parameter.schema, required=parameter.required, wire_name=parameter.wire_name)
        except (_FullError, RecursionError):
            continue
        if fields.deeper:
            left_out.append(f"fields more than {levels} level{'s' if levels != 1 else ''} deep")
        return ["Parameters:", *fields.lines]
    count = len(tool.parameters) - len(fields.lines)
    left_out.append(f"the last {count} parameter{'s' if count != 1 else ''} and the fields of all")
    return ["Parameters:", *fields.lines]


def _result_fields(tool: Tool, room: int, left_out: list[str]) -> list[str]:
    """The fields of what comes back, where the server says more of them than their types."""
    if tool.output_schema is None:
        return []
    for levels in LEVELS:
        fields = _Fields(tool.output_schema, levels, room, of_result=True)
        try:
            fields.add_below(result_schema(tool.output_schema))
        except (_FullError, RecursionError):
            continue
        if fields.deeper:
            left_out.append(f"fields of the result more than {levels} level{'s' if levels != 1 else ''} deep")
        return fields.lines if fields.says_more else []
    left_out.append("the fields of the result")
    return []


class _Fields:
    """Lines about fields and the fields in them, down to some levels. Raises _FullError when they need more room."""

    def __init__(self, root: Schema, levels: int, room: int, *, of_result: bool = False) -> None:
        self.lines: list[str] = []
        self.deeper = False
        """Whether there are fields below the last level."""
        self.says_more = False
        """Whether any field has more to it than its type."""
        self._root = root
        self._levels = levels
        self._room = room
        self._of_result = of_result
        self._described: dict[frozenset[str], str] = {}
        """The field below which what some references lead to was described."""

    def add(self, name: str, schema: Any, level: int = 1, *, required: bool, wire_name: str | None = None) -> None:
        """A field's line, and its own fields' below it."""
        own = self._flat(schema).schema
        kind = type_of(schema, self._root)
        notes = ["required"] if required and not self._of_result else []
        if "default" in own:
            notes.append(f"default {_cut(literal(own['default']))}")
        elif not required:
            notes.append("optional")
        if wire_name not in (None, name):
            notes.append(f"the server calls it {_cut(repr(wire_name), NOTES_CHARACTERS)}")
        constraints = self._constraints(schema, kind)
        notes += constraints
        purpose = one_line(str(own.get("description") or ""), FIELD_CHARACTERS)
        self.says_more = self.says_more or bool(purpose or constraints)
        about = f" ({'; '.join(notes)})" if notes else ""
        self._line(level, f"{_shown(name)}: {kind}{about}{f' {purpose}' if purpose else ''}")
        self.add_below(schema, name, level)

    def add_below(self, schema: Any, name: str = "the result", level: int = 0) -> None:
        """The lines of the fields in a field."""
        for label, found in self._objects(schema, name):
            if level >= self._levels:
                self.deeper = True
                return
            if label:
                self._line(level + 1, label)
            if isinstance(found, str):
                self._line(level + 1, f"the fields of {_shown(found)}, above")
                continue
            needed = required_names(found)
            for key, field in properties_of(found).items():
                self.add(key, field, level + 1, required=key in needed)

    def _objects(self, schema: Any, name: str, label: str = "") -> Iterator[tuple[str, Schema | str]]:
        """The objects whose fields belong below the field `name`, each with a line about how it belongs there.

        They are itself, its items, what its further fields hold and the members of its unions. One that was
        described before is the name of the field below which it was.
        """
        flat = self._flat(schema)
        own = flat.schema
        if flat.seen:
            if flat.seen in self._described:
                if properties_of(own):
                    yield label, self._described[flat.seen]
                return
            self._described[flat.seen] = name
        if properties_of(own):
            yield label, own
        either = "and one of:" if properties_of(own) else label
        for union in ("anyOf", "oneOf"):
            for member in members_of(own, union):
                for each in self._objects(member, name, either):
                    yield each
                    either = "or:"
        for item in tuple_items(own) or [own.get("items")]:
            if isinstance(item, Mapping):
                yield from self._objects(item, name, label)
        if isinstance(further := own.get("additionalProperties"), Mapping):
            yield from self._objects(further, name, "in each further field:")

    def _constraints(self, schema: Any, kind: str) -> list[str]:
        """What a value must fulfil beyond its type `kind`; of a union, for each member that says something."""
        notes: dict[str, None] = {}
        with suppress(TooLargeError, RecursionError):
            self._note(notes, Reader(self._root, NODES), schema, kind)
        return list(notes)

    def _note(self, notes: dict[str, None], reader: Reader, schema: Any, kind: str, whose: str = "") -> None:
        own = reader.flat(schema).schema
        for key in CONSTRAINTS:
            if key in own:
                notes[f"{whose}{key} {_cut(_json(own[key]), CONSTRAINT_CHARACTERS)}"] = None
        values = own.get("enum")
        values = [own["const"]] if "const" in own else values if isinstance(values, list) else []
        if values and (listed := ", ".join(map(literal, values))) not in kind:
            notes[f"{whose}one of {_cut(listed)}"] = None
        for union in ("anyOf", "oneOf"):
            members = [each for each in members_of(own, union) if each != {"type": "null"}]
            for member in members:
                which = f"{type_of(member, self._root, CONSTRAINT_CHARACTERS)}: " if len(members) > 1 else ""
                self._note(notes, reader, member, kind, f"{whose}{which}")
        if isinstance(items := own.get("items"), Mapping):
            self._note(notes, reader, items, kind, f"{whose}each item: ")

    def _flat(self, schema: Any) -> Flat:
        try:
            return Reader(self._root, NODES).flat(schema)
        except (TooLargeError, RecursionError):
            return Flat({}, frozenset())

    def _line(self, level: int, text: str) -> None:
        written = f"{'  ' * level}{text}"
        self._room -= len(written) + 1
        if self._room < 0:
            raise _FullError
        self.lines.append(written)


def _shown(name: str) -> str:
    return name if name and name.isprintable() else literal(name)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str, most: int = VALUES_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
