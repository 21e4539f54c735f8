"""A sentence -> its plain order: politeness dropped, a condition in front put last, one verb for several.

What is dropped or moved here changes nothing of what is asked; where that depends on what stands beside it, it stays.
"""

from collections.abc import Sequence

from mcp_hub.proxy.guard.literals import Token
from mcp_hub.proxy.guard.questions import QUESTION_WORDS, in_one_order, kind_of
from mcp_hub.proxy.guard.words import AUXILIARIES, Lexicon, Verb, is_word, phrase_at, word_tokens

COMMA, COLON, QUESTION_MARK = Token("mark", ","), Token("mark", ":"), Token("mark", "?")
OF, THE = Token("word", "of"), Token("word", "the")
VOWELS = tuple("aeiou")


def plain_order(words: Sequence[Token], lexicon: Lexicon) -> list[Token]:
    """One sentence in plain order; empty if nothing of it asks for anything."""
    tokens, asked = _without_politeness(list(words), lexicon)
    asks = tokens[-1:] == [QUESTION_MARK]
    tokens = _with_condition_last(tokens[:-1] if asks else tokens, lexicon)
    if not tokens:
        return []
    tokens = in_one_order(tokens, lexicon)
    tokens = _with_plain_verb(tokens, lexicon)
    if kind_of(tokens) == "do":
        tokens = _with_plain_object(tokens, lexicon)
    tokens = _with_names_first(_with_owner_last(_with_plain_articles(tokens, lexicon), lexicon), lexicon)
    if not asks or asked or kind_of(tokens) != "do" or _asks_behind_a_place(tokens):
        return tokens
    return [*tokens, QUESTION_MARK]


def _asks_behind_a_place(tokens: Sequence[Token]) -> bool:
    """Whether a sentence with its place in front is a question: `in a.py, is x null`."""
    end = tokens.index(COMMA) + 1 if COMMA in tokens else len(tokens)
    return end < len(tokens) and (tokens[end].text in AUXILIARIES or tokens[end].text in QUESTION_WORDS)


def _without_politeness(tokens: list[Token], lexicon: Lexicon) -> tuple[list[Token], bool]:
    """The sentence without phrases that only soften it, and whether one of them had made a question of it."""
    mark = tokens[-1:] if tokens[-1:] == [QUESTION_MARK] else []
    tokens = tokens[: len(tokens) - len(mark)]
    tokens = [token for place, token in enumerate(tokens) if not _is_polite_inside(tokens, place)]
    whole, asked = tokens, False
    tokens = _without_closing(tokens, lexicon)
    while (opening := phrase_at(tokens, 0, lexicon.openings)) is not None:
        rest = _after(tokens, opening[0])
        if is_word(rest[0], "not") if rest else True:
            break
        if " ".join(token.text for token in tokens[: opening[0]]) in lexicon.gerunds:
            if lexicon.form(rest[0]) != "ing":
                break
            rest, asked = [lexicon.base(rest[0]), *rest[1:]], True
        tokens = rest
    request = phrase_at(tokens, 0, lexicon.requests)
    if request is not None:
        rest = tokens[request[0] :]
        please = any(is_word(token, "please") for token in (*whole[: len(whole) - len(tokens)], *tokens[: request[0]]))
        please = please or (is_word(whole[-1], "please") and len(whole) > len(tokens))
        if rest and (_is_request(rest, lexicon) or (please and lexicon.is_base(rest[0]))):
            tokens, asked = rest, True
    if tokens and is_word(tokens[-1], "me") and is_word(tokens[0], *lexicon.sets["for_me"]):
        tokens = tokens[:-2] if is_word(tokens[-2], "for") else tokens
    return [*tokens, *mark] if tokens else [], asked


def _is_polite_inside(tokens: Sequence[Token], place: int) -> bool:
    """Whether a word is the `please` of `there is a bug in a.py, please fix it`."""
    if not is_word(tokens[place], "please") or place < 3 or tokens[place - 1] != COMMA:
        return False
    return tuple(token.text for token in tokens[place + 1 :]) in (("fix", "it"), ("fix", "them"), ("make", "it", "so"))


def _after(tokens: list[Token], place: int) -> list[Token]:
    """What follows an opening, and the comma or colon after it."""
    return tokens[place + 1 :] if tokens[place : place + 1] in ([COMMA], [COLON]) else tokens[place:]


def _without_closing(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    for length in range(min(6, len(tokens) - 1), 0, -1):
        closing = phrase_at(tokens, len(tokens) - length, lexicon.closings)
        if closing is not None and closing[0] == length:
            rest = tokens[:-length]
            return rest[:-1] if rest[-1] == COMMA else rest
    return tokens


def _is_request(rest: Sequence[Token], lexicon: Lexicon) -> bool:
    """Whether what follows `can you` is asked for, rather than whether one can: `can you add comments to a.json`."""
    if lexicon.is_in(rest[0], "speech"):
        return True
    if len(rest) < 2:
        return False
    if tuple(token.text for token in rest[:3]) in (("have", "a", "look"), ("take", "a", "look")):
        return True
    if is_word(rest[1], "me"):
        return is_word(rest[0], "show", "give", "tell", "write", "walk")
    if not lexicon.is_in(rest[0], "requested"):
        return False
    if not (is_word(rest[1], "the", "this", "my", "our") or (rest[1].is_literal and rest[1].kind != "name")):
        return False
    places = [place for place, token in enumerate(rest) if lexicon.is_in(token, "joints")]
    return all(place + 1 < len(rest) and rest[place + 1].kind in ("path", "identifier") for place in places)


def _with_condition_last(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`if x, do y` as `do y if x`, where what is to be done is a verb and one thing."""
    if tokens.count(COMMA) != 1 or not is_word(tokens[0], "if", "when"):
        return tokens
    end = tokens.index(COMMA)
    front, rest = tokens[:end], tokens[end + 1 :]
    if len(rest) < 2 or len(front) < 3 or not lexicon.is_in(rest[0], "conditioned"):
        return tokens
    if any(token.kind == "mark" or lexicon.is_in(token, "joints") for token in rest):
        return tokens
    return [*rest, *front]


def _with_plain_verb(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """One verb for each group of verbs that ask the same of such a thing."""
    start = {"do": 0, "how to": 3}.get(kind_of(tokens), len(tokens))
    if start >= len(tokens) or tokens[start].kind != "word":
        return tokens
    for verb in lexicon.verbs.get(tokens[start].text, ()):
        end = start + len(verb.words)
        if tuple(token.text for token in tokens[start:end]) == verb.words and _is_said_of(verb, tokens[end:], lexicon):
            return [*tokens[:start], *word_tokens(verb.instead), *tokens[end:]]
    return tokens


def _is_said_of(verb: Verb, rest: Sequence[Token], lexicon: Lexicon) -> bool:
    """Whether a verb has an object, of the kinds that the vocabulary gives it."""
    if not rest or rest[0].kind == "mark":
        return False
    if "from" in verb.of:
        froms = [place for place, token in enumerate(rest) if is_word(token, "from")]
        return all(place + 1 < len(rest) and rest[place + 1].kind in ("path", "slot") for place in froms)
    if not verb.of:
        return True
    end = next(
        (place for place, token in enumerate(rest) if token.kind == "mark" or (place and _is_joint(token, lexicon))),
        len(rest),
    )
    head = rest[end - 1]
    return head.kind.upper() in verb.of or (head.kind == "word" and head.text in verb.of)


def _is_joint(token: Token, lexicon: Lexicon) -> bool:
    return lexicon.is_in(token, "joints")


def _with_plain_object(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`delete every file` as `delete all files`; `write a function to x` and `... x-ing` as `... that x-es`."""
    if len(tokens) < 3:
        return tokens
    if is_word(tokens[1], "every", "each") and lexicon.is_in(tokens[0], "spread"):
        ends = len(tokens) == 3 or lexicon.is_in(tokens[3], "joints")
        if ends and tokens[2].kind == "word" and tokens[2].text in lexicon.singulars:
            return [tokens[0], Token("word", "all"), lexicon.plural_of(tokens[2]), *tokens[3:]]
        return tokens
    if is_word(tokens[0], "write") and is_word(tokens[1], "a") and is_word(tokens[2], "function", "script"):
        head, rest = tokens[:3], tokens[3:]
        if len(rest) < 3 or not lexicon.is_in(rest[2 if is_word(rest[0], "to") else 1], "determiners"):
            return tokens
        if is_word(rest[0], "to") and lexicon.is_base(rest[1]) and rest[1].kind == "word":
            return [*head, Token("word", "that"), lexicon.third(rest[1]), *rest[2:]]
        if lexicon.form(rest[0]) == "ing" and rest[0].kind == "word":
            return [*head, Token("word", "that"), lexicon.third(lexicon.base(rest[0])), *rest[1:]]
    return tokens


def _with_plain_articles(tokens: Sequence[Token], lexicon: Lexicon) -> list[Token]:
    """`an` as `a`, before a word or a name that may follow it."""
    found = list(tokens)
    for place, token in enumerate(tokens[:-1]):
        following = tokens[place + 1]
        is_plain = following.kind == "word" and not lexicon.is_in(following, "joints")
        if is_plain and is_word(token, "an") and following.text.startswith(VOWELS):
            found[place] = Token("word", "a")
    return found


def _with_owner_last(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`foo_bar's definition` as `the definition of foo_bar`, at the end of a sentence."""
    place = len(tokens) - 2
    if place < 1 or not is_word(tokens[place], "'s") or not lexicon.is_in(tokens[-1], "owned"):
        return tokens
    owner = tokens[place - 1]
    before = tokens[place - 2] if place > 1 else None
    if not (owner.is_literal or owner.kind == "slot") or before is None or lexicon.is_in(before, "determiners"):
        return tokens
    return [*tokens[: place - 1], THE, tokens[-1], OF, owner]


def _with_names_first(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`the function foo_bar` as `the foo_bar function`, `a column named foo_bar` alike; `the file a.py` as `a.py`."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        part = tokens[place : place + 4]
        if len(part) > 2 and is_word(part[0], "the") and is_word(part[1], "file") and _has_suffix(part[2]):
            found.append(part[2])
            place += 3
        elif len(part) > 2 and is_word(part[0], "the") and lexicon.is_in(part[1], "named") and _is_own_name(part[2]):
            found += [part[0], part[2], part[1]]
            place += 3
        elif (
            len(part) == 4
            and is_word(part[0], "a")
            and lexicon.is_in(part[1], "named")
            and is_word(part[2], "named", "called")
            and (_is_own_name(part[3]) or part[3].kind == "quote")
        ):
            found += [part[0], part[3], part[1]]
            place += 4
        else:
            found.append(part[0])
            place += 1
    return found


def _has_suffix(token: Token) -> bool:
    return token.kind == "path" and "." in token.text.rpartition("/")[2].lstrip(".")


def _is_own_name(token: Token) -> bool:
    """Whether a literal can't be read as a type or an adjective, as in `a UUID column` or `the async function`."""
    bare = token.text.strip("`")
    return token.kind == "identifier" and "_" in bare.strip("_") and not bare.endswith(("_t", "tz"))
