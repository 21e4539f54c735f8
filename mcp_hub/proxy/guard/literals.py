"""A text -> its sentences as tokens, with every literal cut out first and kept exactly as it is spelt.

A literal is all that isn't a plain lower-case word: paths, identifiers, numbers, quotes, URLs, versions, code, flags,
names. Its case is kept, and nothing but the same literal is its match. Every expression here reads a text once.
"""

import re
from typing import NamedTuple

SPAN = re.compile(
    r"(?P<block>```.*?```)"
    r"|(?P<code>`[^`\n]+`)"
    r"|(?P<quote>\"[^\"\n]*\"|“[^“”\n]*”|(?<![^\s(\[])['\u2018][^'\u2018\u2019\n]*['\u2019](?!\w))"
    r"|(?P<break>\n)"
    r"|(?P<space>[^\S\n]+)"
    r"|(?P<chunk>[^\s`\"“]+|.)",
    re.DOTALL,
)

WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
"""A plain word. Hyphens and apostrophes may stand inside."""

ACRONYM = re.compile(r"[A-Z]{2,}s?")
CAMEL = re.compile(r"[a-z]+[A-Z]|[A-Z][a-z0-9]+[A-Z]")
SNAKE = re.compile(r"[A-Za-z0-9]*_\w*")
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

CLOSERS = ".,;:!?"
PAIRS = {")": "(", "]": "[", "}": "{"}
STOPS = frozenset(".!?;")
"""Marks that end a sentence."""


class Token(NamedTuple):
    """A word, a mark, or a literal with its kind. `text` of a word is in lower case."""

    kind: str
    text: str

    @property
    def is_literal(self) -> bool:
        return self.kind not in ("word", "mark")


def sentences(text: str) -> list[list[Token]]:
    """The sentences of a text; one that asks ends in the mark `?`. Names at a sentence's start keep their capital."""
    found: list[list[Token]] = [[]]
    text = text.strip()
    for match in SPAN.finditer(text):
        kind, span = match.lastgroup or "", match[0]
        if kind == "space":
            continue
        if kind == "break":
            found.append([])
        elif kind == "chunk":
            glued = match.start() > 0 and not text[match.start() - 1].isspace()
            for token in _chunk(span, glued):
                if token.kind == "mark" and token.text in STOPS:
                    if token.text == "?" and found[-1]:
                        found[-1].append(token)
                    found.append([])
                else:
                    found[-1].append(token)
        else:
            found[-1].append(_quoted(kind, span))
    return [sentence for sentence in found if sentence]


def _quoted(kind: str, span: str) -> Token:
    if kind == "block":
        return Token("code", span)
    inner = span[1:-1]
    if kind == "quote":
        # A path in quotes is that path; of anything else the quotes may say that it is a text, not a name.
        return Token("path", inner) if _is_path(inner) else Token("quote", inner)
    if " " in inner or not inner.strip():
        return Token("code", inner)
    bare = _kind(inner)
    return Token("code", inner) if bare in ("word", "name") else Token(bare, inner)


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
        before.append(_token(span))
    return before + after[::-1]


def _closes(span: str) -> bool:
    """Whether the bracket that a chunk starts with is closed inside it, before its end."""
    closer = {"(": ")", "[": "]", "{": "}"}[span[0]]
    return 0 < span.find(closer) < len(span.rstrip(CLOSERS)) - 1


def _token(span: str) -> Token:
    kind = _kind(span)
    if kind == "word":
        return Token("word", span)
    if not any(char.isalnum() for char in span):
        return Token("mark", "-" if span in ("\u2013", "\u2014", "--") else span)
    return Token(kind, span)


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
