"""What was measured -> a table to read and JSON to keep. Pure, apart from asking the machine what it is."""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

FOR_SCALE = {
    "note": "measured on another machine with another client: for scale only, not for comparison",
    "best_in_the_field_ms": {"one_call": 2.4, "forty_calls": 9.5},
    "closest_twin_ms": {"one_call": 42.8, "forty_calls": 57.8},
}


@dataclass(frozen=True)
class Row:
    """One measure: the hub's values, round by round, and those of what it is held against."""

    group: str
    name: str
    hub: Sequence[float]
    beside: str = ""
    other: Sequence[float] = ()
    unit: Literal["ms", "MB"] = "ms"
    ratio_at_most: float | None = None
    value_under: float | None = None

    @property
    def value(self) -> float:
        """The hub's median over the rounds."""
        return median(self.hub)

    @property
    def other_value(self) -> float | None:
        """The median over the rounds of what it is held against."""
        return median(self.other) if self.other else None

    @property
    def ratio(self) -> float | None:
        """How many times the other."""
        return self.value / self.other_value if self.other_value else None

    @property
    def ratios(self) -> list[float]:
        """The ratio in each round."""
        return [mine / theirs for mine, theirs in zip(self.hub, self.other, strict=True)] if self.other else []

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.ratio_at_most is not None:
            return self.ratio is not None and self.ratio <= self.ratio_at_most
        return self.value < self.value_under if self.value_under is not None else None

    @property
    def target(self) -> str:
        """The target in words."""
        if self.ratio_at_most is not None:
            return f"<= {self.ratio_at_most:g} x"
        return f"< {self.value_under:g} {self.unit}" if self.value_under is not None else ""

    def as_json(self) -> dict[str, Any]:
        """Everything, raw values included."""
        return {
            "group": self.group,
            "name": self.name,
            "unit": self.unit,
            "hub": _rounded(self.value),
            "beside": self.beside or None,
            "other": _rounded(self.other_value),
            "ratio": _rounded(self.ratio),
            "target": self.target or None,
            "met": self.met,
            "rounds": {
                "hub": [_rounded(each) for each in self.hub],
                "other": [_rounded(each) for each in self.other],
                "ratio": [_rounded(each) for each in self.ratios],
            },
        }


def machine() -> dict[str, Any]:
    """The machine, as far as it bears on the numbers."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def document(
    rows: Sequence[Row],
    *,
    command: str,
    arguments: Sequence[str],
    sizes: dict[str, Any],
    loads: tuple[list[float], list[float]],
) -> dict[str, Any]:
    """What is written to the results file."""
    return {
        "command": " ".join([f"python -m bench.{command}", *arguments]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "load_average": {"before": loads[0], "after": loads[1]},
        "versions": {name: version(name) for name in ("mcp", "mcp_hub", "starlark-pyo3")},
        "sizes": sizes,
        "rows": [row.as_json() for row in rows],
    }


def table(rows: Sequence[Row]) -> str:
    """The rows, aligned, a heading for each group."""
    titles = ("", "hub", "", "beside", "", "ratio", "rounds", "target", "")
    cells = [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in (titles, *cells)) for i in range(len(titles))]
    lines = [_aligned(titles, widths)]
    group = ""
    for row, line in zip(rows, cells, strict=True):
        if row.group != group:
            group = row.group
            lines += ["", group]
        lines.append(_aligned(line, widths))
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> str:
    """How many targets were met, and the numbers for scale."""
    judged = [row for row in rows if row.met is not None]
    missed = [row for row in judged if not row.met]
    lines = [f"{len(judged) - len(missed)} of {len(judged)} targets met."]
    return "\n".join([*lines, *(f"  missed: {row.group}: {row.name}" for row in missed)])


def scale() -> str:
    """The numbers of others, for scale."""
    best, twin = FOR_SCALE["best_in_the_field_ms"], FOR_SCALE["closest_twin_ms"]
    assert isinstance(best, dict)
    assert isinstance(twin, dict)
    return (
        f"For scale, measured on another machine: one call {best['one_call']} ms for the best in the field and "
        f"{twin['one_call']} ms for the closest twin; 40 calls {best['forty_calls']} and {twin['forty_calls']} ms."
    )


def _cells(row: Row) -> tuple[str, ...]:
    digits = 1 if row.value >= 100 else 2
    other = f"{row.other_value:.{digits}f}" if row.other_value is not None else ""
    return (
        f"  {row.name}",
        f"{row.value:.{digits}f}",
        row.unit,
        other,
        row.beside,
        f"{row.ratio:.2f}" if row.ratio is not None else "",
        f"{min(row.ratios):.2f}-{max(row.ratios):.2f}" if row.ratios else "",
        row.target,
        {True: "met", False: "MISSED", None: ""}[row.met],
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    right = (1, 3, 5)
    padded = (
        f"{cell:>{width}}" if i in right else f"{cell:<{width}}"
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
