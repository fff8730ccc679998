"""Short English sentences that ship with the plugin: WordNet's examples of usage."""

from __future__ import annotations

import lzma
from importlib.resources import files

from sparring_text.data.corpus import Corpus

NAME = "WordNet's examples"


class WordNetExamples(Corpus):
    """32,248 English sentences and phrases of 4 to 12 words, by which WordNet 3.0 shows how words are used.

    Of them, those whose words are all in the vocabulary are used; with word tokens, its size decides how many. The
    sentences come from Debian's package ``wordnet-base`` (Princeton University, WordNet licence: any use); credits and
    licence lie beside them in the plugin.

    Args:
        length: Positions of a sequence in tokens, the end among them; longer sentences are left out.
        tokens: ``word`` for words and marks, ``bpe`` for pieces of words; or the folder or
            hub name of a pretrained model, such as one for ``text/causal-lm``, whose tokens are then taken.
        vocabulary: The most tokens, four special ones included.
        minimum_count: How often a word, or a pair of pieces, must occur in training sentences to become a token.
        held_out: The share of the split ``test``, in [0, 1).
        seed: Which sentences are held out.
    """

    def __init__(
        self,
        length: int = 14,
        tokens: str = "word",
        vocabulary: int = 4000,
        minimum_count: int = 2,
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(
            sentences(),
            where=NAME,
            length=length,
            kind=tokens,
            size=vocabulary,
            minimum_count=minimum_count,
            lowercase=False,
            too_long="skip",
            unknown="skip",
            held_out=held_out,
            seed=seed,
        )


def sentences() -> list[str]:
    """Return every sentence that ships with the plugin."""
    content = files("sparring_text").joinpath("wordnet_data", "sentences.txt.xz").read_bytes()
    return lzma.decompress(content).decode("utf-8").splitlines()
