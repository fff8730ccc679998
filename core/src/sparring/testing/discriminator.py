"""The contract of discriminators."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from sparring.interfaces.data import Batch
from sparring.interfaces.discriminator import Critique, Discriminator, lift_critique
from sparring.testing.generator import with_labels
from sparring.testing.materials import Materials, other_condition
from sparring.testing.modules import ROWS, LearningContract, perturbed


class DiscriminatorContract(LearningContract):
    """What a discriminator promises.

    One whose constructor takes ``conditions`` is also checked with three class labels, where it accepts them. Rows may
    depend on one another, as minibatch statistics make them. One with ``packing`` is shown that many samples a row.
    """

    kind = "discriminator"
    interface: ClassVar[type | None] = Discriminator

    def inputs(self, module: Any, rows: int, *, seed: int = 0) -> Batch:
        """Return samples enough for ``rows`` opinions."""
        return self.materials.batch(rows * module.packing, seed=seed)

    def call(self, module: Any, inputs: Batch) -> tuple[Tensor, ...]:
        critique = self.judge(module, inputs)
        features = [layer for scale in critique.features for layer in scale]
        return *critique.logits, *features, *critique.outputs.values()

    def judge(self, module: Any, inputs: Batch) -> Critique:
        """Return the discriminator's opinion."""
        return lift_critique(module(inputs.sample, inputs.condition, inputs.lengths))

    # ---- checks ----

    def test_critique_has_one_row_a_sample(self) -> None:
        """Logits, features and further outputs have the batch first."""
        module = self.build().eval()
        critique = self.judge(module, self.inputs(module, ROWS))
        self.expect(
            critique.logits, "its critique has no logits", "return at least one tensor of logits (B,) or (B, …)"
        )
        named = [(f"logits[{index}]", value) for index, value in enumerate(critique.logits)]
        named += [
            (f"features[{scale}][{index}]", value)
            for scale, layers in enumerate(critique.features)
            for index, value in enumerate(layers)
        ]
        named += [(f"outputs['{name}']", value) for name, value in critique.outputs.items()]
        for name, value in named:
            self.expect(
                value.dim() >= 1 and len(value) == ROWS,
                f"{name} has the shape {tuple(value.shape)} for a batch of {ROWS}, packed by {module.packing}",
                "keep the batch first, one row for every `packing` samples; means over it are the loss's affair",
            )
            self.expect(bool(value.isfinite().all()), f"{name} is not finite", "look for a division or a root at 0")

    def test_features_keep_their_structure(self) -> None:
        """Feature matching compares layer with layer: their number and shapes do not change from call to call."""
        module = self.build()
        shapes = []
        for rows, training in ((ROWS, True), (ROWS, False), (2, False)):
            critique = self.judge(module.train(training), self.inputs(module, rows, seed=rows))
            shapes.append([[tuple(layer.shape[1:]) for layer in scale] for scale in critique.features])
        self.expect(
            shapes[0] == shapes[1] == shapes[2],
            f"its features change their structure from call to call: {shapes}",
            "return the same layers in every mode and for every number of rows",
        )

    def test_gradient_reaches_the_sample(self) -> None:
        """A generator can learn from it."""
        sample, gradient = self._gradient(create_graph=False)
        self.expect(
            gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any()),
            "no gradient reaches the sample, from which a generator would learn",
            "use the sample in differentiable operations, without detach(), round() or no_grad()",
        )
        assert sample.requires_grad

    def test_is_twice_differentiable(self) -> None:
        """Gradient penalties such as R1 can train it."""
        remedy = (
            "use operations with a second derivative, and no @once_differentiable or detach(); "
            "nn.LSTM needs torch.backends.cudnn.flags(enabled=False) for it"
        )
        module = perturbed(self.build().train())
        _, gradient = self._gradient(create_graph=True, module=module)
        if gradient is None or not gradient.requires_grad:
            self.fail("its gradient has no gradient of its own, so that penalties such as r1 teach it nothing", remedy)
        penalty = gradient.square().sum()
        self.attempt(lambda: torch.autograd.backward(penalty), "it cannot be differentiated twice", remedy)
        reached = [value.grad for value in module.parameters() if value.grad is not None]
        self.expect(
            reached and all(grad.isfinite().all() for grad in reached),
            "its second derivative is missing or not finite",
            remedy,
        )

    def test_accepts_every_class(self) -> None:
        """Labels from the first to the last can be judged."""
        module, labelled = self._conditional()
        once = labelled.every_class()
        rows = Batch.concatenate([once] * module.packing)  # as many as can be packed
        with torch.no_grad():
            self.attempt(
                lambda: self.judge(module.eval(), rows),
                "it fails for some class",
                "size its embedding by len(conditions['label'].classes)",
            )

    def test_conditions_change_the_critique(self) -> None:
        """Of one sample, each condition that differs makes another opinion."""
        module, labelled = self._conditional()
        perturbed(module).eval()
        batch = labelled.batch(ROWS * module.packing)
        with torch.no_grad():
            first = self.call(module, batch)
            for name, space in labelled.conditions.items():
                condition = other_condition(batch.condition, name, space)
                other = self.call(module, Batch(batch.sample, condition, batch.lengths))
                self.expect(
                    not all(map(torch.equal, first, other)),
                    f"the condition '{name}' does not change the critique",
                    "use condition[name] in forward(), or do not take `conditions` in the constructor",
                )

    def _gradient(self, *, create_graph: bool, module: Any = None) -> tuple[Tensor, Tensor | None]:
        module = perturbed(self.build()) if module is None else module
        batch = self.inputs(module, ROWS)
        sample = self.differentiable(batch.sample).requires_grad_(True)
        logits = self.judge(module, Batch(sample, batch.condition, batch.lengths)).logits
        # A factor that takes a gradient: without it torch lets an operation that is marked as once differentiable
        # drop its second derivative without a word.
        factor = torch.ones((), requires_grad=create_graph)
        parts = [(value.float() * factor).sum() for value in logits if value.requires_grad]
        if not parts:
            return sample, None
        total = torch.stack(parts).sum()
        found = self.attempt(
            lambda: torch.autograd.grad(total, sample, create_graph=create_graph, allow_unused=True),
            "its gradient in the sample cannot be computed",
            "use differentiable operations",
        )
        return sample, found[0]

    def differentiable(self, sample: Tensor) -> Tensor:
        """Return samples of real numbers; override it where the discriminator's inputs are not the data's samples."""
        return sample.detach().clone()

    def _conditional(self) -> tuple[Any, Materials]:
        if self.materials.conditions:
            return self.build(), self.materials
        return with_labels(self)
