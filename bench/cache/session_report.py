"""What the recorded sessions came to: counts, shares and reasons, as JSON to keep and a table to read. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.cache.session_requests import SERVED, Asked, Kind, Verdict, obstacles
from bench.cache.session_world import Money


@dataclass(frozen=True)
class Outcome:
    """One second run after one first run, under one setting; `money` is the second run's."""

    scenario: str
    setting: str
    first: Sequence[Asked]
    second: Sequence[Asked]
    money: Money

    def as_json(self) -> dict[str, Any]:
        """Everything that was counted."""
        verdicts = Counter(asked.verdict for asked in self.second)
        return {
            "scenario": self.scenario,
            "setting": self.setting,
            "requests": len(self.second),
            "served": self.served,
            "by_verdict": {verdict.value: verdicts[verdict] for verdict in Verdict if verdicts[verdict]},
            "by_kind": {kind.value: self._of_kind(kind) for kind in Kind if self._of_kind(kind)["requests"]},
            "served_in_the_first_run": sum(asked.verdict in SERVED for asked in self.first),
            "tokens_paid": self.money.tokens,
            "dollars_paid": f"{self.money.dollars:.6f}",
            "tokens_saved": self.money.saved_tokens,
            "dollars_saved": f"{self.money.saved_dollars:.6f}",
            "misses": self.misses(),
            "first_obstacles": dict(Counter(found[0] for found in self.misses()).most_common()),
            "obstacles": dict(Counter(each for found in self.misses() for each in found).most_common()),
        }

    @property
    def served(self) -> int:
        """Requests of the second run that no model was asked for."""
        return sum(asked.verdict in SERVED for asked in self.second)

    def misses(self) -> list[list[str]]:
        """For each request that wasn't served, what stood in the way."""
        return [found for found in self.misses_of_each() if found]

    def misses_of_each(self) -> list[list[str]]:
        """For each request, what stood in the way; nothing for one that was served."""
        return [
            [] if asked.verdict in SERVED else obstacles(asked, [*self.first, *self.second[:place]])
            for place, asked in enumerate(self.second)
        ]

    def _of_kind(self, kind: Kind) -> dict[str, int]:
        asked = [each for each in self.second if each.kind is kind]
        return {"requests": len(asked), "served": sum(each.verdict in SERVED for each in asked)}


@dataclass(frozen=True)
class Remembered:
    """Calls of downstream tools that programs made in one run, and those of them that no server was asked for."""

    run: int
    calls: int
    spared: int


def table(outcomes: Sequence[dict[str, Any]]) -> str:
    """The outcomes as a table of Markdown."""
    lines = [
        "| the second run | setting | requests | exact | similar | questions served | tool results served | saved |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for told in outcomes:
        kinds = [told["by_kind"].get(kind.value) for kind in (Kind.QUESTION, Kind.TOOL_RESULT)]
        shares = [f"{each['served']} of {each['requests']}" if each else "0 of 0" for each in kinds]
        exact, similar = (told["by_verdict"].get(verdict.value, 0) for verdict in (Verdict.EXACT, Verdict.SIMILAR))
        saved, paid = float(told["dollars_saved"]), float(told["dollars_paid"])
        share = saved / (saved + paid) if saved + paid else 0
        cells = [told["scenario"], told["setting"], told["requests"], exact, similar, *shares, f"{share:.0%}"]
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


def reasons(outcomes: Sequence[dict[str, Any]]) -> str:
    """Why requests weren't served: the first obstacle of each miss, and all of them, over all outcomes."""
    lines: list[str] = []
    for title, name in (("the first obstacle", "first_obstacles"), ("among the obstacles", "obstacles")):
        counted: Counter[str] = Counter()
        for told in outcomes:
            counted.update(told[name])
        lines += [f"{title}:", *(f"  {count:4} {reason}" for reason, count in counted.most_common())]
    return "\n".join(lines)
