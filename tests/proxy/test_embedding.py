"""Vectors of texts by the real model: of the length 1, near where the words are, and made without any network."""

import socket
import sys
from math import sqrt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import ConfigError
from mcp_hub.proxy.embedding import DIMENSIONS, MOST_CHARACTERS, WordLlamaEmbedder
from mcp_hub.proxy.responses import Embedder


@pytest.fixture(scope="module")
def embedder() -> WordLlamaEmbedder:
    return WordLlamaEmbedder.load()


def cosine(embedder: Embedder, one: str, other: str) -> float:
    pairs = zip(embedder.embed(one), embedder.embed(other), strict=True)
    return sum(float(a) * float(b) for a, b in pairs)


def length(embedder: Embedder, text: str) -> float:
    return sqrt(cosine(embedder, text, text))


TEXTS = [
    "",
    " ",
    "\n",
    "\u0000",
    "\u200b",
    "?",
    "\U0001f600",
    "\ud800",
    "a\udfffb",
    "</s>",
    "what is the capital of France?",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_every_text_has_a_vector_of_the_length_1(embedder: WordLlamaEmbedder, text: str) -> None:
    assert len(embedder.embed(text)) == DIMENSIONS
    assert length(embedder, text) == pytest.approx(1, abs=1e-5)


@settings(max_examples=25)
@given(text=st.text(st.characters(), max_size=50))
def test_no_text_has_another_length(embedder: WordLlamaEmbedder, text: str) -> None:
    assert length(embedder, text) == pytest.approx(1, abs=1e-5)


def test_a_text_has_the_same_vector_each_time_it_is_loaded_and_no_network_is_needed(
    embedder: WordLlamaEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> None:
        raise AssertionError(f"connected to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    again = WordLlamaEmbedder.load()
    text = "How do I list files by size?"
    assert list(embedder.embed(text)) == list(again.embed(text)) == list(embedder.embed(text))
    assert embedder.name == again.name == snapshot("wordllama-l2-supercat-256")


def test_a_question_is_nearest_to_the_same_in_other_words(embedder: WordLlamaEmbedder) -> None:
    asked = "How can I list all files by their size?"
    same, other = "What is the way to list every file by size?", "Explain the French Revolution in two sentences."
    assert cosine(embedder, asked, same) > 0.7 > 0.4 > cosine(embedder, asked, other)


def test_of_a_long_text_only_its_beginning_is_looked_at(embedder: WordLlamaEmbedder) -> None:
    start = ("read the file " * MOST_CHARACTERS)[:MOST_CHARACTERS]
    assert list(embedder.embed(start)) == list(embedder.embed(start + "and delete it" * 100_000))
    assert list(embedder.embed(start)) != list(embedder.embed("x" + start[1:]))


def refused() -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        WordLlamaEmbedder.load()
    return caught.value


def test_without_the_extra_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    assert refused().text == snapshot(
        "[proxy.cache.similar_for] similar hits need wordllama, which isn't installed: pip install 'mcp_hub[similar]'."
    )


def test_where_the_model_is_missing_one_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("wordllama.__file__", str(tmp_path / "__init__.py"))
    assert refused().text == snapshot(
        "[proxy.cache.similar_for] similar hits can't load their model (Tokenizer file "
        "'l2_supercat_tokenizer_config.json' not found in project root or cache, and downloads are disabled.): "
        "pip install --force-reinstall 'mcp_hub[similar]'."
    )
