"""The server that hostile programs call: a stdio server whose tools fail, never answer, or answer a lot."""

import json
import sys
from typing import Any

TOOLS = ("get", "fail", "refuse", "wait", "large")

LARGE = "x" * 1_000_000


def answer(tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a tool; None for one that never answers."""
    if tool == "wait":
        return None
    if tool in ("fail", "refuse"):
        return {"isError": True, "content": [{"type": "text", "text": "the disk is full"}]}
    value: Any = {"result": LARGE} if tool == "large" else {"args": [], "kwargs": arguments}
    return {"content": [], "structuredContent": value}


def result_of(message: dict[str, Any]) -> dict[str, Any] | None:
    """What a request is answered with; None when it isn't answered."""
    match message["method"]:
        case "initialize":
            version = message["params"]["protocolVersion"]
            server = {"name": "soak", "version": "1.0"}
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
        case "tools/list":
            return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
        case "tools/call":
            return answer(message["params"]["name"], message["params"].get("arguments") or {})
        case _:
            return {}


def main() -> None:
    """Answer until stdin ends."""
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message:
            continue
        if message["method"] == "server/discover":
            reply: dict[str, Any] = {"error": {"code": -32601, "message": "Method not found"}}
        elif (result := result_of(message)) is not None:
            reply = {"result": result}
        else:
            continue
        sys.stdout.buffer.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], **reply}).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
