"""Bills -> the figures that are reported, by round, mode and level. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

from bench.graded.billing import Bill, Cache
from bench.graded.modes import Mode
from bench.graded.task import Level

ALL = "all"

SYSTEM = 15_000
"""Tokens of an agent's own system prompt, in the second table."""


@dataclass(frozen=True)
class Result:
    """One task in one round and mode: its bill, the bill after a system prompt of SYSTEM tokens, and its end."""

    size: int
    mode: Mode
    task: str
    level: Level
    right: bool
    why: str
    bill: Bill
    with_system: Bill
    right_with_system: bool
    seconds: float


@dataclass(frozen=True)
class Figures:
    """The figures of some tasks in one round and mode."""

    tasks: int
    passed: int
    input_mean: float
    input_median: float
    output_mean: float
    requests_mean: float
    dollars_mean: dict[str, float]
    with_system_passed: int
    with_system_input_mean: float
    with_system_dollars_mean: dict[str, float]
    seconds_median: float


@dataclass(frozen=True)
class Against:
    """The hub beside a baseline in one round, over the tasks of one level: shares of input saved, 0.9 being 90 %."""

    size: int
    baseline: Mode
    level: str
    tasks: int
    """That ended right in both; the others aren't compared."""
    dearer: int
    """Of these, those in which the hub cost more input."""
    mean_saved: float
    """Of the mean of the tasks' inputs."""
    median_saved: float
    """The median of the tasks' own savings."""
    more_requests: float
    """The hub's requests less the baseline's, mean."""
    dollars_saved: dict[str, float]
    """Of the means, by what the cache holds."""


def levels(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each level, in order, and of all."""
    parts = {level.value: [each for each in results if each.level is level] for level in Level}
    return {**{name: part for name, part in parts.items() if part}, ALL: list(results)}


def figures(results: Sequence[Result]) -> Figures:
    """The figures of results of one round and mode."""
    return Figures(
        tasks=len(results),
        passed=sum(each.right for each in results),
        input_mean=_mean(results, lambda each: each.bill.input),
        input_median=median(each.bill.input for each in results),
        output_mean=_mean(results, lambda each: each.bill.output),
        requests_mean=_mean(results, lambda each: each.bill.requests),
        dollars_mean=_dollars(each.bill for each in results),
        with_system_passed=sum(each.right_with_system for each in results),
        with_system_input_mean=_mean(results, lambda each: each.with_system.input),
        with_system_dollars_mean=_dollars(each.with_system for each in results),
        seconds_median=median(each.seconds for each in results),
    )


def against(results: Sequence[Result], size: int, baseline: Mode) -> list[Against]:
    """The hub beside a baseline, level by level, over the tasks that ended right in both."""
    right = [each for each in results if each.size == size and each.right]
    theirs = {each.task: each for each in right if each.mode is baseline}
    ours = [each for each in right if each.mode is Mode.HUB and each.task in theirs]
    return [_against(level, part, [theirs[each.task] for each in part]) for level, part in levels(ours).items()]


def worse(results: Sequence[Result], size: int, baseline: Mode) -> list[tuple[str, int, int]]:
    """The tasks in which the hub cost more input than the baseline: name, the hub's tokens, the baseline's."""
    theirs = {each.task: each.bill.input for each in results if each.size == size and each.mode is baseline}
    ours = {each.task: each.bill.input for each in results if each.size == size and each.mode is Mode.HUB}
    return [(task, ours[task], theirs[task]) for task in ours if task in theirs and ours[task] > theirs[task]]


def saved(ours: float, theirs: float) -> float:
    """The share saved; negative if ours is more."""
    return 1 - ours / theirs


def _against(level: str, ours: Sequence[Result], theirs: Sequence[Result]) -> Against:
    pairs = list(zip(ours, theirs, strict=True))
    mine, others = _dollars(each.bill for each in ours), _dollars(each.bill for each in theirs)
    return Against(
        size=ours[0].size,
        baseline=theirs[0].mode,
        level=level,
        tasks=len(pairs),
        dearer=sum(a.bill.input > b.bill.input for a, b in pairs),
        mean_saved=saved(mean(a.bill.input for a, _ in pairs), mean(b.bill.input for _, b in pairs)),
        median_saved=median(saved(a.bill.input, b.bill.input) for a, b in pairs),
        more_requests=mean(a.bill.requests - b.bill.requests for a, b in pairs),
        dollars_saved={cache: saved(mine[cache], others[cache]) for cache in mine},
    )


def _mean(results: Sequence[Result], of: Callable[[Result], float]) -> float:
    return mean(of(each) for each in results)


def _dollars(bills: Iterable[Bill]) -> dict[str, float]:
    every: list[Mapping[Cache, float]] = [each.dollars for each in bills]
    return {cache.value: mean(each[cache] for each in every) for cache in Cache}
