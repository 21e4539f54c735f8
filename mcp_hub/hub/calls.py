"""The single path of a tool call: look up, policy, bind the arguments, validate, call, convert."""

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from mcp_hub.errors import CallerError, DeniedError, ToolError, nearest
from mcp_hub.hub import results, stubs
from mcp_hub.hub.catalog import Catalog, Schema, Tool
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.session import Progress
from mcp_hub.hub.stubs import one_line

if TYPE_CHECKING:  # imported with the first validator, so that the hub's first answer doesn't wait for it
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

SMALL = 500
"""Parts of a call's arguments up to which they are validated on the event loop: well under a millisecond."""

PROBLEMS = 5
"""Problems with one call's arguments that are told at once."""


class Calls:
    """Makes the calls of programs. `catalog` answers the catalog as it is now."""

    def __init__(self, catalog: Callable[[], Catalog], downstreams: Downstreams) -> None:
        self._catalog = catalog
        self._downstreams = downstreams
        self._validators: dict[tuple[str, str], tuple[Tool, Validator | None]] = {}

    async def call(
        self,
        server: str,
        tool: str,
        args: list[Any],
        kwargs: dict[str, Any],
        on_progress: Progress | None = None,
    ) -> Any:
        """One call, from a program's names and arguments to a value.

        Raises CallerError for names and arguments, DeniedError for the policy, DownstreamError for the server,
        ToolError for the tool.
        """
        key, record = self._callable(server, tool)
        arguments = bind(record, args, kwargs)
        await self._validate(record, arguments)

        def check() -> None:
            """What was decided on a kept list, or before a reload, is decided again as the call is sent."""
            now = self._callable(server, tool)
            if (now[0], now[1].wire_name) != (key, record.wire_name):
                raise CallerError(f"{server}.{tool} has become another tool meanwhile; look its signature up again.")

        result = await self._downstreams.call(key, record.wire_name, arguments, on_progress, check)
        if result.is_error:
            raise ToolError(record.server, record.name, results.error_text(result))
        return results.to_value(result)

    def _callable(self, server: str, tool: str) -> tuple[str, Tool]:
        """The server's own name, and the tool, as the catalog has them now. Raises CallerError, DeniedError."""
        found = self._catalog().server(server)
        record = found.tool(tool)
        if not record.decision.allowed:
            raise DeniedError(record.server, record.name, record.decision.reason)
        return found.key, record

    async def _validate(self, tool: Tool, arguments: dict[str, Any]) -> None:
        at = (tool.server, tool.name)
        known = self._validators.get(at)
        if known is None or known[0] is not tool:
            known = self._validators[at] = (tool, await anyio.to_thread.run_sync(_validator, tool))
        validator = known[1]
        if validator is None:
            return
        if _is_large(arguments):
            problems = await anyio.to_thread.run_sync(_problems, validator, tool, arguments)
        else:
            problems = _problems(validator, tool, arguments)
        if problems:
            raise CallerError(_told(tool, problems))


def bind(tool: Tool, args: list[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A program's arguments -> the server's: positional ones in the signature's order, names as it spells them.

    None for an optional parameter that takes no null means that it isn't given. Raises CallerError.
    """
    parameters = tool.parameters
    if len(args) > len(parameters):
        takes = f"{len(parameters)} argument{'s' if len(parameters) != 1 else ''}"
        raise CallerError(_told(tool, [f"it takes {takes}, {len(args)} were given"]))
    given: dict[str, Any] = {}
    for parameter, value in zip(parameters, args, strict=False):
        given[parameter.wire_name] = value
    by_name = {parameter.name: parameter for parameter in parameters}
    by_wire_name = {parameter.wire_name: parameter for parameter in parameters}
    problems = []
    for name, value in kwargs.items():
        found = by_name.get(name) or by_wire_name.get(name)
        if found is None:
            if _takes_more(tool):
                given[name] = value
                continue
            near = nearest(name, by_name, count=1)
            problems.append(f"no parameter {name!r}{f' (did you mean {near[0]!r}?)' if near else ''}")
        elif found.wire_name in given:
            problems.append(f"argument {name!r} is given twice")
        else:
            given[found.wire_name] = value
    if problems:
        raise CallerError(_told(tool, problems))
    return {
        name: value
        for name, value in given.items()
        if value is not None
        or name not in by_wire_name
        or _takes_none(by_wire_name[name].schema, tool.input_schema)
        or by_wire_name[name].required
    }


def _takes_more(tool: Tool) -> bool:
    schema = tool.input_schema
    more = schema.get("additionalProperties")
    return bool(more) or "patternProperties" in schema or (not tool.parameters and more is not False)


def _takes_none(schema: Any, root: Schema, seen: frozenset[str] = frozenset()) -> bool:
    if not isinstance(schema, Mapping):
        return True
    if isinstance(ref := schema.get("$ref"), str):
        return ref not in seen and _takes_none(stubs.resolve(ref, root), root, seen | {ref})
    if "const" in schema:
        return schema["const"] is None
    if isinstance(values := schema.get("enum"), list):
        return None in values
    for union in ("anyOf", "oneOf"):
        if isinstance(members := schema.get(union), list):
            return any(_takes_none(member, root, seen) for member in members)
    kind = schema.get("type")
    if kind is None:
        return "properties" not in schema
    return "null" in kind if isinstance(kind, list) else kind == "null"


def _problems(validator: "Validator", tool: Tool, arguments: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, in words; one more than is told, so that the rest can be counted as more."""
    try:
        found = list(islice(validator.iter_errors(arguments), PROBLEMS + 1))
    except Exception:
        return []  # a `$ref` to nowhere, or without end, or to what is no schema: the server checks for itself
    found.sort(key=lambda error: list(map(str, error.path)))
    return [_problem(error, tool) for error in found]


def _is_large(value: Any, left: int = SMALL) -> bool:
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


def _unchecked(*_: Any) -> Iterator["ValidationError"]:
    """Stands in for the keywords whose checking has no bound: regular expressions, and all pairs of a list.

    They would run on the hub's event loop over what a program chose; the server checks them anyway.
    """
    return iter(())


UNBOUNDED = ("pattern", "patternProperties", "uniqueItems")


def _validator(tool: Tool) -> "Validator | None":
    from jsonschema.protocols import Validator
    from jsonschema.validators import Draft202012Validator, extend, validator_for
    from referencing import Registry

    schema = dict(tool.input_schema)
    try:
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
        unchecked = [keyword for keyword in UNBOUNDED if keyword in kind.VALIDATORS]
        if "patternProperties" in json.dumps(schema):  # its expressions decide what `additionalProperties` means
            unchecked.append("additionalProperties")
        bounded: type[Validator] = extend(kind, dict.fromkeys(unchecked, _unchecked))  # type: ignore[no-untyped-call]
    except Exception:
        return None  # no valid JSON Schema, or a `$schema` that is no URI: the server checks for itself
    # An empty registry: a `$ref` to elsewhere is never fetched.
    return bounded(schema, registry=Registry())


def _problem(error: "ValidationError", tool: Tool) -> str:
    names = {parameter.wire_name: parameter.name for parameter in tool.parameters}
    path = list(error.absolute_path)
    place = "".join(f"[{json.dumps(part)}]" for part in path[1:])
    where = f"argument {names.get(str(path[0]), str(path[0]))}{place}: " if path else ""
    got = _shown(error.instance)
    match error.validator:
        case "required":
            missing = str(ast.literal_eval(error.message.removesuffix(" is a required property")))
            return f"{where}{'field' if path else 'argument'} {names.get(missing, missing)!r} is missing"
        case "type":
            return f"{where}expected {stubs.type_of({'type': error.validator_value}, {})}, got {got}"
        case "enum":
            values = ", ".join(json.dumps(value) for value in _listed(error.validator_value)[:30])
            return f"{where}expected one of {values}; got {got}"
        case "anyOf" | "oneOf" if error.context:
            expected = stubs.type_of({error.validator: error.validator_value}, tool.input_schema)
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


def _told(tool: Tool, problems: list[str]) -> str:
    more = " (and more)" if len(problems) > PROBLEMS else ""
    return (
        f"{tool.server}.{tool.name} was not called: {'; '.join(problems[:PROBLEMS])}{more}. "
        f"It is: {stubs.signature(tool)}"
    )
