"""Whole sentences that ask the same in other words, as patterns: `where is X defined`, `find the definition of X`.

Read from frames.toml. A pattern is written as people write, and put in plain order like any sentence. It fits a whole
sentence or none, and only in one way. Patterns of one frame ask the same whatever stands in their slots.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mcp_hub.proxy.guard.clauses import plain_order
from mcp_hub.proxy.guard.literals import Token, sentence
from mcp_hub.proxy.guard.questions import QUESTION_WORDS
from mcp_hub.proxy.guard.words import AUXILIARIES, Lexicon, is_word

TABLE = Path(__file__).with_name("frames.toml")

SLOTS = frozenset({"X", "O", "L", "M", "P", "A", "B", "D", "E", "N", "T", "U", "V", "Vs", "Ved", "Ving"})
"""L, M: one literal. P: one path. A, B: one literal or word. D, E: a number, a version, a text or another value, with
its unit. N: a noun of code. T, U: one of the things that the frame lists. O: a thing: a literal, or a noun with what
says which; where the slots stand in the frame's own order, with its place too. X: any phrase without a mark. V: a verb
that is known, in its base form; Vs, Ved and Ving: in another form, which may be any of these in other wordings."""

ONE = frozenset({"L", "M", "P", "A", "B", "N", "V", "Vs", "Ved", "Ving"})
"""Slots of one token."""

BREAKS = frozenset(
    {"and", "or", "then", "but", "so", "because", "if", "when", "unless", "while", "which", "who", "that", "to"}
)
"""Words that a phrase inside a sentence doesn't reach over."""

PASSES = 3
"""How often a sentence may become another frame's."""

LONGEST_THING = 6
"""Tokens of a noun with what says which."""

LONGEST = 40
"""Tokens of a sentence that is looked up: a longer one is in no frame."""

Slots = Mapping[Token, tuple[Token, ...]]


@dataclass(frozen=True, eq=False)
class Pattern:
    """One wording of a frame, and the first wording of that frame, which stands for all."""

    tokens: tuple[Token, ...]
    first: tuple[Token, ...]
    things: frozenset[tuple[Token, ...]]
    """What may stand in its slots T and U."""
    fixed: frozenset[Token]
    """Its tokens that aren't slots."""
    in_order: bool
    """Whether its slots stand in the order of the first wording: a place that follows a thing stays behind it."""
    weight: tuple[int, int, tuple[Token, ...]]
    """Of two that fit, the lighter is meant: it has more words of its own, fewer slots."""

    @classmethod
    def of(cls, tokens: tuple[Token, ...], first: tuple[Token, ...], things: frozenset[tuple[Token, ...]]) -> "Pattern":
        fixed = [token for token in tokens if token.kind != "slot"]
        in_order = [t.text[0] for t in tokens if t.kind == "slot"] == [t.text[0] for t in first if t.kind == "slot"]
        weight = (-len(fixed), len(tokens) - len(fixed), tokens)
        return cls(tokens, first, things, frozenset(fixed), in_order, weight)


@dataclass(frozen=True)
class Frames:
    """The patterns, each under the one of its fixed tokens that fewest patterns have."""

    patterns: Mapping[Token, tuple[Pattern, ...]]
    lexicon: Lexicon

    @classmethod
    @cache
    def shipped(cls) -> "Frames":
        """The patterns in frames.toml."""
        data = tomllib.loads(TABLE.read_text(encoding="utf-8"))
        lexicon = Lexicon.shipped()
        patterns: dict[tuple[tuple[Token, ...], frozenset[tuple[Token, ...]]], Pattern] = {}
        for frame in data["frames"]:
            things = frozenset(pattern_tokens(thing, lexicon) for thing in _things(frame, data["things"]))
            for wordings in wordings_of(frame):
                found = [pattern_tokens(wording, lexicon) for wording in wordings]
                for tokens in found:
                    patterns.setdefault((tokens, things), Pattern.of(tokens, found[0], things))
        counts = Counter(token for pattern in patterns.values() for token in pattern.fixed)
        under: dict[Token, list[Pattern]] = {}
        for pattern in patterns.values():
            rarest = min(pattern.fixed, key=lambda token: (counts[token], token))
            under.setdefault(rarest, []).append(pattern)
        return cls({token: tuple(some) for token, some in under.items()}, lexicon)

    def framed(self, tokens: list[Token]) -> list[Token]:
        """A sentence in plain order as the first wording of the frame that it fits, or as it is."""
        for _ in range(PASSES):
            found = self._framed_once(tokens)
            if found == tokens:
                break
            tokens = found
        return tokens

    def _framed_once(self, tokens: list[Token]) -> list[Token]:
        present = frozenset(tokens)
        if len(tokens) > LONGEST:
            return tokens
        candidates = [
            pattern for token in present for pattern in self.patterns.get(token, ()) if pattern.fixed <= present
        ]
        for pattern in sorted(candidates, key=lambda each: each.weight):
            ways = list(self._ways(pattern, 0, tokens, 0))
            if len(ways) == 1:
                return [token for part in pattern.first for token in ways[0].get(part, (part,))]
        return tokens

    def _ways(self, pattern: Pattern, index: int, tokens: Sequence[Token], place: int) -> Iterator[Slots]:
        """What may stand in each slot from `index` on, where the tokens from `place` on fit the pattern."""
        if index == len(pattern.tokens):
            if place == len(tokens):
                yield {}
            return
        part = pattern.tokens[index]
        if part.kind != "slot":
            if place < len(tokens) and tokens[place] == part:
                yield from self._ways(pattern, index + 1, tokens, place + 1)
            return
        ends = [place + 1] if part.text in ONE else range(place + 1, len(tokens) + 1)
        for end in ends:
            content = tuple(tokens[place:end])
            if content and self._fits(part, content, pattern):
                for others in self._ways(pattern, index + 1, tokens, end):
                    yield {**others, **self._filled(part, content)}

    def _filled(self, part: Token, content: tuple[Token, ...]) -> Slots:
        if not part.text.startswith("V"):
            return {part: content}
        base = self.lexicon.base(content[0])
        forms = {"V": base, "Vs": self.lexicon.third(base), "Ved": self.lexicon.participle(base)}
        return {Token("slot", name): (form,) for name, form in forms.items()}

    def _fits(self, slot: Token, content: Sequence[Token], pattern: Pattern) -> bool:
        token = content[0]
        match slot.text:
            case "X":
                ends = _is_end(slot, pattern.tokens) and _is_end(slot, pattern.first)
                return not any(each.kind == "mark" for each in content) and (ends or not _is_broken(content))
            case "O":
                return self._is_thing(content, pattern.in_order)
            case "T" | "U":
                return tuple(content) in pattern.things
            case "P":
                return token.kind == "path"
            case "L" | "M":
                return token.is_literal
            case "A" | "B":
                return token.is_literal or self._is_plain(token)
            case "D" | "E":
                return self._is_value(content)
            case "N":
                return self.lexicon.is_noun(token)
            case "Ving":
                return self.lexicon.form(token) == "ing"
            case "Vs":
                return self.lexicon.form(token) == "s"
            case "Ved":
                return self.lexicon.is_participle(token)
            case _:
                return self.lexicon.is_base(token)

    def _is_value(self, content: Sequence[Token]) -> bool:
        if len(content) == 2:
            return content[0].kind == "number" and content[1].text in self.lexicon.sets["units"]
        token = content[0]
        return len(content) == 1 and (token.kind in VALUES or is_word(token, "true", "false", "null"))

    def _is_thing(self, content: Sequence[Token], with_places: bool) -> bool:
        """Whether this is a thing: a literal, or a noun with what says which, and maybe of what or where it is."""
        places = [place for place, token in enumerate(content) if is_word(token, "in", "of", "on")]
        if places and not with_places:
            return False
        starts = [0, *(place + 1 for place in places)]
        for start, end in zip(starts, [*places, len(content)], strict=True):
            part = content[start:end]
            known = any(token.is_literal for token in part) or (part and self.lexicon.is_in(part[0], "definite"))
            if not 0 < len(part) <= LONGEST_THING or not (known or (start and is_word(content[start - 1], "of"))):
                return False
            rest = part[1:] if self.lexicon.is_in(part[0], "definite") else part
            if (len(rest) < len(part) and not rest) or not all(self._is_plain(token) for token in rest):
                return False
        return True

    def _is_plain(self, token: Token) -> bool:
        return token.is_literal or (
            token.kind == "word"
            and not self.lexicon.is_in(token, "joints", "determiners", "pronouns")
            and token.text not in AUXILIARIES
            and token.text not in QUESTION_WORDS
        )


VALUES = ("number", "version", "quote")


def pattern_tokens(wording: str, lexicon: Lexicon) -> tuple[Token, ...]:
    """A wording of a frame in plain order, with its slots."""
    words = lexicon.words_of([Token("slot", t.text) if t.text in SLOTS else t for t in sentence(wording) or ()])
    return tuple(plain_order(words, lexicon))


def _is_end(slot: Token, tokens: Sequence[Token]) -> bool:
    """Whether nothing but another clause follows a slot."""
    return tokens[tokens.index(slot) + 1 :][:1] in ((), (Token("mark", ","),))


def _is_broken(content: Sequence[Token]) -> bool:
    return any(token.kind == "word" and token.text in BREAKS for token in content)


def _things(frame: Mapping[str, Any], lists: Mapping[str, str]) -> Iterable[str]:
    """The things of a frame: its own, or those of a list by its name."""
    things = frame.get("things", ())
    return [each.strip() for each in lists[things].split(",")] if isinstance(things, str) else things


def wordings_of(frame: Mapping[str, Any]) -> Iterator[list[str]]:
    """The wordings of a frame, once for each row of its table of words if it has one, with `(a|b)` written out."""
    says, rows = frame["says"], frame.get("words", [{}])
    for row in rows:
        filled: list[str] = []
        for wording in says:
            for name, word in row.items():
                wording = wording.replace(f"<{name}>", word)
            filled += _alternatives(wording)
        yield filled


CHOICE = re.compile(r"\(([^()]*)\)")


def _alternatives(wording: str) -> Iterable[str]:
    """Each of the wordings that `(a|b|)` stands for."""
    match = CHOICE.search(wording)
    if match is None:
        return [" ".join(wording.split())]
    return [
        each
        for choice in match[1].split("|")
        for each in _alternatives(wording[: match.start()] + choice + wording[match.end() :])
    ]
