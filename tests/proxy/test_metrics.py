"""Metrics: what a scraper of the proxy reads, by whom it may be read, and names that a client can't multiply."""

from typing import Any

import httpx2
import pytest
from inline_snapshot import snapshot

from mcp_hub.proxy.budgets import Cap, Period, Standing
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.pricing import PriceList, Usage
from mcp_hub.store.ledger import Entry, Status
from tests.proxy.conftest import KEY, MODEL, Serving

pytestmark = pytest.mark.anyio

CAP = {"budgets": {"team": {"web": {"budget_limit": "2", "budget_duration": "1d"}}}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def entry(model: str = MODEL, session: str = "s") -> Entry:
    return Entry("r", 1.0, "ci", "web", "acme", "anthropic", session, model, model)


async def told(metrics: Metrics, *standings: Standing) -> list[str]:
    """The lines with a value, without the buckets of times."""
    lines = (await metrics.exposition(standings)).decode().splitlines()
    return [line for line in lines if not line.startswith("#") and "_bucket{" not in line]


async def test_a_scraper_reads_requests_tokens_dollars_times_refusals_and_budgets() -> None:
    metrics = Metrics(PriceList.shipped().entry)
    for _ in range(3):
        metrics.admitted()
    metrics.ended(entry(), Status.OK, Usage(input=25, output=5, cache_read=3), 1_500_000_000, 0.25, 2.0)
    metrics.ended(entry(), Status.FAILED, Usage(), 0, None, 0.1)
    metrics.refused("billing_error")
    cap = Cap("team", "web", "dollars", 2_000_000_000, Period("1d"))
    lines = await told(metrics, Standing(cap, spent=1_500_000_000, reserved=250_000_000))
    assert "\n".join(lines) == snapshot("""\
mcp_hub_proxy_requests_total{key="ci",model="claude-sonnet-4-6",status="ok",team="web",upstream="anthropic"} 1.0
mcp_hub_proxy_requests_total{key="ci",model="claude-sonnet-4-6",status="failed",team="web",upstream="anthropic"} 1.0
mcp_hub_proxy_tokens_total{key="ci",kind="input",model="claude-sonnet-4-6",team="web",upstream="anthropic"} 25.0
mcp_hub_proxy_tokens_total{key="ci",kind="output",model="claude-sonnet-4-6",team="web",upstream="anthropic"} 5.0
mcp_hub_proxy_tokens_total{key="ci",kind="cache_read",model="claude-sonnet-4-6",team="web",upstream="anthropic"} 3.0
mcp_hub_proxy_dollars_total{key="ci",model="claude-sonnet-4-6",team="web",upstream="anthropic"} 1.5
mcp_hub_proxy_first_byte_seconds_count{upstream="anthropic"} 1.0
mcp_hub_proxy_first_byte_seconds_sum{upstream="anthropic"} 0.25
mcp_hub_proxy_answer_seconds_count{upstream="anthropic"} 1.0
mcp_hub_proxy_answer_seconds_sum{upstream="anthropic"} 2.0
mcp_hub_proxy_refused_total{type="billing_error"} 1.0
mcp_hub_proxy_under_way 1.0
mcp_hub_proxy_budget_limit{duration="1d",kind="dollars",name="web",tier="team"} 2.0
mcp_hub_proxy_budget_spent{duration="1d",kind="dollars",name="web",tier="team"} 1.5
mcp_hub_proxy_budget_reserved{duration="1d",kind="dollars",name="web",tier="team"} 0.25""")


@pytest.mark.parametrize(
    ("made_up", "label"), [("made-up-{}", "other"), (MODEL + "-202601{:02}", MODEL), ("x/claude-{}", "other")]
)
async def test_a_client_cannot_make_up_series_by_making_up_models(made_up: str, label: str) -> None:
    metrics = Metrics(PriceList.shipped().entry)
    for number in range(10, 100):
        metrics.admitted()
        asked = entry(made_up.format(number), f"session-{number}")
        metrics.ended(asked, Status.OK, Usage(output=1), 0, 0.1, 0.2)
    requests = [line for line in await told(metrics) if line.startswith("mcp_hub_proxy_requests_total")]
    assert requests == [
        f'mcp_hub_proxy_requests_total{{key="ci",model="{label}",status="ok",team="web",upstream="anthropic"}} 90.0'
    ]


async def test_a_cap_that_is_gone_is_not_told_any_more() -> None:
    metrics = Metrics(str)
    cap = Cap("key", "ci", "requests", 5, Period("1h", rolling=True))
    labels = '{duration="1h rolling",kind="requests",name="ci",tier="key"}'
    assert f"mcp_hub_proxy_budget_spent{labels} 3.0" in await told(metrics, Standing(cap, spent=3, reserved=0))
    assert not [line for line in await told(metrics) if "budget" in line]


async def scraped(url: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(verify=False, base_url=url, headers=headers) as client:
        return await client.get("/metrics")


def value(text: str, name: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name}{{"))


async def test_what_passes_through_the_proxy_is_in_its_metrics(proxied: Serving) -> None:
    body: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "say hello"}]}
    async with (
        proxied(**CAP) as running,
        httpx2.AsyncClient(verify=False, base_url=running.url, headers={"x-api-key": KEY}) as client,
    ):
        assert (await client.post("/v1/messages", json=body)).status_code == 200
        assert (await client.post("/v1/messages", json={**body, "max_tokens": 10**9})).status_code == 200
        assert (await client.post("/v1/messages", json={**body, "max_tokens": "many"})).status_code == 400
        answer = await scraped(running.url)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert value(answer.text, "mcp_hub_proxy_requests_total") == 2
    assert value(answer.text, "mcp_hub_proxy_refused_total") == 1
    assert value(answer.text, "mcp_hub_proxy_tokens_total") == 2 * (25 + 5 + 3)
    assert 0 < value(answer.text, "mcp_hub_proxy_budget_spent") < value(answer.text, "mcp_hub_proxy_budget_limit") == 2
    assert "mcp_hub_proxy_under_way 0.0" in answer.text.splitlines()


async def test_a_token_that_is_set_is_needed(proxied: Serving) -> None:
    async with proxied(metrics_token="the-token-of-the-metrics") as running:
        assert (await scraped(running.url)).status_code == 401
        assert (await scraped(running.url, authorization=f"Bearer {KEY}")).status_code == 401
        assert (await scraped(running.url, authorization="Bearer the-token-of-the-metrics")).status_code == 200


async def test_beyond_loopback_there_are_none_without_a_token(proxied: Serving) -> None:
    async with proxied(listen="0.0.0.0:8484") as running:  # the address that is configured decides
        answer = await scraped(running.url, **{"x-api-key": KEY})
    assert answer.status_code == 404
    assert "set proxy.metrics_token" in answer.json()["error"]["message"]


async def test_web_pages_are_refused(proxied: Serving) -> None:
    async with proxied() as running:
        assert (await scraped(running.url, origin="https://evil.example")).status_code == 403


async def test_hundreds_of_budgets_are_told(proxied: Serving) -> None:
    keys = [
        {"name": f"k{number}", "key": f"{KEY}-{number}", "budget_limit": 1, "budget_duration": "1M", "rolling": True}
        for number in range(300)
    ]
    async with proxied(keys=keys) as running:
        text = (await scraped(running.url)).text
    assert text.count("mcp_hub_proxy_budget_spent{") == 300


async def test_what_passes_uncounted_is_counted_here(proxied: Serving) -> None:
    async with proxied() as running:
        async with httpx2.AsyncClient(verify=False, base_url=running.url, headers={"x-api-key": KEY}) as client:
            assert (await client.post("/v1/messages/batches", json={})).status_code == 200
            assert (await client.get("/v1/models")).status_code == 200
        text = (await scraped(running.url)).text
    assert 'mcp_hub_proxy_uncounted_total{key="ci"} 1.0' in text.splitlines()
