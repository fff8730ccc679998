"""Weights of the speaker encoder's shapes, drawn at random, for tests that download nothing."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn


def write_weights(file: Path) -> dict[str, Tensor]:
    """Write weights as the published file has them, and return them by name."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = {"lstm.": nn.LSTM(40, 256, 3, batch_first=True), "linear.": nn.Linear(256, 256)}
    state = {prefix + name: value for prefix, part in parts.items() for name, value in part.state_dict().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"step": 1, "model_state": state, "optimizer_state": {}}, file)
    return state
