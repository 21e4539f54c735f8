"""The bounds of a program: every one holds by default, and none can be switched off."""

import math

import pytest
from inline_snapshot import snapshot
from pydantic import ValidationError

from mcp_hub.sandbox.limits import Limits

BOUNDS: dict[str, tuple[float, float]] = {
    "memory_mib": (16, 16_384),
    "calls": (1, 100_000),
    "source_bytes": (256, 1_048_576),
    "log_bytes": (0, 1_048_576),
    "result_characters": (100, 1_000_000),
    "calls_parallel": (1, 64),
    "value_nesting": (4, 256),
    "call_depth": (10, 1_000),
    "programs": (1, 64),
    "programs_client": (1, 64),
}


@pytest.mark.parametrize(("key", "bounds"), BOUNDS.items())
def test_a_limit_can_be_set_within_its_bounds_and_not_beyond(key: str, bounds: tuple[int, int]) -> None:
    for value in bounds:
        assert getattr(Limits.model_validate({key: value}), key) == value
    for value in (bounds[0] - 1, bounds[1] + 1):
        with pytest.raises(ValidationError, match=key):
            Limits.model_validate({key: value})


@pytest.mark.parametrize("key", Limits.model_fields)
@pytest.mark.parametrize("off", [None, -1, math.nan, math.inf, "unlimited", []])
def test_no_limit_can_be_switched_off(key: str, off: object) -> None:
    with pytest.raises(ValidationError, match=key):
        Limits.model_validate({key: off})


@pytest.mark.parametrize("key", Limits.model_fields)
def test_every_limit_holds_by_default_and_is_described(key: str) -> None:
    assert getattr(Limits(), key) > 0
    assert Limits.model_fields[key].description


def test_the_defaults_are_themselves_allowed() -> None:
    assert Limits.model_validate(Limits().model_dump()) == Limits()


@pytest.mark.parametrize("key", ["wall_seconds", "call_seconds"])
@pytest.mark.parametrize(("seconds", "allowed"), [(0.01, True), (3_600, True), (0, False), (3_601, False)])
def test_time_is_bounded_by_an_hour_and_may_be_a_fraction_of_a_second(key: str, seconds: float, allowed: bool) -> None:
    if allowed:
        assert getattr(Limits.model_validate({key: seconds}), key) == seconds
    else:
        with pytest.raises(ValidationError):
            Limits.model_validate({key: seconds})


def test_the_defaults_are_those_that_were_promised() -> None:
    assert Limits().model_dump() == snapshot(
        {
            "wall_seconds": 60,
            "call_seconds": 30,
            "steps": 50000000,
            "memory_mib": 256,
            "calls": 256,
            "calls_parallel": 16,
            "source_bytes": 65536,
            "log_bytes": 65536,
            "result_characters": 20000,
            "value_nesting": 64,
            "call_depth": 200,
            "programs": 8,
            "programs_client": 4,
        }
    )


def test_fewer_steps_than_are_counted_at_a_time_make_no_limit() -> None:
    assert Limits(steps=1_000).steps == 1_000
    with pytest.raises(ValidationError):
        Limits(steps=999)


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="wall_secs"):
        Limits.model_validate({"wall_secs": 3})


def test_limits_cant_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Limits().calls = 3  # type: ignore[misc]
