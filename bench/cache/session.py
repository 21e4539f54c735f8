"""`python -m bench.cache.session`: what the response cache serves of recorded sessions of the real Claude Code.

Claude Code works through a real `mcp_hub proxy` against a scripted model, twice: once with an empty cache, then again
under the conditions of each scenario, which all begin with what the same first run has left.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from bench.cache.labelled import Pair, pairs
from bench.cache.session_model import SessionApi
from bench.cache.session_report import Outcome, Remembered, reasons, table
from bench.cache.session_requests import Asked
from bench.cache.session_task import (
    FOLLOW_UP,
    QUESTION,
    TASK,
    follow_up_turns,
    question_turns,
    task_turns,
)
from bench.cache.session_world import CONTINUE, Money, Setting, World
from bench.processes import BenchError
from bench.report import machine
from bench.running import Progress, running
from mcp_hub.proxy import guard
from mcp_hub.proxy.pricing import PRICES
from tests.clients import installs
from tests.clients.installs import InstallError, install_claude
from tests.clients.stand_in import Answer, Text
from tests.support import PATIENCE, series_in

RESULTS = Path(__file__).parents[1] / "results/cache_session.json"

EXACT, SIMILAR = ([Setting(tool_calls, similar) for tool_calls in (False, True)] for similar in (False, True))

EVERY = 8
"""Of the labelled paraphrases' templates, each so many gives a question for the runs in other words."""

NEAR_MISSES = 2
"""Pairs that look alike and mustn't share an answer, asked too."""

REMEMBERED = 'cache = "60s"'

TOKEN = "a-token-of-this-bench-only"

ANSWER = "As said before."

SESSION = ((TASK, ()), (FOLLOW_UP, CONTINUE), (QUESTION, ()))

Prompts = Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Second:
    """A second run: who makes it, in which of the two folders, and whether the repository is reset before."""

    name: str
    who: str = "ada"
    clone: bool = False
    reset: bool = True


SECONDS = (
    Second("again, the repository reset"),
    Second("again, not reset", reset=False),
    Second("a colleague, the same folder", who="bob"),
    Second("a colleague, a clone", who="bob", clone=True),
)

USED = (Second("again, reset, the hub used there before"),)

STILL = (Second("the same, and no times in results"),)


def main() -> None:
    """Run what was asked for, print it, and write the results when it was everything."""
    parser = argparse.ArgumentParser(prog="python -m bench.cache.session", description=__doc__)
    parser.add_argument("--only", choices=("sessions", "words", "remembered"), help="a part, printed and not written")
    parser.add_argument("--out", type=Path, help="where to write it")
    given = parser.parse_args()
    with running() as progress:
        try:
            claude = install_claude(progress.say)
        except (InstallError, OSError, subprocess.SubprocessError) as error:
            raise BenchError(f"Claude Code can't be installed: {error}") from error
        told = measured(_Bench(claude, progress), given.only)
    print(table(told["sessions"] + told["words"]))
    print(reasons(told["sessions"] + told["words"]))
    print(json.dumps({name: told[name] for name in ("pairs", "remembered")}, indent=1))
    out = given.out or (None if given.only else RESULTS)
    if out:
        out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def measured(bench: "_Bench", only: str | None) -> dict[str, Any]:
    """What is written to the results file."""
    told: dict[str, Any] = {
        "command": "python -m bench.cache.session",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "claude_code": installs.CLAUDE_CODE,
        "prices": PRICES.name,
        "sessions": [],
        "words": [],
        "pairs": [],
        "remembered": [],
    }
    if only in (None, "sessions"):
        new = [outcome.as_json() for setting in EXACT for outcome in bench.sessions(setting, SECONDS)]
        used = [
            outcome.as_json() for setting in (*EXACT, *SIMILAR) for outcome in bench.sessions(setting, USED, used=True)
        ]
        still = [
            outcome.as_json() for setting in EXACT for outcome in bench.sessions(setting, STILL, times=False, used=True)
        ]
        told["sessions"] = [*new, *used, *still]
    if only in (None, "words"):
        outcome, told["pairs"] = bench.other_words(Setting(tool_calls=False, similar=True))
        told["words"] = [outcome.as_json()]
    if only in (None, "remembered"):
        told["remembered"] = [asdict(each) for each in bench.remembered()]
    return told


def chosen_pairs() -> list[Pair]:
    """Labelled pairs for the runs in other words: paraphrases of different templates, then near misses."""
    held_out = pairs("test")
    templates = {pair.template: pair for pair in reversed([pair for pair in held_out if pair.same])}
    same = list(reversed(templates.values()))[::EVERY]
    return [*same, *[pair for pair in held_out if not pair.same][:NEAR_MISSES]]


@dataclass(frozen=True)
class _Bench:
    claude: Path
    progress: Progress

    def sessions(
        self, setting: Setting, seconds: Sequence[Second], *, times: bool = True, used: bool = False
    ) -> list[Outcome]:
        """A first run, and each of the second ones after it.

        `times`: whether the tests tell how long they took. `used`: whether the task was done once before, without a
        proxy, so that the hub has seen in this folder which tools are used.
        """
        outcomes: list[Outcome] = []

        def work(world: World, api: SessionApi) -> None:
            folder = world.repository.folder
            api.scripts = _scripts(folder, times=times)
            if used:
                self.progress.say(f"{setting.name}: the hub's first use")
                world.session(api.url, "ada", folder, SESSION)
                world.repository.reset()
            self.progress.say(f"{setting.name}: the first run")
            first, before = self._run(world, setting, "ada", folder, SESSION)
            world.keep()
            for second in seconds:
                self.progress.say(f"{setting.name}: {second.name}")
                world.restore()
                place = world.clone if second.clone else folder
                if second.reset:
                    world.repository.reset()
                api.scripts = _scripts(place, times=times)
                asked, after = self._run(world, setting, second.who, place, SESSION)
                outcomes.append(Outcome(second.name, setting.name, first, asked, after.since(before)))

        self._in_world(work)
        return outcomes

    def other_words(self, setting: Setting) -> tuple[Outcome, list[dict[str, Any]]]:
        """Questions, and then others in other words, each in a conversation of its own."""
        chosen = chosen_pairs()
        outcomes: list[Outcome] = []

        def work(world: World, api: SessionApi) -> None:
            api.scripts = {text: [Text(ANSWER)] for pair in chosen for text in (pair.a, pair.b)}
            runs = []
            for words in ([pair.a for pair in chosen], [pair.b for pair in chosen]):
                self.progress.say(f"other words: {len(words)} questions")
                prompts = [(text, ()) for text in words]
                runs.append(self._run(world, setting, "ada", world.repository.folder, prompts))
            (first, before), (second, after) = runs
            outcomes.append(Outcome("other words", setting.name, first, second, after.since(before)))

        self._in_world(work)
        (outcome,) = outcomes
        asked = zip(chosen, outcome.second, outcome.misses_of_each(), strict=True)
        told = [
            {
                "first": pair.a,
                "then": pair.b,
                "may_share": pair.same,
                "said": each.verdict.value,
                "detail": each.detail,
                "guard": guard.refusal(pair.b, pair.a) or "takes them for the same",
                "differs": found,
            }
            for pair, each, found in asked
        ]
        return outcome, told

    def remembered(self) -> list[Remembered]:
        """The task twice, attached to one hub that remembers."""
        runs: list[Remembered] = []

        def work(world: World, api: SessionApi) -> None:
            folder = world.repository.folder
            api.scripts = _scripts(folder)
            calls = spared = 0
            with world.served(TOKEN) as hub:
                for run in (1, 2):
                    self.progress.say(f"remembered calls: run {run}")
                    world.session(api.url, "ada", folder, SESSION[:1], attached=True)
                    world.repository.reset()
                    page = hub.url.removesuffix("/mcp") + "/metrics"
                    told = httpx2.get(page, headers={"authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE)
                    series = series_in(told.raise_for_status().text)
                    now, free = _total(series, "calls_total"), _total(series, "calls_remembered_total")
                    runs.append(Remembered(run, now - calls, free - spared))
                    calls, spared = now, free

        self._in_world(work, REMEMBERED)
        return runs

    def _run(
        self, world: World, setting: Setting, who: str, folder: Path, prompts: Prompts
    ) -> tuple[list[Asked], Money]:
        """One person's session; what was asked, and what the proxy had counted at its end."""
        with world.proxied(setting) as (opened, exchanges):
            world.session(opened.url, who, folder, prompts)
            money = opened.money()
        return world.asked(exchanges), money

    def _in_world(self, work: Callable[[World, SessionApi], None], remembered: str = "") -> None:
        folder = Path(tempfile.mkdtemp(prefix="mcp_hub_cache_")).resolve()
        try:
            with SessionApi() as api:
                work(World(folder / "world", self.claude, api, remembered), api)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _scripts(folder: Path, *, times: bool = True) -> dict[str, list[Answer]]:
    return {TASK: task_turns(folder, times=times), FOLLOW_UP: follow_up_turns(), QUESTION: question_turns()}


def _total(series: dict[str, float], name: str) -> int:
    return int(sum(value for each, value in series.items() if each.split(" ")[0] == name))


if __name__ == "__main__":
    main()
