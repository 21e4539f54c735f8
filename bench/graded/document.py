"""What was played -> the results document, its targets, and the files that are written of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import servers
from bench.graded import billing, modes, plots, report, summary
from bench.graded.billing import Bill, Cache, Prices, Upfront
from bench.graded.modes import Mode
from bench.graded.runs import HubFacts, Kept, Place, Played
from bench.graded.summary import ALL, SYSTEM, Result
from bench.graded.task import Level, Task
from bench.report import machine
from bench.tokens import TOKENIZER, tokens

RawLists = Mapping[str, Sequence[Mapping[str, Any]]]

SAVED_AGAINST_DIRECT = {96: 0.85, 251: 0.96, 508: 0.98}
SAVED_AGAINST_SEARCH = {Level.MEDIUM: 0.40, Level.HARD: 0.80}
META_TOOLS_TOKENS = 900
"""What issue 5 asks for."""

OUTGREW = "the conversation outgrew the model's context"


@dataclass(frozen=True)
class Target:
    """What was to be reached, and what was."""

    what: str
    value: str
    bound: str
    met: bool


def made(rounds: Sequence[int], tasks: Sequence[Task], kept: Kept, listed: RawLists) -> dict[str, Any]:
    """The document of some rounds, all of whose cells were played."""
    price = billing.prices()
    counted: list[Result] = []
    facts = []
    for size in rounds:
        entries = servers.in_catalog(servers.entries(), size)
        part = {entry.name: listed[entry.name] for entry in entries}
        definitions = definitions_of(part)
        hub = kept.facts[size]
        facts.append(_facts(part, definitions, hub))
        counted += results(size, tasks, kept, definitions, hub, price)
    against = [
        each for size in rounds for mode in (Mode.DIRECT, Mode.SEARCH) for each in summary.against(counted, size, mode)
    ]
    figures = [
        {"size": size, "mode": mode, "level": level, "figures": asdict(summary.figures(of))}
        for size in rounds
        for mode in Mode
        for level, of in summary.levels([each for each in counted if (each.size, each.mode) == (size, mode)]).items()
    ]
    worse = [
        {"size": size, "baseline": mode, "tasks": summary.worse(counted, size, mode)}
        for size in rounds
        for mode in (Mode.DIRECT, Mode.SEARCH)
    ]
    return {
        "machine": machine(),
        "tokenizer": TOKENIZER,
        "prices": asdict(price),
        "tasks": len(tasks),
        "rounds": facts,
        "targets": [asdict(each) for each in _targets(against, counted, facts)],
        "against": [asdict(each) for each in against],
        "figures": figures,
        "worse": worse,
        "failed": [
            {"size": each.size, "mode": each.mode, "task": each.task, "why": each.why}
            for each in counted
            if not each.right
        ],
        "results": [_compact(each) for each in counted],
    }


def hub_passed(document: Mapping[str, Any]) -> bool:
    """Whether every task ended right through the hub."""
    return not any(each["mode"] == Mode.HUB for each in document["failed"])


def write(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the document, the report and the pictures; the files written."""
    data, text = folder / "graded.json", folder / "graded.md"
    data.write_text(json.dumps(document, indent=1) + "\n")
    text.write_text(report.markdown(document))
    return [data, text, *plots.draw(document, folder / "plots")]


def definitions_of(listed: RawLists) -> dict[tuple[str, str], dict[str, Any]]:
    """What a model is sent of each tool: name, description and input schema."""
    return {
        (server, tool["name"]): {
            "name": tool["name"],
            "description": tool.get("description", ""),
            "input_schema": tool["inputSchema"],
        }
        for server, tools in listed.items()
        for tool in tools
    }


def _facts(part: RawLists, definitions: Mapping[Any, Any], hub: HubFacts) -> dict[str, Any]:
    return {
        "tools": len(definitions),
        "servers": len(part),
        "definitions_tokens": billing.definitions_tokens(list(definitions.values())),
        "meta_tools_tokens": billing.definitions_tokens(hub.definitions),
        "hub_instructions_tokens": tokens(hub.instructions),
    }


def results(
    size: int, tasks: Sequence[Task], kept: Kept, definitions: modes.Definitions, hub: HubFacts, price: Prices
) -> list[Result]:
    """The bills of all tasks in a round, by mode."""
    counted = []
    for mode in Mode:
        upfront = modes.upfront_definitions(mode, list(definitions.values()), hub.definitions)
        system = tokens(hub.instructions) if mode is Mode.HUB else 0
        stands = Upfront(billing.definitions_tokens(upfront), system)
        for task in tasks:
            played = kept.get(Place(size, Mode.HUB if mode is Mode.HUB else Mode.DIRECT, task.name))
            if played is None:
                raise LookupError(f"{task.name} was not played at {size}")
            talk = modes.behind_a_search(played.talk, definitions) if mode is Mode.SEARCH else played.talk
            bill = billing.bill(stands, task.request, talk, price)
            after_system = billing.bill(Upfront(stands.definitions, system + SYSTEM), task.request, talk, price)
            right, why = _end(played, bill, price)
            right_after, _ = _end(played, after_system, price)
            made = Result(
                size, mode, task.name, task.level, right, why, bill, after_system, right_after, played.talk.seconds
            )
            counted.append(made)
    return counted


def _end(played: Played, bill: Bill, price: Prices) -> tuple[bool, str]:
    if played.right and bill.largest > price.context:
        return False, f"{OUTGREW}: {bill.largest:,} tokens"
    return played.right, played.why


def _targets(
    against: Sequence[summary.Against], results: Sequence[Result], facts: Sequence[Mapping[str, Any]]
) -> list[Target]:
    found = []
    by = {(each.size, each.baseline, each.level): each for each in against}
    sizes = sorted({each.size for each in results})
    for size in sizes:
        hub = [each for each in results if (each.size, each.mode) == (size, Mode.HUB)]
        passed = sum(each.right for each in hub)
        found.append(Target(f"{size}: plans that end right", f"{passed} of {len(hub)}", "all", passed == len(hub)))
        share = by[size, Mode.DIRECT, ALL].mean_saved
        bound = SAVED_AGAINST_DIRECT[size]
        what = f"{size}: input against direct, mean of all tasks"
        found.append(Target(what, report.percent(share), report.percent(bound), share >= bound))
        for level, least in SAVED_AGAINST_SEARCH.items():
            if (size, Mode.SEARCH, level.value) in by:
                share = by[size, Mode.SEARCH, level.value].median_saved
                what = f"{size}: input against direct+search, median of {level} tasks"
                found.append(Target(what, report.percent(share), report.percent(least), share >= least))
        for mode in (Mode.DIRECT, Mode.SEARCH):
            share = by[size, mode, ALL].dollars_saved[Cache.COLD.value]
            what = f"{size}: dollars against {mode}, {Cache.COLD.value}, mean of all tasks"
            found.append(Target(what, report.percent(share), "cheaper", share > 0))
        for level, strictly in ((Level.MEDIUM, False), (Level.HARD, True)):
            if (size, Mode.DIRECT, level.value) in by:
                more = by[size, Mode.DIRECT, level.value].more_requests
                bound_text, met = ("fewer", more < 0) if strictly else ("no more", more <= 0)
                found.append(Target(f"{size}: requests on {level} tasks, mean", f"{more:+.2f}", bound_text, met))
    most = max(each["meta_tools_tokens"] for each in facts)
    found.append(
        Target("the four meta-tools, tokens", f"{most:,}", f"{META_TOOLS_TOKENS:,}", most <= META_TOOLS_TOKENS)
    )
    return found


def _compact(result: Result) -> dict[str, Any]:
    return {
        "size": result.size,
        "mode": result.mode,
        "task": result.task,
        "level": result.level,
        "right": result.right,
        "requests": result.bill.requests,
        "input": result.bill.input,
        "output": result.bill.output,
        "dollars": {cache.value: round(amount, 6) for cache, amount in result.bill.dollars.items()},
        "seconds": round(result.seconds, 3),
    }
