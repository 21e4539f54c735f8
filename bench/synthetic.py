"""A seeded generator of a large catalog: servers whose tools have names, texts and schemas like those of real ones."""

from collections.abc import Mapping
from random import Random
from typing import Any

VERBS = (
    *("create", "get", "list", "update", "delete", "search", "export", "import", "archive", "restore", "copy", "move"),
    *("lock", "unlock", "validate", "schedule", "cancel", "approve", "reject", "assign", "merge", "compare", "count"),
)
THINGS = (
    *("invoice", "order", "customer", "ticket", "comment", "file", "folder", "report", "user", "team", "role", "key"),
    *("branch", "release", "build", "deployment", "alert", "metric", "log", "dashboard", "query", "table", "column"),
    *("message", "channel", "event", "calendar", "contact", "campaign", "product", "price", "shipment", "warehouse"),
    *("payment", "refund", "contract", "policy", "device", "sensor", "zone", "route", "vehicle", "recipe", "lesson"),
)
QUALITIES = ("draft", "open", "overdue", "shared", "private", "recent", "linked", "nested", "default", "remote")
FIELDS = (
    *("id", "name", "title", "owner", "limit", "cursor", "since", "until", "status", "labels", "filter", "sort_by"),
    *("include_archived", "dry_run", "format", "description", "parent_id", "priority", "region", "locale"),
)
PURPOSES = ("billing", "support", "shipping", "monitoring", "planning", "publishing", "hiring", "training", "security")

TOOLS_OF_A_SERVER = 50


def catalog(servers: int, seed: int = 5) -> dict[str, list[dict[str, Any]]]:
    """Server name -> its tools as MCP objects, 50 each; the same seed gives the same bytes."""
    random = Random(seed)
    return {f"{random.choice(PURPOSES)}_{number:03}": _server(random) for number in range(servers)}


def _server(random: Random) -> list[dict[str, Any]]:
    pairs = [(verb, quality, thing) for verb in VERBS for quality in ("", *QUALITIES) for thing in THINGS]
    return [_tool(random, *pair) for pair in random.sample(pairs, TOOLS_OF_A_SERVER)]


def _tool(random: Random, verb: str, quality: str, thing: str) -> dict[str, Any]:
    fields = random.sample(FIELDS, random.randint(1, 8))
    subject = f"{quality} {thing}".strip()
    article = "an" if subject[0] in "aeiou" else "a"
    text = (
        f"{verb.capitalize()} {article} {subject} of the current {random.choice(THINGS)}. "
        f"Needs the {random.choice(FIELDS)} of a {random.choice(THINGS)}, and answers with its "
        f"{random.choice(FIELDS)} and {random.choice(FIELDS)}. "
        f"Use it after {random.choice(VERBS)} {random.choice(THINGS)}."
    )
    return {
        "name": "_".join(part for part in (verb, quality, thing) if part),
        "description": text,
        "inputSchema": {
            "type": "object",
            "properties": {field: _schema(random, field) for field in fields},
            "required": fields[: random.randint(0, 3)],
        },
    }


def _schema(random: Random, field: str, depth: int = 0) -> Mapping[str, Any]:
    text = f"The {field.replace('_', ' ')} of the {random.choice(THINGS)}"
    match random.randrange(8 if depth == 0 else 6):
        case 0:
            return {"type": "integer", "description": text, "minimum": 0, "default": random.randint(1, 100)}
        case 1:
            return {"type": "boolean", "description": text}
        case 2:
            return {"type": "string", "description": text, "enum": random.sample(QUALITIES, 4)}
        case 6:
            return {"type": "array", "description": text, "items": _schema(random, field, depth + 1)}
        case 7:
            inner = random.sample(FIELDS, 3)
            properties = {name: _schema(random, name, depth + 1) for name in inner}
            return {"type": "object", "description": text, "properties": properties, "required": inner[:1]}
    return {"type": "string", "description": text}
