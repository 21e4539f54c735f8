"""Lines up what the cache's benches print. Pure."""

from collections.abc import Sequence


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: the first column to the left, all others to the right. A row of one cell is a line of its own."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines if len(line) > 1) for column in range(len(heads))]
    return "\n".join("  ".join(_padded(line, widths)).rstrip() for line in lines)


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    if len(line) == 1:
        return list(line)
    return [f"{cell:{'>' if column else '<'}{widths[column]}}" for column, cell in enumerate(line)]
