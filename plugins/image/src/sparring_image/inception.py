"""The Inception network of the Fréchet Inception distance, to be filled with the user's own weights.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision" (arXiv:1512.00567), in the variant that
Heusel et al. 2017 (arXiv:1706.08500) score with: its averages leave out the padding, and its last block takes
a maximum.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, F features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 299  # pixels: pictures are brought to this size
FEATURES = 2048
EPSILON = 1e-3  # of its batch norms


class Layer(NamedTuple):
    """A convolution by its published name; of stride 2 it is not padded, and in a block else so that the size stays."""

    name: str
    channels: int
    rows: int = 1
    columns: int = 1
    stride: int = 1


AVERAGE, MAXIMUM, HALVE = "average", "maximum", "halve"
Step = Layer | str | tuple[Layer, Layer]  # a pair works side by side on one input
Branch = tuple[Step, ...]


def _a(pooled: int) -> tuple[Branch, ...]:
    return (
        (Layer("branch1x1", 64),),
        (Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, 5, 5)),
        (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, 3, 3), Layer("branch3x3dbl_3", 96, 3, 3)),
        (AVERAGE, Layer("branch_pool", pooled)),
    )


def _c(narrow: int) -> tuple[Branch, ...]:
    return (
        (Layer("branch1x1", 192),),
        (Layer("branch7x7_1", narrow), Layer("branch7x7_2", narrow, 1, 7), Layer("branch7x7_3", 192, 7, 1)),
        (
            Layer("branch7x7dbl_1", narrow),
            Layer("branch7x7dbl_2", narrow, 7, 1),
            Layer("branch7x7dbl_3", narrow, 1, 7),
            Layer("branch7x7dbl_4", narrow, 7, 1),
            Layer("branch7x7dbl_5", 192, 1, 7),
        ),
        (AVERAGE, Layer("branch_pool", 192)),
    )


def _e(pool: str) -> tuple[Branch, ...]:
    return (
        (Layer("branch1x1", 320),),
        (Layer("branch3x3_1", 384), (Layer("branch3x3_2a", 384, 1, 3), Layer("branch3x3_2b", 384, 3, 1))),
        (
            Layer("branch3x3dbl_1", 448),
            Layer("branch3x3dbl_2", 384, 3, 3),
            (Layer("branch3x3dbl_3a", 384, 1, 3), Layer("branch3x3dbl_3b", 384, 3, 1)),
        ),
        (pool, Layer("branch_pool", 192)),
    )


_B: tuple[Branch, ...] = (
    (Layer("branch3x3", 384, 3, 3, 2),),
    (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, 3, 3), Layer("branch3x3dbl_3", 96, 3, 3, 2)),
    (HALVE,),
)
_D: tuple[Branch, ...] = (
    (Layer("branch3x3_1", 192), Layer("branch3x3_2", 320, 3, 3, 2)),
    (
        Layer("branch7x7x3_1", 192),
        Layer("branch7x7x3_2", 192, 1, 7),
        Layer("branch7x7x3_3", 192, 7, 1),
        Layer("branch7x7x3_4", 192, 3, 3, 2),
    ),
    (HALVE,),
)

# Before the blocks; only the third of these is padded.
STEM: tuple[Layer | str, ...] = (
    Layer("Conv2d_1a_3x3", 32, 3, 3, 2),
    Layer("Conv2d_2a_3x3", 32, 3, 3),
    Layer("Conv2d_2b_3x3", 64, 3, 3),
    HALVE,
    Layer("Conv2d_3b_1x1", 80),
    Layer("Conv2d_4a_3x3", 192, 3, 3),
    HALVE,
)
UNPADDED = ("Conv2d_2a_3x3", "Conv2d_4a_3x3")
BLOCKS: dict[str, tuple[Branch, ...]] = {
    "Mixed_5b": _a(32),
    "Mixed_5c": _a(64),
    "Mixed_5d": _a(64),
    "Mixed_6a": _B,
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": _D,
    "Mixed_7b": _e(AVERAGE),
    "Mixed_7c": _e(MAXIMUM),
}


class Mixed(nn.Module):
    """A block of branches that work side by side; their channels are joined."""

    def __init__(self, channels: int, branches: tuple[Branch, ...]) -> None:
        super().__init__()
        self.branches = branches
        self.channels = 0
        for branch in branches:
            wide = channels
            for step in branch:
                layers = _layers(step)
                for layer in layers:
                    setattr(self, layer.name, _convolution(wide, layer))
                wide = sum(layer.channels for layer in layers) or wide
            self.channels += wide

    def forward(self, hidden_BCHW: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to the channels of all branches."""
        found = []
        for branch in self.branches:
            branch_BCHW = hidden_BCHW
            for step in branch:
                if isinstance(step, str):
                    branch_BCHW = _pool(branch_BCHW, step)
                else:
                    parts = [F.relu(getattr(self, layer.name)(branch_BCHW)) for layer in _layers(step)]
                    branch_BCHW = torch.cat(parts, dim=1)
            found.append(branch_BCHW)
        return torch.cat(found, dim=1)


class Inception(nn.Module):
    """Inception-v3 up to the 2,048 features before its classes, with batch norms folded into its convolutions."""

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for step in STEM:
            if isinstance(step, Layer):
                setattr(self, step.name, _convolution(channels, step, padded=step.name not in UNPADDED))
                channels = step.channels
        for name, branches in BLOCKS.items():
            block = Mixed(channels, branches)
            setattr(self, name, block)
            channels = block.channels

    def forward(self, picture_BCHW: Tensor) -> Tensor:
        """Map ``(B, 3, H, W)`` in [-1, 1], of 299x299 pixels, to ``(B, 2048)``."""
        hidden_BCHW = picture_BCHW
        for step in STEM:
            if isinstance(step, str):
                hidden_BCHW = _pool(hidden_BCHW, step)
            else:
                hidden_BCHW = F.relu(getattr(self, step.name)(hidden_BCHW))
        for name in BLOCKS:
            hidden_BCHW = getattr(self, name)(hidden_BCHW)
        return hidden_BCHW.mean((2, 3))


def folded(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn the published weights into ours: each batch norm becomes part of its convolution; the classes are left.

    Raises:
        KeyError: One is missing.
    """
    ours = {}
    for name in _convolution_names():
        scale = published[f"{name}.bn.weight"] / (published[f"{name}.bn.running_var"] + EPSILON).sqrt()
        ours[f"{name}.weight"] = published[f"{name}.conv.weight"] * scale[:, None, None, None]
        ours[f"{name}.bias"] = published[f"{name}.bn.bias"] - published[f"{name}.bn.running_mean"] * scale
    return ours


def _convolution_names() -> Iterator[str]:
    yield from (step.name for step in STEM if isinstance(step, Layer))
    for block, branches in BLOCKS.items():
        for branch in branches:
            for step in branch:
                yield from (f"{block}.{layer.name}" for layer in _layers(step))


def _layers(step: Step) -> tuple[Layer, ...]:
    if isinstance(step, str):
        return ()
    return (step,) if isinstance(step, Layer) else step


def _convolution(channels: int, layer: Layer, *, padded: bool = True) -> nn.Conv2d:
    padding = (layer.rows // 2, layer.columns // 2) if padded and layer.stride == 1 else 0
    return nn.Conv2d(channels, layer.channels, (layer.rows, layer.columns), layer.stride, padding)


def _pool(hidden_BCHW: Tensor, kind: str) -> Tensor:
    if kind == AVERAGE:
        return F.avg_pool2d(hidden_BCHW, 3, stride=1, padding=1, count_include_pad=False)
    if kind == MAXIMUM:
        return F.max_pool2d(hidden_BCHW, 3, stride=1, padding=1)
    return F.max_pool2d(hidden_BCHW, 3, stride=2)
