"""Example values for a JSON Schema, each checked against it, and a tool's example call.

Pure. A value is built from what the schema says and then validated; where none is found, the example has the right
shape only, and says so.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from mcp_hub.hub.catalog import Tool
from mcp_hub.hub.schemas import (
    NEVER,
    Reader,
    Schema,
    TooLargeError,
    combined,
    is_array,
    is_object,
    members_of,
    properties_of,
    tuple_items,
    unchecked,
)
from mcp_hub.hub.types import literal
from mcp_hub.hub.validation import BoundedValidator, Steps, UnknowableError
from mcp_hub.names import identifier

if TYPE_CHECKING:  # imported when the first docs are written, so that the hub's first answer doesn't wait for it
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SHAPE_ONLY = "# shape only"
"""Behind an example call that isn't known to be valid."""

PARTS = 2_000
"""Schemas that are read, and values that are tried, for one example."""

SHAPE_PARTS = 100
"""The same for one argument that has the right shape only."""

CHECKED_CHARACTERS = 10_000
"""A schema that is longer is taken as valid in its own generation of JSON Schema: to check takes 16 us a character."""

STEPS = 20_000
"""Schemas that the values for one example are held against, altogether: less than half a second, in a thread."""

ITEMS = 20
"""An array that must have more items gets no example."""

TEXT_CHARACTERS = 200
"""A text that must be longer gets no example."""

PLACEHOLDER = "..."

FORMATS = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T09:00:00Z",
    "time": "09:00:00Z",
    "duration": "P1D",
    "email": "a@example.com",
    "uri": "https://example.com",
    "url": "https://example.com",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
}

WORDS = (
    *("a", "b", "c", "A", "AB", "abc", "ABC", "example", "Example", "abc-123", "abc_123", "a1", "A1", "ABC-123"),
    *("1", "12", "123", "0.5", "1.0", "1.2.3", "v1.2.3", "00", "09:00", "09:00:00", "1d", "1h", "+15555550100"),
    *("en", "en-US", "/", "/a", "a/b", "a.b", "a.txt", "#ff0000", "$1", "@a", "#a", "asc", "true"),
)
"""Texts that are tried against a pattern, beside those of FORMATS."""

MATCHED_CHARACTERS = 40
LOOPS = 4
"""A text is matched against a pattern only up to this length and with so many repetitions in it: a foreign pattern
can take any time."""

NESTED_CHARACTERS = 12
NESTED_LOOPS = 3
"""The same where a group is repeated, which may hold repetitions and alternatives."""


PATTERN_CHARACTERS = 200
"""Of a longer pattern nobody knows how long it takes."""

VALUE_CHARACTERS = 4_000
"""A larger value, such as a default, is no example."""


def example(tool: Tool) -> str:
    """A call with the required arguments that its schema accepts; `# shape only` behind one that isn't known to be."""
    arguments = example_arguments(tool)
    known = arguments is not None
    if arguments is None:
        arguments = _shape(tool)
    wire_names = {parameter.wire_name: parameter.name for parameter in tool.parameters}
    order = {name: place for place, name in enumerate(wire_names)}
    written, others = [], {}
    for name, value in sorted(arguments.items(), key=lambda item: order.get(item[0], len(order))):
        spelled = wire_names.get(name, name)
        if identifier(spelled) == spelled:
            written.append(f"{spelled}={literal(value)}")
        else:
            others[name] = value
    written += [f"**{literal(others)}"] if others else []
    return f"{tool.server}.{tool.name}({', '.join(written)}){'' if known else f'  {SHAPE_ONLY}'}"


def example_arguments(tool: Tool) -> dict[str, Any] | None:
    """Arguments by the server's own names that the tool's schema accepts, the required ones only; None for none."""
    checker = _checker(tool.input_schema)
    if checker is None:
        return None
    found = next(_guarded(_Values(tool.input_schema, checker).of(tool.input_schema, also={"type": "object"})), None)
    return found if isinstance(found, dict) else None


def _shape(tool: Tool) -> dict[str, Any]:
    """The required arguments, each of the right type as far as that goes."""
    found = {}
    for parameter in tool.parameters:
        if parameter.required:
            values = _Values(tool.input_schema, None)
            found[parameter.wire_name] = next(_guarded(values.of(parameter.schema)), PLACEHOLDER)
    return found


def _guarded(values: Iterator[Any]) -> Iterator[Any]:
    """The values until the schema turns out to be too large, or to contain what nobody can read."""
    try:
        yield from values
    except (TooLargeError, UnknowableError, RecursionError, ArithmeticError):
        return


class _Values:
    """Finds values that fit schemas below one root. Without a checker, what is found has the right shape only."""

    def __init__(self, root: Schema, checker: BoundedValidator | None) -> None:
        self._reader = Reader(root, SHAPE_PARTS if checker is None else PARTS)
        self._checker = checker
        self._steps = Steps(STEPS)

    def of(self, schema: Any, seen: frozenset[str] = frozenset(), also: Schema | None = None) -> Iterator[Any]:
        """Values that fit, the plainest first; none for a type that begins again. Raises TooLargeError."""
        flat = self._reader.flat(schema, seen)
        if flat.cut is not None:
            if self._checker is None:
                yield {}
            return
        wanted = combined(also, flat.schema) if also else flat.schema
        for value in self._candidates(wanted, flat.seen):
            self._reader.spend()
            if self._fits(schema, value):
                yield value

    def _fits(self, schema: Any, value: Any) -> bool:
        if self._checker is None:
            return True
        if len(json.dumps(value)) > VALUE_CHARACTERS:
            return False
        return self._checker.fits(value, schema, self._steps)

    def _candidates(self, schema: Schema, seen: frozenset[str]) -> Iterator[Any]:
        if schema.get("not") in (NEVER["not"], True):
            return
        if "const" in schema:
            yield schema["const"]
            return
        for known in ("default", "example"):
            if schema.get(known) is not None:
                yield schema[known]
        for listed in ("enum", "examples"):
            if isinstance(values := schema.get(listed), list) and values:
                yield from values
                if listed == "enum":
                    return
        for union in ("anyOf", "oneOf"):
            if members := members_of(schema, union):
                beside = {key: value for key, value in schema.items() if key != union}
                for member in members:
                    flat = self._reader.flat(member, seen)
                    if flat.cut is None:
                        yield from self._candidates(combined(beside, flat.schema), flat.seen)
                return
        kind = schema.get("type")
        for each in kind if isinstance(kind, list) else [kind]:
            yield from self._of_type(str(each), schema, seen)

    def _of_type(self, kind: str, schema: Schema, seen: frozenset[str]) -> Iterator[Any]:
        match kind:
            case "string":
                yield from _texts(schema)
            case "integer" | "number":
                yield from _numbers(schema, whole=kind == "integer")
            case "boolean":
                yield from (True, False)
            case "null":
                yield None
            case _ if kind == "array" or is_array(schema):
                yield from self._arrays(schema, seen)
            case _ if kind == "object" or is_object(schema):
                yield from self._objects(schema, seen)
            case _:
                yield from (PLACEHOLDER, 1, {}, [], None)
                yield from _texts(schema)
                yield from _numbers(schema, whole=False)

    def _arrays(self, schema: Schema, seen: frozenset[str]) -> Iterator[Any]:
        least = _count(schema.get("minItems"))
        if least > ITEMS:
            return
        first = tuple_items(schema)
        rest = schema.get("items" if "prefixItems" in schema or not first else "additionalItems")
        fixed = [next(self.of(each, seen), None) for each in first]
        if "contains" in schema:
            fixed += islice(self.of(schema["contains"], seen), 1)
        says = isinstance(rest, Mapping) and bool(rest)
        for count in dict.fromkeys((max(least, len(fixed) or int(says)), least)):
            missing = max(0, count - len(fixed))
            values = self.of({} if rest is None else rest, seen)
            unique = schema.get("uniqueItems") is True
            yield [*fixed, *(islice(_distinct(values), missing) if unique else [*islice(values, 1)] * missing)]

    def _objects(self, schema: Schema, seen: frozenset[str]) -> Iterator[Any]:
        properties = properties_of(schema)
        more = schema.get("additionalProperties")
        required = schema.get("required")
        needed = [each for each in required if isinstance(each, str)] if isinstance(required, list) else []
        ordered = [
            *(name for name in properties if name in needed),
            *(name for name in needed if name not in properties),
        ]
        least = _count(schema.get("minProperties"))
        names = [ordered]
        if least > len(ordered) or self._checker is not None:
            names.append([*ordered, *(name for name in properties if name not in needed)])
        if least > len(names[-1]) and least <= ITEMS:
            names.append([*names[-1], *(f"key{n}" for n in range(1, least - len(names[-1]) + 1))])
        for chosen in names:
            found = {}
            for name in dict.fromkeys(chosen):
                value = list(islice(self.of(properties.get(name, {} if more is None else more), seen), 1))
                if value or self._checker is None:
                    found[name] = value[0] if value else PLACEHOLDER
            yield found


def _texts(schema: Schema) -> Iterator[str]:
    known = FORMATS.get(str(schema.get("format")))
    if known is not None:
        yield known
    least, most = _count(schema.get("minLength")), schema.get("maxLength")
    if least <= TEXT_CHARACTERS:
        text = PLACEHOLDER.ljust(least, ".")
        yield text[: most if isinstance(most, int) and most >= 0 else None]
    if isinstance(pattern := schema.get("pattern"), str):
        yield from _matching(pattern)
    yield from WORDS
    if TEXT_CHARACTERS >= least > 0:
        yield from (letter * least for letter in "abcxyz01")


def _matching(pattern: str) -> Iterator[str]:
    """Texts that a simple pattern may mean: known ones, runs of the lengths in it, all after its literal start."""
    counts = [int(count) for count in re.findall(r"\{(\d{1,2})\b", pattern)]
    runs = [letter * count for count, letter in product(dict.fromkeys(counts), "aA0")]
    words = [*WORDS, *FORMATS.values(), *runs, ""]
    start = re.match(r"\^?\(?((?:[\w/:@#.-](?![*+?{])|\\[./$+@-])*)", pattern)
    prefix = start[1].replace("\\", "") if start else ""
    yield from words
    if prefix:
        yield from (prefix + word for word in words)


def _numbers(schema: Schema, *, whole: bool) -> Iterator[int | float]:
    """Numbers near the bounds, the plainest first."""
    low, high = (_bound(schema, kind) for kind in ("inimum", "aximum"))
    step = schema.get("multipleOf")
    step = step if step is not None and _is_number(step) and step > 0 else 1 if whole else None
    found: list[int | float] = [1]
    if step is not None:
        found += [step, math.ceil((low or 0) / step) * step, (math.floor((low or 0) / step) + 1) * step]
        if high is not None:
            found += [math.floor(high / step) * step, (math.ceil(high / step) - 1) * step]
    found += [bound for bound in (low, high) if bound is not None]
    if low is not None and high is not None:
        found.append((low + high) / 2)
    if low is not None:
        found += [low + 1, low + 0.5]
    if high is not None:
        found += [high - 1, high - 0.5]
    found += [0, *range(2, ITEMS + 1), 1.5]
    for number in found:
        if not whole:
            yield int(number) if float(number).is_integer() else number
        elif float(number).is_integer():
            yield int(number)


def _bound(schema: Schema, kind: str) -> int | float | None:
    """The lowest or highest number that a schema allows, itself perhaps not allowed."""
    for keyword in (f"m{kind}", f"exclusiveM{kind}"):
        if _is_number(schema.get(keyword)):
            bound: int | float = schema[keyword]
            return bound
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any) -> int:
    return int(value) if _is_number(value) and value > 0 else 0


def _distinct(values: Iterator[Any]) -> Iterator[Any]:
    seen: set[str] = set()
    for value in values:
        if (text := json.dumps(value, sort_keys=True)) not in seen:
            seen.add(text)
            yield value


def _checker(schema: Schema) -> BoundedValidator | None:
    """A validator by the schema's own generation of JSON Schema, else by one that it is valid in; None for none."""
    from jsonschema import validators

    try:
        text = json.dumps(schema)
    except RecursionError:
        return None
    if "patternProperties" in text:
        return None  # which patterns hold for which names decides what else is checked, and that can take any time
    own: type[Validator] = validators.validator_for(schema, default=validators.Draft202012Validator)
    older: list[type[Validator]] = [validators.Draft7Validator, validators.Draft4Validator]
    for kind in (own, *older):
        try:
            if len(text) <= CHECKED_CHARACTERS:
                kind.check_schema(dict(schema))
        except Exception:  # noqa: S112 - not this generation
            continue
        return BoundedValidator(kind, schema, {"pattern": _pattern, "uniqueItems": unchecked})
    return None


def _pattern(_: Any, pattern: Any, text: Any, __: Any) -> Iterator["ValidationError"]:
    """`pattern` as jsonschema has it, but what might take long doesn't match."""
    from jsonschema import ValidationError

    if isinstance(text, str) and not (_is_bounded(pattern, text) and re.search(pattern, text)):
        yield ValidationError(f"{text!r} isn't known to match")


def _is_bounded(pattern: str, text: str) -> bool:
    """Whether matching takes a bounded time, by what the pattern repeats. `{3}` is no choice, `{1,3}` and `?` are."""
    if len(pattern) > PATTERN_CHARACTERS or ("|" in pattern and re.search(r"\)[*+{?]", pattern)):
        return False
    loops = len(re.findall(r"[*+]|(?<!\()\?|\{\d*,\d*\}", pattern))
    if not re.search(r"\)[*+{]", pattern):
        return loops <= LOOPS and len(text) <= MATCHED_CHARACTERS
    most = 0 if "){" in pattern else NESTED_LOOPS
    return loops <= most and pattern.count("|") < NESTED_LOOPS and len(text) <= NESTED_CHARACTERS
