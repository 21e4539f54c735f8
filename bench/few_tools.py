"""What the hub costs where it has least to offer: five tools, given directly or through the hub, in input tokens.

`make bench-few-tools` runs two tasks for real, each as plain tool calls of a server (bench/typical_server.py) and as
one program through a hub in its second session, and counts every request's whole input: definitions, instructions and
all messages so far. Writes bench/results/few_tools.json. It isn't a model: calls and programs are written below.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import click
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

from bench.tokens import TOKENIZER, as_sent, tokens

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results" / "few_tools.json"
SERVER = [sys.executable, "-m", "bench.typical_server"]
"""Started in ROOT."""

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """A request, the calls that serve it one after the other, and the program that does the same."""

    name: str
    request: str
    calls: Sequence[Call]
    program: str
    most: float
    """What the hub may cost, as a share of what plain calls do (issue 4)."""


TASKS = (
    Task(
        "one call",
        "Which office products are running short, and when does the next delivery come?",
        [("shortages", {"category": "office"})],
        'result = stock.shortages(category="office")',
        1.1,
    ),
    Task(
        "two dependent calls",
        "How many of each desk do the warehouses hold?",
        [
            ("search_products", {"query": "desk"}),
            ("stock_levels", {"product_ids": []}),  # the ids of the first answer are put in
        ],
        'found = stock.search_products(query="desk")["products"]\n'
        'levels = stock.stock_levels(product_ids=[p["id"] for p in found])\n'
        'result = {p["name"]: levels[p["id"]]["on_hand"] for p in found}',
        1.0,
    ),
)


@dataclass(frozen=True)
class Counted:
    """A task's input tokens, added up over its requests."""

    task: str
    direct: int
    direct_requests: int
    hub: int
    hub_requests: int
    ratio: float
    most: float
    met: bool


class Conversation:
    """Counts what every request of a conversation sends, as the Messages API bills it."""

    def __init__(self, instructions: str, tools: list[dict[str, Any]], request: str) -> None:
        self._fixed = tokens(instructions) + tokens(tools)
        self._messages = tokens({"role": "user", "content": request})
        self.requests = 1
        self.total = self._fixed + self._messages

    def turn(self, name: str, arguments: dict[str, Any], answer: str) -> None:
        """The model calls a tool, and the answer is sent with everything before it."""
        use = {"type": "tool_use", "id": "toolu_01", "name": name, "input": arguments}
        result = {"type": "tool_result", "tool_use_id": "toolu_01", "content": answer}
        self._messages += tokens({"role": "assistant", "content": [use]})
        self._messages += tokens({"role": "user", "content": [result]})
        self.requests += 1
        self.total += self._fixed + self._messages


async def answer(client: Client, name: str, arguments: dict[str, Any]) -> str:
    """What a tool answers, as the model reads it. Raises RuntimeError for a failed call."""
    result = await client.call_tool(name, arguments)
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        raise RuntimeError(f"{name} failed: {text}")
    return text


async def direct(task: Task) -> Conversation:
    """The task as plain calls, each answer read by the model."""
    async with Client(StdioServerParameters(command=SERVER[0], args=SERVER[1:], cwd=ROOT)) as client:
        talk = Conversation(client.instructions or "", as_sent((await client.list_tools()).tools), task.request)
        text = ""
        for name, arguments in task.calls:
            if name == "stock_levels":
                arguments = {"product_ids": [each["id"] for each in json.loads(text)["products"]]}
            text = await answer(client, name, arguments)
            talk.turn(name, arguments, text)
    return talk


async def through_hub(task: Task, folder: Path) -> Conversation:
    """The task as one program, in a session whose hub has seen the server before."""
    config = folder / "servers.toml"
    lines = [f"command = {json.dumps(SERVER)}", f"cwd = {json.dumps(str(ROOT))}", 'description = "Products and stock"']
    config.write_text("\n".join(["[servers.stock]", *lines, ""]))
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_hub", "serve", "--config", str(config)],
        env={"MCP_HUB_STATE_DIR": str(folder / "state"), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    async with Client(parameters) as first:
        await answer(first, "listToolFiles", {})
    async with Client(parameters) as client:
        talk = Conversation(client.instructions or "", as_sent((await client.list_tools()).tools), task.request)
        arguments = {"code": task.program}
        talk.turn("executeToolCode", arguments, await answer(client, "executeToolCode", arguments))
    return talk


async def count(task: Task) -> Counted:
    """Run a task both ways."""
    plain = await direct(task)
    with tempfile.TemporaryDirectory() as folder:
        hub = await through_hub(task, Path(folder))
    ratio = hub.total / plain.total
    return Counted(
        task.name, plain.total, plain.requests, hub.total, hub.requests, round(ratio, 3), task.most, ratio <= task.most
    )


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def main(as_json: bool) -> None:
    """Run the bench and write its results."""
    counted = [anyio.run(count, task) for task in TASKS]
    results = {
        "command": "make bench-few-tools",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tokenizer": f"{TOKENIZER} (bpe-openai)",
        "tasks": [asdict(each) for each in counted],
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    if as_json:
        print(json.dumps(results))
        return
    print(f"input tokens over the whole conversation, {TOKENIZER} (bpe-openai)")
    for each in counted:
        print(
            f"  {each.task:<22} plain {each.direct:>6,} in {each.direct_requests} requests   "
            f"hub {each.hub:>6,} in {each.hub_requests}   {each.ratio:.2f} x   "
            f"at most {each.most:.1f}   {'met' if each.met else 'MISSED'}"
        )


if __name__ == "__main__":
    main()
