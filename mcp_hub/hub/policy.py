"""Allow or deny a tool of a server, and why: the hub's own permissions, whoever asks.

Pure. Once a person has allowed executeToolCode, their agent's per-tool permissions no longer see the calls
inside it; these rules do. The most specific rule decides; what specific means is `_rank`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mcp_hub.settings import Annotation, PolicySettings, Rule

READ_ONLY_HINT, DESTRUCTIVE_HINT, OPEN_WORLD_HINT = "readOnlyHint", "destructiveHint", "openWorldHint"


Names = tuple[str, ...]
"""How one thing is called: in servers.toml or by its server, and in programs."""


@dataclass(frozen=True)
class Decision:
    """Whether a tool may be called; `reason` goes on from "is allowed: " or "is denied: "."""

    allowed: bool
    reason: str


UNDECIDED = Decision(True, "no [policy] is configured.")


class Policy:
    """The policies in force, each with the file that it stands in. All of them must allow a call."""

    def __init__(self, policies: Sequence[tuple[Path, PolicySettings]]) -> None:
        self._policies = policies

    def decide(self, server: Names, tool: Names, annotations: Mapping[str, Any]) -> Decision:
        """Decide on a tool by every name of its server, and every name of its own."""
        decisions = [_decide(policy, path, server, tool, annotations) for path, policy in self._policies]
        denied = next((decision for decision in decisions if not decision.allowed), None)
        return denied or (decisions[-1] if decisions else UNDECIDED)

    def unused(self, tools: Sequence[tuple[Names, Names, Mapping[str, Any]]]) -> list[str]:
        """Rules that name a server or a tool and fit none of `tools` (server, tool, annotations): misspelt, perhaps."""
        return [
            f"The rule {rule.text!r} of [policy] in {path} fits no tool."
            for path, policy in self._policies
            for rule in (*policy.allow, *policy.deny)
            if (rule.server, rule.tool) != ("*", "*") and not any(_fits(rule, *tool) for tool in tools)
        ]


def told_annotations(annotations: Mapping[str, Any]) -> frozenset[Annotation]:
    """What a tool's hints say of it (MCP, ToolAnnotations): a hint left out has the specification's default.

    A tool that gives none of the three hints is unannotated, and nothing else.
    """
    read_only, destructive, open_world = (
        annotations.get(hint) for hint in (READ_ONLY_HINT, DESTRUCTIVE_HINT, OPEN_WORLD_HINT)
    )
    if not any(isinstance(hint, bool) for hint in (read_only, destructive, open_world)):
        return frozenset({"unannotated"})
    told: set[Annotation] = set()
    if read_only is True:
        told.add("readOnly")
    elif destructive is not False:
        told.add("destructive")  # only of meaning for a tool that isn't read-only
    if open_world is not False:
        told.add("openWorld")
    return frozenset(told)


def _decide(policy: PolicySettings, path: Path, server: Names, tool: Names, annotations: Mapping[str, Any]) -> Decision:
    listed = [(rule, True) for rule in policy.allow] + [(rule, False) for rule in policy.deny]
    fitting = [(rule, allow) for rule, allow in listed if _fits(rule, server, tool, annotations)]
    if fitting:
        rule, allowed = max(fitting, key=lambda each: (_rank(each[0]), not each[1]))
        return Decision(allowed, f"the rule {rule.text!r} in {'allow' if allowed else 'deny'} of [policy] in {path}.")
    if policy.mode == "open":
        return Decision(True, f'no rule of [policy] in {path} fits it, and mode is "open".')
    if is_read_only(annotations):
        return Decision(True, f'it is annotated as read-only, and mode is "read-only" in [policy] in {path}.')
    return Decision(
        False,
        f'it isn\'t annotated as read-only, and mode is "read-only" in [policy] in {path}; no allow rule lists it.',
    )


def _fits(rule: Rule, server: Names, tool: Names, annotations: Mapping[str, Any]) -> bool:
    return (
        any(fnmatchcase(name, rule.server) for name in server)
        and any(fnmatchcase(name, rule.tool) for name in tool)
        and (rule.annotation is None or rule.annotation in told_annotations(annotations))
    )


def _rank(rule: Rule) -> tuple[int, int, bool, int]:
    """How specific a rule is: its tool first, then its server, then an annotation, then its literal characters.

    A name in full goes before a glob with letters in it, and that before `*`.
    """
    return (
        exactness(rule.tool),
        exactness(rule.server),
        rule.annotation is not None,
        literal_characters(rule.server + rule.tool),
    )


WILDCARDS = "*?[]"


def exactness(glob: str) -> int:
    """2 for a name in full, 1 for a glob with more than `*` in it, 0 for `*`."""
    if not any(c in WILDCARDS for c in glob):
        return 2
    return 1 if glob.strip("*") else 0


def literal_characters(glob: str) -> int:
    """How many characters of a glob stand for themselves."""
    return len([c for c in glob if c not in WILDCARDS])


def is_read_only(annotations: Mapping[str, Any]) -> bool:
    """Whether a tool's server says that calling it changes nothing; one that says nothing may change something."""
    return "readOnly" in told_annotations(annotations)
