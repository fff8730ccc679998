"""PacGAN's packing: which rows become one, and what penalties and losses make of it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.api import train
from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.losses.relativistic import Relativistic
from sparring.networks.mlp import MLPDiscriminator
from sparring.networks.packing import check_packing, pack
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring.terms.gradient_penalties import R1, GradientPenalty
from tests.core.training.running import tiny


def test_consecutive_rows_become_channels_of_one() -> None:
    sample = torch.arange(4 * 2 * 1 * 3).reshape(4, 2, 1, 3)
    packed = pack(sample, 2)
    assert packed.shape == (2, 4, 1, 3)
    assert torch.equal(packed[1], torch.cat([sample[2], sample[3]]))
    assert pack(sample, 1) is sample


@given(packs=st.integers(1, 4), packing=st.integers(2, 5), channels=st.integers(1, 3), odd=st.integers(1, 4))
def test_nothing_is_lost_and_remainders_are_refused(packs: int, packing: int, channels: int, odd: int) -> None:
    rows = packs * packing
    sample = torch.randn(rows, channels, 2)
    assert torch.equal(pack(sample, packing).reshape(rows, channels, 2), sample)
    left = odd % packing
    if left:
        with pytest.raises(TrainingError, match=f"a batch of {rows + left} leaves {left} over"):
            pack(torch.randn(rows + left, channels, 2), packing)


def test_impossible_packing_is_refused() -> None:
    with pytest.raises(ValueError, match="packing is 0"):
        check_packing(0)


def test_one_logit_a_pack_and_only_its_own_rows_matter() -> None:
    label = {"label": LabelSpace(["a", "b"])}
    critic = MLPDiscriminator(PointSpace(), label, width=8, packing=3)
    sample, condition = torch.randn(6, 2), {"label": torch.tensor([0, 1, 0, 1, 0, 1])}
    critique = critic(sample, condition)
    assert critique.logits[0].shape == (2,)
    assert all(layer.shape == (2, 8) for layer in critique.features[0])
    moved = sample.clone()
    moved[4] += 1
    other = critic(moved, condition).logits[0]
    assert torch.equal(critique.logits[0][0], other[0])
    assert critique.logits[0][1] != other[1]
    assert Relativistic().discriminator(critique, critique).isfinite()


def test_penalties_see_a_pack_as_one_sample() -> None:
    """D(pack) = w · pack is linear: its squared gradient is ‖w‖², over all rows of the pack together."""
    critic = MLPDiscriminator(PointSpace(), {}, width=4, depth=1, packing=2)
    critic.hidden[0][1] = torch.nn.Identity()
    weight = (critic.last.weight @ critic.hidden[0][0].weight).squeeze()  # (packing × 2,)
    context = Context(
        {"discriminator": critic, "generator": torch.nn.Identity()},
        Batch(torch.randn(6, 2)),
        rng=torch.Generator().manual_seed(0),
    )
    term = R1(gamma=2.0)
    term.prepare(context)
    torch.testing.assert_close(term(context), weight.square().sum())

    class Shifted(torch.nn.Module):
        def latent(self, n: int, *, rng: torch.Generator) -> torch.Tensor:
            return torch.zeros(n, 2)

        def forward(self, latent: torch.Tensor, condition: object) -> torch.Tensor:
            return latent + 1

    both = Context({"discriminator": critic, "generator": Shifted()}, Batch(torch.randn(6, 2)), rng=torch.Generator())
    torch.testing.assert_close(GradientPenalty()(both), (weight.norm() - 1).square())


def test_a_run_says_what_is_wrong_with_its_batch(tmp_path) -> None:
    packed = {"generator": tiny()["networks"]["generator"], "discriminator": {"use": "mlp", "packing": 3}}
    with pytest.raises(TrainingError, match="3 samples are to be judged together") as raised:
        train(tiny(networks=packed), out=tmp_path / "run")
    assert "multiple of 3" in raised.value.remedy
    assert train(tiny({"batch": 9}, networks=packed), out=tmp_path / "other").status == "finished"
