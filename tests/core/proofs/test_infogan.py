"""InfoGAN (Chen et al., 2016): codes are sampled with the latent, and a head on the critic must recover them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import sparring
from sparring import Condition, Critique, Discriminator
from tests.core.proofs.parts import Weights, adam, layers, logged, recipe

CODES = 4
TRUNK = "discriminator.discriminator.hidden.0.0.weight"
TOGETHER = "generator+discriminator/mutual-information"

STAGE = {
    "objective": {"use": "adversarial", "loss": "non-saturating"},
    "steps": 300,
    "batch": 64,
    "optimizers": {"generator": adam(0.003), "discriminator": adam(0.003)},
}
DATA = {"use": "points", "modes": CODES, "count": 512}
NETWORKS = {
    "generator": {
        "use": "coded",
        "generator": {"use": "mlp", "latent_dim": 2 + CODES, "width": 12, "depth": 1},
        "categorical": [CODES],
    },
    "discriminator": {
        "use": "heads",
        "discriminator": {"use": "mlp", "width": 16, "depth": 2},
        "categorical": [CODES],
    },
}


def test_codes_are_recovered(tmp_path: Path) -> None:
    recovered = {}
    for weight in (1.0, 0.0):
        terms = [{"use": "mutual-information", "weight": weight}]
        result = sparring.train(
            recipe("infogan", data=DATA, networks=NETWORKS, stages=[{**STAGE, "terms": terms}]),
            out=tmp_path / f"run-{weight}",
        )
        recovered[weight] = logged(result.folder, f"{TOGETHER}/recovered")[-1]
    assert recovered[1.0] > 0.9
    assert recovered[0.0] < 1 / CODES + 0.25, "codes must not be readable unless something asks for it"


def test_generator_and_head_learn_together_and_the_trunk_in_both_updates(tmp_path: Path) -> None:
    weights = Weights()
    sparring.train(
        recipe(
            "infogan",
            data=DATA,
            networks=NETWORKS,
            stages=[{**STAGE, "steps": 5, "terms": [{"use": "mutual-information"}]}],
        ),
        out=tmp_path / "run",
        listeners=[weights],
    )
    together = weights.touched[TOGETHER]
    assert {"generator.generator.hidden.0.0.weight", TRUNK, "discriminator.heads.code_0.weight"} <= together
    # No gradient reaches the other head: through Adam's momentum alone nothing moves, for its gradient is None.
    assert "discriminator.discriminator.last.weight" not in weights.changed[TOGETHER]
    assert "discriminator.discriminator.last.weight" in weights.changed["discriminator"]
    assert TRUNK in weights.changed["discriminator"]
    assert "discriminator.heads.code_0.weight" not in weights.changed["discriminator"]
    assert not any(name.startswith("discriminator") for name in weights.changed["generator"])


class Judge(Discriminator):
    """Stands on a trunk that another network stands on too."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk, self.judge = trunk, nn.Linear(16, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        opinion: Tensor = self.judge(self.trunk(sample).relu()).squeeze(1)
        return opinion


class Head(Discriminator):
    """Reads codes, and gives no other opinion."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk, self.code = trunk, nn.Linear(16, CODES)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        return Critique((), outputs={"code.0": self.code(self.trunk(sample).relu())})


def test_a_head_of_its_own_role_shares_the_critics_trunk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trunk, weights = layers(2, 16, 16), Weights()
    given = {"discriminator": Judge(trunk), "head": Head(trunk)}
    result = sparring.train(
        recipe(
            "infogan-head",
            data=DATA,
            networks={"generator": NETWORKS["generator"], "discriminator": {"use": "given"}, "head": {"use": "given"}},
            stages=[
                {
                    **STAGE,
                    "terms": [{"use": "mutual-information", "discriminator": "head"}],
                    "optimizers": {role: adam(0.003) for role in ("generator", "discriminator", "head")},
                }
            ],
        ),
        out=tmp_path / "run",
        networks=given,
        listeners=[weights],
    )
    assert logged(result.folder, "generator+head/mutual-information/recovered")[-1] > 0.9
    for update in ("discriminator", "generator+head/mutual-information"):
        # The one trunk is known under both roles' names, and learns in both updates.
        assert {"discriminator.trunk.0.weight", "head.trunk.0.weight"} <= weights.changed[update]
    assert "discriminator.judge.weight" not in weights.touched["generator+head/mutual-information"]
    assert "head.code.weight" not in weights.touched["discriminator"]
