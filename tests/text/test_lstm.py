"""The LSTM: its likelihood, its samples and its relaxed samples agree with one another."""

from __future__ import annotations

import copy
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.spaces.point import PointSpace
from sparring_text.networks.lstm import LSTMGenerator, draw, gumbel
from sparring_text.spaces import TokenSpace, within
from sparring_text.tokens import END, PADDING, START
from tests.text.corpora import SENTENCES, batch_of, lengths_of, space_of

SPACE = space_of(length=8)
TINY = space_of(["a b", "b a", "a", "b"], length=4)
"""Two words, and room for three: every sequence can be counted."""

Relaxation = Literal["straight-through", "soft"]
Feedback = Literal["hard", "soft"]


def rng_at(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lstm(space: TokenSpace = SPACE, *, seed: int = 0, sharp: float = 3.0, **options: object) -> LSTMGenerator:
    """Return an LSTM whose weights are large enough for its choices to differ."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = LSTMGenerator(space, **{"width": 16, "embedding_dim": 8, **options})  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(sharp)
    return network


def plain_log_prob(network: LSTMGenerator, tokens: list[int]) -> list[float]:
    """Score one sequence with the textbook's equations, a token at a time."""
    cell = network.recurrence
    weights = [
        parameter.detach() for parameter in (cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0, cell.bias_hh_l0)
    ]
    hidden = memory = torch.zeros(cell.hidden_size)
    before, found = START, []
    for token in tokens:
        gates = weights[0] @ network.embedding.weight[before] + weights[2] + weights[1] @ hidden + weights[3]
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


@pytest.mark.parametrize("tied", [True, False])
def test_log_prob_equals_a_plain_loop(tied: bool) -> None:
    network, batch = lstm(tied=tied), batch_of(SPACE, SENTENCES[:20])
    assert batch.lengths is not None
    with torch.no_grad():
        found = network.log_prob(batch.sample, {}, batch.lengths)
        for row, length, scores in zip(batch.sample.tolist(), batch.lengths.tolist(), found, strict=True):
            torch.testing.assert_close(scores[:length], torch.tensor(plain_log_prob(network, row[:length])))
            assert not scores[length:].any()


@pytest.mark.parametrize("layers", [1, 2])
def test_a_samples_log_probs_are_those_of_log_prob(layers: int) -> None:
    network = lstm(layers=layers).eval()
    with torch.no_grad():
        for temperature in (0.5, 1.0, 2.0):
            made = network.sample(50, {}, rng=rng_at(0), temperature=temperature)
            assert made.lengths is not None
            again = network.log_prob(made.sample, {}, made.lengths)
            torch.testing.assert_close(made.extras["log_probs"], again)


def test_samples_end_once_and_are_padded() -> None:
    made = lstm().sample(300, {}, rng=rng_at(0))
    assert made.sample.shape == (300, 8)
    assert made.lengths is not None
    counts = within(made.lengths, made.sample)
    assert not made.sample[~counts].any()
    assert not ((made.sample == PADDING) | (made.sample == START))[counts].any()
    ends = made.sample == END
    assert (ends.sum(1) <= 1).all()
    assert (ends.any(1) | (made.lengths == 8)).all()
    assert (ends.int().argmax(1) + 1 == made.lengths)[ends.any(1)].all()
    assert len(made.lengths.unique()) > 3


def every_sequence(network: LSTMGenerator) -> dict[tuple[int, ...], float]:
    """Return the probability of each sequence that a network of the tiny space can write."""
    words = [token for token in range(network.vocabulary) if token not in (PADDING, START, END)]
    open_ones: list[tuple[int, ...]] = [()]
    whole: list[tuple[int, ...]] = []
    for _ in range(network.length):
        whole += [(*one, END) for one in open_ones]
        open_ones = [(*one, word) for one in open_ones for word in words]
    rows = [[*one, *[PADDING] * (network.length - len(one))] for one in whole + open_ones]
    tokens = torch.tensor(rows)
    with torch.no_grad():
        log_probs = network.log_prob(tokens, {}, lengths_of(tokens)).sum(1)
    return {tuple(row): float(value) for row, value in zip(rows, log_probs.exp(), strict=True)}


DRAWS = 20_000


def chi_square(drawn: Tensor, expected: dict[tuple[int, ...], float]) -> tuple[float, int]:
    """Return Pearson's statistic and its degrees of freedom; rare sequences are counted together."""
    counts: dict[tuple[int, ...], int] = {}
    for row in map(tuple, drawn.tolist()):
        counts[row] = counts.get(row, 0) + 1
    assert set(counts) <= set(expected)
    common = [row for row, share in expected.items() if share * len(drawn) >= 10]
    seen = [counts.get(row, 0) for row in common]
    wanted = [expected[row] * len(drawn) for row in common]
    seen.append(len(drawn) - sum(seen))
    wanted.append(max(len(drawn) - sum(wanted), 0.0))
    statistic = sum((one - other) ** 2 / max(other, 1.0) for one, other in zip(seen, wanted, strict=True))
    return statistic, len(common)


@pytest.mark.parametrize("how", ["sample", "relax"])
def test_frequencies_match_the_probabilities(how: str) -> None:
    network = lstm(TINY, sharp=2.0).eval()
    expected = every_sequence(network)
    assert sum(expected.values()) == pytest.approx(1.0, abs=1e-5)
    with torch.no_grad():
        if how == "sample":
            drawn = network.sample(DRAWS, {}, rng=rng_at(3)).sample
        else:
            # The Gumbel-max trick: whatever the temperature, the likeliest tokens are a sample.
            drawn = network.relax(DRAWS, {}, rng=rng_at(3), temperature=0.3).sample.argmax(2)
    statistic, freedom = chi_square(drawn, expected)
    assert freedom > 20
    # Wilson and Hilferty's approximation: 4 standard deviations, one chance in 30,000 for a right sampler.
    scale = 2 / (9 * freedom)
    assert statistic < freedom * (1 - scale + 4 * scale**0.5) ** 3


def test_a_low_temperature_prefers_likely_tokens() -> None:
    network = lstm().eval()
    with torch.no_grad():
        likelihood = [
            float(network.sample(200, {}, rng=rng_at(0), temperature=heat).extras["log_probs"].sum(1).mean())
            for heat in (0.3, 1.0, 3.0)
        ]
        greedy = network.sample(20, {}, rng=rng_at(0), temperature=1e-4).sample
    assert likelihood == sorted(likelihood, reverse=True)
    assert (greedy == greedy[0]).all()


def test_prefixes_and_shorter_samples() -> None:
    network = lstm().eval()
    prefix = SPACE.encode("the cat sees")[:3].expand(30, 3)
    made = network.sample(30, {}, rng=rng_at(0), prefix=prefix, max_length=5)
    assert made.sample.shape == (30, 5)
    assert torch.equal(made.sample[:, :3], prefix)
    assert len({tuple(row) for row in made.sample.tolist()}) > 5
    ended = torch.tensor([[7, END, 5], [7, 5, 6]])
    made = network.sample(2, {}, rng=rng_at(0), prefix=ended)
    assert made.lengths is not None
    assert made.lengths[0] == 2
    assert made.sample[0].tolist() == [7, END, *[PADDING] * 6]
    assert network.sample(2, {}, rng=rng_at(0), max_length=99).sample.shape == (2, 8)
    for wrong in (torch.zeros(3, 2), torch.zeros(2, 9), torch.zeros(2)):
        with pytest.raises(TrainingError, match="a prefix of shape"):
            network.sample(2, {}, rng=rng_at(0), prefix=wrong)


@given(
    probabilities=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=9).filter(any), seed=st.integers(0, 2**31)
)
def test_drawn_tokens_have_a_chance(probabilities: list[float], seed: int) -> None:
    probability = torch.tensor(probabilities)
    probability = (probability / probability.sum()).expand(8, -1)
    uniform = torch.cat([torch.tensor([1.0, 1e-30]), 1 - torch.rand(6, generator=rng_at(seed))])
    drawn = draw(probability, uniform)
    assert (drawn < len(probabilities)).all()
    assert (probability.gather(1, drawn[:, None]) > 0).all()


def test_gumbel_noise_is_finite_and_has_its_mean() -> None:
    noise = gumbel(torch.empty(1000, 1000), rng_at(0))
    assert noise.isfinite().all()
    assert float(noise.mean()) == pytest.approx(0.57722, abs=0.005)
    assert float(noise.var()) == pytest.approx(1.64493, abs=0.01)


@pytest.mark.parametrize("feedback", ["hard", "soft"])
@pytest.mark.parametrize("relaxation", ["straight-through", "soft"])
def test_relaxed_rows(relaxation: Relaxation, feedback: Feedback) -> None:
    network = lstm(relaxation=relaxation, feedback=feedback)
    made = network.relax(100, {}, temperature=0.7, rng=rng_at(0))
    rows = made.sample
    assert made.lengths is not None
    assert rows.shape == (100, 8, SPACE.vocabulary)
    torch.testing.assert_close(rows.sum(2), torch.ones(100, 8))
    counts = within(made.lengths, rows)
    assert counts.logical_not().any()
    assert (rows[~counts] == torch.eye(SPACE.vocabulary)[PADDING]).all()
    assert not rows[counts][:, [PADDING, START]].any()
    ends = rows.argmax(2) == END
    assert ((ends.int().argmax(1) + 1 == made.lengths) | ~ends.any(1)).all()
    one_hot = (rows == 0) | (rows == 1)
    assert one_hot.all() == (relaxation == "straight-through")
    (rows * torch.randn(rows.shape, generator=rng_at(1))).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any(), name


def test_both_relaxations_stand_for_the_same_tokens() -> None:
    made = {}
    for relaxation in ("straight-through", "soft"):
        network = lstm(relaxation=relaxation)
        for training in (True, False):
            network.requires_grad_(training)
            made[relaxation, training] = network.relax(50, {}, temperature=0.7, rng=rng_at(0)).sample.detach()
    assert torch.equal(made["straight-through", True], made["straight-through", False])
    assert torch.equal(made["soft", True], made["soft", False])
    assert torch.equal(made["soft", True].argmax(2), made["straight-through", True].argmax(2))


def test_a_straight_through_gradient_is_that_of_the_softmax() -> None:
    """With hard feedback both relaxations read the same tokens, so that only the rows' values differ."""
    weights = torch.randn(50, 8, SPACE.vocabulary, generator=rng_at(1))
    gradients = []
    for relaxation in ("straight-through", "soft"):
        network = lstm(relaxation=relaxation)
        (network.relax(50, {}, temperature=0.7, rng=rng_at(0)).sample * weights).sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_soft_feedback_tells_the_first_choice_of_the_last_word() -> None:
    for feedback, reaches in (("soft", True), ("hard", False)):
        network = lstm(relaxation="soft", feedback=feedback)
        rows = []
        step = network._step

        def watched(before: Tensor, state: object, step=step, rows=rows) -> object:  # type: ignore[no-untyped-def]
            scores, following = step(before, state)
            scores.requires_grad_(True) if scores.is_leaf else scores.retain_grad()
            rows.append(scores)
            return scores, following

        network._step = watched  # type: ignore[method-assign, assignment]
        made = network.relax(20, {}, temperature=1.0, rng=rng_at(0)).sample
        (made[:, 2] * torch.randn(made[:, 2].shape, generator=rng_at(1))).sum().backward()
        # The first scores act on the third row through what is read next, and through nothing else.
        gradient = rows[0].grad
        assert (gradient is not None and bool(gradient.any())) == reaches


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
        LSTMGenerator(PointSpace())
    with pytest.raises(ValueError, match="dropout is 1"):
        LSTMGenerator(SPACE, dropout=1.0)
    with pytest.raises(TrainingError, match="call sample") as caught:
        lstm()(None, {})
    assert "sample, relax or log_prob" in caught.value.remedy
    for action in ("sample", "relax"):
        with pytest.raises(TrainingError, match=r"temperature of 0\.0"):
            getattr(lstm(), action)(2, {}, rng=rng_at(0), temperature=0.0)
