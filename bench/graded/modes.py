"""The three ways in which tools reach a model, and what each puts before the first message.

Pure. A conversation with the tools given directly is played once and counted twice: as it is, and as it would have been
with every definition deferred behind a search, in the best case for the search: its first query finds exactly the tools
that the plan uses.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from bench.graded.agents import Conversation, Turn
from bench.graded.task import Answer, Call


class Mode(StrEnum):
    """How the tools are given."""

    DIRECT = "direct"
    """All definitions upfront."""
    SEARCH = "direct+search"
    """A search tool upfront; definitions come as its results."""
    HUB = "hub"
    """The four meta-tools."""


Definition = Mapping[str, Any]
Definitions = Mapping[tuple[str, str], Definition]
"""What a model is sent of each tool, by server and name."""

SEARCH_TOOL: Definition = {
    "name": "ToolSearch",
    "description": "Finds tools and loads their definitions, so that they can be called. The tools of the connected "
    "servers are not loaded: before you can call one, search for it. The query is a few words on what you need, or "
    '"select:" with the names of tools, separated by commas. The answer holds the definitions that fit best.',
    "input_schema": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "Words to look for, or select:NAME,NAME"},
            "max_results": {"type": "integer", "description": "The most definitions to load (default 5)"},
        },
        "required": ["query"],
    },
}


def behind_a_search(talk: Conversation, definitions: Definitions) -> Conversation:
    """A direct conversation with one more turn before the others: the search that loads the tools which it uses."""
    used = {(made.server, made.tool): None for turn in talk.turns for made in turn.calls}
    found = [definitions[tool] for tool in used if tool in definitions]
    query = Call("", str(SEARCH_TOOL["name"]), {"query": "select:" + ",".join(tool for _, tool in used)})
    answer = Answer("\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in found))
    return replace(talk, turns=[Turn((query,), (answer,)), *talk.turns])


def upfront_definitions(mode: Mode, every: Sequence[Definition], meta_tools: Sequence[Definition]) -> list[Definition]:
    """The definitions that each request of a mode carries."""
    match mode:
        case Mode.DIRECT:
            return list(every)
        case Mode.SEARCH:
            return [SEARCH_TOOL]
        case Mode.HUB:
            return list(meta_tools)
