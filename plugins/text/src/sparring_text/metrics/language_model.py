"""A small language model that metrics train themselves, always in the same way.

It has nothing to do with the generators of the plugin, so that figures stay the same when those change. Letters in
names of tensors: B rows, T positions, N positions that count, V tokens, W hidden values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparring.metrics.classifier import set_apart
from sparring_text.tokens import PADDING, START

WIDTH, EMBEDDING = 128, 64
DROPOUT = 0.3  # the sentences are few, and would be learnt by heart
BATCH = 64
LEARNING_RATE = 4e-3
FEW = 64  # rows at a time when judging


class LanguageModel(nn.Module):
    """A one-layer LSTM with tied embeddings, from the start token on.

    Args:
        vocabulary: How many tokens there are.
    """

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, EMBEDDING)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING**-0.5)
        self.recurrence = nn.LSTM(EMBEDDING, WIDTH, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.project = nn.Linear(WIDTH, EMBEDDING, bias=False)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def hidden(self, tokens: Tensor) -> Tensor:
        """Return the hidden values after each token: ``(B, T)`` -> ``(B, T, W)``."""
        hidden_BTW: Tensor = self.recurrence(self.dropout(self.embedding(tokens)))[0]
        return hidden_BTW

    def nll(self, tokens: Tensor) -> Tensor:
        """Return the negative log-likelihood of each token that is no padding, in nats: ``(B, T)`` -> ``(N,)``."""
        before_BT = torch.cat([torch.full_like(tokens[:, :1], START), tokens[:, :-1]], dim=1)
        counts_BT = tokens != PADDING
        projected = self.project(self.dropout(self.hidden(before_BT)[counts_BT]))
        scores_NV = functional.linear(projected, self.embedding.weight, self.bias)
        return functional.cross_entropy(scores_NV, tokens[counts_BT], reduction="none")


def trained(tokens: Tensor, vocabulary: int, steps: int, seed: int) -> LanguageModel:
    """Train a language model on rows of padded tokens ``(N, T)``, on the CPU; the same arguments give the same one."""
    draw = torch.Generator().manual_seed(seed)
    with set_apart(seed):
        model = LanguageModel(vocabulary)
        optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        order = torch.empty(0, dtype=torch.long)
        for _ in range(steps):
            while len(order) < BATCH:
                order = torch.cat([order, torch.randperm(len(tokens), generator=draw)])
            loss = model.nll(tokens[order[:BATCH]]).mean()
            order = order[BATCH:]
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
    return model.eval().requires_grad_(False)


def mean_nll(model: LanguageModel, tokens: Tensor) -> float:
    """Return the mean negative log-likelihood of a token, the end among them, in nats."""
    total, count = 0.0, 0
    with torch.no_grad():
        for part in torch.split(tokens, FEW):
            found = model.nll(part)
            total, count = total + float(found.double().sum()), count + len(found)
    return total / max(count, 1)
