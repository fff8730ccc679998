"""A critic of sentences: convolutions of several widths, each pooled to its strongest response.

Letters in names of tensors: B rows of the batch, R representations, N sentences that the filters see (B · R), T
positions, V tokens of the vocabulary, E values of a token's embedding, F filters of one width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring_text.networks.conditioning import fit_label, label_embedding
from sparring_text.networks.sentences import embed, places
from sparring_text.spaces import token_space, within

NAME = "text/cnn"
CACHED = 2**18  # responses that fit a processor's cache
SLOPE = 0.2  # of LeakyReLU below zero: a filter that is silent everywhere still learns


class CNNDiscriminator(Discriminator):
    """Judge sentences by which word patterns occur anywhere in them (Kim 2014, arXiv:1408.5882; Yu et al. 2017).

    It reads one-hot or relaxed rows ``(B, T, V)``, or tokens ``(B, T)``. What lies past the end of a row counts
    nowhere. Each place has an embedding too, since a pattern's strongest response alone would not tell where it is, and
    so not whether a sentence ends too soon. A class label enters by projection (Miyato and Koyama 2018).

    With several ``representations`` the embedding's values are dealt out to them, and the same filters judge each
    apart (Nie, Narodytska and Patel 2019, whose 64 representations have one value each): so many opinions of
    one sentence, of little cost each.

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        embedding_dim: Values of a token's embedding, of all representations together.
        representations: How many opinions there are of a sentence; it divides ``embedding_dim``.
        filters: Patterns of each width.
        widths: How many tokens in a row a pattern spans; Kim has 3, 4 and 5.
        dropout: The share of responses left out in training, in [0, 1).
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        embedding_dim: int = 64,
        representations: int = 1,
        filters: int = 64,
        widths: tuple[int, ...] = (2, 3, 4, 5),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1 or not 0 <= dropout < 1:
            raise ValueError(f"widths are at least 1 and dropout lies in [0, 1), not {widths} and {dropout}")
        if representations < 1 or embedding_dim % representations:
            raise ValueError(
                f"{embedding_dim} values of an embedding cannot be dealt out to {representations} representations; "
                "give a number that divides them"
            )
        known = token_space(space, NAME)
        self.representations = representations
        self.embedding = nn.Embedding(known.vocabulary, embedding_dim)
        self.place = nn.Parameter(torch.randn(known.length, embedding_dim))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_dim // representations, filters, width) for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(widths), 1)
        self.label = label_embedding(conditions, filters * len(widths), NAME)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, T, V)`` rows or ``(B, T)`` tokens: logits ``(B,)``, and each width's responses as features.

        With R representations, logits are ``(B, R)`` and responses ``(B, R, F)``.
        """
        counts_BT1 = within(lengths, sample)[..., None]
        placed_BTE = embed(sample, self.embedding.weight) + places(self.place, sample, NAME)
        embedded_BET = torch.where(counts_BT1, placed_BTE, 0.0).transpose(1, 2)
        # Each representation becomes a sentence of its own, with a part of the values.
        embedded_NET = embedded_BET.reshape(len(sample) * self.representations, -1, sample.shape[1])
        counts_N1T = counts_BT1.transpose(1, 2).repeat_interleave(self.representations, 0)
        pooled = [self._strongest(layer, embedded_NET, counts_N1T) for layer in self.convolutions]
        if self.representations > 1:
            pooled = [one_NF.view(len(sample), self.representations, -1) for one_NF in pooled]
        responses = self.dropout(torch.cat(pooled, dim=-1))
        logits = self.head(responses).squeeze(-1) + fit_label(responses, self.label, condition)
        return Critique((logits,), (tuple(pooled),))

    def _strongest(self, convolution: nn.Module, embedded_NET: Tensor, counts_N1T: Tensor) -> Tensor:
        """Return the strongest response of each filter to a pattern within the sentence, ``(N, F)``."""
        assert isinstance(convolution, nn.Conv1d)
        further = convolution.kernel_size[0] - 1
        lacking = max(0, further + 1 - embedded_NET.shape[2])
        room, counts = functional.pad(embedded_NET, (0, lacking)), functional.pad(counts_N1T, (0, lacking))
        # A pattern counts where its last token does; a sentence shorter than it has one all the same, with zeros after.
        counts_N1T = torch.cat([counts[:, :, :1], counts[:, :, 1 + further :]], dim=2)
        # A filter of few values is cheaper to apply once more, where it was strongest, than its responses to all
        # positions are to remember: with RelGAN's 64 representations of one value, several times.
        few = convolution.weight[0].numel() <= counts_N1T.shape[2]
        pooled_NF = strongest_again(convolution, room, counts_N1T) if few else strongest(convolution, room, counts_N1T)
        # Both orders are the same, since it grows with its input; this one leaves T times fewer values to do.
        return torch.where(counts_N1T[:, :, 0], functional.leaky_relu(pooled_NF, SLOPE), 0.0)


def strongest(convolution: nn.Conv1d, room: Tensor, counts_N1T: Tensor) -> Tensor:
    """Return each filter's largest response ``(N, F)`` over the positions that count."""
    response_NFT = convolution(room)
    # A finite floor: a row of length 0 has a defined, if useless, response.
    floor = torch.finfo(response_NFT.dtype).min / 2
    return torch.where(counts_N1T, response_NFT, floor).amax(dim=2)


def strongest_again(convolution: nn.Conv1d, room: Tensor, counts_N1T: Tensor) -> Tensor:
    """Return the same: a first pass, without gradients, finds the positions, and a second one responds there alone.

    The first goes over few sentences at a time, so that their responses never leave the processor's cache.
    """
    values, positions = convolution.weight[0].numel(), counts_N1T.shape[2]
    # (N, E, T, K): windows of the sentence, without a copy.
    windows = room.unfold(2, convolution.kernel_size[0], 1)
    weight_FI, bias = convolution.weight.flatten(1), convolution.bias
    assert bias is not None
    part = max(1, CACHED // (positions * len(weight_FI)))
    place_T1 = torch.arange(positions, device=room.device, dtype=room.dtype)[:, None]
    with torch.no_grad():
        found = []
        floor_NT1 = (~counts_N1T).transpose(1, 2) * (torch.finfo(room.dtype).min / 2)
        for some, floor in zip(torch.split(windows, part), torch.split(floor_NT1, part), strict=True):
            flat_MI = some.transpose(1, 2).reshape(-1, values)
            response_NTF = (flat_MI @ weight_FI.T).view(len(some), positions, -1)
            response_NTF.add_(floor)
            # The last place that holds the largest: passes of plain arithmetic, a fifth of the time of `max`.
            largest_NTF = response_NTF.sub_(response_NTF.amax(dim=1, keepdim=True)).ge_(0)
            found.append(largest_NTF.mul_(place_T1).amax(dim=1).long())
        place_NF = torch.cat(found)
    # (N, F, I): what each filter saw where it was strongest.
    seen = windows.transpose(1, 2).flatten(2).gather(1, place_NF[..., None].expand(-1, -1, values))
    return (seen * weight_FI).sum(2) + bias
