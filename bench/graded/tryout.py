"""Plays single tasks and prints what was said: `python -m bench.graded.tryout [--round N] [--mode MODE] [TASK ...]`.

For whoever writes tasks. The servers must be installed (python -m bench.servers).
"""

import argparse
import sys

import anyio

from bench import servers
from bench.graded import agents, starting
from bench.graded.grading import graded
from bench.graded.task import Task
from bench.graded.tasks import TASKS
from bench.tokens import tokens

SHOWN = 1_500
"""Characters of one answer that are printed."""


def main() -> int:
    """Play the named tasks, or all; the exit status tells whether every end was right."""
    parser = argparse.ArgumentParser(prog="python -m bench.graded.tryout", description=__doc__)
    parser.add_argument("--round", type=int, choices=servers.SIZES, default=servers.SIZES[0])
    parser.add_argument("--mode", choices=("direct", "hub"), action="append")
    parser.add_argument("tasks", nargs="*")
    options = parser.parse_args()
    chosen = [task for task in TASKS if not options.tasks or task.name in options.tasks]
    if unknown := set(options.tasks) - {task.name for task in TASKS}:
        parser.error(f"no task {', '.join(sorted(unknown))}")
    return anyio.run(_try, chosen, options.mode or ["direct", "hub"], options.round)


async def _try(tasks: list[Task], modes: list[str], size: int) -> int:
    root = servers.FOLDER
    entries = servers.in_catalog(servers.entries(), size)
    wrong = 0
    if "direct" in modes:
        used = frozenset().union(*(task.servers for task in tasks))
        async with starting.direct([entry for entry in entries if entry.name in used], root) as agent:
            for task in tasks:
                wrong += await _one(task, "direct", agent)
    if "hub" in modes:
        async with starting.hub(entries, root) as hub:
            for task in tasks:
                wrong += await _one(task, "hub", hub.agent.begin())
    return 1 if wrong else 0


async def _one(task: Task, mode: str, agent: agents.Agent) -> bool:
    world = task.world_in(servers.FOLDER)
    print(f"\n=== {task.name} ({task.level}, {mode}): {task.request}")
    try:
        talk = await agents.play(task.direct if mode == "direct" else task.hub, world, agent)
    except Exception as error:  # whatever is wrong with a plan, the next one is played
        print(f"--- FAILED: {type(error).__name__}: {error}")
        return True
    for turn in talk.turns:
        for made, answer in zip(turn.calls, turn.answers, strict=True):
            print(f">>> {made.server}{'.' if made.server else ''}{made.tool} {made.arguments}")
            print(f"<<< {'ERROR ' if answer.is_error else ''}({tokens(answer.text)} tokens) {answer.text[:SHOWN]}")
    right = not graded(task, world, talk.answer)
    print(f"--- {'right' if right else 'WRONG'}, {len(talk.turns)} turns, {talk.seconds:.2f} s: {talk.answer[:SHOWN]}")
    return not right


if __name__ == "__main__":
    sys.exit(main())
