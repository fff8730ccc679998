"""The contracts of augmentations and of constraints."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sparring.interfaces.augmentation import Augmentation, Constraint
from sparring.testing.contract import ComponentContract, global_seed, rng_at, same, through_a_file
from sparring.testing.stand_ins import StandInDiscriminator

ROWS = 6


class AugmentationContract(ComponentContract):
    """What an augmentation inside the critic promises."""

    kind = "augmentation"
    interface: ClassVar[type | None] = Augmentation

    def apply(self, augmentation: Any, *, seed: int = 0, sample: Tensor | None = None) -> Tensor:
        """Return augmented samples."""
        batch = self.materials.batch(ROWS)
        found: Tensor = augmentation(batch.sample if sample is None else sample, batch.condition, rng=rng_at(seed))
        return found

    def adapted(self) -> Any:
        """Build it, and let it adapt to a critic that is sure of reals."""
        augmentation = self.build()
        for _ in range(5):
            statistic = augmentation.observe(torch.full((ROWS,), 2.0))
            if statistic is not None:
                augmentation.adapt(statistic.detach(), 1000)
        return augmentation

    def test_shape_is_kept(self) -> None:
        """Samples stay samples of the space."""
        before = self.materials.batch(ROWS).sample
        for augmentation in (self.build(), self.adapted()):
            after = self.apply(augmentation)
            self.expect(
                after.shape == before.shape and after.dtype == before.dtype and bool(after.isfinite().all()),
                f"{before.dtype} of shape {tuple(before.shape)} became {after.dtype} of shape {tuple(after.shape)}, "
                "or values that are not finite",
                "return samples of the same shape and type",
            )

    def test_is_twice_differentiable(self) -> None:
        """The generator learns through it, and gradient penalties pass through it."""
        remedy = "use differentiable operations with a second derivative: grid_sample and indexing have one"
        sample = self.materials.batch(ROWS).sample.detach().clone().requires_grad_(True)
        changed = self.apply(self.adapted(), sample=sample)
        self.expect(changed.requires_grad, "no gradient passes through it", "leave out detach() and no_grad()")
        gradient = self.attempt(
            lambda: torch.autograd.grad(changed.pow(3).sum(), sample, create_graph=True)[0],
            "it cannot be differentiated",
            remedy,
        )
        self.expect(gradient.requires_grad, "its gradient has no gradient of its own", remedy)
        self.attempt(lambda: gradient.square().sum().backward(), "it cannot be differentiated twice", remedy)
        self.expect(sample.grad is not None and sample.grad.isfinite().all(), "its gradient is not finite", remedy)

    def test_follows_its_rng_alone(self) -> None:
        """The same rng makes the same change."""
        augmentation = self.adapted()
        with global_seed(1):
            first = self.apply(augmentation)
        with global_seed(2):
            second = self.apply(augmentation)
        self.expect(
            same(first, second),
            "it draws from torch's global generator",
            "pass generator=rng to every torch function that draws",
        )

    def test_adapts_to_finite_strengths(self) -> None:
        """Its state stays finite while it adapts, and ``observe`` gives one number or None."""
        augmentation = self.adapted()
        statistic = augmentation.observe(torch.zeros(ROWS))
        self.expect(
            statistic is None or (isinstance(statistic, Tensor) and bool(statistic.isfinite().all())),
            f"observe gives {statistic}",
            "return a tensor, which is averaged over processes, or None",
        )
        wild = [name for name, value in augmentation.state_dict().items() if not value.isfinite().all()]
        self.expect(not wild, f"{', '.join(wild)} is not finite after it has adapted", "clamp the strength")

    def test_state_survives_a_checkpoint(self) -> None:
        """Saved and loaded into a new instance, it changes samples as it would have."""
        augmentation, other = self.adapted(), self.build()
        remedy = "register what adapts as a buffer"
        state = self.attempt(lambda: through_a_file(augmentation.state_dict()), "its state cannot be saved", remedy)
        other.load_state_dict(state)
        self.expect(same(self.apply(augmentation), self.apply(other)), "its strength is lost in a checkpoint", remedy)


class ConstraintContract(ComponentContract):
    """What a constraint promises."""

    kind = "constraint"
    interface: ClassVar[type | None] = Constraint

    def network(self) -> nn.Module:
        """Return a network with large weights; override it for a constraint on particular layers."""
        with global_seed(0):
            network = StandInDiscriminator(2)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(10)
        return network

    def test_projects_in_place(self) -> None:
        """Weights change in place and stay finite; a second time changes nothing."""
        constraint, network = self.build(), self.network()
        before = list(network.parameters())
        constraint(network)
        after = list(network.parameters())
        self.expect(
            len(before) == len(after) and all(one is other for one, other in zip(before, after, strict=True)),
            "it replaces parameters, which their optimiser would then not know",
            "change them in place, under torch.no_grad()",
        )
        self.expect(all(value.isfinite().all() for value in after), "weights are not finite", "guard divisions by 0")
        once = [value.detach().clone() for value in after]
        constraint(network)
        for value, first in zip(after, once, strict=True):
            self.expect_close(value, first, "applied twice it changes more", "project onto the set, do not step")

    def test_leaves_no_trace_in_gradients(self) -> None:
        """It adds nothing to the graph and keeps each parameter's flag."""
        network = self.network()
        self.build()(network)
        self.expect(
            all(value.requires_grad and value.is_leaf and value.grad is None for value in network.parameters()),
            "it leaves a graph, a gradient or a flag behind",
            "change parameters under torch.no_grad()",
        )

    def test_frozen_weights_stay(self) -> None:
        """A frozen backbone is left as it is."""
        network = self.network().requires_grad_(False)
        before = [value.clone() for value in network.parameters()]
        self.build()(network)
        self.expect(
            same(before, list(network.parameters())), "it changes frozen weights", "skip where requires_grad is False"
        )
