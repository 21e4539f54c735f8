"""Live: a model is asked as the Messages API asks it to be, and what it comes to is graded and told with intervals."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bench.graded import live
from bench.graded.modes import Mode
from bench.graded.task import Answer, Call, Level, Task
from bench.graded.worlds import World
from tests.support import served

pytestmark = pytest.mark.anyio

DEFINITIONS = {("files", "read.all"): {"name": "read.all", "description": "Read.", "input_schema": {"type": "object"}}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Model(ThreadingHTTPServer):
    """A stand-in for the Messages API: says what it was told to, and refuses a conversation that the real one would."""

    def __init__(self, says: list[list[dict[str, Any]]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.says = says
        self.requests: list[dict[str, Any]] = []

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body for a request."""
        self.requests.append(request)
        if fault := _fault(request):
            return 400, {"type": "error", "error": {"type": "invalid_request_error", "message": fault}}
        content = self.says[len(self.requests) - 1]
        stop = "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"
        usage = {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 2}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"]}
        return 200, {**message, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def _fault(request: dict[str, Any]) -> str:
    names = [tool["name"] for tool in request["tools"]]
    if len(set(names)) < len(names) or not all(name.replace("_", "").replace("-", "").isalnum() for name in names):
        return "tools: names must be unique and match ^[a-zA-Z0-9_-]{1,128}$"
    wanted: list[str] = []
    for message in request["messages"]:
        blocks = message["content"] if isinstance(message["content"], list) else []
        if message["role"] == "assistant":
            wanted = [block["id"] for block in blocks if block["type"] == "tool_use"]
        elif [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"] != wanted:
            return "messages: tool_use ids were found without tool_result blocks"
    return ""


class _Handler(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, body = self.server.answer(request)
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def model(*says: list[dict[str, Any]]) -> Iterator[Model]:
    with served(Model(list(says))) as server:
        yield server


class Files:
    """Answers any call with the number of its letters."""

    def __init__(self) -> None:
        self.asked: list[Call] = []

    async def answer(self, call: Call) -> Answer:
        self.asked.append(call)
        return Answer("no such file", is_error=True) if call.arguments.get("path") == "none" else Answer("42")

    def before(self, _: Sequence[Call]) -> Sequence[Call]:
        raise AssertionError("a model decides by itself what it asks")


def nobody(_: World) -> Any:
    raise AssertionError("a plan is not asked")


TASK = Task(
    name="letters",
    level=Level.SIMPLE,
    servers=frozenset({"files"}),
    request="How many letters? Answer with the number only.",
    make=lambda _: None,
    solve=lambda _: "42",
    grade=lambda _, answer: answer == "42",
    wrong=("1", "2"),
    direct=nobody,
    hub=nobody,
)


def use(name: str, number: int = 1, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


async def tried(server: Model, agent: Files, box: live.Toolbox, root: Path) -> live.Tried:
    client = AsyncAnthropic(base_url=f"http://127.0.0.1:{server.server_port}", api_key="key", max_retries=0)
    async with client:
        return await live.attempt(client, "m", TASK, World(root), agent, box, (96, Mode.DIRECT))


async def test_a_model_calls_tools_until_it_answers(tmp_path: Path) -> None:
    calls = [use("files__read_all", 1, path="a"), use("files__read_all", 2, path="none"), use("nothing", 3)]
    agent = Files()
    with model(calls, [text("42")]) as server:
        done = await tried(server, agent, live.direct_toolbox(DEFINITIONS), tmp_path)
    assert (done.right, done.why, done.requests) == (True, "", 2)
    assert (done.input, done.cache_write, done.cache_read, done.output) == (20, 6, 4, 10)
    assert sorted(agent.asked, key=str) == sorted(
        [Call("files", "read.all", {"path": "a"}), Call("files", "read.all", {"path": "none"})], key=str
    )
    results = server.requests[1]["messages"][2]["content"]
    assert [(each["content"], each["is_error"]) for each in results] == [
        ("42", False),
        ("no such file", True),
        ("There is no tool nothing.", True),
    ]


async def test_a_wrong_answer_is_told_with_what_was_said(tmp_path: Path) -> None:
    with model([text("about forty")]) as server:
        done = await tried(server, Files(), live.direct_toolbox(DEFINITIONS), tmp_path)
    assert (done.right, done.why) == (False, "the answer was 'about forty'")


async def test_a_model_that_never_ends_is_stopped(tmp_path: Path) -> None:
    says = [[use("files__read_all", number)] for number in range(live.MOST_TURNS)]
    with model(*says) as server:
        done = await tried(server, Files(), live.direct_toolbox(DEFINITIONS), tmp_path)
    assert (done.right, done.why) == (False, "no end after 40 requests")


async def test_a_hubs_instructions_are_part_of_what_the_model_is_sent(tmp_path: Path) -> None:
    box = live.hub_toolbox(
        [{"name": "listToolFiles", "description": "", "input_schema": {"type": "object"}}], "Servers: files"
    )
    agent = Files()
    with model([use("listToolFiles", query="letters")], [text("42")]) as server:
        done = await tried(server, agent, box, tmp_path)
    assert done.right
    assert agent.asked == [Call("", "listToolFiles", {"query": "letters"})]
    assert server.requests[0]["system"].endswith("\n\nServers: files")


def outcome(right: bool, level: str = "simple") -> live.Tried:
    return live.Tried(96, Mode.HUB, "t", level, right, "", 3, 1000, 0, 500, 80, 1.0)


def test_rates_are_told_with_their_intervals() -> None:
    tried = [*(outcome(True) for _ in range(18)), outcome(False), outcome(True, "hard")]
    assert live.text(live.document("some-model", tried, {})) == snapshot("""\
some-model: right ends, with the 95 % interval of the rate; mean tokens of a conversation
    96 tools  hub     simple    18 of 19    94.7% (75.4% to 99.1%)  input       1,500  output      80  requests   3.0
    96 tools  hub     all       19 of 20    95.0% (76.4% to 99.1%)  input       1,500  output      80  requests   3.0
    96 tools  hub     hard       1 of 1    100.0% (20.6% to 100.0%)  input       1,500  output      80  requests   3.0\
""")


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_rate_and_narrows_with_tries(tries: int, data: st.DataObject) -> None:
    passed = data.draw(st.integers(0, tries))
    low, high = live.interval(passed, tries)
    assert 0 <= low <= passed / tries + 1e-9
    assert passed / tries - 1e-9 <= high <= 1
    closer = live.interval(10 * passed, 10 * tries)
    assert closer[1] - closer[0] < high - low


def test_without_tries_nothing_is_known() -> None:
    assert live.interval(0, 0) == (0.0, 1.0)
