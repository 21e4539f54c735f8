"""Benches the sandbox: what a program costs through the whole hub, and what each protection costs of that.

Run by `make bench-sandbox`, or `python -m bench.sandbox [--quick] [--out FILE]`. Method, limits and what the numbers
don't show: bench/README.md.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import starlark
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from bench import processes, report
from bench.calls import PAUSE, Sizes, Work, program, side_by_side, succeeded, timed, told
from bench.processes import ROOT, BenchError
from bench.report import Row
from bench.running import load, measuring
from mcp_hub.sandbox import lowering, preflight, worker
from mcp_hub.sandbox.confinement import restrict_worker, restrict_zygote
from mcp_hub.sandbox.conversation import Job
from mcp_hub.sandbox.environment import dialect, fresh
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool

RESULTS = ROOT / "bench" / "results" / "sandbox.json"

EMPTY = "result = 1"
SLOW = 0.1
"""Seconds that the slow tool takes."""
BRANCHES = 16
COUNTS = (1, 10, 100)
FORTY = 40

EMPTY_MS, FORTY_TIMES, PARALLEL_TIMES = 2.0, 1.8, 1.3

QUICK = Sizes(rounds=3, paced=5, back_to_back=30, forty=3)

PIECES = 200
"""Times that each protection is measured by itself in a round."""

TYPICAL = """
late = bare.tool_000(text="late", count=3)
names = []
for number in range(3):
    if late["ok"] and number % 2 == 0:
        names.append("%s-%d" % (late["n"], number))
result = {"count": len(names), "names": sorted(names)}
"""
"""What is read by the measures that read a program: a dozen lines of plain Starlark."""


def main() -> int:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(prog="python -m bench.sandbox", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: about half a minute")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write; by default only a whole run is kept")
    options = parser.parse_args()
    sizes = QUICK if options.quick else Sizes()
    with measuring() as (progress, before):
        with tempfile.TemporaryDirectory(prefix="mcp_hub_bench_") as name:
            rows = anyio.run(_measure, Path(name), sizes, progress.say)
            rows += _protections(sizes.rounds, progress.say)
    document = report.document(
        rows, command="sandbox", arguments=sys.argv[1:], sizes={"calls": asdict(sizes)}, loads=(before, load())
    )
    print(report.table(rows))
    print()
    print(report.summary(rows))
    path = options.out or (None if options.quick else RESULTS)
    if path is None:
        print("Not written: a quick run is kept only with --out FILE.")
    else:
        path.write_text(json.dumps(document, indent=1) + "\n")
        print(f"Written to {path}.")
    return 0


async def _measure(folder: Path, sizes: Sizes, say: Callable[[str], None]) -> list[Row]:
    say("starting the hub, with and without its journal, and the fixtures")
    async with _clients(folder) as (hub, unrecorded, direct, slow):
        works: dict[str, Work] = {
            "empty": program(hub, EMPTY),
            "unrecorded": program(unrecorded, EMPTY),
            "plain": _plain(EMPTY),
        }
        rows: list[Row] = []
        for work in works.values():
            await timed(work, sizes.warm_up, 0)
        for pace, runs, pause in (("100 ms apart", sizes.paced, PAUSE), ("back to back", sizes.back_to_back, 0.0)):
            found = await side_by_side(works, sizes.rounds, runs, pause, f"an empty program, {pace}", say)
            group = f"an empty program through the hub, {pace}"
            rows.append(Row(group, "journal on", found["empty"], "in process", found["plain"], value_under=EMPTY_MS))
            rows.append(Row(group, "journal off", found["unrecorded"], "in process", found["plain"]))
        for count in (*COUNTS, FORTY):
            code = f"for i in range({count}): bare.tool_000(text=str(i))"
            pair = {"hub": program(hub, code), "off": program(unrecorded, code), "direct": _direct(direct, count)}
            for work in pair.values():
                await timed(work, 3, 0)
            found = await side_by_side(pair, sizes.rounds, sizes.forty, 0, f"{count} calls", say)
            group = f"{count} call{'s' if count > 1 else ''} in one program"
            target = FORTY_TIMES if count == FORTY else None
            beside = f"{count} direct"
            rows.append(Row(group, "journal on", found["hub"], beside, found["direct"], ratio_at_most=target))
            rows.append(Row(group, "journal off", found["off"], beside, found["direct"]))
        code = f"result = parallel(lambda i: slow.sleep(seconds={SLOW}, label=str(i)), range({BRANCHES}))"
        pair = {
            "parallel": program(hub, code),
            "one": program(hub, f"slow.sleep(seconds={SLOW})"),
            "direct": _one_slow(slow),
        }
        for work in pair.values():
            await timed(work, 2, 0)
        found = await side_by_side(pair, sizes.rounds, sizes.forty, PAUSE, f"{BRANCHES} parallel calls", say)
        group = f"{BRANCHES} parallel calls of a tool that takes {SLOW * 1000:.0f} ms"
        rows.append(
            Row(group, "in branches", found["parallel"], "one such call", found["one"], ratio_at_most=PARALLEL_TIMES)
        )
        rows.append(Row(group, "  against no hop at all", found["parallel"], "one direct", found["direct"]))
        rows += await _pool_rows(sizes, say)
        return rows


async def _pool_rows(sizes: Sizes, say: Callable[[str], None]) -> list[Row]:
    """The pool alone, in this process: what of a program is the sandbox's own."""

    async def no_call(*_: Any) -> Any:
        return None

    async with Pool(Limits()) as pool:
        await pool.warm()

        async def run() -> None:
            done = await pool.run(Job(EMPTY, {}), no_call)
            if done.error is not None:
                raise BenchError(done.error.text)

        works: dict[str, Work] = {"pool": run, "plain": _plain(EMPTY)}
        await timed(run, sizes.warm_up, 0)
        rows = []
        for pace, runs, pause in (("100 ms apart", sizes.paced, PAUSE), ("back to back", sizes.back_to_back, 0.0)):
            found = await side_by_side(works, sizes.rounds, runs, pause, f"the pool alone, {pace}", say)
            rows.append(Row("the pool alone, an empty program", pace, found["pool"], "in process", found["plain"]))
        return rows


def _plain(code: str) -> Work:
    """Evaluates a program in this process, as the interpreter alone would."""
    environment = fresh()

    async def run() -> None:
        starlark.eval(environment.module, starlark.parse("program", code, dialect()), environment.globals)

    return run


def _protections(rounds: int, say: Callable[[str], None]) -> list[Row]:
    """What each protection costs a program by itself, in ms; measured in a child, since it can't be undone."""
    say("each protection by itself")
    limits = {**Limits().model_dump(), "base_bytes": worker.address_space()}
    reading = preflight.read(TYPICAL, ["bare"])
    assert reading is not None

    def plain() -> None:
        starlark.parse("program", TYPICAL, dialect())

    def read() -> None:
        preflight.read(TYPICAL, ["bare"])

    def looked_through() -> None:
        lowering.needed(reading.nodes, TYPICAL)

    def lowered() -> None:
        lowering.lower(reading.tree, frozenset(["bare"]))

    pieces: dict[str, Callable[[], float]] = {
        "a fork that ends at once": lambda: _in_child(lambda: None, whole=True),
        "rlimits": lambda: _in_child(lambda: worker.confine(limits)),
        "the worker's seccomp filter": lambda: _in_child(restrict_worker, before=restrict_zygote),
        "reading the program (preflight)": lambda: _here(read),
        "whether it must be lowered": lambda: _here(looked_through),
        "lowering it": lambda: _here(lowered),
        "the interpreter's own parsing, for scale": lambda: _here(plain),
    }
    group = "each protection by itself, a program of ten lines"
    return [
        Row(group, name, [median(measure() for _ in range(9)) for _ in range(rounds)])
        for name, measure in pieces.items()
    ]


def _here(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    for _ in range(PIECES):
        work()
    return (time.perf_counter() - began) / PIECES * 1000


def _in_child(work: Callable[[], object], *, before: Callable[[], object] = lambda: None, whole: bool = False) -> float:
    """Milliseconds that `work` takes in a fork; `whole`: with the fork itself and its end."""
    reading, writing = os.pipe()
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        try:
            before()
            started = time.perf_counter()
            work()
            os.write(writing, str(time.perf_counter() - started).encode())
        finally:
            os._exit(0)
    os.close(writing)
    told_seconds = os.read(reading, 100)
    os.close(reading)
    os.waitpid(pid, 0)
    return (time.perf_counter() - began) * 1000 if whole else float(told_seconds or b"nan") * 1000


def _direct(client: Client, count: int) -> Work:
    async def run() -> None:
        for number in range(count):
            succeeded(await client.call_tool("tool_000", {"text": str(number)}))

    return run


def _one_slow(client: Client) -> Work:
    async def run() -> None:
        succeeded(await client.call_tool("sleep", {"seconds": SLOW}))

    return run


@asynccontextmanager
async def _clients(folder: Path) -> AsyncIterator[tuple[Client, Client, Client, Client]]:
    """Clients of the hub, of one without a journal, of the fixture, and of the slow fixture."""
    slow = [sys.executable, str(ROOT / "fixtures" / "echo_server.py")]
    log = folder / "stderr.log"
    async with told(log), AsyncExitStack() as stack:
        errors = stack.enter_context(log.open("w"))

        async def client(name: str, program: str, *arguments: str) -> Client:
            env = processes.environment(folder / name)
            parameters = StdioServerParameters(command=program, args=list(arguments), env=env, cwd=str(ROOT))
            return await stack.enter_async_context(Client(stdio_client(parameters, errors), mode="auto"))

        hubs = []
        for name, journal in (("on", ""), ("off", "[hub.journal]\nenabled = false\n")):
            config = processes.write_config(folder / f"{name}.toml", ["bare"])
            config.write_text(f"{config.read_text()}[servers.slow]\ncommand = {json.dumps(slow)}\n\n{journal}")
            hubs.append(await client(name, *processes.hub_command(config)))
        on, off = hubs
        yield on, off, await client("direct", *processes.fixture_command()), await client("slow", *slow)


if __name__ == "__main__":
    sys.exit(main())
