"""What tools give back is learned from their results, written when it is new, shown a little later."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from mcp_hub.hub.catalog import Tool, build_server
from mcp_hub.hub.learning import SHOW_SECONDS, Learner
from mcp_hub.hub.schemas import Schema
from mcp_hub.hub.shapes import merged, shape_of
from tests.support import until

Written = tuple[str, str, str, Schema]


class Store:
    """Keeps what is written; `fails` makes it fail, `gate` makes it wait."""

    def __init__(self) -> None:
        self.written: list[Written] = []
        self.tried = 0
        self.threads: set[int] = set()
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()

    def write(self, fingerprint: str, server: str, wire_name: str, shape: Schema) -> None:
        self.gate.wait()
        self.tried += 1
        self.threads.add(threading.get_ident())
        if self.fails:
            raise OSError("disk full")
        self.written.append((fingerprint, server, wire_name, shape))


class Hub:
    """A learner among stand-ins: `github` and `again` are configured alike; `pass_time` does what was put off."""

    def __init__(self) -> None:
        self.prints = {"github": "f1", "again": "f1", "slack": "f2"}
        self.shown: list[tuple[str, Mapping[str, Schema]]] = []
        self.put_off: list[Callable[[], None]] = []
        self.store = Store()
        self.learner = Learner(lambda: self.prints, lambda key, shapes: self.shown.append((key, shapes)), self._later)

    def learn(self, key: str, name: str, *values: Any) -> None:
        for value in values:
            self.learner.sent(key, tool(name))(value)

    def pass_time(self) -> None:
        waiting, self.put_off = self.put_off, []
        for each in waiting:
            each()

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        assert seconds == SHOW_SECONDS
        self.put_off.append(then)


def tool(name: str) -> Tool:
    return build_server("s", "", [{"name": name}]).tool(name)


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    made.learner.use(made.store)
    yield made
    made.store.gate.set()
    made.learner.close()


ONE, BOTH = shape_of({"a": 1}), merged(shape_of({"a": 1}), shape_of({"b": 1}))


def test_the_first_result_of_a_tool_is_written_and_those_alike_are_not(hub: Hub) -> None:
    hub.learn("github", "get-it", {"a": 1}, {"a": 2}, {"a": 3})
    hub.learner.close()
    assert hub.store.written == [("f1", "github", "get-it", ONE)]


def test_a_result_that_changes_the_shape_is_written_merged(hub: Hub) -> None:
    hub.learn("github", "get", {"a": 1}, {"b": 2}, {"a": 1, "b": 1})
    hub.learner.close()
    assert hub.store.written == [("f1", "github", "get", ONE), ("f1", "github", "get", BOTH)]


def test_what_was_kept_is_not_written_again(hub: Hub) -> None:
    hub.learner.take({"f1": {"get": BOTH}})
    hub.learn("github", "get", {"a": 1})
    hub.learner.close()
    assert hub.store.written == []


def test_closing_writes_what_waits(hub: Hub) -> None:
    hub.store.gate.clear()
    for name in ("a", "b", "c"):
        hub.learn("slack", name, 1)
    assert hub.store.written == []
    threading.Timer(0, hub.store.gate.set).start()
    hub.learner.close()
    assert [name for _, _, name, _ in hub.store.written] == ["a", "b", "c"]


def test_writing_is_one_thread_and_not_the_callers(hub: Hub) -> None:
    for name in ("a", "b", "c"):
        hub.learn("slack", name, 1)
    hub.learner.close()
    assert len(hub.store.threads - {threading.get_ident()}) == 1


def test_what_was_learned_before_there_is_a_store_is_written_once_there_is() -> None:
    hub = Hub()
    hub.learn("slack", "a", 1)
    hub.learner.use(hub.store)
    hub.learner.use(hub.store)
    hub.learner.close()
    assert hub.store.written == [("f2", "slack", "a", {"type": "integer"})]


def is_closing(hub: Hub) -> bool:
    """Whether it has begun to close: nothing is learned any more."""
    hub.pass_time()
    hub.learn("github", f"tool_{len(hub.shown)}", 1)
    return not hub.put_off


def test_closing_tries_no_further_once_writing_fails(hub: Hub) -> None:
    hub.store.fails = True
    hub.store.gate.clear()
    for name in ("a", "b", "c"):
        hub.learn("slack", name, 1)
    closer = threading.Thread(target=hub.learner.close)
    closer.start()
    until(lambda: is_closing(hub))
    hub.store.gate.set()
    closer.join()
    assert hub.store.tried == 1


def test_a_store_that_goes_on_failing_is_told_once(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.store.fails = True
    for name in ("a", "b", "c"):
        hub.learn("slack", name, 1)
    hub.learner.close()
    assert [record.message for record in caplog.records] == [
        "the shapes of results can't be kept, so the next session has to learn them: disk full"
    ]


def test_after_a_failure_the_next_shape_is_written(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.store.fails = True
    hub.learn("slack", "a", 1)
    until(lambda: bool(caplog.records))
    hub.store.fails = False
    hub.learn("slack", "a", "x")
    hub.learner.close()
    assert hub.store.written == [("f2", "slack", "a", {"type": ["integer", "string"]})]


def test_a_call_never_fails_because_its_shape_cant_be_learned(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.learner.take({"f1": {"get": {"foreign": True}}})
    hub.learn("github", "get", 1, 2, 3)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.message == "the shape of a result of s.get can't be learned"


# What the catalog shows


def test_what_was_kept_is_shown_at_once_for_every_server_that_is_configured_so(hub: Hub) -> None:
    hub.learner.take({"f1": {"get": ONE}})
    assert hub.shown == [("github", {"get": ONE}), ("again", {"get": ONE})]


def test_what_was_learned_until_the_catalog_is_made_anew_is_shown_at_once(hub: Hub) -> None:
    hub.learn("github", "get", {"a": 1}, {"b": 1})
    hub.learn("slack", "post", "ok")
    assert hub.shown == []
    assert len(hub.put_off) == 1
    hub.pass_time()
    assert hub.shown == [("github", {"get": BOTH}), ("slack", {"post": {"type": "string"}})]


def test_a_result_that_teaches_nothing_makes_no_new_catalog(hub: Hub) -> None:
    hub.learn("github", "get", {"a": 1})
    hub.pass_time()
    hub.learn("github", "get", {"a": 2})
    assert hub.put_off == []


def test_what_was_learned_before_the_kept_was_read_is_merged_with_it(hub: Hub) -> None:
    hub.learn("github", "get", {"a": 1})
    hub.learner.take({"f1": {"get": shape_of({"b": 1})}})
    assert hub.shown[0] == ("github", {"get": BOTH})


def test_a_server_that_has_left_or_become_another_shows_nothing_of_before(hub: Hub) -> None:
    hub.learn("github", "get", {"a": 1})
    hub.learn("slack", "post", "ok")
    hub.prints = {"github": "changed"}
    hub.pass_time()
    hub.learn("slack", "post", 1)
    assert hub.shown == []
    assert hub.put_off == []


def test_a_result_belongs_to_the_server_that_its_call_was_sent_to(hub: Hub) -> None:
    tell = hub.learner.sent("github", tool("get"))
    hub.prints = {"github": "changed"}
    tell({"a": 1})
    hub.pass_time()
    hub.learner.close()
    assert hub.store.written == [("f1", "github", "get", ONE)]
    assert hub.shown == []


@pytest.mark.parametrize("kept", [{"a": 1}, [{"error": "gone"}], {"error": None}, {"error": "gone", "a": 1}])
def test_an_answer_that_holds_nothing_but_an_error_teaches_nothing(hub: Hub, kept: Any) -> None:
    hub.learn("github", "get", kept, {"error": "gone"}, {"ok": False, "error": {"code": 404}}, {"Error": "gone"})
    hub.learner.close()
    assert hub.store.written == [("f1", "github", "get", shape_of(kept))]


def test_after_closing_nothing_is_learned(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    hub.learner.close()
    hub.learn("github", "get", {"a": 1})
    assert hub.store.written == []
    assert caplog.records == []
