"""JSON Schema -> what an agent reads: a one-line signature, and full docs.

Pure. A signature reads as Python; what doesn't fit its line is in the docs.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from mcp_hub.hub.catalog import Parameter, Schema, Server, Tool, required_names
from mcp_hub.names import identifier

DESCRIPTION_CHARACTERS = 120
"""A description on a signature's line is cut at the last word before this."""

LITERALS = 6
"""Values of an enum that are written out; of a longer one the first few and the count are."""

FIELDS = 12
"""Fields of an object that are written out in a signature."""

DEPTH = 3
"""Levels of nested objects in a signature; deeper ones are `dict`."""

NODES = 200
"""Schemas that one type, or one example value, is written from; what needs more is written with fewer levels."""

DEFAULT_CHARACTERS = 60
"""A default that is longer is `...` in a signature; the docs have it whole."""

SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

CONSTRAINTS = (
    *("format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems"),
)


def signature(tool: Tool) -> str:
    """`def name(required: type, *, optional: type = default) -> type`, on one line."""
    parts: list[str] = []
    keyword_only = False
    for parameter in tool.parameters:
        if not parameter.required and not keyword_only:
            keyword_only = True
            parts.append("*")
        parts.append(_parameter(parameter, tool.input_schema))
    returns = type_of(_unwrapped(tool.output_schema), tool.output_schema) if tool.output_schema else "Any"
    return f"def {tool.name}({', '.join(parts)}) -> {returns}"


def line(tool: Tool) -> str:
    """The signature with the start of the description behind it, and whether the policy denies the tool."""
    description = one_line(tool.description, DESCRIPTION_CHARACTERS)
    comment = " ".join(filter(None, ("" if tool.decision.allowed else "DENIED by policy.", description)))
    return f"{signature(tool)}  # {comment}" if comment else signature(tool)


def server_file(server: Server) -> str:
    """A server's file as readToolFile shows it: a header, then a line a tool."""
    count = len(server.tools)
    purpose = one_line(server.description, DESCRIPTION_CHARACTERS)
    header = f"# {server.name}: {count} tool{'s' if count != 1 else ''}{f'. {purpose}' if purpose else ''}"
    usage = f"# In a program: {server.name}.TOOL(argument=value)"
    return "\n".join([header, usage, *(line(tool) for tool in server.tools.values())]) + "\n"


def docs(tool: Tool) -> str:
    """Everything about one tool: description, each parameter to any depth, an example call, what returns."""
    lines = [f"{tool.server}.{tool.name}", signature(tool), ""]
    if tool.wire_name != tool.name:
        lines.insert(1, f"(the server calls it {tool.wire_name!r})")
    if not tool.decision.allowed:
        lines += [f"DENIED by policy: {tool.decision.reason}", ""]
    if tool.description:
        lines += [tool.description.strip(), ""]
    if tool.parameters:
        lines.append("Parameters:")
        described: dict[str, str] = {}
        for parameter in tool.parameters:
            lines += _field(
                parameter.name,
                parameter.schema,
                tool.input_schema,
                described,
                required=parameter.required,
                wire_name=parameter.wire_name,
            )
    else:
        lines.append("It takes no parameters.")
    lines += ["", f"Example: {example(tool)}"]
    if tool.output_schema:
        lines += ["", f"Returns: {type_of(_unwrapped(tool.output_schema), tool.output_schema)}"]
    hints = [f"{name}: {json.dumps(value)}" for name, value in tool.annotations.items() if name != "title"]
    if hints:
        lines += ["", f"Annotations: {', '.join(hints)}"]
    return "\n".join(lines) + "\n"


def example(tool: Tool) -> str:
    """A call with the required arguments, each a value of the right type."""
    arguments = [
        f"{parameter.name}={_sample(parameter.schema, tool.input_schema)}"
        for parameter in tool.parameters
        if parameter.required
    ]
    return f"{tool.server}.{tool.name}({', '.join(arguments)})"


def type_of(schema: Any, root: Schema | None) -> str:
    """A schema as a Python-like type. `root` is what `$ref` refers into; a recursive object is `dict`."""
    for levels in range(DEPTH, -1, -1):
        with suppress(_TooLargeError):
            return _Writer(root, levels).type_of(schema)
    return "Any"


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


def one_line(text: str, most: int) -> str:
    """`text` without line breaks, cut at a word to at most `most` characters."""
    flat = " ".join(text.split())
    if len(flat) <= most:
        return flat
    cut = flat[: most - 3]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut else cut}..."


def _sample(schema: Schema, root: Schema) -> str:
    for levels in range(DEPTH, -1, -1):
        with suppress(_TooLargeError):
            return _Writer(root, levels).sample(schema)
    return "{}"


def _parameter(parameter: Parameter, root: Schema) -> str:
    written = f"{parameter.name}: {type_of(parameter.schema, root)}"
    if parameter.required:
        return written
    default = _literal(parameter.schema.get("default"))
    return f"{written} = {default if len(default) <= DEFAULT_CHARACTERS else '...'}"


class _TooLargeError(Exception):
    """More than NODES schemas are needed."""


class _Writer:
    """Writes one type or example value, down to `levels` levels of objects. Raises _TooLargeError."""

    def __init__(self, root: Schema | None, levels: int) -> None:
        self._root = root
        self._levels = levels
        self._left = NODES

    def type_of(self, schema: Any, depth: int = 0, seen: frozenset[str] = frozenset()) -> str:
        self._spend()
        if not isinstance(schema, Mapping):
            return "Any"
        if isinstance(ref := schema.get("$ref"), str):
            target = resolve(ref, self._root)
            if ref in seen:
                return "dict" if _is_object(target) else "Any"
            return self.type_of(target, depth, seen | {ref})
        if "const" in schema:
            return f"Literal[{_literal(schema['const'])}]"
        if isinstance(values := schema.get("enum"), list) and values:
            return _enum(values)
        for union in ("anyOf", "oneOf"):
            if isinstance(members := schema.get(union), list) and members:
                written = _union([self.type_of(member, depth, seen) for member in members])
                if written != "Any" or "type" not in schema:
                    return written
        if isinstance(members := schema.get("allOf"), list) and len(members) == 1 and "type" not in schema:
            return self.type_of(members[0], depth, seen)
        kind = schema.get("type")
        if isinstance(kind, list):
            return _union([self.type_of({**schema, "type": each}, depth, seen) for each in kind])
        if kind == "array":
            items = self.type_of(schema.get("items"), depth + 1, seen)
            return "list" if items == "Any" else f"list[{items}]"
        if _is_object(schema):
            return self._object(schema, depth, seen)
        return SCALARS.get(str(kind), "Any")

    def _object(self, schema: Schema, depth: int, seen: frozenset[str]) -> str:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or not properties:
            values = schema.get("additionalProperties")
            inner = self.type_of(values, depth + 1, seen) if isinstance(values, Mapping) else "Any"
            return "dict" if inner == "Any" else f"dict[str, {inner}]"
        if depth >= self._levels:
            return "dict"
        needed = required_names(schema)
        fields = []
        for name, field in list(properties.items())[:FIELDS]:
            label = (
                name
                if name in needed and identifier(name) == name
                else _literal(name if name in needed else f"{name}?")
            )
            fields.append(f"{label}: {self.type_of(field, depth + 1, seen)}")
        if len(properties) > FIELDS:
            fields.append(f'"{len(properties) - FIELDS} more": Any')
        return "{" + ", ".join(fields) + "}"

    def sample(self, schema: Any, depth: int = 0, seen: frozenset[str] = frozenset()) -> str:
        """A value that fits a schema, as far as its types tell."""
        self._spend()
        if not isinstance(schema, Mapping):
            return '"..."'
        if isinstance(ref := schema.get("$ref"), str):
            return "{}" if ref in seen else self.sample(resolve(ref, self._root), depth, seen | {ref})
        for known in ("const", "default"):
            if known in schema and schema[known] is not None:
                return _literal(schema[known])
        for listed in ("enum", "examples"):
            if isinstance(values := schema.get(listed), list) and values:
                return _literal(values[0])
        for union in ("anyOf", "oneOf", "allOf"):
            if isinstance(members := schema.get(union), list) and members and not _is_object(schema):
                return self.sample(members[0], depth, seen)
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        match kind:
            case "integer" | "number":
                return _literal(schema.get("minimum", 1))
            case "boolean":
                return "True"
            case "null":
                return "None"
            case "array":
                inner = self.sample(schema.get("items"), depth + 1, seen)
                return "[]" if inner == "{}" else f"[{inner}]"
        if not _is_object(schema):
            return '"..."'
        properties, needed = schema.get("properties"), required_names(schema)
        if not isinstance(properties, Mapping) or depth >= self._levels:
            return "{}"
        fields = [(name, field) for name, field in properties.items() if name in needed]
        return (
            "{" + ", ".join(f"{_literal(name)}: {self.sample(field, depth + 1, seen)}" for name, field in fields) + "}"
        )

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooLargeError


def _is_object(schema: Any) -> bool:
    return isinstance(schema, Mapping) and (schema.get("type") == "object" or "properties" in schema)


def _enum(values: list[Any]) -> str:
    shown = [_literal(value) for value in values[:LITERALS]]
    if len(values) > LITERALS:
        shown.append(_literal(f"... {len(values) - LITERALS} more"))
    return f"Literal[{', '.join(shown)}]"


def _union(members: list[str]) -> str:
    distinct = list(dict.fromkeys(members))
    if not distinct or "Any" in distinct:
        return "Any"
    distinct.sort(key=lambda member: member == "None")
    return " | ".join(distinct)


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(_literal(each) for each in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    return str(value)


def _quoted(text: str) -> str:
    """`text` as a literal; what would break the line, or can't be seen, is escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in quoted)


def _field(
    name: str,
    schema: Schema,
    root: Schema,
    described: dict[str, str],
    *,
    required: bool,
    wire_name: str | None = None,
    indent: int = 1,
) -> list[str]:
    """A field's line, and its own fields' below it. `described`: each `$ref` already written, and under which field."""
    pad = "  " * indent
    own = _followed(schema, root)
    notes = ["required" if required else f"default {_literal(own.get('default'))}"]
    if wire_name not in (None, name):
        notes.append(f"the server calls it {wire_name!r}")
    notes += [f"{key} {json.dumps(own[key], ensure_ascii=False)}" for key in CONSTRAINTS if key in own]
    if isinstance(values := own.get("enum"), list) and len(values) > LITERALS:
        notes.append(f"one of {', '.join(_literal(value) for value in values)}")
    purpose = one_line(str(own.get("description") or ""), 500)
    lines = [f"{pad}{name}: {type_of(schema, root)} ({'; '.join(notes)}){f' {purpose}' if purpose else ''}"]
    for number, found in enumerate(_objects(schema, root, described, name)):
        if number:
            lines.append(f"{pad}  or:")
        if isinstance(found, str):
            lines.append(f"{pad}  the fields of {found}, above")
            continue
        needed = required_names(found)
        for key, field in found["properties"].items():
            field = field if isinstance(field, Mapping) else {}
            lines += _field(key, field, root, described, required=key in needed, indent=indent + 1)
    return lines


def _objects(schema: Any, root: Schema, described: dict[str, str], name: str) -> Iterator[Schema | str]:
    """The objects whose fields belong under the field `name`: itself, its items, the members of its unions.

    One that was described before is the name of the field that has it.
    """
    seen: set[str] = set()
    last = ""
    while isinstance(schema, Mapping) and isinstance(ref := schema.get("$ref"), str) and ref not in seen:
        seen.add(ref)
        last, schema = ref, resolve(ref, root)
    if not isinstance(schema, Mapping):
        return
    if last in described:
        if "properties" in schema:
            yield described[last]
        return
    if last:
        described[last] = name
    if isinstance(schema.get("properties"), Mapping):
        yield schema
    for union in ("anyOf", "oneOf", "allOf"):
        members = schema.get(union)
        for member in members if isinstance(members, list) else ():
            yield from _objects(member, root, described, name)
    yield from _objects(schema.get("items"), root, described, name)


def _followed(schema: Schema, root: Schema) -> Schema:
    """A schema together with what its `$ref` refers to."""
    seen: set[str] = set()
    while isinstance(ref := schema.get("$ref"), str) and ref not in seen:
        seen.add(ref)
        target = resolve(ref, root)
        own = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**target, **own} if isinstance(target, Mapping) else own
    return schema


def _unwrapped(schema: Schema | None) -> Schema | None:
    """The schema inside the one-field `{result: ...}` wrapper, which `results` opens."""
    properties = schema.get("properties") if schema else None
    if isinstance(properties, Mapping) and list(properties) == ["result"]:
        inner = properties["result"]
        return inner if isinstance(inner, Mapping) else {}
    return schema
