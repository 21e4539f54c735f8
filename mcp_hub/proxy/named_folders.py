"""Finds the working directories that a request names: in what the client says of itself, not in what its user says.

Pure. Agents tell the model where they work in their system prompt, or in blocks of their own before the user's words;
the forms are those of Claude Code and of others that speak the same API. Whatever looks like one of them counts: a
folder too many costs a hit, one too few a wrong answer. The time is linear in the text, whoever wrote it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

LABEL = re.compile(
    r"""(?<![\w/\\.~-])(?:cwd|pwd|workdir|repo(?:sitory)?|workspaces?|work(?:ing)?[ \t]in|
            (?:working|workspace|current|project|repo(?:sitory)?|root)[ \t_-]{0,4}(?:working[ \t_-]{0,4})?
            (?:director(?:y|ies)|dirs?|folders?|root|path))(?![\w/\\-])
        (?:["'`*]{0,3}[ \t]{0,4}[:=]["'`*]{0,3}[ \t]*)?""",
    re.VERBOSE,
)
"""Comes before folders: `Working directory: /a`, ` - Primary working directory: /a`, `Additional working directories:
/a, /b`, `"cwd": "/a"`, `PWD=/a`, `You are working in /a`; not where it is a part of a path. In small letters, and
looked for in such. A folder goes to the end of its line or to a tag's end: what a path may contain has no end of its
own."""

WORDS = ("cwd", "pwd", "work", "repo", "current", "project", "root")
"""What labels begin with."""

TAG = re.compile(r"<(?:cwd|pwd|working_directory)>\s*([^<\r\n]*)")
"""As in `<cwd>/a</cwd>`."""

_FOLDER = r"""["'`]?(?:/(?!/)|~(?:/|\w+/)|\$\w|\.{1,2}/|file://|[A-Za-z]:(?:\\|/(?!/))|\\\\)"""
FOLDER = re.compile(_FOLDER)
"""How a folder begins, on any system, in a URL, or counting from another: none is passed over that can't be proven."""

NEAR = re.compile(rf"""(?:[^\r\n]{{0,40}}?[ \t"'`(>=])??(?={_FOLDER})""")
"""Comes between a label and a folder in its line: `(cwd): `, ` for this session is `, `_path>`."""

COMMA = re.compile(rf",[ \t]*(?={_FOLDER})")
"""Between folders in one line."""

ITEM = re.compile(rf"[^\r\n]{{0,40}}\r?\n[ \t]*(?:[-*+\u2022][ \t]*)?(?={_FOLDER})")
"""Comes before each folder in a list, in the lines after a label that has no folder in its own."""

NEXT = re.compile(rf"[ \t]*\r?\n[ \t]*(?:[-*+\u2022][ \t]*)?(?={_FOLDER})")
"""Comes before another folder of a list."""

END = re.compile(r"\n|</")

MOST_FOLDERS = 1_000
"""In one text: the search ends there. No proof takes so many, so it doesn't matter which ones are left out."""

MOST_LABELS = 1_000
"""In one text, most of them words of the kind without a folder: each is looked at for some microseconds. Of a text with
more of them it isn't known which folders it names."""

UNSEEN = ""
"""Stands for those: no path, so that nobody can prove its state."""

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
        if FOLDER.match(tag[1]):
            found.setdefault(tag[1], tag.start(1))
    lower = text.lower()
    if len(lower) != len(text):  # there are letters whose small form is longer; none of them is in a label
        lower = "".join(small if len(small := each.lower()) == 1 else each for each in text)
    at = labels = 0
    for label in _labels(lower):
        if len(found) == MOST_FOLDERS or labels == MOST_LABELS:
            break
        if label.start() < at:
            continue
        at, labels = label.end(), labels + 1
        near = NEAR.match(text, at)
        listed = None if near else ITEM.match(text, at)
        begins = near.end() if near else listed.end() if listed else len(text)
        while FOLDER.match(text, begins) and len(found) < MOST_FOLDERS:
            end = END.search(text, begins)  # what is taken isn't looked through again: the time would be quadratic
            at = end.start() if end else len(text)
            for folder in COMMA.split(text[begins:at]):
                found.setdefault(folder, begins)
            item = NEXT.match(text, at) if listed else None
            begins = item.end() if item else len(text)
    for folder in sorted(found, key=lambda each: found[each]):
        yield _unquoted(folder.strip())
    if labels == MOST_LABELS and len(found) < MOST_FOLDERS:
        yield UNSEEN


def _labels(lower: str) -> Iterator[re.Match[str]]:
    """The labels in a text, found by the words that they begin with, which is twice as fast as by the pattern alone."""
    places = (found.start() for word in WORDS for found in re.finditer(word, lower))
    for place in sorted(places):
        if label := LABEL.match(lower, place):
            yield label


def _unquoted(folder: str) -> str:
    """What stands between a quotation mark and the next one of its kind, if it begins with one."""
    quote = folder[:1]
    return folder[1:].partition(quote)[0] if quote in ("'", '"', "`") else folder
