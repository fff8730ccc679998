"""Tokens: words, or the word pieces of byte-pair encoding, by the tokenizers library.

A token remembers whether a space stood before it: ``▁cat`` does, the ``s`` of ``cat's`` does not. So tokens of any
language go back to text with its own spacing, without rules for punctuation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from sparring.errors import DataError

PADDING, START, END, UNKNOWN = 0, 1, 2, 3
"""Numbers of the special tokens: what follows the end, what goes before the first token, the end, and rare words."""

SPECIAL = ("<padding>", "<start>", "<end>", "<unknown>")
TokenKind = Literal["word", "bpe"]

SPACE = "▁"  # U+2581, the sign of SentencePiece for a space before a token
LONGEST_PIECE = 32  # characters of a piece of byte-pair encoding; longer ones are addresses and the like
ALPHABET_SHARE = 0.5  # of the vocabulary at most: Chinese has thousands of characters, and pairs need room too

# Scripts that do not put spaces between words: each of their characters, with its marks, is a word of its own.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_CLITIC = "['\u2019](?:s|S|t|ll|re|ve|d|m)\\b"  # English: "the cat" + "'s", so that the vocabulary need not hold both
_WORD_PIECES = rf"▁?[{_UNSPACED}]\p{{M}}*|{_CLITIC}|▁?[\w&&[^{_UNSPACED}]]+|▁?[^\w▁]"
# Byte-pair encoding joins what stands together in a run of letters, whatever the script, and nothing across it.
_RUNS = rf"{_CLITIC}|▁?\w+|▁?[^\w▁]"


def train(
    lines: Sequence[str], kind: TokenKind = "word", *, size: int = 4000, minimum_count: int = 1, lowercase: bool = False
) -> Tokenizer:
    """Make a tokenizer from lines of text; the same lines give the same one.

    Args:
        lines: The text that it is to know.
        kind: ``word`` for words and marks; ``bpe`` for byte-pair encoding (Sennrich, Haddow and Birch 2016,
            arXiv:1508.07909), which cuts rare words into pieces and so knows nearly every word.
        size: The most tokens, the four special ones included.
        minimum_count: How often a word, or a pair of pieces, must occur to become a token.
        lowercase: Whether capitals are written small.
    """
    if size <= len(SPECIAL) or minimum_count < 1:
        raise ValueError(
            f"a vocabulary has more than {len(SPECIAL)} tokens and counts from 1, not {size} and {minimum_count}"
        )
    normalizer = _normalizer(lowercase)
    model = models.WordLevel(unk_token=SPECIAL[UNKNOWN]) if kind == "word" else models.BPE(unk_token=SPECIAL[UNKNOWN])
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = _splitter(kind)
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.train_from_iterator(lines, _trainer(lines, kind, normalizer, size, minimum_count), length=len(lines))
    return prepared(tokenizer)


def listed(words: Sequence[str]) -> Tokenizer:
    """Make a tokenizer that knows these words, each as one token, in their order after the special ones."""
    numbers = {word: number for number, word in enumerate([*SPECIAL, *(SPACE + word for word in words)])}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=SPECIAL[UNKNOWN]))
    tokenizer.normalizer = _normalizer(lowercase=False)
    tokenizer.pre_tokenizer = _splitter("word")
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.add_special_tokens(list(SPECIAL))
    return prepared(tokenizer)


def load(content: str) -> Tokenizer:
    """Read a tokenizer from its JSON, as ``Tokenizer.to_str`` gives it.

    Raises:
        DataError: It is no tokenizer, or its special tokens are not ours.
    """
    remedy = "give the JSON of a tokenizer that sparring_text.tokens.train made"
    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as cause:  # the library raises bare Exception
        raise DataError(f"this is no tokenizer: {str(cause)[:200]}", where="tokenizer", remedy=remedy) from cause
    found = tuple(tokenizer.id_to_token(number) for number in range(len(SPECIAL)))
    if found != SPECIAL:
        raise DataError(f"the first tokens are {found}, not {SPECIAL}", where="tokenizer", remedy=remedy)
    return prepared(tokenizer)


def prepared(tokenizer: Tokenizer) -> Tokenizer:
    """Have a tokenizer read text as text: the words "<end>" in a user's file must not end a sentence."""
    tokenizer.encode_special_tokens = True
    return tokenizer


def words_of(text: str) -> list[str]:
    """Split text into words and marks, without their spaces: what metrics count, whatever the tokens are."""
    return [piece.lstrip(SPACE) for piece, _ in _splitter("word").pre_tokenize_str(text)]


def _normalizer(lowercase: bool) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = [
        normalizers.NFC(),
        # A sign of ours in the text would come back as a space; so it is one from the start.
        normalizers.Replace(SPACE, " "),
        normalizers.Replace(Regex(r"[\s\p{Cc}]+"), " "),
        normalizers.Strip(),
    ]
    return normalizers.Sequence([*steps, normalizers.Lowercase()] if lowercase else steps)


@cache
def _splitter(kind: TokenKind) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=False),
            pre_tokenizers.Split(Regex(_WORD_PIECES if kind == "word" else _RUNS), "isolated"),
        ]
    )


def _trainer(
    lines: Sequence[str], kind: TokenKind, normalizer: normalizers.Normalizer, size: int, minimum_count: int
) -> trainers.Trainer:
    if kind == "word":
        return trainers.WordLevelTrainer(
            vocab_size=size, min_frequency=minimum_count, special_tokens=list(SPECIAL), show_progress=False
        )
    # The library breaks ties between equally frequent characters at random; so the alphabet is chosen here.
    alphabet = _alphabet((normalizer.normalize_str(line) for line in lines), int(ALPHABET_SHARE * size))
    return trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=minimum_count,
        special_tokens=list(SPECIAL),
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        max_token_length=LONGEST_PIECE,
        show_progress=False,
    )


def _alphabet(lines: Iterable[str], most: int) -> list[str]:
    counts = Counter[str]()
    for line in lines:
        counts.update(line.replace(" ", ""))
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    return [SPACE, *ranked[: max(most - 1, 1)]]
