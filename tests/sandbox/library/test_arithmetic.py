"""Numbers in the host: what CPython computes, and a refusal of what is absurd before it starts."""

import json
import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox.library import arithmetic

NUMBERS = st.integers(-(10**20), 10**20) | st.floats(-1e100, 1e100)
SAMPLES = st.lists(NUMBERS, min_size=2, max_size=20)


@given(SAMPLES)
def test_statistics_are_what_cpython_computes_to_the_last_digit(values: list[float]) -> None:
    text = json.dumps(values)
    assert arithmetic.mean(text) == statistics.mean(values)
    assert type(arithmetic.mean(text)) is type(statistics.mean(values))
    assert arithmetic.fmean(text) == statistics.fmean(values)
    assert arithmetic.median(text) == statistics.median(values)
    for name in ("variance", "pvariance", "stdev", "pstdev"):
        assert arithmetic.variance(text, name) == getattr(statistics, name)(values), name


@given(SAMPLES, st.integers(1, 12), st.sampled_from(["inclusive", "exclusive"]))
def test_quantiles_are_what_cpython_computes(values: list[float], n: int, method: Any) -> None:
    assert arithmetic.quantiles(json.dumps(values), n, method) == statistics.quantiles(values, n=n, method=method)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), st.none() | st.integers(-20, 20))
def test_rounding_is_what_cpython_does(number: float, ndigits: int | None) -> None:
    try:
        expected = round(number, ndigits)
    except OverflowError:
        return
    if math.isfinite(expected):
        assert arithmetic.round_(number, ndigits) == expected


@given(st.integers(-50, 50), st.integers(-20, 40))
def test_powers_are_what_cpython_computes(base: int, exponent: int) -> None:
    if base or exponent >= 0:
        assert arithmetic.power(base, exponent) == base**exponent


@pytest.mark.parametrize(
    ("base", "exponent", "modulus"), [(2, 10**6 + 1, None), (-3, 10**9, None), (7**5000, 3, 10**9), (2, 3, 2**9000)]
)
def test_a_power_that_would_take_too_long_is_refused(base: int, exponent: int, modulus: int | None) -> None:
    with pytest.raises(OverflowError):
        arithmetic.power(base, exponent, modulus)


def test_a_large_power_of_one_and_a_modest_one_are_computed() -> None:
    assert arithmetic.power(-1, 10**9) == 1
    assert arithmetic.power(2, 1000) == 2**1000
    assert arithmetic.power(3, 10**9, 1000) == pow(3, 10**9, 1000)


@pytest.mark.parametrize("spec", ["99999999d", ".9999999f", ">1000001", "1" * 5000])
def test_an_absurd_width_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="beyond 1000000"):
        arithmetic.formatted(1, spec)


def test_what_is_not_finite_is_formatted_by_its_name() -> None:
    assert arithmetic.formatted_special("-inf", ">6.1f") == "  -inf"


def test_results_that_cannot_cross_are_errors() -> None:
    with pytest.raises(OverflowError):
        arithmetic.prod("[1e200, 1e200]")
    with pytest.raises(OverflowError):
        arithmetic.prod(json.dumps([10**4000] * 200))
    with pytest.raises(ValueError, match=r"math\.sqrt\(\) needs finite numbers"):
        arithmetic.CALLABLES["_lib_math_sqrt"](None)


@pytest.mark.parametrize("call", [lambda: arithmetic.comb(10**6, 500_000), lambda: arithmetic.perm(10**6)])
def test_an_absurd_number_of_choices_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match="too large"):
        call()
