"""The checks that tables share: URLs, paths, addresses, and errors that are about a part of a table."""

from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError, model_validator

from mcp_hub.table import Table, address, checked_path, is_loopback, is_url, problem_at


class Pair(Table):
    """Two numbers, which may not be the same."""

    one: int
    other: int

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.one == self.other:
            raise problem_at("is one's too", "other")
        return self


@pytest.mark.parametrize("url", ["http://h", "https://h:1/a?b#c", "http://[::1]:65535/", "https://user@h"])
def test_a_url_has_a_host_and_a_port_that_can_be_connected_to(url: str) -> None:
    assert is_url(url)


@pytest.mark.parametrize(
    "url", ["", "h", "ftp://h", "http://", "http:///a", "http://h:0", "http://h:65536", "http://["]
)
def test_anything_else_is_no_url(url: str) -> None:
    assert not is_url(url)


def test_a_path_is_left_as_it_is_written() -> None:
    assert checked_path("~/a/../b") == "~/a/../b"


@pytest.mark.parametrize(("path", "said"), [("a\0b", "must be a path"), ("~nobody-of-this-name/a", "no such user")])
def test_what_cant_be_a_path_is_refused(path: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked_path(path)


@given(st.integers(0, 65535), st.sampled_from(["127.0.0.1", "localhost", "::1", "0.0.0.0"]))
def test_an_address_is_read_back_as_it_was_written(port: int, host: str) -> None:
    assert address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") == (host, port)
    assert address(str(port)) == ("127.0.0.1", port)


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_an_error_that_tells_one(text: str) -> None:
    try:
        host, port = address(text)
    except ValueError as error:
        said = str(error)
    else:
        said = ""
        assert host
        assert 0 <= port <= 65535
    assert not said or "give HOST:PORT, such as 127.0.0.1:8400" in said


@pytest.mark.parametrize(
    ("host", "reached"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("h", False)],
)
def test_loopback_is_reached_from_this_machine_only(host: str, reached: bool) -> None:
    assert is_loopback(host) is reached


def test_a_problem_names_the_part_that_it_is_about() -> None:
    with pytest.raises(ValidationError) as caught:
        Pair(one=1, other=1)
    (error,) = caught.value.errors()
    assert (error["msg"], error["ctx"]["at"]) == ("is one's too", ("other",))


def test_an_error_keeps_the_value_to_itself() -> None:
    with pytest.raises(ValidationError) as caught:
        Pair.model_validate({"one": "hunter2", "other": 1})
    assert "hunter2" not in str(caught.value)
