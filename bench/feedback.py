"""Feeds valid arguments of every real tool through its signature and `bind`; counts the tools that get them unchanged.

Run by `python -m bench.feedback [--root FOLDER]`, once the servers are installed (`python -m bench.servers`).
"""

import argparse
import ast
import json
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException
from hypothesis_jsonschema import from_schema
from jsonschema.exceptions import SchemaError

from bench import servers
from bench.discovery_measures import build
from bench.running import Progress
from mcp_hub.errors import CallerError
from mcp_hub.hub import stubs
from mcp_hub.hub.arguments import bind
from mcp_hub.hub.catalog import Tool

SEED = 5
EXAMPLES = 3
"""Argument sets of each tool."""

UNCHANGED, SKIPPED = "unchanged", "skipped: no arguments could be generated"


def main() -> int:
    """Count, and name each tool that doesn't arrive unchanged; the exit status tells whether all that were tried do."""
    parser = argparse.ArgumentParser(prog="python -m bench.feedback", description=__doc__)
    parser.add_argument("--root", type=Path, default=servers.FOLDER, help="where the servers are installed")
    progress = Progress()
    every = servers.entries()
    listed, failures = anyio.run(servers.listed, every, parser.parse_args().root.resolve(), progress.say)
    told: list[str] = [f"{failure.server} is not in these numbers: {failure.why}" for failure in failures]
    counts: Counter[str] = Counter()
    for server in build(listed).servers.values():
        progress.say(f"{len(server.tools)} tools of {server.key}")
        for tool in server.tools.values():
            outcome, detail = fed_back(tool)
            counts[outcome] += 1
            if outcome != UNCHANGED:
                told.append(f"{server.key}/{tool.wire_name}: {outcome}: {detail}")
    progress.clear()
    print("\n".join(told))
    for outcome, count in counts.most_common():
        print(f"{count:4}  {outcome}")
    return 1 if failures or set(counts) - {UNCHANGED, SKIPPED} else 0


def fed_back(tool: Tool) -> tuple[str, str]:
    """What became of EXAMPLES generated argument sets of a tool: the outcome, and the first set that it is about."""
    spelled = {parameter.wire_name: parameter.name for parameter in tool.parameters}
    try:
        taken = _parameters(stubs.signature(tool))
    except SyntaxError as error:
        return "changed: its signature is no Python", str(error)
    wrong: list[tuple[str, str]] = []

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(from_schema(_closed(tool)))
    def feed(arguments: dict[str, Any]) -> None:
        named = {spelled.get(wire, wire): value for wire, value in arguments.items()}
        if unknown := [name for wire, name in spelled.items() if wire in arguments and name not in taken]:
            wrong.append(("changed: parameters that its signature hasn't", f"{unknown}"))
            return
        try:
            arrived = bind(tool, [], json.loads(json.dumps(named)))
        except CallerError as error:
            wrong.append(("changed: refused", error.text))
            return
        if json.dumps(arrived, sort_keys=True) != json.dumps(arguments, sort_keys=True):
            wrong.append(("changed", f"{_shown(arguments)} arrived as {_shown(arrived)}"))

    try:
        with warnings.catch_warnings(action="ignore"):  # of schemas' patterns, which are foreign
            feed()
    except (HypothesisException, SchemaError, ValueError, RecursionError) as error:
        return SKIPPED, f"{type(error).__name__}: {error}".splitlines()[0]
    return wrong[0] if wrong else (UNCHANGED, "")


def _closed(tool: Tool) -> dict[str, Any]:
    """The schema without further properties, which a signature doesn't offer."""
    return {"type": "object", **tool.input_schema, "additionalProperties": False}


def _parameters(signature: str) -> frozenset[str]:
    function = ast.parse(f"{signature}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    return frozenset(each.arg for each in [*function.args.args, *function.args.kwonlyargs])


def _shown(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments)[:200]


if __name__ == "__main__":
    sys.exit(main())
