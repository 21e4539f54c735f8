"""What of a request a cloud's own endpoint doesn't take, by the table in fields.toml: left out, or refused by name.

Pure. What doesn't change an answer is left out. What can't be done there is refused before anything is sent: an answer
that silently lacks a search, or was made in another part of the world, is none that was asked for.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mcp_hub.proxy.upstreams.upstream import Headers
from mcp_hub.proxy.wire import BadRequestError

TABLE = Path(__file__).with_name("fields.toml")

BETAS = "anthropic_beta"
"""The field of a body that has betas, where they aren't in the header of nearly the same name."""

BETA_HEADER = "anthropic-beta"


@dataclass(frozen=True)
class Fields:
    """One section of the table. `title` is what the cloud calls the endpoint."""

    title: str
    left_out: frozenset[str]
    refused: frozenset[str]
    refused_tools: tuple[str, ...]
    betas_left_out: frozenset[str]
    betas_instead: Mapping[str, str]

    @classmethod
    def shipped(cls, kind: Literal["bedrock", "vertex"]) -> "Fields":
        """The section of fields.toml for a kind of upstream."""
        table = tomllib.loads(TABLE.read_text(encoding="utf-8"))[kind]
        return cls(
            table["title"],
            frozenset(table["left_out"]),
            frozenset(table["refused"]),
            tuple(table["refused_tools"]),
            frozenset(table["betas_left_out"]),
            table["betas_instead"],
        )

    def changes(self, request: Mapping[str, Any]) -> dict[str, None]:
        """The top-level fields of a request to leave out. Raises BadRequestError for what can't be done."""
        for name in sorted(self.refused & request.keys()):
            if request[name]:
                raise BadRequestError(
                    f"{self.title} doesn't have this. Leave it out, or ask a model of another upstream.", field=name
                )
        tools = request.get("tools")
        for number, tool in enumerate(tools if isinstance(tools, list) else []):
            kind = tool.get("type") if isinstance(tool, dict) else None
            if isinstance(kind, str) and kind.startswith(self.refused_tools):
                raise BadRequestError(
                    f"{self.title} doesn't run tools of the type {kind!r}. Leave it out, or ask a model of another "
                    "upstream.",
                    field=f"tools.{number}.type",
                )
        betas = request.get(BETAS)
        if betas is not None and not (isinstance(betas, list) and all(isinstance(each, str) for each in betas)):
            raise BadRequestError("must be a list of texts.", field=BETAS)
        return dict.fromkeys(name for name in request if name in self.left_out | self.refused)

    def betas(self, headers: Headers, request: Mapping[str, Any]) -> list[str]:
        """The betas to send: those of the header and of the body, each once, as they are called there."""
        asked = [*_in_headers(headers), *(request.get(BETAS) or ())]
        called = (self.betas_instead.get(each, each) for each in asked)
        return list(dict.fromkeys(each for each in called if each not in self.betas_left_out))


def _in_headers(headers: Headers) -> Iterable[str]:
    for name, value in headers:
        if name.lower() == BETA_HEADER:
            yield from filter(None, (each.strip() for each in value.split(",")))
