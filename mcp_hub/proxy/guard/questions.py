"""Questions in one order of words: asked straight, asked indirectly ("tell me where x is"), or asked for as a list.

A question becomes its question word, its auxiliary, its subject, the verb's base. Where the verb can't be told from a
noun, the words stay as they are: two texts then ask the same only if they are the same.
"""

import re
from collections.abc import Sequence

from mcp_hub.proxy.guard.literals import Token
from mcp_hub.proxy.guard.words import AUXILIARIES, Lexicon, is_word, phrase_at

DO = Token("word", "do")
WHETHER = Token("word", "whether")
WHICH = Token("word", "which")
QUESTION_WORDS = frozenset({"what", "why", "how", "where", "when", "who", "which", "whose", "whether"})
SUBJECTLESS = frozenset({"why", "where", "when", "how", "whether"})
"""Question words that are never the subject themselves."""

DOUBTS = frozenset({"do you know", "i am not sure", "i wonder", "i was wondering"})
"""What asks whether or when, and can't ask for a word at that time."""

DOCUMENT = re.compile(r"\.(?:md|mdx|rst|txt|adoc|html?)\b|README|CHANGELOG", re.IGNORECASE)
"""A file that an answer may be written to."""

PLACES = ("in", "on", "at", "to", "for", "into", "as")

DEGREES = frozenset({"many", "much", "often", "long", "large", "big", "far", "old", "deep", "fast", "slow"})


def in_one_order(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """A sentence, with its words in the one order if it is a question; else as it is."""
    asked = _asked(_as_question(tokens, lexicon), lexicon)
    if asked is None:
        return tokens
    if is_word(asked[-1], "exactly"):
        asked = asked[:-1]
    elif len(asked) > 2 and is_word(asked[1], "exactly"):
        asked = [asked[0], *asked[2:]]
    word, end = asked[0], _end_of_question_word(asked, lexicon)
    if word.text == "how" and len(asked) > 1 and is_word(asked[1], "to"):
        return [word, Token("word", "can"), Token("word", "i"), *asked[2:]]
    asked = _with_verb_first(asked, end, lexicon)
    for step in (_with_not_first, _with_plain_present, _without_get, _with_subject_first, _with_thing_first):
        asked = step(asked, lexicon)
    return asked


def kind_of(tokens: Sequence[Token]) -> str:
    """What kind of answer a sentence in the one order asks for: a question word, `how many`, or `do`."""
    if (
        len(tokens) > 1
        and is_word(tokens[1], "which", "what", "whom")
        and is_word(tokens[0], "in", "by", "for", "to", "with")
    ):
        return "who" if is_word(tokens[1], "whom") else tokens[1].text
    if not tokens or tokens[0].kind != "word" or tokens[0].text not in QUESTION_WORDS:
        return "do"
    if is_word(tokens[0], "how") and len(tokens) > 1 and tokens[1].text in DEGREES:
        return f"how {tokens[1].text}"
    if is_word(tokens[0], "how") and len(tokens) > 2 and is_word(tokens[1], "can", "do") and is_word(tokens[2], "i"):
        return "how to"
    return tokens[0].text


def _as_question(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`list all files that x` and `tell me why x` as the questions that they are."""
    why = phrase_at(tokens, 0, lexicon.whys)
    if why is not None and why[0] < len(tokens) and _is_bare(tokens[why[0] :], False, lexicon):
        return [Token("word", "why"), *tokens[why[0] :]]
    listed = phrase_at(tokens, 0, lexicon.lists)
    if listed is not None:
        found = _listing(tokens, listed[0], lexicon)
        if found is not None and _is_bare(found, True, lexicon):
            return found
    asked = phrase_at(tokens, 0, lexicon.asks)
    if asked is None or asked[0] >= len(tokens):
        return tokens
    following, body = tokens[asked[0]], tokens[asked[0] :]
    if following.kind != "word" or not _is_bare(body, lexicon.is_in(tokens[0], "written"), lexicon):
        return tokens
    if following.text in ("if", "when", "whether"):
        # `tell me when it ends` may wait for that, `find out if the user exists` may be a function's task.
        doubts = " ".join(token.text for token in tokens[: asked[0]]) in DOUBTS
        return [WHETHER, *body[1:]] if doubts and following.text == "if" else body if doubts else tokens
    return body if following.text in QUESTION_WORDS else tokens


def _is_bare(body: Sequence[Token], written: bool, lexicon: Lexicon) -> bool:
    """Whether nothing in a question says how or where it is to be answered: `in french`, `for beginners`, `in a.md`.

    `written`: the answer may be something to write, so that a place may be where to.
    """
    for place, token in enumerate(body[:-1]):
        following = body[place + 1]
        if not lexicon.is_in(token, "manners") or following.kind == "slot":
            continue
        if is_word(token, "to") and (place == 1 or lexicon.is_base(following)):
            continue
        if following.is_literal:
            if following.kind == "name" or DOCUMENT.search(following.text):
                return False
        elif not is_word(following, "the", "this", "our", "my") or (written and is_word(token, *PLACES)):
            return False
    return True


def _listing(tokens: list[Token], start: int, lexicon: Lexicon) -> list[Token] | None:
    """`(list) all files that x`: which files x. None where what follows isn't such a list."""
    while start < len(tokens) and is_word(tokens[start], "all", "of", "the"):
        start += 1
    if start >= len(tokens) - 2 or not lexicon.is_in(tokens[start], "listable"):
        return None
    many = lexicon.is_plural(tokens[start])
    if not many and not (is_word(tokens[start - 1], "the") and phrase_at(tokens, 0, lexicon.finds)):
        # `show the function that x` asks for its text, `find the function that x` which one it is.
        return None
    if not is_word(tokens[start + 1], "that", "which"):
        return None
    return [WHICH, tokens[start], *tokens[start + 2 :]]


def _asked(tokens: list[Token], lexicon: Lexicon) -> list[Token] | None:
    """The tokens from a question word on, which `is x ...` gets too; `what files` is `which files`. None: no question.

    A sentence in this one order may be read again: it stays as it is."""
    first = tokens[0]
    if first.kind != "word":
        return None
    if first.text in AUXILIARIES and len(tokens) > 2:
        after_not = tokens[2] if is_word(tokens[1], "not") else None
        if after_not is not None and first.text == "do" and lexicon.is_base(after_not):
            return None
        if first.text in ("do", "have") and is_word(tokens[1], "a", "an", "it", "this", "that"):
            return None
        return [WHETHER, *tokens]
    if first.text not in QUESTION_WORDS:
        return None
    if first.text == "what" and len(tokens) > 1 and _is_thing(tokens, lexicon):
        tokens = [WHICH, *tokens[1:]]
    if tokens[0] == WHICH and len(tokens) > 3 and is_word(tokens[2], "version") and not is_word(tokens[1], "version"):
        return [WHICH, tokens[2], Token("word", "of"), tokens[1], *tokens[3:]]
    return tokens


def _is_thing(tokens: Sequence[Token], lexicon: Lexicon) -> bool:
    """Whether `what` stands before a noun, as `which` would."""
    for place, token in enumerate(tokens[1:4], start=1):
        if token.kind in ("mark", "slot") and token.text != "N":
            return False
        if lexicon.is_noun(token) or token == ("slot", "N"):
            # In `what line 4 does` the noun only says what the name is the name of.
            return place + 1 == len(tokens) or not tokens[place + 1].is_literal
        if lexicon.is_in(token, "bounds") or token.text in AUXILIARIES:
            return False
    return False


def _end_of_question_word(tokens: Sequence[Token], lexicon: Lexicon) -> int:
    """Where the question word ends with what belongs to it: `which files`, `how many tests`."""
    word = tokens[0].text
    if word == "how" and len(tokens) > 1 and tokens[1].text in DEGREES:
        return _end_of_noun(tokens, 2, lexicon)
    if word in ("which", "whose"):
        return _end_of_noun(tokens, 1, lexicon)
    return 1


def _end_of_noun(tokens: Sequence[Token], start: int, lexicon: Lexicon) -> int:
    end = start
    for place in range(start, min(len(tokens), start + 4)):
        token = tokens[place]
        if lexicon.is_in(token, "bounds") or token.text in AUXILIARIES or token.kind == "mark":
            break
        if lexicon.is_noun(token) or token == ("slot", "N"):
            end = place + 1
            if end < len(tokens) and lexicon.is_noun(tokens[end]) and not lexicon.is_base(tokens[end]):
                continue
            break
    if end > start and end < len(tokens) - 1 and is_word(tokens[end], "of"):
        for place in range(end + 2, min(len(tokens), end + 7)):
            if tokens[place].text in AUXILIARIES or is_word(tokens[place], "i", "we", "you"):
                return place
    return end


def _with_verb_first(tokens: list[Token], start: int, lexicon: Lexicon) -> list[Token]:
    """The auxiliary, or `do` for a verb without one, moved before its subject."""
    if start >= len(tokens):
        return tokens
    if tokens[start].kind == "word" and tokens[start].text in AUXILIARIES:
        return [*tokens[:start], Token("word", AUXILIARIES[tokens[start].text]), *tokens[start + 1 :]]
    found = _verb(tokens, start, lexicon)
    if found is None:
        return tokens
    place, form = found
    if tokens[0].text not in SUBJECTLESS and all(lexicon.is_in(token, "adverbs") for token in tokens[start:place]):
        return tokens
    head, subject, verb, rest = tokens[:start], tokens[start:place], tokens[place], tokens[place + 1 :]
    if form == "auxiliary":
        return [*head, Token("word", AUXILIARIES[verb.text]), *subject, *rest]
    auxiliary = Token("word", "did") if form == "ed" else DO
    return [*head, auxiliary, *subject, verb if form == "base" else lexicon.base(verb), *rest]


def _verb(tokens: Sequence[Token], start: int, lexicon: Lexicon) -> tuple[int, str] | None:
    """Where the verb of a statement is and its form. None where more than one word may be it, or none is."""
    candidates: list[tuple[int, str]] = []
    for place in range(start, len(tokens)):
        token, before = tokens[place], tokens[place - 1]
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        if place > start and (
            lexicon.is_in(token, "conditions") or token.text in QUESTION_WORDS or token.text == "that"
        ):
            break
        if token.kind not in ("word", "slot"):
            continue
        if token.text in AUXILIARIES and not _is_main_verb(token, following, lexicon):
            # A word that may be a verb's base is a noun then: `the date filter is slow`.
            return (place, "auxiliary") if all(form == "base" for _, form in candidates) else None
        if lexicon.is_in(before, "determiners", "prepositions") or is_word(before, "to", "and", "or"):
            continue
        form = "base" if lexicon.is_base(token) else lexicon.form(token)
        if token.text in ("does", "has"):
            form = "s"
        if form is not None and form != "ing":
            candidates.append((place, form))
    if len(candidates) != 1:
        return None
    place, form = candidates[0]
    following = tokens[place + 1] if place + 1 < len(tokens) else None
    if form in ("s", "ed") and following is not None and not _may_follow_a_verb(following, lexicon):
        return None
    return place, form


def _is_main_verb(token: Token, following: Token | None, lexicon: Lexicon) -> bool:
    """Whether `does`, `do` or `has` is a verb of its own: no verb comes after it."""
    if token.text not in ("does", "do", "has", "have"):
        return False
    if following is None:
        return True
    if token.text in ("does", "do"):
        return not (is_word(following, "not") or lexicon.is_base(following))
    return not (is_word(following, "not", "been") or lexicon.form(following) == "ed")


def _may_follow_a_verb(token: Token, lexicon: Lexicon) -> bool:
    return (
        token.is_literal
        or token.kind == "mark"
        or lexicon.is_in(token, "determiners", "prepositions", "conditions", "after_verbs", "pronouns")
    )


def _with_not_first(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`why do x not work` as `why do not x work`, the order that "why doesn't x work" has."""
    nots = [place for place, token in enumerate(tokens) if is_word(token, "not")]
    if len(nots) != 1 or len(tokens) < 4:
        return tokens
    place = nots[0]
    auxiliaries = [at for at in range(1, min(place, 6)) if is_word(tokens[at], "do", "did", "be", "was")]
    if not auxiliaries or place + 1 >= len(tokens):
        return tokens
    verb, after_be = tokens[place + 1], is_word(tokens[auxiliaries[0]], "be", "was")
    if not (lexicon.form(verb) in ("ed", "ing") or lexicon.is_participle(verb) if after_be else lexicon.is_base(verb)):
        return tokens
    first = auxiliaries[0]
    return [*tokens[: first + 1], tokens[place], *tokens[first + 1 : place], *tokens[place + 1 :]]


def _with_plain_present(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`why be x failing` as `why do x fail`, `which x be we using` as `... do we use`: now and always ask the same."""
    try:
        place = tokens.index(Token("word", "be"))
    except ValueError:
        return tokens
    start = place + 1
    for end in range(start, len(tokens)):
        token, before = tokens[end], tokens[end - 1]
        if lexicon.is_in(token, "conditions") or is_word(token, "not", "that", "which", "being", "and", "or"):
            break
        if lexicon.form(token) == "ed":
            break
        if lexicon.form(token) != "ing":
            continue
        base, ours = lexicon.base(token), is_word(tokens[start], "we")
        if not lexicon.is_in(base, "steady") or not (ours or tokens[0].text == "why" or is_word(base, "fail", "cause")):
            break
        if end == start:
            if tokens[0].text == "what" and place == 1:
                return [tokens[0], lexicon.third(lexicon.base(token)), *tokens[end + 1 :]]
            many = place >= 2 and tokens[0].text == "which" and lexicon.is_plural(tokens[place - 1])
            return [*tokens[:place], lexicon.base(token), *tokens[end + 1 :]] if many else tokens
        if lexicon.is_in(before, "determiners", "prepositions") or is_word(before, "to"):
            break
        return [*tokens[:place], DO, *tokens[start:end], lexicon.base(token), *tokens[end + 1 :]]
    return tokens


def _without_get(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`how do x get loaded` as `how be x loaded`."""
    for place in range(2, len(tokens) - 1):
        if is_word(tokens[place], "get") and lexicon.form(tokens[place + 1]) == "ed" and DO in tokens[1:place]:
            first = tokens.index(DO)
            return [*tokens[:first], Token("word", "be"), *tokens[first + 1 : place], *tokens[place + 1 :]]
    return tokens


def _with_subject_first(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`which files be used by x` as `which files do x use`."""
    place = next((place for place, token in enumerate(tokens) if is_word(token, "be", "was")), 0)
    if tokens[0] != WHICH or not place:
        return tokens
    if place + 3 >= len(tokens) or not lexicon.is_participle(tokens[place + 1]) or not is_word(tokens[place + 2], "by"):
        return tokens
    by = tokens[place + 3]
    if not (by.is_literal or by.kind == "slot" or is_word(by, "the", "this", "our", "my")):
        return tokens
    end = place + 3
    while end < len(tokens) and not lexicon.is_in(tokens[end], "prepositions", "conditions"):
        end += 1
    auxiliary = DO if is_word(tokens[place], "be") else Token("word", "did")
    return [*tokens[:place], auxiliary, *tokens[place + 3 : end], lexicon.base(tokens[place + 1]), *tokens[end:]]


def _with_thing_first(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`where do we set x` as `where be x set`. Not with `how`: how we do a thing may be how to do it."""
    if not is_word(tokens[0], "where"):
        return tokens
    if (
        len(tokens) < 5
        or not is_word(tokens[1], "do", "did")
        or not is_word(tokens[2], "we")
        or not lexicon.is_base(tokens[3])
    ):
        return tokens
    end = 4
    while end < len(tokens) and (is_word(tokens[end], "of") or not lexicon.is_in(tokens[end], "joints")):
        end += 1
    thing = tokens[4:end]
    if (
        not thing
        or not (thing[0].is_literal or thing[0].kind == "slot" or lexicon.is_in(thing[0], "determiners"))
        or is_word(thing[0], "up", "down", "out", "off", "over", "not", "to", "back")
        or tokens[3].kind == "slot"
    ):
        return tokens
    auxiliary = Token("word", "be" if tokens[1] == DO else "was")
    return [tokens[0], auxiliary, *thing, lexicon.participle(tokens[3]), *tokens[end:]]
