"""The space of sentences: between text and sequences of token numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from tokenizers import decoders
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring_text import tokens
from sparring_text.tokens import END, PADDING, SPACE, START, UNKNOWN


class TokenSpace(Space):
    """Sentences of up to ``length`` tokens, the end among them: integers ``(length,)``, padded with 0.

    Attributes:
        vocabulary: How many tokens there are, special ones included.
        unwritten: The tokens that no generator may write: padding and start; and the end and the unknown word, where
            sequences are of one length.

    Args:
        tokenizer: The tokenizer, as the JSON of the tokenizers library.
        length: Positions of a sequence.
        ends: Whether sequences end with a token of their own, and so may be shorter. Without it all have exactly
            ``length`` tokens, and none of them is special: so are those of a synthetic oracle.
    """

    called: ClassVar[str] = "sentences"

    def __init__(self, tokenizer: str, length: int, ends: bool = True) -> None:
        if length < 2:
            raise DataError(f"a length of {length} has no room for a word and the end", remedy="give at least 2")
        self.tokenizer, self.length, self.ends = tokenizer, length, ends
        self.unwritten: tuple[int, ...] = (PADDING, START) if ends else (PADDING, START, END, UNKNOWN)
        self.shape = (length,)
        self._tokenizer = tokens.load(tokenizer)
        self.vocabulary: int = self._tokenizer.get_vocab_size()
        self._texts = [self._tokenizer.id_to_token(number) or "" for number in range(self.vocabulary)]

    def encode(self, raw: Any) -> Tensor:
        """Turn a sentence, or the path of a file that holds one, into tokens ``(length,)``.

        Raises:
            DataError: It is longer than the space, or no text; or where all sequences have one length, it has another.
        """
        text = _read(raw) if isinstance(raw, Path) else raw
        if not isinstance(text, str):
            raise DataError(f"{type(raw).__name__} is no sentence", remedy="give a text, or the path of a text file")
        (found,) = self.encode_lines([text])
        if len(found) > self.length:
            raise DataError(
                f"the sentence has {len(found)} tokens{' with its end' if self.ends else ''}, and this space holds "
                f"{self.length}",
                where=repr(text[:40]),
                remedy="shorten it",
            )
        if not self.ends and (len(found) < self.length or UNKNOWN in found):
            raise DataError(
                f"the sequence has {len(found)} tokens, and all of this space have {self.length} known ones",
                where=repr(text[:40]),
                remedy="give as many, each of the vocabulary",
            )
        return torch.tensor(found + [PADDING] * (self.length - len(found)))

    def encode_lines(self, lines: Sequence[str]) -> list[list[int]]:
        """Return each line's tokens, with the end if sequences have one, of whatever length."""
        end = [END] if self.ends else []
        return [found.ids + end for found in self._tokenizer.encode_batch_fast(list(lines))]

    def token(self, number: int) -> str:
        """Return a token as the tokenizer writes it, such as ``▁cat``."""
        return self._texts[number]

    def decode(self, sample: Tensor) -> str:
        """Turn tokens ``(T,)`` into a sentence, up to the first end."""
        numbers = sample.tolist()
        if not isinstance(self._tokenizer.decoder, decoders.Metaspace):
            # A pretrained model's, which writes spaces and pieces of characters in its own way.
            counted = numbers[: numbers.index(END)] if END in numbers else numbers
            written = [number for number in counted if number not in (PADDING, START)]
            return _one_line(self._tokenizer.decode(written, skip_special_tokens=False))
        pieces = []
        for number in numbers:
            if number == END:
                break
            if number == UNKNOWN:
                pieces.append(SPACE)  # it replaces a word, so it has a word's space
            if number not in (PADDING, START):
                pieces.append(self._texts[number])
        return "".join(pieces).replace(SPACE, " ").strip()

    def words(self, sample: Tensor) -> list[str]:
        """Return the words and marks of tokens ``(T,)``: what metrics count, so that word pieces score as words do."""
        return tokens.words_of(self.decode(sample))

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        """Write ``samples.txt``, one sentence a line."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "samples.txt"
        path.write_text("".join(f"{self.decode(sample)}\n" for sample in samples), encoding="utf-8")
        return [path]

    def preview(self, samples: Tensor) -> str:
        """Number the sentences from 1."""
        width = len(str(len(samples)))
        return "".join(f"{number:>{width}}  {self.decode(sample)}\n" for number, sample in enumerate(samples, 1))


def token_space(space: Space, asking: str) -> TokenSpace:
    """Return a space as the token space that a component needs.

    Raises:
        DataError: It is another.
    """
    if isinstance(space, TokenSpace):
        return space
    raise DataError(
        f"{asking} works on text, and the samples are of {type(space).__name__}",
        remedy="use data of text, such as text/lines or text/wordnet-examples",
    )


def within(lengths: Tensor | None, sequences: Tensor) -> Tensor:
    """Return which positions of sequences ``(B, T, …)`` count, ``(B, T)``; all of them where there are no lengths."""
    place = torch.arange(sequences.shape[1], device=sequences.device)
    if lengths is None:
        return place.ge(0).expand(sequences.shape[:2])
    return place < lengths[:, None]


def _one_line(text: str) -> str:
    """Put one space in the place of blanks, breaks of lines and signs that control a terminal."""
    plain = (" " if unicodedata.category(sign) == "Cc" else sign for sign in text)
    return " ".join("".join(plain).split())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(
            f"no sentence can be read: {cause}", where=str(path), remedy="give a file of UTF-8 text"
        ) from cause
