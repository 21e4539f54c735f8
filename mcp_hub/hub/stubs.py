"""JSON Schema -> what an agent reads: a one-line signature, and full docs.

Pure. A signature reads as Python; what doesn't fit its line is in the docs.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mcp_hub.hub.catalog import Parameter, Schema, Server, Tool

DESCRIPTION_CHARACTERS = 120
"""A description on a signature's line is cut at the last word before this."""

LITERALS = 6
"""Values of an enum that are written out; of a longer one the first few and the count are."""

FIELDS = 12
"""Fields of an object that are written out in a signature."""

DEPTH = 3
"""Levels of nested objects in a signature; deeper ones are `dict`."""

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
    """The signature with the start of the description behind it."""
    description = one_line(tool.description, DESCRIPTION_CHARACTERS)
    return f"{signature(tool)}  # {description}" if description else signature(tool)


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
    if tool.description:
        lines += [tool.description.strip(), ""]
    if tool.parameters:
        lines.append("Parameters:")
        for parameter in tool.parameters:
            lines += _field(
                parameter.name,
                parameter.schema,
                tool.input_schema,
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
        f"{parameter.name}={_sample(parameter.schema, tool.input_schema, 0)}"
        for parameter in tool.parameters
        if parameter.required
    ]
    return f"{tool.server}.{tool.name}({', '.join(arguments)})"


def type_of(schema: Any, root: Schema | None, depth: int = 0, seen: frozenset[str] = frozenset()) -> str:
    """A schema as a Python-like type. `root` is what `$ref` refers into; a recursive one is `dict`."""
    if not isinstance(schema, Mapping):
        return "Any"
    if isinstance(ref := schema.get("$ref"), str):
        if ref in seen:
            return "dict"
        return type_of(resolve(ref, root), root, depth, seen | {ref})
    if "const" in schema:
        return f"Literal[{_literal(schema['const'])}]"
    if isinstance(values := schema.get("enum"), list) and values:
        return _enum(values)
    for union in ("anyOf", "oneOf"):
        if isinstance(members := schema.get(union), list) and members:
            return _union(type_of(member, root, depth, seen) for member in members)
    if isinstance(members := schema.get("allOf"), list) and len(members) == 1 and "type" not in schema:
        return type_of(members[0], root, depth, seen)
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union(type_of({**schema, "type": each}, root, depth, seen) for each in kind)
    if kind == "array":
        items = type_of(schema.get("items"), root, depth + 1, seen)
        return "list" if items == "Any" else f"list[{items}]"
    if kind == "object" or "properties" in schema:
        return _object(schema, root, depth, seen)
    return SCALARS.get(str(kind), "Any")


def resolve(ref: str, root: Schema | None) -> Any:
    """What a `#/...` reference refers to; {} when it isn't there or isn't local."""
    if not ref.startswith("#"):
        return {}
    found: Any = root
    for part in ref[1:].strip("/").split("/"):
        if not part:
            continue
        part = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or part not in found:
            return {}
        found = found[part]
    return found


def one_line(text: str, most: int) -> str:
    """`text` without line breaks, cut at a word to at most `most` characters."""
    flat = " ".join(text.split())
    if len(flat) <= most:
        return flat
    cut = flat[: most - 3]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut else cut}..."


def _parameter(parameter: Parameter, root: Schema) -> str:
    written = f"{parameter.name}: {type_of(parameter.schema, root)}"
    if parameter.required:
        return written
    return f"{written} = {_literal(parameter.schema.get('default'))}"


def _object(schema: Schema, root: Schema | None, depth: int, seen: frozenset[str]) -> str:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        values = schema.get("additionalProperties")
        inner = type_of(values, root, depth + 1, seen) if isinstance(values, Mapping) else "Any"
        return "dict" if inner == "Any" else f"dict[str, {inner}]"
    if depth >= DEPTH:
        return "dict"
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    fields = []
    for name, inner_schema in list(properties.items())[:FIELDS]:
        label = name if name in needed and name.isidentifier() else _literal(name if name in needed else f"{name}?")
        fields.append(f"{label}: {type_of(inner_schema, root, depth + 1, seen)}")
    if len(properties) > FIELDS:
        fields.append(f'"{len(properties) - FIELDS} more": Any')
    return "{" + ", ".join(fields) + "}"


def _enum(values: list[Any]) -> str:
    shown = [_literal(value) for value in values[:LITERALS]]
    if len(values) > LITERALS:
        shown.append(_literal(f"... {len(values) - LITERALS} more"))
    return f"Literal[{', '.join(shown)}]"


def _union(members: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(members))
    if "Any" in distinct:
        return "Any"
    distinct.sort(key=lambda member: member == "None")
    return " | ".join(distinct)


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(_literal(each) for each in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    return str(value)


def _field(
    name: str,
    schema: Schema,
    root: Schema,
    *,
    required: bool,
    wire_name: str,
    indent: int = 1,
    seen: frozenset[str] = frozenset(),
) -> list[str]:
    pad = "  " * indent
    notes = ["required" if required else f"default {_literal(schema.get('default'))}"]
    if wire_name != name:
        notes.append(f"the server calls it {wire_name!r}")
    ref = schema.get("$ref")
    if isinstance(ref, str):
        if ref in seen:
            return [f"{pad}{name}: recursive, as above"]
        seen |= {ref}
        target = resolve(ref, root)
        schema = {**target, **schema} if isinstance(target, Mapping) else schema
    notes += [f"{key} {json.dumps(schema[key], ensure_ascii=False)}" for key in CONSTRAINTS if key in schema]
    if isinstance(values := schema.get("enum"), list) and len(values) > LITERALS:
        notes.append(f"one of {', '.join(_literal(value) for value in values)}")
    described = one_line(str(schema.get("description") or ""), 500)
    lines = [f"{pad}{name}: {type_of(schema, root)} ({'; '.join(notes)}){f' {described}' if described else ''}"]
    nested: Any = schema
    while isinstance(nested, Mapping) and nested.get("type") == "array":
        nested = nested.get("items")
        if isinstance(nested, Mapping) and isinstance(inner := nested.get("$ref"), str):
            if inner in seen:
                return lines
            seen |= {inner}
            nested = resolve(inner, root)
    properties = nested.get("properties") if isinstance(nested, Mapping) else None
    if isinstance(properties, Mapping):
        needed = nested.get("required") or []
        for key, inner_schema in properties.items():
            lines += _field(
                key,
                inner_schema if isinstance(inner_schema, Mapping) else {},
                root,
                required=key in needed,
                wire_name=key,
                indent=indent + 1,
                seen=seen,
            )
    return lines


def _unwrapped(schema: Schema | None) -> Schema | None:
    """The schema inside the one-field `{result: ...}` wrapper, which `results` opens."""
    properties = schema.get("properties") if schema else None
    if isinstance(properties, Mapping) and list(properties) == ["result"]:
        inner = properties["result"]
        return inner if isinstance(inner, Mapping) else {}
    return schema


def _sample(schema: Any, root: Schema, depth: int) -> str:
    if not isinstance(schema, Mapping) or depth > 6:
        return "{}" if depth > 6 else '"..."'
    if isinstance(ref := schema.get("$ref"), str):
        return _sample(resolve(ref, root), root, depth + 1)
    for known in ("const", "default"):
        if known in schema and schema[known] is not None:
            return _literal(schema[known])
    if isinstance(values := schema.get("enum"), list) and values:
        return _literal(values[0])
    if isinstance(examples := schema.get("examples"), list) and examples:
        return _literal(examples[0])
    for union in ("anyOf", "oneOf", "allOf"):
        if isinstance(members := schema.get(union), list) and members:
            return _sample(members[0], root, depth + 1)
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
            return f"[{_sample(schema.get('items'), root, depth + 1)}]"
        case "object":
            properties = schema.get("properties")
            required = schema.get("required") or []
            if not isinstance(properties, Mapping):
                return "{}"
            return (
                "{"
                + ", ".join(
                    f"{_literal(key)}: {_sample(inner, root, depth + 1)}"
                    for key, inner in properties.items()
                    if key in required
                )
                + "}"
            )
        case _:
            return '"..."'
