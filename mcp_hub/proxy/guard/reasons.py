"""Why two texts don't ask the same, in plain words: the first difference of those that matter most.

A reason is read by others than who asked. It names what differs by its kind, and shows only words of the vocabulary.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from mcp_hub.proxy.guard.literals import Token
from mcp_hub.proxy.guard.questions import kind_of

PLURALS = {
    "path": "paths", "identifier": "identifiers", "number": "numbers", "quote": "quoted texts", "url": "URLs",
    "version": "versions", "code": "pieces of code", "flag": "flags", "name": "names",
}  # fmt: skip

NEGATIONS = frozenset({"not", "never", "no", "without", "none", "neither", "nor", "nothing"})


def difference(one: Sequence[Token], other: Sequence[Token], vocabulary: Collection[str]) -> str:
    """What keeps two readings apart, which aren't equal. Only words of the vocabulary are shown."""
    counts = Counter(one), Counter(other)
    only = [sorted((counts[0] - counts[1]).elements()), sorted((counts[1] - counts[0]).elements())]
    literals = [[token.kind for token in each if token.is_literal] for each in only]
    if literals[0] and literals[1]:
        same = literals[0][0] == literals[1][0]
        return f"the {PLURALS.get(literals[0][0], 'literals') if same else 'literals'} differ"
    if literals[0] or literals[1]:
        return f"one has {PLURALS.get((literals[0] or literals[1])[0], 'literals')} that the other lacks"
    negated = [sum(token.text in NEGATIONS for token in each) for each in only]
    if negated[0] != negated[1]:
        return "one is negated"
    kinds = kind_of(one), kind_of(other)
    if kinds[0] != kinds[1]:
        return f"the questions are of different kinds: {kinds[0]}, {kinds[1]}"
    words = [[token.text for token in each] for each in only]
    if not all(word in vocabulary for each in words for word in each[:1]):
        return "the words differ"
    if len(words[0]) == len(words[1]) == 1:
        return f"{words[0][0]!r} against {words[1][0]!r}"
    if words[0] or words[1]:
        return f"{(words[0] or words[1])[0]!r} has nothing to match"
    orders = [[token for token in each if token.is_literal] for each in (one, other)]
    return "the order of arguments differs" if orders[0] != orders[1] else "the order of words differs"
