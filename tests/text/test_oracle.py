"""The oracle: its samples follow its likelihood, and the metrics agree with what must come out."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import pytest
import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch, Condition
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.interfaces.metric import Metric
from sparring.recipes.schema import Evaluate
from sparring.training.evaluation import evaluate
from sparring_text.data.oracle import FIRST, IMPOSSIBLE, Oracle, OracleLSTM, per_token
from sparring_text.metrics.oracle_nll import OracleNLL
from sparring_text.metrics.temperature_frontier import TemperatureFrontier, frontier, tempered_log_prob
from sparring_text.tokens import END, PADDING, START, UNKNOWN
from tests.text.corpora import everything, lstm, small, write

torch.set_num_threads(1)
CPU = torch.device("cpu")


def small_oracle(**options: Any) -> Oracle:
    return Oracle(**{"vocabulary": 30, "length": 6, "count": 50, "held_out_count": 400, **options})


class Itself(SequenceGenerator):
    """The oracle as a generator: it can only be perfect."""

    def __init__(self, oracle: OracleLSTM, length: int) -> None:
        super().__init__()
        self.oracle, self.length = oracle, length

    def forward(self, latent: Tensor | None, condition: Condition) -> NoReturn:
        raise NotImplementedError

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return self.oracle.log_prob(tokens)

    def log_distribution(self, tokens: Tensor, condition: Condition) -> Tensor:
        special = torch.full((*tokens.shape, FIRST), -1e9)
        return torch.cat([special, self.oracle.distribution(tokens)], dim=2)

    def sample(
        self,
        n: int,
        condition: Condition,
        *,
        rng: torch.Generator,
        prefix: Tensor | None = None,
        max_length: int | None = None,
        temperature: float = 1.0,
    ) -> Generated:
        tokens = self.oracle.sample(n, self.length, rng=rng, temperature=temperature)
        return Generated(tokens, torch.full((n,), self.length))

    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        raise NotImplementedError


class Uniform(Itself):
    """Every word is as likely as any other, at every temperature."""

    def log_distribution(self, tokens: Tensor, condition: Condition) -> Tensor:
        even = torch.full((*tokens.shape, FIRST + self.oracle.vocabulary), -math.log(self.oracle.vocabulary))
        even[..., :FIRST] = -1e9
        return even

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        return torch.full(tokens.shape, -math.log(self.oracle.vocabulary))


def score(metric: Metric, data: Oracle, generator: SequenceGenerator, fake: Tensor | None = None) -> dict[str, float]:
    held_out = everything(data.split("test"))
    if fake is None:
        fake = generator.sample(len(held_out), {}, rng=torch.Generator().manual_seed(5)).sample
    metric.reset()
    metric.examine(generator)
    metric.update(held_out, Batch(fake))
    return metric.compute()


# ---- the oracle ----


def test_likelihood_is_that_of_an_lstm_of_torch() -> None:
    oracle = OracleLSTM(30, seed=3)
    tokens = oracle.sample(8, 5, rng=torch.Generator().manual_seed(0))
    peer = torch.nn.LSTM(32, 32, batch_first=True)
    with torch.no_grad():
        peer.weight_ih_l0.copy_(oracle.recurrence[:32].T)
        peer.weight_hh_l0.copy_(oracle.recurrence[32:].T)
        peer.bias_ih_l0.copy_(oracle.gates)
        peer.bias_hh_l0.zero_()
        before = torch.cat([torch.zeros(8, 1, dtype=torch.long), tokens[:, :-1] - FIRST + 1], dim=1)
        hidden, _ = peer(oracle.embedding[before])
        expected = (hidden @ oracle.output + oracle.bias).log_softmax(2)
    assert torch.allclose(oracle.distribution(tokens), expected, atol=1e-4)
    chosen = expected.gather(2, (tokens - FIRST)[..., None]).squeeze(2)
    assert torch.allclose(oracle.log_prob(tokens), chosen, atol=1e-4)


@pytest.mark.parametrize("vocabulary", [2, 63, 64, 65, 200])
@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_words_are_drawn_as_often_as_they_are_likely(vocabulary: int, temperature: float) -> None:
    """First and second words; the tolerance is five standard errors of a share."""
    oracle, count = OracleLSTM(vocabulary, seed=1), 20_000
    drawn = oracle.sample(count, 2, rng=torch.Generator().manual_seed(0), temperature=temperature)
    assert int(drawn.min()) >= FIRST
    assert int(drawn.max()) < FIRST + vocabulary
    logs = oracle.distribution(drawn) / temperature
    expected = logs.softmax(2).mean(0)
    for place in (0, 1):
        share = (drawn[:, place] - FIRST).bincount(minlength=vocabulary) / count
        error = (expected[place] * (1 - expected[place]) / count).sqrt()
        assert bool(((share - expected[place]).abs() <= 5 * error + 1e-4).all())


def test_probabilities_of_all_sequences_sum_to_one() -> None:
    oracle = OracleLSTM(5, seed=0)
    every = torch.cartesian_prod(*[torch.arange(FIRST, FIRST + 5)] * 3)
    assert float(oracle.log_prob(every).sum(1).exp().sum()) == pytest.approx(1.0, abs=1e-5)
    entropy = float(-(oracle.log_prob(every).sum(1).exp() * oracle.log_prob(every).mean(1)).sum())
    estimate = small_oracle(vocabulary=5, length=3, held_out_count=4000).entropy
    assert estimate.mean == pytest.approx(entropy, abs=1.5 * estimate.interval)
    assert 0 < estimate.interval < 0.1


def test_the_entropy_of_the_papers_oracle_is_near_what_others_measured() -> None:
    """LSTMs of 5,000 words with N(0, 1) weights were measured between 5.75 and 6.00 nats at a length of 20."""
    entropy = Oracle(count=1, held_out_count=400).entropy
    assert 5.7 < entropy.mean < 6.1


def test_sequences_have_one_length_and_only_words() -> None:
    data = small_oracle()
    batch = everything(data)
    assert batch.lengths is not None
    assert batch.lengths.unique().tolist() == [6]
    assert not torch.isin(batch.sample, torch.tensor([PADDING, START, END, UNKNOWN])).any()
    assert (len(data), len(data.split("test"))) == (50, 400)
    text = data.space.decode(batch.sample[0])
    assert [int(word) + FIRST for word in text.split()] == batch.sample[0].tolist()
    assert torch.equal(data.space.encode(text), batch.sample[0])
    for wrong in ("1 2 3", "1 2 3 4 5 6 7", "1 2 3 4 5 zebra"):
        with pytest.raises(DataError):
            data.space.encode(wrong)


def test_seeds_and_counts() -> None:
    same, more, other = small_oracle(), small_oracle(count=60, held_out_count=7), small_oracle(seed=1)
    first = everything(small_oracle()).sample
    assert torch.equal(first, everything(same).sample)
    assert torch.equal(everything(more.split("test")).sample, everything(same.split("test")).sample[:7])
    assert not torch.equal(first, everything(other).sample)
    for options in ({"vocabulary": 1}, {"count": 0}, {"held_out_count": 1}, {"length": 1}):
        with pytest.raises(DataError) as caught:
            small_oracle(**options)
        assert caught.value.remedy


def test_a_generator_writes_full_sequences_without_special_tokens() -> None:
    data = small_oracle()
    made = lstm(data.space).sample(200, {}, rng=torch.Generator().manual_seed(0))
    assert made.lengths is not None
    assert made.lengths.unique().tolist() == [6]
    assert int(made.sample.min()) >= FIRST


# ---- the metrics ----


def test_the_oracle_itself_has_no_gap() -> None:
    data = small_oracle(held_out_count=3000)
    found = score(OracleNLL(data), data, Itself(data.oracle, 6))
    assert found["nll_test_gap"] == pytest.approx(0.0, abs=1e-6)
    assert found["nll_oracle_gap"] == pytest.approx(0.0, abs=3 * found["nll_oracle_interval"])
    assert found["nll_gap"] == pytest.approx(found["nll_oracle_gap"] + found["nll_test_gap"])
    assert found["oracle_entropy"] == pytest.approx(data.entropy.mean, abs=1e-5)
    assert next(iter(found)) == "nll_gap"


def test_a_uniform_generator_costs_the_logarithm_of_the_vocabulary() -> None:
    data = small_oracle()
    uniform = Uniform(data.oracle, 6)
    found = score(OracleNLL(data), data, uniform, torch.randint(FIRST, FIRST + 30, (400, 6)))
    assert found["nll_test"] == pytest.approx(math.log(30))
    assert found["nll_test_interval"] == pytest.approx(0, abs=1e-6)
    assert found["nll_oracle_gap"] > 0
    tested = tempered_log_prob(uniform, everything(data).sample, [0.3, 1.0, 4.0])
    assert all(torch.allclose(rows, torch.tensor(-math.log(30)), atol=1e-4) for rows in tested)


def test_one_sequence_repeated_has_a_good_likelihood_and_cannot_hide() -> None:
    """What the pair is for: the likeliest sequence alone lowers nll_oracle, and the other side tells."""
    data = small_oracle()
    held_out = everything(data.split("test")).sample
    best = held_out[data.oracle.log_prob(held_out).sum(1).argmax()].repeat(400, 1)
    found = score(OracleNLL(data), data, Uniform(data.oracle, 6), best)
    assert found["nll_oracle_gap"] < 0
    assert found["nll_test_gap"] > -found["nll_oracle_gap"]


def test_ending_early_never_pays() -> None:
    data = small_oracle()
    whole = everything(data.split("test")).sample
    generator = Itself(data.oracle, 6)
    fair = score(OracleNLL(data), data, generator, whole)["nll_oracle"]
    ended = whole.clone()
    ended[:, 3], ended[:, 4:] = END, PADDING
    for early in (ended, whole[:, :3]):
        found = score(OracleNLL(data), data, generator, early)["nll_oracle"]
        assert found == pytest.approx((3 * fair - 3 * IMPOSSIBLE) / 6, rel=0.1)
    assert math.isfinite(IMPOSSIBLE)


def test_the_oracles_frontier_touches_its_entropy_at_temperature_one() -> None:
    data = small_oracle(held_out_count=3000)
    found = score(TemperatureFrontier(data, [0.5, 1.0, 2.0]), data, Itself(data.oracle, 6))
    entropy = found["oracle_entropy"]
    assert found["nll_test_at_1"] == pytest.approx(entropy, abs=1e-5)
    assert found["nll_oracle_at_1"] == pytest.approx(entropy, abs=0.05)
    # Colder: better by the oracle, worse by what it has lost. Hotter: worse by both.
    assert found["nll_oracle_at_0.5"] < entropy < found["nll_test_at_0.5"]
    assert min(found["nll_oracle_at_2"], found["nll_test_at_2"]) > entropy
    assert found["frontier_gap"] <= found["nll_oracle_at_1"] + found["nll_test_at_1"] - 2 * entropy
    assert found["best_temperature"] in (0.5, 1.0)


def test_tempered_likelihood_is_that_of_the_tempered_distribution() -> None:
    data = small_oracle()
    torch.manual_seed(0)
    generator = lstm(data.space).eval()
    tokens = everything(data).sample
    at_one, at_half = tempered_log_prob(generator, tokens, [1.0, 0.5])
    with torch.no_grad():
        assert torch.allclose(at_one, generator.log_prob(tokens, {}), atol=1e-5)
        squared = generator.log_distribution(tokens, {}).exp().square()
    share = squared.gather(2, tokens[..., None]).squeeze(2) / squared.sum(2)
    assert torch.allclose(at_half.exp(), share, atol=1e-6)


def test_the_frontier_is_the_same_for_the_same_seed() -> None:
    data = small_oracle()
    held_out = everything(data.split("test")).sample
    generator = Itself(data.oracle, 6)
    first, again, other = (frontier(generator, data, held_out, [0.7], 300, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first[0].nll_oracle != other[0].nll_oracle
    assert first[0].nll_test == other[0].nll_test
    with pytest.raises(ValueError, match="above 0"):
        TemperatureFrontier(data, [1.0, 0.0])


def test_an_evaluation_shows_metrics_the_generator() -> None:
    data = small_oracle()
    spec = Evaluate(count=300, every=1, metrics=[{"use": "text/oracle-nll"}])  # type: ignore[list-item]
    generator = lstm(data.space, dropout=0.5).train()
    metrics: list[Metric] = [OracleNLL(data), TemperatureFrontier(data, [1.0])]
    found, again = (evaluate(generator, data.split("test"), spec, metrics, 0, CPU) for _ in range(2))
    assert found == again
    assert generator.training
    assert found.better == {"nll_gap": "lower", "frontier_gap": "lower"}
    # Dropout is off, and both draw as many sequences of one distribution.
    assert found.values["nll_test_at_1"] == pytest.approx(found.values["nll_test"], abs=1e-5)
    assert found.values["nll_oracle_at_1"] == pytest.approx(found.values["nll_oracle"], abs=0.4)


def test_what_does_not_fit_is_refused(tmp_path: Any) -> None:
    data = small_oracle()
    text = small(write(tmp_path / "text"))
    for kind in (OracleNLL, TemperatureFrontier):
        with pytest.raises(DataError, match="true likelihood is known, not Lines"):
            kind(text)
        metric = kind(data)
        with pytest.raises(TrainingError, match="a Linear has none"):
            metric.examine(torch.nn.Linear(1, 1))
        metric.examine(Itself(data.oracle, 6))
        with pytest.raises(DataError):
            metric.compute()

    class Short(Itself):
        log_distribution = SequenceGenerator.log_distribution

    with pytest.raises(TrainingError, match="chosen tokens alone"):
        score(TemperatureFrontier(data), data, Short(data.oracle, 6))


def test_intervals() -> None:
    """Rows of −1 and −3: a mean of 2, a deviation of √(4/3), four rows."""
    rows = torch.tensor([[-1.0, -1.0], [-3.0, -3.0], [-1.0, -1.0], [-3.0, -3.0]])
    mean, interval = per_token(rows)
    assert mean == pytest.approx(2.0)
    assert interval == pytest.approx(1.96 * math.sqrt(4 / 3) / 2)
