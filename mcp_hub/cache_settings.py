"""`[proxy.cache]` of servers.toml: which answers of the model are kept, for whom, for how long, and when they serve.

Pure. A proxy without this table keeps nothing of what passes: answers are kept on the disk, with what was asked.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from mcp_hub.table import Table, checked_path

MOST_SECONDS = 30 * 86_400
"""Of ttl_seconds: what a model answered a month ago is no answer of today."""


class CacheSettings(Table):
    """`[proxy.cache]`: the response cache."""

    ttl_seconds: int = Field(3600, ge=1, le=MOST_SECONDS, description="Seconds for which an answer is given again.")
    models: tuple[str, ...] = Field(("*",), description="Globs over the models whose answers are kept.")
    exact_for: tuple[str, ...] = Field(
        ("*",), description="Globs over the names of keys that are given answers to the very same request."
    )
    similar_for: tuple[str, ...] = Field(
        (), description="Those that are also given answers to a request that asks the same in other words."
    )
    shared_by: Literal["key", "team"] = Field(
        "key", description="Who may be given each other's answers: one key's clients, or all keys of a team."
    )
    similarity_threshold: float = Field(
        0.7, ge=0, le=1, description="How near a text must be to be looked at; what decides is the guard."
    )
    conversation_history_threshold: int = Field(
        3, ge=1, le=1000, description="Messages; a longer conversation is not looked up by similarity."
    )
    roots: tuple[str, ...] = Field(
        (),
        description="Folders whose repositories are looked at. A request that names another folder isn't served.",
    )
    max_temperature: float = Field(
        1.0, ge=0, description="A request that sets a higher one is not served; one that sets none is."
    )
    tool_calls: bool = Field(False, description="true: answers that call tools are kept, too.")
    pace: Literal["at_once", "recorded"] = Field(
        "at_once", description="How fast a stream is given again: all at once, or as it came."
    )
    size_mib: int = Field(
        256, ge=8, le=100_000, description="What is kept at most; the least recently used goes first."
    )

    @field_validator("roots")
    @classmethod
    def _absolute(cls, roots: tuple[str, ...]) -> tuple[str, ...]:
        for root in roots:
            if not Path(checked_path(root)).expanduser().is_absolute():
                raise ValueError("must be absolute paths, or begin with ~")
        return roots

    @property
    def folders(self) -> tuple[Path, ...]:
        """The roots as paths."""
        return tuple(Path(root).expanduser() for root in self.roots)
