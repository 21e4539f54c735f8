"""A text -> its sentences in plain order: politeness dropped, what was put in front put last, nouns without articles.

What is dropped here changes nothing of what is asked; what is moved says where or when, and stands alone in front.
"""

from collections.abc import Sequence

from mcp_hub.proxy.guard.literals import Token, sentences
from mcp_hub.proxy.guard.questions import QUESTION_WORDS, in_one_order, kind_of
from mcp_hub.proxy.guard.words import AUXILIARIES, Lexicon, is_word, phrase_at, replaced, word_tokens

COMMA, QUESTION_MARK = Token("mark", ","), Token("mark", "?")
OF = Token("word", "of")
PAUSES: tuple[list[Token], ...] = ([COMMA], [Token("mark", ":")], [Token("mark", "-")], [])
"""What sets a word apart from a sentence; the last is its end."""


def plain_sentences(text: str, lexicon: Lexicon) -> list[list[Token]]:
    """The sentences of a text in plain order, without those that only greet or thank."""
    found: list[list[Token]] = []
    before: list[Token] = []
    for sentence in sentences(text):
        for clause in _parts(lexicon.words_of(sentence)):
            if found and len(clause) == 2 and lexicon.is_base(clause[0]) and is_word(clause[1], "it", "them"):
                # `x is broken. fix it` is one request, as with a comma.
                found.append(plain_order([*before, COMMA, *clause], lexicon))
                del found[-2]
                continue
            before = clause
            plain = plain_order(clause, lexicon)
            if plain == word_tokens(["why"]) and found and kind_of(found[-1]) == "do":
                plain = plain_order([*plain, *found.pop()], lexicon)
            if plain:
                found.append(plain)
    return found


def plain_order(words: Sequence[Token], lexicon: Lexicon) -> list[Token]:
    """One sentence in plain order; empty if nothing of it asks for anything."""
    tokens, polite = _without_politeness(list(words), lexicon)
    asks = tokens[-1:] == [QUESTION_MARK]
    if asks:
        tokens = tokens[:-1]
    tokens = _with_front_last(tokens, lexicon)
    if not tokens:
        return []
    tokens = in_one_order(tokens, lexicon)
    tokens = _with_plain_verbs(tokens, lexicon)
    if kind_of(tokens) == "do":
        tokens = _with_plain_object(tokens, lexicon)
    tokens = _with_plain_nouns(tokens, lexicon)
    return [*tokens, QUESTION_MARK] if asks and not polite and kind_of(tokens) == "do" else tokens


def _parts(tokens: list[Token]) -> list[list[Token]]:
    """A sentence, apart where a comma stands before a question: `x fails, why does it`."""
    for place in range(2, len(tokens) - 1):
        if tokens[place - 1] != COMMA or tokens[place].text not in QUESTION_WORDS:
            continue
        if tokens[place + 1] == QUESTION_MARK or tokens[place + 1].text in AUXILIARIES:
            if is_word(tokens[0], "in", "on", "at", "for", "if", "when", "after", "before", "with"):
                return [tokens]
            return [tokens[: place - 1], tokens[place:]]
    return [tokens]


def _without_politeness(tokens: list[Token], lexicon: Lexicon) -> tuple[list[Token], bool]:
    """The sentence without phrases that only soften it, and whether there were any."""
    tokens = [
        token for place, token in enumerate(tokens) if not (is_word(token, "please") and _is_inside(tokens, place))
    ]
    mark = tokens[-1:] if tokens[-1:] == [QUESTION_MARK] else []
    tokens = tokens[: len(tokens) - len(mark)]
    length = len(tokens)
    while (rest := _without_opening(tokens, lexicon)) is not None:
        tokens = rest
    while (rest := _without_closing(tokens, lexicon)) is not None:
        tokens = rest
    return [*tokens, *mark] if tokens else [], len(tokens) < length


def _is_inside(tokens: Sequence[Token], place: int) -> bool:
    """Whether a word stands between a comma or `and` and the request that follows."""
    if not 0 < place < len(tokens) - 1 or tokens[place + 1].kind == "mark":
        return False
    return tokens[place - 1] == COMMA or is_word(tokens[place - 1], "and", "then")


def _without_opening(tokens: list[Token], lexicon: Lexicon) -> list[Token] | None:
    opening = phrase_at(tokens, 0, lexicon.openings)
    if opening is None:
        opening = phrase_at(tokens, 0, lexicon.interjections)
        if opening is None or tokens[opening[0] : opening[0] + 1] not in PAUSES:
            return None
    rest = tokens[opening[0] :]
    if rest and is_word(rest[0], "not"):
        return None
    while rest[:1] in PAUSES[:-1]:
        rest = rest[1:]
    if " ".join(token.text for token in tokens[: opening[0]]) in lexicon.gerunds:
        return [lexicon.base(rest[0]), *rest[1:]] if rest and lexicon.form(rest[0]) == "ing" else None
    return rest


def _without_closing(tokens: list[Token], lexicon: Lexicon) -> list[Token] | None:
    for length in range(min(6, len(tokens)), 0, -1):
        start = len(tokens) - length
        closing = phrase_at(tokens, start, lexicon.closings)
        if closing is None and (start == 0 or tokens[start - 1 : start] in PAUSES):
            closing = phrase_at(tokens, start, lexicon.interjections)
        if closing is not None and closing[0] == length:
            tokens = tokens[:start]
            while tokens[-1:] in PAUSES[:-1]:
                tokens = tokens[:-1]
            return tokens
    return None


def _with_front_last(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`in x, do y` as `do y in x`, where nothing else in the sentence could be meant by it."""
    if len(tokens) < 2 or not lexicon.is_in(tokens[0], "fronts"):
        return tokens
    if tokens[1].text in AUXILIARIES or tokens[1].text in QUESTION_WORDS:
        return tokens
    if COMMA in tokens:
        end = tokens.index(COMMA)
        rest = tokens[end + 1 :]
        if not rest or COMMA in rest:
            return tokens
    else:
        end = next((place for place, token in enumerate(tokens) if token.kind == "path"), -1) + 1
        rest = tokens[end:]
        if not 2 <= end <= 4 or not rest or rest[0].kind != "word" or lexicon.is_in(rest[0], "bounds"):
            return tokens
    front = tokens[:end]
    if len(front) < 2 or any(is_word(token, "and", "or", "then", "but", front[0].text) for token in rest):
        return tokens
    if any(token.kind == "word" and token.text in ("and", "or", "then", "but") for token in front):
        return tokens
    return [*rest, *front]


def _with_plain_verbs(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """One verb for each group of verbs that ask the same, where a word can only be a verb."""
    if kind_of(tokens) == "do":
        start = 0
    elif kind_of(tokens) == "how to":
        start = 3
    else:
        start = next(
            (place + 1 for place, token in enumerate(tokens[:6]) if place and is_word(token, "i", "we", "you")), -1
        )
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        match = phrase_at(tokens, place, lexicon.verbs) if _is_verb_place(tokens, place, start, lexicon) else None
        if match is not None:
            found += word_tokens(match[1])
            place += match[0]
        else:
            found.append(tokens[place])
            place += 1
    return found


def _is_verb_place(tokens: Sequence[Token], place: int, start: int, lexicon: Lexicon) -> bool:
    if place == start:
        return True
    if place == 0 or not is_word(tokens[place - 1], "to", "and", "then"):
        return False
    following = tokens[place + 1] if place + 1 < len(tokens) else None
    return following is not None and (following.is_literal or lexicon.is_in(following, "determiners", "pronouns"))


def _with_plain_object(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`delete every file` as `delete all files`; `a function to x` and `a function x-ing` as `a function that x-es`."""
    if len(tokens) < 3:
        return tokens
    end = next((place for place in range(2, min(len(tokens), 6)) if lexicon.is_noun(tokens[place])), 0)
    if not end or any(lexicon.is_in(token, "bounds", "ordinals") or token.kind == "mark" for token in tokens[2:end]):
        return tokens
    while end + 1 < len(tokens) and lexicon.is_noun(tokens[end + 1]):
        end += 1
    head, noun, rest = tokens[:end], tokens[end], tokens[end + 1 :]
    if is_word(tokens[0], "show") and lexicon.is_in(noun, "listed"):
        return [Token("word", "list"), *tokens[1:]]
    if is_word(tokens[1], "every", "each") and noun.text in lexicon.singulars:
        return [tokens[0], Token("word", "all"), *head[2:], lexicon.plural_of(noun), *rest]
    if is_word(tokens[1], "a", "an") and len(rest) > 1:
        if is_word(rest[0], "which"):
            rest = [Token("word", "that"), *rest[1:]]
        elif is_word(rest[0], "to") and lexicon.is_base(rest[1]) and rest[1].kind == "word":
            rest = [Token("word", "that"), lexicon.third(rest[1]), *rest[2:]]
        elif lexicon.form(rest[0]) == "ing" and rest[0].kind == "word":
            rest = [Token("word", "that"), lexicon.third(lexicon.base(rest[0])), *rest[1:]]
    return [*head, noun, *rest]


def _with_plain_nouns(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """Without articles, and with what a name is the name of after it, or left out where the name says it."""
    tokens = replaced(_with_owner_last(tokens, lexicon), lexicon.same)
    found: list[Token] = []
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        if following is not None and _says_nothing(token, following):
            continue
        if is_word(token, "within") and following is not None and following.kind == "path":
            token = Token("word", "in")
        found.append(Token("word", "a") if is_word(token, "an") else token)
    return _with_names_first(found, lexicon)


def _says_nothing(token: Token, following: Token) -> bool:
    if is_word(token, "the", "my", "our"):
        return True
    if is_word(token, "this"):
        return is_word(following, "repo", "project")
    return False


def _with_owner_last(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`foo's definition` as `definition of foo`."""
    for place in range(1, len(tokens) - 1):
        if is_word(tokens[place], "'s") and tokens[place - 1].is_literal and lexicon.is_in(tokens[place + 1], "owned"):
            end = place + 2
            if end < len(tokens) and is_word(tokens[end], "value", "type"):
                end += 1
            if end < len(tokens) and tokens[end].kind == "word" and not lexicon.is_in(tokens[end], "bounds"):
                return tokens
            return [*tokens[: place - 1], *tokens[place + 1 : end], OF, tokens[place - 1], *tokens[end:]]
    return tokens


def _with_names_first(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """`function named foo` and `function foo` as `foo function`; `file a.py` as `a.py`."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        after = tokens[place + 2] if place + 2 < len(tokens) else None
        if place and lexicon.is_in(token, "named") and following is not None:
            name, length = None, 1
            if is_word(following, "named", "called") and after is not None and _is_name(tokens, place + 2, lexicon):
                name, length = after, 3
            elif following.is_literal and following.kind != "number" and not found[-1].is_literal:
                name, length = following, 2
            if name is not None:
                found += _name_and_noun(name, token)
                place += length
                continue
        alone = after is None or not (after.is_literal or is_word(after, "named", "called"))
        if token.is_literal and alone and following is not None and lexicon.is_in(following, "named"):
            found += _name_and_noun(token, following)
            place += 2
            continue
        found.append(token)
        place += 1
    return found


def _is_name(tokens: Sequence[Token], place: int, lexicon: Lexicon) -> bool:
    """Whether what stands after `named` is a name: a literal, or one word alone."""
    if tokens[place].kind != "word":
        return tokens[place].is_literal
    alone = place + 1 == len(tokens) or lexicon.is_in(tokens[place + 1], "bounds")
    return alone and not lexicon.is_in(tokens[place], "bounds", "adverbs")


def _name_and_noun(name: Token, noun: Token) -> list[Token]:
    """A name with what it is the name of, which is left out if no other thing has such a name."""
    said = {"path": "file", "identifier": "class" if name.text[0].isupper() else "function"}.get(name.kind)
    if name.kind == "path" and "." not in name.text.rpartition("/")[2]:
        said = None
    return [name] if noun.text == said else [name, noun]
