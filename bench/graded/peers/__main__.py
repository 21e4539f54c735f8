"""Compares the hub with its peers: `python -m bench.graded.peers [--json] [--only NAME] [--root FOLDER]`.

Installs each peer into build/peers, measures all of them in one run, and writes bench/results/peers.json and
peers.md, which says how it was measured. A peer that can't be installed or started is in them with the reason.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import click

from bench import servers
from bench.graded import billing
from bench.graded.peers import PEERS, attacks, installing, measure, playing, tables
from bench.graded.peers.peer import BARE, ECHO, Downstream, Hostile, NotMeasuredError, Peer, Setting, Started
from bench.graded.peers.wire import opened
from bench.graded.worlds import World
from bench.processes import ROOT, BenchError, fixture_command
from bench.report import machine
from bench.running import load, measuring
from bench.servers import Say

RESULTS = ROOT / "bench" / "results"
INSTALLED = ROOT / "build" / "peers"
ROUND = 96


@click.command(help=__doc__)
@click.option("--only", "names", multiple=True, help="Only the hub and this peer; a part isn't written.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON instead of the tables.")
@click.option("--root", type=click.Path(path_type=Path), default=servers.FOLDER, help="Where servers are installed.")
def main(names: tuple[str, ...], as_json: bool, root: Path) -> None:
    """Run it."""
    if unknown := set(names) - {peer.name for peer in PEERS}:
        raise click.BadParameter(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in PEERS)}")
    peers = [peer for peer in PEERS if not names or peer.name in names or peer is PEERS[0]]
    with measuring() as (progress, before):
        found = anyio.run(_measure, peers, root.resolve(), progress.say)
    document = {
        "command": " ".join(["python -m bench.graded.peers", *sys.argv[1:]]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "load_before": before,
        "load_after": load(),
        "counts": measure.COUNTS,
        **found,
    }
    text = tables.markdown(document)
    print(json.dumps(document, indent=1) if as_json else text)
    if names:
        print("Not written: only a whole run is.", file=sys.stderr)
        return
    (RESULTS / "peers.json").write_text(json.dumps(document, indent=1) + "\n")
    (RESULTS / "peers.md").write_text(text)
    print(f"Written to {RESULTS}.", file=sys.stderr)


async def _measure(peers: list[Peer], root: Path, say: Say) -> dict[str, Any]:
    """Everything, by peer; what was not measured with the reason."""
    entries = playing.entries_of(ROUND)
    failed = await anyio.to_thread.run_sync(servers.install, entries, root, say)
    listed, unlisted = await servers.listed(entries, root, say)
    if failures := [*failed, *unlisted]:
        raise BenchError("; ".join(f"{each.server}: {each.why}" for each in failures))
    found: dict[str, dict[str, Any]] = {peer.name: {"requirements": [*peer.requirements]} for peer in peers}
    with tempfile.TemporaryDirectory(prefix="mcp_hub_peers_") as name:
        folder = Path(name)
        venvs = {}
        for peer in peers:
            try:
                venvs[peer.name] = await anyio.to_thread.run_sync(installing.install, peer, INSTALLED, say)
            except NotMeasuredError as error:
                found[peer.name]["why_not"] = str(error)
        installed = [peer for peer in peers if peer.name in venvs]
        await _with_fixtures(installed, venvs, folder, found, say)
        still = [peer for peer in installed if "why_not" not in found[peer.name]]
        await _with_real_servers(still, venvs, root, folder, found, say)
    tools = [
        {"name": tool["name"], "description": tool.get("description", ""), "input_schema": tool["inputSchema"]}
        for every in listed.values()
        for tool in every
    ]
    direct = {"tools": len(tools), "definitions_tokens": billing.definitions_tokens(tools)}
    return {"direct": direct, "peers": found}


async def _with_fixtures(
    peers: list[Peer], venvs: Mapping[str, Path], folder: Path, found: dict[str, dict[str, Any]], say: Say
) -> None:
    """Times, memory and hostile programs."""
    echo = [sys.executable, str(ROOT / "fixtures" / "light_echo_server.py")]
    fixtures = [Downstream(BARE, fixture_command(), folder), Downstream(ECHO, echo, folder)]
    ready = {}
    for peer in peers:
        say(f"{peer.name}: starting with the fixtures")
        setting = Setting(fixtures, folder / f"{peer.name}-fixtures", venvs[peer.name])
        try:
            ready[peer.name] = peer, await _prepared(peer, setting)
        except NotMeasuredError as error:
            found[peer.name]["why_not"] = str(error)
    if PEERS[0].name not in ready:
        raise BenchError(f"{PEERS[0].name} could not be started: {found[PEERS[0].name]['why_not']}")
    costs = await measure.costs(ready, fixtures, folder, say)
    for name, (peer, started) in ready.items():
        found[name]["cost"] = measure.as_json(costs[name], costs[PEERS[0].name])
        rows = []
        for kind in Hostile:
            say(f"{name}: {kind.value}")
            try:
                stood = await attacks.attack(peer, started, kind, folder / f"{name}-{kind.name}.log")
            except (BenchError, TimeoutError) as error:
                found[name]["why_not"] = f"it could not be started for the hostile programs: {error}"
                break
            rows.append(attacks.as_json(kind, stood))
        found[name]["hostile"] = rows


async def _with_real_servers(
    peers: list[Peer], venvs: Mapping[str, Path], root: Path, folder: Path, found: dict[str, dict[str, Any]], say: Say
) -> None:
    """What stands upfront, and the tasks: one peer after the other, since some servers lock their files."""
    downstreams = playing.behind(playing.entries_of(ROUND), root)
    tasks = playing.translated(PEERS)
    played = {}
    for peer in peers:
        say(f"{peer.name}: starting with {len(downstreams)} real servers")
        World(root / "work").reset()
        of = found[peer.name]
        setting = Setting(downstreams, folder / f"{peer.name}-real", venvs[peer.name], learning=False)
        try:
            started = await _prepared(peer, setting)
        except NotMeasuredError as error:
            of["why_not"] = str(error)
            continue
        of["refused"] = {**started.refused}
        with ExitStack() as stack:
            log = folder / f"{peer.name}-real.log"
            stack.callback(World(root / "work").reset)
            async with opened(started.command, started.env, log, watched=False) as wire:
                stands = await measure.upfront(wire)
            of["upfront"] = asdict(stands)
            played[peer.name] = await playing.play(peer, started, tasks, stands, root, log, say)
    compared = playing.right_everywhere(played)
    for name, outcomes in played.items():
        found[name]["tasks"] = playing.as_json(outcomes, compared)


async def _prepared(peer: Peer, setting: Setting) -> Started:
    setting.folder.mkdir()
    return await anyio.to_thread.run_sync(peer.prepare, setting)


if __name__ == "__main__":
    main()
