"""Unpaired translation between two domains (CycleGAN)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sparring.interfaces.context import Context
from sparring.interfaces.discriminator import Critique
from sparring.interfaces.loss import Loss
from sparring.interfaces.objective import Objective, Update
from sparring.objectives.adversarial import mean_logit
from sparring.terms.cycle import translations

FORWARD, BACKWARD = "forward", "backward"


class Cycle(Objective):
    """Train two translators, there and back, against a critic of each domain (CycleGAN: Zhu et al., 2017).

    The data give samples of one domain and, as the condition ``image``, images of the other; rows need not belong
    together. A step takes two updates: ``translators``, both at once, and ``critics``, both at once, of the same
    batch. Add the terms ``cycle-consistency`` and ``identity``, which join the first; the paper's loss is
    ``least-squares``.

    Critics look at one domain each, and see no condition. They learn from a history of generated images (Shrivastava
    et al., 2017): each new one is, with a probability of 1/2, kept while an older one takes its place. The history is
    drawn from the whole batch, so that any number of processes has the same; it is part of every checkpoint.

    The four roles, and what they are in the paper:

    - ``generator``, G: the condition ``image`` → sample. Samples are drawn from it.
    - ``backward_generator``, F: sample → image. It lives in ``space: conditions.image``.
    - ``discriminator``, D_Y: judges samples.
    - ``backward_discriminator``, D_X: judges images; ``space: conditions.image``.

    Args:
        loss: The adversarial pair.
        generator: The role that translates the condition ``image`` into samples.
        backward_generator: The role that translates samples into images of that condition.
        discriminator: The role that judges samples.
        backward_discriminator: The role that judges images of the condition.
        history: How many generated images of each domain are kept; 0 shows the critics the newest alone.
    """

    def __init__(
        self,
        loss: Loss,
        generator: str = "generator",
        backward_generator: str = "backward_generator",
        discriminator: str = "discriminator",
        backward_discriminator: str = "backward_discriminator",
        history: int = 50,
    ) -> None:
        self.loss = loss
        self.translators, self.critics = (generator, backward_generator), (discriminator, backward_discriminator)
        self.histories = {direction: History(history) for direction in (FORWARD, BACKWARD)}
        self._shown: dict[str, Tensor] = {}
        self._translators_update = Update("translators", self.translators)
        self._critics_update = Update("critics", self.critics, continues=True)
        self.own_updates = (self._translators_update, self._critics_update)

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        """Return the adversarial term of each direction, for one pair of players."""
        if update == self._critics_update:
            return self._critics_terms(context)
        found = translations(context, *self.translators)
        losses = {}
        for direction, critic, real, fake in zip(
            (FORWARD, BACKWARD),
            self.critics,
            (found.target, found.source),
            (found.to_target, found.to_source),
            strict=True,
        ):
            compared = _judge(context, critic, real) if self.loss.needs_real else None
            losses[f"adversarial_{direction}"] = self.loss.generator(compared, _judge(context, critic, fake))
        return losses

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        """Put what the translators made into the histories, and take from these what the critics will see."""
        if update != self._translators_update:
            return
        found = [translations(context, *self.translators) for context in contexts]
        for direction, made in (
            (FORWARD, [one.to_target for one in found]),
            (BACKWARD, [one.to_source for one in found]),
        ):
            whole = whole_batch(contexts, [sample.detach() for sample in made])
            self._shown[direction] = self.histories[direction].exchange(whole, contexts[0].rng)

    def state_dict(self) -> dict[str, Any]:
        """Return the histories."""
        return {direction: history.state_dict() for direction, history in self.histories.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to saved histories."""
        for direction, history in self.histories.items():
            history.load_state_dict(state[direction])

    def _critics_terms(self, context: Context) -> Mapping[str, Tensor]:
        reals = (context.batch.sample, context.batch.condition["image"])
        losses, logits = {}, []
        for direction, critic, sample in zip((FORWARD, BACKWARD), self.critics, reals, strict=True):
            real = _judge(context, critic, sample)
            fake = _judge(context, critic, context.rows.of(self._shown[direction]))
            losses[f"adversarial_{direction}"] = self.loss.discriminator(real, fake)
            logits.append(torch.stack([mean_logit(real), mean_logit(fake)]))
        for name, value in zip(("real_logit", "fake_logit"), torch.stack(logits).mean(0), strict=True):
            context.record(name, value)
        return losses


class History:
    """The last images that a translator made, some of which a critic sees again (Shrivastava et al., 2017).

    Args:
        size: How many are kept; 0 keeps none.
    """

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"history is {size}, and must be at least 0")
        self.size = size
        self.kept: Tensor | None = None

    def exchange(self, made: Tensor, rng: torch.Generator) -> Tensor:
        """Take in new images ``(B, …)`` one by one, and return as many to be judged.

        Until the history is full each is kept and returned. Then each is, with a probability of 1/2, returned; or else
        it takes the place of one at random, which is returned.
        """
        if self.size == 0:
            return made
        kept = made[:0] if self.kept is None else self.kept.to(made.device)
        shown = made.clone()
        free = min(self.size - len(kept), len(made))
        kept = torch.cat([kept, made[:free]])
        count = len(made) - free
        if count:
            # Read once, rather than a number at a time: on an accelerator each reading waits for it.
            old = torch.rand(count, generator=rng, device=rng.device) < 0.5
            places = torch.randint(self.size, (count,), generator=rng, device=rng.device)
            for row, (swap, place) in enumerate(zip(old.tolist(), places.tolist(), strict=True), free):
                if swap:
                    shown[row], kept[place] = kept[place].clone(), made[row]
        self.kept = kept
        return shown

    def state_dict(self) -> dict[str, Any]:
        """Return the images."""
        return {} if self.kept is None else {"kept": self.kept.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Return to saved images; of a longer history, as many as this one keeps."""
        kept = state.get("kept")
        self.kept = None if kept is None else kept[: self.size]


def _judge(context: Context, critic: str, sample: Tensor) -> Critique:
    return context.critique(critic, sample, condition={})


def whole_batch(contexts: Sequence[Context], parts: Sequence[Tensor]) -> Tensor:
    """Return the rows of the global batch, of every process and part, in order."""
    first = contexts[0]
    whole = parts[0].new_zeros(first.rows.total, *parts[0].shape[1:], dtype=torch.float32)
    there = whole.new_zeros(first.rows.total)
    for context, part in zip(contexts, parts, strict=True):
        whole[context.rows.start : context.rows.stop] = part
        there[context.rows.start : context.rows.stop] = 1.0
    # A mean over processes of rows that all but one leave at 0; the ones say by what it has to be divided.
    share = first.average(there).reshape(-1, *[1] * (whole.dim() - 1))
    return first.average(whole) / share
