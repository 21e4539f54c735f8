"""What is shipped does what the cache asks of a store, of vectors and of a model, by the Protocols alone."""

from contextlib import closing
from pathlib import Path

from mcp_hub.proxy.embedding import WordLlamaEmbedder
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.responses import Embedder, KeptAnswer, ResponseStore, VectorIndex
from mcp_hub.store.database import database_file
from mcp_hub.store.responses import Responses
from mcp_hub.store.vectors import Vectors

AT = 1_790_000_000.0


def answer(id: str, text: str) -> KeptAnswer:
    return KeptAnswer(
        id=id,
        digest=id,
        parts=(b"head", text.encode()),
        family="family",
        text=text,
        key="ci",
        team="",
        model="claude-sonnet-4-6",
        upstream="anthropic",
        kept_at=AT,
        message=b"{}",
        stream=b"data: {}\n\n",
        pace=((0.0, 10),),
        usage=Usage(input=1, output=2),
        dollars=3,
    )


def found_again(store: ResponseStore, vectors: VectorIndex, embedder: Embedder) -> tuple[KeptAnswer | None, str]:
    """Keep two answers, and look for the first by its digest and by a text near its own."""
    for each in (answer("one", "explain the parser"), answer("two", "delete all branches")):
        store.keep(each)
        vectors.add("family", each.id, embedder.embed(each.text))
    nearest, *_ = vectors.nearest("family", embedder.embed("explain the parser to me"), 2, 0.0)
    store.served_similar(nearest.id, "explain the parser to me", nearest.similarity, AT)
    assert store.texts([nearest.id, "none"], AT) == {nearest.id: "explain the parser"}
    assert not store.is_wrong("family", "explain the parser", "explain the parser to me")
    assert store.get("none", AT, AT) is None
    assert store.find("one", AT + 1, AT + 1) is None
    return store.find("one", AT, AT), nearest.id


def test_what_is_shipped_keeps_and_finds(tmp_path: Path) -> None:
    embedder = WordLlamaEmbedder.load()
    path = database_file(tmp_path)
    with (
        closing(Responses(path, 1024 * 1024, 3600)) as store,
        closing(Vectors(path, embedder.name)) as vectors,
    ):
        assert found_again(store, vectors, embedder) == (answer("one", "explain the parser"), "one")
