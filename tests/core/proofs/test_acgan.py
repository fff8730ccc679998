"""AC-GAN (Odena et al., 2017): the critic also names the class, of real and of generated samples."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import sparring
from sparring import Condition, Context, Critique, Discriminator, Plugin, Term
from sparring.data.points import Points
from tests.core.proofs.parts import AtEnd, Passes, Weights, adam, layers, logged, recipe

plugin = Plugin("classes")

CLASSES = 4


@plugin.discriminator("naming")
class Naming(Discriminator):
    """Is not told the class."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.judge, self.name = layers(2, 16), nn.Linear(16, 1), nn.Linear(16, CLASSES)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        found = self.trunk(sample).relu()
        return Critique((self.judge(found).squeeze(1),), outputs={"class": self.name(found)})


@plugin.term("naming")
class NamingTerm(Term):
    """The class's cross-entropy. A recipe lists it twice: for the critic, on both; for the generator, on its own."""

    def __init__(self, of: str, generator: str = "generator", discriminator: str = "discriminator") -> None:
        self.generator, self.discriminator, self.trains = generator, discriminator, (of,)

    def __call__(self, context: Context) -> Tensor:
        samples = [context.generate(self.generator).sample]
        if self.trains == (self.discriminator,):
            samples.append(context.batch.sample)
        label = context.batch.condition["label"]
        found = [context.critique(self.discriminator, sample).outputs["class"] for sample in samples]
        return torch.stack([cross_entropy(logits, label) for logits in found]).sum()


def test_generated_classes_match_their_labels(tmp_path: Path) -> None:
    passes, weights, end = Passes(), Weights(), AtEnd()
    result = sparring.train(
        recipe(
            "acgan",
            data={"use": "points", "modes": CLASSES, "count": 512, "labels": True},
            networks={
                "generator": {"use": "mlp", "latent_dim": 2, "width": 12, "depth": 1},
                "discriminator": {"use": "classes/naming"},
            },
            stages=[
                {
                    "objective": {"use": "adversarial", "loss": "non-saturating"},
                    "terms": [
                        {"use": "classes/naming", "of": "discriminator", "name": "class"},
                        {"use": "classes/naming", "of": "generator", "name": "class-generated"},
                    ],
                    "steps": 250,
                    "batch": 64,
                    "optimizers": {"generator": adam(0.01), "discriminator": adam(0.01)},
                }
            ],
        ),
        out=tmp_path / "run",
        plugins=[Path(__file__)],
        listeners=[passes, weights, end],
    )
    # The class terms join the adversarial updates, and ask for no forward pass that these do not make.
    assert passes.of("discriminator") == [{"generator": 1, "discriminator": 2}] * 250
    assert passes.of("generator") == [{"generator": 1, "discriminator": 1}] * 250
    assert "discriminator.name.weight" in weights.changed["discriminator"]
    assert not any(name.startswith("discriminator") for name in weights.touched["generator"])
    assert logged(result.folder, "generator/class-generated")[-1] < 0.3

    made = end.run.generated_samples(400)
    nearest = torch.cdist(made.sample, Points(modes=CLASSES, count=16).centres).argmin(1)
    assert (nearest == made.condition["label"]).float().mean() > 0.95
    assert made.condition["label"].unique().tolist() == list(range(CLASSES))
