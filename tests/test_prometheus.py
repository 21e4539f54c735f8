"""The registry: what is counted is told, and the time at which counting began isn't."""

from prometheus_client import Counter, generate_latest

from mcp_hub.prometheus import Registry


def test_a_series_is_told_without_the_time_at_which_it_began() -> None:
    registry = Registry()
    Counter("calls", "Calls.", ["server"], registry=registry).labels("git").inc()
    assert generate_latest(registry).decode().splitlines() == [
        "# HELP calls_total Calls.",
        "# TYPE calls_total counter",
        'calls_total{server="git"} 1.0',
    ]
