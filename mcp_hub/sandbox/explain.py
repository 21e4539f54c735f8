"""The interpreter's error texts, put as the person or model who wrote the program needs them.

Pure. The interpreter tells positions in what it was given; a program that was lowered stands otherwise there, and our
own helpers aren't the program's business.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TRACE_LINES = 12
"""Lines of a traceback that are told; a deep recursion has hundreds alike."""

PROGRAM = "program"
"""The interpreter's name for the program; every other file is a shared script, or ours."""

TRACEBACK = "Traceback (most recent call last):"
FRAME = re.compile(r"  \* ([^:]+):(\d+), (.*)")
PLACE = re.compile(r" *--> ([^:]+):(\d+):(\d+)")

WRAPPED = re.compile(r"^(?:error: StarlarkError: )+(?=error: )")
"""Before an error in a file that was loaded, once for each file on the way."""

PYTHON_TYPES = (
    (re.compile(r"Key `.*` was not found|not found in dict", re.DOTALL), "KeyError"),
    (re.compile(r"[Ii]ndex .*out of (?:bound|range)|pop from empty", re.DOTALL), "IndexError"),
    (re.compile(r"divi(?:de|sion).* by zero|modulo by zero|Attempt to divide|by zero"), "ZeroDivisionError"),
    (re.compile(r"has no attribute"), "AttributeError"),
    (
        re.compile(
            r"not supported (?:on|for) type|Type of parameter|[Mm]issing .*parameter|[Tt]oo many|not hashable"
            r"|extra (?:named|positional)|[Ww]rong number of positional"
        ),
        "TypeError",
    ),
    (re.compile(r"call stack overflow"), "RecursionError"),
)
"""What the interpreter says -> the exception that Python would have raised."""

RAISED = re.compile(r"^(?:fail: )?([A-Z]\w*(?:Error|Exception|Exit|Iteration)|Exception)(?::|$)")


@dataclass(frozen=True)
class Source:
    """A program as it was sent; if it was lowered, `lines` has its own line for each of the interpreter's text."""

    code: str
    lines: Sequence[int] | None = None

    def own(self, number: int) -> int:
        """The program's line for a line, from 1, of the text that the interpreter had."""
        return number if self.lines is None else self.lines[min(max(number, 1), len(self.lines)) - 1]

    def line(self, number: int) -> str:
        """A line of the program, from 1; "" for one that isn't there."""
        lines = self.code.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""


def told(text: str) -> str:
    """An error's own words: without the traceback before them and the place after them."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("error: ")), 0)
    kept = []
    for line in lines[start:]:
        if PLACE.match(line):
            break
        kept.append(line)
    words = "\n".join(kept).removeprefix("error: ")
    return re.sub(r"^(?:ToolFailure|ValueError|TypeError): (?=\S)", _without_own_type, words).strip()


def _without_own_type(found: "re.Match[str]") -> str:
    return "" if found[0].startswith("ToolFailure") else found[0]


def python_type(kind: str, words: str) -> str:
    """The name of the exception that Python would raise, for `except` clauses."""
    if kind in ("tool", "denied"):
        return "ToolError"
    if found := RAISED.match(words):
        return found[1]
    if kind == "arguments":
        return "TypeError"
    return next((name for pattern, name in PYTHON_TYPES if pattern.search(words)), "ValueError")


def placed(text: str, sources: Mapping[str, Source]) -> str:
    """An error text with the program's own positions, our own frames left out, and a long traceback cut.

    `sources` are the program and the shared scripts that it loaded, by the interpreter's names.
    """
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if PLACE.match(line)), len(lines))
    kept: list[str] = []
    last: tuple[str, int] | None = None
    skipping = False
    for line in lines[:end]:
        if skipping and line.startswith("      "):
            continue
        frame = FRAME.match(line)
        skipping = frame is not None or line.startswith("  File <builtin>")
        if frame is None:
            if not skipping:
                kept.append(WRAPPED.sub("", line).replace("error: ToolFailure: ", "error: "))
        elif (source := sources.get(frame[1])) is not None:
            last = (frame[1], source.own(int(frame[2])))
            kept += [f"  * {last[0]}:{last[1]}, {frame[3]}", f"      {source.line(last[1]).strip()}"]
    if kept[:1] == [TRACEBACK] and last is None:
        kept = kept[1:]
    at = PLACE.match(lines[end]) if end < len(lines) else None
    if at and (source := sources.get(at[1])) is not None:
        if source.lines is None:
            return _shortened([*kept, *lines[end:]])
        last = (at[1], source.own(int(at[2])))
    return _shortened([*kept, *(_pointed(sources[last[0]], *last) if last else [])])


def points_into(text: str, file: str) -> bool:
    """Whether the interpreter's error is about a place in that file."""
    return re.search(rf"^ *--> {file}:", text, re.MULTILINE) is not None


def line_of(text: str) -> int | None:
    """The line of the program that a placed error text points at."""
    found = re.search(rf"^ *--> {PROGRAM}:(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def _pointed(source: Source, file: str, number: int) -> list[str]:
    line = source.line(number)
    indent = len(line) - len(line.lstrip())
    margin = " " * len(str(number))
    return [
        f"{margin}--> {file}:{number}:{indent + 1}",
        f"{margin} |",
        f"{number} | {line}",
        f"{margin} | {' ' * indent}{'^' * len(line.strip())}",
        f"{margin} |",
    ]


def _shortened(lines: Sequence[str]) -> str:
    trace = [i for i, line in enumerate(lines) if line.startswith("  ") and not re.match(r" *(?:-->|\|)", line)]
    if lines[:1] != [TRACEBACK] or len(trace) <= TRACE_LINES:
        return "\n".join(lines) + "\n"
    cut = trace[TRACE_LINES // 2 : -TRACE_LINES // 2]
    return "\n".join([*lines[: cut[0]], f"  ... {len(cut)} lines more ...", *lines[cut[-1] + 1 :]]) + "\n"


def mended(text: str) -> str:
    """A parse error without the list of all that could stand there, with what to write instead where that is known."""
    text = re.sub(r', expected (?:one of )?(?:"[^\n]*)', "", text)
    if "Not a valid identifier: `" in text:
        return f"{text}An f-string takes plain names only: assign the expression to a name first, or use %.\n"
    return text


def not_json(text: str) -> str:
    """What starlark-pyo3 couldn't turn into a Python value, in words; "" when that isn't what the error is about."""
    found = re.search(r"Operation `serde::serialize` not supported on type `(\w+)`", text)
    if not found:
        return ""
    return "a tool or function" if found[1] in ("python_callable_value", "function") else f"a {found[1]}"
