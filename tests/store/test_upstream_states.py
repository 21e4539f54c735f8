"""How upstreams stand is kept by their names, the last word of each."""

from pathlib import Path

from mcp_hub.store.database import database_file
from mcp_hub.store.upstream_states import UpstreamState, UpstreamStates


def test_the_last_word_of_each_upstream_is_kept(tmp_path: Path) -> None:
    states = UpstreamStates(database_file(tmp_path))
    assert states.read() == []
    states.write(UpstreamState("one", "closed", 1.0, ""), UpstreamState("another", "closed", 1.0, ""))
    states.write(UpstreamState("one", "open", 2.0, "one answered 529"))
    assert states.read() == [
        UpstreamState("another", "closed", 1.0, ""),
        UpstreamState("one", "open", 2.0, "one answered 529"),
    ]
    states.forget_others(["one"])
    assert [each.upstream for each in states.read()] == ["one"]
