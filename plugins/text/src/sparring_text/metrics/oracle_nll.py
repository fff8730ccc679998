"""What an oracle says of a generator's sequences, and the generator of the oracle's: never one without the other."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch, Condition, Data
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.metric import Metric
from sparring_text.data.oracle import Oracle, OracleLSTM, per_token

FEW, MANY = 16, 256  # rows at a time on a CPU, whose cache holds no more of their scores, and on an accelerator


class OracleNLL(Metric):
    """How far a generator is from an oracle in both directions, a token, in nats. For the data ``text/oracle``.

    ``nll_oracle`` is the negative log-likelihood of generated sequences under the oracle: it falls with quality, and as
    well with every loss of variety; a generator that is sampled colder lowers it without having learnt anything.
    ``nll_test`` is that of held-out sequences of the oracle under the generator: it rises where something is missing.
    Both stand beside ``oracle_entropy``, the oracle's own on the same held-out sequences, which is what a perfect
    generator has in both; ``nll_oracle_gap`` and ``nll_test_gap`` are what exceeds it. The second gap estimates the
    Kullback-Leibler divergence of the generator from the oracle. The main value, ``nll_gap``, is the sum of the gaps
    (Caccia et al. 2020, "Language GANs Falling Short", arXiv:1811.02549, compare both likelihoods in this way). It can
    fall slightly below 0, as a little less variety costs less than it saves.

    Values that end in ``interval`` are half the width of the 95 % interval of a mean. Sequences that end early, or
    hold special tokens, cost 87 nats for each position without a word.

    Args:
        data: The oracle's data.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, data: Data) -> None:
        self.data = oracle_data(data, "text/oracle-nll")
        self.reset()

    def reset(self) -> None:
        self._generator: SequenceGenerator | None = None
        self._fake: list[Tensor] = []
        self._real: list[Tensor] = []
        self._test: list[Tensor] = []

    def examine(self, generator: nn.Module) -> None:
        self._generator = sequence_generator(generator, "text/oracle-nll")

    @torch.no_grad()
    def update(self, real: Batch, fake: Batch) -> None:
        if self._generator is None:
            raise TrainingError("text/oracle-nll has seen no generator", remedy="call `examine` after `reset`")
        oracle, length = self.data.oracle, self.data.space.shape[0]
        if len(fake):
            self._fake.append(oracle_log_prob(oracle, fake.sample, length))
        if len(real):
            self._real.append(oracle.log_prob(real.sample))
            self._test.append(generator_log_prob(self._generator, real.sample, real.condition))

    def compute(self) -> dict[str, float]:
        if not self._fake or not self._real:
            raise DataError("text/oracle-nll compares two sets of sequences, and one is empty", remedy="call `update`")
        found = {
            name: per_token(torch.cat(rows))
            for name, rows in (("nll_oracle", self._fake), ("nll_test", self._test), ("oracle_entropy", self._real))
        }
        means = {name: estimate.mean for name, estimate in found.items()}
        entropy = means["oracle_entropy"]
        return {
            "nll_gap": means["nll_oracle"] + means["nll_test"] - 2 * entropy,
            **means,
            "nll_oracle_gap": means["nll_oracle"] - entropy,
            "nll_test_gap": means["nll_test"] - entropy,
            **{f"{name}_interval": estimate.interval for name, estimate in found.items()},
        }


def oracle_data(data: Data, asking: str) -> Oracle:
    """Return data as those of an oracle.

    Raises:
        DataError: They are others.
    """
    if isinstance(data, Oracle):
        return data
    raise DataError(
        f"{asking} needs data whose true likelihood is known, not {type(data).__name__}",
        where="evaluate.metrics",
        remedy="use it with the data text/oracle; for real text take text/reverse-perplexity",
    )


def sequence_generator(generator: nn.Module, asking: str) -> SequenceGenerator:
    """Return a generator as one with a likelihood.

    Raises:
        TrainingError: It has none.
    """
    if isinstance(generator, SequenceGenerator):
        return generator
    raise TrainingError(
        f"{asking} asks for likelihoods, and a {type(generator).__name__} has none",
        where="evaluate.metrics",
        remedy="use a generator of sequences, such as text/lstm",
    )


def oracle_log_prob(oracle: OracleLSTM, tokens: Tensor, length: int) -> Tensor:
    """Return what an oracle says of generated tokens ``(B, T)``: ``(B, length)``; what is missing is padding."""
    return oracle.log_prob(functional.pad(tokens.cpu(), (0, length - tokens.shape[1])))


def generator_log_prob(generator: SequenceGenerator, tokens: Tensor, condition: Condition) -> Tensor:
    """Return what a generator says of tokens ``(B, T)``, each of which counts: ``(B, T)`` on the CPU."""
    device = device_of(generator)
    found = []
    for rows in torch.split(torch.arange(len(tokens)), rows_for(device)):
        part = tokens[rows].to(device)
        given = {name: value[rows].to(device) for name, value in condition.items()}
        lengths = torch.full((len(part),), part.shape[1], device=device)
        found.append(generator.log_prob(part, given, lengths).cpu())
    return torch.cat(found)


def device_of(network: nn.Module) -> torch.device:
    """Return where a network is."""
    found = next(network.parameters(), None)
    return torch.device("cpu") if found is None else found.device


def rows_for(device: torch.device) -> int:
    """Return how many rows are best judged at a time."""
    return FEW if device.type == "cpu" else MANY
