"""The whole hub over stdio, driven by the SDK's client in both protocol eras, against the shop's servers."""

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from bpe_openai import get_encoding
from inline_snapshot import snapshot
from mcp import Client, MCPError

from fixtures import shop
from tests.conftest import Connect
from tests.support import PATIENCE, said, text_of

pytestmark = pytest.mark.anyio

SHOP = """
[servers.orders]
command = ["{python}", "{fixtures}/orders_server.py"]
description = "The shop's orders"
[servers.customers]
command = ["{python}", "{fixtures}/customers_server.py"]
[servers.stock]
command = ["{python}", "{fixtures}/stock_server.py"]
"""

ECHO = """
[servers.echo]
command = ["{python}", "{fixtures}/echo_server.py"]
env = { ECHO_JOURNAL = "%s" }
"""


async def run(client: Client, code: str) -> str:
    """What a program answers; the test fails if the program does."""
    result = await client.call_tool("executeToolCode", {"code": code})
    assert not result.is_error, text_of(result)
    return text_of(result)


async def failed(client: Client, code: str) -> str:
    """What a program that fails is told."""
    result = await client.call_tool("executeToolCode", {"code": code})
    assert result.is_error, text_of(result)
    return text_of(result)


async def test_a_client_sees_four_tools_and_what_they_do_to_the_world(
    connect: Connect, servers_toml: Callable[[str], Path], era: str
) -> None:
    async with connect(servers_toml(SHOP), era) as client:
        listed = (await client.list_tools()).tools
        assert client.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[era]
    assert [tool.name for tool in listed] == ["listToolFiles", "readToolFile", "getToolDocs", "executeToolCode"]
    hints = [tool.annotations for tool in listed if tool.annotations]
    assert [hint.read_only_hint for hint in hints] == [True, True, True, False]
    assert hints[3].destructive_hint
    assert hints[3].open_world_hint
    assert all(tool.meta and tool.meta["anthropic/alwaysLoad"] is True for tool in listed)


async def test_the_four_definitions_cost_at_most_900_tokens(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    async with connect(servers_toml("")) as client:
        listed = (await client.list_tools()).tools
    sent = [{"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in listed]
    assert len(get_encoding("o200k_base").encode(json.dumps(sent))) <= 900


async def test_an_agent_finds_reads_and_runs_a_program_over_three_servers(
    connect: Connect, servers_toml: Callable[[str], Path], era: str
) -> None:
    async with connect(servers_toml(SHOP), era) as client:
        files = text_of(await client.call_tool("listToolFiles", {}))
        found = text_of(await client.call_tool("listToolFiles", {"query": "orders that are late"}))
        read = text_of(await client.call_tool("readToolFile", {"fileName": "servers/stock.pyi"}))
        docs = text_of(await client.call_tool("getToolDocs", {"server": "stock", "tool": "restock"}))
        result = await run(
            client,
            """
late = orders.late_orders(min_days=1)
ids = sorted({line["product_id"]: None for order in late for line in order["lines"]})
levels = stock.stock_levels(product_ids=ids)
result = []
for order in late:
    missing = [l["product_id"] for l in order["lines"] if sum(levels[l["product_id"]]["on_hand"].values()) == 0]
    if missing:
        customer = customers.get_customer(customer_id=order["customer_id"])
        result.append([order["order_id"], customer["city"], missing])
""",
        )
    assert files == snapshot("""\
servers/orders.pyi     6 tools  The shop's orders
servers/customers.pyi  5 tools
servers/stock.pyi      5 tools\
""")
    assert found.splitlines()[0].startswith("orders: def late_orders(*, min_days: int = 1) -> list[")
    assert "def restock(product_id: str, quantity: int, *, warehouse: Literal[" in read
    assert "minimum 1; maximum 1000" in docs
    by_id = {id: shop.customers()[order.customer_id].city for id, order in shop.orders().items()}
    assert json.loads(result) == [
        ["O-1008", by_id["O-1008"], ["P-18"]],
        ["O-1038", by_id["O-1038"], ["P-03"]],
        ["O-1041", by_id["O-1041"], ["P-13"]],
    ]


async def test_the_answer_is_result_or_else_main_or_else_the_last_expression(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    async with connect(servers_toml("")) as client:
        assert await run(client, "def main():\n    return 1\nresult = 2\n3") == "2"
        assert await run(client, "def main():\n    return 1\n3") == "1"
        assert await run(client, "3") == "3"
        assert await run(client, "result = None") == "null"
        assert (await run(client, "x = 3")).startswith("null: the program gave no answer. Set result")
        assert await run(client, "result = 'text stays text'") == "text stays text"


async def test_what_a_program_prints_comes_beside_its_answer(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    async with connect(servers_toml("")) as client:
        result = await client.call_tool("executeToolCode", {"code": "print('working', 1)\nresult = 2"})
    assert [block.text for block in result.content if block.type == "text"] == ["2", "printed:\nworking 1\n"]


async def test_a_program_is_told_its_mistakes_and_what_to_do(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    async with connect(servers_toml(ECHO % (tmp_path / "journal"))) as client:
        assert await failed(client, "for i in [1, 2]\n    print(i)") == snapshot("""\
The program failed (syntax). No tool was called before that.
error: Parse error: unexpected new line here
 --> program:1:16
  |
1 | for i in [1, 2]
  |                ^
2 |     print(i)
  |\
""")
        assert await failed(client, "result = ecko.echo(value=1)") == snapshot("""\
The program failed (name). No tool was called before that.
error: Variable `ecko` not found
 --> program:1:10
  |
1 | result = ecko.echo(value=1)
  |          ^^^^
  |
Servers are the names that programs use: did you mean echo?\
""")
        assert await failed(client, "echo.ecko(value=1)\necho.mixt()") == snapshot("""\
The program failed (name). No tool was called before that.
line 1: echo has no tool 'ecko'. Did you mean echo.echo?
line 2: echo has no tool 'mixt'. Did you mean echo.mixed?\
""")
        assert await failed(client, "echo.echo(value=1)\necho.sleep(seconds='long')") == snapshot("""\
The program failed (arguments). Before that, 1 of the 2 tool calls succeeded.
Traceback (most recent call last):
  * program:2, in <module>
      echo.sleep(seconds='long')
error: echo.sleep was not called: argument seconds: expected float, got text "long". \
It is: def sleep(seconds: float, *, label: str = "sleep") -> Any
 --> program:2:1
  |
2 | echo.sleep(seconds='long')
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^
  |\
""")
        assert await failed(client, "echo.fail(message='no such file')") == snapshot("""\
The program failed (tool). Before that, 0 of the 1 tool call succeeded.
Traceback (most recent call last):
  * program:1, in <module>
      echo.fail(message='no such file')
error: echo.fail failed: no such file
 --> program:1:1
  |
1 | echo.fail(message='no such file')
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |\
""")
        calls = [line for line in (tmp_path / "journal").read_text().splitlines() if line.startswith("call")]
        assert calls == ['call echo {"value": 1}', 'call fail {"message": "no such file"}']


async def test_names_and_arguments_no_program_can_write_are_mapped(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    async with connect(servers_toml(ECHO % (tmp_path / "journal"))) as client:
        assert json.loads(await run(client, "result = echo.with_dash(value='7')"))["value"] == "7"
        assert json.loads(await run(client, "result = echo.from_(value='7')"))["value"] == "7"
        odd = await run(client, 'result = echo.odd_params(from_="a", a_b=3, options={"class": "c"})')
        assert json.loads(odd) == {"from": "a", "a-b": 3, "options": {"class": "c"}}


async def test_results_arrive_as_values_and_never_as_base64(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    async with connect(servers_toml(ECHO % (tmp_path / "journal"))) as client:
        assert await run(client, "result = echo.echo_text(text='42') + '!'") == "42!"
        assert await run(client, "result = echo.echo_text(text='[1, 2]')[1]") == "2"
        assert json.loads(await run(client, "result = echo.image()"))["type"] == "image"
        assert json.loads(await run(client, "result = echo.blob()"))["type"] == "blob"
        assert len(json.loads(await run(client, "result = echo.mixed()"))) == 3


async def test_a_large_answer_is_cut_and_says_so(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    async with connect(servers_toml(ECHO % (tmp_path / "journal"))) as client:
        answer = await run(client, "result = echo.big(bytes=1000000)")
    assert len(answer) < 21_000
    assert "of 1,000,000 characters" in answer


async def test_progress_of_calls_and_of_the_program_reaches_a_client_that_asked(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path, era: str
) -> None:
    told: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with connect(servers_toml(ECHO % (tmp_path / "journal")), era) as client:
        code = "echo.echo(value=1)\necho.sleep(seconds=0.1)\necho.echo(value=2)"
        await client.call_tool("executeToolCode", {"code": code}, progress_callback=on_progress)
        with anyio.fail_after(PATIENCE):
            while not told or told[-1][0] < 3:
                await anyio.lowlevel.checkpoint()
    values = [progress for progress, _ in told]
    assert values == sorted(set(values)), "it MUST increase (MCP, progress)"
    assert any(1 < value < 2 for value in values), "the tool's own progress"
    assert told[-1] == (3, "echo.echo")


async def test_cancelling_a_call_stops_the_program_and_cancels_the_call_it_waits_for(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path, era: str
) -> None:
    journal = tmp_path / "journal"
    async with connect(servers_toml(ECHO % journal), era) as client:
        await run(client, "echo.echo(value=0)")
        async with anyio.create_task_group() as tasks:
            code = "echo.sleep(seconds=60, label='long')\necho.echo(value='never')"
            tasks.start_soon(client.call_tool, "executeToolCode", {"code": code})
            await said(journal, "started long")
            tasks.cancel_scope.cancel()
        await said(journal, "cancelled long")
        assert await run(client, "result = echo.echo(value='after')['value']") == "after"
    assert "never" not in journal.read_text()


async def test_two_programs_run_side_by_side(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    async with connect(servers_toml(ECHO % journal)) as client:
        async with anyio.create_task_group() as tasks:
            for label in ("one", "two"):
                code = f"echo.sleep(seconds=60, label='{label}')"
                tasks.start_soon(client.call_tool, "executeToolCode", {"code": code})
            await said(journal, "started one")
            await said(journal, "started two")
            tasks.cancel_scope.cancel()


async def test_an_endless_program_is_ended_and_the_hub_answers_meanwhile(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    config = servers_toml("[hub.limits]\nwall_seconds = 0.5\nsteps = 1000000000000\n")
    async with connect(config) as client:
        ended: list[str] = []

        async def loop() -> None:
            code = "for i in range(1000000000):\n    for j in range(1000000000):\n        pass"
            ended.append(await failed(client, code))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loop)
            await client.call_tool("listToolFiles", {})
            assert not ended
    assert ended == snapshot(
        [
            "The program was ended: it reached the limit wall_seconds = 0.5 (hub.limits.wall_seconds in "
            "servers.toml). No tool was called before that. Do less in one program, or raise the limit."
        ]
    )


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("x = [1]\nfor i in range(60):\n    x = x + x", "memory_mib"),
        ("x = 'a' * 2000000000", "memory_mib"),
        ("for i in range(300):\n    echo.pid()", "calls"),
        ("for i in range(100000000):\n    pass", "steps"),
        ("def f(n):\n    return f(n + 1)\nf(0)", "call_depth"),
        ("x = 1 #" + "x" * 70_000, "source_bytes"),
        ("result = 'a' * 5000000", "result_characters"),
    ],
)
async def test_a_limit_names_itself_and_the_hub_goes_on(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path, code: str, limit: str
) -> None:
    async with connect(servers_toml(ECHO % (tmp_path / "journal"))) as client:
        assert f"hub.limits.{limit} in servers.toml" in await failed(client, code)
        assert await run(client, "1") == "1"


async def test_a_misused_meta_tool_is_told_how_to_be_used(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    async with connect(servers_toml(SHOP)) as client:

        async def told(tool: str, arguments: dict[str, object]) -> str:
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            return text_of(result)

        assert await told("executeToolCode", {}) == snapshot("executeToolCode needs the argument 'code'.")
        assert await told("readToolFile", {"filename": "x"}) == snapshot("readToolFile needs the argument 'fileName'.")
        assert await told("readToolFile", {"fileName": "servers/order.pyi"}) == snapshot(
            "There is no server 'order'. Did you mean 'orders'? Servers: orders, customers, stock."
        )
        assert await told("readToolFile", {"fileName": "stock", "startLine": 99}) == snapshot(
            "The file has 7 lines; startLine 99 is beyond its end."
        )
        assert await told("getToolDocs", {"server": "orders", "tool": "lateOrders"}) == snapshot(
            "There is no tool 'lateOrders' in orders. Did you mean 'late_orders' or 'list_orders' or "
            "'get_order'? readToolFile('servers/orders.pyi') lists all."
        )
        assert await told("listToolFiles", {"query": "zzzz"}) == snapshot(
            "No tool fits 'zzzz'. Servers and their tools: orders (6), customers (5), stock (5). Try other words."
        )
        with pytest.raises(MCPError, match=r"There is no tool 'listToolFile'\. Did you mean 'listToolFiles'"):
            await client.call_tool("listToolFile", {})
