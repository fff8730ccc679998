"""CycleGAN (Zhu et al., 2017): two translators and two critics; each pair learns in one joint update."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

import sparring
from sparring import (
    Batch,
    Condition,
    Context,
    Discriminator,
    Generator,
    Objective,
    Plugin,
    Space,
    Term,
    Update,
)
from sparring.data.memory import MemoryData
from sparring.interfaces.loss import Loss
from sparring.spaces.point import PointSpace
from tests.core.proofs.parts import AtEnd, AtStart, Passes, Weights, adam, layers, logged, recipe, roles

plugin = Plugin("cycle")

PHOTO, SKETCH = (-2.0, 0.0), (1.0, 1.5)
TRANSLATORS, CRITICS = ("to_sketch", "to_photo"), ("sketch_critic", "photo_critic")


@plugin.data("domains")
class Domains(MemoryData):
    """Two clouds of points that are not paired: the sample is a sketch, the condition a photo."""

    def __init__(self, count: int = 512) -> None:
        rng = torch.Generator().manual_seed(0)
        photo = torch.tensor(PHOTO) + 0.3 * torch.randn(count, 2, generator=rng)
        sketch = torch.tensor(SKETCH) + 0.3 * torch.randn(count, 2, generator=rng)
        super().__init__(PointSpace(), sketch, {"image": (PointSpace(), photo)})


@plugin.generator("translator")
class Translator(Generator):
    """Driven by its condition alone."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.body = layers(*space.shape, 8, *space.shape)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is None
        made: Tensor = self.body(condition["image"])
        return made


@plugin.discriminator("judge")
class Judge(Discriminator):
    """Sees one domain."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.body = layers(*space.shape, 8, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        opinion: Tensor = self.body(sample).squeeze(1)
        return opinion


def translations(context: Context) -> tuple[Tensor, Tensor]:
    """Return both directions' samples. The mappings are new on every call; the tensors in them are not."""
    return (
        context.generate("to_sketch", condition={"image": context.batch.condition["image"]}).sample,
        context.generate("to_photo", condition={"image": context.batch.sample}).sample,
    )


@plugin.objective("cycle")
class Cycle(Objective):
    """Both translators in one update, both critics in the next."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.own_updates = (Update("critics", CRITICS), Update("translators", TRANSLATORS))

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        reals = (context.batch.sample, context.batch.condition["image"])
        found = {}
        for critic, real, fake in zip(CRITICS, reals, translations(context), strict=True):
            judged = context.critique(critic, fake)
            if update.name == "critics":
                found[critic] = self.loss.discriminator(context.critique(critic, real), judged)
            else:
                found[critic] = self.loss.generator(None, judged)
        return found


@plugin.term("consistency")
class Consistency(Term):
    """There and back again is where one started."""

    trains = TRANSLATORS

    def __call__(self, context: Context) -> Tensor:
        sketched, photographed = translations(context)
        back = context.generate("to_photo", condition={"image": sketched}).sample
        forth = context.generate("to_sketch", condition={"image": photographed}).sample
        return l1_loss(back, context.batch.condition["image"]) + l1_loss(forth, context.batch.sample)


def test_two_of_each_role(tmp_path: Path) -> None:
    passes, weights, end = Passes(), Weights(), AtEnd()
    far: list[Tensor] = []

    def translate(networks: Mapping[str, torch.nn.Module], data: Batch) -> Tensor:
        with torch.no_grad():
            there = networks["to_sketch"](None, data.condition).mean(0) - torch.tensor(SKETCH)
            back = networks["to_photo"](None, {"image": data.sample}).mean(0) - torch.tensor(PHOTO)
        return torch.stack([there.norm(), back.norm()])

    start = AtStart(lambda run: far.append(translate(run.networks, run.real_samples(256))))
    result = sparring.train(
        recipe(
            "cyclegan",
            data={"use": "cycle/domains"},
            networks={
                "to_sketch": {"use": "cycle/translator"},
                "to_photo": {"use": "cycle/translator", "space": "conditions.image"},
                "sketch_critic": {"use": "cycle/judge"},
                "photo_critic": {"use": "cycle/judge", "space": "conditions.image"},
            },
            stages=[
                {
                    "objective": {"use": "cycle/cycle", "loss": "least-squares"},
                    "terms": [{"use": "cycle/consistency", "weight": 5.0}],
                    "steps": 400,
                    "batch": 64,
                    "optimizers": {role: adam(0.005, betas=(0.5, 0.9)) for role in (*TRANSLATORS, *CRITICS)},
                }
            ],
        ),
        out=tmp_path / "run",
        plugins=[Path(__file__)],
        listeners=[passes, weights, end, start],
    )

    # One update for each pair, in each step; nothing is generated or judged twice, though three parties ask.
    assert [name for name, _ in passes.taken] == ["critics", "translators"] * 400
    assert set(map(str, passes.of("critics"))) == {str(dict(zip((*TRANSLATORS, *CRITICS), (1, 1, 2, 2), strict=True)))}
    assert all(
        taken == {**dict.fromkeys(TRANSLATORS, 2), **dict.fromkeys(CRITICS, 1)} for taken in passes.of("translators")
    )
    # Both of a pair move, and the idle pair takes not even a gradient.
    assert roles(weights.changed["translators"]) == roles(weights.touched["translators"]) == set(TRANSLATORS)
    assert roles(weights.changed["critics"]) == roles(weights.touched["critics"]) == set(CRITICS)

    consistency = logged(result.folder, "translators/consistency")
    assert consistency[-1] < consistency[0] / 10
    arrived = translate(end.run.networks, end.run.real_samples(256))
    assert (far[0] > 1.0).all()
    assert (arrived < 0.3).all()
