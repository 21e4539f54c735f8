"""Holds values against a JSON Schema, by the jsonschema library, in a bounded number of steps.

Pure. Schemas come from foreign servers: references that branch at each level take exponential time, and they would take
it on the hub's event loop.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any

from mcp_hub.hub.schemas import Schema

if TYPE_CHECKING:  # imported with the first validator, so that the hub's first answer doesn't wait for it
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

STEPS = 2_000
"""Schemas that the parts of a value are held against in one check on the event loop: 10 to 40 ms, if no `enum` or
`required` among them is very long. Real arguments take fewer than a hundred; the server judges what takes more."""

THREAD_STEPS = 50_000
"""The same in a thread, for values with many parts: about a second."""


class UnknowableError(Exception):
    """Whether a value fits can't be found out, or not in a bounded time."""


class Steps:
    """The steps that are left of one check, or of several that may take so many together."""

    def __init__(self, most: int = STEPS) -> None:
        self._left = most

    def spend(self) -> None:
        """Take one. Raises UnknowableError when none is left."""
        self._left -= 1
        if self._left < 0:
            raise UnknowableError


_WHOLE = object()
"""Stands for the whole schema."""

_steps: ContextVar[Steps] = ContextVar("steps")
"""Of the check that runs: one validator may serve several threads, and its parts have no room for a count."""


class BoundedValidator:
    """Checks values against a schema, and against schemas inside it. Any thread may."""

    def __init__(self, kind: "type[Validator]", schema: Schema, keywords: Mapping[str, Callable[..., Any]]) -> None:
        """`kind` is the schema's generation as jsonschema has it; `keywords` are checked otherwise than it does."""
        from jsonschema.validators import extend
        from referencing import Registry

        bounded: Any = extend(kind, keywords)  # type: ignore[no-untyped-call]
        bounded.evolve = _evolve  # every schema inside another is reached through it
        # An empty registry: a `$ref` to elsewhere is never fetched.
        self._validator: Any = bounded(dict(schema), registry=Registry())

    def errors(
        self, value: Any, most: int, steps: Steps, schema: Any = _WHOLE, path: str | None = None
    ) -> "list[ValidationError]":
        """The first `most` errors of a value against the whole schema, or `schema` inside it, where `path` leads to it.

        Raises UnknowableError: a `$ref` to nowhere, or without end, or to what is no schema, or too many steps.
        """
        token = _steps.set(steps)
        try:
            if schema is _WHOLE:
                return list(islice(self._validator.iter_errors(value), most))
            return list(islice(self._validator.descend(value, schema, path=path), most))
        except Exception as error:  # whatever a foreign schema made of the library
            raise UnknowableError from error
        finally:
            _steps.reset(token)

    def fits(self, value: Any, schema: Any, steps: Steps) -> bool:
        """Whether a value fits a schema inside the whole one. Raises UnknowableError."""
        return not self.errors(value, 1, steps, schema)


def _evolve(self: Any, **changes: Any) -> Any:
    """The same validator for another schema, as jsonschema has it, but counted, and always of the same class.

    jsonschema takes the class that a `$schema` inside names, which has no bounds.
    """
    _steps.get().spend()
    fields = {"schema": self.schema, "format_checker": self.format_checker, "_resolver": self._resolver}
    return type(self)(**{**fields, "registry": self._registry, **changes})
