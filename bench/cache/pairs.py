"""Holds the guard against the labelled pairs: what it wrongly takes for the same, and which paraphrases it serves.

Run by `python -m bench.cache.pairs [--half dev|test] [--failures] [--json]`. Three ways decide on each pair: the real
path (a vector that is near enough, then the guard), the guard alone, and the field's way, a higher threshold alone.
Exits with 1 if the real path takes a near miss for the same. Method and limits: bench/README.md.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.cache.labelled import HALVES, Pair, pairs
from bench.cache.tables import aligned
from bench.processes import BenchError
from bench.running import running
from mcp_hub.cache_settings import CacheSettings
from mcp_hub.errors import ConfigError
from mcp_hub.proxy.embedding import WordLlamaEmbedder
from mcp_hub.proxy.guard import refusal

FIELD_THRESHOLD = 0.92
"""What semantic caches have by default, or recommend: the cosine from which two texts share an answer."""

SERVED_AT_LEAST = 0.6
"""The target: so many of the paraphrases, and none of the near misses."""

PATH, GUARD, FIELD = "path", "guard", "threshold"
WAYS = (PATH, GUARD, FIELD)

DEV, TEST = HALVES

Embed = Callable[[str], Sequence[float]]
Refusal = Callable[[str, str], str | None]


@dataclass(frozen=True)
class Judged:
    """A pair, the cosine of its texts, what the guard has against it, and which of WAYS take the two for the same."""

    pair: Pair
    similarity: float
    reason: str | None
    taken: frozenset[str]


def judged(every: Iterable[Pair], embed: Embed, refuses: Refusal, threshold: float) -> list[Judged]:
    """Each pair, decided on; `threshold` is the cosine from which the real path asks the guard."""
    return [_judged(pair, embed, refuses, threshold) for pair in every]


def _judged(pair: Pair, embed: Embed, refuses: Refusal, threshold: float) -> Judged:
    similarity = min(1.0, math.fsum(a * b for a, b in zip(embed(pair.a), embed(pair.b), strict=True)))
    reason = refuses(pair.a, pair.b)
    taken = {
        PATH: similarity >= threshold and reason is None,
        GUARD: reason is None,
        FIELD: similarity >= FIELD_THRESHOLD,
    }
    return Judged(pair, similarity, reason, frozenset(way for way in WAYS if taken[way]))


def counted(every: Sequence[Judged]) -> dict[str, Any]:
    """The figures of one half: pairs, and how many each way took for the same, in all, by family and by template."""
    near = [each for each in every if not each.pair.same]
    same = [each for each in every if each.pair.same]
    families = list(dict.fromkeys(each.pair.family for each in near))
    templates = {each.pair.template: [one for one in same if one.pair.template == each.pair.template] for each in same}
    served = [{way: sum(way in each.taken for each in of) for way in WAYS} for of in templates.values()]
    sizes = [len(of) for of in templates.values()]
    return {
        "near_misses": {"pairs": len(near), "false_hits": _taken(near)},
        "by_family": {
            family: {"pairs": len(of), "false_hits": _taken(of)}
            for family in families
            if (of := [each for each in near if each.pair.family == family])
        },
        "paraphrases": {"pairs": len(same), "served": _taken(same)},
        "templates": {
            "templates": len(templates),
            "served_at_least_once": {way: sum(each[way] > 0 for each in served) for way in WAYS},
            "served_always": {
                way: sum(each[way] == size for each, size in zip(served, sizes, strict=True)) for way in WAYS
            },
        },
    }


def _taken(of: Sequence[Judged]) -> dict[str, int]:
    return {way: sum(way in each.taken for each in of) for way in WAYS}


def measured(halves: Sequence[str]) -> tuple[dict[str, Any], dict[str, list[Judged]]]:
    """The document, and what was decided on each pair, by halves. Raises BenchError where the model isn't installed."""
    try:
        embedder = WordLlamaEmbedder.load()
    except ConfigError as error:
        raise BenchError(error.text) from None
    threshold = CacheSettings().similarity_threshold
    decided = {half: judged(pairs(half), embedder.embed, refusal, threshold) for half in halves}
    document = {
        "threshold": threshold,
        "field_threshold": FIELD_THRESHOLD,
        "embedder": embedder.name,
        "halves": {half: counted(every) for half, every in decided.items()},
    }
    return document, decided


def false_hits(document: dict[str, Any]) -> int:
    """Near misses that the real path took for the same, in all halves."""
    return sum(int(of["near_misses"]["false_hits"][PATH]) for of in document["halves"].values())


def text(document: dict[str, Any]) -> str:
    """The document as a table."""
    heads = ("", "pairs", "real path", "guard alone", f"cosine >= {document['field_threshold']:g} alone")
    rows: list[tuple[str, ...]] = []
    for half, of in document["halves"].items():
        near, same, templates = of["near_misses"], of["paraphrases"], of["templates"]
        rows += [("",), (f"{half}: near misses taken for the same",)]
        rows += [_row(f"  {name}", each["pairs"], each["false_hits"]) for name, each in of["by_family"].items()]
        rows += [_row("  all", near["pairs"], near["false_hits"]), ("",), (f"{half}: paraphrases served",)]
        rows.append(_row("  all", same["pairs"], same["served"]))
        for name, key in (("at least once", "served_at_least_once"), ("always", "served_always")):
            rows.append(_row(f"  templates, {name}", templates["templates"], templates[key]))
    lines = [aligned(heads, rows), ""]
    for half, of in document["halves"].items():
        hits, same = of["near_misses"]["false_hits"][PATH], of["paraphrases"]
        share = same["served"][PATH] / max(same["pairs"], 1)
        lines += [
            f"{half}: {hits} false hits (to reach: 0): {_met(hits == 0)}; {share:.0%} of the paraphrases served "
            f"(to reach: {SERVED_AT_LEAST:.0%}): {_met(share >= SERVED_AT_LEAST)}."
        ]
    return "\n".join(lines)


def _row(name: str, pairs: int, taken: dict[str, int]) -> tuple[str, ...]:
    return (name, str(pairs), *(f"{taken[way]}  {taken[way] / max(pairs, 1):>4.0%}" for way in WAYS))


def _met(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def failures(every: Iterable[Judged]) -> str:
    """Each near miss that the real path took for the same, then each paraphrase that it didn't serve, and why."""
    wrong = [each for each in every if (PATH in each.taken) != each.pair.same]
    return "\n".join(map(_failure, sorted(wrong, key=lambda each: each.pair.same)))


def _failure(of: Judged) -> str:
    what = "missed" if of.pair.same else "FALSE HIT"
    reason = of.reason or ("the vectors are too far apart" if of.pair.same else "the guard has nothing against it")
    return f"{what}  {of.pair.id}  {of.pair.family}  {of.similarity:.3f}  {reason}\n    {of.pair.a}\n    {of.pair.b}"


def main() -> int:
    """Decide on the pairs, and print the figures."""
    options = _options()
    with running():
        document, decided = measured([options.half] if options.half else HALVES)
    print(json.dumps(document, indent=1) if options.json else text(document))
    if options.failures:
        half = options.half or DEV
        print(f"\nFailures of the half {half}:\n{failures(decided[half]) or 'none'}")
    return 1 if false_hits(document) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cache.pairs", description=__doc__)
    parser.add_argument("--half", choices=HALVES, help="only this half")
    parser.add_argument("--failures", action="store_true", help="also list what went wrong: of the half dev by default")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
