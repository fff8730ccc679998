"""Losses, terms, objectives and what trains, each breaking one promise."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sparring import (
    Augmentation,
    Condition,
    Constraint,
    Context,
    Critique,
    Objective,
    Result,
    Term,
    Update,
    hookimpl,
)
from sparring.losses.hinge import Hinge
from sparring.training.loop import StagedTrainer
from sparring.training.run import Run
from sparring.training.schedules import Schedule
from tests.core.broken_components import breaks

# ---- losses, terms, objectives ----


@breaks("loss", "turned", "test_generator_learns_to_be_taken_for_real")
class Turned(Hinge):
    """Its generator learns to be found out."""

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        return -super().generator(real, fake)


@breaks("loss", "needy", "test_needs_real_is_honoured")
class Needy(Hinge):
    """It reads the real critique, and does not say so."""

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        assert real is not None
        return super().generator(real, fake) + real.logits[0].mean()


@breaks("loss", "summing", "test_scales_count_alike")
class Summing(Hinge):
    """It adds scales up."""

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        return torch.stack([-logits.mean() for logits in fake.logits]).sum()


@breaks("term", "elsewhere", "test_gradient_reaches_the_roles_that_it_trains")
class Elsewhere(Term):
    """It says that it trains the discriminator, and never asks it."""

    trains = ("discriminator",)

    def __call__(self, context: Context) -> Tensor:
        weights = [weight.square().mean() for weight in context.networks["generator"].parameters()]
        return torch.stack(weights).mean() * 0 + context.batch.sample.mean()


@breaks("term", "forgetful", "test_state_survives_a_checkpoint")
class Forgetful(Term):
    """Its value depends on how often it was asked, which no checkpoint knows."""

    trains = ("discriminator",)

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, context: Context) -> Tensor:
        self.asked += 1
        return context.critique("discriminator", context.batch.sample).logits[0].mean() * self.asked


class Shrinker(Objective):
    """An objective that keeps its promises: generated samples are drawn towards 0, more so from step to step."""

    def __init__(self) -> None:
        self.own_updates = (Update("generator", ("generator",)),)
        self.taken = 0

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        return {"size": context.generate("generator").sample.square().mean() * (1 + self.taken)}

    def after_update(self, update: Update, contexts: Sequence[Context]) -> None:
        self.taken += 1

    def state_dict(self) -> dict[str, Any]:
        return {"taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.taken = state["taken"]


@breaks("objective", "forgetful", "test_state_survives_a_checkpoint")
class ForgetfulObjective(Shrinker):
    """It saves nothing."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


@breaks("objective", "closed", "test_terms_of_the_stage_join")
class Closed(Shrinker):
    """It ignores the stage's terms."""

    def losses(self, update: Update, context: Context) -> dict[str, Tensor]:
        return dict(self.terms(update, context))


@breaks(
    "objective",
    "trespassing",
    "test_each_update_trains_its_roles_alone",
    "test_noise_comes_from_the_context",
    "test_state_survives_a_checkpoint",
    "test_terms_of_the_stage_join",
)
class Trespassing(Shrinker):
    """It makes the critic, which it does not train, take gradients."""

    def terms(self, update: Update, context: Context) -> Mapping[str, Tensor]:
        context.networks["discriminator"].requires_grad_(True)
        made = context.generate("generator")
        return {"logit": -context.critique("discriminator", made.sample).logits[0].mean()}


# ---- optimisation ----


@breaks("optimizer", "ascending", "test_lowers_a_loss")
def ascending(parameters: Any, lr: float = 0.1) -> torch.optim.Optimizer:
    """Climb."""
    return torch.optim.SGD(parameters, lr, maximize=True)


@breaks("schedule", "counting", "test_is_a_function_of_the_step")
class Counting(Schedule):
    """It counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def value(self, step: int, steps: int) -> float:
        self.asked += 1
        return 1 / self.asked


@breaks("initializer", "idle", "test_sets_weights_in_place")
class Idle:
    """It does nothing."""

    def __call__(self, module: nn.Module) -> None:
        pass


@breaks("constraint", "shrinking", "test_projects_in_place")
class Shrinking(Constraint):
    """It shrinks weights by a share each time."""

    def __call__(self, network: nn.Module) -> None:
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.mul_(0.9)


class Shift(Augmentation):
    """An augmentation that keeps its promises: it shifts by noise of a strength that adapts."""

    strength: Tensor

    def __init__(self, start: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("strength", torch.tensor(start))

    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        return sample + self.strength * torch.randn(sample.shape, generator=rng)

    def observe(self, real_logits: Tensor) -> Tensor:
        return real_logits.sign().mean()

    def adapt(self, statistic: Tensor, samples: int) -> None:
        self.strength.add_(statistic * samples / 10_000)


@breaks("augmentation", "global", "test_follows_its_rng_alone")
class GlobalShift(Shift):
    """It draws from the global generator; only when that was seeded with 2, or its state would be compared too."""

    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        return super().forward(sample, condition, rng=rng) + (torch.initial_seed() == 2)


@breaks("augmentation", "unsaved", "test_state_survives_a_checkpoint")
class Unsaved(Shift):
    """Its strength is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        del self.strength
        self.strength = torch.tensor(0.1)


# ---- trainers and callbacks ----


@breaks("trainer", "stubborn", "test_stops_when_asked")
class Stubborn(StagedTrainer):
    """It goes on when it is asked to stop."""

    def fit(self, run: Run) -> Result:
        run.request_stop = lambda reason: None  # type: ignore[method-assign]
        return super().fit(run)


@breaks("trainer", "forgetful", "test_resumes_where_it_was")
class ForgetfulTrainer(StagedTrainer):
    """It begins a resumed stage anew."""

    def fit(self, run: Run) -> Result:
        run.stage_step = 0
        return super().fit(run)


@breaks("callback", "misspelt", "test_has_known_hooks_only", "test_state_survives_a_run")
class Misspelt:
    """It waits for a hook that never fires."""

    @hookimpl
    def sparring_step_ends(self) -> None:
        """Do nothing."""


@breaks("callback", "opaque", "test_state_survives_a_run")
class Opaque:
    """Its state is no plain value."""

    def __init__(self) -> None:
        self.steps = itertools.count()

    @hookimpl
    def sparring_step_end(self) -> None:
        """Count."""
        next(self.steps)

    def state_dict(self) -> dict[str, Any]:
        """Return the counter itself."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self.steps = state["steps"]
