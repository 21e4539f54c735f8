"""A program's source without the secrets that stand in it as literals, for the journal.

Pure. The source is taken apart into words, strings and signs, not parsed: a program that doesn't parse is journaled
too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcp_hub.hub.redaction import REDACTED, names_a_secret, without

_TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
  | (?P<string>
      (?P<prefix>[A-Za-z]{0,2})
      (?:
        (?P<long>\"{3}|'{3})(?P<content>(?:\\.|(?!(?P=long)).)*)(?:(?P=long)|\Z)
      | (?P<quote>["'])(?P<line>(?:\\.|(?!(?P=quote))[^\n\\])*)(?P=quote)?
      )
    )
  | (?P<word>\w+)
  | (?P<joined>\\\n)
  | (?P<newline>\n)
  | (?P<sign>[=!]=|[^\w\s])
    """,
    re.VERBOSE | re.DOTALL,
)

_MAY_NAME_A_SECRET = re.compile(r"pass|pwd|secret|cred|auth|cookie|bearer|jwt|otp|key|token", re.IGNORECASE)

_OPERATORS = frozenset({"and", "or", "not", "in", "if", "else", "is", "return", "lambda", "await", "yield"})
"""Words after which a bracket opens a group or a list, and no call."""

_PUT_IN = re.compile(r"\{\d*\}|%[sdr]|\b(?:bearer|basic|token)\b", re.IGNORECASE)
_PUT_IN_F = re.compile(rf"\{{[^{{}}]*\}}|{_PUT_IN.pattern}", re.IGNORECASE)
"""What in a text only takes others in, such as f"Bearer {token}"."""


@dataclass
class _Bracket:
    opener: str
    inherited: bool
    """Whether the whole content is the value of a secret."""
    hides: bool
    """Whether what comes next is."""


def redacted_code(code: str, secrets: Sequence[str] = ()) -> str:
    """The source with `[redacted]` in each text that is given to a name of a secret, and for each of `secrets`.

    `password="..."`, `{"Authorization": "..."}`, `TOKEN = "..."`, `d["api_key"] = "..."` and `token == "..."` are
    found, not a positional argument. Lines stay where they are.
    """
    if not _MAY_NAME_A_SECRET.search(code):
        return without(code, secrets)
    pieces: list[str] = []
    at = 0
    for literal in _secret_literals(code):
        pieces += (code[at : literal.start()], _emptied(literal))
        at = literal.end()
    return without("".join([*pieces, code[at:]]), secrets)


def secret_literals(code: str) -> list[str]:
    """The texts that `redacted_code` takes out of the source: an error may repeat them."""
    if not _MAY_NAME_A_SECRET.search(code):
        return []
    return [_content(literal) for literal in _secret_literals(code) if _emptied(literal) != literal[0]]


def _secret_literals(code: str) -> Iterator[re.Match[str]]:
    """The strings that stand where the value of a secret stands."""
    brackets = [_Bracket("", inherited=False, hides=False)]
    named = False  # the token before is a secret's name
    callable_before = False  # a bracket that follows is that of a call or an index
    for token in _TOKEN.finditer(code):
        innermost, text = brackets[-1], token[0]
        match token.lastgroup:
            case "string":
                is_key = innermost.opener == "{" and re.compile(r"\s*:").match(code, token.end()) is not None
                if innermost.hides and not is_key:
                    yield token
                named, callable_before = names_a_secret(_content(token)), True
            case "word":
                named, callable_before = names_a_secret(text), text not in _OPERATORS
            case "newline":
                if len(brackets) == 1:
                    named = callable_before = innermost.hides = False
            case "sign":
                if named and text in ("=", ":", "==", "!="):
                    innermost.hides = True
                elif text in ",;":
                    innermost.hides = innermost.inherited
                elif text in "([{":
                    hides = innermost.hides and not (callable_before and text != "{")
                    brackets.append(_Bracket(text, inherited=hides, hides=hides))
                elif text in ")]}" and len(brackets) > 1:
                    brackets.pop()
                named = named and text == "]"
                callable_before = text in ")]"


def _content(literal: re.Match[str]) -> str:
    return literal["content"] if literal["long"] else literal["line"]


def _emptied(literal: re.Match[str]) -> str:
    content = _content(literal)
    takes_in = _PUT_IN_F if "f" in literal["prefix"].lower() else _PUT_IN
    if not re.search(r"[^\W_]", takes_in.sub("", content)):
        return literal[0]  # nothing is left to hide
    quote = literal["long"] or literal["quote"]
    return literal["prefix"] + quote + REDACTED + "\n" * content.count("\n") + quote
