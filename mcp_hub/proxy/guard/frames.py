"""Whole sentences that ask the same in other words, as patterns: `where is X defined`, `find the definition of X`.

Read from frames.toml. A pattern is written as people write, and put in plain order like any sentence. Patterns of one
frame ask the same whatever stands in their slots; a sentence that fits none stays as it is.
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
from mcp_hub.proxy.guard.literals import Token, sentences
from mcp_hub.proxy.guard.words import AUXILIARIES, Lexicon, is_word

TABLE = Path(__file__).with_name("frames.toml")

SLOTS = frozenset({"X", "Y", "Z", "L", "M", "P", "N", "D", "T", "V", "Vs", "Ved", "Ving"})
"""X, Y, Z: any phrase. L, M: one literal. P: one path. N: a noun of code with what says which. D: a number, a version,
a text or another value. T: one of the things that the frame lists. V: a verb that is known, in its base form; Vs, Ved
and Ving: in another form, which may be any of these in the frame's other wordings."""

BREAKS = frozenset({"and", "or", "then", "but", "so", "because", "if", "unless", "while", "which", "who"})
"""Words that a slot inside a sentence doesn't reach over."""

PASSES = 3
"""How often a sentence may become another frame's."""

WIDEST = 60
"""Tokens that a slot holds at most."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """One wording of a frame, and the first wording of that frame, which stands for all."""

    tokens: tuple[Token, ...]
    first: tuple[Token, ...]
    moves: bool
    """Whether a place in a file (`in a.py`) says the same wherever it stands."""
    things: frozenset[tuple[Token, ...]]
    """What may stand in its slot T."""
    fixed: frozenset[Token]
    """Its tokens that aren't slots."""
    weight: tuple[int, int, int, tuple[Token, ...]]
    """Of two that fit, the lighter is meant: it has more words of its own, fewer slots, narrower ones."""

    @classmethod
    def of(
        cls, tokens: tuple[Token, ...], first: tuple[Token, ...], moves: bool, things: frozenset[tuple[Token, ...]]
    ) -> "Pattern":
        fixed = [token for token in tokens if token.kind != "slot"]
        narrow = sum(token.kind == "slot" and token.text not in "XYZ" for token in tokens)
        weight = (-len(fixed), len(tokens) - len(fixed), -narrow, tokens)
        return cls(tokens, first, moves, things, frozenset(fixed), weight)


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
            things = frozenset(pattern_tokens(thing, lexicon) for thing in frame.get("things", ()))
            for wordings in wordings_of(frame):
                found = [pattern_tokens(wording, lexicon) for wording in wordings]
                for tokens in found:
                    pattern = Pattern.of(tokens, found[0], frame.get("moves", False), things)
                    patterns.setdefault((tokens, things), pattern)
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
        candidates = [
            pattern for token in present for pattern in self.patterns.get(token, ()) if pattern.fixed <= present
        ]
        for pattern in sorted(candidates, key=lambda each: each.weight):
            slots = self._match(pattern, tokens)
            if slots is not None:
                found = [token for part in pattern.first for token in slots.get(part, (part,))]
                found += slots[REST]
                return _with_place_last(found) if pattern.moves else found
        return tokens

    def _match(self, pattern: Pattern, tokens: Sequence[Token]) -> dict[Token, tuple[Token, ...]] | None:
        """What stands in each slot, and after the pattern; None where it doesn't fit, or fits in two ways."""
        slots: dict[Token, tuple[Token, ...]] = {}
        place, parts = 0, pattern.tokens
        index = 0
        while index < len(parts):
            part = parts[index]
            if part.kind != "slot":
                if place >= len(tokens) or tokens[place] != part:
                    return None
                place, index = place + 1, index + 1
                continue
            fixed = _fixed_after(parts, index)
            if part.text == "T":
                ends = [end for end in range(place + 1, place + 4) if tuple(tokens[place:end]) in pattern.things]
                if not ends:
                    return None
                end = ends[-1]
            elif part.text == "N":
                end = self._end_of_noun(tokens, place)
            elif part.text not in "XYZ":
                end = place + 1
            elif fixed:
                ends = [
                    end
                    for end in range(place + 1, min(len(tokens), place + WIDEST) - len(fixed) + 1)
                    if tuple(tokens[end : end + len(fixed)]) == fixed
                ]
                if len(ends) != 1:
                    return None
                end = ends[0]
            elif index == len(parts) - 1:
                end = len(tokens)
            else:
                end = next(
                    (at for at in range(place + 1, len(tokens)) if self._fits(parts[index + 1], tokens[at : at + 1])), 0
                )
            content = tuple(tokens[place:end])
            inner = index < len(parts) - 1 or pattern.first[-1] != part
            if not content or not self._fits(part, content) or (inner and _is_broken(content)):
                return None
            if index == 0 and any(self._is_sentence_word(token) for token in content):
                return None
            if part.text.startswith("V"):
                base = self.lexicon.base(content[0])
                slots[Token("slot", "V")] = (base,)
                slots[Token("slot", "Vs")] = (self.lexicon.third(base),)
                slots[Token("slot", "Ved")] = (self.lexicon.participle(base),)
            else:
                slots[part] = content
            place, index = end, index + 1
        rest = tuple(tokens[place:])
        if rest and not self.lexicon.is_in(rest[0], "prepositions", "conditions"):
            return None
        return {**slots, REST: rest}

    def _end_of_noun(self, tokens: Sequence[Token], place: int) -> int:
        """Where a noun of code ends that has at most two words before it that say which."""
        for end in range(place + 1, min(len(tokens), place + 3) + 1):
            token = tokens[end - 1]
            if self.lexicon.is_noun(token):
                return end
            if token.kind == "mark" or self.lexicon.is_in(token, "bounds", "ordinals") or token.text in AUXILIARIES:
                break
        return place

    def _is_sentence_word(self, token: Token) -> bool:
        """Whether a token shows that more than the name of a thing stands at a sentence's start."""
        return self.lexicon.is_in(token, "conditions", "pronouns") or (
            token.kind == "word" and (token.text in AUXILIARIES or token.text in ("not", "never", "to"))
        )

    def _fits(self, slot: Token, content: Sequence[Token]) -> bool:
        if not content or slot.text in "XYZT":
            return bool(content)
        token = content[-1] if slot.text == "N" else content[0]
        match slot.text:
            case "P":
                return token.kind == "path"
            case "L" | "M":
                return token.is_literal
            case "D":
                return token.kind in ("number", "version", "quote") or is_word(token, "true", "false", "null", "zero")
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


REST = Token("slot", "")


def pattern_tokens(wording: str, lexicon: Lexicon) -> tuple[Token, ...]:
    """A wording of a frame in plain order, with its slots."""
    (sentence,) = sentences(wording)
    words = lexicon.words_of(sentence)
    marked = [Token("slot", token.text) if token.text in SLOTS else token for token in words]
    return tuple(plain_order(marked, lexicon))


def _fixed_after(parts: Sequence[Token], index: int) -> tuple[Token, ...]:
    fixed: list[Token] = []
    for part in parts[index + 1 :]:
        if part.kind == "slot":
            break
        fixed.append(part)
    return tuple(fixed)


def _is_broken(content: Sequence[Token]) -> bool:
    for place, token in enumerate(content):
        if token.kind == "mark":
            return True
        if token.kind == "word" and token.text in BREAKS:
            between = content[place - 1 : place + 2]
            if not (place and len(between) == 3 and between[0].is_literal and between[2].is_literal):
                return True
    return False


def _with_place_last(tokens: list[Token]) -> list[Token]:
    """`in a.py` at the end, where it is the only place in a sentence."""
    places = [place for place, token in enumerate(tokens) if is_word(token, "in")]
    if len(places) != 1 or places[0] + 1 >= len(tokens) or tokens[places[0] + 1].kind != "path":
        return tokens
    start = places[0]
    return [*tokens[:start], *tokens[start + 2 :], *tokens[start : start + 2]]


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
