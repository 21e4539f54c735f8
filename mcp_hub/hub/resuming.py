"""What a resumed run need not do again: which recorded calls stand in for new ones, and which ask for a decision.

Pure. A call that succeeded is answered from the record, each once and in order; one that failed for certain is made
again; one of which nobody knows whether it was done is never repeated unasked.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mcp_hub.errors import CallerError
from mcp_hub.store.runs import Outcome, RecordedCall

Decision = Literal["retry", "skip"]

TOLD = 10
"""Undecided calls that are named in one answer."""


@dataclass(frozen=True)
class Resume:
    """The parameter `resume`: the run, and what is to be done about calls of which nobody knows the outcome."""

    run: str
    decision: Decision | None


def parse(text: str) -> Resume:
    """`RUN`, `RUN retry` or `RUN skip`. Raises CallerError."""
    found = re.fullmatch(r"\s*([a-z2-7]+)(?:[\s:,]+(retry|skip))?\s*", text)
    if found is None:
        raise CallerError(f'resume={text!r} must be a run\'s id, or the id and a decision: "RUN retry" or "RUN skip".')
    return Resume(found[1], found[2])  # type: ignore[arg-type]  # the pattern allows no other


def still_standing(chain: Sequence[Sequence[RecordedCall]]) -> list[RecordedCall]:
    """What a run and those that it resumed have done, newest run first in `chain`: the record to go on from.

    A call that a newer run was answered from the record, or that it made again, stands for the older one.
    """
    standing: dict[str, list[RecordedCall]] = {}
    for calls in reversed(chain):
        newer: dict[str, list[RecordedCall]] = {}
        for call in calls:
            older = standing.get(call.key, [])
            if (stood_for := _stood_for(call, older)) is not None:
                older.remove(stood_for)
            newer.setdefault(call.key, []).append(call)
        standing = {key: [*newer.get(key, []), *standing.get(key, [])] for key in {**newer, **standing}}
    return [call for calls in standing.values() for call in calls]


def _stood_for(call: RecordedCall, older: Sequence[RecordedCall]) -> RecordedCall | None:
    """The one of the older calls of its key that a call stands for."""
    unknown = [each for each in older if _may_have_run(each)]
    if call.outcome is not Outcome.REUSED:
        return next(iter(unknown), None)  # a decision to call it again: with a value, it would have been answered
    kept = [each for each in older if _has_value(each)]
    same = [each for each in kept if each.digest == call.digest]
    return next(iter([*same, *unknown, *kept]), None)


def undecided(calls: Iterable[RecordedCall]) -> list[RecordedCall]:
    """The calls that may have changed something and can't be answered from the record."""
    return [call for call in calls if _may_have_run(call) and not call.read_only]


class Recorded:
    """The calls of earlier runs, by key, in order; each is taken once."""

    def __init__(self, calls: Iterable[RecordedCall], decision: Decision | None) -> None:
        self._by_key: dict[str, deque[Any]] = {}
        for call in calls:
            if _has_value(call):
                self._by_key.setdefault(call.key, deque()).append(call.result)
            elif _may_have_run(call) and not call.read_only and decision == "skip":
                self._by_key.setdefault(call.key, deque()).append(None)

    def has(self, key: str) -> bool:
        """Whether a call of this key is left."""
        return bool(self._by_key.get(key))

    def take(self, key: str) -> Any:
        """The value of the next call of this key. Raises LookupError when none is left."""
        return self._by_key[key].popleft()


def told(run: str, calls: Sequence[RecordedCall]) -> str:
    """Asks for a decision on calls that may have been done."""
    lines = [f"  {call.number}. {call.server}.{call.tool}({call.arguments}): {_why(call)}" for call in calls[:TOLD]]
    if len(calls) > TOLD:
        lines.append(f"  and {len(calls) - TOLD} more")
    one = len(calls) == 1
    return "\n".join(
        [
            f"Nothing was run. {'One call' if one else f'{len(calls)} calls'} of run {run} may have been done:",
            *lines,
            f'Find out with a read-only call, then decide: resume="{run} skip" takes {"it" if one else "them"} as done '
            f'(the value is None), resume="{run} retry" calls again.',
        ]
    )


def _has_value(call: RecordedCall) -> bool:
    return call.outcome in (Outcome.OK, Outcome.REUSED) and call.has_result


def _may_have_run(call: RecordedCall) -> bool:
    return call.outcome in (Outcome.STARTED, Outcome.UNKNOWN) or (
        call.outcome in (Outcome.OK, Outcome.REUSED) and not call.has_result
    )


def _why(call: RecordedCall) -> str:
    if call.outcome in (Outcome.OK, Outcome.REUSED):
        return "it succeeded, and its result was too large to be kept"
    return call.error or "it was sent, and no answer came before the run ended"
