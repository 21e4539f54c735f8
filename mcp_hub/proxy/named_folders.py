"""Finds the working directories that a request names: in what the client says of itself, not in what its user says.

Pure. Agents tell the model where they work in their system prompt, or in blocks of their own before the user's words;
the forms are those of Claude Code and of others that speak the same API. Whatever looks like one of them counts: a
folder too many costs a hit, one too few a wrong answer. The time is linear in the text, whoever wrote it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

LABEL = re.compile(
    r"""\b(?:cwd|workdir|
            (?:working|workspace|current|project)[ \t_-]{0,4}(?:director(?:y|ies)|dirs?|folders?|root|path))
        (?:["'`*]{0,3}[ \t]{0,4}[:=]["'`*]{0,3}|[ \t]{1,4}(?:is|are)\b:?)[ \t]*""",
    re.IGNORECASE | re.VERBOSE,
)
"""Comes before folders: `Working directory: /a`, ` - Primary working directory: /a`, `Additional working directories:
/a, /b`, `"cwd": "/a"`. A folder goes to the end of the line, since what a path may contain has no end of its own."""

TAG = re.compile(r"<(?:cwd|pwd|working_directory)>\s*([^<\r\n]*)")
"""As in `<cwd>/a</cwd>`."""

_ABSOLUTE = r"""["'`]?(?:[/~]|[A-Za-z]:[\\/]|\\\\)"""
ABSOLUTE = re.compile(_ABSOLUTE)
"""How a folder begins that doesn't count from another one, on any system: none is passed over that can't be proven."""

COMMA = re.compile(rf",[ \t]*(?={_ABSOLUTE})")
"""Between folders in one line."""

ITEM = re.compile(rf"[ \t]*\r?\n[ \t]*(?:[-*+\u2022][ \t]*)?(?={_ABSOLUTE})")
"""Comes before each folder in a list, in the lines after a label that has nothing else in its own."""

MOST_FOLDERS = 1_000
"""In one text: the search ends there. No proof takes so many, so it doesn't matter which ones are left out."""

BLOCK = re.compile(r"\s*<(system-reminder|env|environment|environment_context|environment_details)>")
"""What begins a client's own block in a user's message."""


def folders_named(request: Mapping[str, Any]) -> tuple[str, ...]:
    """The folders that a request to the Messages API names, each once, in order, as they are written.

    Looks at `system`, at messages of the role `system`, and at the blocks of its own that a client puts before the
    user's first words. What isn't shaped as the API has it is passed over.
    """
    return tuple(dict.fromkeys(folder for text in _texts(request) for folder in _folders(text)))


def _texts(request: Mapping[str, Any]) -> Iterator[str]:
    yield from _content(request.get("system"))
    messages = request.get("messages")
    answered = False
    for message in messages if isinstance(messages, list) else ():
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if role == "system":
            yield from _content(content)
        elif role == "user" and not answered:
            yield from _clients_own(content)
        answered = answered or role == "assistant"


def _content(content: object) -> Iterator[str]:
    """The texts of a string or of a list of blocks."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        texts = (block.get("text") for block in content if isinstance(block, dict))
        yield from (text for text in texts if isinstance(text, str))


def _clients_own(content: object) -> Iterator[str]:
    """What stands in blocks, up to where the user's words begin. Each goes to the last end of its kind: one may be
    quoted in it."""
    for text in _content(content):
        at = 0
        while begun := BLOCK.match(text, at):
            end = text.rfind(f"</{begun[1]}>", begun.end())
            end = len(text) if end < 0 else end
            yield text[begun.end() : end]
            at = end + len(f"</{begun[1]}>")
        if text[at:].strip():
            return


def _folders(text: str) -> Iterator[str]:
    found: dict[str, int] = {}
    for tag in TAG.finditer(text):
        if ABSOLUTE.match(tag[1]):
            found.setdefault(tag[1], tag.start(1))
    at = 0
    while (label := LABEL.search(text, at)) and len(found) < MOST_FOLDERS:
        at = label.end()
        listed = ITEM.match(text, at)
        begins = listed.end() if listed else at
        while ABSOLUTE.match(text, begins) and len(found) < MOST_FOLDERS:
            at = text.find("\n", begins)  # what is taken isn't looked through again: the time would be quadratic
            at = len(text) if at < 0 else at
            for folder in COMMA.split(text[begins:at]):
                found.setdefault(folder, begins)
            item = ITEM.match(text, at) if listed else None
            begins = item.end() if item else len(text)
    for folder in sorted(found, key=lambda each: found[each]):
        yield _unquoted(folder.strip())


def _unquoted(folder: str) -> str:
    """What stands between a quotation mark and the next one of its kind, if it begins with one."""
    quote = folder[:1]
    return folder[1:].partition(quote)[0] if quote in ("'", '"', "`") else folder
