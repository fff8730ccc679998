"""CycleGAN (Zhu et al., 2017): two translators and two critics; each pair learns in one joint update."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sparring
from sparring import Batch
from tests.core import translation
from tests.core.proofs.parts import (
    AtEnd,
    AtStart,
    Passes,
    Weights,
    adam,
    assert_same_run,
    logged,
    recipe,
    roles,
    saved_state,
    train_through_a_kill,
)
from tests.core.translation import PHOTO, SKETCH

PARTS = Path(translation.__file__)
TRANSLATORS, CRITICS = ("generator", "backward_generator"), ("discriminator", "backward_discriminator")
OTHER = {"space": "conditions.image"}


def cyclegan(steps: int, *, batch: int = 64, **changes: Any) -> dict[str, Any]:
    """Return the recipe of a CycleGAN between two clouds of points."""
    return recipe(
        "cyclegan",
        data={"use": "cycle/domains"},
        networks={
            "generator": {"use": "cycle/translator"},
            "backward_generator": {"use": "cycle/translator", **OTHER},
            "discriminator": {"use": "cycle/judge"},
            "backward_discriminator": {"use": "cycle/judge", **OTHER},
        },
        stages=[
            {
                "objective": {"use": "cycle", "loss": "least-squares", "history": 50},
                "terms": [{"use": "cycle-consistency", "weight": 5.0}],
                "steps": steps,
                "batch": batch,
                "optimizers": {role: adam(0.005, betas=(0.5, 0.9)) for role in (*TRANSLATORS, *CRITICS)},
            }
        ],
        **changes,
    )


def test_two_of_each_role(tmp_path: Path) -> None:
    passes, weights, end = Passes(), Weights(), AtEnd()
    far: list[Tensor] = []

    def translate(networks: Mapping[str, nn.Module], data: Batch) -> Tensor:
        with torch.no_grad():
            there = networks["generator"](None, data.condition).mean(0) - torch.tensor(SKETCH)
            back = networks["backward_generator"](None, {"image": data.sample}).mean(0) - torch.tensor(PHOTO)
        return torch.stack([there.norm(), back.norm()])

    start = AtStart(lambda run: far.append(translate(run.networks, run.real_samples(256))))
    result = sparring.train(
        cyclegan(400), out=tmp_path / "run", plugins=[PARTS], listeners=[passes, weights, end, start]
    )

    # One update for each pair, in each step; nothing is generated or judged twice, though three parties ask. The
    # critics look at what the translators have made already.
    assert [name for name, _ in passes.taken] == ["translators", "critics"] * 400
    assert all(
        taken == {**dict.fromkeys(TRANSLATORS, 2), **dict.fromkeys(CRITICS, 1)} for taken in passes.of("translators")
    )
    assert all(taken == dict.fromkeys(CRITICS, 2) for taken in passes.of("critics"))
    # Both of a pair move, and the idle pair takes not even a gradient.
    assert roles(weights.changed["translators"]) == roles(weights.touched["translators"]) == set(TRANSLATORS)
    assert roles(weights.changed["critics"]) == roles(weights.touched["critics"]) == set(CRITICS)

    consistency = logged(result.folder, "translators/cycle-consistency")
    assert consistency[-1] < consistency[0] / 10
    arrived = translate(end.run.networks, end.run.real_samples(256))
    assert (far[0] > 1.0).all()
    assert (arrived < 0.3).all()


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_history_survives_a_kill(tmp_path: Path, accumulate: int) -> None:
    values = cyclegan(12, batch=8, save_every=4)
    values["stages"][0]["accumulate"] = accumulate
    sparring.train(values, out=tmp_path / "unbroken", plugins=[PARTS])
    train_through_a_kill(values, tmp_path / "killed", at=11, plugins=[PARTS])
    assert_same_run(tmp_path / "killed", tmp_path / "unbroken")
    kept = saved_state(tmp_path / "killed")["objective"]
    assert {direction: tuple(history["kept"].shape) for direction, history in kept.items()} == {
        "forward": (50, 2),
        "backward": (50, 2),
    }
