"""Results -> Markdown for people. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.graded.billing import Cache
from bench.graded.modes import Mode
from bench.graded.summary import ALL, SYSTEM

Document = Mapping[str, Any]

FIRST_LINES = """\
# What tools cost a model: given directly, behind a search, through mcp_hub

**No model chose these plans.** Each task's calls, look-ups and programs were written by hand, as a competent agent
would act, and run for real against real servers; every answer was graded. So this measures what the transport costs and
whether the answers come out right, not how clever a model is. `python -m bench --live MODEL` asks a real one.
"""


def markdown(document: Document) -> str:
    """The report of a results document (bench/results/graded.json)."""
    parts = [FIRST_LINES, _setting(document)]
    parts.append(_table_of_savings(document))
    if dearer := _dearer(document):
        parts.append(dearer)
    parts += ["## Targets\n", _targets(document)]
    parts += ["## By round, mode and level\n", _figures(document, "")]
    parts += [f"## The same, after a system prompt of {SYSTEM:,} tokens\n", _figures(document, "with_system_")]
    parts += ["## Where the hub was worse\n", _worse(document)]
    parts += ["## What failed\n", _failed(document)]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; every column but the first is aligned to the right."""
    widths = [max(len(each[place]) for each in (head, *rows)) for place in range(len(head))]
    rules = [f"{'-' * width}" if place == 0 else f"{'-' * (width - 1)}:" for place, width in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        first, *others = cells
        padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        return f"| {' | '.join(padded)} |"

    return "\n".join([line(head), f"| {' | '.join(rules)} |", *map(line, rows), ""])


def percent(share: float) -> str:
    """A share saved as the change that it is: 0.9 is -90.0 %."""
    return f"{-100 * share:+.1f} %"


def _setting(document: Document) -> str:
    machine, price = document["machine"], document["prices"]
    rounds = "; ".join(
        f"{each['tools']} tools of {each['servers']} servers, {each['definitions_tokens']:,} tokens of definitions"
        for each in document["rounds"]
    )
    return (
        f"{document['tasks']} tasks in each round: {rounds}. The hub's four meta-tools are "
        f"{document['rounds'][0]['meta_tools_tokens']:,} tokens. Tokens by {document['tokenizer']}; prices of "
        f"{price['model']} as of {price['date']}; {machine['processor']}, {machine['cores']} cores, Python "
        f"{machine['python']}, {document['date']}. `{document['command']}`\n"
    )


def _table_of_savings(document: Document) -> str:
    rows = [
        [
            f"{each['size']} tools, {each['level']}",
            each["baseline"],
            f"{each['dearer']} of {each['tasks']}",
            percent(each["mean_saved"]),
            percent(each["median_saved"]),
            f"{each['more_requests']:+.1f}",
            *(percent(each["dollars_saved"][cache.value]) for cache in Cache),
        ]
        for each in document["against"]
    ]
    head = [
        "hub against",
        "",
        "dearer in",
        "input, mean",
        "input, median",
        "requests",
        *(f"cost, {cache.value}" for cache in Cache),
    ]
    return table(head, rows)


def _dearer(document: Document) -> str:
    lines = [
        f"- {each['size']} tools, {each['level']}, against {each['baseline']}: "
        + ", ".join(f"{percent(each['dollars_saved'][cache.value])} {cache.value}" for cache in caches)
        for each in document["against"]
        if (caches := [cache for cache in Cache if each["dollars_saved"][cache.value] < 0])
    ]
    return "\n".join(["The hub costs **more** dollars here:\n", *lines, ""]) if lines else ""


def _targets(document: Document) -> str:
    rows = [
        [each["what"], each["value"], each["bound"], "met" if each["met"] else "**missed**"]
        for each in document["targets"]
    ]
    return table(["target", "reached", "to reach", ""], rows)


def _figures(document: Document, prefix: str) -> str:
    rows = []
    for each in document["figures"]:
        of = each["figures"]
        dollars = of[f"{prefix}dollars_mean"]
        row = [f"{each['size']}, {each['mode']}, {each['level']}", f"{of[f'{prefix}passed']} of {of['tasks']}"]
        row.append(f"{of[f'{prefix}input_mean']:,.0f}")
        if not prefix:
            row.append(f"{of['input_median']:,.0f}")
        row += [f"{of['output_mean']:,.0f}", f"{of['requests_mean']:.1f}"]
        row += [f"${dollars[cache.value]:.4f}" for cache in Cache]
        row.append(f"{of['seconds_median']:.2f} s")
        rows.append(row)
    medians = [] if prefix else ["input, median"]
    head = ["round, mode, level", "right", "input, mean", *medians, "output", "requests"]
    return table([*head, *(f"cost, {cache.value}" for cache in Cache), "time, median"], rows)


def _worse(document: Document) -> str:
    rows = [
        [f"{each['size']}, {task}", each["baseline"], f"{ours:,}", f"{theirs:,}"]
        for each in document["worse"]
        for task, ours, theirs in each["tasks"]
    ]
    if not rows:
        return "Nowhere, in input tokens.\n"
    return table(["round, task", "against", "hub, input tokens", "baseline"], rows)


def _failed(document: Document) -> str:
    rows = [[f"{each['size']}, {each['mode']}, {each['task']}", each["why"]] for each in document["failed"]]
    return table(["round, mode, task", "why"], rows) if rows else "Nothing.\n"


def headline(document: Document) -> str:
    """The table of the README: all tasks, by round."""
    rows = []
    for size in (each["tools"] for each in document["rounds"]):
        every = [each for each in document["figures"] if each["size"] == size and each["level"] == ALL]
        of = {each["mode"]: each["figures"] for each in every}
        against = [each for each in document["against"] if each["size"] == size and each["level"] == ALL]
        saved = {each["baseline"]: each for each in against}
        hub, search = of[Mode.HUB], saved[Mode.SEARCH]
        row = [f"{size} tools", *(f"{of[mode]['input_mean']:,.0f}" for mode in Mode)]
        row.append(percent(saved[Mode.DIRECT]["mean_saved"]))
        row += [percent(search["mean_saved"]), percent(search["median_saved"])]
        row.append(f"{search['dearer']} of {search['tasks']}")
        row.append(f"{hub['passed']} of {hub['tasks']}")
        rows.append(row)
    head = ["input tokens a task, mean", *(mode.value for mode in Mode), "hub against direct", "against search"]
    return table([*head, "median task", "dearer than search in", "right through the hub"], rows)
