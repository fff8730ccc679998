"""A critic that judges sentences by what a pretrained encoder sees in them.

Letters in names of tensors: B rows of the batch, T positions, V tokens of our vocabulary, P pieces that they are
to the encoder, E values of a token's embedding, W values that the encoder gives of a position, F features of the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.interfaces.data import Condition
from sparring.interfaces.discriminator import Critique, Discriminator
from sparring.interfaces.space import Space
from sparring.networks.frozen import Frozen
from sparring_text.networks.conditioning import fit_label, label_embedding
from sparring_text.networks.sentences import embed
from sparring_text.pretrained import check_room, fetched_sentence_encoder, fingerprint, load_encoder
from sparring_text.pretrained_tokens import their_pieces
from sparring_text.spaces import token_space, within
from sparring_text.tokens import START

NAME = "text/pretrained-encoder"
SLOPE = 0.2  # of LeakyReLU below zero


class EncoderDiscriminator(Discriminator):
    """Judge sentences by the mean of what an encoder of the Hugging Face hub, such as BERT, gives of their tokens.

    It reads tokens ``(B, T)``, or one-hot or relaxed rows ``(B, T, V)``, of which it sees the mean embedding. Where the
    data's tokens are not the encoder's own, it sees in the place of each the mean embedding of the pieces into which it
    cuts the token: of most words that is one, and of others less than it would see in a text. On the mean over
    positions (Reimers and Gurevych 2019, arXiv:1908.10084) stands a small head of two layers, which is trained. Frozen,
    the encoder stays as it was pretrained, and is not written into checkpoints, only its hash. A class label enters by
    projection (Miyato and Koyama 2018).

    Args:
        space: The sentences' space: ``(T,)`` tokens.
        conditions: None, or ``label``.
        pretrained: The encoder: a folder, or its name on the hub, from where it is fetched when the network is built;
            by default all-MiniLM-L6-v2, where ``sparring data fetch text/sentence-encoder`` brings it to.
        frozen: Whether the encoder stays as it was pretrained.
        features: Of the head's hidden layer.
    """

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        pretrained: str | None = None,
        frozen: bool = True,
        features: int = 256,
    ) -> None:
        super().__init__()
        known = token_space(space, NAME)
        place = fetched_sentence_encoder() if pretrained is None else pretrained
        pieces = their_pieces(known, place)
        model = load_encoder(place)
        check_room(model, known.length + 1, place)
        count_V = torch.tensor([len(those) for those in pieces])
        self.pieces: Tensor
        self.owner: Tensor
        self.share: Tensor
        self.register_buffer("pieces", torch.tensor([piece for those in pieces for piece in those]), persistent=False)
        self.register_buffer("owner", torch.arange(len(pieces)).repeat_interleave(count_V), persistent=False)
        self.register_buffer("share", 1 / count_V[:, None], persistent=False)
        self.encoder: nn.Module = Frozen[nn.Module](model, fingerprint(model)) if frozen else model
        self.hidden, self.head = nn.Linear(model.config.hidden_size, features), nn.Linear(features, 1)
        self.label = label_embedding(conditions, features, NAME)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        """Judge ``(B, T, V)`` rows or ``(B, T)`` tokens: logits ``(B,)``; features are the mean and the head's own."""
        network: Any = self.encoder.network if isinstance(self.encoder, Frozen) else self.encoder
        pieces_PE = network.get_input_embeddings()(self.pieces)
        sums_VE = pieces_PE.new_zeros(len(self.share), pieces_PE.shape[1]).index_add(0, self.owner, pieces_PE)
        table_VE = sums_VE * self.share
        embedded_BTE = functional.pad(embed(sample, table_VE), (0, 0, 1, 0))
        # The encoder was pretrained on texts that begin with its own start; the end is a token of ours already.
        embedded_BTE[:, 0] = table_VE[START]
        counts_BT = functional.pad(within(lengths, sample), (1, 0), value=True)
        hidden_BTW = network(inputs_embeds=embedded_BTE, attention_mask=counts_BT.long()).last_hidden_state
        counted_BTW = torch.where(counts_BT[..., None], hidden_BTW, 0.0)
        mean_BW = counted_BTW.sum(1) / counts_BT.sum(1, keepdim=True)
        features_BF = functional.leaky_relu(self.hidden(mean_BW), SLOPE)
        logits_B = self.head(features_BF).squeeze(1) + fit_label(features_BF, self.label, condition)
        return Critique((logits_B,), ((mean_BW, features_BF),))
