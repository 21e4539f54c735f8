"""The closed vocabulary: which words and phrases ask the same of an agent, and the forms of the verbs it knows.

Read from lexicon.toml. A word that isn't there is no mistake: it matches itself, and nothing else.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mcp_hub.proxy.guard.literals import NAMING, Token

TABLE = Path(__file__).with_name("lexicon.toml")

Phrases = Mapping[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]
"""By the first word of a phrase: the phrases that start so, the longest first, each with what stands for it."""

AUXILIARIES: Mapping[str, str] = {
    "is": "be", "are": "be", "was": "was", "were": "was", "do": "do", "does": "do", "did": "did", "has": "have",
    "have": "have", "had": "had", "can": "can", "could": "could", "should": "should", "will": "will",
    "would": "would", "may": "may", "might": "might", "must": "must",
}  # fmt: skip
"""Verbs that change places with their subject in a question. The subject says whether it is one or many."""

BEFORE_I = frozenset(
    {"do", "can", "could", "should", "did", "am", "may", "must", "would", "will", "if", "when", "what", "where"}
)
"""Words before which `i` isn't the name of a variable."""

SPOKEN_OF = frozenset({"explain", "does", "do", "is", "of", "the"})
"""Words after which a contraction is no verb: `what does isn't mean`."""


@dataclass(frozen=True)
class Verb:
    """A phrase that stands for a verb, at the start of a request."""

    words: tuple[str, ...]
    instead: tuple[str, ...]
    of: frozenset[str]
    """The things of which it does: the last word before a preposition, or the kind of a literal. Empty: any."""


@dataclass(frozen=True)
class Lexicon:
    """The vocabulary, ready to be looked up."""

    spellings: Mapping[str, str]
    same: Phrases
    verbs: Mapping[str, tuple[Verb, ...]]
    """By the first word of a phrase, the longest first."""
    openings: Phrases
    requests: Phrases
    """Openings in the form of a question, which may be one: only what follows tells."""
    closings: Phrases
    asks: Phrases
    lists: Phrases
    finds: Phrases
    whys: Phrases
    gerunds: frozenset[str]
    nouns: Mapping[str, str]
    """Plural -> singular of what code is made of."""
    singulars: frozenset[str]
    bases: frozenset[str]
    forms: Mapping[str, tuple[str, str]]
    """A verb's other form -> its base and which form it is: "s", "ing" or "ed"."""
    thirds: Mapping[str, str]
    """The base of a verb -> its form after he, she or it."""
    participles: Mapping[str, str]
    """The base of a verb -> its form after `is`, where something is done to a thing."""
    known: frozenset[str]
    sets: Mapping[str, frozenset[str]]

    @classmethod
    @cache
    def shipped(cls) -> "Lexicon":
        """The vocabulary in lexicon.toml."""
        data = tomllib.loads(TABLE.read_text(encoding="utf-8"))
        forms = dict(_forms(data["verbs"]["forms"]["known"].split(), data["verbs"]["forms"]["irregular"]))
        bases = frozenset(data["verbs"]["forms"]["known"].split())
        nouns = {_plural(noun): noun for noun in data["nouns"].split()} | data["plurals"]
        groups = [*data["same"], *(group["says"] for group in data["verbs"]["groups"]), *data["lists"], *data["finds"]]
        groups += [*data["asks"], *data["openings"], *data["requests"]]
        known = {word for phrase in _flat(groups) for word in phrase.split()}
        known |= {word for words in data["sets"].values() for word in words.split()}
        return cls(
            data["spellings"],
            _phrases(data["same"]),
            _verbs(data["verbs"]["groups"]),
            _phrases([["", phrase] for phrase in data["openings"]]),
            _phrases([["", phrase] for phrase in data["requests"]]),
            _phrases([["", phrase] for phrase in data["closings"]]),
            _phrases([["", phrase] for phrase in data["asks"]]),
            _phrases([["", phrase] for phrase in [*data["lists"], *data["finds"]]]),
            _phrases([["", phrase] for phrase in data["finds"]]),
            _phrases([["why", phrase] for phrase in data["whys"]]),
            frozenset(data["gerunds"]),
            nouns,
            frozenset(nouns.values()),
            bases,
            forms,
            {base: form for form, (base, kind) in forms.items() if kind == "s"},
            {base: base for base in bases} | {base: form for form, (base, kind) in forms.items() if kind == "ed"},
            frozenset(known | bases | set(forms) | set(nouns) | set(nouns.values()) | set(AUXILIARIES)),
            {name: frozenset(words.split()) for name, words in data["sets"].items()},
        )

    def words_of(self, tokens: Sequence[Token]) -> list[Token]:
        """A sentence with contractions written out and its first word in lower case, up to where it may name words."""
        found: list[Token] = []
        named = next((place for place, token in enumerate(tokens) if NAMING.fullmatch(token.text)), len(tokens))
        for place, token in enumerate(tokens):
            lower = token.text.lower()
            if token.kind == "name" and not place and self._is_capitalized(tokens):
                token = Token("word", token.text)
            if token == ("word", "i") and not (place == 0 or tokens[place - 1].text.lower() in BEFORE_I):
                token = Token("identifier", "i")
            if token.kind != "word":
                owner = token.text.removesuffix("'s") if token.kind == "name" else token.text
                found += [Token(token.kind, owner), *word_tokens(["'s"] * (owner != token.text))]
            elif place > named or (place and lower.endswith("n't") and tokens[place - 1].text.lower() in SPOKEN_OF):
                found.append(Token("word", lower))
            else:
                found += word_tokens(word for part in _written_out(lower) for word in self._spelt(part, place).split())
        return found if named < len(tokens) or self._has_both(found) else replaced(found, self.same)

    def _spelt(self, word: str, place: int) -> str:
        """The one spelling of a sentence's first word: any later one may be the name of something."""
        return self.spellings.get(word, word) if not place else word

    def _has_both(self, tokens: Sequence[Token]) -> bool:
        """Whether two phrases for one thing are in a sentence, which may be about the two."""
        text = f" {' '.join(token.text for token in tokens)} "
        said = [entry for entries in self.same.values() for entry in entries if f" {' '.join(entry[0])} " in text]
        return len(said) > 1 or any(f" {' '.join(instead)} " in text for _, instead in said)

    def _is_capitalized(self, tokens: Sequence[Token]) -> bool:
        """Whether the first word has its capital only from standing there: it is known, and no thing of that name."""
        word = tokens[0].text.lower()
        following = tokens[1] if len(tokens) > 1 else None
        if word in self.singulars or word in self.nouns:
            # `User is slow` may be the class; `Test a.py` and `Log the error` are requests.
            if following is None or word not in self.bases:
                return False
            return following.is_literal or self.is_in(following, "determiners") or following.text in ("if", "whether")
        return word in self.spellings or self._is_known(word)

    def _is_known(self, word: str) -> bool:
        return all(part in self.known or part in ("not", "would", "'s") for part in _written_out(word))

    def is_in(self, token: Token, *names: str) -> bool:
        """Whether a token is a word of one of the sets of that name."""
        return token.kind == "word" and any(token.text in self.sets[name] for name in names)

    def is_base(self, token: Token) -> bool:
        """Whether a token may be a verb in its base form."""
        return token == Token("slot", "V") or (token.kind == "word" and token.text in self.bases)

    def form(self, token: Token) -> str | None:
        """Which form of a known verb a token may be, but for its base."""
        if token.kind == "slot":
            return {"Vs": "s", "Ving": "ing", "Ved": "ed"}.get(token.text)
        return self.forms[token.text][1] if token.kind == "word" and token.text in self.forms else None

    def base(self, token: Token) -> Token:
        """The base of a verb in another form, or in a form that is the same."""
        if token.kind == "slot":
            return Token("slot", "V")
        return Token("word", self.forms[token.text][0]) if token.text in self.forms else token

    def is_participle(self, token: Token) -> bool:
        """Whether a token may be the form of a verb that follows `is` when something is done to a thing."""
        return self.form(token) == "ed" or (token.kind == "word" and self.participles.get(token.text) == token.text)

    def participle(self, base: Token) -> Token:
        """That form of a verb."""
        return Token("slot", "Ved") if base.kind == "slot" else Token("word", self.participles[base.text])

    def third(self, base: Token) -> Token:
        """The form of a verb after he, she or it."""
        return Token("slot", "Vs") if base.kind == "slot" else Token("word", self.thirds[base.text])

    def plural_of(self, noun: Token) -> Token:
        """The plural of a noun of code."""
        return Token("word", next(plural for plural, single in self.nouns.items() if single == noun.text))

    def is_plural(self, token: Token) -> bool:
        """Whether a token is the plural of a noun of code."""
        return token.kind == "word" and token.text in self.nouns

    def is_noun(self, token: Token) -> bool:
        """Whether a token is a noun of code, one or many."""
        if token.kind == "slot":
            return token.text == "T"
        return token.kind == "word" and (token.text in self.nouns or token.text in self.singulars)


def word_tokens(words: Iterable[str]) -> list[Token]:
    """Words as tokens."""
    return [Token("word", word) for word in words]


def is_word(token: Token, *words: str) -> bool:
    """Whether a token is one of these words."""
    return token.kind == "word" and token.text in words


def phrase_at(tokens: Sequence[Token], start: int, phrases: Phrases) -> tuple[int, tuple[str, ...]] | None:
    """The longest phrase that starts at a place: its length, and what stands for it. None: there's none."""
    if start >= len(tokens) or tokens[start].kind != "word":
        return None
    for phrase, instead in phrases.get(tokens[start].text, ()):
        if len(phrase) <= len(tokens) - start and all(
            tokens[start + place] == ("word", word) for place, word in enumerate(phrase)
        ):
            return len(phrase), instead
    return None


def replaced(tokens: Sequence[Token], phrases: Phrases) -> list[Token]:
    """The tokens with each phrase replaced by what stands for it."""
    found: list[Token] = []
    start = 0
    while start < len(tokens):
        match = phrase_at(tokens, start, phrases)
        if match is None:
            found.append(tokens[start])
            start += 1
        else:
            found += word_tokens(match[1])
            start += match[0]
    return found


def _written_out(word: str) -> list[str]:
    special = {"can't": "can not", "cannot": "can not", "won't": "will not", "let's": "let's"}
    if word in special:
        return special[word].split()
    for ending, instead in (("n't", "not"), ("'re", "are"), ("'ve", "have"), ("'ll", "will"), ("'m", "am")):
        if word.endswith(ending) and len(word) > len(ending):
            return [word.removesuffix(ending), instead]
    if word.endswith("'d"):
        return [word.removesuffix("'d"), "would"]
    if word.endswith("'s") and word != "'s":
        stem = word.removesuffix("'s")
        return [stem, "is" if stem in ("what", "where", "how", "who", "when", "why", "that", "there", "it") else "'s"]
    return [word]


def _verbs(groups: Iterable[Mapping[str, Any]]) -> Mapping[str, tuple[Verb, ...]]:
    found: dict[str, list[Verb]] = {}
    for group in groups:
        first, *others = group["says"]
        for phrase in others:
            words = tuple(phrase.split())
            verb = Verb(words, tuple(first.split()), frozenset(group.get("of", "").split()))
            found.setdefault(words[0], []).append(verb)
    return {
        word: tuple(sorted(verbs, key=lambda verb: (-len(verb.words), verb.words))) for word, verbs in found.items()
    }


def _phrases(groups: Iterable[Sequence[str]]) -> Phrases:
    found: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for first, *others in groups:
        for phrase in others:
            words = tuple(phrase.split())
            found.setdefault(words[0], []).append((words, tuple(first.split())))
    return {word: tuple(sorted(entries, key=lambda entry: (-len(entry[0]), entry))) for word, entries in found.items()}


def _flat(groups: Iterable[str | Sequence[str]]) -> Iterable[str]:
    for group in groups:
        yield from [group] if isinstance(group, str) else group


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def _forms(bases: Iterable[str], irregular: Mapping[str, str]) -> Iterable[tuple[str, tuple[str, str]]]:
    """Each form of each verb but the base. `irregular` says those that no rule makes: past forms, then the rest."""
    for base in bases:
        ed, ing, third = f"{base}ed", f"{base}ing", f"{base}s"
        if base.endswith("e"):
            ed, ing = f"{base}d", f"{base[:-1]}ing"
        elif base.endswith("y") and base[-2] not in "aeiou":
            ed, third = f"{base[:-1]}ied", f"{base[:-1]}ies"
        elif base.endswith(("s", "x", "ch", "sh", "z")):
            third = f"{base}es"
        known = irregular.get(base, "").split()
        special = {form: ("ing" if form.endswith("ing") else "s" if form.endswith("s") else "ed") for form in known}
        kinds = set(special.values())
        regular = {third: "s", ing: "ing", ed: "ed"}
        chosen = {form: kind for form, kind in regular.items() if kind not in kinds} | special
        yield from ((form, (base, kind)) for form, kind in chosen.items() if form != base)
