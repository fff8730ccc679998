"""Terms of one update share its forward passes, whatever they are, and never share what differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sparring
from sparring import Batch, Condition, Context, Critique, Discriminator, Generated, Generator, Plugin, Term
from sparring.interfaces.context import Rows
from tests.core.proofs.parts import Passes, Weights, adam, logged, recipe, roles

plugin = Plugin("sharing")


@plugin.term("wrong-label")
class WrongLabel(Term):
    """A real sample under a label that is not its own is no real sample (matching-aware critic: Reed et al., 2016)."""

    def __init__(self, discriminator: str = "discriminator") -> None:
        self.discriminator, self.trains = discriminator, (discriminator,)

    def __call__(self, context: Context) -> Tensor:
        label = context.batch.condition["label"]
        wrong = {"label": label.roll(1)}
        right = context.critique(self.discriminator, context.batch.sample).logits[0]
        mismatched = context.critique(self.discriminator, context.batch.sample, condition=wrong).logits[0]
        context.record("distinguished", (right != mismatched)[label != wrong["label"]].float().mean())
        return nn.functional.softplus(mismatched).mean()


def values(
    *terms: Mapping[str, Any], loss: str = "relativistic", labels: bool = False, steps: int = 4, **options: Any
) -> dict[str, Any]:
    return recipe(
        "sharing",
        data={"use": "points", "count": 64, "labels": labels},
        networks={
            "generator": {"use": "mlp", "latent_dim": 2, "width": 6, "depth": 1},
            "discriminator": {"use": "mlp", "width": 6, "depth": 1},
        },
        stages=[
            {
                "objective": {"use": "adversarial", "loss": loss, **options},
                "terms": list(terms),
                "steps": steps,
                "batch": 8,
                "optimizers": {"generator": adam(0.01), "discriminator": adam(0.01)},
            }
        ],
    )


PENALTIES = ({"use": "r1"}, {"use": "r2"})


@pytest.mark.parametrize("reuse", [False, True], ids=["fresh", "reused"])
def test_both_penalties_cost_no_forward_pass(tmp_path: Path, reuse: bool) -> None:
    passes, weights = Passes(), Weights()
    sparring.train(values(*PENALTIES, reuse_fake=reuse), out=tmp_path / "run", listeners=[passes, weights])
    assert passes.of("discriminator") == [{"generator": 1, "discriminator": 2}] * 4
    # A relativistic generator needs the critic's opinion of both; its samples it makes anew, unless they are reused.
    expected = {"discriminator": 2} if reuse else {"generator": 1, "discriminator": 2}
    assert passes.of("generator") == [expected] * 4
    # Neither the reused graph nor a penalty on it may carry a gradient to the other player, or keep one from its own.
    for role in ("generator", "discriminator"):
        assert roles(weights.changed[role]) == roles(weights.touched[role]) == {role}


def test_a_loss_that_needs_no_real_critique_asks_for_none(tmp_path: Path) -> None:
    passes = Passes()
    sparring.train(values(*PENALTIES, loss="hinge"), out=tmp_path / "run", listeners=[passes])
    assert passes.of("generator") == [{"generator": 1, "discriminator": 1}] * 4


def test_lazy_penalties_form_one_update_that_shares_in_itself(tmp_path: Path) -> None:
    passes = Passes()
    terms = [{**term, "every": 2} for term in PENALTIES]
    sparring.train(values(*terms, loss="hinge"), out=tmp_path / "run", listeners=[passes])
    assert [name for name, _ in passes.taken] == 2 * (
        ["discriminator", "generator", "discriminator/r1", "discriminator", "generator"]
    )
    assert passes.of("discriminator/r1") == [{"generator": 1, "discriminator": 2}] * 2


def test_a_reused_fake_follows_the_last_of_several_critic_steps(tmp_path: Path) -> None:
    passes, weights = Passes(), Weights()
    chosen = values(*PENALTIES, reuse_fake=True, discriminator_steps=3)
    sparring.train(chosen, out=tmp_path / "run", listeners=[passes, weights])
    assert len(passes.of("discriminator")) == 12
    assert passes.of("generator") == [{"discriminator": 2}] * 4
    assert roles(weights.changed["generator"]) == {"generator"}


def test_another_condition_is_another_opinion(tmp_path: Path) -> None:
    passes = Passes()
    chosen = values({"use": "sharing/wrong-label"}, labels=True, loss="hinge")
    result = sparring.train(chosen, out=tmp_path / "run", listeners=[passes], plugins=[Path(__file__)])
    assert passes.of("discriminator") == [{"generator": 1, "discriminator": 3}] * 4
    assert logged(result.folder, "discriminator/distinguished") == [1.0]


# ---- the context by itself ----


class Echo(Generator):
    """Adds its latent to its condition."""

    latent_shape = (2,)

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        assert latent is not None
        self.calls += 1
        return Generated(latent + condition["shift"])


class Mean(Discriminator):
    """Averages what counts of a row."""

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        counted = torch.arange(sample.shape[1]) < (lengths[:, None] if lengths is not None else sample.shape[1])
        return Critique(((sample * counted).sum(1) + condition["shift"][:, 0],))


def context(rows: Rows | None = None) -> Context:
    networks = {"generator": Echo(), "discriminator": Mean()}
    rng = torch.Generator().manual_seed(3)
    return Context(networks, Batch(torch.ones(4, 2), {"shift": torch.ones(4, 2)}), rng=rng, rows=rows)


def test_a_condition_is_known_by_its_tensors() -> None:
    seen, shift = context(), torch.zeros(4, 2)
    made = seen.generate("generator", condition={"shift": shift})
    assert seen.generate("generator", condition={"shift": shift}) is made
    assert seen.generate("generator", condition=dict(seen.batch.condition)) is seen.generate("generator")
    assert seen.generate("generator") is not made
    assert seen.networks["generator"].calls == 2
    judged = seen.critique("discriminator", made.sample)
    assert seen.critique("discriminator", made.sample, condition=dict(seen.batch.condition)) is judged
    other = seen.critique("discriminator", made.sample, condition={"shift": shift})
    torch.testing.assert_close(other.logits[0] + 1, judged.logits[0])
    short = seen.critique("discriminator", made.sample, lengths=torch.ones(4))
    torch.testing.assert_close(short.logits[0], made.sample[:, 0] + 1)


def test_rows_of_one_batch_share_drawn_noise_but_not_what_each_draws_for_itself() -> None:
    parts = [context(Rows(8, 0, 4)), context(Rows(8, 4, 8))]
    whole = torch.randn(8, 2, generator=torch.Generator().manual_seed(3))
    assert torch.cat([part.latent("generator") for part in parts]).equal(whole)
    drawn = [torch.rand(4, generator=part.rows_rng) for part in parts]
    assert not drawn[0].equal(drawn[1])
    again = torch.rand(4, generator=context(Rows(8, 4, 8)).rows_rng)
    assert drawn[1].equal(again)
