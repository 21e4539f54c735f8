"""Decides whether the answer to one request to a coding agent may be given for another, differently worded one.

Pure. A yes that is wrong hands out the answer to another question, a no only costs a call: what can't be decided is
refused. Both texts are read into one plain form, and ask the same only if their forms are equal, token by token:

    literals.py   what isn't a plain word is cut out first, as it is spelt; only one sentence on one line is read
    words.py      the words and phrases that ask the same, and the forms of verbs, from lexicon.toml
    questions.py  questions in one order of words
    clauses.py    politeness dropped, a condition in front put last, one verb for those that ask the same
    frames.py     whole sentences that ask the same, from frames.toml
    reasons.py    what keeps two forms apart, in plain words

So only what these files name may differ between two texts. Any other word, in any other place, is a refusal.
"""

from collections.abc import Iterable, Iterator

from mcp_hub.proxy.guard.clauses import plain_order
from mcp_hub.proxy.guard.frames import Frames
from mcp_hub.proxy.guard.literals import Token, sentence
from mcp_hub.proxy.guard.reasons import difference

LONGEST = 2000
"""Characters of the longest text that is decided on. Longer ones are rarely asked twice in other words."""


def refusal(text: str, other: str) -> str | None:
    """Why the answer to one text may not be given for the other; None if they ask the same.

    Says the same whichever comes first, and shows nothing of either but words of the vocabulary. Never raises.
    """
    return next(refusals(text, [other]))


def refusals(text: str, others: Iterable[str]) -> Iterator[str | None]:
    """The refusal for each other text, in their order; `text` is read once, and only if need be."""
    own: list[Token] | None = None
    is_read = False
    for other in others:
        if max(len(text), len(other)) > LONGEST:
            yield f"a text has over {LONGEST} characters"
            continue
        if text == other:
            yield None
            continue
        if not is_read:
            own, is_read = reading(text), True
        yield _refused(own, reading(other))


def reading(text: str) -> list[Token] | None:
    """The plain form of a text: the wording that stands for all that ask the same; None if it is only like itself."""
    tokens = sentence(text)
    if tokens is None:
        return None
    frames = Frames.shipped()
    return frames.framed(plain_order(frames.lexicon.words_of(tokens), frames.lexicon))


def _refused(one: list[Token] | None, other: list[Token] | None) -> str | None:
    if one is None or other is None:
        return "a text is more than one plain sentence"
    if not one or not other:
        return "a text asks for nothing that is known"
    first, second = sorted((one, other))
    return None if one == other else difference(first, second, Frames.shipped().lexicon.known)
