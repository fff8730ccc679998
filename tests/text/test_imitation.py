"""The term equals the objective whose loss it is."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import one_hot

from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.objectives.likelihood import Likelihood
from sparring_text.imitation import Imitation
from sparring_text.networks.lstm import LSTMGenerator
from tests.text.corpora import SENTENCES, batch_of, space_of


@pytest.mark.parametrize("with_lengths", [True, False])
def test_it_is_the_loss_of_the_objective_likelihood(with_lengths: bool) -> None:
    space = space_of()
    network, batch = LSTMGenerator(space, {}, width=8, embedding_dim=8), batch_of(space, SENTENCES[:9])
    lengths = batch.lengths if with_lengths else None
    objective = Likelihood()
    (wanted,) = objective.terms(
        objective.own_updates[0], Context({"generator": network}, Batch(batch.sample, {}, lengths))
    ).values()
    for sample in (batch.sample, one_hot(batch.sample, space.vocabulary).float()):
        found = Imitation()(Context({"generator": network}, Batch(sample, {}, lengths)))
        torch.testing.assert_close(found, wanted)
