"""What objectives by policy gradient share: judging samples, and saying what each token is credited with.

Letters in names of tensors: B rows of the batch, T positions, R sequences that are judged together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import Generated, SequenceGenerator
from sparring.interfaces.objective import Update
from sparring.interfaces.reward import NetworkReward, Reward

Judge = Callable[[Batch, Tensor], Tensor]
"""Rewards sampled sequences, ``(R,)`` or ``(R, T)``; the tensor ``(R,)`` says which row of the update's batch each of
them was sampled for."""


def updates_of(reward: Reward) -> tuple[Update, ...]:
    """Return the updates by which a reward learns along."""
    return reward.updates if isinstance(reward, NetworkReward) else ()


def judge_by(reward: Reward, context: Context) -> Judge:
    """Return a function that rewards samples of an update."""
    if isinstance(reward, NetworkReward):
        reward.see(context.networks)

    def judge(samples: Batch, row_R: Tensor) -> Tensor:
        with torch.no_grad():
            return reward(samples, context.batch.rows(row_R)).to(context.device).float()

    return judge


def judge_samples(context: Context, role: str, judge: Judge) -> Tensor:
    """Return the rewards of what an update has sampled from a generator, ``(B,)`` or ``(B, T)``."""
    drawn, (condition, rows) = context.sample(role), context.sampled_for(role)
    return judge(Batch(drawn.sample, condition, drawn.lengths, drawn.extras), rows)


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

    Args:
        reward: ``(B, T)``; or ``(B,)``, given for the last token of each sequence.
        counted_BT: Which tokens count.
        discount: The share of a reward that is left one token earlier, in [0, 1].
    """
    if reward.dim() == 1:
        reward = reward[:, None] * at_the_end(counted_BT)
    following_B = torch.zeros_like(reward[:, 0])
    found = []
    for reward_B in (reward * counted_BT).flip(1).unbind(1):
        following_B = reward_B + discount * following_B
        found.append(following_B)
    return torch.stack(found[::-1], dim=1) * counted_BT


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
    value_BT = whole_B[:, None] * at_the_end(counted(drawn))
    for known in range(1, int(length_B.max())):
        live = (length_B > known).nonzero().squeeze(1)
        row_R = live.repeat_interleave(rollouts)
        condition = {name: given[row_R] for name, given in context.batch.condition.items()}
        prefix = drawn.sample[row_R, :known]
        made = network.sample(len(row_R), condition, rng=context.rows_rng, prefix=prefix, temperature=temperature)
        judged_R = judge(Batch(made.sample, condition, made.lengths, made.extras), row_R)
        value_BT[live, known - 1] = judged_R.view(len(live), rollouts).mean(1)
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
