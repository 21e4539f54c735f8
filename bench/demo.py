"""`make demo`: the main job, done in front of you by a real client, with what it cost in tokens."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent, Tool
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from bench.tokens import TOKENIZER, as_sent, tokens
from mcp_hub.config import parse
from mcp_hub.settings import Settings

ROOT = Path(__file__).parent.parent
QUERY = "orders that are late"

PROGRAM = """\
late = orders.late_orders(min_days=1)
wanted = sorted({line["product_id"]: None for order in late for line in order["lines"]})
levels = stock.stock_levels(product_ids=wanted)

def missing(order):
    return [l["product_id"] for l in order["lines"] if sum(levels[l["product_id"]]["on_hand"].values()) == 0]

result = []
for order in late:
    if missing(order):
        customer = customers.get_customer(customer_id=order["customer_id"])
        result.append({
            "order": order["order_id"],
            "days_late": order["days_late"],
            "call": customer["name"],
            "waits_for": [stock.get_product(product_id=p)["name"] for p in missing(order)],
        })
"""


class Conversation:
    """A client's session with the hub, and every text that a model would have read or written in it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.read: list[str] = []
        self.written: list[str] = []

    async def call(self, tool: str, **arguments: Any) -> str:
        """Call a meta-tool; the text of its answer."""
        self.written.append(json.dumps({"name": tool, "input": arguments}))
        answer = _text(await self._client.call_tool(tool, arguments))
        self.read.append(answer)
        return answer


async def main() -> int:
    """Show the job step by step; 1 when something in it failed."""
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False)
    settings = parse((ROOT / "servers.toml").read_text(), ROOT / "servers.toml", {})
    with tempfile.TemporaryDirectory() as state:
        hub = StdioServerParameters(
            command=sys.executable,
            args=["-m", "mcp_hub", "serve", "--config", str(ROOT / "servers.toml")],
            env={"MCP_HUB_STATE_DIR": state},
            cwd=ROOT,
        )
        with console.status("starting mcp_hub serve and its servers"):
            async with Client(hub) as client:
                definitions = (await client.list_tools()).tools
                conversation = Conversation(client)
                _heading(console, "1. One server to connect to", f"MCP {client.protocol_version}, four tools")
                console.print(await conversation.call("listToolFiles"))
                _heading(console, "2. One search", f"listToolFiles(query={QUERY!r})")
                found = await conversation.call("listToolFiles", query=QUERY)
                console.print(_cut(found.splitlines()[0], 400))
                _heading(console, "3. One file of signatures", "readToolFile(fileName='servers/stock.pyi')")
                console.print(
                    "\n".join(
                        _cut(line, 110)
                        for line in _stock(await conversation.call("readToolFile", fileName="servers/stock.pyi"))
                    )
                )
                _heading(console, "4. One program over three servers", "executeToolCode(code=...)")
                console.print(Syntax(PROGRAM.rstrip(), "python", theme="ansi_dark", background_color="default"))
                answer = await conversation.call("executeToolCode", code=PROGRAM)
                _heading(console, "5. Its answer, and nothing else", "every nested result stayed out of the context")
        for row in json.loads(answer):
            console.print(json.dumps(row, ensure_ascii=False))
    with console.status("asking the same servers directly, for comparison"):
        direct, results = await _directly(settings)
    _heading(console, "6. What it cost", f"tokens, {TOKENIZER}")
    _cost(console, direct, results, definitions, conversation)
    return 0


def _cost(
    console: Console, direct: list[Tool], results: list[str], definitions: list[Tool], conversation: Conversation
) -> None:
    upfront = tokens(as_sent(direct))
    passed = sum(tokens(text) for text in results)
    ours = tokens(as_sent(definitions))
    talk = sum(tokens(text) for text in (*conversation.read, *conversation.written))
    rows = (
        (f"directly: {len(direct)} definitions upfront", upfront, "sent again with every turn"),
        (f"directly: the {len(results)} results that this job passes on", passed, "read by the model"),
        (f"with the hub: {len(definitions)} definitions upfront", ours, "whatever the number of servers"),
        ("with the hub: this whole session", talk, "look-ups, program and answer"),
    )
    for what, counted, note in rows:
        console.print(f"{what:<52}{counted:>7,}   {note}")
    console.print(f"{'in all, each text counted once':<52}{upfront + passed:>7,} -> {ours + talk:,}")


async def _directly(settings: Settings) -> tuple[list[Tool], list[str]]:
    """Every definition of the servers, and the texts that the program's own calls return, made one by one."""
    definitions: list[Tool] = []
    results: list[str] = []

    async def call(client: Client, tool: str, **arguments: Any) -> Any:
        result = await client.call_tool(tool, arguments)
        results.append(_text(result))
        structured = result.structured_content
        assert isinstance(structured, dict)
        return structured.get("result", structured)

    async with _server(settings, "orders") as orders, _server(settings, "stock") as stock:
        for client in (orders, stock):
            definitions += (await client.list_tools()).tools
        late = await call(orders, "late_orders", min_days=1)
        products = sorted({line["product_id"] for order in late for line in order["lines"]})
        levels = await call(stock, "stock_levels", product_ids=products)
        gone = {product for product, level in levels.items() if not sum(level["on_hand"].values())}
        waiting = [order for order in late if gone & {line["product_id"] for line in order["lines"]}]
        for order in waiting:
            for product in sorted(gone & {line["product_id"] for line in order["lines"]}):
                await call(stock, "get_product", product_id=product)
    async with _server(settings, "customers") as customers:
        definitions += (await customers.list_tools()).tools
        for order in waiting:
            await call(customers, "get_customer", customer_id=order["customer_id"])
    return definitions, results


def _server(settings: Settings, name: str) -> Client:
    server = settings.servers[name]
    assert server.command is not None
    return Client(StdioServerParameters(command=server.command[0], args=list(server.command[1:]), cwd=server.cwd))


def _text(result: CallToolResult) -> str:
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        raise SystemExit(f"the demo failed:\n{text}")
    return text


def _stock(file: str) -> list[str]:
    return [line for line in file.splitlines() if "stock_levels" in line or line.startswith("#")]


def _cut(line: str, most: int) -> str:
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _heading(console: Console, title: str, note: str) -> None:
    console.print(f"\n[bold]{title}[/bold]  [dim]{escape(note)}[/dim]", markup=True)


if __name__ == "__main__":
    sys.exit(anyio.run(main))
