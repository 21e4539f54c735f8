"""Ranked look-up over the catalog: SQLite's full-text index, in memory, over names, descriptions, parameters."""

import re
import sqlite3
from collections.abc import Iterable

from mcp_hub.hub.catalog import Tool

WEIGHTS = (0.0, 0.0, 10.0, 4.0, 3.0, 1.0)
"""bm25 weights by column: server and tool are keys, then names, server words, description, parameters."""

COMMON = frozenset(
    {"a", "an", "and", "are", "as", "at", "by", "can", "do", "for", "from", "get", "how", "i", "in", "is", "it"}
    | {"me", "my", "of", "on", "or", "the", "to", "with"}
)
"""Words of a request that say nothing about a tool."""

QUERY_CHARACTERS = 1000
"""Of a request, what is searched for; a longer one would keep the index busy for seconds."""


class Index:
    """An index of one catalog snapshot."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "create virtual table tools using fts5(server unindexed, tool unindexed, name, of, description, "
            "parameters, tokenize = 'porter unicode61')"
        )
        self._db.executemany(
            "insert into tools values (?, ?, ?, ?, ?, ?)",
            (
                (
                    tool.server,
                    tool.name,
                    words(tool.wire_name),
                    words(tool.server),
                    words(tool.description),
                    " ".join(words(parameter.wire_name) for parameter in tool.parameters),
                )
                for tool in tools
            ),
        )

    def search(self, query: str, limit: int) -> list[tuple[str, str]]:
        """The (server, tool) names that fit a request in plain words, best first; [] when none does."""
        said = words(query[:QUERY_CHARACTERS]).split()
        terms = [word for word in said if word not in COMMON] or said
        if not terms:
            return []
        match = " OR ".join(f'"{term}"' for term in dict.fromkeys(terms))
        weights = ", ".join(str(weight) for weight in WEIGHTS)
        rows = self._db.execute(
            f"select server, tool from tools where tools match ? "  # noqa: S608 - the weights are constants
            f"order by bm25(tools, {weights}), server, tool limit ?",
            (match, limit),
        )
        return [(str(server), str(tool)) for server, tool in rows]


def words(text: str) -> str:
    """`text` as lower-case words: camelCase, snake_case and dashes are taken apart, plurals like URLs aren't."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?![A-Z]s(?![a-z]))", " ", text)
    return " ".join(re.findall(r"[^\W_]+", apart)).lower()
