"""Usage to money: what the API reports is counted once, and costs exactly what the prices say."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.proxy.pricing import Price, Usage, cost

COUNTS = st.integers(0, 10**7)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 100))
PRICE = Price(3_000, 15_000, 3_750, 6_000, 300, 10_000_000)


def test_every_kind_costs_its_own_price() -> None:
    assert cost(Usage(1, 10, 100, 1_000, 10_000, 2), PRICE) == (
        3_000 + 150_000 + 375_000 + 6_000_000 + 3_000_000 + 20_000_000
    )


@given(USAGES, USAGES)
def test_most_is_commutative_and_holds_each_count(one: Usage, other: Usage) -> None:
    most = one.most(other)
    assert most == other.most(one)
    assert most.most(one) == most
    assert most.output == max(one.output, other.output)
