"""Why two texts don't ask the same, in plain words: the first difference of those that matter most."""

from collections import Counter
from collections.abc import Sequence

from mcp_hub.proxy.guard.literals import Token
from mcp_hub.proxy.guard.questions import kind_of

PLURALS = {
    "path": "paths", "identifier": "identifiers", "number": "numbers", "quote": "quotes", "url": "URLs",
    "version": "versions", "code": "pieces of code", "flag": "flags", "name": "names",
}  # fmt: skip

NEGATIONS = frozenset({"not", "never", "no", "without", "none", "neither", "nor", "nothing"})

SHOWN = 60
"""Characters of a literal that a reason shows."""

Sentences = Sequence[Sequence[Token]]


def difference(one: Sentences, other: Sentences) -> str:
    """What keeps two readings apart, which aren't equal."""
    counts = [Counter(token for sentence in each for token in sentence) for each in (one, other)]
    only = [sorted((counts[0] - counts[1]).elements()), sorted((counts[1] - counts[0]).elements())]
    literals = _literals(*([token for token in each if token.is_literal] for each in only))
    if literals:
        return literals
    negated = [sum(token.text in NEGATIONS for token in each) for each in only]
    if negated[0] != negated[1]:
        return "one is negated"
    kinds = [[kind_of(sentence) for sentence in each] for each in (one, other)]
    if len(kinds[0]) == len(kinds[1]) and kinds[0] != kinds[1]:
        first, second = next(pair for pair in zip(*kinds, strict=True) if pair[0] != pair[1])
        return f"the questions are of different kinds: {first}, {second}"
    words = [[token.text for token in each] for each in only]
    if len(words[0]) == len(words[1]) == 1:
        return f"{words[0][0]!r} against {words[1][0]!r}"
    if words[0] or words[1]:
        return f"{(words[0] or words[1])[0]!r} has nothing to match"
    if len(one) != len(other):
        return "the sentences are cut differently"
    orders = [[token for sentence in each for token in sentence if token.is_literal] for each in (one, other)]
    return "the order of arguments differs" if orders[0] != orders[1] else "the order of words differs"


def _literals(one: Sequence[Token], other: Sequence[Token]) -> str | None:
    for first, second in zip(one, other, strict=False):
        if first.kind == second.kind:
            return f"the {PLURALS.get(first.kind, 'literals')} differ: {_shown(first)}, {_shown(second)}"
        return f"the literals differ: {_shown(first)}, {_shown(second)}"
    for token in (*one, *other):
        return f"{_shown(token)!r} has nothing to match"
    return None


def _shown(token: Token) -> str:
    return token.text if len(token.text) <= SHOWN else f"{token.text[:SHOWN]}..."
