"""AC-GAN (Odena et al., 2017): the critic also names the class, of real and of generated samples."""

from __future__ import annotations

from pathlib import Path

import torch

import sparring
from sparring.data.points import Points
from tests.core.proofs.parts import AtEnd, Passes, Weights, adam, logged, recipe

CLASSES = 4


def test_generated_classes_match_their_labels(tmp_path: Path) -> None:
    passes, weights, end = Passes(), Weights(), AtEnd()
    result = sparring.train(
        recipe(
            "acgan",
            data={"use": "points", "modes": CLASSES, "count": 512, "labels": True},
            networks={
                "generator": {"use": "mlp", "latent_dim": 2, "width": 12, "depth": 1},
                "discriminator": {
                    "use": "heads",
                    "discriminator": {"use": "mlp", "width": 16, "depth": 1, "label": "none"},
                    "label": True,
                },
            },
            stages=[
                {
                    "objective": {"use": "adversarial", "loss": "non-saturating"},
                    "terms": [
                        {"use": "auxiliary-classifier", "trains": "discriminator", "name": "class"},
                        {"use": "auxiliary-classifier", "trains": "generator", "name": "class-generated"},
                    ],
                    "steps": 250,
                    "batch": 64,
                    "optimizers": {"generator": adam(0.01), "discriminator": adam(0.01)},
                }
            ],
        ),
        out=tmp_path / "run",
        listeners=[passes, weights, end],
    )
    # The class terms join the adversarial updates, and ask for no forward pass that these do not make.
    assert passes.of("discriminator") == [{"generator": 1, "discriminator": 2}] * 250
    assert passes.of("generator") == [{"generator": 1, "discriminator": 1}] * 250
    assert "discriminator.heads.label.weight" in weights.changed["discriminator"]
    assert not any(name.startswith("discriminator") for name in weights.touched["generator"])
    assert logged(result.folder, "generator/class-generated")[-1] < 0.3

    made = end.run.generated_samples(400)
    nearest = torch.cdist(made.sample, Points(modes=CLASSES, count=16).centres).argmin(1)
    assert (nearest == made.condition["label"]).float().mean() > 0.95
    assert made.condition["label"].unique().tolist() == list(range(CLASSES))
