"""What objectives by policy gradient share: surrogates, and what each token is credited with.

Letters in names of tensors: B rows of the batch, T positions, R sequences that are judged together.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.interfaces.objective import Update
from sparring.objectives.judging import Judge


def clipped(log_prob_BT: Tensor, old_log_prob_BT: Tensor, advantage_BT: Tensor, clip: float) -> Tensor:
    """Return the clipped surrogate of each token's advantage, ``(B, T)``, to be raised (Schulman et al., 2017).

    Args:
        log_prob_BT: Of the sampled tokens, as the network is now.
        old_log_prob_BT: The same as it was when they were sampled.
        advantage_BT: How much better than usual a token is.
        clip: How far the ratio of probabilities may leave 1 and still be worth something.
    """
    ratio_BT = (log_prob_BT - old_log_prob_BT).exp()
    return torch.minimum(ratio_BT * advantage_BT, ratio_BT.clamp(1 - clip, 1 + clip) * advantage_BT)


def passes_over(trains: str, passes: int) -> tuple[Update, ...]:
    """Return the updates that learn several times from the same samples."""
    if passes < 1:
        raise ValueError(f"passes is {passes}, and must be at least 1")
    further = (Update(f"{trains}-pass-{number}", (trains,), continues=True) for number in range(2, passes + 1))
    return (Update(trains, (trains,)), *further)


def discounted(reward: Tensor, counted_BT: Tensor, discount: float) -> Tensor:
    """Return the discounted sum of the rewards from each token on, ``(B, T)``, 0 past the end.

    NaN, where there is no reward, spreads to the tokens before it.

    Args:
        reward: ``(B, T)``; or ``(B,)``, given for the last token of each sequence.
        counted_BT: Which tokens count.
        discount: The share of a reward that is left one token earlier, in [0, 1].
    """
    if reward.dim() == 1:
        reward = spread(reward, counted_BT)
    following_B = torch.zeros_like(reward[:, 0])
    found = []
    for reward_B in reward.where(counted_BT, 0.0).flip(1).unbind(1):
        following_B = reward_B + discount * following_B
        found.append(following_B)
    return torch.stack(found[::-1], dim=1).where(counted_BT, 0.0)


def spread(reward_B: Tensor, counted_BT: Tensor) -> Tensor:
    """Return rewards of whole sequences as those of their last tokens, ``(B, T)``."""
    return reward_B[:, None].where(at_the_end(counted_BT), 0.0)


def rollout_values(
    context: Context,
    role: str,
    drawn: Generated,
    whole_B: Tensor,
    judge: Judge,
    *,
    rollouts: int,
    temperature: float,
) -> Tensor:
    """Complete each beginning several times, and return the mean reward by beginning, ``(B, T)``, 0 past the end.

    Completions of all beginnings of one length are sampled and judged at once. A sequence that has ended needs none:
    its last token is credited with its own reward (SeqGAN: Yu et al., 2017, equation 4).

    Args:
        context: The update's.
        role: The generator's.
        drawn: The sampled sequences.
        whole_B: Their rewards.
        judge: Rewards completions.
        rollouts: How often each beginning is completed.
        temperature: The temperature at which it is.
    """
    network = cast(SequenceGenerator, context.networks[role])
    length_B = counted(drawn).sum(1)
    value_BT = spread(whole_B, counted(drawn))
    for known in range(1, int(length_B.max())):
        live = (length_B > known).nonzero().squeeze(1)
        row_R = live.repeat_interleave(rollouts)
        condition = {name: given[row_R] for name, given in context.batch.condition.items()}
        prefix = drawn.sample[row_R, :known]
        made = network.sample(len(row_R), condition, rng=context.rows_rng, prefix=prefix, temperature=temperature)
        judged_R = judge(Batch(made.sample, condition, made.lengths, made.extras), row_R)
        value_BT[live, known - 1] = judged_R.view(len(live), rollouts).nanmean(1)
    return value_BT


def counted(drawn: Generated) -> Tensor:
    """Return which tokens count, ``(B, T)``."""
    place_T = torch.arange(drawn.sample.shape[1], device=drawn.sample.device)
    if drawn.lengths is None:
        return place_T.ge(0).expand(drawn.sample.shape)
    return place_T < drawn.lengths[:, None]


def at_the_end(counted_BT: Tensor) -> Tensor:
    """Return which tokens are the last of their sequence, ``(B, T)``."""
    return counted_BT & ~torch.cat([counted_BT[:, 1:], torch.zeros_like(counted_BT[:, :1])], dim=1)
