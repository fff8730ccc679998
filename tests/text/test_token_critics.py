"""Critics of every token look back only, and say nothing of what is past the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import one_hot

from sparring.errors import DataError, TrainingError
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring_text.networks.token_lstm import TokenLSTMDiscriminator
from sparring_text.networks.token_transformer import TokenTransformerDiscriminator
from tests.text.corpora import SENTENCES, batch_of, space_of

SPACE = space_of(length=10)
LABELLED = {"label": LabelSpace(["one", "two"])}
CRITICS: dict[str, tuple[Callable[..., Any], Mapping[str, Any]]] = {
    "lstm": (TokenLSTMDiscriminator, {"width": 12, "embedding_dim": 6, "layers": 2}),
    "transformer": (TokenTransformerDiscriminator, {"width": 12, "heads": 2}),
}
every_critic = pytest.mark.parametrize("name", CRITICS)


def critic(name: str, **options: Any) -> Any:
    target, own = CRITICS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return target(SPACE, **{"conditions": {}, **own, **options}).eval()


def judged(network: Any, sample: Tensor, lengths: Tensor | None, **condition: Tensor) -> Tensor:
    found: Tensor = network(sample, condition, lengths).logits[0]
    return found


def rows_of(tokens: Tensor) -> Tensor:
    return one_hot(tokens, SPACE.vocabulary).float()


@every_critic
def test_tokens_and_their_one_hot_rows_are_judged_alike(name: str) -> None:
    network, batch = critic(name), batch_of(SPACE, SENTENCES[:20])
    found = judged(network, batch.sample, batch.lengths)
    assert found.shape == (20, 10)
    torch.testing.assert_close(found, judged(network, rows_of(batch.sample), batch.lengths))


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(0, 10), min_size=1, max_size=5), place=st.integers(0, 9), seed=st.integers(0, 2**31)
)
@every_critic
def test_an_opinion_looks_back_only(name: str, lengths: list[int], place: int, seed: int) -> None:
    """Whatever follows a token, and wherever the sentence ends, the opinion at the token is the same."""
    network, rng, count = critic(name), torch.Generator().manual_seed(seed), torch.tensor(lengths)
    sample = torch.rand(len(lengths), 10, SPACE.vocabulary, generator=rng)
    changed = torch.cat([sample[:, : place + 1], torch.rand(sample[:, place + 1 :].shape, generator=rng)], dim=1)
    with torch.no_grad():
        first, second = judged(network, sample, count), judged(network, changed, None)
    live = torch.arange(10) < count[:, None]
    assert not first[~live].any()
    upto = live & (torch.arange(10) <= place)
    torch.testing.assert_close(first[upto], second[upto])
    assert first[live].all()


@every_critic
def test_each_opinion_reads_its_own_token(name: str) -> None:
    network, batch = critic(name), batch_of(SPACE, SENTENCES[:20])
    other = torch.where(batch.sample == 4, 5, 4)
    with torch.no_grad():
        one, two = (judged(network, sample, None) for sample in (batch.sample, other))
    assert ((one - two).abs() > 1e-6).all()


@every_critic
def test_gradients_reach_earlier_tokens_alone(name: str) -> None:
    network, batch = critic(name), batch_of(SPACE, SENTENCES[:20])
    assert batch.lengths is not None
    rows = rows_of(batch.sample).requires_grad_(True)
    (gradient,) = torch.autograd.grad(judged(network, rows, batch.lengths)[:, 2].sum(), rows, retain_graph=True)
    assert gradient[:, :3].flatten(2).any(2).all()
    assert not gradient[:, 3:].any()
    # What is past the end is a constant: it trains nothing.
    past = torch.arange(10) >= batch.lengths[:, None]
    logits = judged(network, rows, batch.lengths)
    gradients = torch.autograd.grad(logits[past].sum(), [rows, *network.parameters()], allow_unused=True)
    assert not any(gradient is not None and gradient.any() for gradient in gradients)


@every_critic
def test_features_are_zero_past_the_end(name: str) -> None:
    network, batch = critic(name), batch_of(SPACE, SENTENCES[:20])
    assert batch.lengths is not None
    (features,) = network(batch.sample, {}, batch.lengths).features
    past = torch.arange(10) >= batch.lengths[:, None]
    for layer in features:
        assert layer.shape == (20, 10, 12)
        assert not layer[past].any()
        assert layer[~past].any(1).all()


@every_critic
def test_labels_are_judged_by_projection(name: str) -> None:
    """Two labels' opinions of a token differ by what their embeddings' difference makes of its features."""
    network, batch = critic(name, conditions=LABELLED), batch_of(SPACE, SENTENCES[:6])
    seen: list[Tensor] = []
    network.head.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    one, two = (judged(network, batch.sample, batch.lengths, label=torch.full((6,), label)) for label in (0, 1))
    expected = seen[0] @ (network.label.weight[0] - network.label.weight[1])
    torch.testing.assert_close(one - two, torch.where(one == 0, 0.0, expected))
    with pytest.raises(TrainingError, match="was given no label"):
        judged(network, batch.sample, batch.lengths)


@every_critic
def test_dropout_is_for_training_only(name: str) -> None:
    network, batch = critic(name, dropout=0.5), batch_of(SPACE, SENTENCES[:5])
    for training, same in ((True, False), (False, True)):
        network.train(training)
        assert torch.equal(*[judged(network, batch.sample, batch.lengths) for _ in range(2)]) == same


def test_mistakes_are_explained() -> None:
    with pytest.raises(DataError, match="text/token-lstm works on text"):
        TokenLSTMDiscriminator(PointSpace(), {})
    with pytest.raises(DataError, match="text/token-transformer works on text"):
        TokenTransformerDiscriminator(PointSpace(), {})
    with pytest.raises(ValueError, match="dropout is 1"):
        critic("lstm", dropout=1.0)
    with pytest.raises(TrainingError, match="10 positions, and was given 11"):
        judged(critic("transformer"), torch.zeros(1, 11, dtype=torch.long), None)
