"""Ranked look-up over the catalog: SQLite's full-text index, in memory, over names, descriptions, parameters.

A request in a person's words often shares none with the tool that serves it; a thesaurus adds the tools' own.
"""

import re
import sqlite3
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from pathlib import Path

from mcp_hub.hub.catalog import Tool

THESAURUS = (Path(__file__).parent / "thesaurus.txt").read_text()

WEIGHTS = "0, 0, 10, 15, 1, 0.3, 0.3"
"""bm25 weights by column: server and tool are keys, then names, server words, description, parameters, and the values
and results that its schemas name."""

RELATED_WEIGHT = 0.3
"""What the words that mean the same count, beside the request's own."""

UNNAMED = 0.5
"""What a tool's score keeps when the request has none of the words of its name; all of it when it has all."""

REMOVING = frozenset({"delete", "remove", "drop", "clear", "purge", "destroy", "teardown", "uninstall", "unroute"})
"""Words in the names of tools that do away with something."""

DEPRECATED = re.compile(r"\bDEPRECATED\b|^Deprecated\b")
"""How a description says that its tool is."""

UNASKED = 0.5
"""What the score of such a tool keeps when the request has no word for it; so too for a tool that is deprecated."""

LEAST = 0.2
"""What of the best score a tool must have, unless more are asked for: the rest only shares a word with the request."""

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

NAMED = 60
"""Values and fields of one tool's schemas that are looked up."""

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
        every = list(tools)
        self._thesaurus = Thesaurus(THESAURUS)
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "create virtual table tools using fts5(server unindexed, tool unindexed, name, of, description, "
            "parameters, named, tokenize = 'porter unicode61')"
        )
        self._db.executemany(
            "insert into tools values (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    tool.server,
                    tool.name,
                    words(tool.wire_name),
                    words(tool.server),
                    words(tool.description),
                    " ".join(words(parameter.wire_name) for parameter in tool.parameters),
                    _named_in_schemas(tool),
                )
                for tool in every
            ),
        )
        self._names = {
            (tool.server, tool.name): [frozenset(_stems(word)) for word in words(tool.wire_name).split()]
            for tool in every
        }
        self._removing = {key for key, name in self._names.items() if any(map(REMOVING.intersection, name))}
        self._deprecated = {(tool.server, tool.name) for tool in every if DEPRECATED.search(tool.description)}

    def search(self, query: str, limit: int, server: str | None = None, least: float = LEAST) -> list[tuple[str, str]]:
        """The (server, tool) names that fit a request in plain words, best first; [] when none does.

        `server`: only its tools; `least`: the share of the best one's score that each must have.
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
        most = {key: score * sqrt(fitting[key]) for key, score in scores.items()}
        meant = self._meant(terms)
        removes = not meant.isdisjoint(REMOVING)
        found: list[tuple[float, tuple[str, str]]] = []
        for key in sorted(most, key=lambda key: (-most[key], key)):
            if limit and len(found) >= limit and most[key] < -found[limit - 1][0]:
                break  # neither this one nor one of the others can be among the best
            insort(found, (-most[key] * self._likelihood(key, meant, removes), key))
        return [key for score, key in found[:limit] if score <= least * found[0][0]]

    def _meant(self, terms: Sequence[str]) -> set[str]:
        """The request's words, what they may be forms of, and what means the same."""
        return {stem for term in [*terms, *self._thesaurus.related(terms)] for stem in _stems(term)}

    def _likelihood(self, key: tuple[str, str], meant: set[str], removes: bool) -> float:
        """By how much a tool's score is lessened for what its name says beside the request."""
        name = self._names[key]
        covered = sum(not meant.isdisjoint(stems) for stems in name) / max(len(name), 1)
        likelihood = UNNAMED + (1 - UNNAMED) * covered
        if key in self._deprecated or (not removes and key in self._removing):
            likelihood *= UNASKED
        return likelihood

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


def _named_in_schemas(tool: Tool) -> str:
    """The words of the values that its parameters may have, and of the fields of its results."""
    values = [str(value) for each in tool.parameters for value in _list(each.schema, "enum")]
    fields = (tool.output_schema or {}).get("properties")
    named = [*values, *(fields if isinstance(fields, dict) else ())]
    return " ".join(words(text) for text in named[:NAMED])


def _list(schema: object, key: str) -> list[object]:
    value = schema.get(key) if isinstance(schema, dict) else None
    return value if isinstance(value, list) else []


def _stems(word: str) -> Iterator[str]:
    """A word, and what it may be a form of."""
    yield word
    for ending, instead in (("ies", ("y",)), ("es", ("", "e")), ("s", ("",)), ("ed", ("", "e")), ("ing", ("", "e"))):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word.removesuffix(ending)
            yield from (stem + end for end in instead)
            if stem[-1] == stem[-2]:
                yield stem[:-1]  # dropping, dropped


def words(text: str) -> str:
    """`text` as lower-case words: camelCase, snake_case and dashes are taken apart, plurals like URLs aren't."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?![A-Z]s(?![a-z]))", " ", text)
    return " ".join(re.findall(r"[^\W_]+", apart)).lower()
