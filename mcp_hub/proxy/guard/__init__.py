"""Decides whether the answer to one request to a coding agent may be given for another, differently worded one.

Pure. A yes that is wrong hands out the answer to another question, a no only costs a call: what can't be decided is
refused. Both texts are read into one plain form, and ask the same only if their forms are equal, token by token:

    literals.py   what isn't a plain word is cut out first, as it is spelt
    words.py      the words and phrases that ask the same, and the forms of verbs, from lexicon.toml
    questions.py  questions in one order of words
    clauses.py    politeness and articles dropped, what stands in front put last
    frames.py     whole sentences that ask the same, from frames.toml
    reasons.py    what keeps two forms apart, in plain words

So only what these files name may differ between two texts. Any other word, in any other place, is a refusal.
"""

from mcp_hub.proxy.guard.clauses import plain_sentences
from mcp_hub.proxy.guard.frames import Frames
from mcp_hub.proxy.guard.literals import Token
from mcp_hub.proxy.guard.reasons import difference

LONGEST = 2000
"""Characters of the longest text that is decided on. Longer ones are rarely asked twice in other words."""


def refusal(text: str, other: str) -> str | None:
    """Why the answer to one text may not be given for the other; None if they ask the same.

    Says the same whichever comes first. Never raises.
    """
    if max(len(text), len(other)) > LONGEST:
        return f"a text has over {LONGEST} characters"
    one, two = sorted((text, other))
    if one.strip() == two.strip():
        return None
    readings = reading(one), reading(two)
    if not readings[0] or not readings[1]:
        return "a text asks for nothing that is known"
    return None if readings[0] == readings[1] else difference(*readings)


def reading(text: str) -> list[list[Token]]:
    """The plain form of a text: its sentences, each in the wording that stands for all that ask the same."""
    frames = Frames.shipped()
    return [frames.framed(sentence) for sentence in plain_sentences(text, frames.lexicon)]
