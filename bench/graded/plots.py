"""Results -> pictures, as SVG and PNG: tokens by round and mode, cost by mode, time by mode."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.graded.billing import Cache
from bench.graded.modes import Mode
from bench.graded.summary import ALL

Document = Mapping[str, Any]

COLOURS = {Mode.DIRECT: "#9aa5b1", Mode.SEARCH: "#e0a458", Mode.HUB: "#2f7d6d"}
DPI = 160


def draw(document: Document, folder: Path) -> list[Path]:
    """Write the pictures of a results document; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, plot in (("tokens", _tokens), ("cost", _cost), ("time", _time)):
        figure = Figure(figsize=(7.5, 4.2), layout="constrained")
        plot(document, figure.subplots())
        for suffix, options in ((".svg", {"metadata": {"Date": None}}), (".png", {"dpi": DPI})):
            path = folder / f"{name}{suffix}"
            with rc_context({"svg.hashsalt": name}):  # else the same figures are another file each time
                figure.savefig(path, **options)
            written.append(path)
    return written


def _tokens(document: Document, axes: Axes) -> None:
    _bars(document, axes, lambda of: of["input_mean"], "{:,.0f}")
    axes.set_yscale("log")
    axes.set_ylabel("input tokens a task (mean, log scale)")
    axes.set_title("What tools cost in input tokens, the whole conversation")


def _cost(document: Document, axes: Axes) -> None:
    _bars(document, axes, lambda of: 100 * of["dollars_mean"][Cache.COLD.value], "{:.2f}")
    axes.set_yscale("log")
    axes.set_ylabel("US cents a task (mean, log scale)")
    axes.set_title(f"What a task costs, with prompt caching from cold ({document['prices']['model']})")


def _time(document: Document, axes: Axes) -> None:
    _bars(document, axes, lambda of: 1000 * of["seconds_median"], "{:.0f}")
    axes.set_ylabel("ms a task (median), without a model's own time")
    axes.set_title("How long the calls of a task take")


def _bars(document: Document, axes: Axes, value: Callable[[Mapping[str, Any]], float], label: str) -> None:
    sizes: Sequence[int] = [each["tools"] for each in document["rounds"]]
    figures = {(each["size"], each["mode"]): each["figures"] for each in document["figures"] if each["level"] == ALL}
    width = 0.8 / len(Mode)
    for place, mode in enumerate(Mode):
        heights = [value(figures[size, mode]) for size in sizes]
        left = [index + (place - (len(Mode) - 1) / 2) * width for index in range(len(sizes))]
        bars = axes.bar(left, heights, width * 0.92, label=mode.value, color=COLOURS[mode])
        axes.bar_label(bars, [label.format(height) for height in heights], fontsize=8, padding=2)
    axes.set_xticks(range(len(sizes)), [f"{size} tools" for size in sizes])
    axes.margins(y=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
