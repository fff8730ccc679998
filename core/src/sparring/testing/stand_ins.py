"""Small networks that stand in for the other players while one component is checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.generator import Generated, Generator, SequenceGenerator
from sparring.interfaces.space import Space

WIDTH = 8
PADDING, END = 0, 1
NEVER = -1e9


class StandInTokens(Space):
    """Sequences of tokens: 0 is padding, 1 the end.

    Args:
        vocabulary: How many tokens there are.
        length: The padded length.
    """

    def __init__(self, vocabulary: int = 7, length: int = 6) -> None:
        self.vocabulary, self.length = vocabulary, length
        self.shape = (length,)

    def encode(self, raw: Any) -> Tensor:
        """Turn numbers, as a list or a text of them, into tokens ``(length,)``."""
        try:
            numbers = [int(part) for part in (raw.split() if isinstance(raw, str) else raw)]
        except (TypeError, ValueError) as cause:
            raise DataError(f"{raw!r} is no sequence of tokens", remedy="give whole numbers") from cause
        return torch.tensor((numbers + [PADDING] * self.length)[: self.length])

    def decode(self, sample: Tensor) -> str:
        return " ".join(str(token) for token in sample.tolist() if token != PADDING)

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "samples.txt"
        path.write_text(self.preview(samples), encoding="utf-8")
        return [path]

    def preview(self, samples: Tensor) -> str:
        return "\n".join(self.decode(sample) for sample in samples)


class StandInGenerator(Generator):
    """A small generator of samples of any fixed shape; it ignores its condition.

    Args:
        space: The samples' space.
    """

    latent_shape = (WIDTH,)

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.sample_shape = space.shape
        self.layers = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, math.prod(space.shape)))

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        """Make ``(B, *space.shape)``."""
        assert latent is not None
        made: Tensor = self.layers(latent)
        return made.reshape(-1, *self.sample_shape)


class StandInDiscriminator(Discriminator):
    """A small smooth critic of samples of one size, with two scales and features; it ignores its condition.

    Args:
        size: How many numbers a sample has.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(size, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fine, self.coarse = nn.Linear(WIDTH, 3), nn.Linear(WIDTH, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, …)``: logits ``(B, 3)`` and ``(B,)``."""
        first = torch.tanh(self.first(sample.flatten(1)))
        second = torch.tanh(self.second(first))
        return Critique((self.fine(first), self.coarse(second).squeeze(1)), ((first,), (second,)))


class StandInSequenceDiscriminator(StandInDiscriminator):
    """The same for sequences, as relaxed rows ``(B, T, V)`` or as tokens ``(B, T)``.

    Args:
        tokens: The space of the tokens.
    """

    def __init__(self, tokens: StandInTokens) -> None:
        super().__init__(tokens.length * tokens.vocabulary)
        self.vocabulary = tokens.vocabulary

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge sequences: logits ``(B, 3)`` and ``(B,)``."""
        rows = sample if sample.is_floating_point() else nn.functional.one_hot(sample, self.vocabulary).float()
        return super().forward(rows, condition, lengths)


class StandInSequenceGenerator(SequenceGenerator):
    """A small recurrent generator of tokens; it ignores its condition.

    Args:
        tokens: The space of the tokens.
    """

    def __init__(self, tokens: StandInTokens) -> None:
        super().__init__()
        self.vocabulary, self.length = tokens.vocabulary, tokens.length
        self.embedding = nn.Embedding(tokens.vocabulary, WIDTH)
        self.cell = nn.GRUCell(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, tokens.vocabulary)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        """Refuse: sequences are sampled, not computed."""
        raise NotImplementedError("call sample, relax or log_prob")

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        state, before = (
            tokens.new_zeros(len(tokens), WIDTH, dtype=torch.float32),
            torch.full_like(tokens[:, 0], PADDING),
        )
        found = []
        for token in tokens.unbind(1):
            state, scores = self._step(self.embedding(before), state)
            found.append(scores.gather(1, token[:, None]).squeeze(1))
            before = token
        log_probs = torch.stack(found, dim=1)
        return log_probs if lengths is None else log_probs * _within(lengths, tokens.shape[1])

    def sample(
        self,
        n: int,
        condition: Condition,
        *,
        rng: torch.Generator,
        prefix: Tensor | None = None,
        max_length: int | None = None,
        temperature: float = 1.0,
    ) -> Generated:
        length = self.length if max_length is None else min(max_length, self.length)
        state, before = torch.zeros(n, WIDTH), torch.full((n,), PADDING)
        tokens, log_probs, lengths = [], [], torch.full((n,), length)
        for place in range(length):
            state, scores = self._step(self.embedding(before), state)
            drawn = torch.multinomial((scores / temperature).softmax(1), 1, generator=rng).squeeze(1)
            if prefix is not None and place < prefix.shape[1]:
                drawn = prefix[:, place]
            live = place < lengths
            before = torch.where(live, drawn, PADDING)
            tokens.append(before)
            log_probs.append(torch.where(live, scores.gather(1, drawn[:, None]).squeeze(1), 0.0))
            lengths = torch.where(live & (drawn == END), place + 1, lengths)
        return Generated(torch.stack(tokens, 1), lengths, {"log_probs": torch.stack(log_probs, 1)})

    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        state, before = torch.zeros(n, WIDTH), self.embedding(torch.full((n,), PADDING))
        padding = nn.functional.one_hot(torch.tensor(PADDING), self.vocabulary).float()
        rows, lengths = [], torch.full((n,), self.length)
        for place in range(self.length):
            state, scores = self._step(before, state)
            gumbel = -torch.rand(scores.shape, generator=rng).clamp_min(1e-9).log().neg().clamp_min(1e-9).log()
            live = place < lengths
            row = torch.where(live[:, None], ((scores + gumbel) / temperature).softmax(1), padding)
            rows.append(row)
            before = row @ self.embedding.weight
            lengths = torch.where(live & (row.argmax(1) == END), place + 1, lengths)
        return Generated(torch.stack(rows, 1), lengths)

    def _step(self, embedded: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = self.cell(embedded, state)
        # Padding is never drawn: only what follows the end is padding.
        scores = self.head(state).index_fill(1, torch.tensor([PADDING]), NEVER)
        return state, scores.log_softmax(1)


def stand_ins(space: Space) -> Mapping[str, nn.Module]:
    """Return a generator and a discriminator for samples of a space."""
    if isinstance(space, StandInTokens):
        return {"generator": StandInSequenceGenerator(space), "discriminator": StandInSequenceDiscriminator(space)}
    return {"generator": StandInGenerator(space), "discriminator": StandInDiscriminator(math.prod(space.shape))}


def _within(lengths: Tensor, length: int) -> Tensor:
    return torch.arange(length, device=lengths.device) < lengths[:, None]
