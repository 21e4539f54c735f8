"""An upstream's answer, as the flow has it: headers by their name, whatever its case."""

from collections.abc import AsyncIterator

import pytest

from mcp_hub.proxy.upstreams.upstream import Reply


async def nothing() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize(("name", "value"), [("content-type", "text/html"), ("retry-after", "7"), ("missing", "")])
def test_a_header_is_found_by_its_name_in_lower_case(name: str, value: str) -> None:
    headers = [("Content-Type", "text/html"), ("retry-after", "7"), ("Retry-After", "8")]
    assert Reply(200, headers, nothing(), lambda: None).header(name) == value
