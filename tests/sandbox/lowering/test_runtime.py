"""What lowered programs need of Python: formats and text methods, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox.lowering import runtime


@pytest.mark.parametrize("spec", ["99999999d", ">10000000", "1000001", ".9999999f"])
def test_a_width_beyond_reason_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="more than a format may fill"):
        runtime.format_value(1, spec)
    with pytest.raises(ValueError, match="more than a format may fill"):
        runtime.percent_value(spec.strip(">df."), "d", 1)
    with pytest.raises(ValueError, match="more than a format may fill"):
        runtime.text_method("zfill", "a", [10_000_000])


@pytest.mark.parametrize("template", ["{0.__class__}", "{x.a[b].c}", "{[0]}"])
def test_a_templates_ways_are_told_and_not_gone(template: str) -> None:
    ((_, _, ways, _, _),) = runtime.format_parts(template)
    assert ways


@pytest.mark.parametrize("template", ["{", "}", "{0!x!y}", "{a[}"])
def test_a_template_that_is_not_well_formed_is_an_error(template: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        runtime.format_parts(template)


def test_only_methods_of_the_table_are_called() -> None:
    with pytest.raises(AttributeError):
        runtime.text_method("format", "{0.__class__}", [1])


@given(st.text(st.sampled_from("%sdr()a5.-#0 *"), max_size=12), st.integers(-5, 5))
def test_a_percent_format_is_taken_apart_as_python_does(template: str, value: int) -> None:
    try:
        named = "%(" in template.replace("%%", "")  # an escaped % has no name behind it
        expected = template % {"a": value} if named else template % (value,)
    except (TypeError, ValueError, KeyError):
        return
    parts = runtime.percent_parts(template)
    if "*" not in template:
        told = [
            text + ("%" if kind == "%" else runtime.percent_value(spec, kind, value) if kind else "")
            for text, _, spec, kind in parts
        ]
        assert "".join(told) == expected


def test_a_complex_power_is_refused() -> None:
    with pytest.raises(ValueError, match="complex"):
        runtime.real_power(-8, 1 / 3)


def test_an_error_crosses_as_data_with_its_type() -> None:
    assert runtime.CALLABLES["_py_host_int"]("x") == {
        "_py_error": "ValueError",
        "message": "invalid literal for int() with base 10: 'x'",
    }
