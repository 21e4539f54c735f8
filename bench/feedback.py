"""Feeds valid arguments of every real tool, spelled as its stub is, through a real hub to a server that echoes them.

Run by `python -m bench.feedback [--root FOLDER] [--out FILE]`, once the servers are installed with
`python -m bench.servers`. Counts the tools whose arguments arrive unchanged; method: bench/README.md.
"""

import argparse
import ast
import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException
from hypothesis_jsonschema import from_schema
from jsonschema.exceptions import SchemaError
from mcp import Client

from bench import echoed, servers
from bench.discovery_measures import RawLists, build
from bench.processes import ROOT, BenchError
from bench.running import Progress, running
from mcp_hub.hub.catalog import Catalog, Tool

RESULTS = ROOT / "bench" / "results" / "feedback.json"

SEED = 5
EXAMPLES = 3
"""Argument sets of each tool."""

CALLS = 60
"""Calls of one program."""

SHOWN = 200
"""Characters of a call that are told where it differs."""

Generated = dict[str, list[dict[str, Any]]]
"""Argument sets by server/tool, as the server itself spells the parameters."""


@dataclass(frozen=True)
class Call:
    """One call of a tool: as a program writes it, and what is to arrive at its server."""

    tool: str
    """As server/tool, by the server's own names."""
    code: str
    meant: dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """A tool, as server/tool, and what became of it instead."""

    tool: str
    what: str


def main() -> int:
    """Count and name each tool that doesn't arrive unchanged; the exit status tells whether all of them do."""
    parser = argparse.ArgumentParser(prog="python -m bench.feedback", description=__doc__)
    parser.add_argument("--root", type=Path, default=servers.FOLDER, help="where the servers are installed")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write; by default only a whole run is kept")
    options = parser.parse_args()
    with running() as progress:
        listed, failures = anyio.run(servers.listed, servers.entries(), options.root.resolve(), progress.say)
        catalog = build(listed)
        generated, no_arguments = _all_generated(catalog, progress)
        progress.say("starting the hub and its servers")
        calls, changed = anyio.run(_fed_back, catalog, generated, listed, progress)
    tools = sum(len(server.tools) for server in catalog.servers.values())
    document = {
        "command": " ".join(["python -m bench.feedback", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("mcp_hub", "mcp", "hypothesis", "hypothesis-jsonschema")},
        "seed": SEED,
        "servers": len(catalog.servers),
        "tools": tools,
        "unchanged": tools - len(changed) - len(no_arguments),
        "calls": calls,
        "changed": [asdict(each) for each in changed],
        "no_arguments": [asdict(each) for each in no_arguments],
        "not_fed_back": [asdict(failure) for failure in failures],
    }
    path = options.out or (None if failures else RESULTS)
    if path is not None:
        path.write_text(json.dumps(document, indent=1) + "\n")
    for failure in failures:
        print(f"{failure.server} is not in these numbers: {failure.why}")
    for each in [*changed, *no_arguments]:
        print(f"{each.tool}: {each.what}")
    print(f"{document['unchanged']} of {tools} tools get their arguments unchanged, in {calls} calls")
    print(f"Written to {path}." if path else "Not written: an incomplete run is kept only with --out.", file=sys.stderr)
    return 1 if changed or no_arguments or failures else 0


def _all_generated(catalog: Catalog, progress: Progress) -> tuple[Generated, list[Difference]]:
    """Valid argument sets of each tool, and the tools that none could be generated for."""
    every: Generated = {}
    without: list[Difference] = []
    for server in catalog.servers.values():
        progress.say(f"arguments for {len(server.tools)} tools of {server.key}")
        for tool in server.tools.values():
            try:
                every[_path(tool, catalog)] = _generated(tool)
            except (HypothesisException, SchemaError, ValueError, RecursionError) as error:
                without.append(Difference(_path(tool, catalog), _why(error)))
    return every, without


def _generated(tool: Tool) -> list[dict[str, Any]]:
    """EXAMPLES argument sets without further properties, which a signature doesn't offer."""
    found: list[dict[str, Any]] = []

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(from_schema({"type": "object", **tool.input_schema, "additionalProperties": False}))
    def keep(arguments: dict[str, Any]) -> None:
        found.append(arguments)

    with warnings.catch_warnings(action="ignore"):  # of schemas' patterns, which are foreign
        keep()
    return found


async def _fed_back(
    catalog: Catalog, generated: Generated, listed: RawLists, progress: Progress
) -> tuple[int, list[Difference]]:
    """Make every call through a hub; how many there were, and the first difference of each tool that has one."""
    calls: list[Call] = []
    changed: dict[str, Difference] = {}
    async with echoed.hub(listed) as hub:
        for server in catalog.servers.values():
            stubs = _stubs(await echoed.answer(hub, "readToolFile", {"fileName": f"servers/{server.name}.pyi"}))
            for tool in server.tools.values():
                path = _path(tool, catalog)
                for arguments in generated.get(path, ()):
                    written = _written(tool, path, arguments, stubs)
                    if isinstance(written, Difference):
                        changed.setdefault(path, written)
                    else:
                        calls.append(written)
        progress.say(f"{len(calls)} calls through the hub")
        for start in range(0, len(calls), CALLS):
            for difference in await _differences(hub, calls[start : start + CALLS]):
                changed.setdefault(difference.tool, difference)
    return len(calls), list(changed.values())


def _stubs(file: str) -> dict[str, frozenset[str]]:
    """A server's file -> its functions that are Python, each with the names of its parameters."""
    found = {}
    for line in file.splitlines():
        if not line.startswith("def "):
            continue
        try:
            function = ast.parse(f"{line.partition('  # ')[0]}: ...").body[0]
        except SyntaxError:
            continue
        if isinstance(function, ast.FunctionDef):
            named = [*function.args.args, *function.args.kwonlyargs]
            found[function.name] = frozenset(each.arg for each in named)
    return found


def _written(
    tool: Tool, path: str, arguments: dict[str, Any], stubs: Mapping[str, frozenset[str]]
) -> Call | Difference:
    """The call of a tool as its stub spells it, or what keeps the stub from being called so."""
    if tool.name not in stubs:
        return Difference(path, f"no stub {tool.name} that is Python")
    spelled = {parameter.wire_name: parameter.name for parameter in tool.parameters}
    named = {spelled.get(wire, wire): value for wire, value in arguments.items()}
    if unknown := named.keys() - stubs[tool.name]:
        return Difference(path, f"its stub hasn't the parameters {', '.join(sorted(unknown))}")
    code = ", ".join(f"{name}={value!r}" for name, value in named.items())
    server, _, wire_name = path.partition("/")
    meant = {"server": server, "tool": wire_name, "arguments": arguments}
    return Call(path, f"{tool.server}.{tool.name}({code})", meant)


async def _differences(hub: Client, calls: Sequence[Call]) -> list[Difference]:
    """Make the calls in one program, or each in its own where that fails; those that arrived otherwise than meant."""
    code = "result = [\n" + "".join(f"    {call.code},\n" for call in calls) + "]"
    try:
        arrived = json.loads(await echoed.answer(hub, "executeToolCode", {"code": code}))
    except BenchError as error:
        if len(calls) == 1:
            return [Difference(calls[0].tool, f"{calls[0].code[:SHOWN]}: {error}")]
        return [difference for call in calls for difference in await _differences(hub, [call])]
    return [
        Difference(call.tool, f"{_json(call.meant)[:SHOWN]} arrived as {_json(got)[:SHOWN]}")
        for call, got in zip(calls, arrived, strict=True)
        if _json(got) != _json(call.meant)
    ]


def _why(error: Exception) -> str:
    return f"no arguments could be generated: {type(error).__name__}: {error}".splitlines()[0]


def _path(tool: Tool, catalog: Catalog) -> str:
    return f"{catalog.servers[tool.server].key}/{tool.wire_name}"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
