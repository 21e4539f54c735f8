"""A text of one sentence -> its tokens, with every literal cut out first and kept exactly as it is spelt.

A literal is all that isn't a plain lower-case word: paths, identifiers, numbers, quotes, URLs, versions, code, flags,
names. Its case is kept, and nothing but the same literal is its match. Every expression here reads a text once.
"""

import re
from typing import NamedTuple

SPAN = re.compile(
    r"(?P<code>`[^`\n]+`)"
    r"|(?P<quote>\"[^\"\n]*\"|“[^“”\n]*”|(?<![^\s(\[])['\u2018][^'\u2018\u2019\n]*['\u2019](?!\w))"
    r"|(?P<space> +)"
    r"|(?P<chunk>[^\s`\"“]+|.)",
    re.DOTALL,
)

WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
"""A plain word. Hyphens and apostrophes may stand inside."""

CAMEL = re.compile(r"[a-z]+[A-Z]|[A-Z][a-z0-9]+[A-Z]")
IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::|#)[A-Za-z_$][\w$]*)*")
NUMBER = re.compile(r"[+-]?[#$]?\d[\d,.:]*(?:[A-Za-z]{1,3}|%)?")
VERSION = re.compile(r"[~^=<>]*v?\d+(?:\.[\dx*]+)+(?:[-+.]?[0-9A-Za-z.-]+)?|v\d[\w.-]*")
EXTENSION = re.compile(r"[\w.\[\]@+-]*\.[A-Za-z][A-Za-z0-9]{0,7}")

SUFFIX = re.compile(
    r"py|pyi|js|jsx|ts|tsx|mjs|cjs|vue|svelte|rb|go|rs|java|kt|kts|c|h|cc|cpp|hpp|cs|php|swift|m|scala|ex"
    r"|exs|erl|clj|lua|pl|sh|bash|zsh|fish|ps1|bat|sql|html|htm|css|scss|sass|less|xml|json|jsonl|yaml|yml"
    r"|toml|ini|cfg|conf|env|lock|txt|md|rst|adoc|csv|tsv|log|proto|tf|gradle|ipynb|dart|r|jl|hs|ml|zig|nim"
    r"|sol|graphql|png|jpg|jpeg|svg|gif|pdf|zip|gz|tar|cmake|properties|plist|mdx|bak|tmp|pem|key|crt|star"
)
"""Endings that make a dotted name a file's."""

LONGEST = 200
"""Characters of a literal of which the kind is looked for: some expressions here are slow on long ones."""

CLOSERS = ",;:"
PAIRS = {")": "(", "]": "[", "}": "{"}
STOPS = ".!?"
"""Marks that end a sentence."""

LAYOUT = re.compile(r"[^\S ]|  |```")
"""What shows that the layout of a text may matter: a line break, a tab, a wide space, a code fence."""

GREETING = re.compile(r"(?:hi|hello|hey)(?: there)?[,.!] +(?=\S)", re.IGNORECASE)
THANKS = re.compile(
    r"(?<=[\w`\"')])(?:[,.!?]| -) *(?:many )?(?:thanks|thank you)(?: a lot| so much| in advance)?[.!]*\Z", re.I
)

ASKS = re.compile(
    r"(?:please,? |hey,? |(?:just )?(?:a |one )?quick question[:,] )?"
    r"(?:what|why|how|where|when|who|which|whose|is|are|was|were|do|does|did|has|have|had|can|could|should|will|would|may"
    r"|might|must|any)\b",
    re.IGNORECASE,
)
"""How a text starts that ends in a question mark of its own."""

NAMING = re.compile(
    r"(?:re-?)?nam\w+|replac\w+|substitut\w+|swap\w*|call|called|chang\w+|convert\w*|turn|set|mov\w+|writ\w+|print\w*"
    r"|say\w*|add\w*|insert\w*|put\w*|search\w*|grep|log|us(?:e|ing)|instead|rather|quot\w+|backticks?|spell\w*|text"
    r"|words?|strings?|typos?|labell?ed|titled|between",
    re.IGNORECASE,
)
"""A word after which a text may speak of words as such: from there on each is taken as it is spelt."""

QUOTING = re.compile(
    r"(?:re-?)?nam\w+|replac\w+|substitut\w+|swap\w*|chang\w+|convert\w*|turn|instead|quot\w+|backticks?", re.I
)
"""A word beside which backticks may be what is spoken of."""


class Token(NamedTuple):
    """A word, a mark, or a literal with its kind. `text` of a word is in lower case."""

    kind: str
    text: str

    @property
    def is_literal(self) -> bool:
        return self.kind not in ("word", "mark")


def sentence(text: str) -> list[Token] | None:
    """The tokens of a text that is one sentence on one line; one that asks ends in the mark `?`.

    None if it is more than that: what several sentences, lines or pieces of code ask can't be told apart so simply.
    """
    text = text.strip()
    if LAYOUT.search(text):
        return None
    text = THANKS.sub("", GREETING.sub("", text, count=1) if GREETING.match(text) else text).strip()
    text, end = _without_end(text)
    found: list[Token] = []
    quotes_are_said = any(QUOTING.fullmatch(word) for word in re.findall(r"\w+", text))
    for match in SPAN.finditer(text):
        kind, span = match.lastgroup or "", match[0]
        if kind == "chunk":
            if match.end() < len(text) and span[-1] in STOPS and (found[-1:] or len(span) > 1) and not _is_alone(match):
                return None
            found += [Token("code", span)] if _is_alone(match) else _chunk(span, _is_glued(match))
        elif kind != "space":
            found.append(_quoted(kind, span, quotes_are_said))
    return [*found, *end]


def _is_glued(match: re.Match[str]) -> bool:
    return match.start() > 0 and match.string[match.start() - 1] != " "


def _is_alone(match: re.Match[str]) -> bool:
    """Whether a chunk is made of marks, and stands between spaces: it is what is spoken of."""
    around = match.end() == len(match.string) or match.string[match.end()] == " "
    return around and not _is_glued(match) and not any(char.isalnum() for char in match[0])


def _without_end(text: str) -> tuple[str, list[Token]]:
    """A text without the mark that ends it, and that mark. One that may be part of a literal stays."""
    if len(text) < 2 or text[-1] not in STOPS or text[-2] in " .!?;":
        return text, []
    rest, last = text[:-1], text[:-1].rsplit(" ", 1)[-1]
    if text[-1] == ".":
        return rest, []
    if last[-1] not in "`\"')\u201d" and _kind(last) != "word" and not (text[-1] == "?" and ASKS.match(text)):
        return text, []
    return rest, [Token("mark", text[-1])]


def _quoted(kind: str, span: str, as_said: bool) -> Token:
    """A text in quotes keeps them: it may be about them. Code loses its own where nothing is named or replaced."""
    inner = span[1:-1]
    if kind == "quote":
        return Token("quote", span)
    if " " in inner or not inner.strip():
        return Token("code", inner)
    bare = _kind(inner)
    return Token(bare, inner) if bare not in ("word", "name") and not as_said else Token(_named(bare), span)


def _named(kind: str) -> str:
    return "code" if kind in ("word", "name") else kind


def _chunk(span: str, glued: bool) -> list[Token]:
    """The tokens of what stands between two spaces. `glued`: a quote or code ends just before it."""
    before: list[Token] = []
    after: list[Token] = []
    while span and span[0] in "([{" and not _closes(span):
        before.append(Token("mark", span[0]))
        span = span[1:]
    while span and (span[-1] in CLOSERS or (span[-1] in PAIRS and span.count(PAIRS[span[-1]]) < span.count(span[-1]))):
        after.append(Token("mark", span[-1]))
        span = span[:-1]
    span = span.replace("\u2019", "'")
    if span.lower().endswith("'s") and len(span) > 2 and _kind(span[:-2]) not in ("word", "name"):
        after.append(Token("word", "'s"))
        span = span[:-2]
    if glued and span == "'s":
        before.append(Token("word", "'s"))
    elif span:
        before.append(Token(_kind(span), span))
    return before + after[::-1]


def _closes(span: str) -> bool:
    """Whether the bracket that a chunk starts with is closed inside it, before its end."""
    closer = {"(": ")", "[": "]", "{": "}"}[span[0]]
    return 0 < span.find(closer) < len(span.rstrip(CLOSERS)) - 1


def _kind(span: str) -> str:
    if len(span) > LONGEST:
        return "code"
    if WORD.fullmatch(span):
        return _kind_of_word(span)
    if "://" in span or span.startswith("www."):
        return "url"
    if VERSION.fullmatch(span):
        return "version" if not NUMBER.fullmatch(span) or span.count(".") > 1 else "number"
    if NUMBER.fullmatch(span):
        return "number"
    if span.startswith("-") and len(span) > 1 and not span[1].isdigit():
        return "flag"
    if _is_path(span):
        return "path"
    if IDENTIFIER.fullmatch(span.removesuffix("()")):
        return "identifier"
    return "code"


def _kind_of_word(span: str) -> str:
    if span.islower() or span == "I" or span.startswith("I'"):
        return "word"
    if CAMEL.match(span) and "-" not in span and "'" not in span:
        return "identifier"
    return "name"


def _is_path(span: str) -> bool:
    if " " in span or "(" in span or "=" in span:
        return False
    return "/" in span or "\\" in span or (EXTENSION.fullmatch(span) is not None and not _is_dotted(span))


def _is_dotted(span: str) -> bool:
    """Whether a name with dots is an object's attribute rather than a file's name."""
    last = span.rpartition(".")[2]
    return bool(IDENTIFIER.fullmatch(span)) and SUFFIX.fullmatch(last) is None
