"""Checks that every network passes, whatever it computes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Batch
from sparring.testing.contract import ComponentContract, global_seed, same
from sparring.training import checkpoint

ROWS = 4


class ModuleContract(ComponentContract):
    """Networks: they compute the same whenever they are asked. A contract of a kind says what goes in and comes out."""

    interface: ClassVar[type | None] = nn.Module

    def inputs(self, module: Any, rows: int, *, seed: int = 0) -> Batch:
        """Return what the network is called with, as a batch: ``sample`` is its main input."""
        raise NotImplementedError(f"{type(self).__name__}.inputs says what the network is called with")

    def call(self, module: Any, inputs: Batch) -> tuple[Tensor, ...]:
        """Return all that the network computes, the main output first."""
        found: Tensor = module(inputs.sample)
        return (found,)

    def expect_independent_rows(self, module: Any) -> None:
        """Fail the check unless a row's output in evaluation mode is the same whatever the other rows are."""
        module.eval()
        inputs = self.inputs(module, ROWS)
        with torch.no_grad(), global_seed(0):
            together = self.call(module, inputs)[0]
            alone = torch.cat([self.call(module, inputs.rows(slice(row, row + 1)))[0] for row in range(ROWS)])
        self.expect_close(
            together,
            alone,
            "in evaluation mode a row's output depends on the other rows of its batch",
            "use running statistics, as nn.BatchNorm does, or none: torch.var and mean over dim 0 see other rows",
        )

    # ---- checks ----

    def test_batch_size_is_free(self) -> None:
        """One row or several: the first dimension follows, the others stay."""
        module = self.build().eval()
        shapes = {}
        for rows in (1, 2, 5):
            with torch.no_grad():
                shapes[rows] = tuple(self.call(module, self.inputs(module, rows))[0].shape)
            self.expect(
                shapes[rows][:1] == (rows,) and shapes[rows][1:] == shapes[1][1:],
                f"a batch of {rows} gives the shape {shapes[rows]}, where one row gives {shapes[1]}",
                "take the number of rows from the input, in reshape and expand too",
            )

    def test_evaluation_is_deterministic(self) -> None:
        """In evaluation mode the outputs are a function of the inputs, and nothing in the network changes."""
        module = self.build().eval()
        inputs = self.inputs(module, ROWS)
        before = copy.deepcopy(module.state_dict())
        with global_seed(1):
            first = self.evaluated(module, inputs)
        with global_seed(2):
            second = self.evaluated(module, inputs)
        remedy = "switch off dropout and noise where self.training is False, and update buffers only where it is True"
        self.expect(same(first, second), "in evaluation mode the same inputs give different outputs", remedy)
        self.expect(
            same(before, module.state_dict()), "a forward pass in evaluation mode changes the network's state", remedy
        )

    def test_tensors_are_parameters_or_buffers(self) -> None:
        """Every tensor that the network holds follows it to another device."""
        loose = [
            f"{path}.{name}" if path else name
            for path, part in self.build().named_modules()
            for name, value in vars(part).items()
            if isinstance(value, Tensor)
        ]
        self.expect(
            not loose,
            f"{', '.join(loose)} would stay behind when the network moves to a GPU",
            "register each as a buffer: self.register_buffer(name, tensor)",
        )

    def evaluated(self, module: Any, inputs: Batch) -> tuple[Tensor, ...]:
        """Return what the network computes in evaluation mode."""
        module.eval()
        with torch.no_grad():
            return tuple(found.detach().clone() for found in self.call(module, inputs))


class LearningContract(ModuleContract):
    """Networks that a run trains, saves and averages."""

    def test_gradient_reaches_every_parameter(self) -> None:
        """Every parameter that is trained takes part in what is computed."""
        module = self.build().train()
        backward(self.call(module, self.inputs(module, ROWS)))
        trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
        dead = [name for name, value in trained.items() if value.grad is None]
        self.expect(
            not dead,
            f"no gradient reaches {', '.join(dead)}",
            "use them in what the network computes without detach() or no_grad(), or remove them",
        )
        wild = [name for name, value in trained.items() if value.grad is not None and not value.grad.isfinite().all()]
        self.expect(not wild, f"the gradient of {', '.join(wild)} is not finite", "look for a division or root at 0")

    def test_weights_are_saved_and_loaded(self, tmp_path: Path) -> None:
        """Weights written as safetensors and read into another copy give the same outputs."""
        module, other = self.build(), perturbed(self.build(seed=1))
        file = tmp_path / "weights.safetensors"
        remedy = "keep all that the outputs depend on in parameters and buffers, and nothing but tensors in state_dict"
        self.attempt(lambda: checkpoint.write_weights(module, file), "its weights cannot be written", remedy)
        self.attempt(
            lambda: checkpoint.load_weights(other, file, role=self.name), "its weights cannot be read back", remedy
        )
        inputs = self.inputs(module, ROWS)
        self.expect(
            same(self.evaluated(module, inputs), self.evaluated(other, inputs)),
            "with the same weights, a second copy computes something else",
            remedy,
        )

    def test_copies_share_nothing(self) -> None:
        """A deep copy, as a moving average of the weights needs one, is whole and stands alone."""
        module = self.build().train()
        # After a training step: what a network kept of its graph would stop the copy.
        backward(self.call(module, self.inputs(module, ROWS)))
        remedy = "keep tensors of a forward pass in local variables, and register parametrisations with torch's own"
        other = self.attempt(lambda: copy.deepcopy(module), "it cannot be deep-copied", remedy)
        inputs = self.inputs(module, ROWS)
        before = self.evaluated(module, inputs)
        self.expect(same(before, self.evaluated(other, inputs)), "a deep copy computes something else", remedy)
        perturbed(other)
        self.expect(
            same(before, self.evaluated(module, inputs)), "a deep copy shares weights with the original", remedy
        )

    def test_same_seed_gives_same_weights(self) -> None:
        """The first weights are a function of torch's global seed."""
        first, second = self.build(seed=3).state_dict(), self.build(seed=3).state_dict()
        differing = [name for name in first if name not in second or not same(first[name], second[name])]
        self.expect(
            not differing,
            f"built twice with the same seed, {', '.join(differing)} differ",
            "draw first weights from torch's global generator, not from numpy, random or the clock",
        )


class NetworkContract(LearningContract):
    """A network of any other role. Say in ``inputs`` what it is called with, and in ``call`` how."""

    kind = "network"


def backward(outputs: tuple[Tensor, ...]) -> None:
    """Send a gradient through every output that has one."""
    rng = torch.Generator().manual_seed(0)
    found = [output for output in outputs if output.requires_grad]
    # Random weights: a plain sum of what sums to one would have no gradient.
    parts = [(output.float() * torch.randn(output.shape, generator=rng)).sum() for output in found]
    if parts:
        torch.stack(parts).sum().backward()  # type: ignore[no-untyped-call]


@torch.no_grad()
def perturbed(module: Any, size: float = 0.02) -> Any:
    """Move every parameter a little, so that weights which start at zero hide nothing."""
    rng = torch.Generator().manual_seed(5)
    for parameter in module.parameters():
        parameter.add_(size * torch.randn(parameter.shape, generator=rng).to(parameter.dtype))
    return module
