"""PPO: a sequence generator learns from advantages over what a network of values expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.discriminator import lift_critique
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.objectives.judging import MovingMean, judge_samples, mean_of_known, updates_of
from sparring.objectives.policy import clipped, counted, discounted, passes_over, spread

MEAN_DECAY = 0.9  # of the expected return of a sequence that has not begun


class PPO(Objective):
    """Raise the probability of tokens that turn out better than expected, a little at a time (Schulman et al., 2017).

    What is expected comes from the network of values, a discriminator that judges each token: its logit at a token is
    the return it expects from there on. Advantages are generalised (Schulman et al., 2016). What is expected before
    the first token is a moving mean. A penalty for leaving a reference is the term ``kl``.

    A row whose reward is NaN, since nothing can be scored there, gives no gradient, nor do its values learn;
    ``unscored`` is the share of such rows.

    Args:
        reward: Scores each sampled sequence, or each of its tokens; it may be a critic that learns along.
        generator: The role of a ``SequenceGenerator``.
        value: The role of the network of values, with logits ``(B, T)`` for tokens ``(B, T)``, the t-th from what is
            read up to t, such as ``text/token-lstm``.
        clip: How far the ratio of a token's probabilities, now and when it was sampled, may leave 1.
        passes: How often the same samples are learnt from. In the first pass the ratio is 1 and nothing is clipped.
        discount: The share of a reward that is left one token earlier, in [0, 1].
        trace: λ of the generalised advantages, in [0, 1]: at 0 an advantage looks one token ahead, at 1 to the end.
        temperature: The temperature at which sequences are sampled.
    """

    def __init__(
        self,
        reward: Reward,
        generator: str = "generator",
        value: str = "value",
        clip: float = 0.2,
        passes: int = 4,
        discount: float = 1.0,
        trace: float = 0.95,
        temperature: float = 1.0,
    ) -> None:
        for name, share in (("discount", discount), ("trace", trace)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is {share}, and must be in [0, 1]")
        if clip <= 0:
            raise ValueError(f"clip is {clip}, and must be more than 0")
        self.reward, self.generator, self.value = reward, generator, value
        self.clip, self.discount, self.trace, self.temperature = clip, discount, trace, temperature
        self.usual = MovingMean(MEAN_DECAY)
        self._passes = passes_over(generator, passes)
        self._value_update = Update(value, (value,), continues=True)
        self.own_updates = (*updates_of(reward), *self._passes, self._value_update)
        self.sequence_roles = (generator,)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the clipped surrogate, the error of the values, or the terms by which the reward learns along."""
        if update not in (*self._passes, self._value_update):
            return cast(NetworkReward, self.reward).terms(update, context)
        counted_BT = counted(context.sample(self.generator, temperature=self.temperature))
        if update == self._passes[0]:
            self._look_back(context, counted_BT)
        counted_BT = context.carried["known"]
        tokens = counted_BT.sum().clamp_min(1)
        if update == self._value_update:
            error_BT = functional.mse_loss(self._values(context), context.carried["return"], reduction="none")
            return {"value_error": (error_BT * counted_BT).sum() / tokens}
        gain_BT = clipped(
            context.log_prob(self.generator), context.carried["log_prob"], context.carried["advantage"], self.clip
        )
        return {"surrogate": -(gain_BT * counted_BT).sum() / tokens}

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        """Move the mean return after the last update of a step."""
        if update.name == self._value_update.name:
            self.usual.follow(contexts, [context.carried["first_return"] for context in contexts])

    def state_dict(self) -> dict[str, Any]:
        """Return the mean return."""
        return {"mean_return": self.usual.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a mean return."""
        self.usual.value = state["mean_return"]

    def _look_back(self, context: Context, counted_BT: Tensor) -> None:
        """Leave for all passes what the samples got, and how much better than expected it is."""
        reward = judge_samples(context, self.generator, self.reward)
        reward_BT = spread(reward, counted_BT) if reward.dim() == 1 else reward.where(counted_BT, 0.0)
        known_B = reward_BT.isfinite().all(1)
        # From here on a row without a reward counts no token; NaN times 0 would be NaN.
        counted_BT, reward_BT = counted_BT & known_B[:, None], reward_BT.where(known_B[:, None], 0.0)
        return_BT = discounted(reward_BT, counted_BT, self.discount)
        first_B = return_BT[:, 0].where(known_B, torch.nan)
        with torch.no_grad():
            expected_BT = self._values(context) * counted_BT
        before_BT = self._before(expected_BT, mean_of_known(first_B)) * counted_BT
        context.carried.update(
            {
                "known": counted_BT,
                "advantage": advantages(reward_BT, before_BT, counted_BT, self.discount, self.trace),
                "return": return_BT,
                "first_return": first_B,
                "log_prob": context.log_prob(self.generator).detach(),
            }
        )

    def _before(self, expected_BT: Tensor, first: Tensor) -> Tensor:
        """Return what was expected before each token: after the one before it, or of nothing at all."""
        return torch.cat([self.usual.or_else(first).expand(len(expected_BT), 1), expected_BT[:, :-1]], dim=1)

    def _values(self, context: Context) -> Tensor:
        """Return the return expected after each sampled token, ``(B, T)``."""
        drawn, (condition, _) = context.sample(self.generator), context.sampled_for(self.generator)
        values = lift_critique(context.networks[self.value](drawn.sample, condition, drawn.lengths)).logits[0]
        if values.shape != drawn.sample.shape:
            raise TrainingError(
                f"the network of values gave logits of the shape {tuple(values.shape)} for tokens "
                f"{tuple(drawn.sample.shape)}",
                where=f"networks.{self.value}",
                remedy="use a discriminator that judges each token",
            )
        return values


def advantages(reward_BT: Tensor, before_BT: Tensor, counted_BT: Tensor, discount: float, trace: float) -> Tensor:
    """Return generalised advantages, ``(B, T)``, 0 past the end (Schulman et al., 2016, equation 16).

    Args:
        reward_BT: Each token's reward.
        before_BT: The return that was expected before each token, 0 past the end.
        counted_BT: Which tokens count.
        discount: γ.
        trace: λ.
    """
    after_BT = torch.cat([before_BT[:, 1:], torch.zeros_like(before_BT[:, :1])], dim=1)
    surprise_BT = (reward_BT + discount * after_BT - before_BT) * counted_BT
    return discounted(surprise_BT, counted_BT, discount * trace)
