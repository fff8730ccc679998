"""Imitation, then a relaxed adversarial game, then a reward: one sequence generator, three objectives of core."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, softmax

import sparring
from sparring import Batch, Condition, Discriminator, Generated, Plugin, SequenceGenerator, Space, hookimpl
from sparring.data.memory import MemoryData
from sparring.training.run import Run
from sparring.training.stage import Stage
from tests.core.proofs.parts import (
    AtEnd,
    AtStart,
    Weights,
    adam,
    assert_same_run,
    recipe,
    roles,
    train_through_a_kill,
)

plugin = Plugin("toy")

END, ONE, TWO, SIZE = 0, 1, 2, 4
"""The language: "one two" up to three times, then the end. Token 3 occurs in no sentence."""

LENGTH = 8


@plugin.space("tokens")
class Tokens(Space):
    """Sentences of up to ``length`` tokens, padded with the end token."""

    def __init__(self, length: int = LENGTH) -> None:
        self.length, self.shape = length, (length,)

    def encode(self, raw: Any) -> Tensor:
        return torch.tensor([int(word) for word in raw.split()])

    def decode(self, sample: Tensor) -> str:
        return " ".join(str(int(token)) for token in sample)

    def save(self, samples: Tensor, folder: Path) -> list[Path]:
        raise NotImplementedError

    def preview(self, samples: Tensor) -> str:
        return "\n".join(self.decode(sample) for sample in samples)


@plugin.data("sentences")
class Sentences(MemoryData):
    """Sentences of 3, 5 and 7 tokens, the end among them: short ones are common, long ones rare."""

    def __init__(self, count: int = 240) -> None:
        repeats = torch.tensor([1, 1, 1, 2, 2, 3]).repeat(count // 6)
        place = torch.arange(LENGTH)
        tokens = torch.where(place % 2 == 0, ONE, TWO) * (place < 2 * repeats[:, None])
        super().__init__(Tokens(), tokens, lengths=2 * repeats + 1)


@plugin.reward("long")
class Long:
    """What a grammatical sentence's length is worth, in [0, 1]; nothing for any other."""

    def __call__(self, samples: Batch, reference: Batch | None) -> Tensor:
        assert samples.lengths is not None
        words = samples.lengths - 1
        place = torch.arange(samples.sample.shape[1])
        wanted = torch.where(place % 2 == 0, ONE, TWO) * (place < words[:, None])
        ends = (samples.sample[torch.arange(len(words)), words] == END) & (words % 2 == 0)
        return (ends & (samples.sample == wanted).all(1)) * words / (LENGTH - 2)


@plugin.generator("gru")
class Recurrent(SequenceGenerator):
    """A GRU of a few units; every token, also a relaxed one, is a row over the vocabulary."""

    def __init__(self, space: Space, width: int = 12) -> None:
        super().__init__()
        self.length, self.width = space.shape[0], width
        self.cell, self.out = nn.GRUCell(SIZE, width), nn.Linear(width, SIZE)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        raise NotImplementedError("sequences are sampled or relaxed")

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        rows = one_hot(tokens.long(), SIZE).float()
        state, found = self._start(len(tokens)), []
        for place in range(tokens.shape[1]):
            found.append(self.out(state).log_softmax(1).gather(1, tokens[:, place, None].long()))
            state = self.cell(rows[:, place], state)
        log_probs = torch.cat(found, dim=1)
        return log_probs if lengths is None else log_probs * counted(tokens, lengths)

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
        state, tokens = self._start(n), []
        for _ in range(max_length or self.length):
            chosen = torch.multinomial(softmax(self.out(state) / temperature, 1), 1, generator=rng)
            state = self.cell(one_hot(chosen[:, 0], SIZE).float(), state)
            tokens.append(chosen)
        drawn = torch.cat(tokens, dim=1)
        lengths = length_of(drawn == END)
        drawn = drawn * counted(drawn, lengths)
        return Generated(drawn, lengths, {"log_probs": self.log_prob(drawn, condition, lengths)})

    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        state, rows = self._start(n), []
        for _ in range(self.length):
            uniform = torch.rand(n, SIZE, generator=rng).clamp_min(1e-9)
            rows.append(softmax((self.out(state) - (-uniform.log()).log()) / temperature, 1))
            state = self.cell(rows[-1], state)
        drawn = torch.stack(rows, dim=1)
        lengths = length_of(drawn.detach().argmax(2) == END)
        padding = one_hot(torch.tensor(END), SIZE).to(drawn)
        return Generated(torch.where(counted(drawn, lengths)[..., None], drawn, padding), lengths)

    def _start(self, n: int) -> Tensor:
        return self.out.weight.new_zeros(n, self.width)


def counted(sequences: Tensor, lengths: Tensor) -> Tensor:
    """Return which positions count, ``(B, T)``."""
    return torch.arange(sequences.shape[1]) < lengths[:, None]


def length_of(ends: Tensor) -> Tensor:
    """Return each row's length, its first end included, or all of it where it never ends."""
    return torch.where(ends.any(1), ends.int().argmax(1) + 1, ends.shape[1])


@plugin.discriminator("windows")
class Windows(Discriminator):
    """Looks at neighbouring words and pools over what counts."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.look, self.judge = nn.Conv1d(SIZE, width, 3, padding=1), nn.Linear(width, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        assert lengths is not None
        sample = sample if sample.is_floating_point() else one_hot(sample, SIZE).float()
        mask = counted(sample, lengths)[..., None].to(sample)
        found = self.look((sample * mask).transpose(1, 2)).transpose(1, 2).relu() * mask
        opinion: Tensor = self.judge(found.sum(1) / lengths[:, None]).squeeze(1)
        return opinion


PLUGINS = [Path(__file__)]
STAGES: list[dict[str, Any]] = [
    {
        "name": "imitate",
        "objective": {"use": "likelihood"},
        "steps": 50,
        "batch": 32,
        "optimizers": {"generator": adam(0.02, betas=(0.9, 0.99))},
    },
    {
        "name": "contend",
        "objective": {"use": "adversarial", "loss": "relativistic"},
        "terms": [{"use": "r1", "weight": 0.1, "every": 4}],
        "schedules": {"objective.temperature": {"use": "linear", "start": 0.7, "end": 0.3}},
        "steps": 150,
        "batch": 32,
        "optimizers": {"generator": adam(0.005), "discriminator": adam(0.01)},
    },
    {
        "name": "reinforce",
        "objective": {"use": "reinforce", "reward": "toy/long"},
        "steps": 120,
        "batch": 32,
        "optimizers": {"generator": adam(0.01, betas=(0.9, 0.99))},
    },
]


def values(*steps: int, accumulate: int = 1, stages: list[dict[str, Any]] = STAGES) -> dict[str, Any]:
    chosen = [{**stage, "accumulate": accumulate} for stage in stages]
    if steps:
        chosen = [{**stage, "steps": count} for stage, count in zip(chosen, steps, strict=True)]
    return recipe(
        "language",
        data={"use": "toy/sentences"},
        networks={"generator": {"use": "toy/gru"}, "discriminator": {"use": "toy/windows"}},
        stages=chosen,
        save_every=4,
    )


SAMPLES = 1024


class AtStages:
    """Grade samples before and after each stage, and keep them."""

    def __init__(self) -> None:
        self.samples: list[Batch] = []

    @hookimpl
    def sparring_stage_start(self, run: Run, stage: Stage) -> None:
        if stage.index == 0:
            self.samples.append(run.generated_samples(SAMPLES))

    @hookimpl
    def sparring_stage_end(self, run: Run) -> None:
        self.samples.append(run.generated_samples(SAMPLES))


def test_the_reward_rises_over_three_kinds_of_training(tmp_path: Path) -> None:
    stages, weights = AtStages(), Weights(150)
    chosen = values()
    chosen["checkpoint"]["every"] = 1000
    sparring.train(chosen, out=tmp_path / "run", plugins=PLUGINS, listeners=[stages, weights])
    graded = [Long()(samples, None) for samples in stages.samples]
    untrained, imitated, contended, reinforced = (float(reward.mean()) for reward in graded)
    assert untrained < 0.05
    assert untrained + 0.15 < imitated
    assert imitated + 0.03 < contended
    assert max(contended + 0.3, 0.85) < reinforced
    # The critic's share in that: sentences that imitation left ungrammatical.
    grammatical = [float((reward > 0).float().mean()) for reward in graded]
    assert grammatical[1] + 0.08 < grammatical[2]

    lengths = [samples.lengths.bincount(minlength=LENGTH + 1) / SAMPLES for samples in stages.samples]
    for after in (1, 2):
        assert (lengths[after][[3, 5]] > 0.05).all(), "lengths vary as they do in the data"
    assert lengths[3][7] > 0.8, "the reward drives short sentences out"
    # A stage without a critic leaves it alone; each player learns in its own update.
    assert roles(weights.changed["generator"]) == {"generator"}
    assert roles(weights.changed["discriminator"]) == {"discriminator"}


def test_what_is_past_the_end_counts_nowhere(tmp_path: Path) -> None:
    """In the real loop every critic's call has lengths, those of its rows; and nothing past them matters."""
    seen: list[tuple[Tensor, Tensor]] = []
    end = AtEnd()

    def watch(run: Run) -> None:
        run.networks["discriminator"].register_forward_hook(lambda _, given, __: seen.append((given[0], given[2])))

    contend = values(6, stages=[STAGES[1]])
    sparring.train(contend, out=tmp_path / "run", plugins=PLUGINS, listeners=[AtStart(watch), end])
    assert len(seen) == 6 * 4 + 2  # real and fake in both updates, and what two lazy penalties look at
    padding = one_hot(torch.tensor(END), SIZE).float()
    for sample, lengths in seen:
        assert sample.shape == (32, LENGTH, SIZE)
        assert lengths.equal(length_of(sample.argmax(2) == END))
        assert (sample[~counted(sample, lengths)] == padding).all()
    assert len(torch.cat([lengths for _, lengths in seen]).unique()) > 3

    sample, lengths = (value.detach() for value in seen[-1])
    networks = end.run.networks
    spoilt = torch.where(counted(sample, lengths)[..., None], sample, torch.rand_like(sample))
    judged = [networks["discriminator"](rows, {}, lengths) for rows in (sample, spoilt)]
    torch.testing.assert_close(*judged)
    tokens = sample.argmax(2)
    log_probs = networks["generator"].log_prob(tokens, {}, lengths)
    assert (log_probs[~counted(tokens, lengths)] == 0).all()
    assert (log_probs[counted(tokens, lengths)] < 0).all()


@pytest.mark.parametrize("at", [5, 13, 21], ids=[stage["name"] for stage in STAGES])
def test_a_kill_in_any_stage_changes_no_byte(tmp_path: Path, at: int, unbroken: Path) -> None:
    train_through_a_kill(values(8, 8, 8), tmp_path / "killed", at=at, plugins=PLUGINS)
    assert_same_run(tmp_path / "killed", unbroken)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sparring.train(values(8, 8, 8), out=tmp_path_factory.mktemp("language") / "run", plugins=PLUGINS).folder


@plugin.discriminator("token-values")
class TokenValues(Discriminator):
    """What is to come after each token, as a GRU sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.value = nn.GRU(SIZE, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        found: Tensor = self.value(self.read(one_hot(sample, SIZE).float())[0]).squeeze(2)
        return found


BY_POLICY_GRADIENT = {
    "a critic that learns along": {"use": "reinforce", "reward": {"use": "critic", "loss": "relativistic"}},
    "rollouts": {"use": "reinforce", "reward": "toy/long", "credit": "rollout", "rollouts": 2},
    "grpo": {"use": "grpo", "reward": "toy/long", "group": 4, "passes": 2},
    "ppo": {"use": "ppo", "reward": "toy/long", "passes": 2},
}


@pytest.mark.parametrize("objective", BY_POLICY_GRADIENT.values(), ids=list(BY_POLICY_GRADIENT))
def test_policy_gradients_survive_a_kill(tmp_path: Path, objective: dict[str, Any]) -> None:
    """Baselines, references and networks of values are all in the checkpoint."""
    optimizers = {"generator": adam(0.01)}
    chosen = values(6, stages=[{**STAGES[2], "objective": objective, "optimizers": optimizers}])
    chosen["stages"][0]["terms"] = [{"use": "kl", "weight": 0.05}, {"use": "entropy", "weight": 0.01}]
    if objective["use"] == "ppo":
        chosen["networks"]["value"] = {"use": "toy/token-values", "kind": "discriminator"}
        optimizers["value"] = adam(0.01)
    if isinstance(objective["reward"], dict):
        optimizers["discriminator"] = adam(0.01)
    unbroken = sparring.train(chosen, out=tmp_path / "unbroken", plugins=PLUGINS).folder
    train_through_a_kill(chosen, tmp_path / "killed", at=5, plugins=PLUGINS)
    assert_same_run(tmp_path / "killed", unbroken)


@pytest.mark.parametrize("stage", STAGES[1:], ids=[stage["name"] for stage in STAGES[1:]])
def test_accumulated_parts_draw_different_sequences(tmp_path: Path, stage: dict[str, Any]) -> None:
    """Sequences are drawn for a part's own rows: two parts with the same draw would be half a batch, twice."""
    drawn: list[Tensor] = []

    def watch(run: Run) -> None:
        generator = run.networks["generator"]
        assert isinstance(generator, SequenceGenerator)
        generator.relax = kept(generator.relax)  # type: ignore[method-assign]
        generator.sample = kept(generator.sample)  # type: ignore[method-assign]

    def kept(make: Callable[..., Generated]) -> Callable[..., Generated]:
        def make_and_keep(*given: Any, **named: Any) -> Generated:
            made = make(*given, **named)
            drawn.append(made.sample.detach())
            return made

        return make_and_keep

    chosen = values(1, accumulate=2, stages=[stage])
    sparring.train(chosen, out=tmp_path / "run", plugins=PLUGINS, listeners=[AtStart(watch)])
    assert len(drawn) >= 2
    assert all(len(part) == 16 for part in drawn)
    assert not any(one.equal(other) for one, other in pairwise(drawn))
