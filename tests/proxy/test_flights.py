"""One answer for all who ask the same: each hears all of it, whoever comes late or leaves, and it is bounded."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import pytest

from mcp_hub.proxy import flights
from mcp_hub.proxy.answer import Outgoing
from mcp_hub.proxy.flights import AHEAD, Flight, Flights
from mcp_hub.proxy.upstreams.upstream import BrokenError, UnreachedError
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

HEADERS = [("content-type", "text/event-stream")]


async def wait_for(event: anyio.Event) -> None:
    """In what can't be cancelled, so that a test that fails ends."""
    with anyio.move_on_after(PATIENCE / 4):
        await event.wait()


class Upstream:
    """Answers with a body whose pieces the test gives; counts what is asked, taken and closed."""

    def __init__(self) -> None:
        self.asked = 0
        self.taken = 0
        self.closed = 0
        self.head = anyio.Event()
        """What the answer's status and headers wait for."""
        self.head.set()
        self.settled = anyio.Event()
        """What the end of `close` waits for."""
        self.settled.set()
        self.cancelled = anyio.Event()
        self._given: list[bytes | Exception | None] = []
        self._more = anyio.Event()

    def give(self, *pieces: bytes | Exception) -> None:
        """Let these come next."""
        self._given += pieces
        self._more.set()

    def end(self) -> None:
        self._given.append(None)
        self._more.set()

    async def ask(self) -> Outgoing:
        self.asked += 1
        try:
            await self.head.wait()
        except BaseException:
            self.cancelled.set()
            raise
        return Outgoing(200, HEADERS, self)

    async def pieces(self) -> AsyncGenerator[bytes]:
        try:
            while True:
                while not self._given:
                    self._more = anyio.Event()
                    await self._more.wait()
                piece = self._given.pop(0)
                if isinstance(piece, Exception):
                    raise piece
                if piece is None:
                    break
                self.taken += 1
                yield piece
        except anyio.get_cancelled_exc_class():
            self.cancelled.set()
            raise

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):  # as a real one settles what was used
            await wait_for(self.settled)
        self.closed += 1


class Client:
    """Listens to an answer in a task of its own, from the moment at which it is made."""

    def __init__(self, tasks: anyio.abc.TaskGroup, flight: Flight) -> None:
        self.heard: list[bytes] = []
        self.error: Exception | None = None
        self.ended = anyio.Event()
        self._place = flight.join()
        self._flight = flight
        self._heard = anyio.Event()
        self._scope = anyio.CancelScope()
        tasks.start_soon(self._listen)

    async def _listen(self) -> None:
        try:
            with self._scope:
                await self._flight.begun()
                async for piece in self._flight.pieces(self._place):
                    self.heard.append(piece)
                    self._heard.set()
        except Exception as error:
            self.error = error
        finally:
            self._flight.leave(self._place)
            self.ended.set()

    async def has_heard(self, number: int) -> None:
        while len(self.heard) < number:
            self._heard = anyio.Event()
            await self._heard.wait()

    def leave(self) -> None:
        self._scope.cancel()


async def settled() -> None:
    """Until every task waits for something that the test does: all of it is on this loop, and takes few turns."""
    for _ in range(200):
        await anyio.lowlevel.checkpoint()


async def nothing(flight: Flight) -> None:
    """Nothing is to be done with an answer."""


class Running:
    """The answers on their way, and who listens."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self.tasks = tasks
        self.flights = Flights(tasks)
        self.upstream = Upstream()

    def begin(self, then: Callable[[Flight], Awaitable[None]] = nothing, *, digest: str = "d") -> Flight:
        return self.flights.begin(digest, self.upstream.ask, then)

    def client(self, flight: Flight) -> Client:
        return Client(self.tasks, flight)


@pytest.fixture
async def running() -> AsyncGenerator[Running]:
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            yield Running(tasks)
            tasks.cancel_scope.cancel()


async def test_it_is_asked_for_once_and_everybody_hears_all_of_it(running: Running) -> None:
    flight = running.begin()
    clients = [running.client(flight) for _ in range(5)]
    running.upstream.give(b"a", b"b", b"c")
    running.upstream.end()
    for client in clients:
        await client.ended.wait()
        assert client.heard == [b"a", b"b", b"c"]
    assert (running.upstream.asked, running.upstream.taken, running.upstream.closed) == (1, 3, 1)
    assert flight.outgoing is not None
    assert flight.outgoing.headers == HEADERS
    assert (flight.is_whole, flight.error) == (True, None)


async def test_who_comes_late_hears_it_from_its_beginning(running: Running) -> None:
    flight = running.begin()
    first = running.client(flight)
    running.upstream.give(b"a", b"b")
    await first.has_heard(2)
    found = running.flights.find("d")
    assert found is flight
    late = running.client(found)
    await late.has_heard(2)
    running.upstream.give(b"c")
    running.upstream.end()
    await late.ended.wait()
    await first.ended.wait()
    assert first.heard == late.heard == [b"a", b"b", b"c"]
    assert running.upstream.asked == 1


async def test_who_asks_something_else_hears_something_else(running: Running) -> None:
    running.begin()
    assert running.flights.find("e") is None
    assert running.begin(digest="e") is not running.flights.find("d")


async def test_the_first_may_leave_and_the_others_hear_it_to_its_end(running: Running) -> None:
    flight = running.begin()
    first, second, third = (running.client(flight) for _ in range(3))
    running.upstream.give(b"a")
    await third.has_heard(1)
    first.leave()
    await first.ended.wait()
    running.upstream.give(b"b")
    await second.has_heard(2)
    second.leave()
    await second.ended.wait()
    running.upstream.give(b"c")
    running.upstream.end()
    await third.ended.wait()
    assert (third.heard, third.error) == ([b"a", b"b", b"c"], None)
    assert not running.upstream.cancelled.is_set()
    assert (running.upstream.asked, running.upstream.closed) == (1, 1)


async def test_the_first_may_leave_before_it_has_begun(running: Running) -> None:
    running.upstream.head = anyio.Event()
    flight = running.begin()
    first, second = running.client(flight), running.client(flight)
    await anyio.lowlevel.checkpoint()
    first.leave()
    await first.ended.wait()
    running.upstream.head.set()
    running.upstream.give(b"a")
    running.upstream.end()
    await second.ended.wait()
    assert (second.heard, second.error, running.upstream.asked) == ([b"a"], None, 1)


async def test_when_the_last_one_leaves_it_is_cancelled_and_its_body_closed(running: Running) -> None:
    flight = running.begin()
    clients = [running.client(flight) for _ in range(2)]
    running.upstream.give(b"a")
    for client in clients:
        await client.has_heard(1)
    clients[0].leave()
    await clients[0].ended.wait()
    assert not running.upstream.cancelled.is_set()
    clients[1].leave()
    await running.upstream.cancelled.wait()
    await flight.landed.wait()
    assert running.upstream.closed == 1
    assert (flight.is_whole, flight.recorded) == (False, None)
    assert isinstance(flight.error, BrokenError)
    assert running.flights.find("d") is None


async def test_when_all_leave_before_it_has_begun_nothing_is_asked_for_any_more(running: Running) -> None:
    running.upstream.head = anyio.Event()
    flight = running.begin()
    client = running.client(flight)
    await anyio.lowlevel.checkpoint()
    client.leave()
    await running.upstream.cancelled.wait()
    await flight.landed.wait()
    assert (flight.outgoing, running.upstream.closed) == (None, 0)


async def test_who_leaves_at_once_leaves_nothing_behind(running: Running) -> None:
    running.upstream.head = anyio.Event()
    flight = running.begin()
    flight.leave(flight.join())
    await flight.landed.wait()
    assert isinstance(flight.error, BrokenError)


async def test_an_answer_whose_last_listener_leaves_when_all_of_it_has_come_is_whole(running: Running) -> None:
    seen: list[Flight] = []

    async def then(flight: Flight) -> None:
        seen.append(flight)

    running.upstream.settled = anyio.Event()
    flight = running.begin(then)
    client = running.client(flight)
    running.upstream.give(b"a")
    running.upstream.end()
    await client.has_heard(1)
    await settled()
    client.leave()
    await client.ended.wait()
    running.upstream.settled.set()
    await flight.landed.wait()
    assert seen == [flight]
    assert (flight.is_whole, [piece.data for piece in flight.recorded or ()]) == (True, [b"a"])


async def test_nobody_is_given_an_answer_that_has_just_been_given_up(running: Running) -> None:
    given_up = running.upstream
    given_up.settled = anyio.Event()
    flight = running.begin()
    client = running.client(flight)
    given_up.give(b"a")
    await client.has_heard(1)
    client.leave()
    await client.ended.wait()
    assert running.flights.find("d") is None
    await given_up.cancelled.wait()
    await settled()
    assert running.flights.find("d") is None
    running.upstream = Upstream()
    again = running.begin()
    assert running.flights.find("d") is again
    given_up.settled.set()
    await flight.landed.wait()
    assert running.flights.find("d") is again  # the one that was given up takes only itself away


@pytest.mark.parametrize(
    "error", [UnreachedError("There is nobody."), BrokenError("It broke."), RuntimeError("A bug.")]
)
async def test_everybody_is_told_why_there_is_no_answer(running: Running, error: Exception) -> None:
    async def fail() -> Outgoing:
        await anyio.lowlevel.checkpoint()
        raise error

    flight = running.flights.begin("d", fail, nothing)
    clients = [running.client(flight) for _ in range(3)]
    for client in clients:
        await client.ended.wait()
        assert client.error is error
    assert (flight.outgoing, flight.recorded) == (None, None)
    await flight.landed.wait()
    assert running.flights.find("d") is None


async def test_everybody_hears_what_came_before_it_broke_off_and_then_why_it_did(running: Running) -> None:
    flight = running.begin()
    clients = [running.client(flight) for _ in range(3)]
    error = BrokenError("The upstream ended its answer in the middle.")
    running.upstream.give(b"a", b"b", error)
    for client in clients:
        await client.ended.wait()
        assert (client.heard, client.error) == ([b"a", b"b"], error)
    assert (flight.is_whole, flight.recorded, running.upstream.closed) == (False, None, 1)
    assert not flight.takes_listeners


async def test_a_body_that_came_whole_is_heard_by_everybody(running: Running) -> None:
    async def ask() -> Outgoing:
        return Outgoing(200, [], b"whole")

    flight = running.flights.begin("d", ask, nothing)
    clients = [running.client(flight) for _ in range(2)]
    for client in clients:
        await client.ended.wait()
        assert client.heard == [b"whole"]
    assert [piece.data for piece in flight.recorded or ()] == [b"whole"]


async def test_what_was_heard_is_recorded_with_the_times_at_which_it_came(running: Running) -> None:
    before = anyio.current_time()
    flight = running.begin()
    client = running.client(flight)
    running.upstream.give(b"a", b"b")
    await client.has_heard(2)
    until_then = flight.recorded
    running.upstream.end()
    await client.ended.wait()
    pieces = flight.recorded
    assert until_then is None
    assert pieces is not None
    assert [piece.data for piece in pieces] == [b"a", b"b"]
    assert before <= pieces[0].at <= pieces[1].at <= anyio.current_time()


# What is held


class Slow:
    """A listener that takes a piece when the test says so."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._place = flight.join()
        self._pieces = flight.pieces(self._place)

    async def take(self) -> bytes:
        return await anext(self._pieces)

    async def leave(self) -> None:
        await self._pieces.aclose()
        self._flight.leave(self._place)


SIZE = AHEAD // 4


def piece(number: int) -> bytes:
    return bytes([number]) * SIZE


async def test_an_answer_is_ahead_of_its_fastest_listener_by_no_more_than_is_allowed(running: Running) -> None:
    flight = running.begin()
    slow, slower = Slow(flight), Slow(flight)
    running.upstream.give(*map(piece, range(100)))
    await settled()
    ahead = running.upstream.taken
    assert (ahead - 1) * SIZE <= AHEAD < ahead * SIZE
    for number in range(10):
        assert await slow.take() == piece(number)
        await settled()
        assert running.upstream.taken <= ahead + number + 1
    assert running.upstream.taken > ahead
    assert await slower.take() == piece(0)
    running.upstream.end()
    await slow.leave()
    rest = [each async for each in slower._pieces]
    assert rest == list(map(piece, range(1, 100)))
    await slower.leave()


async def test_when_the_fastest_leaves_it_waits_for_the_next_one(running: Running) -> None:
    flight = running.begin()
    slow, fast = Slow(flight), Slow(flight)
    running.upstream.give(*map(piece, range(40)))
    for _ in range(20):
        await fast.take()
    await settled()
    taken = running.upstream.taken
    await fast.leave()
    await settled()
    assert running.upstream.taken == taken < 40
    assert [await slow.take() for _ in range(20)] == list(map(piece, range(20)))
    await slow.leave()


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no test has to hold many megabytes."""
    monkeypatch.setattr(flights, "SHARED_BYTES", 8 * SIZE)


def held(flight: Flight) -> int:
    return sum(len(each.data) for each in flight._pieces)


@pytest.mark.usefixtures("little")
async def test_what_is_longer_than_any_message_takes_no_more_listeners_and_what_was_heard_is_let_go(
    running: Running,
) -> None:
    seen: list[Any] = []

    async def then(flight: Flight) -> None:
        seen.append(flight.recorded)

    flight = running.begin(then)
    client = running.client(flight)
    running.upstream.give(*map(piece, range(8)))
    await client.has_heard(8)
    await settled()
    assert running.flights.find("d") is flight
    assert held(flight) == 8 * SIZE
    for number in range(8, 40):
        running.upstream.give(piece(number))
        await client.has_heard(number + 1)
        await settled()
        assert running.flights.find("d") is None
        assert held(flight) <= SIZE
    running.upstream.end()
    await client.ended.wait()
    await flight.landed.wait()
    assert client.heard == list(map(piece, range(40)))
    assert (flight.is_whole, seen) == (True, [None])


@pytest.mark.usefixtures("little")
async def test_the_slowest_listener_of_a_long_answer_bounds_what_is_held_and_hears_all_of_it(running: Running) -> None:
    flight = running.begin()
    fast = running.client(flight)
    running.upstream.give(*map(piece, range(3)))
    await fast.has_heard(3)
    slow = Slow(flight)
    running.upstream.give(*map(piece, range(3, 40)))
    running.upstream.end()
    heard: list[bytes] = []
    while len(heard) < 40:
        await settled()
        assert held(flight) <= 9 * SIZE
        heard.append(await slow.take())
    assert heard == list(map(piece, range(40)))
    await slow.leave()
    await fast.ended.wait()
    assert fast.heard == heard


@pytest.mark.usefixtures("little")
async def test_when_the_slowest_leaves_a_long_answer_goes_on(running: Running) -> None:
    flight = running.begin()
    slow, fast = Slow(flight), running.client(flight)
    running.upstream.give(*map(piece, range(40)))
    running.upstream.end()
    await settled()
    assert not fast.ended.is_set()
    await slow.leave()
    await fast.ended.wait()
    assert fast.heard == list(map(piece, range(40)))


# What is done with it


async def test_what_is_done_with_an_answer_is_done_when_it_has_ended_and_others_find_it_until_then(
    running: Running,
) -> None:
    goes_on, seen = anyio.Event(), anyio.Event()

    async def then(flight: Flight) -> None:
        assert flight.recorded is not None
        seen.set()
        await wait_for(goes_on)

    flight = running.begin(then)
    client = running.client(flight)
    running.upstream.give(b"a")
    running.upstream.end()
    await client.ended.wait()
    await seen.wait()
    assert running.flights.find("d") is flight
    late = running.client(flight)
    await late.ended.wait()
    assert late.heard == [b"a"]
    assert not flight.landed.is_set()
    goes_on.set()
    await flight.landed.wait()
    assert running.flights.find("d") is None


async def test_what_goes_wrong_afterwards_is_logged_and_the_next_answer_comes(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    async def then(flight: Flight) -> None:
        raise ValueError("the disk is full")

    for _ in range(2):
        running.upstream = Upstream()
        flight = running.begin(then)
        client = running.client(flight)
        running.upstream.give(b"a")
        running.upstream.end()
        await client.ended.wait()
        assert (client.heard, client.error) == ([b"a"], None)
        await flight.landed.wait()
        assert running.flights.find("d") is None
    assert [record.message for record in caplog.records] == ["what was to be done with an answer failed"] * 2
    assert "the disk is full" in caplog.text


async def test_what_was_begun_with_a_whole_answer_is_done_although_all_is_shut_down() -> None:
    upstream, goes_on, begun = Upstream(), anyio.Event(), anyio.Event()
    done: list[Flight] = []

    async def then(flight: Flight) -> None:
        begun.set()
        await wait_for(goes_on)
        done.append(flight)

    async def go_on() -> None:
        await settled()
        assert done == []
        goes_on.set()

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as clients:
            async with anyio.create_task_group() as tasks:
                flight = Flights(tasks).begin("d", upstream.ask, then)
                client = Client(clients, flight)
                upstream.give(b"a")
                upstream.end()
                await begun.wait()
                clients.start_soon(go_on)
                tasks.cancel_scope.cancel()
            await client.ended.wait()
    assert (done, client.heard) == ([flight], [b"a"])


async def test_when_all_is_shut_down_the_answers_are_cancelled_and_closed() -> None:
    upstream, silent = Upstream(), Upstream()
    silent.head = anyio.Event()
    ended: list[str] = []

    async def then(name: str, flight: Flight) -> None:
        ended.append(name)

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as clients:
            async with anyio.create_task_group() as tasks:
                on_their_way = Flights(tasks)
                one = on_their_way.begin("1", upstream.ask, partial(then, "1"))
                other = on_their_way.begin("2", silent.ask, partial(then, "2"))
                listening = [Client(clients, one), Client(clients, other)]
                upstream.give(b"a")
                await listening[0].has_heard(1)
                tasks.cancel_scope.cancel()
            for client in listening:
                await client.ended.wait()
                assert isinstance(client.error, BrokenError)
    assert listening[0].heard == [b"a"]
    assert (upstream.closed, silent.closed, ended) == (1, 0, [])
    assert one.landed.is_set()
    assert other.landed.is_set()
    assert on_their_way.find("1") is on_their_way.find("2") is None
