"""The contract of generators."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from sparring.errors import SparringError
from sparring.interfaces.data import Batch
from sparring.interfaces.generator import Generated, Generator, SequenceGenerator, lift_generated
from sparring.spaces.label import LabelSpace
from sparring.testing.contract import global_seed, rng_at, same
from sparring.testing.materials import Materials, other_condition
from sparring.testing.modules import ROWS, LearningContract, perturbed

CLASSES = ("first", "second", "third")


class GeneratorContract(LearningContract):
    """What a generator promises.

    One whose constructor takes ``conditions`` is also checked with three class labels, where it accepts them; give
    ``conditions`` for others.
    """

    kind = "generator"
    interface: ClassVar[type | None] = Generator

    def inputs(self, module: Any, rows: int, *, seed: int = 0) -> Batch:
        latent = module.latent(rows, rng=rng_at(seed))
        # A generator without a latent is driven by its condition alone.
        return Batch(
            torch.zeros(rows, 0) if latent is None else latent, self.materials.batch(rows, seed=seed).condition
        )

    def call(self, module: Any, inputs: Batch) -> tuple[Tensor, ...]:
        made = self.generate(module, inputs)
        return made.sample, *made.extras.values()

    def generate(self, module: Any, inputs: Batch) -> Generated:
        """Return what the generator makes of a latent and conditions."""
        latent = None if module.latent_shape is None else inputs.sample
        return lift_generated(module(latent, inputs.condition))

    # ---- checks ----

    def test_is_under_the_right_contract(self) -> None:
        """A generator of sequences promises more."""
        self.expect(
            not isinstance(self.build(), SequenceGenerator),
            "it is a SequenceGenerator, whose likelihood and sampling this contract does not check",
            "check it with sparring.testing.SequenceGeneratorContract",
        )

    def test_samples_are_of_the_space(self) -> None:
        """Samples have the space's shape and kind of number, and the space can show them."""
        module = perturbed(self.build()).eval()
        with torch.no_grad():
            made = self.generate(module, self.inputs(module, ROWS))
        space, sample = self.materials.space, made.sample
        wanted = (ROWS, *space.shape)
        self.expect(
            tuple(sample.shape) == wanted,
            f"it makes samples of shape {tuple(sample.shape)}, and its space asks for {wanted}",
            "take the shape from the `space` that the constructor is handed",
        )
        real = self.materials.batch(ROWS).sample
        self.expect(
            sample.is_floating_point() == real.is_floating_point(),
            f"it makes samples of {sample.dtype}, and real ones are of {real.dtype}",
            "make what the space's encode makes",
        )
        self.expect(bool(sample.isfinite().all()), "samples are not finite", "look for a division or a root at 0")
        self.attempt(lambda: space.preview(sample), "the space cannot show its samples", "stay in the space's range")

    def test_lengths_fit_the_samples(self) -> None:
        """Where samples have lengths, there is one a row."""
        module = self.build().eval()
        with torch.no_grad():
            made = self.generate(module, self.inputs(module, ROWS))
        if made.lengths is None:
            return
        self.expect(
            tuple(made.lengths.shape) == (ROWS,)
            and not made.lengths.is_floating_point()
            and bool(((made.lengths >= 0) & (made.lengths <= max(made.sample.shape[1:], default=0))).all()),
            f"its lengths {made.lengths.tolist()} do not fit samples of shape {tuple(made.sample.shape)}",
            "return one whole number a row: how many leading positions count",
        )

    def test_rows_are_independent(self) -> None:
        """In evaluation mode a sample does not depend on the samples beside it."""
        self.expect_independent_rows(perturbed(self.build()))

    def test_latent_follows_its_rng_alone(self) -> None:
        """Noise comes from the generator that is handed in, so that a resumed run draws the same."""
        module = self.build()
        with global_seed(1):
            before = torch.get_rng_state()
            first = module.latent(3, rng=rng_at(0))
            untouched = torch.equal(before, torch.get_rng_state())
        with global_seed(2):
            second = module.latent(3, rng=rng_at(0))
        if module.latent_shape is None:
            self.expect(first is None, "latent_shape is None, and latent() gives a tensor", "set latent_shape")
            return
        self.expect(isinstance(first, Tensor), "latent() gives no tensor", "draw (n, *latent_shape)")
        wanted = (3, *module.latent_shape)
        self.expect(
            tuple(first.shape) == wanted,
            f"latent(3) has the shape {tuple(first.shape)}, and latent_shape promises {wanted}",
            "draw (n, *latent_shape), or set latent_shape to what is drawn",
        )
        remedy = "pass generator=rng to every torch function that draws"
        self.expect(untouched and same(first, second), "latent() draws from torch's global generator", remedy)
        self.expect(
            not same(first, module.latent(3, rng=rng_at(1))), "latent() is the same whatever the rng is", remedy
        )

    def test_samples_depend_on_the_latent(self) -> None:
        """Another latent makes another sample."""
        module = perturbed(self.build()).eval()
        if module.latent_shape is None:
            pytest.skip("this generator has no latent: its condition alone drives it")
        one, other = self.inputs(module, ROWS, seed=1), self.inputs(module, ROWS, seed=2)
        with torch.no_grad():
            first = self.generate(module, one).sample
            second = self.generate(module, Batch(other.sample, one.condition)).sample
        self.expect(not torch.equal(first, second), "every latent makes the same sample", "use the latent in forward()")

    def test_codes_can_be_asked_for(self) -> None:
        """Each of its ``codes`` is said beside the samples; asked for another, it says that one, and shows it."""
        module = perturbed(self.build()).eval()
        if not module.codes:
            pytest.skip("this generator has no codes")
        inputs = self.inputs(module, ROWS)
        with torch.no_grad():
            first = self.generate(module, inputs)
            for name, space in module.codes.items():
                said = first.extras.get(name)
                self.expect(
                    said is not None and tuple(said.shape) == (ROWS, *space.shape),
                    f"it has the code '{name}', and does not say it, or in the shape "
                    f"{None if said is None else tuple(said.shape)} instead of {(ROWS, *space.shape)}",
                    "return Generated(sample, extras={name: code}), with one row a sample",
                )
                asked = other_condition(first.extras, name, space)[name]
                second = self.generate(module, Batch(inputs.sample, {**inputs.condition, name: asked}))
                self.expect(
                    same(second.extras.get(name), asked) and not torch.equal(first.sample, second.sample),
                    f"asked for another code '{name}', it says and shows what it drew",
                    "take codes from the condition where it has them",
                )

    def test_accepts_every_class(self) -> None:
        """Labels from the first to the last can be asked for."""
        module, labelled = self._conditional()
        rows = labelled.every_class()
        latent = module.latent(len(rows), rng=rng_at(0))
        with torch.no_grad():
            self.attempt(
                lambda: module.eval()(latent, rows.condition),
                "it fails for some class",
                "size its embedding by len(conditions['label'].classes)",
            )

    def test_conditions_change_the_samples(self) -> None:
        """For one latent, each condition that differs makes another sample."""
        module, labelled = self._conditional()
        perturbed(module).eval()
        condition = labelled.batch(ROWS).condition
        latent = module.latent(ROWS, rng=rng_at(0))
        with torch.no_grad():
            first = lift_generated(module(latent, condition)).sample
            for name, space in labelled.conditions.items():
                other = lift_generated(module(latent, other_condition(condition, name, space))).sample
                self.expect(
                    not torch.equal(first, other),
                    f"the condition '{name}' does not change the sample",
                    "use condition[name] in forward(), or do not take `conditions` in the constructor",
                )

    def _conditional(self) -> tuple[Any, Materials]:
        """Build it with conditions: the contract's, or else labels where it takes them."""
        if self.materials.conditions:
            return self.build(), self.materials
        return with_labels(self)


def with_labels(contract: LearningContract) -> tuple[Any, Materials]:
    """Build a network with class labels, or skip the check where it takes none."""
    if not any(parameter.name == "conditions" for parameter in contract.all_parameters()):
        pytest.skip("this network takes no conditions")
    labelled = contract.materials.conditioned({"label": LabelSpace(list(CLASSES))})
    try:
        return contract.build(**labelled.handed()), labelled
    except SparringError as error:
        pytest.skip(f"this network takes no labels: {error.what}")
