"""The response cache: what was answered before, exactly or in other words; else one request for all who ask the same.

Above it is the proxy's flow, below it the store, the vectors and whatever asks upstream. Order: what may not be cached
passes by; the state of the workspace is proven; who asks what is under way listens to that; then the store is asked,
exactly and by similarity; then the model. No fault of the cache fails a request: it is logged, and the model is asked.
"""

import logging
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread

from mcp_hub.cache_settings import CacheSettings
from mcp_hub.errors import HubError
from mcp_hub.proxy import cache_control, keys, replay
from mcp_hub.proxy.admission import Admission
from mcp_hub.proxy.answer import Outgoing
from mcp_hub.proxy.apart import apart
from mcp_hub.proxy.attempts import Asked, visible
from mcp_hub.proxy.cache_control import Told
from mcp_hub.proxy.cache_key import CacheKey, Scope, key_of, uncacheable
from mcp_hub.proxy.flights import Flight, Flights, Listening, Piece, Saved
from mcp_hub.proxy.keeping import Reading, read
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.named_folders import folders_named
from mcp_hub.proxy.pins import Route
from mcp_hub.proxy.pricing import cost
from mcp_hub.proxy.responses import KeptAnswer, ResponseStore
from mcp_hub.proxy.similar import Match, Similar
from mcp_hub.proxy.upstreams.upstream import Headers
from mcp_hub.proxy.wire import MessagesRequest
from mcp_hub.proxy.workspace import UnprovenError, Workspaces
from mcp_hub.store.ledger import Served, ServedBy

logger = logging.getLogger(__name__)

THREADS = 4
"""For the store: a look-up takes about a millisecond, and what is asked of the ledger has threads of its own."""

SHARED_HEADERS = ("content-type", "content-length", "x-mcp-hub-model", "x-mcp-hub-upstream")
"""Of an answer that several hear: the others are about the one who asked first, its limits or its cookies."""

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

Forward = Callable[[], Awaitable[Outgoing]]
"""Asks upstream."""


class PassesByError(HubError):
    """A request that the cache has nothing to do with; its text says why."""


@dataclass(frozen=True)
class Wanted:
    """A request that may be answered from the cache."""

    asked: Asked
    route: Route
    key: CacheKey
    control: cache_control.Asked
    forward: Forward
    began: float
    """By `time.monotonic`."""


class Cache:
    """The flow, with what it needs."""

    def __init__(
        self,
        settings: CacheSettings,
        store: ResponseStore,
        similar: Similar | None,
        workspaces: Workspaces,
        flights: Flights,
        admission: Admission,
        prepared: Callable[[MessagesRequest, Route], MessagesRequest],
        metrics: Metrics,
        places: Mapping[str, str],
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        """`prepared` gives a request as it is sent to a route; `places` says where each upstream is, by its name;
        `new_id` names an answer that is kept.
        """
        self._settings = settings
        self._store = store
        self._similar = similar
        self._workspaces = workspaces
        self._flights = flights
        self._admission = admission
        self._prepared = prepared
        self._metrics = metrics
        self._places = places
        self._clock = clock
        self._new_id = new_id
        self._limiter = anyio.CapacityLimiter(THREADS)

    async def answer(
        self, asked: Asked, route: Route, headers: Mapping[str, str], forward: Forward, *, is_local: bool
    ) -> Outgoing:
        """Answer a request that would go to `route`; `headers` are its client's, by lower-case names.

        `is_local`: whether the client is on this machine, so that the workspace that it names is the one here. Raises
        what `forward` raises.
        """
        began = time.monotonic()
        control = cache_control.Asked.of(headers)
        why = ""
        try:
            key = await self._key(asked, route, headers, is_local)
        except (PassesByError, UnprovenError) as error:
            why = error.text
        except HubError as error:  # what can't be sent there; another upstream may take it
            why = "it can't be prepared for the upstream"
            logger.info("%s: it passes by the cache: %s", asked.id, error.text)
        except Exception:
            why = "the cache failed"
            logger.exception("%s: the cache failed, so the model is asked", asked.id)
        if why:
            self._metrics.not_served(asked.entry(route, self._clock()), "bypass")
            return _telling(await forward(), Told("bypass", detail=why))
        wanted = Wanted(asked, route, key, control, forward, began)
        form = f"{key.digest} {'streamed' if asked.request.stream else 'whole'}"
        flight = self._flights.find(form) if control.looks else None
        if flight is not None:
            return await self._listened(wanted, flight)
        return await self._first(self._flights.begin(form, partial(self._ask, wanted), partial(self._landed, wanted)))

    async def _key(self, asked: Asked, route: Route, headers: Mapping[str, str], is_local: bool) -> CacheKey:
        """The request's key. Raises PassesByError and UnprovenError."""
        settings, size = self._settings, len(asked.request.body)
        name = asked.key_name
        if not _any_fits((*settings.exact_for, *settings.similar_for), name):
            raise PassesByError("the cache is off for this key")
        if not _any_fits(settings.models, route.model):
            raise PassesByError("the cache is off for this model")
        request = await apart(size, lambda: self._prepared(asked.request, route))
        if why := uncacheable(request.json, settings.max_temperature):
            raise PassesByError(why)
        folders = await apart(size, lambda: folders_named(request.json))
        if folders and not is_local:
            raise PassesByError("the workspace is on another machine, and its state can't be known here")
        state = await self._workspaces.state(folders) if folders else ""
        scope = Scope(self._sharing(asked, headers), self._places.get(route.upstream, ""), state)
        return await apart(size, lambda: key_of(request.json, route, asked.target, asked.headers, scope))

    def _sharing(self, asked: Asked, headers: Mapping[str, str]) -> str:
        """Who is given each other's answers: a key, a team, or whoever comes with the same credential."""
        if asked.key is None:
            return "credential " + " ".join(keys.digest_of(headers.get(name, "")) for name in keys.CREDENTIAL_HEADERS)
        if self._settings.shared_by == "team" and asked.key.team:
            return f"team {asked.key.team}"
        return f"key {asked.key.name} {asked.key.digest}"

    async def _first(self, flight: Flight) -> Outgoing:
        """What the one who began an answer is given."""
        place = flight.join()
        try:
            await flight.begun()
        except BaseException:
            flight.leave(place)
            raise
        if flight.outgoing is None:
            flight.leave(place)
            assert flight.error is not None
            raise flight.error
        if isinstance(flight.outgoing.body, bytes):
            flight.leave(place)
            return flight.outgoing
        return replace(flight.outgoing, body=Listening(flight, place))

    async def _listened(self, wanted: Wanted, flight: Flight) -> Outgoing:
        """What those get who ask the same meanwhile: the same, if it is an answer; else they ask by themselves."""
        place = flight.join()
        is_given = False
        try:
            await flight.begun()
            outgoing = flight.outgoing
            if outgoing is not None and _is_as_asked(outgoing, wanted.route):
                is_given = True
                headers = _for_listener(outgoing.headers, wanted.asked.id)
                body = Listening(flight, place, partial(self._shared, wanted, flight))
                return _telling(replace(outgoing, headers=headers, body=body), Told("miss", collapsed=True))
        finally:
            if not is_given:
                flight.leave(place)
        return await self._ask(wanted)

    async def _shared(self, wanted: Wanted, flight: Flight) -> None:
        """Record that somebody has listened to the end, or to the end of their patience."""
        if flight.is_whole:
            await flight.landed.wait()
        served = Served(ServedBy.SHARED, flight.saved.dollars, flight.saved.tokens)
        await self._served(wanted, served)

    async def _ask(self, wanted: Wanted) -> Outgoing:
        """What is kept, else what the model says."""
        told = Told("request", detail="the client asked for a new answer")
        if wanted.control.looks:
            found = await self._find(wanted)
            if isinstance(found, Outgoing):
                return found
            told = found
        self._metrics.not_served(wanted.asked.entry(wanted.route, self._clock()), "miss")
        return _telling(await wanted.forward(), told)

    async def _find(self, wanted: Wanted) -> Outgoing | Told:
        """What is kept; where nothing fits, what is told of that."""
        settings, key, asked = self._settings, wanted.key, wanted.asked
        name = asked.key_name
        at = self._clock()
        most = settings.ttl_seconds
        since = at - (most if wanted.control.max_age is None else min(most, wanted.control.max_age))
        try:
            if _any_fits(settings.exact_for, name):
                answer = await self._in_thread(self._store.find, key.digest, since, at)
                if answer is not None and answer.parts == key.parts:
                    return await self._given(wanted, answer, at)
                if answer is not None:
                    logger.error("%s: the kept answer %s is to another request of this digest", asked.id, answer.id)
            short = len(key.parts) - 1 <= settings.conversation_history_threshold
            if self._similar is not None and key.family is not None and short and _any_fits(settings.similar_for, name):
                found = await self._in_thread(self._similar.find, key, since, at, wanted.control.keeps)
                if isinstance(found, Match):
                    return await self._given(wanted, found.answer, at, found.similarity)
                if found.id:
                    return Told("miss", id=found.id, similarity=found.similarity, detail=found.reason)
        except sqlite3.Error as error:
            logger.warning("%s: the cache can't be read, so the model is asked: %s", asked.id, error)
        except Exception:
            logger.exception("%s: the cache failed, so the model is asked", asked.id)
        return Told("uri-miss")

    async def _given(self, wanted: Wanted, answer: KeptAnswer, at: float, similarity: float | None = None) -> Outgoing:
        """A kept answer, as the request wants it."""
        by = ServedBy.EXACT if similarity is None else ServedBy.SIMILAR
        await self._served(wanted, Served(by, answer.dollars, answer.usage.tokens))
        streams = wanted.asked.request.stream
        age = max(at - answer.kept_at, 0)
        told = Told(by, age=age, ttl=self._settings.ttl_seconds - age, id=answer.id, similarity=similarity)
        headers = [
            ("content-type", "text/event-stream; charset=utf-8" if streams else "application/json"),
            ("request-id", wanted.asked.id),
            ("x-mcp-hub-request", wanted.asked.id),
            ("x-mcp-hub-model", visible(answer.model)),
            ("x-mcp-hub-upstream", answer.upstream),
        ]
        body = answer.stream if streams else answer.message
        paced = streams and self._settings.pace == "recorded"
        return _telling(Outgoing(200, headers, _Paced(answer) if paced else body), told)

    async def _served(self, wanted: Wanted, served: Served) -> None:
        entry = wanted.asked.entry(wanted.route, self._clock())
        await self._admission.served(entry, served, time.monotonic() - wanted.began)

    async def _landed(self, wanted: Wanted, flight: Flight) -> None:
        """Keep an answer that has come whole."""
        outgoing, pieces = flight.outgoing, flight.recorded
        if outgoing is None or outgoing.admitted is None or pieces is None or outgoing.status != 200:
            return
        reading = await self._in_thread(self._read, outgoing, pieces)
        if reading is None:
            return
        dollars = cost(reading.usage, outgoing.admitted.price)
        flight.saved = Saved(dollars, reading.usage.tokens)
        if reading.is_kept and wanted.control.keeps and _is_as_asked(outgoing, wanted.route):
            try:
                await self._in_thread(self._keep, wanted, reading, dollars)
            except sqlite3.Error as error:
                logger.warning("%s: its answer isn't kept: %s", wanted.asked.id, error)

    def _read(self, outgoing: Outgoing, pieces: Sequence[Piece]) -> Reading | None:
        type = next((value for name, value in outgoing.headers if name.lower() == "content-type"), "")
        streams = type.lower().startswith("text/event-stream")
        return read(pieces, streams=streams, tool_calls=self._settings.tool_calls)

    def _keep(self, wanted: Wanted, reading: Reading, dollars: int) -> None:
        asked, route, key = wanted.asked, wanted.route, wanted.key
        answer = KeptAnswer(
            id=self._new_id(),
            digest=key.digest,
            parts=key.parts,
            family=key.family,
            text=key.text,
            key=asked.key_name,
            team=asked.key.team if asked.key is not None else "",
            model=route.model,
            upstream=route.upstream,
            kept_at=self._clock(),
            message=reading.message,
            stream=reading.stream,
            pace=reading.pace,
            usage=reading.usage,
            dollars=dollars,
        )
        self._store.keep(answer)
        if self._similar is not None and key.family is not None and _any_fits(self._settings.similar_for, answer.key):
            self._similar.add(key, answer.id)

    async def _in_thread(self, work: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._limiter)


class _Paced:
    """The body of a kept stream, at the pace at which it came."""

    def __init__(self, answer: KeptAnswer) -> None:
        self._answer = answer

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The pieces, each in its time."""
        for seconds, piece in replay.paced(self._answer):
            await anyio.sleep(seconds)
            yield piece

    async def close(self) -> None:
        """Nothing is held."""


def _is_as_asked(outgoing: Outgoing, route: Route) -> bool:
    """Whether it is the answer of that model, with all the room for it that was asked for."""
    admitted = outgoing.admitted
    if admitted is None or admitted.lowered is not None or outgoing.status != 200:
        return False
    return (admitted.entry.upstream, admitted.entry.model) == (route.upstream, route.model)


def _telling(outgoing: Outgoing, told: Told) -> Outgoing:
    return replace(outgoing, headers=[*outgoing.headers, *told.headers()])


def _for_listener(headers: Headers, id: str) -> Headers:
    """The headers of an answer for another request than the one that has asked for it: nothing of whose that was."""
    kept = [each for each in headers if each[0].lower() in SHARED_HEADERS]
    return [*kept, ("request-id", id), ("x-mcp-hub-request", id)]


def _any_fits(globs: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
