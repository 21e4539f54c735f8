"""Ranked look-up over the catalog: SQLite's full-text index, in memory, over names, descriptions, parameters.

A request in a person's words often shares none with the tool that serves it; a thesaurus adds the tools' own.
"""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from pathlib import Path

from mcp_hub.hub.catalog import Tool

THESAURUS = (Path(__file__).parent / "thesaurus.txt").read_text()

WEIGHTS = "0, 0, 10, 15, 1, 0.3"
"""bm25 weights by column: server and tool are keys, then names, server words, description, parameters."""

RELATED_WEIGHT = 0.4
"""What the words that mean the same count, beside the request's own."""

TERMS = 30
"""Words of a request that are looked up."""

COMMON_WORDS = """\
    a about after again all am an and another any are as at be been before being below between both but by can could
    did do does doing down during each every few for from further get go got had has have having he her here his how i
    if in into is it its just let make many may me might more most must my need no not of off on once only or other our
    out over own please put same should so some somebody someone something such take than that the their them then
    there these they this those through to too under until up us very want was we were what when where which while who
    whom whose why will with would you your"""
COMMON = frozenset(COMMON_WORDS.split())
"""Words of a request that say nothing about a tool."""

VERBS = frozenset({"get", "make", "put", "take", "go"})
"""Common words that are still looked up in the thesaurus."""

CANDIDATES = 500
"""Tools that are ranked for one word of a request; a word that more tools have tells them hardly apart."""

QUERY_CHARACTERS = 1000
"""Of a request, what is searched for; a longer one would keep the index busy for seconds."""


class Thesaurus:
    """Words that mean the same in a request: groups, one a line of a text; lines that begin with `#` are comments."""

    def __init__(self, text: str) -> None:
        self._related: dict[str, set[str]] = {}
        for line in text.splitlines():
            group = set() if line.startswith("#") else set(line.split())
            for word in group:
                self._related.setdefault(word, set()).update(group - {word})

    def related(self, terms: Sequence[str]) -> list[str]:
        """The words that mean the same as one of `terms`, without these, in alphabetical order."""
        found = {other for term in terms for stem in _stems(term) for other in self._related.get(stem, ())}
        return sorted(found - set(terms))


class Index:
    """An index of one catalog snapshot."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._thesaurus = Thesaurus(THESAURUS)
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "create virtual table tools using fts5(server unindexed, tool unindexed, name, of, description, "
            "parameters, tokenize = 'porter unicode61')"
        )
        self._db.executemany(
            "insert into tools values (?, ?, ?, ?, ?, ?)",
            (
                (
                    tool.server,
                    tool.name,
                    words(tool.wire_name),
                    words(tool.server),
                    words(tool.description),
                    " ".join(words(parameter.wire_name) for parameter in tool.parameters),
                )
                for tool in tools
            ),
        )

    def search(self, query: str, limit: int, server: str | None = None) -> list[tuple[str, str]]:
        """The (server, tool) names that fit a request in plain words, best first; [] when none does.

        `server`: only its tools.
        """
        said = list(dict.fromkeys(words(query[:QUERY_CHARACTERS]).split()))
        terms = [word for word in said if word not in COMMON] or said
        scores: dict[tuple[str, str], float] = defaultdict(float)
        fitting: dict[tuple[str, str], int] = defaultdict(int)
        for term in [word for word in said if word in terms or word in VERBS][:TERMS]:
            for key, score in self._of_one(term, term in terms, server).items():
                scores[key] += score
                fitting[key] += 1
        # A tool that fits two words of a request is meant rather than one that fits one of them twice as well.
        return sorted(scores, key=lambda key: (-scores[key] * sqrt(fitting[key]), key))[:limit]

    def _of_one(self, term: str, counts: bool, server: str | None) -> dict[tuple[str, str], float]:
        """How well each tool fits a word of the request: itself, if it `counts`, or those that mean the same."""
        scores = self._scores([term], server) if counts else {}
        for key, score in self._scores(self._thesaurus.related([term]), server).items():
            scores[key] = max(scores.get(key, 0), RELATED_WEIGHT * score)
        return scores

    def _scores(self, terms: Sequence[str], server: str | None) -> dict[tuple[str, str], float]:
        """How well each tool that has one of the terms fits; more is better."""
        if not terms:
            return {}
        rows = self._db.execute(
            f"select server, tool, bm25(tools, {WEIGHTS}) from tools "  # noqa: S608 - the weights are a constant
            f"where tools match ? and (? is null or server = ?) order by 3, server, tool limit ?",
            (" OR ".join(f'"{term}"' for term in terms), server, server, CANDIDATES),
        )
        return {(str(of), str(tool)): -float(rank) for of, tool, rank in rows}


def _stems(word: str) -> Iterator[str]:
    """A word, and what it may be a form of."""
    yield word
    for ending, instead in (("ies", ("y",)), ("es", ("", "e")), ("s", ("",)), ("ed", ("", "e")), ("ing", ("", "e"))):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            yield from (word.removesuffix(ending) + end for end in instead)


def words(text: str) -> str:
    """`text` as lower-case words: camelCase, snake_case and dashes are taken apart, plurals like URLs aren't."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?![A-Z]s(?![a-z]))", " ", text)
    return " ".join(re.findall(r"[^\W_]+", apart)).lower()
