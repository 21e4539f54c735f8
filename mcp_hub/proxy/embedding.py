"""Vectors of texts by WordLlama: a small model whose weights come with its package, so that nothing is downloaded.

It comes with the extra `similar`. It only finds what is worth a look: what it holds for alike may ask for something
else, and the guard decides.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcp_hub.errors import ConfigError

DIMENSIONS = 256

MOST_CHARACTERS = 4_000
"""Of a text that is looked at: the guard takes no longer ones, and a vector of a page says little about its end."""


class WordLlamaEmbedder:
    """The model, loaded: 60 MiB, and half a second to load."""

    def __init__(self, model: Any) -> None:
        """Use `load`."""
        self._model = model

    @property
    def name(self) -> str:
        """The model and its length."""
        return f"wordllama-l2-supercat-{DIMENSIONS}"

    @classmethod
    def load(cls) -> "WordLlamaEmbedder":
        """Read the model. Raises ConfigError where the extra isn't installed, or isn't whole."""
        try:
            import wordllama
        except ImportError as error:
            text = f"similar hits need {error.name}, which isn't installed: pip install 'mcp_hub[similar]'."
            raise ConfigError(text, key="proxy.cache.similar_for") from None
        # Its own folder as the cache: there the tokenizer lies, though the package looks for it next door.
        folder = Path(wordllama.__file__).parent
        try:
            model = wordllama.WordLlama.load(cache_dir=folder, dim=DIMENSIONS, disable_download=True)
        except (OSError, ValueError) as error:
            text = f"similar hits can't load their model ({error}): pip install --force-reinstall 'mcp_hub[similar]'."
            raise ConfigError(text, key="proxy.cache.similar_for") from None
        return cls(model)

    def embed(self, text: str) -> Sequence[float]:
        """The vector of a text, of the length 1; of a text without a word, zeros, which are near nothing."""
        whole = text[:MOST_CHARACTERS].encode(errors="replace").decode()  # the tokenizer takes no half surrogate pair
        vector = self._model.embed([whole or " "], norm=False)[0]
        length = float((vector @ vector) ** 0.5)
        found: Sequence[float] = vector / length if length > 0 else vector * 0
        return found
