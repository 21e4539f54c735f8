"""What clients ask of a proxy under many caps, drawn at random, and what an upstream bills for it at the most.

Prices, and what a bill comes to, are reckoned here by themselves: the proxy's own arithmetic is what is tested. Its
bound is taken from it, since what is to be shown is that a bill at the very bound passes no cap.
"""

import json
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from fixtures.billing_server import SESSION_HEADER, Bill, Does, Plan, Tokens
from mcp_hub.proxy.admission import COUNT_MORE, COUNT_PERCENT
from mcp_hub.proxy.bounds import worst_case

NANO = 1_000_000_000

PRICES = {
    "claude-sonnet-4-6": Tokens(3_000, 15_000, 3_750, 6_000, 300),
    "small": Tokens(803, 4_001, 1_111, 1_607, 81),
    "odd": Tokens(2_000, 7_000, 500, 1_000, 2_500),
}
"""Nano-dollars for a token. `odd` is a model whose cache costs less to write than nothing of it, and more to read."""

SEARCH = 10_000_000
"""Nano-dollars for a web search."""

GEO_PERCENT = 110
"""What a request with an `inference_geo` costs, in hundredths."""


class Key(NamedTuple):
    """A key of the proxy's."""

    name: str
    team: str
    customer: str
    upstream: str

    @property
    def secret(self) -> str:
        """What a client sends."""
        return f"a-secret-of-the-key-{self.name}"


KEYS = (
    Key("red-a", "red", "acme", "first"),
    Key("red-b", "red", "acme", "first"),
    Key("green-a", "green", "acme", "first"),
    Key("green-b", "green", "acme", "first"),
    Key("blue-a", "blue", "zeta", "first"),
    Key("blue-b", "blue", "zeta", "second"),
)


class Limit(NamedTuple):
    """A cap: of dollars in nano-dollars, of tokens, or of requests. A session's holds for each of them."""

    tier: str
    name: str
    kind: str
    most: int


LIMITS = (
    Limit("team", "red", "dollars", 900_000_007),
    Limit("key", "green-a", "requests", 60),
    Limit("key", "green-b", "tokens", 1_000_000),
    Limit("team", "green", "dollars", 4 * NANO),
    Limit("customer", "acme", "dollars", 4_700_000_001),
    Limit("upstream", "second", "tokens", 3_000_000),
    Limit("upstream", "second", "dollars", 6 * NANO),
    Limit("customer", "zeta", "dollars", 13 * NANO),
    Limit("session", "", "dollars", 150_000_000),
    Limit("session", "", "tokens", 60_000),
)
"""Some are used up in the first rounds, others in the last ones."""

SETTING = {"dollars": "budget_limit", "tokens": "token_limit", "requests": "request_limit"}


def settings(url: str) -> str:
    """The proxy's servers.toml. Windows roll, so that no calendar's end lies in the middle of a test."""
    lines = ["[proxy]", "wait_seconds = 0.2", "output_floor = 16"]
    for name in ("first", "second"):
        lines += ["[[proxy.upstreams]]", f'name = "{name}"', f'url = "{url}"', 'credential = "upstreams-own"']
    for key in KEYS:
        lines += ["[[proxy.keys]]", f'name = "{key.name}"', f'key = "{key.secret}"', f'team = "{key.team}"']
        lines += [f'customer = "{key.customer}"', f'upstream = "{key.upstream}"']
    lines += ["[[proxy.pins]]", 'when = "pinned-*"', 'model = "small"']
    for model in ("small", "odd"):
        lines.append(f"[proxy.prices.{model}]")
        lines += [f"{kind} = {price / 1000}" for kind, price in PRICES[model]._asdict().items() if price]
    for tier, name in dict.fromkeys((limit.tier, limit.name) for limit in LIMITS):
        lines += [f"[proxy.budgets.{tier}{name and '.'}{name}]", "rolling = true"]
        for limit in LIMITS:
            if (limit.tier, limit.name) == (tier, name):
                most = f"{limit.most / NANO:.9f}" if limit.kind == "dollars" else limit.most
                lines += [f"{SETTING[limit.kind]} = {most}", f'{SETTING[limit.kind]}_duration = "1Y"']
    return "\n".join(lines).replace("budget_limit_duration", "budget_duration") + "\n"


@dataclass(frozen=True)
class Ask:
    """A request, when its client goes away, how it is answered, and which part of the most possible that bills."""

    key: Key
    session: str
    body: bytes
    stream: bool
    leaves: str
    """`never`, `at once`, `when it has come` to the upstream, or at the `first byte` of the answer."""
    plan: Plan
    prompt_share: float
    output_share: float
    kinds: tuple[float, ...]
    """How the prompt is split by the kinds of its tokens; none: all of them are of the dearest."""
    percent: int
    asks_again: bool
    """Whether the client asks once more when its proxy has died."""

    @property
    def sent(self) -> bytes:
        """The request as HTTP."""
        head = (
            "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n"
            f"x-api-key: {self.key.secret}\r\n{SESSION_HEADER}: {self.session}\r\ncontent-length: {len(self.body)}\r\n"
        )
        return f"{head}\r\n".encode() + self.body

    def bill(self, request: dict[str, Any], size: int, counted: bool) -> Bill:
        """What the upstream bills for the request as it has come, with a body of `size` bytes."""
        worst = worst_case(request, size)
        prompt, model = worst.prompt, str(request["model"])
        if counted and self.plan.count is not None:
            prompt = min(prompt, self.plan.count * COUNT_PERCENT // 100 + COUNT_MORE)
        prompt = max(4, int(prompt * self.prompt_share))
        kinds = ["input", "cache_read"]
        kinds += ["cache_write_5m"] * bool(worst.cache_write_5m or worst.cache_write_1h)
        kinds += ["cache_write_1h"] * bool(worst.cache_write_1h)
        if self.kinds:
            used = {kind: int(prompt * share) for kind, share in zip(kinds, self.kinds, strict=False)}
            used["input"] += prompt - sum(used.values())
        else:
            used = {max(kinds, key=lambda kind: int(getattr(PRICES[model], kind))): prompt}
        output = max(1, int(request["max_tokens"] * self.output_share))
        searches = int(worst.web_searches * self.output_share)
        return Bill(model, Tokens(**used, output=output, web_searches=searches))

    def price(self, bill: Bill) -> int:
        """What a bill comes to, in nano-dollars; a part of one is a whole one."""
        price, used = PRICES[bill.model], bill.used
        tokens = sum(count * each for count, each in zip(used[:5], price[:5], strict=True))
        return -(-tokens * self.percent // 100) + used.web_searches * SEARCH

    def counts_for(self, limit: Limit) -> bool:
        """Whether a cap holds for it, but for those of sessions."""
        key = self.key
        names = {"key": key.name, "team": key.team, "customer": key.customer, "upstream": key.upstream}
        return names.get(limit.tier) == limit.name


TROUBLE: tuple[Does, ...] = (
    "error", "gone", "stalls", "empty", "starts", "cut", "torn", "waits", "fails", "fails first",
)  # fmt: skip

LEAVES = {"stalls": ("when it has come",), "waits": ("first byte",)}
"""When clients go away from answers that would never end."""


class Draw:
    """The requests of a round, by its number; each has its own mix of failures and of bills at the bound."""

    def __init__(self, seed: int, number: int) -> None:
        self.random = Random(f"{seed}/{number}")
        self._prefix = f"{number}-"
        self._drawn = 0
        self._at_bound = self.random.choice([0.1, 0.3, 0.9])
        self._trouble = self.random.choice([0.15, 0.35])

    def ask(self) -> Ask:
        """The next one."""
        random = self.random
        self._drawn += 1
        stream = random.random() < 0.7
        does: Does = random.choice(TROUBLE) if random.random() < self._trouble else "answers"
        if not stream and does in ("fails", "fails first"):
            does = "error"
        leaves = random.choice(["at once", "when it has come", "first byte"]) if random.random() < 0.1 else "never"
        leaves = random.choice(LEAVES.get(does, (leaves,)))
        at_bound = random.random() < self._at_bound
        request = self._request(stream)
        geo = "inference_geo" in request
        return Ask(
            key=random.choice(KEYS),
            session=f"{self._prefix}{self._drawn}",
            body=json.dumps(request, ensure_ascii=False).encode(),
            stream=stream,
            leaves=leaves,
            plan=Plan(
                does,
                status=random.choice([400, 429, 500, 529]) if does == "error" else 200,
                events=random.randrange(1, 6),
                count=random.choice([None, random.randrange(20, 2_000)]),
                rounds=any(tool.get("type") for tool in request.get("tools", ())),
                tells_input=not stream or random.random() < 0.95,
                seconds=random.random() * 0.2,
            ),
            prompt_share=1.0 if at_bound else random.random() * 0.5,
            output_share=1.0 if at_bound else random.random() ** 2,
            kinds=() if at_bound else (0.2, 0.3, 0.2, 0.3),
            percent=GEO_PERCENT if geo else 100,
            asks_again=random.random() < 0.5,
        )

    def _request(self, stream: bool) -> dict[str, Any]:
        random = self.random
        text = random.choice(["word ", "caf\u00e9 ", "\ufdfa "]) * random.randrange(1, 200)
        block: dict[str, Any] = {"type": "text", "text": text}
        if random.random() < 0.4:
            block["cache_control"] = {"type": "ephemeral", **random.choice([{}, {"ttl": "1h"}])}
        request: dict[str, Any] = {
            "model": random.choice([*PRICES, "pinned-model"]),
            "max_tokens": 16_000 if random.random() < 0.05 else int(2 ** random.uniform(4, 12)),
            "messages": [{"role": "user", "content": [block]}],
        }
        if stream:
            request["stream"] = True
        if random.random() < 0.1:
            request["inference_geo"] = "us"
        if random.random() < 0.2:
            request["tools"] = [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}]
        elif random.random() < 0.1:
            searches = {"type": "web_search_20250305", "name": "web_search", "max_uses": 1}
            request["tools"] = [searches]
        return request
