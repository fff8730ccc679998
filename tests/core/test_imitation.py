"""Likelihood, by itself and as an anchor beside policy gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import one_hot

from sparring import Batch, Context
from sparring.interfaces.objective import WeightedTerm
from sparring.objectives.grpo import GRPO
from sparring.objectives.likelihood import Likelihood
from sparring.objectives.ppo import PPO
from sparring.objectives.reinforce import Reinforce
from sparring.terms.imitation import Imitation
from tests.core.test_policy import LENGTH, LETTERS, Bigrams, Judgement, SequenceWorth, every_sequence

TOKENS, LENGTHS = every_sequence()


@pytest.mark.parametrize("with_lengths", [True, False])
def test_it_is_the_mean_over_the_tokens_that_count(with_lengths: bool) -> None:
    network = Bigrams()
    lengths = LENGTHS if with_lengths else None
    found = network.log_prob(TOKENS, {}, lengths)
    expected = -found.sum() / (LENGTHS.sum() if with_lengths else TOKENS.numel())
    for sample in (TOKENS, one_hot(TOKENS, LETTERS).float()):  # the second is what `adversarial` makes of tokens
        value = Imitation()(Context({"generator": network}, Batch(sample, {}, lengths)))
        torch.testing.assert_close(value, expected)
    objective = Likelihood()
    (loss,) = objective.terms(
        objective.updates[0], Context({"generator": network}, Batch(TOKENS, {}, lengths))
    ).values()
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize(
    "objective", [Reinforce(SequenceWorth()), GRPO(SequenceWorth(), group=2), PPO(SequenceWorth())]
)
def test_it_anchors_every_policy_gradient(objective: Any) -> None:
    objective.attach([WeightedTerm("imitation", Imitation(), weight=0.5)])
    networks = {"generator": Bigrams(), "value": Judgement(torch.zeros(LENGTH))}
    rows = len(TOKENS) // 2 * 2
    context = Context(networks, Batch(TOKENS[:rows], {}, LENGTHS[:rows]), rng=torch.Generator().manual_seed(0))
    losses = objective.losses(objective.updates[0], context)
    torch.testing.assert_close(losses["imitation"], 0.5 * Imitation()(context))
