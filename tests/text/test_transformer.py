"""The transformer: what it remembers of earlier positions replaces reading them again."""

from __future__ import annotations

import pytest
import torch

from sparring.errors import DataError, TrainingError
from sparring.spaces.point import PointSpace
from sparring_text.networks.transformer import TransformerGenerator
from tests.text.corpora import SENTENCES, batch_of, space_of

SPACE = space_of(length=12)


def transformer(**options: object) -> TransformerGenerator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TransformerGenerator(SPACE, {}, **{"width": 16, "heads": 2, "layers": 3, **options})  # type: ignore[arg-type]


def test_what_is_cached_is_what_reading_everything_again_gives() -> None:
    network, tokens = transformer().eval(), batch_of(SPACE, SENTENCES[:9]).sample
    with torch.no_grad():
        embedded = network.embeddings()[tokens]
        state = network.begin(9)
        for place in range(SPACE.length):
            cached, state = network.step(embedded[:, place], state)
            assert all(part.shape == (9, 2, place + 1, 8) for part in state)
            again = network.read(embedded[:, : place + 1])[:, -1]
            torch.testing.assert_close(cached, again)


def test_a_position_is_a_textbook_block() -> None:
    """One block, written out for one row with loops over heads and positions."""
    network, tokens = transformer(layers=1).eval(), batch_of(SPACE, SENTENCES[:1]).sample[0]
    (block,) = network.blocks
    with torch.no_grad():
        entered = network.embedding.weight[tokens] + network.place
        query, key, value = block.look(block.look_norm(entered)).chunk(3, dim=1)
        found = network.read(network.embeddings()[tokens][None])[0]
        for place in range(SPACE.length):
            heard = []
            for head in (slice(0, 8), slice(8, 16)):
                weights = (key[: place + 1, head] @ query[place, head] / 8**0.5).softmax(0)
                heard.append(weights @ value[: place + 1, head])
            hidden = entered[place] + block.merge(torch.cat(heard))
            hidden = hidden + block.think(block.think_norm(hidden))
            torch.testing.assert_close(found[place], hidden)


def test_weights_are_saved_under_one_name_each() -> None:
    state = transformer().state_dict()
    assert len({value.data_ptr() for value in state.values()}) == len(state)
    assert "never" not in state


def test_mistakes_are_explained() -> None:
    with pytest.raises(DataError, match="text/transformer works on text"):
        TransformerGenerator(PointSpace(), {})
    for options in ({"heads": 3}, {"heads": 0}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="heads divide the width"):
            transformer(**options)
    with pytest.raises(TrainingError, match="12 positions, and was given 13"):
        transformer().log_prob(torch.full((1, 13), 5), {})
    with pytest.raises(TrainingError, match="text/transformer draws its sentences"):
        transformer()(None, {})
