"""Asks a request's upstreams one after the other until one begins an answer; each try is reserved and settled alone.

Another one is asked only before the first byte has gone to the client: where an upstream can't be reached, breaks off,
or answers that it is overloaded, out of order, or asked too often.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from mcp_hub.errors import HubError
from mcp_hub.proxy import keys, wire
from mcp_hub.proxy.admission import Admission, End
from mcp_hub.proxy.answer import Heard, Outgoing
from mcp_hub.proxy.apart import apart
from mcp_hub.proxy.choice import Choice
from mcp_hub.proxy.counting import prompt_tokens
from mcp_hub.proxy.keys import KeyRecord
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.parameters import Parameters
from mcp_hub.proxy.pins import Route
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.upstreams.answers import ERROR_BYTES, ERROR_WITHIN
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, Reply, UnreachedError, Upstream
from mcp_hub.proxy.wire import AnswerError, MessagesRequest
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.store.ledger import Entry, Status

logger = logging.getLogger(__name__)

PASSING = frozenset({429, 500, 502, 503, 504, 529})
"""Statuses of an upstream's answer that another upstream may not give."""

VISIBLE_CHARACTERS = 200
"""Of a name or a reason in a header."""


@dataclass(frozen=True)
class Asked:
    """A request to /v1/messages, as the flow has understood it; `headers` are those that go on."""

    id: str
    request: MessagesRequest
    target: str
    headers: Headers = field(repr=False)
    key: KeyRecord | None
    session: str | None
    """As its client tells it."""

    @property
    def key_name(self) -> str:
        """Of the key that it comes with; "" where it comes with none."""
        return self.key.name if self.key is not None else ""

    def entry(self, route: Route, at: float, number: int = 1) -> Entry:
        """The ledger's entry for one of its tries, or for what the cache gives in place of the first."""
        key = self.key
        return Entry(
            id=self.id if number == 1 else f"{self.id}-{number}",
            at=at,
            key=self.key_name,
            team=key.team if key else "",
            customer=key.customer if key else "",
            upstream=route.upstream,
            session=keys.session_of(self.session, key),
            model_asked=self.request.model,
            model=route.model,
        )


class _FailedError(Exception):
    """An upstream gave no answer that another one couldn't better; `kept` is what the client gets if none does."""

    def __init__(self, reason: str, kept: Outgoing | HubError) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kept = kept


class Attempts:
    """The tries, with what they need."""

    def __init__(
        self,
        settings: ProxySettings,
        admission: Admission,
        upstreams: Mapping[str, Upstream],
        choice: Choice,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._admission = admission
        self._upstreams = upstreams
        self._parameters = Parameters.shipped()
        self._choice = choice
        self._metrics = metrics
        self._clock = clock

    async def answer(self, asked: Asked, routes: Sequence[Route]) -> Outgoing:
        """The answer of the first upstream that begins one; its body must be closed.

        Raises AnswerError, UnreachedError and BrokenError, as there is nothing else to answer.
        """
        failed: _FailedError | None = None
        refused: AnswerError | None = None
        ordered = self._choice.order(routes, asked.session, time.monotonic())
        for number, route in enumerate(ordered, start=1):
            try:
                return await self._one(asked, route, number, is_last=number == len(ordered), before=failed)
            except _FailedError as error:
                self._metrics.fell_back(route.upstream)
                failed = error
            except AnswerError as error:  # this one can't be asked, for a budget or for what it can't do
                if route == routes[0] and failed is None:
                    raise
                refused = refused or error
        if failed is None:
            assert refused is not None
            raise refused
        if isinstance(failed.kept, HubError):
            raise failed.kept
        return failed.kept

    def prepared(self, request: MessagesRequest, route: Route, *, counts_tokens: bool = False) -> MessagesRequest:
        """A request as it is sent: to the model that answers, without what that or its upstream doesn't take.

        Raises BadRequestError for what the upstream can't do.
        """
        changes = self.upstream(route.upstream).changes(request.json)
        fields = {**self._parameters.adapted(request.json, route.model), **changes, "model": route.model}
        if fields == {"model": request.model}:
            return request
        return MessagesRequest.parse(request.changed(**fields), counts_tokens=counts_tokens)

    def upstream(self, name: str) -> Upstream:
        """An upstream by its name. Raises AnswerError for one that isn't there any more."""
        if name not in self._upstreams:
            raise AnswerError("api_error", f"The upstream {name!r} isn't in servers.toml any more.", status=503)
        return self._upstreams[name]

    async def _one(
        self, asked: Asked, route: Route, number: int, *, is_last: bool, before: _FailedError | None
    ) -> Outgoing:
        """One try. Raises _FailedError only where it isn't the last."""
        upstream = self.upstream(route.upstream)
        self._choice.asked(route.upstream, time.monotonic())
        sent = await apart(len(asked.request.body), lambda: self.prepared(asked.request, route))
        entry = asked.entry(route, self._clock(), number)
        caps = keys.caps_of(self._settings, asked.key, upstream=route.upstream, session=entry.session)
        admitted, body = await self._admission.admit(
            entry, sent, caps, lambda counted: prompt_tokens(upstream, asked.headers, counted), asked.headers
        )
        began = time.monotonic()
        used: Usage | None = Usage()
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()  # before a byte has gone out, nothing can be billed
            used = None
            reply = await upstream.send("POST", asked.target, admitted.onward(asked.headers), body)
        except (UnreachedError, BrokenError) as error:
            unreached = isinstance(error, UnreachedError)
            used, status = (Usage(), Status.FAILED) if unreached else (None, Status.BROKEN)
            await self._admission.settle(admitted, End(used, status, 0, None, time.monotonic() - began))
            reason = f"{route.upstream} {'could not be asked' if unreached else 'broke off'}"
            self._choice.failed(route.upstream, error.text, time.monotonic())
            if is_last:
                raise
            logger.warning("%s: %s", entry.id, error.text)
            raise _FailedError(reason, error) from None
        except BaseException:  # cancelled: it may have been read, and billed
            await self._admission.settle(admitted, End(used, Status.LEFT, 0, None, time.monotonic() - began))
            raise
        if reply.status < 400 and reply.header("content-encoding") not in ("", "identity"):
            reply.close()
            await self._admission.settle(
                admitted, End(None, Status.BROKEN, reply.status, None, time.monotonic() - began)
            )
            raise BrokenError(f"The upstream {route.upstream!r} compresses its answers, though it was asked not to.")
        heard = Heard(reply, admitted, self._admission, began)
        more = [
            ("x-mcp-hub-request", entry.id),
            ("x-mcp-hub-model", visible(route.model)),
            ("x-mcp-hub-upstream", route.upstream),
        ]
        if admitted.lowered is not None:
            more.append(("x-mcp-hub-max-tokens", str(admitted.lowered)))
        if before is not None:
            more.append(("x-mcp-hub-fallback", visible(before.reason)))
        kept = [each for each in reply.headers if not heard.streams or each[0].lower() != "content-length"]
        answer = Outgoing(reply.status, [*kept, *more], heard, admitted)
        if reply.status not in PASSING:
            self._choice.answered(route.upstream, asked.session, time.monotonic())
            return answer
        reason = f"{route.upstream} answered {reply.status}"
        self._choice.failed(route.upstream, reason, time.monotonic(), again_after=_again_after(reply))
        if is_last:
            return answer
        raise _FailedError(reason, await _kept(answer, heard))


async def _kept(answer: Outgoing, heard: Heard) -> Outgoing:
    """An error with its body read, so that it is settled and its connection free while another upstream is asked.

    One that doesn't come whole, in time and in bounds, is told by its status alone.
    """
    body = bytearray()
    is_whole = False
    try:
        with anyio.move_on_after(ERROR_WITHIN):
            async with aclosing(heard.pieces()) as pieces:
                async for piece in pieces:
                    body += piece
                    if len(body) > ERROR_BYTES:
                        break
                else:
                    is_whole = True
    except BrokenError:
        pass  # then it isn't whole
    finally:
        await heard.close()
    if not is_whole:
        type = next((type for type, status in wire.STATUS.items() if status == answer.status), "api_error")
        text = f"The upstream answered {answer.status}, and its error didn't come whole."
        return Outgoing.of_error(AnswerError(type, text, status=answer.status))
    headers = [each for each in answer.headers if each[0].lower() != "content-length"]
    return Outgoing(answer.status, headers, bytes(body))


def _again_after(reply: Reply) -> float | None:
    """The seconds of a 429's retry-after; None where it doesn't say."""
    told = reply.header("retry-after")
    return float(told) if reply.status == 429 and told.isdecimal() else None


def visible(text: str) -> str:
    """A text as a header can have it."""
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text)[:VISIBLE_CHARACTERS]
