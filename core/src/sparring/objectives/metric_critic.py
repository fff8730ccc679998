"""A critic that learns a score which has no gradient, and passes one on (MetricGAN)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from sparring.errors import TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import SequenceGenerator
from sparring.interfaces.objective import Objective, Update
from sparring.interfaces.reward import Reward
from sparring.losses.reduction import scores
from sparring.objectives.adversarial import one_hot
from sparring.objectives.cycle import whole_batch

SCORE, REFERENCE, CONDITION = "score", "reference", "condition."


class MetricCritic(Objective):
    """Let a critic learn a black-box score, and a generator raise what it predicts (MetricGAN: Fu et al., 2019).

    A step takes two updates. ``discriminator`` brings the critic's prediction near to the reward, by the mean square,
    for what the generator makes, for the real samples themselves, for one of the conditions if ``given`` names it, and
    for as many past samples, drawn from a history that is part of every checkpoint. ``generator`` brings the prediction
    for what it makes near to ``best``. Real samples, their conditions and the generated ones must belong together, row
    by row, if the reward compares them.

    The critic predicts in ``Critique.outputs["score"]``, ``(B,)``, or else by its logit: so any discriminator of the
    domain can learn a score. It sees the data's conditions and, as the condition ``reference``, the real sample of the
    same row. Rows for which the reward is NaN, since nothing can be scored there, are left out; ``unscored`` is their
    share among the generated ones, and ``score`` the mean reward of the others.

    A sequence generator is trained through ``relax``; the reward sees the likeliest token of each place.

    Args:
        reward: The score; higher is better. It is asked two or three times a step, and often costs the most.
        generator: The generator's role.
        discriminator: The critic's role.
        given: The name of a condition that is itself something like a sample, such as the noisy speech; the critic then
            learns its score too (MetricGAN+: Fu et al., 2021).
        best: The score that the generator aims at.
        history: How many past samples are kept, with their references and conditions; 0 shows the critic the newest
            alone. They are held in memory, and written into each checkpoint.
        temperature: The temperature at which sequences are relaxed.
    """

    def __init__(
        self,
        reward: Reward,
        generator: str = "generator",
        discriminator: str = "discriminator",
        given: str | None = None,
        best: float = 1.0,
        history: int = 256,
        temperature: float = 1.0,
    ) -> None:
        if history < 0:
            raise ValueError(f"history is {history}, and must be at least 0")
        self.reward, self.generator, self.discriminator = reward, generator, discriminator
        self.given, self.best, self.history, self.temperature = given, best, history, temperature
        self.past: dict[str, Tensor] = {}
        self._scored: dict[int, Tensor] = {}  # of what the generator made, by the id of its context
        self.own_updates = (Update("discriminator", (discriminator,)), Update("generator", (generator,)))

    def losses(self, update: Update, context: Context) -> dict[str, Tensor]:
        """Return all loss terms; sequences are relaxed, for stage terms too."""
        if isinstance(context.networks[self.generator], SequenceGenerator):
            context.relax(self.generator, self.temperature)
            if not context.batch.sample.is_floating_point():
                context.batch = one_hot(context.batch, context.generate(self.generator).sample)
        return super().losses(update, context)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the errors of the critic's predictions, or how far the generator is from the best."""
        made, batch = context.generate(self.generator), context.batch
        found = self._predict(context, made.sample, made.lengths)
        if update == self.own_updates[1]:
            return {"score": mse_loss(found, torch.full_like(found, self.best))}
        score = self._score(context, Batch(made.sample.detach(), batch.condition, made.lengths, made.extras))
        self._scored[id(context)] = score
        known = score.isfinite()
        context.record("score", torch.where(known, score, 0.0).sum() / known.sum().clamp_min(1))
        context.record("unscored", 1 - known.float().mean())
        losses = {"made": error(found, score)}
        for name, sample in self._anchors(batch):
            known_sample = Batch(sample, batch.condition, batch.lengths)
            predicted = self._predict(context, sample, batch.lengths)
            losses[name] = error(predicted, self._score(context, known_sample))
        if self.past:
            losses["past"] = self._of_the_past(context)
        return losses

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        """Put what the critic was shown into the history, from every process, so that all have the same."""
        if update != self.own_updates[0]:
            return
        fresh = [self._entry(context) for context in contexts]
        self._scored.clear()
        for name in fresh[0] if self.history else ():
            parts = [entry[name].detach() for entry in fresh]
            whole = whole_batch(contexts, parts).to(parts[0].dtype)
            held = self.past[name].to(whole.device) if name in self.past else whole[:0]
            self.past[name] = torch.cat([held, whole])[-self.history :]

    def state_dict(self) -> dict[str, Any]:
        """Return the history."""
        return {"past": dict(self.past)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to a history; of a longer one, to its newest samples."""
        kept = self.history
        self.past = {name: value[-kept:] for name, value in state["past"].items()} if kept else {}

    # ---- the score, and what the critic says of it ----

    def _anchors(self, batch: Batch) -> list[tuple[str, Tensor]]:
        """Return what is scored beside generated samples: the real ones, and perhaps a condition."""
        anchors = [("reference", batch.sample)]
        if self.given is not None:
            if self.given not in batch.condition:
                raise TrainingError(
                    f"the critic should score the condition '{self.given}' too, which the data do not give",
                    where="objective.given",
                    remedy=f"name one of the data's conditions: {', '.join(batch.condition) or 'there are none'}",
                )
            anchors.append(("given", batch.condition[self.given]))
        return anchors

    def _score(self, context: Context, samples: Batch) -> Tensor:
        """Ask the black box: ``(B,)``."""
        reference = context.batch
        if isinstance(context.networks[self.generator], SequenceGenerator):
            samples, reference = _tokens(samples), _tokens(reference)
        with torch.no_grad():
            return self.reward(samples, reference).to(context.device).float()

    def _predict(self, context: Context, sample: Tensor, lengths: Tensor | None) -> Tensor:
        return self._ask(context, sample, {**context.batch.condition, REFERENCE: context.batch.sample}, lengths)

    def _of_the_past(self, context: Context) -> Tensor:
        """Return the critic's error on past samples, as many as the batch has rows."""
        chosen = (context.uniform() * len(self.past[SCORE])).long()
        past = {name: value.to(context.device)[chosen] for name, value in self.past.items()}
        condition = {name.removeprefix(CONDITION): value for name, value in past.items() if name.startswith(CONDITION)}
        seen = {**condition, REFERENCE: past[REFERENCE]}
        return error(self._ask(context, past["sample"], seen, past.get("lengths")), past[SCORE])

    def _entry(self, context: Context) -> dict[str, Tensor]:
        """Return what the history keeps of an update, by name."""
        made, batch = context.generate(self.generator), context.batch
        kept = {SCORE: self._scored[id(context)], "sample": made.sample, REFERENCE: batch.sample}
        kept |= {f"{CONDITION}{name}": value for name, value in batch.condition.items()}
        return kept if made.lengths is None else {**kept, "lengths": made.lengths}

    def _ask(self, context: Context, sample: Tensor, condition: Mapping[str, Tensor], lengths: Tensor | None) -> Tensor:
        critique = context.critique(self.discriminator, sample, condition, lengths)
        found = critique.outputs.get(SCORE)
        if found is None and critique.logits:
            found = scores(critique)
        if found is None or found.shape != sample.shape[:1]:
            shown = "none" if found is None else f"one of shape {tuple(found.shape)}"
            raise TrainingError(
                f"the objective metric-critic needs a predicted score for each sample, and '{self.discriminator}' "
                f"gives {shown}",
                where=f"networks.{self.discriminator}",
                remedy='use a critic that returns one logit a row, or Critique(…, outputs={"score": …})',
            )
        return found


def error(found: Tensor, score: Tensor) -> Tensor:
    """Return the mean square error over the rows that have a score; 0 where none has."""
    known = score.isfinite()
    return torch.where(known, found - score, 0.0).square().sum() / known.sum().clamp_min(1)


def _tokens(batch: Batch) -> Batch:
    """Turn relaxed or one-hot sequences ``(B, T, V)`` into tokens ``(B, T)``."""
    return Batch(batch.sample.argmax(2), batch.condition, batch.lengths, batch.extras)
