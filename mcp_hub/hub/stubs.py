"""What an agent reads of a tool: a signature on one line, a server's file of them, and full docs.

Pure. A signature reads as Python and is bounded; what doesn't fit its line is in the docs.
"""

import heapq
from dataclasses import replace

from mcp_hub.hub.catalog import Server, Tool
from mcp_hub.hub.docs import written_docs
from mcp_hub.hub.parameters import Parameter
from mcp_hub.hub.schemas import Reader, Schema, TooLargeError
from mcp_hub.hub.types import NODES, PLANS, literal, one_line, planned_type, result_schema, type_of

DESCRIPTION_CHARACTERS = 120
"""A description on a signature's line is cut at the last word before this."""

LINE_CHARACTERS = 700
"""A signature is at most so long, unless the names of its required parameters alone are longer."""

LONGEST_CHARACTERS = 4_000
"""Of a signature whose required parameters are longer, only the first ones are shown, and the rest counted."""

RETURN_CHARACTERS = 250
"""A longer type of result is written with fewer levels, then with fewer fields."""

RETURN_PLANS = tuple(replace(plan, literals=0) for plan in PLANS)
"""A result's values are given, not chosen: of an enum only the type stands, and the docs have the values."""

DEFAULT_CHARACTERS = 60
"""A default that is longer is `...` in a signature; the docs have it whole."""

SHORT = 5
"""A type of so many characters isn't written shorter: `float`."""

OBSERVED = "Observed return type."
"""On the line of a tool whose server doesn't say what it returns, but whose results were seen."""


def signature(tool: Tool) -> str:
    """`def name(required: type, *, optional: type = default) -> type`, on one line.

    One that would be longer than LINE_CHARACTERS shows less of its longest types, then leaves out the last optional
    parameters and counts them.
    """
    start, end = f"def {tool.name}(", f") -> {returned(tool)}"
    parameters = tool.parameters
    room = LINE_CHARACTERS - len(start) - len(end) - len("*, ")
    written = _fitted(parameters, tool.input_schema, room)
    count = sum(parameter.required for parameter in parameters)
    required, optional = written[:count], written[count:]
    if sum(map(_length, written)) > room:
        # What a call can't do without may show more of its types: some of the others aren't there at all.
        required = _fitted(parameters[:count], tool.input_schema, room // 2)
        if sum(map(_length, required)) > (longest := LONGEST_CHARACTERS - len(start) - len(end)):
            shown = _cut([*required, *optional], longest, {parameter.name for parameter in parameters})
            return f"{start}{', '.join(shown)}{end}"
        left = room - sum(map(_length, required))
        optional = _cut(optional, left, {parameter.name for parameter in parameters}) if optional else []
    return f"{start}{', '.join([*required, *(['*'] if optional else []), *optional])}{end}"


def returned(tool: Tool) -> str:
    """The type of a tool's result: as its server promises it, else as results were seen to be, else `Any`."""
    if tool.output_schema is not None:
        return type_of(result_schema(tool.output_schema), tool.output_schema, RETURN_CHARACTERS, RETURN_PLANS)
    return type_of(tool.observed, tool.observed, RETURN_CHARACTERS, RETURN_PLANS)


def line(tool: Tool, most: int = DESCRIPTION_CHARACTERS) -> str:
    """The signature; behind it, whether the policy denies the tool, whether its return type was only observed, and
    `most` characters of its description.
    """
    remarks = (
        "" if tool.decision.allowed else "DENIED by policy.",
        OBSERVED if tool.output_schema is None and tool.observed is not None else "",
        one_line(tool.description, most) if most else "",
    )
    comment = " ".join(filter(None, remarks))
    return f"{signature(tool)}  # {comment}" if comment else signature(tool)


def server_file(server: Server) -> str:
    """A server's file as readToolFile shows it: a header, then a line a tool."""
    count = len(server.tools)
    purpose = one_line(server.description, DESCRIPTION_CHARACTERS)
    header = f"# {server.name}: {count} tool{'s' if count != 1 else ''}{f'. {purpose}' if purpose else ''}"
    usage = f"# In a program: {server.name}.TOOL(argument=value)"
    return "\n".join([header, usage, *(line(tool) for tool in server.tools.values())]) + "\n"


def docs(tool: Tool) -> str:
    """Everything about one tool, in at most docs.DOCS_CHARACTERS characters; the last line says what is left out."""
    return written_docs(tool, signature(tool))


def _fitted(parameters: tuple[Parameter, ...], root: Schema, room: int) -> list[str]:
    """Each parameter with its type and default; while they are too long together, the longest type shows less."""
    defaults = ["" if each.required else f" = {_default(each, root)}" for each in parameters]
    plans = [0] * len(parameters)
    types = [_planned(each.schema, root, plans, i) for i, each in enumerate(parameters)]
    room -= sum(len(each.name) + len(": ") + len(", ") for each in parameters) + sum(map(len, defaults))
    left = room - sum(map(len, types))
    if left < 0:
        longest = [(-len(written), i) for i, written in enumerate(types) if len(written) > SHORT]
        heapq.heapify(longest)
        while left < 0 and longest:
            _, i = heapq.heappop(longest)
            before = len(types[i])
            plans[i] += 1
            types[i] = _planned(parameters[i].schema, root, plans, i)
            left += before - len(types[i])
            if len(types[i]) > SHORT:
                heapq.heappush(longest, (-len(types[i]), i))
    types = [
        each.removesuffix(" | None") if default == " = None" else each
        for each, default in zip(types, defaults, strict=True)
    ]
    return [f"{each.name}: {types[i]}{defaults[i]}" for i, each in enumerate(parameters)]


def _planned(schema: Schema, root: Schema, plans: list[int], i: int) -> str:
    """The type by the i-th parameter's plan, or by the first later one that is enough; `Any` after the last."""
    for plan in range(plans[i], len(PLANS)):
        plans[i] = plan
        written = planned_type(schema, root, PLANS[plan])
        if written is not None and len(written) <= LINE_CHARACTERS:
            return written
    return "Any"


def _cut(parameters: list[str], room: int, taken: set[str]) -> list[str]:
    """The first parameters that fit, and a last one that counts the others."""
    name = "_more"
    while name in taken:
        name = f"_{name}"
    more = f'{name}: "{len(parameters)} more, see getToolDocs" = ...'
    room -= len(more)
    kept = []
    for written in parameters:
        room -= _length(written)
        if room < 0:
            break
        kept.append(written)
    return [*kept, more.replace(f'"{len(parameters)} ', f'"{len(parameters) - len(kept)} ')]


def _length(written: str) -> int:
    """What a parameter takes of the line, with the comma behind it."""
    return len(written) + len(", ")


def _default(parameter: Parameter, root: Schema) -> str:
    schema = parameter.schema
    if "default" not in schema and not schema.keys().isdisjoint(("$ref", "allOf")):
        try:
            schema = Reader(root, NODES).flat(schema).schema
        except TooLargeError:
            return "None"
    written = literal(schema.get("default"))
    return written if len(written) <= DEFAULT_CHARACTERS else "..."
