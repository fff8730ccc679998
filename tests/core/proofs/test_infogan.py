"""InfoGAN (Chen et al., 2016): codes are sampled with the latent, and a head on the critic must recover them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

import sparring
from sparring import Condition, Context, Critique, Discriminator, Generated, Generator, Plugin, Term
from tests.core.proofs.parts import Weights, adam, layers, logged, recipe

plugin = Plugin("info")

CODES = 4


@plugin.generator("coded")
class Coded(Generator):
    """Its latent is noise and a one-hot code, drawn together so that any number of processes draws the same."""

    def __init__(self, noise: int = 2) -> None:
        super().__init__()
        self.noise, self.latent_shape = noise, (noise + CODES,)
        self.body = layers(noise + CODES, 12, 2)

    def latent(self, n: int, *, rng: torch.Generator) -> Tensor:
        noise = torch.randn(n, self.noise, generator=rng, device=rng.device)
        code = torch.randint(CODES, (n,), generator=rng, device=rng.device)
        return torch.cat([noise, one_hot(code, CODES)], dim=1)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        assert latent is not None
        return Generated(self.body(latent), extras={"code": latent[:, self.noise :]})


@plugin.discriminator("reading")
class Reading(Discriminator):
    """Two heads on one trunk: real or not, and which code."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.judge, self.code = layers(2, 16, 16), nn.Linear(16, 1), nn.Linear(16, CODES)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        found = self.trunk(sample).relu()
        return Critique((self.judge(found).squeeze(1),), outputs={"code": self.code(found)})


@plugin.term("information")
class Information(Term):
    """The lower bound on the mutual information of code and sample, up to the code's entropy, which is constant."""

    def __init__(self, generator: str = "generator", reader: str = "discriminator") -> None:
        self.generator, self.reader, self.trains = generator, reader, (generator, reader)

    def __call__(self, context: Context) -> Tensor:
        made = context.generate(self.generator)
        read = context.critique(self.reader, made.sample).outputs["code"]
        wanted = made.extras["code"].argmax(1)
        context.record("recovered", (read.argmax(1) == wanted).float().mean())
        return cross_entropy(read, wanted)


STAGE = {
    "objective": {"use": "adversarial", "loss": "non-saturating"},
    "steps": 300,
    "batch": 64,
    "optimizers": {"generator": adam(0.003), "discriminator": adam(0.003)},
}
DATA = {"use": "points", "modes": CODES, "count": 512}
NETWORKS = {"generator": {"use": "info/coded"}, "discriminator": {"use": "info/reading"}}


def test_codes_are_recovered(tmp_path: Path) -> None:
    recovered = {}
    for weight in (1.0, 0.0):
        terms = [{"use": "info/information", "weight": weight}]
        result = sparring.train(
            recipe("infogan", data=DATA, networks=NETWORKS, stages=[{**STAGE, "terms": terms}]),
            out=tmp_path / f"run-{weight}",
            plugins=[Path(__file__)],
        )
        recovered[weight] = logged(result.folder, "generator+discriminator/information/recovered")[-1]
    assert recovered[1.0] > 0.9
    assert recovered[0.0] < 1 / CODES + 0.25, "codes must not be readable unless something asks for it"


def test_generator_and_head_learn_together_and_the_trunk_in_both_updates(tmp_path: Path) -> None:
    weights = Weights()
    sparring.train(
        recipe(
            "infogan",
            data=DATA,
            networks=NETWORKS,
            stages=[{**STAGE, "steps": 5, "terms": [{"use": "info/information"}]}],
        ),
        out=tmp_path / "run",
        plugins=[Path(__file__)],
        listeners=[weights],
    )
    together = weights.touched["generator+discriminator/information"]
    assert {"generator.body.0.weight", "discriminator.trunk.0.weight", "discriminator.code.weight"} <= together
    # No gradient reaches the other head: through Adam's momentum alone nothing moves, for its gradient is None.
    assert "discriminator.judge.weight" not in weights.changed["generator+discriminator/information"]
    assert "discriminator.judge.weight" in weights.changed["discriminator"]
    assert "discriminator.trunk.0.weight" in weights.changed["discriminator"]
    assert "discriminator.code.weight" not in weights.changed["discriminator"]
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
        return Critique((), outputs={"code": self.code(self.trunk(sample).relu())})


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
                    "terms": [{"use": "info/information", "reader": "head"}],
                    "optimizers": {role: adam(0.003) for role in ("generator", "discriminator", "head")},
                }
            ],
        ),
        out=tmp_path / "run",
        plugins=[Path(__file__)],
        networks=given,
        listeners=[weights],
    )
    assert logged(result.folder, "generator+head/information/recovered")[-1] > 0.9
    for update in ("discriminator", "generator+head/information"):
        # The one trunk is known under both roles' names, and learns in both updates.
        assert {"discriminator.trunk.0.weight", "head.trunk.0.weight"} <= weights.changed[update]
    assert "discriminator.judge.weight" not in weights.touched["generator+head/information"]
    assert "head.code.weight" not in weights.touched["discriminator"]
