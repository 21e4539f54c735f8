"""A program's arguments -> a server's: positions and names bound, checked against the tool's schema.

Pure. What is wrong is told in the program's words, with the signature.
"""

import ast
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from mcp_hub.errors import CallerError, nearest
from mcp_hub.hub import stubs
from mcp_hub.hub.catalog import Tool
from mcp_hub.hub.schemas import Schema, members_of, resolve, unchecked
from mcp_hub.hub.types import one_line, type_of
from mcp_hub.hub.validation import STEPS, BoundedValidator, Steps, UnknowableError

if TYPE_CHECKING:  # imported with the first validator, so that the hub's first answer doesn't wait for it
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SMALL = 500
"""Parts of a call's arguments up to which they are validated on the event loop: well under a millisecond."""

PROBLEMS = 5
"""Problems with one call's arguments that are told at once."""


def bind(tool: Tool, args: list[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A program's arguments -> the server's: positional ones in the signature's order, names as it spells them.

    None for an optional parameter that takes no null means that it isn't given. Raises CallerError.
    """
    given, problems = _named(tool, args, kwargs)
    if problems:
        raise CallerError(told(tool, problems))
    return {name: value for name, value in given.items() if not _is_left_out(tool, name, value)}


def planned_problems(
    tool: Tool,
    validator: BoundedValidator | None,
    args: Sequence[Sequence[Any]],
    kwargs: Mapping[str, Sequence[Any]],
    *,
    open_ended: bool,
) -> list[str]:
    """What is wrong with a call as it stands in a program's text, in words.

    A constant argument is [value], a computed one []. `open_ended` calls unpack further arguments.
    """
    given, found = _named(tool, args, kwargs)
    constants = {name: value[0] for name, value in given.items() if value}
    left_out = {name for name, value in constants.items() if _is_left_out(tool, name, value)}
    steps = Steps()
    for parameter in tool.parameters:
        offered = any(f"(did you mean {parameter.name!r}?)" in problem for problem in found)
        if parameter.required and not open_ended and parameter.wire_name not in given and not offered:
            found.append(f"argument {parameter.name!r} is missing")
        elif validator is not None and parameter.always and parameter.wire_name in constants.keys() - left_out:
            with contextlib.suppress(UnknowableError):  # as in `violations`: the server checks for itself
                name = parameter.wire_name
                errors = validator.errors(constants[name], PROBLEMS + 1, steps, parameter.schema, name)
                found += [_problem(error, tool) for error in errors]
    return found


V = TypeVar("V")


def _named(tool: Tool, args: Sequence[V], kwargs: Mapping[str, V]) -> tuple[dict[str, V], list[str]]:
    """What is given to each parameter, by the server's spelling; and what doesn't fit the signature."""
    parameters = tool.parameters
    problems = []
    if len(args) > len(parameters):
        takes = f"{len(parameters)} argument{'s' if len(parameters) != 1 else ''}"
        problems.append(f"it takes {takes}, {len(args)} were given")
    given = {parameter.wire_name: value for parameter, value in zip(parameters, args, strict=False)}
    by_name = {parameter.name: parameter for parameter in parameters}
    by_wire_name = {parameter.wire_name: parameter for parameter in parameters}
    for name, value in kwargs.items():
        found = by_name.get(name) or by_wire_name.get(name)
        if found is None:
            if tool.taken.more:
                given[name] = value
                continue
            near = nearest(name, by_name, count=1)
            problems.append(f"no parameter {name!r}{f' (did you mean {near[0]!r}?)' if near else ''}")
        elif found.wire_name in given:
            problems.append(f"argument {name!r} is given twice")
        else:
            given[found.wire_name] = value
    return given, problems


def _is_left_out(tool: Tool, name: str, value: Any) -> bool:
    if value is not None:
        return False
    parameter = next((each for each in tool.parameters if each.wire_name == name), None)
    return parameter is not None and not parameter.required and not _takes_none(parameter.schema, tool.input_schema)


def _takes_none(schema: Any, root: Schema, known: dict[str, bool] | None = None) -> bool:
    known = {} if known is None else known
    if not isinstance(schema, Mapping):
        return schema is not False
    if isinstance(ref := schema.get("$ref"), str):
        if ref not in known:  # for all branches: what a reference says once it says everywhere
            known[ref] = False
            known[ref] = _takes_none(resolve(ref, root), root, known)
        return known[ref]
    if schema.get("nullable") is True:
        return True
    if not all(_takes_none(member, root, known) for member in members_of(schema, "allOf")):
        return False
    if "const" in schema:
        return schema["const"] is None
    if isinstance(values := schema.get("enum"), list):
        return None in values
    for union in ("anyOf", "oneOf"):
        if members := members_of(schema, union):
            return any(_takes_none(member, root, known) for member in members)
    kind = schema.get("type")
    if kind is None:
        return "properties" not in schema
    return "null" in kind if isinstance(kind, list) else kind == "null"


def violations(
    validator: BoundedValidator, tool: Tool, arguments: dict[str, Any], most_steps: int = STEPS
) -> list[str]:
    """What is wrong with the arguments, in words; one more than is told, so that the rest can be counted as more.

    Nothing where that can't be found out, or not in so many steps: the server checks for itself.
    """
    try:
        found = validator.errors(arguments, PROBLEMS + 1, Steps(most_steps))
    except UnknowableError:
        return []
    found.sort(key=lambda error: list(map(str, error.path)))
    return [_problem(error, tool) for error in found]


def is_large(value: Any, left: int = SMALL) -> bool:
    """Whether a JSON value has more than a few hundred parts; it stops counting there."""
    parts = [value]
    while parts and left > 0:
        part = parts.pop()
        left -= 1
        if isinstance(part, Mapping):
            left -= len(part)
            parts.extend(islice(part.values(), SMALL))
        elif isinstance(part, list):
            left -= len(part)
            parts.extend(islice(part, SMALL))
    return left <= 0


NULLABLE = ("type", "enum", "const", "$ref", "allOf", "anyOf", "oneOf")
"""Keywords that refuse null, although OpenAPI's `nullable` beside them takes it."""

UNBOUNDED = ("pattern", "patternProperties", "uniqueItems")
"""Keywords whose checking has no bound: they would run on the hub's event loop over what a program chose. The server
checks them anyway."""


def _or_null(kind: "type[Validator]", keyword: str) -> Callable[..., Iterator["ValidationError"]]:
    """A keyword that also takes null where OpenAPI's `nullable` says so, as servers made from OpenAPI mean it."""
    check: Callable[..., Iterator[ValidationError]] = kind.VALIDATORS[keyword]

    def checked(validator: Any, wanted: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator["ValidationError"]:
        if instance is None and schema.get("nullable") is True:
            return iter(())
        return check(validator, wanted, instance, schema)

    return checked


def make_validator(tool: Tool) -> BoundedValidator | None:
    """What checks a tool's arguments; None where its schema can't be used for that."""
    from jsonschema.validators import Draft202012Validator, validator_for

    schema = dict(tool.input_schema)
    try:
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
        left_out = [keyword for keyword in UNBOUNDED if keyword in kind.VALIDATORS]
        if "patternProperties" in json.dumps(schema):  # its expressions decide what `additionalProperties` means
            left_out.append("additionalProperties")
        nullable = {keyword: _or_null(kind, keyword) for keyword in NULLABLE if keyword in kind.VALIDATORS}
        return BoundedValidator(kind, schema, {**nullable, **dict.fromkeys(left_out, unchecked)})
    except Exception:
        return None  # no valid JSON Schema, or a `$schema` that is no URI: the server checks for itself


def _problem(error: "ValidationError", tool: Tool) -> str:
    names = {parameter.wire_name: parameter.name for parameter in tool.parameters}
    path = list(error.absolute_path)
    place = "".join(f"[{json.dumps(part)}]" for part in path[1:])
    where = f"argument {names.get(str(path[0]), str(path[0]))}{place}: " if path else ""
    got = _shown(error.instance)
    match error.validator:
        case "required":
            missing = str(ast.literal_eval(error.message.removesuffix(" is a required property")))
            return f"{where}{'field' if path else 'argument'} {one_line(names.get(missing, missing), 200)!r} is missing"
        case "type":
            was_text = error.validator_value == "string" and isinstance(error.instance, list | dict)
            written = "; if a tool gave it as text, json.dumps(value) writes it again" if was_text else ""
            return f"{where}expected {type_of({'type': error.validator_value}, {})}, got {got}{written}"
        case "enum":
            values = ", ".join(one_line(json.dumps(value), 60) for value in _listed(error.validator_value)[:30])
            return f"{where}expected one of {values}; got {got}"
        case "anyOf" | "oneOf" if error.context:
            expected = type_of({error.validator: error.validator_value}, tool.input_schema)
            if expected == "Any":
                return " or ".join(dict.fromkeys(_problem(each, tool) for each in error.context[:PROBLEMS]))
            return f"{where}expected {expected}, got {got}"
        case _:
            return f"{where}{one_line(error.message, 200)}"


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else []


def _shown(value: Any) -> str:
    kinds = {"str": "text", "dict": "an object", "list": "a list", "NoneType": "None"}
    kind = kinds.get(type(value).__name__, type(value).__name__)
    if value is None:
        return kind
    return f"{kind} {one_line(json.dumps(value, ensure_ascii=False), 60)}"


def told(tool: Tool, problems: Sequence[str]) -> str:
    """Why a call wasn't made, with the signature."""
    return f"{tool.server}.{tool.name} was not called: {listed(tool, problems)}"


def listed(tool: Tool, problems: Sequence[str]) -> str:
    """What is wrong with a call, the first few of it, and the signature."""
    more = " (and more)" if len(problems) > PROBLEMS else ""
    return f"{'; '.join(problems[:PROBLEMS])}{more}. It is: {stubs.signature(tool)}"
