"""A synthetic language whose true likelihood is known: sequences that an LSTM of random weights writes.

Yu, Zhang, Wang and Yu 2017, "SeqGAN", arXiv:1609.05473, section 4. Letters in names of tensors: B rows, N all positions
of all rows, T positions, V words, K blocks of words and S words of a block, H hidden values.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sparring.data.memory import MemoryData
from sparring.errors import DataError
from sparring.training.randomness import generator_at
from sparring_text import tokens
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import SPECIAL

HIDDEN = 32  # values of a word's embedding, and of the hidden state: the paper's numbers
FIRST = len(SPECIAL)  # the number of the first word; those below it are special and never written
BLOCK = 64  # words that are summed before they are searched
ROWS = 128  # at a time: with 5,000 words their scores just fit a processor's cache
IMPOSSIBLE = math.log(torch.finfo(torch.float32).tiny)  # −87.3 nats: what no oracle writes must cost, and not infinity
NORMAL_95 = 1.96  # standard errors on both sides of a mean, for an interval of 95 %


class Estimate(NamedTuple):
    """A mean, and half the width of its 95 % interval."""

    mean: float
    interval: float


class OracleLSTM:
    """An LSTM whose weights are all drawn from N(0, 1), as the true distribution of sequences.

    Args:
        vocabulary: How many words it writes; special tokens come on top.
        seed: Of the weights.
    """

    def __init__(self, vocabulary: int, seed: int) -> None:
        if vocabulary < 2:
            raise DataError(f"an oracle of {vocabulary} words has nothing to choose", remedy="give at least 2")
        self.vocabulary = vocabulary
        rng = generator_at("cpu", seed, "oracle")
        # Row 0 is the start's embedding. Gates come in the order input, forget, candidate, output.
        self.embedding = torch.randn(1 + vocabulary, HIDDEN, generator=rng)
        self.recurrence = torch.randn(2 * HIDDEN, 4 * HIDDEN, generator=rng)
        self.gates = torch.randn(4 * HIDDEN, generator=rng)
        self.output = torch.randn(HIDDEN, vocabulary, generator=rng)
        self.bias = torch.randn(vocabulary, generator=rng)

    def sample(self, count: int, length: int, *, rng: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Draw tokens ``(count, length)``, from ``len(SPECIAL)`` on."""
        uniform_BT = 1.0 - torch.rand(count, length, generator=rng)
        parts = [self._draw(part_BT, temperature) for part_BT in torch.split(uniform_BT, ROWS)]
        return torch.cat(parts) if parts else torch.empty(0, length, dtype=torch.long)

    def log_prob(self, sequences: Tensor) -> Tensor:
        """Return each token's log-probability given those before it: ``(B, T)`` -> ``(B, T)``.

        Special tokens, which the oracle never writes, cost ``IMPOSSIBLE`` each. So a sequence that ends early pays for
        every position that it leaves empty.
        """
        found = [self._log_prob(part.cpu().long()) for part in torch.split(sequences, ROWS)]
        return torch.cat(found) if found else torch.empty(sequences.shape)

    def distribution(self, sequences: Tensor) -> Tensor:
        """Return every word's log-probability at each position, given those before: ``(B, T)`` -> ``(B, T, V)``."""
        return self._scores(self._hidden(sequences.cpu().long() - FIRST + 1)).log_softmax(2)

    def _draw(self, uniform_BT: Tensor, temperature: float) -> Tensor:
        """Invert the distribution function, in two steps: of blocks, and within one. Adding up all is the slow part."""
        rows, length = uniform_BT.shape
        # The last block is filled up with words of weight 0, which stay so.
        weights_BV = torch.zeros(rows, -(-self.vocabulary // BLOCK) * BLOCK)
        words_BT = torch.empty(rows, length, dtype=torch.long)
        before_B = torch.zeros(rows, dtype=torch.long)
        state = torch.zeros(2, rows, HIDDEN)
        for place in range(length):
            state = self._step(before_B, state)
            scores_BV = self._scores(state[0]) / temperature
            torch.exp(scores_BV - scores_BV.amax(1, keepdim=True), out=weights_BV[:, : self.vocabulary])
            weights_BKS = weights_BV.view(rows, -1, BLOCK)
            sums_BK = weights_BKS.sum(2).cumsum(1)
            wanted_B1 = uniform_BT[:, place, None] * sums_BK[:, -1:]
            block_B1 = torch.searchsorted(sums_BK, wanted_B1).clamp_max(sums_BK.shape[1] - 1)
            passed_B1 = torch.where(block_B1 > 0, sums_BK.gather(1, (block_B1 - 1).clamp_min(0)), 0.0)
            within_BS = weights_BKS[torch.arange(rows), block_B1.squeeze(1)].cumsum(1)
            inner_B1 = torch.searchsorted(within_BS, wanted_B1 - passed_B1).clamp_max(BLOCK - 1)
            # Rounding may point just past the end of a block, and so past the last word.
            word_B = (block_B1 * BLOCK + inner_B1).clamp_max(self.vocabulary - 1).squeeze(1)
            words_BT[:, place] = word_B
            before_B = word_B + 1
        return words_BT + FIRST

    def _log_prob(self, sequences_BT: Tensor) -> Tensor:
        words_BT = sequences_BT - FIRST
        possible_BT = (words_BT >= 0) & (words_BT < self.vocabulary)
        known_BT = torch.where(possible_BT, words_BT, 0)
        hidden_BTH = self._hidden(known_BT + 1)
        found_BT = torch.empty(words_BT.shape)
        for place in range(words_BT.shape[1]):
            scores_BV = self._scores(hidden_BTH[:, place])
            found_BT[:, place] = -functional.cross_entropy(scores_BV, known_BT[:, place], reduction="none")
        return torch.where(possible_BT, found_BT, IMPOSSIBLE)

    def _hidden(self, numbers_BT: Tensor) -> Tensor:
        """Return the hidden values from which each word is drawn, ``(B, T, H)``; words count from 1."""
        before_BT = torch.cat([torch.zeros_like(numbers_BT[:, :1]), numbers_BT[:, :-1]], dim=1)
        state = torch.zeros(2, len(numbers_BT), HIDDEN)
        found = []
        for before_B in before_BT.unbind(1):
            state = self._step(before_B, state)
            found.append(state[0])
        return torch.stack(found, dim=1)

    def _step(self, before_B: Tensor, state: Tensor) -> Tensor:
        """Read one word; return hidden values and memory, ``(2, B, H)``."""
        hidden_BH, memory_BH = state
        read_BG = torch.cat([self.embedding[before_B], hidden_BH], dim=1)
        into, keep, candidate, out = torch.addmm(self.gates, read_BG, self.recurrence).chunk(4, dim=1)
        memory_BH = keep.sigmoid() * memory_BH + into.sigmoid() * candidate.tanh()
        return torch.stack([out.sigmoid() * memory_BH.tanh(), memory_BH])

    def _scores(self, hidden: Tensor) -> Tensor:
        return hidden @ self.output + self.bias


class Oracle(MemoryData):
    """Sequences of numbers that an LSTM of N(0, 1) weights writes: the synthetic test of Yu et al. 2017 (SeqGAN).

    Since the true likelihood of any sequence is known, a generator can be measured, by ``text/oracle-nll`` and
    ``text/temperature-frontier``. All sequences have one length and no end. The special tokens, which the space has
    beside the words, never occur; a generator that writes one pays for it. Words are called by their numbers, from 0.

    Each oracle is another language, with another entropy: quote gaps to it, over several seeds, and not bare
    likelihoods. The same options give the same sequences on the same torch build and processor model.

    Attributes:
        oracle: The LSTM, which tells the log-probability of any sequence.
        entropy: Of a token, in nats: the mean negative log-likelihood of the held-out sequences.

    Args:
        vocabulary: How many words there are, beside four special tokens.
        length: Words of a sequence.
        count: Sequences to train on.
        held_out_count: Sequences of the split ``test``.
        seed: Which oracle, and which sequences of it.
    """

    def __init__(
        self,
        vocabulary: int = 5000,
        length: int = 20,
        count: int = 10_000,
        held_out_count: int = 10_000,
        seed: int = 0,
    ) -> None:
        if count < 1 or held_out_count < 2:
            raise DataError(
                f"{count} sequences to train on and {held_out_count} held out are too few",
                where="data",
                remedy="set `count` to at least 1, and `held_out_count` to at least 2",
            )
        self.oracle = OracleLSTM(vocabulary, seed)
        space = TokenSpace(tokens.listed([str(word) for word in range(vocabulary)]).to_str(), length, ends=False)
        training, testing = (
            self.oracle.sample(rows, length, rng=generator_at("cpu", seed, "oracle", part))
            for part, rows in (("train", count), ("test", held_out_count))
        )
        self.entropy = per_token(self.oracle.log_prob(testing))
        super().__init__(
            space,
            torch.cat([training, testing]).to(torch.int32),
            lengths=torch.full((count + held_out_count,), length),
            held_out={"test": torch.arange(count, count + held_out_count)},
        )

    def decompress(self, raw: Tensor) -> Tensor:
        return raw.long()


def per_token(log_prob: Tensor) -> Estimate:
    """Return the mean negative log-likelihood of a token from ``(N, T)``, in nats, over rows that are independent."""
    rows = -log_prob.double().mean(1)
    error = float(rows.std()) / math.sqrt(len(rows)) if len(rows) > 1 else 0.0
    return Estimate(float(rows.mean()), NORMAL_95 * error)
