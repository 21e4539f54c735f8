"""What an agent reads of a program that failed: the kind, the place, what was called before, and what to do next.

Pure.
"""

from collections.abc import Sequence

from mcp_hub.errors import HubError, LimitError, ScriptError
from mcp_hub.sandbox.conversation import Run
from mcp_hub.store.runs import Outcome, RecordedCall

FIRST, LAST = 2, 4
"""Calls that are told of many, from the start and before the end."""

ERROR_CHARACTERS = 300
"""Of one call's error in the list; the error that ended the program stands above it in full."""

DONE = (Outcome.OK, Outcome.REUSED)


def told(run: Run, made: Sequence[RecordedCall], resumable: str | None) -> str:
    """The answer about a failed run; `resumable` is its id, if a later program can go on from it."""
    assert run.error is not None
    parts = [f"The program failed ({kind_of(run.error)}).", run.error.text.rstrip()]
    if made:
        parts += ["Calls:" if len(made) > 1 else "The call:", *_listed(made, run.error.text)]
    parts.append(_next(run.error, made, resumable))
    return "\n".join(parts)


def kind_of(error: HubError) -> str:
    """What kind of failure it is, in a word or two."""
    match error:
        case ScriptError(kind=kind):
            return kind
        case LimitError(limit=limit):
            return f"limit {limit}"
        case _:
            return "hub"


def _listed(made: Sequence[RecordedCall], above: str) -> list[str]:
    lines = [f"  {call.number}. {call.server}.{call.tool}({call.arguments}): {_ended(call, above)}" for call in made]
    if len(lines) <= FIRST + LAST + 1:
        return lines
    left_out = made[FIRST:-LAST]
    failed = sum(call.outcome not in DONE for call in left_out)
    told_failed = f", {failed} of them failed" if failed else ", all ok"
    return [*lines[:FIRST], f"  ... {len(left_out)} more{told_failed} ...", *lines[-LAST:]]


def _ended(call: RecordedCall, above: str) -> str:
    match call.outcome:
        case Outcome.OK:
            return f"ok, {_size(call.bytes)}" if call.bytes is not None else "ok"
        case Outcome.REUSED:
            return "ok, from the run before, not called again"
        case Outcome.FAILED:
            return "failed, as told above" if _stands(call.error, above) else f"failed: {_short(call.error or '')}"
        case _:
            return f"nobody knows whether it was done: {_short(call.error or 'it was still under way')}"


def _stands(error: str | None, above: str) -> bool:
    """Whether a call's error is the one that ended the program, which is told whole."""
    return error is not None and f"error: {error}\n" in f"{above}\n"


def _next(error: HubError, made: Sequence[RecordedCall], resumable: str | None) -> str:
    unknown = [call for call in made if call.outcome not in (*DONE, Outcome.FAILED) and not call.read_only]
    done = sum(call.outcome in DONE for call in made)
    if unknown and resumable:
        which = " and ".join(str(call.number) for call in unknown[:5])
        was = f"call {which} was" if len(unknown) == 1 else f"calls {which} were"
        return (
            f"Next: find out whether {was} done, then send the program again with "
            f'resume="{resumable} skip" (it was: its value is None) or resume="{resumable} retry" (call it again).'
        )
    if done and resumable:
        them = "the call that succeeded isn't" if done == 1 else f"the {done} calls that succeeded aren't"
        return f'Next: mend the program and send it with resume="{resumable}": {them} made again.'
    if made:
        catch = " attempt(lambda: ...) or try goes on in spite of a failed call." if _is_tools(error) else ""
        return f"Next: mend the program and send it again.{catch}"
    return "Next: nothing was called, so mend the program and send it again."


def _is_tools(error: HubError) -> bool:
    return isinstance(error, ScriptError) and error.kind == "tool"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= ERROR_CHARACTERS else f"{line[:ERROR_CHARACTERS]}..."


def _size(count: int) -> str:
    return f"{count} bytes" if count < 2000 else f"{count / 1000:,.0f} kB"
