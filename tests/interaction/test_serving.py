"""The whole hub, driven by the SDK's client over both transports and in both eras, against the shop's servers."""

import json
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
import pytest
from inline_snapshot import snapshot
from mcp import Client, MCPError

from fixtures import shop
from tests.conftest import BOTH_TRANSPORTS, over_stdio
from tests.prepared import children_of
from tests.support import PATIENCE, HttpHub, connected, filled, http_client, said, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("serving")]

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
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
env = { ECHO_JOURNAL = "%s" }
"""


Open = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def transport() -> str:
    """How the hub is served where that makes no difference."""
    return "http"


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the echo server says what it is asked."""
    return tmp_path_factory.mktemp("echo") / "journal"


@pytest.fixture(scope="module")
async def stdio_hub(tmp_path_factory: pytest.TempPathFactory, shared: set[int]) -> AsyncIterator[Open]:
    """Connect to the hub over stdio that a servers.toml's text describes; tests with the same one and era share it."""
    clients: dict[tuple[str, str], Client] = {}
    ended = anyio.Event()

    async def keep(text: str, mode: str, *, task_status: anyio.abc.TaskStatus[Client]) -> None:
        """Be connected in a task of its own, as the test that begins it isn't the one that ends it."""
        folder = tmp_path_factory.mktemp("stdio")
        config = folder / "servers.toml"
        config.write_text(filled(text))
        before = set(children_of(os.getpid()))
        async with over_stdio(config, folder / "state", folder, mode) as client:
            shared.update(pid for pid in children_of(os.getpid()) if pid not in before)
            await connected(client)
            task_status.started(client)
            await ended.wait()

    async with anyio.create_task_group() as tasks:

        @asynccontextmanager
        async def opened(text: str, mode: str) -> AsyncIterator[Client]:
            if (text, mode) not in clients:
                clients[text, mode] = await tasks.start(keep, text, mode)
            yield clients[text, mode]

        yield opened
        ended.set()


@pytest.fixture
def open_hub(transport: str, stdio_hub: Open, hub_with: Callable[[str], HttpHub]) -> Open:
    """Connect to a hub with a servers.toml, which tests share: over stdio with their client, over HTTP without."""

    @asynccontextmanager
    async def opened(text: str, mode: str = "auto") -> AsyncIterator[Client]:
        if transport == "stdio":
            async with stdio_hub(text, mode) as client:
                yield client
        else:
            hub = await anyio.to_thread.run_sync(hub_with, text)
            async with http_client(hub.url, mode) as client:
                await connected(client)
                yield client

    return opened


def calls_in(journal: Path) -> list[str]:
    """The calls that the echo server says it got."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [line for line in lines if line.startswith("call")]


async def run(client: Client, code: str) -> str:
    """What a program answers; the test fails if the program does."""
    result = await client.call_tool("executeToolCode", {"code": code})
    assert not result.is_error, text_of(result)
    return text_of(result)


async def failed(client: Client, code: str) -> str:
    """What a program that fails is told; RUN stands for the run's id."""
    result = await client.call_tool("executeToolCode", {"code": code})
    assert result.is_error, text_of(result)
    return re.sub(r'resume="\w+', 'resume="RUN', text_of(result))


@BOTH_TRANSPORTS
async def test_a_client_sees_four_tools_and_what_they_do_to_the_world(open_hub: Open, journal: Path, era: str) -> None:
    async with open_hub(ECHO % journal, era) as client:
        listed = (await client.list_tools()).tools
        assert client.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[era]
    assert [tool.name for tool in listed] == ["listToolFiles", "readToolFile", "getToolDocs", "executeToolCode"]
    hints = [tool.annotations for tool in listed if tool.annotations]
    assert [hint.read_only_hint for hint in hints] == [True, True, True, False]
    assert hints[3].destructive_hint
    assert hints[3].open_world_hint
    assert all(tool.meta and tool.meta["anthropic/alwaysLoad"] is True for tool in listed)


async def test_the_four_definitions_cost_at_most_900_tokens(open_hub: Open, journal: Path) -> None:
    from bpe_openai import get_encoding  # its tables take a second, which nobody else needs to wait

    async with open_hub(ECHO % journal) as client:
        listed = (await client.list_tools()).tools
    sent = [{"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in listed]
    assert len(get_encoding("o200k_base").encode(json.dumps(sent))) <= 900


@pytest.mark.parametrize(("transport", "era"), [("stdio", "legacy"), ("http", "auto")])
async def test_an_agent_finds_reads_and_runs_a_program_over_three_servers(open_hub: Open, era: str) -> None:
    async with open_hub(SHOP, era) as client:
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
servers/customers.pyi  5 tools  check_credit, export_customer, find_customers, get_customer, update_contact
servers/stock.pyi      5 tools  get_product, restock, search_products, shortages, stock_levels\
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


async def test_the_answer_is_result_or_else_main_or_else_the_last_expression(open_hub: Open, journal: Path) -> None:
    async with open_hub(ECHO % journal) as client:
        assert await run(client, "def main():\n    return 1\nresult = 2\n3") == "2"
        assert await run(client, "def main():\n    return 1\n3") == "1"
        assert await run(client, "3") == "3"
        assert await run(client, "result = None") == "null"
        assert (await run(client, "x = 3")).startswith("null: the program gave no answer. Set result")
        assert await run(client, "result = 'text stays text'") == "text stays text"


async def test_what_a_program_prints_comes_beside_its_answer(open_hub: Open, journal: Path) -> None:
    async with open_hub(ECHO % journal) as client:
        result = await client.call_tool("executeToolCode", {"code": "print('working', 1)\nresult = 2"})
    assert [block.text for block in result.content if block.type == "text"] == ["2", "printed:\nworking 1\n"]


async def test_a_program_is_told_its_mistakes_and_what_to_do(open_hub: Open, journal: Path) -> None:
    async with open_hub(ECHO % journal) as client:
        before = calls_in(journal)
        assert await failed(client, "for i in [1, 2]\n    print(i)") == snapshot("""\
The program failed (syntax).
error: Parse error: unexpected new line here
 --> program:1:16
  |
1 | for i in [1, 2]
  |                ^
2 |     print(i)
  |
Next: nothing was called, so mend the program and send it again.\
""")
        assert await failed(client, "result = ecko.echo(value=1)") == snapshot("""\
The program failed (name).
line 1: nothing is called 'ecko', no server and nothing in the program. Did you mean echo?
Next: nothing was called, so mend the program and send it again.\
""")
        assert await failed(client, "echo.ecko(value=1)\necho.mixt()") == snapshot("""\
The program failed (name).
line 1: echo has no tool 'ecko'. Did you mean echo.echo?
line 2: echo has no tool 'mixt'. Did you mean echo.mixed?
Next: nothing was called, so mend the program and send it again.\
""")
        assert await failed(client, "echo.echo(value=1)\necho.sleep(seconds='long')") == snapshot("""\
The program failed (arguments).
line 2: echo.sleep: argument seconds: expected float, got text "long". \
It is: def sleep(seconds: float, *, label: str = "sleep") -> Any
Next: nothing was called, so mend the program and send it again.\
""")
        code = "attempt(lambda: echo.fail(message='no such file'))\necho.fail(message='no such file')"
        assert await failed(client, code) == snapshot("""\
The program failed (tool).
Traceback (most recent call last):
  * program:2, in <module>
      echo.fail(message='no such file')
error: echo.fail failed: no such file
 --> program:2:1
  |
2 | echo.fail(message='no such file')
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
Calls:
  1. echo.fail({"message": "no such file"}): failed, as told above
  2. echo.fail({"message": "no such file"}): failed, as told above
Next: mend the program and send it again. attempt(lambda: ...) or try goes on in spite of a failed call.\
""")
        calls = calls_in(journal)[len(before) :]
        assert calls == ['call fail {"message": "no such file"}'] * 2, "the others were told before a call was made"


async def test_names_and_arguments_no_program_can_write_are_mapped(open_hub: Open, journal: Path) -> None:
    async with open_hub(ECHO % journal) as client:
        assert json.loads(await run(client, "result = echo.with_dash(value='7')"))["value"] == "7"
        assert json.loads(await run(client, "result = echo.from_(value='7')"))["value"] == "7"
        odd = await run(client, 'result = echo.odd_params(from_="a", a_b=3, options={"class": "c"})')
        assert json.loads(odd) == {"from": "a", "a-b": 3, "options": {"class": "c"}}


@BOTH_TRANSPORTS
async def test_results_arrive_as_values_and_never_as_base64(open_hub: Open, journal: Path) -> None:
    async with open_hub(ECHO % journal) as client:
        assert await run(client, "result = echo.echo_text(text='42') + '!'") == "42!"
        assert await run(client, "result = echo.echo_text(text='[1, 2]')[1]") == "2"
        assert json.loads(await run(client, "result = echo.image()"))["type"] == "image"
        assert json.loads(await run(client, "result = echo.blob()"))["type"] == "blob"
        assert len(json.loads(await run(client, "result = echo.mixed()"))) == 3


async def test_a_large_answer_is_cut_and_says_so(open_hub: Open, journal: Path) -> None:
    async with open_hub(ECHO % journal) as client:
        answer = await run(client, "result = echo.big(bytes=1000000)")
    assert len(answer) < 21_000
    assert "of 1,000,000 characters" in answer


@BOTH_TRANSPORTS
async def test_progress_of_calls_and_of_the_program_reaches_a_client_that_asked(
    open_hub: Open, journal: Path, era: str
) -> None:
    told: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with open_hub(ECHO % journal, era) as client:
        code = "echo.echo(value=1)\necho.sleep(seconds=0.1)\necho.echo(value=2)"
        await client.call_tool("executeToolCode", {"code": code}, progress_callback=on_progress)
        with anyio.fail_after(PATIENCE):
            while not told or told[-1][0] < 3:
                await anyio.lowlevel.checkpoint()
    values = [progress for progress, _ in told]
    assert values == sorted(set(values)), "it MUST increase (MCP, progress)"
    assert any(1 < value < 2 for value in values), "the tool's own progress"
    assert told[-1] == (3, "echo.echo")


@BOTH_TRANSPORTS
async def test_cancelling_a_call_stops_the_program_and_cancels_the_call_it_waits_for(
    open_hub: Open, journal: Path, transport: str, era: str
) -> None:
    label = f"long {transport} {era}"
    async with open_hub(ECHO % journal, era) as client:
        await run(client, "echo.echo(value=0)")
        async with anyio.create_task_group() as tasks:
            code = f"echo.sleep(seconds=60, label='{label}')\necho.echo(value='never')"
            tasks.start_soon(client.call_tool, "executeToolCode", {"code": code})
            await said(journal, f"started {label}")
            tasks.cancel_scope.cancel()
        await said(journal, f"cancelled {label}")
        assert await run(client, "result = echo.echo(value='after')['value']") == "after"
    assert "never" not in journal.read_text()


@BOTH_TRANSPORTS
async def test_two_programs_run_side_by_side(open_hub: Open, journal: Path, transport: str) -> None:
    labels = [f"one {transport}", f"two {transport}"]
    async with open_hub(ECHO % journal) as client:
        async with anyio.create_task_group() as tasks:
            for label in labels:
                code = f"echo.sleep(seconds=60, label='{label}')"
                tasks.start_soon(client.call_tool, "executeToolCode", {"code": code})
            for label in labels:
                await said(journal, f"started {label}")
            tasks.cancel_scope.cancel()


@BOTH_TRANSPORTS
async def test_an_endless_program_is_ended_and_the_hub_answers_meanwhile(open_hub: Open) -> None:
    async with open_hub("[hub.limits]\nwall_seconds = 0.5\nsteps = 1000000000000\n") as client:
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
            """\
The program failed (limit wall_seconds).
The program was ended: it reached the limit wall_seconds = 0.5 (hub.limits.wall_seconds in \
servers.toml). No tool was called before that. Do less in one program, or raise the limit.
Next: nothing was called, so mend the program and send it again.\
"""
        ]
    )


async def test_a_limit_names_itself_and_the_hub_goes_on(open_hub: Open, journal: Path) -> None:
    beyond = {
        "memory_mib": "x = 'a' * 2000000000",
        "calls": "for i in range(300):\n    echo.pid()",
        "steps": "for i in range(100000000):\n    pass",
        "call_depth": "def f(n):\n    return f(n + 1)\nf(0)",
        "source_bytes": "x = 1 #" + "x" * 70_000,
        "result_characters": "result = 'a' * 5000000",
    }
    async with open_hub(ECHO % journal) as client:
        for limit, code in beyond.items():
            assert f"hub.limits.{limit} in servers.toml" in await failed(client, code)
            assert await run(client, "1") == "1"


async def test_a_misused_meta_tool_is_told_how_to_be_used(open_hub: Open) -> None:
    async with open_hub(SHOP) as client:

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
            """\
No tool fits 'zzzz'. Try other words, or read a file:
servers/orders.pyi     6 tools  The shop's orders
servers/customers.pyi  5 tools  check_credit, export_customer, find_customers, get_customer, update_contact
servers/stock.pyi      5 tools  get_product, restock, search_products, shortages, stock_levels\
"""
        )
        with pytest.raises(MCPError, match=r"There is no tool 'listToolFile'\. Did you mean 'listToolFiles'"):
            await client.call_tool("listToolFile", {})
