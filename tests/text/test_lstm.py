"""The LSTM: its likelihood is the textbook's, and its weights can be saved."""

from __future__ import annotations

import copy

import pytest
import torch

from sparring.errors import DataError, TrainingError
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring_text.networks.lstm import LSTMGenerator
from sparring_text.spaces import TokenSpace
from sparring_text.tokens import PADDING, START
from tests.text.corpora import SENTENCES, batch_of, space_of

SPACE = space_of(length=8)
LABELLED = {"label": LabelSpace(["one", "two"])}


def lstm(space: TokenSpace = SPACE, *, seed: int = 0, sharp: float = 3.0, **options: object) -> LSTMGenerator:
    """Return an LSTM whose weights are large enough for its choices to differ."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = LSTMGenerator(space, **{"conditions": {}, "width": 16, "embedding_dim": 8, **options})  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(sharp)
    return network


def plain_log_prob(network: LSTMGenerator, tokens: list[int], label: int | None) -> list[float]:
    """Score one sequence with the textbook's equations, a token at a time."""
    cell = network.recurrence
    weights = [
        parameter.detach() for parameter in (cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0, cell.bias_hh_l0)
    ]
    asked = 0.0 if network.label is None or label is None else network.label.weight[label]
    hidden = memory = torch.zeros(cell.hidden_size)
    before, found = START, []
    for token in tokens:
        read = network.embedding.weight[before] + asked
        gates = weights[0] @ read + weights[2] + weights[1] @ hidden + weights[3]
        enter, forget, content, leave = gates.chunk(4)
        memory = forget.sigmoid() * memory + enter.sigmoid() * content.tanh()
        hidden = leave.sigmoid() * memory.tanh()
        scores = network.project.weight @ hidden
        if network.bias is None:
            scores = scores + network.project.bias
        else:
            scores = network.embedding.weight @ scores + network.bias
        scores[[PADDING, START]] = -torch.inf
        found.append(float(scores.log_softmax(0)[token]))
        before = token
    return found


@pytest.mark.parametrize("conditions", [{}, LABELLED], ids=["plain", "labelled"])
@pytest.mark.parametrize("tied", [True, False])
def test_log_prob_equals_a_plain_loop(tied: bool, conditions: dict[str, LabelSpace]) -> None:
    network, batch = lstm(tied=tied, conditions=conditions), batch_of(SPACE, SENTENCES[:20])
    assert batch.lengths is not None
    label = torch.arange(20) % 2
    with torch.no_grad():
        found = network.log_prob(batch.sample, {"label": label}, batch.lengths)
        for row, length, scores, asked in zip(
            batch.sample.tolist(), batch.lengths.tolist(), found, label.tolist(), strict=True
        ):
            torch.testing.assert_close(scores[:length], torch.tensor(plain_log_prob(network, row[:length], asked)))
            assert not scores[length:].any()


def test_dropout_is_for_training_only() -> None:
    network, batch = lstm(dropout=0.5, layers=2), batch_of(SPACE, SENTENCES[:5])
    for training, same in ((True, False), (False, True)):
        network.train(training)
        torch.manual_seed(0)
        found = [network.log_prob(batch.sample, {}, batch.lengths) for _ in range(2)]
        assert torch.equal(*found) == same


def test_weights_are_saved_under_one_name_each() -> None:
    network = lstm(tied=True)
    addresses = [value.data_ptr() for value in network.state_dict().values()]
    assert len(addresses) == len(set(addresses))
    assert "never" not in network.state_dict()
    assert copy.deepcopy(network).never.equal(network.never)


def test_mistakes_are_explained() -> None:
    with pytest.raises(DataError, match="text/lstm works on text"):
        LSTMGenerator(PointSpace(), {})
    with pytest.raises(DataError, match="the data carry the condition 'speaker'"):
        LSTMGenerator(SPACE, {"speaker": LABELLED["label"]})
    with pytest.raises(ValueError, match="dropout is 1"):
        LSTMGenerator(SPACE, {}, dropout=1.0)
    with pytest.raises(TrainingError, match="call sample") as caught:
        lstm()(None, {})
    assert "sample, relax or log_prob" in caught.value.remedy
    with pytest.raises(TrainingError, match="was given no label"):
        lstm(conditions=LABELLED).sample(2, {}, rng=torch.Generator())
