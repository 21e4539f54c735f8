"""The stand-in of the Messages API in the recorded sessions: each of its prompts has a script of its own.

Ids of messages and of tool calls are new each time, as the API's are. Usage is told as the prompt cache would have it:
what stood at the beginning of an earlier request is read, the rest is written.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from bpe_openai import get_encoding

from tests.clients.messages_api import MessagesApi
from tests.clients.sdk_scenario import META_TOOLS
from tests.clients.stand_in import Answer, Body, Text

TOKENIZER = "o200k_base"


class SessionApi(MessagesApi):
    """Runs while its `with` block does. `scripts`: what the model does with each prompt, turn by turn."""

    def __init__(self) -> None:
        super().__init__("", [])
        self.scripts: Mapping[str, Sequence[Answer]] = {}
        self._prefixes: set[tuple[str, ...]] = set()

    @staticmethod
    def spelled(tool: str) -> str:
        """The hub's tools have its name before theirs; Claude Code's own don't."""
        return MessagesApi.spelled(tool) if tool in META_TOOLS else tool

    def is_main(self, body: Body) -> bool:
        return bool(body.get("tools")) and self._place(body) is not None

    def next_answer(self, body: Body) -> Answer:
        """The script's turn for the last prompt, by how many tools were called since."""
        self.record.main.append(body)
        place = self._place(body)
        assert place is not None
        script, turn = place
        return script[turn] if turn < len(script) else Text("The script is over.")

    def usage(self, body: Body, block: Body) -> Body:
        """What the prompt cache would have had of the request, had nothing in it gone out of date."""
        parts = prefix_of(body)
        counts = [_tokens(part) for part in parts]
        known = next((n for n in range(len(parts), 0, -1) if tuple(parts[:n]) in self._prefixes), 0)
        self._prefixes |= {tuple(parts[:n]) for n in range(1, len(parts) + 1)}
        return {
            "input_tokens": 0,
            "cache_read_input_tokens": sum(counts[:known]),
            "cache_creation_input_tokens": sum(counts[known:]),
            "output_tokens": _tokens(json.dumps(block)),
        }

    def _place(self, body: Body) -> tuple[Sequence[Answer], int] | None:
        """The script of the last prompt, and how many tools were called since."""
        calls = 0
        for message in reversed(body["messages"]):
            blocks = _blocks(message)
            calls += sum(block.get("type") == "tool_use" for block in blocks)
            texts = [
                str(block["text"]) for block in blocks if message["role"] == "user" and block.get("type") == "text"
            ]
            for prompt, script in self.scripts.items():
                if any(text.strip() == prompt for text in texts):
                    return script, calls
        return None


def prefix_of(body: Body) -> list[str]:
    """A request as the prompt cache reads it, from the front: model, tools, system, each message; without its marks."""
    parts = [body["model"], body.get("tools"), body.get("system"), *map(_blocks, body["messages"])]
    return [json.dumps(_unmarked(part)) for part in parts]


def _blocks(message: Body) -> list[Body]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _unmarked(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _unmarked(each) for name, each in part.items() if name != "cache_control"}
    return [_unmarked(each) for each in part] if isinstance(part, list) else part


@lru_cache(maxsize=10_000)
def _tokens(text: str) -> int:
    return len(get_encoding(TOKENIZER).encode(text))
