"""Asks a real model to do the tasks, through the Messages API: its pass rate, its turns, its billed tokens.

Owns the conversation with the API. The servers, worlds and graders are those of the plans; the model decides. A task is
repeated, and rates are told with their confidence intervals, since a model doesn't act the same twice.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from anthropic import AsyncAnthropic, BadRequestError
from anthropic.types import Message

from bench.graded.agents import CALL_WAIT, Answering, ask_all
from bench.graded.grading import graded
from bench.graded.modes import Mode
from bench.graded.task import Call, Task
from bench.graded.worlds import World
from bench.processes import BenchError

MOST_TURNS = 40
"""Requests of one conversation; a model that needs more is lost."""
MOST_OUTPUT = 8_000
"""Tokens of one answer of the model."""
NINETY_FIVE = 1.959964
"""Standard deviations of a 95 % interval."""

SYSTEM = "Do the user's task with the tools. Your last message is graded by a program: answer in the asked form only."

Usage = tuple[int, int, int, int]
"""Tokens: input, cache_write, cache_read, output."""

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True)
class Toolbox:
    """The tools that a model is sent, and the call that each stands for."""

    definitions: list[dict[str, Any]]
    tools: Mapping[str, tuple[str, str]]
    """Server and tool by the name that the model uses."""
    instructions: str = ""


@dataclass(frozen=True)
class Tried:
    """One conversation with a model."""

    size: int
    mode: Mode
    task: str
    level: str
    right: bool
    why: str
    requests: int
    input: int
    cache_write: int
    cache_read: int
    output: int
    seconds: float


def direct_toolbox(definitions: Mapping[tuple[str, str], Mapping[str, Any]]) -> Toolbox:
    """All tools, each under SERVER__TOOL, as the API's names are spelt. Raises BenchError when two become one."""
    names = {_NOT_IN_NAMES.sub("_", f"{server}__{tool}")[:128]: (server, tool) for server, tool in definitions}
    if len(names) < len(definitions):
        raise BenchError("two tools have the same name for a model; spell one of their servers otherwise.")
    sent = [{**definitions[pair], "name": name} for name, pair in names.items()]
    return Toolbox(sent, names)


def hub_toolbox(definitions: Sequence[Mapping[str, Any]], instructions: str) -> Toolbox:
    """The four meta-tools, and the hub's instructions."""
    return Toolbox(
        [dict(each) for each in definitions], {each["name"]: ("", each["name"]) for each in definitions}, instructions
    )


async def attempt(
    client: AsyncAnthropic,
    model: str,
    task: Task,
    world: World,
    agent: Answering,
    box: Toolbox,
    place: tuple[int, Mode],
) -> Tried:
    """Let the model do a task in its world, which was made, and grade the end.

    A conversation that the API refuses, as one that is too long, has failed, and so has a call that takes too long.
    Raises what the SDK raises when the API can't be reached, or the key isn't taken.
    """
    system = "\n\n".join(part for part in (SYSTEM, box.instructions) if part)
    messages: list[dict[str, Any]] = [{"role": "user", "content": task.request}]
    spent: Usage = (0, 0, 0, 0)
    began = time.perf_counter()
    answer, why, requests = "", f"no end after {MOST_TURNS} requests", 0
    while requests < MOST_TURNS:
        requests += 1
        try:
            said = await _next(client, model, system, box, messages)
        except BadRequestError as error:
            why = f"the API refused the request: {error.message}"
            break
        spent = added(spent, _usage(said))
        messages.append(
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in said.content]}
        )
        uses = [block for block in said.content if block.type == "tool_use"]
        if not uses:
            answer = "".join(block.text for block in said.content if block.type == "text")
            why = "" if said.stop_reason == "end_turn" else f"the model stopped: {said.stop_reason}"
            break
        unknown = [use.name for use in uses if use.name not in box.tools]
        calls = [Call(*box.tools[use.name], use.input) for use in uses if use.name in box.tools]
        try:
            answers = iter(await ask_all(agent, calls))
        except TimeoutError:
            why = f"a call took more than {CALL_WAIT:g} s"
            break
        results = []
        for use in uses:
            if use.name in unknown:
                text, failed = f"There is no tool {use.name}.", True
            else:
                told = next(answers)
                text, failed = told.text, told.is_error
            results.append({"type": "tool_result", "tool_use_id": use.id, "content": text, "is_error": failed})
        messages.append({"role": "user", "content": results})
    seconds = time.perf_counter() - began
    why = why or graded(task, world, answer)
    return Tried(*place, task.name, task.level.value, not why, why, requests, *spent, round(seconds, 2))


def added(one: Usage, two: Usage) -> Usage:
    """Both usages together."""
    return (one[0] + two[0], one[1] + two[1], one[2] + two[2], one[3] + two[3])


def interval(passed: int, tries: int) -> tuple[float, float]:
    """The 95 % confidence interval of a rate, by Wilson's score."""
    if not tries:
        return (0.0, 1.0)
    rate, square = passed / tries, NINETY_FIVE**2
    centre = (rate + square / (2 * tries)) / (1 + square / tries)
    half = NINETY_FIVE * sqrt(rate * (1 - rate) / tries + square / (4 * tries**2)) / (1 + square / tries)
    return (max(0.0, centre - half), min(1.0, centre + half))


def rates(tried: Sequence[Tried]) -> list[dict[str, Any]]:
    """Pass rates with their intervals, and mean tokens, by round, mode and level."""
    groups: dict[tuple[int, str, str], list[Tried]] = {}
    for each in tried:
        for level in (each.level, "all"):
            groups.setdefault((each.size, each.mode, level), []).append(each)
    found = []
    for (size, mode, level), of in groups.items():
        passed = sum(each.right for each in of)
        low, high = interval(passed, len(of))
        found.append({
            "size": size, "mode": mode, "level": level, "tries": len(of), "passed": passed,
            "rate": round(passed / len(of), 4), "low": round(low, 4), "high": round(high, 4),
            **{
                name: round(sum(getattr(each, name) for each in of) / len(of), 1)
                for name in ("requests", "input", "cache_write", "cache_read", "output")
            },
        })  # fmt: skip
    return found


def document(model: str, tried: Sequence[Tried], more: Mapping[str, Any]) -> dict[str, Any]:
    """The results of a live run, as JSON."""
    return {**more, "model": model, "rates": rates(tried), "tried": [asdict(each) for each in tried]}


def text(document: Mapping[str, Any]) -> str:
    """The results as a person reads them."""
    lines = [f"{document['model']}: right ends, with the 95 % interval of the rate; mean tokens of a conversation"]
    for each in document["rates"]:
        whole = each["input"] + each["cache_write"] + each["cache_read"]
        lines.append(
            f"  {each['size']:>4} tools  {each['mode']:<7} {each['level']:<7} "
            f"{each['passed']:>4} of {each['tries']:<4} "
            f"{each['rate']:>6.1%} ({each['low']:.1%} to {each['high']:.1%})  input {whole:>11,.0f}  "
            f"output {each['output']:>7,.0f}  requests {each['requests']:>5.1f}"
        )
    return "\n".join(lines)


async def _next(
    client: AsyncAnthropic, model: str, system: str, box: Toolbox, messages: list[dict[str, Any]]
) -> Message:
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": MOST_OUTPUT,
        "system": system,
        "tools": box.definitions,
        "messages": messages,
        "cache_control": {"type": "ephemeral"},
    }
    said: Message = await client.messages.create(**request)
    return said


def _usage(said: Message) -> Usage:
    """Tokens of one answer, in the order of Tried: input, cache_write, cache_read, output."""
    used = said.usage
    return (
        used.input_tokens,
        used.cache_creation_input_tokens or 0,
        used.cache_read_input_tokens or 0,
        used.output_tokens,
    )
