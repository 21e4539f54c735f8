"""A request's parameters -> those that the model which a pin chose takes, by the table in parameters.toml.

Pure. What only steers how a model works (thinking, effort, sampling, the length) is left out or lowered. What an
answer is for (a forced tool, a form of output, a message to go on from) is never touched: a model that can't do it
must say so, not answer something else.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mcp_hub.proxy.pricing import usual_name

TABLE = Path(__file__).with_name("parameters.toml")

SAMPLING = ("temperature", "top_p", "top_k")


@dataclass(frozen=True)
class Model:
    """What one model takes: values of `thinking.type` and `output_config.effort`, which sampling, how many tokens."""

    thinking: tuple[str, ...]
    effort: tuple[str, ...]
    sampling: Literal["none", "one", "any"]
    max_tokens: int
    disabled_up_to: str | None = None
    """The highest effort beside a thinking.type of "disabled"; None: any."""
    system_messages: bool = True
    """Whether messages may have the role "system"."""
    message_effort: bool = True
    """Whether such messages may have an output_config."""
    display_updates: bool = True
    """Whether thinking.display may be "updates"."""


class Parameters:
    """The table of parameters."""

    def __init__(
        self,
        models: Mapping[str, Model],
        effort_levels: tuple[str, ...],
        thinking_instead: Mapping[str, tuple[str, ...]],
        edits_of_thinking: frozenset[str],
    ) -> None:
        self._models = models
        self._effort_levels = effort_levels
        self._thinking_instead = thinking_instead
        self._edits_of_thinking = edits_of_thinking

    @classmethod
    def shipped(cls) -> "Parameters":
        """The table in parameters.toml."""
        data = tomllib.loads(TABLE.read_text(encoding="utf-8"))
        return cls(
            {name: _model(name, table, data) for table in data["models"] for name in table["names"]},
            tuple(data["effort_levels"]),
            {kind: tuple(others) for kind, others in data["thinking_instead"].items()},
            frozenset(data["edits_of_thinking"]),
        )

    def adapted(self, request: Mapping[str, Any], model: str) -> dict[str, Any]:
        """The top-level fields of `request` to change for `model` to take it; None is one to leave out.

        Empty for a model that isn't in the table, and for the one that the request was written for.
        """
        takes = self._models.get(usual_name(model))
        if takes is None or usual_name(str(request.get("model"))) == usual_name(model):
            return {}
        changes: dict[str, Any] = {}
        self._limit_tokens(request, takes, changes)
        self._change_thinking(request, takes, changes)
        _leave_updates_out(request, takes, changes)
        self._lower_effort(request, takes, changes)
        _leave_sampling_out(request, takes, changes)
        _change_messages(request, takes, changes)
        return changes

    def _limit_tokens(self, request: Mapping[str, Any], takes: Model, changes: dict[str, Any]) -> None:
        most, thinking = request.get("max_tokens"), request.get("thinking")
        if not isinstance(most, int) or most <= takes.max_tokens:
            return
        changes["max_tokens"] = takes.max_tokens
        budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
        if isinstance(thinking, dict) and isinstance(budget, int) and budget >= takes.max_tokens:
            # It must be less than max_tokens; clients that ask for all of it ask for one token less.
            changes["thinking"] = {**thinking, "budget_tokens": takes.max_tokens - 1}

    def _change_thinking(self, request: Mapping[str, Any], takes: Model, changes: dict[str, Any]) -> None:
        thinking = changes.get("thinking", request.get("thinking"))
        kind = thinking.get("type") if isinstance(thinking, dict) else None
        if not isinstance(thinking, dict) or not isinstance(kind, str):
            return
        if kind not in self._thinking_instead or kind in takes.thinking:
            return
        other = next((each for each in self._thinking_instead[kind] if each in takes.thinking), None)
        kept = {"display": thinking["display"]} if other == "adaptive" and "display" in thinking else {}
        changes["thinking"] = other and {"type": other, **kept}
        edits = request.get("context_management")
        if other != "adaptive" and isinstance(edits, dict) and isinstance(edits.get("edits"), list):
            left = [edit for edit in edits["edits"] if not self._is_about_thinking(edit)]
            if left != edits["edits"]:
                changes["context_management"] = {**edits, "edits": left} if left else None

    def _is_about_thinking(self, edit: object) -> bool:
        return isinstance(edit, dict) and edit.get("type") in self._edits_of_thinking

    def _lower_effort(self, request: Mapping[str, Any], takes: Model, changes: dict[str, Any]) -> None:
        output, thinking = request.get("output_config"), changes.get("thinking", request.get("thinking"))
        effort = output.get("effort") if isinstance(output, dict) else None
        if not isinstance(output, dict) or effort not in self._effort_levels:
            return
        level = self._effort_levels.index(effort)
        if isinstance(thinking, dict) and thinking.get("type") == "disabled" and takes.disabled_up_to is not None:
            level = min(level, self._effort_levels.index(takes.disabled_up_to))
        lower = next((each for each in reversed(self._effort_levels[: level + 1]) if each in takes.effort), None)
        if lower != effort:
            rest = {key: value for key, value in output.items() if key != "effort"}
            changes["output_config"] = {**rest, "effort": lower} if lower else rest or None


def _model(name: str, table: Mapping[str, Any], data: Mapping[str, Any]) -> Model:
    return Model(
        tuple(table["thinking"]),
        tuple(table["effort"]),
        table["sampling"],
        table["max_tokens"],
        table.get("disabled_up_to"),
        name in data["system_messages"],
        name in data["message_effort"],
        name in data["display_updates"],
    )


def _leave_sampling_out(request: Mapping[str, Any], takes: Model, changes: dict[str, Any]) -> None:
    if takes.sampling == "none":
        changes.update((name, None) for name in SAMPLING if name in request)
    elif takes.sampling == "one" and {"temperature", "top_p"} <= request.keys():
        changes["top_p"] = None


def _leave_updates_out(request: Mapping[str, Any], takes: Model, changes: dict[str, Any]) -> None:
    thinking = changes.get("thinking", request.get("thinking"))
    if isinstance(thinking, dict) and thinking.get("display") == "updates" and not takes.display_updates:
        changes["thinking"] = {name: value for name, value in thinking.items() if name != "display"}


def _change_messages(request: Mapping[str, Any], takes: Model, changes: dict[str, Any]) -> None:
    messages = request.get("messages")
    if not isinstance(messages, list) or (takes.system_messages and takes.message_effort):
        return
    changed = [each for message in messages if (each := _message(message, takes)) is not None]
    if changed != messages:
        changes["messages"] = changed


def _message(message: Any, takes: Model) -> Any:
    """A message as a model takes it; None for one of which nothing is left."""
    if not isinstance(message, dict) or message.get("role") != "system":
        return message
    kept = dict(message)
    if not takes.message_effort and kept.pop("output_config", None) is not None and not kept.get("content"):
        return None
    return kept if takes.system_messages else {**kept, "role": "user"}
