"""Summary and report: means, medians and savings add up, and the report says first what it isn't."""

import json
from typing import Any

import pytest
from inline_snapshot import snapshot

from bench.graded import report, summary
from bench.graded.billing import Bill, Cache
from bench.graded.modes import Mode
from bench.graded.quick import grown
from bench.graded.summary import Result
from bench.graded.task import Level
from tests.support import ROOT


def result(
    mode: Mode, task: str, spent: int, *, requests: int = 3, level: Level = Level.HARD, right: bool = True
) -> Result:
    bill = Bill(requests, spent, 10, spent, dict.fromkeys(Cache, spent / 1000000.0))
    return Result(96, mode, task, level, right, "" if right else "wrong", bill, bill, right, 0.5)


RESULTS = [
    result(Mode.DIRECT, "a", 1000, requests=4),
    result(Mode.DIRECT, "b", 3000, requests=2),
    result(Mode.DIRECT, "c", 100, level=Level.SIMPLE),
    result(Mode.HUB, "a", 100),
    result(Mode.HUB, "b", 600),
    result(Mode.HUB, "c", 200, level=Level.SIMPLE),
]


def test_savings_are_of_the_means_and_of_each_task() -> None:
    hard, simple, every = (
        next(each for each in summary.against(RESULTS, 96, Mode.DIRECT) if each.level == level)
        for level in ("hard", "simple", "all")
    )
    assert hard.mean_saved == pytest.approx(1 - 700 / 4000)
    assert hard.median_saved == pytest.approx((0.9 + 0.8) / 2)
    assert hard.more_requests == 0
    assert simple.mean_saved == pytest.approx(-1)
    assert [(each.tasks, each.dearer) for each in (hard, simple, every)] == [(2, 0), (1, 1), (3, 1)]
    assert every.dollars_saved[Cache.COLD.value] == pytest.approx(1 - 900 / 4100)


def test_only_tasks_that_ended_right_in_both_are_compared() -> None:
    failed = [result(Mode.DIRECT, "d", 5000, right=False), result(Mode.HUB, "d", 10)]
    broken = [result(Mode.DIRECT, "e", 5000), result(Mode.HUB, "e", 1, right=False)]
    assert summary.against([*RESULTS, *failed, *broken], 96, Mode.DIRECT) == summary.against(RESULTS, 96, Mode.DIRECT)


def test_figures_are_means_and_medians_of_the_tasks() -> None:
    figures = summary.figures([each for each in RESULTS if each.mode is Mode.HUB])
    assert (figures.tasks, figures.passed, figures.input_mean, figures.input_median) == (3, 3, 300, 200)


def test_tasks_in_which_the_hub_was_worse_are_named() -> None:
    assert summary.worse(RESULTS, 96, Mode.DIRECT) == [("c", 200, 100)]


def test_tables_line_up_and_savings_read_as_changes() -> None:
    assert report.table(
        ["what", "saved"], [["all", report.percent(0.9)], ["hard tasks", report.percent(-0.05)]]
    ) == snapshot(
        """\
| what       |   saved |
| ---------- | ------: |
| all        | -90.0 % |
| hard tasks |  +5.0 % |
"""
    )


def test_the_table_of_the_readme_is_the_one_of_the_results() -> None:
    results = json.loads((ROOT / "bench" / "results" / "graded.json").read_text())
    assert report.headline(results) in (ROOT / "README.md").read_text()


def test_the_report_says_first_that_no_model_chose_the_plans() -> None:
    assert report.FIRST_LINES.splitlines()[2].startswith("**No model chose these plans.**")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (100, []),
        (105, []),
        (106, ["shop, hub: 106 input tokens, and 100 are committed; mend it, or --update."]),
    ],
)
def test_a_task_may_grow_by_five_in_a_hundred(count: int, said: list[str]) -> None:
    assert grown({"shop, hub": count, "shop, direct": 10_000}, {"shop, hub": 100, "shop, direct": 100}) == said


def test_a_task_without_a_committed_figure_is_told() -> None:
    figures: dict[str, Any] = {"new, hub": 1}
    assert grown(figures, {}) == ["new, hub: no committed figure; `python -m bench.graded.quick --update` writes it."]
