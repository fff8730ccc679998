"""Networks that write token by token: likelihood, samples and relaxed samples agree with one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sparring.errors import TrainingError
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_text.networks import autoregressive
from sparring_text.networks.autoregressive import Autoregressive, Feedback, Relaxation, draw, gumbel
from sparring_text.networks.causal_lm import CausalLMGenerator
from sparring_text.networks.lstm import LSTMGenerator
from sparring_text.networks.relational_memory import RelationalMemoryGenerator
from sparring_text.networks.transformer import TransformerGenerator
from sparring_text.spaces import TokenSpace, within
from sparring_text.tokens import END, PADDING, START
from tests.text.corpora import SENTENCES, batch_of, lengths_of, space_of
from tests.text.pretrained_models import write_model_of

SPACE = space_of(length=8)
TINY = space_of(["a b", "b a", "a", "b"], length=4)
"""Two words, and room for three: every sequence can be counted."""
LABELLED = {"label": LabelSpace(["one", "two"])}

FILES = TemporaryDirectory()  # removed when the process ends


def causal_lm(space: TokenSpace, conditions: Mapping[str, Space], *, kind: str, **options: Any) -> CausalLMGenerator:
    """Return a tiny model with random weights; what is to be 0 before training is not."""
    folder = Path(FILES.name) / f"{kind}-{space.vocabulary}"
    source = str(folder) if folder.exists() else write_model_of(space, folder, kind)
    network = CausalLMGenerator(space, conditions, source, **options)
    for name, value in network.named_parameters():
        if name.startswith("label"):
            nn.init.normal_(value, std=0.5)
    return network


GENERATORS: dict[str, tuple[Callable[..., Any], float, Mapping[str, Any]]] = {
    "lstm": (LSTMGenerator, 2.5, {"width": 16, "embedding_dim": 8}),
    "lstm, two layers": (LSTMGenerator, 2.5, {"width": 16, "embedding_dim": 8, "layers": 2, "tied": False}),
    "memory": (RelationalMemoryGenerator, 2.0, {"slots": 2, "heads": 2, "head_size": 6, "embedding_dim": 8}),
    "memory, tied": (RelationalMemoryGenerator, 1.2, {"heads": 2, "head_size": 8, "embedding_dim": 8, "tied": True}),
    "transformer": (TransformerGenerator, 1.2, {"width": 16, "heads": 2, "layers": 2}),
    "gpt2": (causal_lm, 1.0, {"kind": "GPT2"}),
    "llama": (causal_lm, 1.0, {"kind": "Llama"}),
}
every_generator = pytest.mark.parametrize("name", GENERATORS)


def rng_at(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generator(name: str, space: TokenSpace = SPACE, **options: Any) -> Any:
    """Return a network whose weights are large enough for its choices to differ."""
    target, sharp, own = GENERATORS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = target(space, **{"conditions": {}, **own, **options})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(sharp)
    return network


# ---- likelihood and samples ----


@every_generator
def test_a_samples_log_probs_are_those_of_log_prob(name: str) -> None:
    """One reads a token at a time and remembers, the other reads whole sequences: what is remembered loses nothing."""
    for conditions in ({}, LABELLED):
        network, condition = generator(name, conditions=conditions).eval(), {"label": torch.arange(50) % 2}
        with torch.no_grad():
            for temperature in (0.5, 1.0, 2.0):
                made = network.sample(50, condition, rng=rng_at(0), temperature=temperature)
                again = network.log_prob(made.sample, condition, made.lengths)
                torch.testing.assert_close(made.extras["log_probs"], again, atol=1e-4, rtol=1e-4)


@every_generator
def test_samples_end_once_and_are_padded(name: str) -> None:
    with torch.no_grad():
        made = generator(name).sample(300, {}, rng=rng_at(0))
    assert made.sample.shape == (300, 8)
    counts = within(made.lengths, made.sample)
    assert not made.sample[~counts].any()
    assert not ((made.sample == PADDING) | (made.sample == START))[counts].any()
    ends = made.sample == END
    assert (ends.sum(1) <= 1).all()
    assert (ends.any(1) | (made.lengths == 8)).all()
    assert (ends.int().argmax(1) + 1 == made.lengths)[ends.any(1)].all()
    assert len(made.lengths.unique()) > 3


def every_sequence(network: Any, condition: int) -> dict[tuple[int, ...], float]:
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
        label = {"label": torch.full((len(rows),), condition)}
        log_probs = network.log_prob(tokens, label, lengths_of(tokens)).sum(1)
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


@every_generator
@pytest.mark.parametrize("how", ["sample", "relax"])
def test_frequencies_match_the_probabilities(name: str, how: str) -> None:
    network = generator(name, TINY, conditions=LABELLED).eval()
    expected = every_sequence(network, 1)
    assert sum(expected.values()) == pytest.approx(1.0, abs=1e-5)
    assert max(abs(expected[row] - share) for row, share in every_sequence(network, 0).items()) > 1e-3
    condition = {"label": torch.ones(DRAWS, dtype=torch.long)}
    with torch.no_grad():
        if how == "sample":
            drawn = network.sample(DRAWS, condition, rng=rng_at(3)).sample
        else:
            # The Gumbel-max trick: whatever the temperature, the likeliest tokens are a sample.
            drawn = network.relax(DRAWS, condition, rng=rng_at(3), temperature=0.3).sample.argmax(2)
    statistic, freedom = chi_square(drawn, expected)
    assert freedom > 20
    # Wilson and Hilferty's approximation: 4 standard deviations, one chance in 30,000 for a right sampler.
    scale = 2 / (9 * freedom)
    assert statistic < freedom * (1 - scale + 4 * scale**0.5) ** 3


@every_generator
def test_a_low_temperature_prefers_likely_tokens(name: str) -> None:
    network = generator(name).eval()
    with torch.no_grad():
        likelihood = [
            float(network.sample(200, {}, rng=rng_at(0), temperature=heat).extras["log_probs"].sum(1).mean())
            for heat in (0.3, 1.0, 3.0)
        ]
        greedy = network.sample(20, {}, rng=rng_at(0), temperature=1e-4).sample
    assert likelihood == sorted(likelihood, reverse=True)
    assert (greedy == greedy[0]).all()


@every_generator
def test_prefixes_and_shorter_samples(name: str) -> None:
    network = generator(name).eval()
    prefix = SPACE.encode("the cat sees")[:3].expand(30, 3)
    made = network.sample(30, {}, rng=rng_at(0), prefix=prefix, max_length=5)
    assert made.sample.shape == (30, 5)
    assert torch.equal(made.sample[:, :3], prefix)
    assert len({tuple(row) for row in made.sample.tolist()}) > 5
    ended = torch.tensor([[7, END, 5], [7, 5, 6]])
    made = network.sample(2, {}, rng=rng_at(0), prefix=ended)
    assert made.lengths[0] == 2
    assert made.sample[0].tolist() == [7, END, *[PADDING] * 6]
    assert network.sample(2, {}, rng=rng_at(0), max_length=99).sample.shape == (2, 8)
    for wrong in (torch.zeros(3, 2), torch.zeros(2, 9), torch.zeros(2)):
        with pytest.raises(TrainingError, match="a prefix of shape"):
            network.sample(2, {}, rng=rng_at(0), prefix=wrong)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_drawing_in_parts_draws_the_same(temperature: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are drawn a few at a time where a processor's cache holds no more: the same words."""
    network, prefix = generator("lstm").eval(), torch.full((50, 1), 7)
    made = []
    for cached in (2**19, 3 * SPACE.vocabulary, 1):
        monkeypatch.setattr(autoregressive, "CACHED", cached)
        with torch.no_grad():
            made.append(network.sample(50, {}, rng=rng_at(0), prefix=prefix, temperature=temperature))
    for other in made[1:]:
        assert torch.equal(other.sample, made[0].sample)
        torch.testing.assert_close(other.extras["log_probs"], made[0].extras["log_probs"])


def test_temperatures_are_above_zero() -> None:
    for action in ("sample", "relax"):
        with pytest.raises(TrainingError, match=r"temperature of 0\.0"):
            getattr(generator("lstm"), action)(2, {}, rng=rng_at(0), temperature=0.0)


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


# ---- relaxed samples ----


@every_generator
@pytest.mark.parametrize("feedback", ["hard", "straight-through", "soft"])
@pytest.mark.parametrize("relaxation", ["straight-through", "soft"])
def test_relaxed_rows(name: str, relaxation: Relaxation, feedback: Feedback) -> None:
    network = generator(name, relaxation=relaxation, feedback=feedback, conditions=LABELLED)
    made = network.relax(100, {"label": torch.arange(100) % 2}, temperature=0.7, rng=rng_at(0))
    rows = made.sample
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
    for part, parameter in network.named_parameters():
        assert parameter.grad is not None, part
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any(), part


@every_generator
def test_both_relaxations_stand_for_the_same_tokens(name: str) -> None:
    made = {}
    for relaxation in ("straight-through", "soft"):
        network = generator(name, relaxation=relaxation)
        for training in (True, False):
            network.requires_grad_(training)
            made[relaxation, training] = network.relax(50, {}, temperature=0.7, rng=rng_at(0)).sample.detach()
    assert torch.equal(made["straight-through", True], made["straight-through", False])
    assert torch.equal(made["soft", True], made["soft", False])
    assert torch.equal(made["soft", True].argmax(2), made["straight-through", True].argmax(2))


@pytest.mark.parametrize("feedback", ["hard", "straight-through"])
@every_generator
def test_a_straight_through_gradient_is_that_of_the_softmax(name: str, feedback: Feedback) -> None:
    """With these both relaxations read the same tokens, so that only the rows' values differ."""
    weights = torch.randn(50, 8, SPACE.vocabulary, generator=rng_at(1))
    gradients = []
    for relaxation in ("straight-through", "soft"):
        network = generator(name, relaxation=relaxation, feedback=feedback)
        (network.relax(50, {}, temperature=0.7, rng=rng_at(0)).sample * weights).sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@every_generator
def test_straight_through_feedback_reads_what_hard_feedback_reads(name: str) -> None:
    with torch.no_grad():
        hard, through = (
            generator(name, feedback=feedback).eval().relax(50, {}, temperature=0.7, rng=rng_at(0)).sample
            for feedback in ("hard", "straight-through")
        )
    assert torch.equal(hard, through)


def watched(network: Autoregressive) -> list[Tensor]:
    """Return a list that fills with the scores of each step, whose gradients are kept."""
    seen: list[Tensor] = []
    score = network.score

    def watching(hidden: Tensor) -> Tensor:
        scores = score(hidden)
        scores.retain_grad()
        seen.append(scores)
        return scores

    network.score = watching  # type: ignore[method-assign]
    return seen


@pytest.mark.parametrize("relaxation", ["straight-through", "soft"])
@every_generator
def test_feedback_tells_the_first_choice_of_the_last_word(name: str, relaxation: Relaxation) -> None:
    feedbacks: tuple[tuple[Feedback, bool], ...] = (("soft", True), ("straight-through", True), ("hard", False))
    for feedback, reaches in feedbacks:
        network = generator(name, relaxation=relaxation, feedback=feedback)
        scores = watched(network)
        made = network.relax(20, {}, temperature=1.0, rng=rng_at(0)).sample
        (made[:, 2] * torch.randn(made[:, 2].shape, generator=rng_at(1))).sum().backward()
        # The first scores act on the third row through what is read next, and through nothing else.
        gradient = scores[0].grad
        assert (gradient is not None and bool(gradient.any())) == reaches


@every_generator
def test_the_softmax_gradient_of_feedback_is_right(name: str) -> None:
    """With soft rows and soft feedback nothing is hard but where sentences end: finite differences agree."""
    network = generator(name, relaxation="soft", feedback="soft").double().eval()
    weights = torch.randn(4, 8, SPACE.vocabulary, generator=rng_at(1)).double()
    parameter = next(value for value in network.parameters() if value.dim() == 2)

    def value() -> Tensor:
        made: Tensor = network.relax(4, {}, temperature=1.0, rng=rng_at(0)).sample
        return (made * weights).sum()

    value().backward()
    assert parameter.grad is not None
    place = divmod(int(parameter.grad.abs().argmax()), parameter.shape[1])
    with torch.no_grad():
        found = []
        for shift in (1e-4, -2e-4):
            parameter[place] += shift
            found.append(float(value()))
    assert float(parameter.grad[place]) == pytest.approx((found[0] - found[1]) / 2e-4, rel=3e-3)


@every_generator
def test_labels_change_what_is_written(name: str) -> None:
    network, batch = generator(name, conditions=LABELLED).eval(), batch_of(SPACE, SENTENCES[:6])
    with torch.no_grad():
        one, other = (
            network.log_prob(batch.sample, {"label": torch.full((6,), label)}, batch.lengths) for label in (0, 1)
        )
    assert (one - other).abs().max() > 1e-3
    with pytest.raises(TrainingError, match="was given no label"):
        network.relax(6, {}, temperature=1.0, rng=rng_at(0))
