"""A generator that is told tokens and decides how long each lasts: lengths vary, and durations are ``extras``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

import sparring
from sparring import Condition, Context, Discriminator, Generated, Generator, Plugin, Space, Term
from sparring.data.memory import MemoryData
from sparring.spaces.array import ArraySpace
from sparring.training.run import Run
from tests.core.proofs.parts import AtEnd, AtStart, Passes, Weights, adam, logged, recipe, roles

plugin = Plugin("speech")

TOKENS, KINDS, FRAMES = 3, 4, 12
"""Tokens in a row at most, token kinds (0 is padding), and frames that the longest row needs: 3 × 3, and some room."""


@plugin.data("spoken")
class Spoken(MemoryData):
    """Token k lasts k frames, each of the value k / 2. Rows have one to three tokens."""

    def __init__(self, count: int = 256) -> None:
        rng = torch.Generator().manual_seed(0)
        tokens = torch.randint(1, KINDS, (count, TOKENS), generator=rng)
        tokens *= torch.arange(TOKENS) < torch.randint(1, TOKENS + 1, (count, 1), generator=rng)
        lengths = tokens.sum(1)
        frames = torch.zeros(count, FRAMES)
        for row, line in enumerate(tokens):
            frames[row, : lengths[row]] = line.repeat_interleave(line) / 2
        conditions = {"tokens": (ArraySpace([TOKENS]), tokens), "durations": (ArraySpace([TOKENS]), tokens.float())}
        super().__init__(ArraySpace([FRAMES]), frames, conditions, lengths)


@plugin.generator("speaker")
class Speaker(Generator):
    """Predicts durations, and lets each token's value bleed softly over its frames (Gaussian upsampling).

    Args:
        space: Frames.
        conditions: Tokens.
    """

    latent_shape = (1,)

    def __init__(self, space: Space, conditions: Mapping[str, Space]) -> None:
        super().__init__()
        assert conditions["tokens"].shape == (TOKENS,)
        self.frames = space.shape[0]
        self.duration, self.value = nn.Embedding(KINDS, 1), nn.Embedding(KINDS, 1)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        assert latent is not None
        tokens = condition["tokens"]
        spoken = tokens > 0
        durations = nn.functional.softplus(self.duration(tokens).squeeze(2) + 1) * spoken
        centres = durations.cumsum(1) - durations / 2
        place = torch.arange(self.frames, device=tokens.device) + 0.5
        nearness = -4 * (place[None, :, None] - centres[:, None]).square()
        shares = nearness.masked_fill(~spoken[:, None], -torch.inf).softmax(2)
        value = self.value(tokens).squeeze(2) + 0.01 * latent
        lengths = durations.sum(1).round().long().clamp(1, self.frames)
        frames = (shares * value[:, None]).sum(2) * (place < lengths[:, None])
        return Generated(frames, lengths, {"durations": durations})


@plugin.discriminator("listener")
class Listener(Discriminator):
    """Hears frames up to their end, knowing the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.told = nn.Conv1d(1, 12, 3, padding=1), nn.Embedding(KINDS, 12, padding_idx=0)
        self.judge = nn.Linear(24, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        assert lengths is not None
        heard = (torch.arange(sample.shape[1], device=sample.device) < lengths[:, None])[:, None]
        found = self.look(sample[:, None] * heard).relu() * heard
        pooled = found.sum(2) / lengths[:, None]
        opinion: Tensor = self.judge(torch.cat([pooled, self.told(condition["tokens"]).sum(1)], dim=1)).squeeze(1)
        return opinion


@plugin.term("durations")
class Durations(Term):
    """How far predicted durations, in frames, are from those of the data."""

    def __init__(self, generator: str = "generator") -> None:
        self.generator, self.trains = generator, (generator,)

    def __call__(self, context: Context) -> Tensor:
        predicted, wanted = context.generate(self.generator).extras["durations"], context.batch.condition["durations"]
        # The mean over tokens, not rows: padding has no duration.
        return (predicted - wanted).abs().sum() / (wanted > 0).sum()


def test_lengths_follow_the_predicted_durations(tmp_path: Path) -> None:
    passes, weights, end = Passes(), Weights(), AtEnd()
    spoken: list[Generated] = []
    heard: list[tuple[Tensor, Tensor]] = []

    def watch(run: Run) -> None:
        run.networks["generator"].register_forward_hook(lambda _, __, made: spoken.append(made))
        run.networks["discriminator"].register_forward_hook(lambda _, given, __: heard.append((given[0], given[2])))

    result = sparring.train(
        recipe(
            "durations",
            data={"use": "speech/spoken"},
            networks={"generator": {"use": "speech/speaker"}, "discriminator": {"use": "speech/listener"}},
            stages=[
                {
                    "objective": {"use": "adversarial", "loss": "least-squares"},
                    "terms": [
                        {"use": "speech/durations"},
                        {"use": "reconstruction"},
                        {"use": "r1", "weight": 0.1, "every": 4},
                    ],
                    "steps": 200,
                    "batch": 32,
                    "optimizers": {"generator": adam(0.02), "discriminator": adam(0.01)},
                }
            ],
        ),
        out=tmp_path / "run",
        plugins=[Path(__file__)],
        listeners=[passes, weights, end, AtStart(watch)],
    )
    # The duration term and the adversarial loss look at one and the same sample.
    assert all(taken == {"generator": 1, "discriminator": 1} for taken in passes.of("generator"))
    assert {"generator.duration.weight", "generator.value.weight"} <= weights.changed["generator"]
    assert roles(weights.touched["generator"]) == {"generator"}
    # Each of the critic's calls was told lengths: real rows the data's, generated rows their own.
    assert len(heard) == 200 * 3 + 50
    for sample, lengths in heard:
        past = torch.arange(FRAMES) >= lengths[:, None]
        assert (sample[past] == 0).all()
    own = {id(made.sample): made.lengths for made in spoken}
    assert sum(own.get(id(sample)) is lengths for sample, lengths in heard) == 200 * 2

    error = logged(result.folder, "generator/durations")
    assert error[-1] < 0.15 < error[0] / 3
    made, real = end.run.generated_samples(128), end.run.real_samples(128)
    assert made.lengths is not None
    assert real.lengths is not None
    # Both are the data's first rows by one seed, so that they are the same sentences.
    assert made.condition["tokens"].equal(real.condition["tokens"])
    assert (made.lengths == real.lengths).float().mean() > 0.9
    assert len(made.lengths.unique()) > 6
    assert (made.sample - real.sample).abs().mean() < 0.15
