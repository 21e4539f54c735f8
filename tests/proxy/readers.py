"""Reads streams as clients do that forgive nothing: by the documented order of events, and as Claude Code does."""

import json
from typing import Any

from mcp_hub.proxy.sse import SseParser

BLOCKS = {"text_delta": ("text", "text"), "thinking_delta": ("thinking", "thinking")}


def told(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream, parsed."""
    return [json.loads(event.data) for event in SseParser().feed(stream) if event.data]


def is_legal(stream: bytes) -> bool:
    """Whether blocks come one after the other, from 0 on, each with its own beginning, deltas and end."""
    number, is_open = -1, False
    for event in told(stream):
        match event["type"]:
            case "content_block_start":
                block = event["content_block"]
                number += 1
                if is_open or event["index"] != number or block.get("input", {}) != {}:
                    return False
                is_open = True
            case "content_block_delta" | "content_block_stop":
                if not is_open or event["index"] != number:
                    return False
                is_open = event["type"] == "content_block_delta"
            case "message_delta" | "message_stop":
                if is_open:
                    return False
    return not is_open


def as_claude_code_reads(stream: bytes) -> list[dict[str, Any]]:
    """The blocks as Claude Code has them: a tool's arguments are what its deltas spell, whatever it began with.

    Raises LookupError and ValueError as it does: for a delta whose block isn't there, or is of another type.
    """
    blocks: dict[int, dict[str, Any]] = {}
    ended: list[dict[str, Any]] = []
    for event in told(stream):
        if event["type"] == "content_block_start":
            block = dict(event["content_block"])
            blocks[event["index"]] = {**block, "input": ""} if "name" in block else block
        elif event["type"] == "content_block_delta":
            block, delta = blocks[event["index"]], event["delta"]
            if delta["type"] == "input_json_delta":
                if block["type"] != "tool_use":
                    raise ValueError("Content block is not a input_json block")
                block["input"] += delta["partial_json"]
            elif delta["type"] in BLOCKS:
                kind, field = BLOCKS[delta["type"]]
                if block["type"] != kind:
                    raise ValueError(f"Content block is not a {kind} block")
                block[field] += delta[field]
        elif event["type"] == "content_block_stop":
            block = blocks[event["index"]]
            ended.append({**block, "input": json.loads(block["input"] or "{}")} if "name" in block else block)
    return ended
