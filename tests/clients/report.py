"""The printed report: one aligned PASS or FAIL line for each check, and the count at the end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

NAME_WIDTH = 66
PASS_CHARACTERS = 80
FAIL_CHARACTERS = 1_000
"""How much of an observed value a line shows."""


@dataclass
class Report:
    """Prints what was checked, in order, and counts it."""

    passed: int = 0
    failed: int = 0

    def section(self, title: str) -> None:
        print(f"\n{title}", flush=True)

    def check(self, name: str, holds: bool, seen: object = "") -> None:
        """One line; `seen` is shown in short beside a pass, at length below a failure."""
        if holds:
            self.passed += 1
            self._line("PASS", name, _short(seen, PASS_CHARACTERS))
        else:
            self.failed += 1
            self._line("FAIL", name, "")
            print(f"        saw: {_short(seen, FAIL_CHARACTERS)}", flush=True)

    def note(self, name: str, value: object = "") -> None:
        """A line that is told, not judged."""
        self._line("", name, value)

    @contextmanager
    def guarded(self, name: str) -> Iterator[None]:
        """What goes wrong inside is a failed check called `name`, so that the rest still runs."""
        try:
            yield
        except Exception as error:
            self.check(name, False, _innermost(error))

    def close(self) -> int:
        """Print the count; the exit status."""
        print(f"\n{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0

    def _line(self, verdict: str, name: str, value: object) -> None:
        print(f"  {verdict:<4}  {name:<{NAME_WIDTH}}  {value}".rstrip(), flush=True)


def carries(text: str, value: dict[str, Any]) -> bool:
    """Whether a JSON object equal to `value` stands anywhere in `text`."""
    decoder = json.JSONDecoder()
    for start in (place for place, character in enumerate(text) if character == "{"):
        try:
            found, _ = decoder.raw_decode(text, start)
        except ValueError:
            continue
        if found == value:
            return True
    return False


def _short(seen: object, most: int) -> str:
    text = seen if isinstance(seen, str) else json.dumps(seen, default=str)
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]} …"


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
