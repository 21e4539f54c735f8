"""Counts what a model is sent: tokens of texts and JSON, and tools as a request has them."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from bpe_openai import get_encoding
from mcp_types import Tool

TOKENIZER = "o200k_base"


def tokens(value: Any) -> int:
    """Tokens, by TOKENIZER, of a text, or of a value as JSON without blanks, as it is sent."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(_encoding().encode_ordinary(text))


def as_sent(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Tools as a request to the Messages API has them: name, description, input schema."""
    return [{"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in tools]


@cache
def _encoding() -> Any:
    return get_encoding(TOKENIZER)  # which reads its tables each time
