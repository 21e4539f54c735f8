"""Tools as a server lists them, made of the few schemas that a test is about."""

from collections.abc import Mapping
from typing import Any

from mcp_hub.hub.catalog import Server, Tool, build_server

TEXT = {"type": "string"}
NULL = {"type": "null"}
NODE = {
    "type": "object",
    "description": "A part of the tree.",
    "properties": {"name": TEXT, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "required": ["name"],
}


def server(*tools: Mapping[str, Any], name: str = "shop", description: str = "") -> Server:
    return build_server(name, description, tools)


def tool(
    parameters: Mapping[str, Any] | None = None,
    required: tuple[str, ...] = (),
    *,
    name: str = "find",
    defs: Mapping[str, Any] | None = None,
    **raw: Any,
) -> Tool:
    schema = {"type": "object", "properties": parameters or {}, "required": list(required), "$defs": defs or {}}
    (made,) = server({"name": name, "inputSchema": schema, **raw}).tools.values()
    return made
