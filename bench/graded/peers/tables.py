"""The peers' results -> Markdown for people. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.graded.peers.peer import Hostile
from bench.graded.report import table

Document = Mapping[str, Any]

HOW = """\
All are started over the same servers and measured by the same code, each in an environment of its own. Tasks are a
part of those of `python -m bench`, translated by hand: the look-ups and programs that a competent agent would write for
each, run against the 96 tools of real servers, graded and billed alike. Their input is what all requests of a
conversation send together, without caching. mcp-gway's agent reads whole stub files, since its listing names servers
only; CodeMode's asks for five tools with their parameters in one search, the cheapest that it offers.

Times are of programs over two fixtures that answer at once (106 tools), from the request to the answer, in turns
of blocks: medians of rounds, and how many times the hub's. mcp-gway starts a server for every program that calls it.
Memory is that of the peer's own processes after the programs, those of the servers not counted: RSS counts a page for
each process that shares it, PSS divides it.

A hostile program runs on a fresh process. It is contained if it ends within 40 s, the process lives and runs a program
afterwards, all processes together (servers included) stay below 1 GiB and the answer below 100,000 characters. One
second after it began, tools/list is asked for on the same connection; within 5 s it must be answered. The bench ends
what holds 3 GiB. Wrong types go to a server that doesn't check them, and the last part tells what a model read.
"""


def markdown(document: Document) -> str:
    """The report of a results document (bench/results/peers.json)."""
    peers = document["peers"]
    measured = {name: each for name, each in peers.items() if "why_not" not in each}
    parts = ["# The hub beside other servers with the same idea\n", HOW, _setting(document, peers)]
    parts += ["## What stands before the first message\n", _upfront(document, measured)]
    parts += ["## Tokens of a task\n", _tasks(measured)]
    parts += ["## Programs and memory\n", _times(document, measured)]
    parts += ["## Hostile programs\n", _hostile(measured)]
    parts += ["## What came back\n", _told(measured)]
    return "\n".join(parts)


def _setting(document: Document, peers: Mapping[str, Any]) -> str:
    machine = document["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, {document['date']}; load "
        f"{document['load_before']} before, {document['load_after']} after. `{document['command']}`\n"
    ]
    for name, each in peers.items():
        said = (
            f"not measured: {each['why_not']}" if "why_not" in each else ", ".join(each["requirements"]) or "this one"
        )
        lines.append(f"- **{name}**: {said}")
        lines += [f"  - it couldn't take {server}: {why}" for server, why in each.get("refused", {}).items()]
    return "\n".join(lines) + "\n"


def _upfront(document: Document, peers: Mapping[str, Any]) -> str:
    direct = document["direct"]
    rows = [["all tools directly", str(direct["tools"]), "", f"{direct['definitions_tokens']:,}", ""]]
    for name, each in peers.items():
        of = each["upfront"]
        counts = [str(of["tools"]), f"{of['bytes']:,}"]
        rows.append([name, *counts, f"{of['definitions_tokens']:,}", f"{of['instructions_tokens']:,}"])
    return table(["", "tools", "bytes of tools/list", "tokens of definitions", "tokens of instructions"], rows)


def _tasks(peers: Mapping[str, Any]) -> str:
    names = list(peers)
    by_peer = {
        name: {each["task"]: each for each in peers[name]["tasks"]["outcomes"]}
        for name in names
        if "tasks" in peers[name]
    }
    if not by_peer:
        return "Not played.\n"
    rows = []
    for task, first in next(iter(by_peer.values())).items():
        row = [f"{task} ({first['level']})"]
        for outcomes in by_peer.values():
            of = outcomes[task]
            row.append(f"{of['input']:,} in {of['requests']}" if of["right"] else "**failed**")
        rows.append(row)
    means = []
    for name in by_peer:
        of = peers[name]["tasks"]
        mean = f"{of['input_mean']:,.0f} in {of['requests_mean']:.1f}" if of["compared"] else "-"
        means.append(f"{mean}; {of['right']} of {of['tasks']} right")
    compared = next(iter(peers[name]["tasks"]["compared"] for name in by_peer))
    text = table(
        ["input tokens, in so many requests", *by_peer], [*rows, [f"mean of {compared} right everywhere", *means]]
    )
    failed = [
        f"- {name}, {each['task']}: {each['why']}"
        for name, outcomes in by_peer.items()
        for each in outcomes.values()
        if not each["right"]
    ]
    return "\n".join([text, *failed, ""]) if failed else text


def _times(document: Document, peers: Mapping[str, Any]) -> str:
    rows = []
    for name, each in peers.items():
        of = each["cost"]
        cells = [f"{one['ms']:.1f} ms ({one['times_the_hub']:.1f} x)" for one in of["calls"].values()]
        rows.append([name, *cells, f"{of['resident_mb']:.0f} MB", f"{of['proportional_mb']:.0f} MB"])
    counts = ["1 call" if count == 1 else f"{count} calls" for count in document["counts"]]
    return table(["a program with", *counts, "memory, RSS", "memory, PSS"], rows)


def _hostile(peers: Mapping[str, Any]) -> str:
    rows = []
    for kind in Hostile:
        row = [kind.value]
        for each in peers.values():
            row.append(_stood(next(one for one in each["hostile"] if one["program"] == kind.value)))
        rows.append(row)
    return table(["", *peers], rows)


def _stood(of: Mapping[str, Any]) -> str:
    parts = ["contained" if of["contained"] else f"**no**: {', '.join(of['faults'])}"]
    if of["seconds"] is not None:
        parts.append(f"{of['seconds']:.1f} s")
    parts.append(f"{of['peak_mb']:,} MB")
    if of["ran_meanwhile"]:
        other = of["other_request_seconds"]
        parts.append("others waited" if other is None else f"others answered in {other:.2f} s")
    return ", ".join(parts)


def _told(peers: Mapping[str, Any]) -> str:
    lines: list[str] = []
    for kind in Hostile:
        lines.append(f"**{kind.value}**\n")
        for name, each in peers.items():
            of = next(one for one in each["hostile"] if one["program"] == kind.value)
            lines.append(f"- {name}{_named(of['named'])}: {_quoted(of)}")
        lines.append("")
    return "\n".join(lines)


def _named(named: Mapping[str, bool]) -> str:
    if not named:
        return ""
    said: Sequence[str] = [f"{'names' if there else 'does not name'} the {what}" for what, there in named.items()]
    return f" ({', '.join(said)})"


def _quoted(of: Mapping[str, Any]) -> str:
    if not of["text"]:
        return "nothing came back"
    text = of["text"][:160].replace("`", "'")
    kind = "an error, " if of["is_error"] else "as a result, " if of["named"] else ""
    return f"{kind}`{text}`"
