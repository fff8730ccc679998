"""What can be learnt from generated sentences about real ones: perplexities of small language models, both ways."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.metric import Metric
from sparring.metrics.classifier import remembered
from sparring_text.metrics.language_model import LanguageModel, mean_nll, trained
from sparring_text.spaces import token_space


class ReversePerplexity(Metric):
    """How well a small language model, trained on generated sentences alone, foretells held-out real ones.

    Zhao, Kim, Zhang, Rush and LeCun 2018, "Adversarially Regularized Autoencoders", arXiv:1706.04223, section 5. What a
    generator never writes, such a model cannot foretell: so ``reverse_perplexity``, the main value, punishes missing
    variety as well as wrong sentences. ``forward_perplexity`` is that of generated sentences under the same model
    trained on real ones; a generator of few likely sentences makes it small. ``real_reverse_perplexity``, of held-out
    sentences under that second model, is what reverse perplexity can reach.

    All are per token, the end counted, and of the data's own tokenizer. The models are LSTMs of 128 values which are
    trained for a fixed number of steps on as many sentences of each kind as are handed over: compare only figures with
    the same number, steps and vocabulary. Generated tokens need not end.

    Args:
        data: The data, whose training sentences the second model learns from.
        steps: Training steps of each model, of 64 sentences: on a thousand sentences more begin to learn them by heart.
            With 4,000 tokens and 12 positions, 150 take some seconds on one processor core.
        seed: Of the models and of the order of sentences.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, data: Data, steps: int = 150, seed: int = 0) -> None:
        if steps < 1:
            raise ValueError(f"steps is {steps}, and must be at least 1")
        self.vocabulary = token_space(data.space, "text/reverse-perplexity").vocabulary
        self.data, self.steps, self.seed = data, steps, seed
        self.reset()

    def reset(self) -> None:
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    def update(self, real: Batch, fake: Batch) -> None:
        self._real.append(real.sample.cpu().long())
        self._fake.append(fake.sample.cpu().long())

    def compute(self) -> dict[str, float]:
        if not sum(map(len, self._real)) or not sum(map(len, self._fake)):
            raise DataError("text/reverse-perplexity compares two sets of sentences, and one is empty")
        real, fake = torch.cat(self._real), torch.cat(self._fake)
        of_fake = trained(fake, self.vocabulary, self.steps, self.seed)
        key = ("text/reverse-perplexity", len(fake), self.steps, self.seed)
        of_real = remembered(self.data, key, lambda: self._of_real(len(fake)))
        return {
            "reverse_perplexity": math.exp(mean_nll(of_fake, real)),
            "forward_perplexity": math.exp(mean_nll(of_real, fake)),
            "real_reverse_perplexity": math.exp(mean_nll(of_real, real)),
        }

    def _of_real(self, count: int) -> LanguageModel:
        """Train on real sentences, as many as generated ones where there are as many."""
        training = self.data.split("train")
        draw = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(training), generator=draw)[:count]
        rows = training.gather(chosen, rng=draw).sample.cpu().long()
        return trained(rows, self.vocabulary, self.steps, self.seed)
