"""A metric critic of text: any critic of sentences learns a black-box score, and a relaxed generator climbs it."""

from __future__ import annotations

from pathlib import Path

import torch

import sparring
from sparring.plugins.options import ComponentSpec
from sparring.plugins.registry import Registry
from sparring_text.rewards import PatternReward
from tests.core.proofs.parts import adam, logged, recipe

torch.set_num_threads(1)

BRACKET = r"\("


def test_a_critic_learns_a_pattern_in_held_out_sentences_and_a_generator_writes_it(tmp_path: Path) -> None:
    data = ComponentSpec.model_validate({"use": "text/grammar", "count": 1000})
    values = recipe(
        "metric-critic-grammar",
        data=data.model_dump(),
        networks={
            "generator": {"use": "text/lstm", "width": 16, "embedding_dim": 8, "tied": False},
            "discriminator": {"use": "text/cnn", "embedding_dim": 8, "filters": 8, "widths": [2, 3]},
        },
        stages=[
            {
                "objective": {"use": "metric-critic", "reward": {"use": "text/pattern", "pattern": BRACKET}},
                "steps": 250,
                "batch": 32,
                "optimizers": {
                    "generator": adam(1e-3, betas=(0.9, 0.99)),
                    "discriminator": adam(2e-3, betas=(0.9, 0.99)),
                },
            }
        ],
    )
    folder = sparring.train(values, out=tmp_path / "run").folder
    bracketed = logged(folder, "discriminator/score")
    assert bracketed[0] < 0.5
    assert bracketed[-1] > 0.6

    trained = sparring.load(folder)
    held_out = Registry().build("data", data, "data").split("test")
    batch = held_out.gather(torch.arange(len(held_out)), rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        predicted = trained.networks["discriminator"](batch.sample, {}, batch.lengths).logits[0]
    true = PatternReward(trained.space, BRACKET)(batch, None)
    assert torch.corrcoef(torch.stack([predicted, true]))[0, 1] > 0.9
