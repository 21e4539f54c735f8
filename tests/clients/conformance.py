"""Runs the MCP conformance suite against the hub, as a server and as a client, and holds it to what is expected.

Every scenario that the suite has is run, at each version of the protocol that it applies to. It must pass or be in
the table of `conformance_expected` and come out just as that says.
"""

import json
import re
import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.clients.conformance_expected import CLIENT, SERVER, Reason
from tests.clients.headless import Home
from tests.clients.report import Report
from tests.support import ROOT

Mode = Literal["server", "client"]

VERSIONS = ("2025-06-18", "2025-11-25", "2026-07-28")

SUITE_SECONDS = 180.0
"""One run of the suite: a server's takes five seconds, a client's, which starts a process each, half a minute."""

WIRE = "wire-schema-valid"
"""The suite's check of every message that the hub sent; it is held whatever the table says."""

STAMP = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")
"""What the suite puts behind a scenario's name for its folder of results."""


@dataclass(frozen=True)
class Outcome:
    """What came of one scenario at one version."""

    scenario: str
    version: str
    passed: int
    warned: int
    failures: tuple[str, ...]
    """`check: message` of each check that failed."""

    @property
    def holds(self) -> bool:
        """Whether something was checked, and all of that held."""
        return self.passed > 0 and not self.failures


@dataclass(frozen=True)
class Suite:
    """An installed suite and the folder that it writes its results to."""

    program: Path
    path: str
    folder: Path

    def listed(self, mode: Mode) -> set[str]:
        """Every scenario that the suite has."""
        done = self._home.run([str(self.program), "list", f"--{mode}"], {}, seconds=SUITE_SECONDS)
        return set(re.findall(r"^ +- (\S+)", done.stdout, re.MULTILINE))

    def run(self, mode: Mode, name: str, target: list[str], *chosen: str) -> list[Outcome]:
        """Run what is chosen; `name` is for the folder of the results and the outcomes."""
        out = self.folder / mode / name
        options = [*target, *chosen, "--output-dir", str(out)]
        env = {"PYTHONPATH": str(ROOT)}
        done = self._home.run([str(self.program), mode, *options], env, seconds=SUITE_SECONDS)
        if done.exit_code is None:
            raise TimeoutError(f"the suite's {' '.join(chosen)} took more than {SUITE_SECONDS:.0f} s")
        (out.parent / f"{name.replace('/', '-')}.log").write_text(done.stdout + done.stderr)
        return [_outcome(mode, file, out, name) for file in sorted(out.rglob("checks.json"))]

    @property
    def _home(self) -> Home:
        return Home(self.folder, self.path).make()


def check_server(report: Report, suite: Suite, url: str) -> None:
    """The hub that is served at `url`."""
    _check(report, suite, "server", ["--url", url], SERVER)


def check_client(report: Report, suite: Suite) -> None:
    """The hub's own sessions with servers over HTTP."""
    command = [sys.executable, "-m", "tests.clients.conformance_client"]
    _check(report, suite, "client", ["--command", shlex.join(command)], CLIENT)
    faults = [
        file.parent.name for file in suite.folder.rglob("client/**/stderr.txt") if "Traceback" in file.read_text()
    ]
    report.check("the hub broke in none of them", not faults, faults or "")


def _check(report: Report, suite: Suite, mode: Mode, target: list[str], table: Mapping[str, Reason]) -> None:
    outcomes: list[Outcome] = []
    for version in VERSIONS:
        found = suite.run(mode, version, target, "--suite", "all", "--spec-version", version)
        _check_run(report, version, found, table)
        outcomes += found
    listed = suite.listed(mode)
    alone = sorted(listed - {outcome.scenario for outcome in outcomes})
    rest = [outcome for name in alone for outcome in suite.run(mode, name, target, "--scenario", name)]
    _check_run(report, "extensions and older", rest, table)
    outcomes += rest
    missed = listed - {outcome.scenario for outcome in outcomes}
    report.check(
        f"each of the suite's {len(listed)} scenarios was run", not missed and bool(listed), sorted(missed) or ""
    )
    _check_table(report, listed, outcomes, table)


def _check_run(report: Report, title: str, outcomes: list[Outcome], table: Mapping[str, Reason]) -> None:
    unexpected = [
        f"{outcome.scenario}: {'; '.join(outcome.failures) or 'nothing was checked'}"
        for outcome in outcomes
        if not outcome.holds and not _excused(outcome, table.get(outcome.scenario))
    ]
    held = sum(outcome.holds for outcome in outcomes)
    warned = sum(outcome.warned for outcome in outcomes if outcome.holds)
    report.check(
        f"{title}: every scenario passes or is listed",
        not unexpected and bool(outcomes),
        unexpected or f"{len(outcomes)} scenarios: {held} pass, {len(outcomes) - held} listed; {warned} warnings",
    )


def _check_table(report: Report, listed: set[str], outcomes: list[Outcome], table: Mapping[str, Reason]) -> None:
    gone = sorted(table.keys() - listed)
    report.check(f"each of the {len(table)} listed scenarios exists", not gone, gone or "")
    passing = sorted({outcome.scenario for outcome in outcomes if outcome.holds and outcome.scenario in table})
    report.check("none of them passes", not passing, passing or "")
    for reason, number in Counter(table.values()).items():
        report.note(f"listed: {number}", reason.why)
    whole = {outcome.scenario for outcome in outcomes} - table.keys()
    report.note(f"pass wherever they apply: {len(whole)}", ", ".join(sorted(whole)))


def _excused(outcome: Outcome, reason: Reason | None) -> bool:
    """Whether the table has a reason, and every failure is of the kind that it gives."""
    return reason is not None and all(
        not failure.startswith(f"{WIRE}:") and re.search(reason.sign, failure) for failure in outcome.failures
    )


def _outcome(mode: Mode, file: Path, out: Path, version: str) -> Outcome:
    checks: list[dict[str, Any]] = json.loads(file.read_text())
    scenario = STAMP.sub("", str(file.parent.relative_to(out)))
    if mode == "server":
        scenario = scenario.removeprefix("server-")
    counts = Counter(check["status"] for check in checks if check["id"] != WIRE)
    failures = tuple(f"{check['id']}: {_message(check)}" for check in checks if check["status"] == "FAILURE")
    return Outcome(scenario, version, counts["SUCCESS"], counts["WARNING"], failures)


def _message(check: Mapping[str, Any]) -> str:
    details = check.get("details") or {}
    return str(check.get("errorMessage") or details.get("message") or check["description"])
