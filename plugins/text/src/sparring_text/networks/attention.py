"""Blocks of a transformer that looks back only.

Letters in names of tensors: B rows of the batch, H heads, T positions, P positions that are remembered and read, W
values of a position, D values of a head (W / H).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDER = 4  # how many times as wide as a position the hidden layer of a block is (Vaswani et al. 2017)

Remembered = tuple[Tensor, Tensor]
"""Keys and values of the positions that were read, ``(B, H, P, D)`` each."""


class Block(nn.Module):
    """Attention to earlier positions, then two linear layers, each after a layer norm (Xiong et al. 2020).

    Args:
        width: Values of a position.
        heads: Attentions beside one another; they divide ``width``.
        dropout: The share of what either part adds that is left out in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.look_norm, self.think_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.look, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, WIDER * width), nn.GELU(), nn.Linear(WIDER * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_BTW: Tensor, past: Remembered | None = None) -> tuple[Tensor, Remembered]:
        """Pass on positions ``(B, T, W)``; with a ``past``, T is 1, and the position follows those remembered."""
        query, key, value = (
            part_BTW.view(*part_BTW.shape[:2], self.heads, -1).transpose(1, 2)
            for part_BTW in self.look(self.look_norm(hidden_BTW)).chunk(3, dim=2)
        )
        if past is not None:
            # A new tensor each time: one that is written into could not be differentiated.
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        found_BHTD = functional.scaled_dot_product_attention(query, key, value, is_causal=past is None)
        hidden_BTW = hidden_BTW + self.dropout(self.merge(found_BHTD.transpose(1, 2).flatten(2)))
        return hidden_BTW + self.dropout(self.think(self.think_norm(hidden_BTW))), (key, value)


def blocks(width: int, heads: int, layers: int, dropout: float) -> nn.ModuleList:
    """Return ``layers`` blocks.

    Raises:
        ValueError: They cannot be built so.
    """
    if heads < 1 or width % heads or not 0 <= dropout < 1:
        raise ValueError(
            f"heads divide the width, and dropout lies in [0, 1), not {heads} heads, a width of {width}, and {dropout}"
        )
    return nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
