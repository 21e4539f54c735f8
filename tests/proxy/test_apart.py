"""Work on a large body is done apart from the event loop; on a small one, at once."""

import threading

import pytest

from mcp_hub.proxy.apart import LARGE, apart

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_large_body_is_worked_on_in_another_thread_and_a_small_one_in_this() -> None:
    here = threading.get_ident()
    assert await apart(LARGE - 1, threading.get_ident) == here
    assert await apart(LARGE, threading.get_ident) != here


@pytest.mark.parametrize("size", [0, LARGE])
async def test_what_it_raises_comes_out(size: int) -> None:
    with pytest.raises(ValueError, match="no number"):
        await apart(size, lambda: int("no number") if size else _fails())


def _fails() -> int:
    raise ValueError("no number")
