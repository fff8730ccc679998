"""A critic as the reward function of TRL's trainers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sparring.errors import DataError, SparringError
from sparring.interfaces.discriminator import Discriminator, lift_critique
from sparring.interfaces.space import Space
from sparring.losses.reduction import per_sample
from sparring.training.generate import evaluating

Completion = str | Sequence[Mapping[str, Any]]
"""A text, or a conversation's messages, each with its ``content``."""

RewardFunction = Callable[..., list[float]]


def completion_reward(
    discriminator: Discriminator, space: Space, conditions: Mapping[str, Space], prompts: bool
) -> RewardFunction:
    """Return a function ``reward(prompts, completions, **columns)``: see ``Discriminator.as_reward``."""
    read_prompts = prompts

    def discriminator_reward(
        prompts: Sequence[Completion], completions: Sequence[Completion], **kwargs: Any
    ) -> list[float]:
        """Return each completion's probability of being real, in [0, 1]."""
        texts = [_text(completion) for completion in completions]
        if read_prompts:
            texts = [_text(prompt) + text for prompt, text in zip(prompts, texts, strict=True)]
        encoded = [_encoded(space, text) for text in texts]
        fitting = [row for row, tokens in enumerate(encoded) if tokens is not None]
        found = [0.0] * len(texts)
        if not fitting:
            return found
        device = next(discriminator.parameters()).device
        sample = torch.stack([tokens for tokens in encoded if tokens is not None]).to(device)
        condition = {
            name: torch.stack([one.encode(_column(kwargs, name)[row]) for row in fitting]).to(device)
            for name, one in conditions.items()
        }
        with torch.no_grad(), evaluating(discriminator):
            # Padding is 0, and nothing but what follows the end.
            logits = lift_critique(discriminator(sample, condition, sample.ne(0).sum(1))).logits
        worth = per_sample([torch.sigmoid(logit.float()) for logit in logits])
        for row, value in zip(fitting, worth.tolist(), strict=True):
            found[row] = value
        return found

    return discriminator_reward


def _text(completion: Completion) -> str:
    if isinstance(completion, str):
        return completion
    return "".join(str(message["content"]) for message in completion)


def _encoded(space: Space, text: str) -> Tensor | None:
    try:
        return space.encode(text)
    except DataError:
        return None  # longer than anything that the critic has read


def _column(columns: Mapping[str, Any], name: str) -> Sequence[Any]:
    if name not in columns:
        raise SparringError(
            f"the critic judges by '{name}', and the dataset has no such column",
            where="as_reward",
            remedy=f"give the dataset a column '{name}'",
        )
    found: Sequence[Any] = columns[name]
    return found
