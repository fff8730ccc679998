"""The critic: padding counts nowhere, and penalties can differentiate it twice."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import one_hot, pad

from sparring.errors import DataError, TrainingError
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring_text.networks.cnn import SLOPE, CNNDiscriminator
from tests.text.corpora import SENTENCES, batch_of, space_of

SPACE = space_of(length=10)
LABELLED = {"label": LabelSpace(["one", "two"])}


def cnn(**options: object) -> CNNDiscriminator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CNNDiscriminator(SPACE, **{"conditions": {}, "embedding_dim": 6, "filters": 5, **options})  # type: ignore[arg-type]


def judged(network: CNNDiscriminator, sample: Tensor, lengths: Tensor | None) -> Tensor:
    return network(sample, {}, lengths).logits[0]


def rows_of(tokens: Tensor) -> Tensor:
    return one_hot(tokens, SPACE.vocabulary).float()


@pytest.mark.parametrize("cached", [2**18, 1])
def test_the_logit_is_that_of_a_plain_loop(cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether filters respond in parts, once more where they were strongest, or to all positions at once."""
    monkeypatch.setattr("sparring_text.networks.cnn.CACHED", cached)
    network, batch = cnn(widths=(1, 2, 4)), batch_of(SPACE, SENTENCES[:6])
    assert batch.lengths is not None
    found = judged(network, rows_of(batch.sample), batch.lengths)
    for row, length, logit in zip(batch.sample, batch.lengths.tolist(), found, strict=True):
        embedded = network.embedding.weight[row[:length]] + network.place[:length]
        strongest = []
        for layer in network.convolutions:
            (width,) = layer.kernel_size
            room = torch.cat([embedded, torch.zeros(width, 6)])
            windows = [room[start : start + width].T for start in range(max(length - width, 0) + 1)]
            responses = torch.stack([(layer.weight * window).sum((1, 2)) + layer.bias for window in windows])
            strongest.append(torch.where(responses > 0, responses, SLOPE * responses).amax(0))
        torch.testing.assert_close(logit, network.head(torch.cat(strongest))[0])


def test_tokens_and_their_one_hot_rows_are_judged_alike() -> None:
    network, batch = cnn(), batch_of(SPACE, SENTENCES[:20])
    torch.testing.assert_close(
        judged(network, batch.sample, batch.lengths), judged(network, rows_of(batch.sample), batch.lengths)
    )


@settings(max_examples=50)
@given(lengths=st.lists(st.integers(0, 7), min_size=1, max_size=6), more=st.integers(0, 3), seed=st.integers(0, 2**31))
def test_what_is_past_the_end_changes_nothing(lengths: list[int], more: int, seed: int) -> None:
    network, rng = cnn(), torch.Generator().manual_seed(seed)
    sample = torch.rand(len(lengths), 7, SPACE.vocabulary, generator=rng)
    count = torch.tensor(lengths)
    spoilt = torch.where(
        torch.arange(7)[:, None] < count[:, None, None], sample, torch.rand(sample.shape, generator=rng)
    )
    first, second = judged(network, sample, count), judged(network, pad(spoilt, (0, 0, 0, more), value=3.0), count)
    assert first.isfinite().all()
    torch.testing.assert_close(first, second)


def test_no_gradient_reaches_what_is_past_the_end() -> None:
    network, batch = cnn(), batch_of(SPACE, SENTENCES[:20])
    assert batch.lengths is not None
    rows = rows_of(batch.sample).requires_grad_(True)
    judged(network, rows, batch.lengths).sum().backward()
    assert rows.grad is not None
    past = torch.arange(10) >= batch.lengths[:, None]
    assert not rows.grad[past].any()
    assert rows.grad[~past].any()


def test_sentences_shorter_than_every_width() -> None:
    network = cnn(widths=(7, 12))
    one = judged(network, SPACE.encode("nobody")[None], torch.tensor([2]))
    other = judged(network, SPACE.encode("the cat")[None], torch.tensor([3]))
    assert one.isfinite().all()
    assert one != other


def test_without_lengths_everything_counts() -> None:
    network, batch = cnn(), batch_of(SPACE, SENTENCES[:5])
    full = torch.full((5,), 10)
    torch.testing.assert_close(judged(network, batch.sample, None), judged(network, batch.sample, full))


def test_a_penalty_trains_every_weight_that_multiplies() -> None:
    """Biases and the places' embeddings are added: the gradient's size does not depend on them."""
    network, batch = cnn(), batch_of(SPACE, SENTENCES[:20])
    rows = rows_of(batch.sample).requires_grad_(True)
    (gradient,) = torch.autograd.grad(judged(network, rows, batch.lengths).sum(), rows, create_graph=True)
    gradient.square().sum().backward()
    for name, parameter in network.named_parameters():
        if not name.endswith(("bias", "place")):
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def test_features_are_one_layer_a_width() -> None:
    batch = batch_of(SPACE, SENTENCES[:4])
    (features,) = cnn(widths=(2, 3))(batch.sample, {}, batch.lengths).features
    assert [tuple(layer.shape) for layer in features] == [(4, 5), (4, 5)]


def test_dropout_is_for_training_only() -> None:
    network, batch = cnn(dropout=0.5), batch_of(SPACE, SENTENCES[:5])
    for training, same in ((True, False), (False, True)):
        network.train(training)
        found = [judged(network, batch.sample, batch.lengths) for _ in range(2)]
        assert torch.equal(*found) == same


def test_representations_are_judged_apart_by_the_same_filters() -> None:
    """Each opinion is that of a critic of one representation, which has its share of the embedding's values."""
    network, batch = cnn(representations=3), batch_of(SPACE, SENTENCES[:8])
    critique = network(rows_of(batch.sample), {}, batch.lengths)
    assert critique.logits[0].shape == (8, 3)
    assert [tuple(layer.shape) for layer in critique.features[0]] == [(8, 3, 5)] * 4
    alone = cnn(embedding_dim=2)
    for number in range(3):
        part = slice(2 * number, 2 * number + 2)
        state = network.state_dict()
        state |= {name: state[name][:, part] for name in ("embedding.weight", "place")}
        alone.load_state_dict(state)
        torch.testing.assert_close(judged(alone, batch.sample, batch.lengths), critique.logits[0][:, number])


def test_labels_are_judged_by_projection() -> None:
    """A label adds the product of its embedding with the features, and nothing else."""
    label = torch.arange(8) % 2
    for representations, shape in ((1, (8,)), (3, (8, 3))):
        network, batch = cnn(conditions=LABELLED, representations=representations), batch_of(SPACE, SENTENCES[:8])
        (found,), (features,) = network(batch.sample, {"label": label}, batch.lengths)[:2]
        assert found.shape == shape
        rows = torch.cat(features, -1)
        assert network.label is not None
        chosen = network.label.weight[label]
        fit = rows @ chosen[..., None] if representations > 1 else (rows * chosen).sum(1)
        torch.testing.assert_close(found, network.head(rows).squeeze(-1) + fit.view(shape))


def test_mistakes_are_explained() -> None:
    with pytest.raises(TrainingError, match="10 positions, and was given 11"):
        cnn()(torch.zeros(1, 11, dtype=torch.long), {}, None)
    with pytest.raises(DataError, match="text/cnn works on text"):
        CNNDiscriminator(PointSpace(), {})
    with pytest.raises(ValueError, match="dealt out to 4 representations"):
        cnn(representations=4)
    for options in ({"widths": ()}, {"widths": (0, 2)}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="widths are at least 1"):
            cnn(**options)
