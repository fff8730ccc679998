"""A metric critic of pictures: any critic of images learns a black-box score, and a generator climbs it."""

from __future__ import annotations

from pathlib import Path

import torch

import sparring
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from sparring_image.look import Slant
from tests.core.proofs.parts import adam, logged, recipe

torch.set_num_threads(1)


def test_a_critic_learns_the_slant_of_held_out_digits_and_a_generator_leans(tmp_path: Path) -> None:
    data = ComponentSpec.model_validate({"use": "image/digits", "labels": False, "held_out": 0.2})
    values = recipe(
        "metric-critic-digits",
        data=data.model_dump(),
        networks={
            "generator": {"use": "mlp", "latent_dim": 16, "width": 64},
            "discriminator": {"use": "image/dcgan", "width": 8, "start": 2},
        },
        stages=[
            {
                "objective": {"use": "metric-critic", "reward": "image/slant"},
                "steps": 200,
                "batch": 32,
                "optimizers": {"generator": adam(2e-4), "discriminator": adam(2e-3)},
            }
        ],
    )
    folder = sparring.train(values, out=tmp_path / "run").folder
    slant = logged(folder, "discriminator/score")
    assert slant[0] < 0.1
    assert slant[-1] > 0.8

    trained = sparring.load(folder)
    held_out = Registry().build("data", data, "data").split("test")
    batch = held_out.gather(torch.arange(len(held_out)), rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        predicted = trained.networks["discriminator"](batch.sample, {}).logits[0]
    found = torch.corrcoef(torch.stack([predicted, Slant(trained.space)(batch, None)]))[0, 1]
    assert found > 0.9
