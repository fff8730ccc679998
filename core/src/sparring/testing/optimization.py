"""The contracts of optimisers, schedules and initialisers."""

from __future__ import annotations

import copy
import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparring.testing.contract import ComponentContract, global_seed, same, through_a_file
from sparring.training.schedules import Schedule

STEPS = 60
LENGTHS = (1, 10, 1000)


class OptimizerContract(ComponentContract):
    """What an optimiser promises: a function of ``parameters`` and options that gives a ``torch.optim.Optimizer``."""

    kind = "optimizer"

    def problem(self) -> tuple[nn.Parameter, Any]:
        """Return a parameter, and the optimiser that moves it towards 0."""
        parameter = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
        return parameter, self.build(parameters=[parameter])

    def descend(self, parameter: nn.Parameter, optimizer: Any, steps: int) -> Tensor:
        """Take steps on the mean square, and return where they led."""
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            parameter.square().mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return parameter.detach().clone()

    def build(self, **available: Any) -> Any:
        """Build it for a parameter, where none is given."""
        return super().build(**{"parameters": [nn.Parameter(torch.zeros(3))], **available})

    def test_is_an_optimizer(self) -> None:
        """It is torch's, with a learning rate that schedules can set."""
        built = self.build()
        self.expect(
            isinstance(built, Optimizer), f"it gives a {type(built).__name__}", "return a torch.optim.Optimizer"
        )
        self.expect("lr" in built.param_groups[0], "its groups have no 'lr'", "keep the learning rate in param_groups")

    def test_lowers_a_loss(self) -> None:
        """On a parabola it goes down."""
        parameter, optimizer = self.problem()
        before = float(parameter.detach().square().mean())
        after = float(self.descend(parameter, optimizer, STEPS).square().mean())
        self.expect(
            math.isfinite(after) and after < before,
            f"{STEPS} steps turned a loss of {before:.4g} into {after:.4g}",
            "step against the gradient; or give this contract a learning rate",
        )

    def test_state_survives_a_checkpoint(self) -> None:
        """Loaded into a new optimiser, its state leads on as it would have."""
        parameter, optimizer = self.problem()
        halfway = self.descend(parameter, optimizer, 5)
        remedy = "keep all state in Optimizer.state and param_groups, as tensors and plain values"
        state = self.attempt(lambda: through_a_file(optimizer.state_dict()), "its state cannot be saved", remedy)
        wanted = self.descend(parameter, optimizer, 5)
        other, second = self.problem()
        with torch.no_grad():
            other.copy_(halfway)
        second.load_state_dict(state)
        self.expect(same(wanted, self.descend(other, second, 5)), "after a checkpoint it takes other steps", remedy)

    def test_parameters_without_gradient_stay(self) -> None:
        """What an update leaves alone is left alone."""
        parameter, optimizer = self.problem()
        before = parameter.detach().clone()
        optimizer.zero_grad(set_to_none=True)
        self.attempt(optimizer.step, "a step without gradients fails", "skip parameters whose grad is None")
        self.expect(
            same(before, parameter.detach()), "a step without gradients moves parameters", "skip such parameters"
        )


class ScheduleContract(ComponentContract):
    """What a schedule promises."""

    kind = "schedule"
    interface: ClassVar[type | None] = Schedule

    def test_values_are_finite_numbers(self) -> None:
        """At every step of a stage, short or long, the value is a finite float."""
        schedule = self.build()
        for steps in LENGTHS:
            for step in sorted({0, 1, steps // 2, steps - 1, steps}):
                value = schedule.value(step, steps)
                self.expect(
                    type(value) in (float, int) and math.isfinite(value),
                    f"at step {step} of {steps} its value is {value!r}",
                    "return a finite Python float",
                )

    def test_is_a_function_of_the_step(self) -> None:
        """Asked in any order, and after a resume, the value is the same."""
        first, second = self.build(), self.build()
        steps = LENGTHS[-1]
        asked = range(0, steps, 97)
        forwards = [first.value(step, steps) for step in asked]
        backwards = [second.value(step, steps) for step in reversed(asked)]
        self.expect(
            forwards == backwards[::-1],
            "its values depend on the order in which steps are asked for",
            "compute the value from the step alone: a resumed run starts in the middle",
        )


class InitializerContract(ComponentContract):
    """What an initialiser promises: a class whose instances take a module and set its weights, in place."""

    kind = "initializer"

    def module(self) -> nn.Module:
        """Return a module with the usual layers."""
        with global_seed(0):
            return nn.ModuleDict(
                {
                    "linear": nn.Linear(6, 8),
                    "convolution": nn.Conv2d(3, 4, 3),
                    "transposed": nn.ConvTranspose2d(4, 3, 4),
                    "embedding": nn.Embedding(5, 6),
                    "norm": nn.BatchNorm2d(4),
                }
            )

    def initialized(self, seed: int) -> nn.Module:
        """Return a module that was initialised under a global seed."""
        module, initializer = self.module(), self.build()
        with global_seed(seed):
            initializer(module)
        return module

    def test_sets_weights_in_place(self) -> None:
        """Weights change, stay finite, and remain the same parameters."""
        module = self.module()
        before, held = copy.deepcopy(module.state_dict()), list(module.parameters())
        self.build()(module)
        after = list(module.parameters())
        self.expect(not same(before, module.state_dict()), "it changes no weight", "set weights under torch.no_grad()")
        self.expect(
            all(one is other and one.requires_grad for one, other in zip(held, after, strict=True)),
            "it replaces parameters, or freezes them",
            "change them in place: nn.init does",
        )
        self.expect(all(value.isfinite().all() for value in after), "weights are not finite", "check fan-in and gain")

    def test_follows_the_seed(self) -> None:
        """Under the same global seed the weights are the same."""
        first, second = self.initialized(1), self.initialized(1)
        self.expect(
            same(first.state_dict(), second.state_dict()),
            "under the same seed it gives other weights",
            "draw from torch's global generator, which the run seeds for each network",
        )

    def test_frozen_weights_stay(self) -> None:
        """Weights that came from elsewhere are left as they are."""
        module = self.module().requires_grad_(False)
        before = copy.deepcopy(module.state_dict())
        self.build()(module)
        self.expect(same(before, module.state_dict()), "it changes frozen weights", "skip where requires_grad is False")
