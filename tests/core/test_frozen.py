"""Frozen networks: used, moved along, never trained, and in checkpoints by their hash alone."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sparring.errors import CheckpointError
from sparring.networks.frozen import Frozen
from sparring.training import checkpoint
from sparring.training.ema import MovingAverage

HASH, OTHER = "0a" * 32, "0b" * 32


class Critic(nn.Module):
    def __init__(self, sha256: str = HASH) -> None:
        super().__init__()
        torch.manual_seed(0)
        pretrained = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.backbone: Frozen[nn.Sequential] = Frozen(pretrained, sha256)
        self.head = nn.Linear(4, 1)

    def forward(self, sample: Tensor) -> Tensor:
        logit: Tensor = self.head(self.backbone(sample))
        return logit


def test_nothing_trains_it() -> None:
    critic = Critic().train()
    assert {name for name, _ in critic.named_parameters()} == {"head.weight", "head.bias"}
    assert {name for name, _ in critic.named_buffers()} == {"backbone.fingerprint"}
    sample = torch.randn(5, 3, requires_grad=True)
    before = copy.deepcopy(critic.backbone.network.state_dict())
    critic(sample).sum().backward()
    assert sample.grad is not None  # a generator learns through it
    assert all(value.grad is None for value in critic.backbone.network.parameters())
    # In training mode too, dropout is off and statistics stay.
    assert torch.equal(critic(sample), critic(sample))
    assert all(torch.equal(value, before[name]) for name, value in critic.backbone.network.state_dict().items())


def test_it_follows_to_another_type_and_device() -> None:
    critic = Critic().double()
    assert critic(torch.randn(2, 3, dtype=torch.float64)).dtype == torch.float64
    assert next(critic.to("meta").backbone.network.parameters()).is_meta


def test_a_copy_is_whole_and_an_average_leaves_it() -> None:
    critic = Critic().eval()
    average = MovingAverage(critic, 0.0)
    sample = torch.randn(4, 3)
    assert torch.equal(average.network(sample), critic(sample))
    average.follow(critic, 1, 1)
    assert torch.equal(copy.deepcopy(critic)(sample), critic(sample))


def test_a_checkpoint_holds_its_hash_alone(tmp_path: Path) -> None:
    critic, file = Critic(), tmp_path / "critic.safetensors"
    checkpoint.write_weights(critic, file)
    written = checkpoint.read_weights(file)
    assert set(written) == {"head.weight", "head.bias", "backbone.fingerprint"}
    assert bytes(written["backbone.fingerprint"].tolist()).hex() == HASH
    again = Critic()
    nn.init.zeros_(again.head.weight)
    checkpoint.load_weights(again, file, role="critic")
    assert torch.equal(again.head.weight, critic.head.weight)


def test_weights_trained_beside_another_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "critic.safetensors"
    checkpoint.write_weights(Critic(), file)
    with pytest.raises(CheckpointError, match=f"SHA-256 {HASH}, and these are {OTHER}"):
        checkpoint.load_weights(Critic(OTHER), file, role="critic")


def test_a_missing_hash_is_no_match() -> None:
    with pytest.raises(RuntimeError, match=r"backbone\.fingerprint"):
        Critic().load_state_dict({"head.weight": torch.zeros(1, 4), "head.bias": torch.zeros(1)})
