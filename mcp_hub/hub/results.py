"""MCP result -> a value of the program, as plain data.

Pure. What isn't text never enters a program as base64: an image becomes a small description.
"""

import base64
import json
from typing import Any

import mcp_types as types


def error_text(result: types.CallToolResult) -> str:
    """The text of a result that says the tool failed."""
    texts = [block.text for block in result.content if isinstance(block, types.TextContent)]
    text = "\n".join(texts).strip()
    if text or not result.structured_content:
        return text or "no reason was given"
    return json.dumps(result.structured_content, ensure_ascii=False)


def to_value(result: types.CallToolResult) -> Any:
    """What a program gets for a result: the structured content if there is any, else the content.

    A one-field `{result: ...}` wrapper is opened. A single text that is a JSON object or array becomes that;
    every other text stays text, digits included. Several blocks become a list.
    """
    structured = result.structured_content
    if structured is not None:
        if isinstance(structured, dict) and list(structured) == ["result"]:
            inner = structured["result"]
            return from_text(inner) if isinstance(inner, str) else inner
        return structured
    values = [_from_block(block) for block in result.content]
    match values:
        case []:
            return None
        case [value]:
            return value
        case _:
            return values


def from_text(text: str) -> Any:
    """A text that is a JSON object or array as what it stands for; any other text as it is."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "[") or stripped[-1:] not in ("}", "]"):
        return text
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        return text


def _from_block(block: types.ContentBlock) -> Any:
    match block:
        case types.TextContent():
            return from_text(block.text)
        case types.ImageContent() | types.AudioContent():
            return {"type": block.type, "mimeType": block.mime_type, "bytes": _decoded_size(block.data)}
        case types.ResourceLink():
            return {"type": "resource_link", "uri": str(block.uri), "name": block.name}
        case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
            return from_text(resource.text)
        case types.EmbeddedResource(resource=types.BlobResourceContents() as resource):
            return {
                "type": "blob",
                "uri": str(resource.uri),
                "mimeType": resource.mime_type,
                "bytes": _decoded_size(resource.blob),
            }
        case _:
            return block.model_dump(mode="json", by_alias=True, exclude_none=True)


def _decoded_size(data: str) -> int:
    try:
        return len(base64.b64decode(data))
    except ValueError:
        return len(data)
