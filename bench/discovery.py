"""Benches discovery: what an agent reads until it knows a tool's signature, how long that takes, whether it is found.

Run by `make bench-discovery`, or `python -m bench.discovery [--quick] [--json] [--root FOLDER] [--out FILE]`. Method
and limits: bench/README.md.
"""

import argparse
import json
import sys
import tomllib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import anyio

from bench import discovery_measures as measures
from bench import echoed, report, servers, synthetic
from bench.discovery_measures import LARGE_SERVERS, Agent, Missed, RawLists, Recall, Request, Spread
from bench.processes import ROOT, BenchError
from bench.running import Progress, load, measuring
from bench.tokens import TOKENIZER

REQUESTS = Path(__file__).with_name("discovery_requests.toml")
QUERIES = Path(__file__).with_name("agent_queries.toml")
RESULTS = ROOT / "bench" / "results" / "discovery.json"

AGENTS = "agents' queries"
"""The group of what agents ask for, beside what people do; some of them were looked at while the ranking was tuned."""

ROUNDS, ROUNDS_QUICK = 20, 2
"""Times that each query is timed."""
LONGEST = 10
"""Signatures that are named as the longest."""

LISTING_TOKENS, TASK_TOKENS = 1_200, 1_500
QUERY_MS, LARGE_QUERY_MS = 5.0, 15.0
RENDERING_MS = 2_000.0
RECALL = 0.95
"""The targets: of the listing at 5,000 tools, a task at 508, a query at 508 and 5,000, all files, the first five."""


@dataclass(frozen=True)
class Target:
    """What was to be reached, and what was."""

    what: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def main() -> int:
    """Install what is missing, measure, print, write the results."""
    options = _options()
    with measuring() as (progress, before):
        listed, failures = _listed(options.root.resolve(), progress)
        document = _measured(listed, ROUNDS_QUICK if options.quick else ROUNDS, progress)
    document = {
        "command": " ".join(["python -m bench.discovery", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": report.machine(),
        "load_average": {"before": before, "after": load()},
        "versions": {name: version(name) for name in ("mcp_hub", "bpe-openai")},
        "tokenizer": TOKENIZER,
        "not_measured": [asdict(failure) for failure in failures],
        **document,
    }
    print(json.dumps(document, indent=1) if options.json else text(document))
    path = options.out or (None if options.quick or failures else RESULTS)
    if path is not None:
        path.write_text(json.dumps(document, indent=1) + "\n")
    note = f"Written to {path}." if path else "Not written: a quick or incomplete run is kept only with --out FILE."
    print(note, file=sys.stderr)
    for failure in failures:
        print(f"bench: {failure.server} is not in these numbers: {failure.why}", file=sys.stderr)
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.discovery", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each query is timed twice only")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--root", type=Path, default=servers.FOLDER, help="where the servers are installed")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write; by default only a whole run is kept")
    return parser.parse_args()


def _listed(root: Path, progress: Progress) -> tuple[RawLists, list[servers.Failure]]:
    every = servers.entries()
    failures = servers.install(every, root, progress.say)
    failed = {failure.server for failure in failures}
    usable = [entry for entry in every if entry.name not in failed]
    listed, unlisted = anyio.run(servers.listed, usable, root, progress.say)
    return listed, [*failures, *unlisted]


def requests(path: Path, listed: RawLists) -> tuple[list[Request], list[list[str]]]:
    """The requests, and the pairs of them that make a task. Raises BenchError for a tool that no server has."""
    with path.open("rb") as file:
        read = tomllib.load(file)
    made = [Request(each["words"], frozenset(each["tools"]), each["tuned"]) for each in read["request"]]
    words = {request.words for request in made}
    for pair in read["pair"]:
        if not words.issuperset(pair):
            raise BenchError(f"{path.name}: the pair {pair} has words of no request; add the request.")
    return _known(made, listed, path), read["pair"]


def agent_queries(path: Path, listed: RawLists) -> list[Request]:
    """What agents ask for. Raises BenchError for a tool that no server has."""
    with path.open("rb") as file:
        made = [Request(words, frozenset(tools), tuned=True) for words, tools in tomllib.load(file)["queries"].items()]
    return _known(made, listed, path)


def _known(made: list[Request], listed: RawLists, path: Path) -> list[Request]:
    """Those that some tool serves. Raises BenchError for a tool that its server doesn't have."""
    known = {f"{server}/{tool['name']}" for server, tools in listed.items() for tool in tools}
    for request in made:
        # The tools of a server that failed are unknown, which is told elsewhere.
        unknown = {tool for tool in request.tools - known if tool.partition("/")[0] in listed}
        if unknown:
            raise BenchError(
                f"{path.name}: {request.words!r} names {', '.join(unknown)}, which isn't there; correct it."
            )
    return [request for request in made if request.tools & known]


def _measured(listed: RawLists, rounds: int, progress: Progress) -> dict[str, Any]:
    every, pairs = requests(REQUESTS, listed)
    agents = agent_queries(QUERIES, listed)
    catalogs: dict[str, Any] = {}
    agent = Agent(measures.build({}))
    for size in servers.SIZES:
        progress.say(f"{size} real tools")
        chosen = {entry.name for entry in servers.in_catalog(servers.entries(), size)}
        part = {name: tools for name, tools in listed.items() if name in chosen}
        agent = Agent(measures.build(part))
        here = [request for request in every if _in(part, request)]
        catalogs[str(size)] = _catalog(part, agent, [request.words for request in here], rounds)
        groups = {**_groups(here), AGENTS: [each for each in agents if _in(part, each)]}
        catalogs[str(size)]["recall"] = {
            name: _recall_json(measures.recall(agent, group)[0]) for name, group in groups.items()
        }
    progress.say("the answers of a real hub with 508 tools")
    compared = anyio.run(_compared, listed, agent, [request.words for request in every])
    progress.say("5,000 synthetic tools")
    large = synthetic.catalog(LARGE_SERVERS)
    queries = measures.large_queries()
    catalogs["5000"] = _catalog(large, Agent(measures.build(large)), queries, max(1, rounds // 4))
    progress.say("memory of 5,000 tools, in a process of its own")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        catalogs["5000"]["memory_MB"] = _rounded(pool.submit(measures.memory_growth).result())
    missed: list[Missed] = measures.recall(agent, every)[1]
    task = measures.task_tokens(agent, pairs)
    lost = {each.words for each in missed}
    targets = _targets(catalogs, task)
    return {
        "targets": [{**asdict(target), "met": target.met} for target in targets],
        "equal_to_the_hubs_answers": compared,
        "catalogs": catalogs,
        "two_tool_task_tokens": asdict(task),
        "two_tool_tasks_found": sum(lost.isdisjoint(pair) for pair in pairs),
        "missed": [asdict(each) for each in missed],
        "longest_signatures": measures.longest_lines(agent.catalog, LONGEST),
    }


async def _compared(listed: RawLists, agent: Agent, queries: list[str]) -> dict[str, int]:
    """How many answers of each meta-tool are byte for byte those of a real hub over stdio: all that are counted.

    Raises BenchError for the first one that differs.
    """
    servers_and_files = zip(agent.catalog.servers, agent.files(), strict=True)
    asked: list[tuple[str, dict[str, str], str]] = [
        ("listToolFiles", {}, agent.listing()),
        *(("listToolFiles", {"query": words}, agent.query(words)) for words in queries),
        *(("readToolFile", {"fileName": f"servers/{name}.pyi"}, file) for name, file in servers_and_files),
        *(
            ("getToolDocs", {"server": tool.server, "tool": tool.name}, agent.docs(tool))
            for tool in measures.sample(agent)
        ),
    ]
    compared: Counter[str] = Counter()
    async with echoed.hub(listed) as hub:
        for meta_tool, arguments, ours in asked:
            theirs = await echoed.answer(hub, meta_tool, arguments, may_fail=True)  # a query that finds nothing does
            if theirs != ours:
                raise BenchError(f"{meta_tool}({arguments}) {_first_difference(theirs, ours)}")
            compared[f"{meta_tool}({', '.join(arguments)})"] += 1
    return dict(compared)


def _first_difference(answered: str, ours: str) -> str:
    theirs, here = answered.split("\n"), ours.split("\n")
    line = next((n for n, pair in enumerate(zip(theirs, here, strict=False)) if pair[0] != pair[1]), None)
    if line is None:
        return f"of the hub has {len(theirs)} lines and {len(here)} here; correct discovery_measures.Agent."
    return (
        f"of the hub isn't what is counted here; correct discovery_measures.Agent. Line {line + 1}\n"
        f"of the hub: {theirs[line]}\nhere:       {here[line]}"
    )


def _catalog(listed: RawLists, agent: Agent, queries: list[str], rounds: int) -> dict[str, Any]:
    tokens = measures.answers_tokens(agent, queries)
    times = measures.query_times(agent, queries, rounds)
    return {
        "servers": len(listed),
        "tools": sum(map(len, listed.values())),
        "tokens": {name: asdict(spread) for name, spread in tokens.items()},
        "query_ms": _rounded(asdict(times)),
        "docs_ms": _rounded(asdict(measures.docs_times(agent))),
        "once_ms": _rounded(measures.build_times(listed)),
    }


def _in(part: RawLists, request: Request) -> bool:
    return any(tool.partition("/")[0] in part for tool in request.tools)


def _groups(every: list[Request]) -> dict[str, list[Request]]:
    return {
        "untuned": [request for request in every if not request.tuned],
        "tuned": [request for request in every if request.tuned],
    }


def _recall_json(recall: Recall) -> dict[str, Any]:
    return {**asdict(recall), "share": round(recall.share, 4)}


def _targets(catalogs: dict[str, Any], task: Spread) -> list[Target]:
    real, large = catalogs[str(servers.SIZES[-1])], catalogs["5000"]
    return [
        Target(
            "tokens of listToolFiles() at 5,000 tools", large["tokens"]["listToolFiles()"]["largest"], LISTING_TOKENS
        ),
        Target("tokens of a two-tool task at 508 tools, median", task.median, TASK_TOKENS),
        Target("ms of a query at 508 tools, median", real["query_ms"]["median"], QUERY_MS),
        Target("ms of a query at 5,000 tools, median", large["query_ms"]["median"], LARGE_QUERY_MS),
        Target("ms of rendering 5,000 tools, once", large["once_ms"]["rendering all files"], RENDERING_MS),
        *(
            Target(f"recall among the first five at 508, {name}", recall["share"], RECALL, at_least=True)
            for name, recall in real["recall"].items()
        ),
    ]


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


def text(document: dict[str, Any]) -> str:
    """The results as a person reads them."""
    loads = document["load_average"]
    machine = document["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}; load average {loads['before']} "
        f"before, {loads['after']} after; tokens by {document['tokenizer']}",
    ]
    for catalog in document["catalogs"].values():
        lines += ["", *_catalog_lines(catalog)]
    task = document["two_tool_task_tokens"]
    compared = ", ".join(f"{count} of {name}" for name, count in document["equal_to_the_hubs_answers"].items())
    lines += ["", f"Answers at 508 that are those of a real hub, byte for byte: {compared}"]
    lines += ["", f"A two-tool task at 508: {_spread(task)} tokens, over {task['values']} tasks"]
    lines += [f"  both tools are among the first {measures.FIRST} in {document['two_tool_tasks_found']} of them"]
    lines += ["", "The longest signatures (characters, tokens):"]
    lines += [f"  {path}  {characters:,}  {count:,}" for path, characters, count in document["longest_signatures"]]
    lines += ["", f"Not found among the first {measures.FIRST} at 508:"]
    for each in document["missed"]:
        group = "tuned" if each["tuned"] else "untuned"
        lines += [f"  {each['words']} ({group})", f"    wanted {', '.join(each['wanted'])}"]
        lines += [f"    got    {', '.join(each['got']) or 'nothing'}"]
    lines += ["", "Targets:"]
    for target in document["targets"]:
        sign = ">=" if target["at_least"] else "<="
        verdict = "met" if target["met"] else "MISSED"
        lines.append(f"  {verdict:<6}  {target['what']}: {target['value']:g} ({sign} {target['bound']:g})")
    return "\n".join(lines)


def _catalog_lines(catalog: dict[str, Any]) -> list[str]:
    lines = [f"{catalog['tools']:,} tools of {catalog['servers']} servers"]
    lines += [f"  tokens of {name}: {_spread(spread)}" for name, spread in catalog["tokens"].items()]
    lines.append(f"  ms of a query: {_spread(catalog['query_ms'])}")
    lines.append(f"  ms of one tool's docs: {_spread(catalog['docs_ms'])}")
    lines += [f"  ms of {name}: {value:.1f}" for name, value in catalog["once_ms"].items()]
    lines += [f"  MB of the {name}: {value:.1f}" for name, value in catalog.get("memory_MB", {}).items()]
    for name, recall in catalog.get("recall", {}).items():
        of = recall["requests"]
        lines.append(
            f"  recall, {name}: {recall['among_first']} of {of} among the first {measures.FIRST} "
            f"({recall['share']:.1%}), {recall['shown']} in the answer's text, {recall['very_first']} the very first"
        )
    return lines


def _spread(spread: dict[str, Any]) -> str:
    if spread["values"] == 1:
        return f"{spread['median']:,g}"
    return f"median {spread['median']:,.5g}, p95 {spread['p95']:,.5g}, largest {spread['largest']:,.6g}"


if __name__ == "__main__":
    sys.exit(main())
