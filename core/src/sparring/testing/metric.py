"""The contracts of metrics, of the encoders that they look through, and of rewards."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric
from sparring.interfaces.reward import NetworkReward, Reward
from sparring.testing.contract import ComponentContract, global_seed, same
from sparring.testing.materials import noise_like
from sparring.testing.modules import ROWS, ModuleContract
from sparring.testing.stand_ins import stand_ins

MANY = 256


class MetricContract(ComponentContract):
    """What a metric promises.

    Attributes:
        rows: How many samples are compared.
        tolerance: By how much values may differ, relative to their size, when the same samples come in other batches.
    """

    kind = "metric"
    interface: ClassVar[type | None] = Metric
    rows: int = MANY
    tolerance: float = 1e-3

    def real(self) -> Batch:
        """Return real samples."""
        return self.materials.batch(self.rows, seed=1)

    def noise(self) -> Batch:
        """Return samples without any structure; override it where the range of real ones is not enough."""
        real = self.real()
        return Batch(noise_like(real.sample), real.condition, real.lengths)

    def generator(self) -> nn.Module | None:
        """Return the generator that the metric examines, always the same; by default it is shown none."""
        return None

    def score(self, metric: Any, pairs: Iterable[tuple[Batch, Batch]]) -> dict[str, float]:
        """Return the values that a metric gives for some batches."""
        metric.reset()
        generator = self.generator()
        if generator is not None:
            metric.examine(generator.eval())
        for real, fake in pairs:
            metric.update(real, fake)
        found: dict[str, float] = metric.compute()
        return found

    def expect_equal(self, first: dict[str, float], second: dict[str, float], what: str, remedy: str) -> None:
        """Fail the check unless two sets of values agree."""
        agree = first.keys() == second.keys() and all(
            math.isclose(first[name], second[name], rel_tol=self.tolerance, abs_tol=self.tolerance) for name in first
        )
        self.expect(agree, f"{what}: {first} and {second}", remedy)

    def test_values_are_finite_numbers(self) -> None:
        """It gives floats by name."""
        values = self.score(self.build(), [(self.real(), self.real())])
        self.expect(values, "it gives no values", "return at least the main one, first")
        for name, value in values.items():
            self.expect(
                type(value) in (float, int) and math.isfinite(value),
                f"'{name}' is {value!r}",
                "return Python floats by name: float(tensor)",
            )

    def test_says_which_way_is_better(self) -> None:
        """``better`` is ``higher`` or ``lower``."""
        better = getattr(self.build(), "better", None)
        self.expect(
            better in ("higher", "lower"),
            f"its `better` is {better!r}",
            'set the class attribute to "higher" or "lower"',
        )

    def test_real_samples_score_better_than_noise(self) -> None:
        """The main value, the first, is better for generated samples that equal real ones than for noise."""
        metric = self.build()
        good, bad = self.score(metric, [(self.real(), self.real())]), self.score(metric, [(self.real(), self.noise())])
        main = next(iter(good))
        self.expect(
            good[main] > bad[main] if metric.better == "higher" else good[main] < bad[main],
            f"'{main}', where {metric.better} is better, is {good[main]:.4g} for real samples and {bad[main]:.4g} for "
            "noise",
            "turn `better`, or put another value first",
        )

    def test_reset_forgets(self) -> None:
        """After a reset nothing is left of earlier batches."""
        metric = self.build()
        fresh = self.score(self.build(), [(self.real(), self.real())])
        self.score(metric, [(self.noise(), self.noise())])
        again = self.score(metric, [(self.real(), self.real())])
        self.expect_equal(
            fresh,
            again,
            "after a reset it gives other values than a new instance",
            "set all that update() gathers to its start in reset()",
        )

    def test_batches_may_be_split(self) -> None:
        """How samples are cut into batches changes nothing."""
        metric, real, fake = self.build(), self.real(), self.noise()
        whole = self.score(metric, [(real, fake)])
        edges = [0, self.rows // 7, self.rows // 2, self.rows]
        cuts = [slice(low, high) for low, high in itertools.pairwise(edges)]
        parts = self.score(metric, [(real.rows(cut), fake.rows(cut)) for cut in cuts])
        self.expect_equal(
            whole, parts, "the same samples in other batches give other values", "gather sums, not means of batches"
        )

    def test_real_and_fake_may_differ_in_number(self) -> None:
        """Evaluations may have more generated samples than held-out ones, and the last batches then lack a side."""
        metric, real, fake = self.build(), self.real(), self.noise()
        half = slice(self.rows // 2)
        none = slice(0)
        for left, right in ((half, slice(self.rows)), (slice(self.rows), half)):
            self.attempt(
                lambda left=left, right=right: (
                    self.score(  # type: ignore[misc]
                        metric, [(real.rows(left), fake.rows(right)), (real.rows(none), fake.rows(half))]
                    )
                    and self.score(metric, [(real.rows(left), fake.rows(right)), (real.rows(half), fake.rows(none))])
                ),
                "it fails where one side has fewer samples, or none, in a batch",
                "gather each side by itself",
            )

    def test_batches_are_left_as_they_were(self) -> None:
        """Several metrics see the same batches."""
        real, fake = self.real(), self.noise()
        before = real.sample.clone(), fake.sample.clone()
        self.score(self.build(), [(real, fake)])
        self.expect(
            same(before, (real.sample, fake.sample)), "it changes the samples that it is given", "work on a copy"
        )


class EncoderContract(ModuleContract):
    """What an encoder promises: fixed features, and a name for them."""

    kind = "encoder"
    interface: ClassVar[type | None] = Encoder

    def inputs(self, module: Any, rows: int, *, seed: int = 0) -> Batch:
        return self.materials.batch(rows, seed=seed)

    def test_features_are_rows_of_numbers(self) -> None:
        """Features are ``(B, F)``, finite, and differ from sample to sample."""
        module = self.build().eval()
        with torch.no_grad():
            (features,) = self.call(module, self.inputs(module, ROWS))
        self.expect(
            features.dim() == 2 and len(features) == ROWS and features.is_floating_point(),
            f"features of {ROWS} samples are {features.dtype} of shape {tuple(features.shape)}",
            "return (B, F) of real numbers",
        )
        self.expect(bool(features.isfinite().all()), "features are not finite", "look for a division or a root at 0")
        self.expect(
            not torch.equal(features, features[:1].expand_as(features)),
            "every sample has the same features",
            "compute them from the sample",
        )

    def test_features_are_fixed(self) -> None:
        """Figures can be compared: features do not depend on torch's global seed."""
        first, second = self.build(seed=1), self.build(seed=2)
        inputs = self.inputs(first, ROWS)
        self.expect(
            same(self.evaluated(first, inputs), self.evaluated(second, inputs)),
            "built under another global seed, it gives other features",
            "draw weights from a generator of its own, seeded by an option",
        )

    def test_has_a_name(self) -> None:
        """Its name stands beside every figure that it gives, and is the same for the same options."""
        name = getattr(self.build(), "name", None)
        self.expect(isinstance(name, str) and name, f"its name is {name!r}", "set the attribute `name` to a text")
        self.expect(
            name == self.build(seed=1).name, "its name changes from instance to instance", "derive it of options"
        )

    def test_rows_are_independent(self) -> None:
        """A sample's features do not depend on the samples beside it."""
        self.expect_independent_rows(self.build())


class RewardContract(ComponentContract):
    """What a reward promises."""

    kind = "reward"
    interface: ClassVar[type | None] = Reward

    def build(self, *, seed: int = 0, options: Mapping[str, Any] | None = None, **available: Any) -> Any:
        """Build the reward, and show it small networks where it is given by one."""
        reward = super().build(seed=seed, options=options, **available)
        if isinstance(reward, NetworkReward):
            with global_seed(0):
                networks = stand_ins(self.materials.space)
            reward.see(networks)
        return reward

    def samples(self) -> Batch:
        """Return samples to score."""
        return self.materials.batch(ROWS, seed=1)

    def score(self, samples: Batch) -> Any:
        """Return the rewards of samples: a tensor, it is hoped."""
        return self.build()(samples, self.materials.batch(len(samples), seed=2))

    def test_gives_one_number_a_sample(self) -> None:
        """Rewards are ``(B,)``, or ``(B, T)`` for tokens, and finite."""
        samples = self.samples()
        found, shapes = self.score(samples), [(ROWS,), tuple(samples.sample.shape[:2])]
        self.expect(
            isinstance(found, Tensor) and tuple(found.shape) in shapes and bool(found.isfinite().all()),
            f"{ROWS} samples are rewarded with {found}",
            "return a tensor (B,), or (B, T) where each token is rewarded, of finite numbers",
        )

    def test_needs_no_reference(self) -> None:
        """Where there is no real batch, it can still be asked."""
        self.attempt(
            lambda: self.build()(self.samples(), None),
            "it fails without a reference",
            "accept None for the reference; say so in an error of your own where a reference is indispensable, and "
            "name this check in expected_failures",
        )

    def test_same_samples_get_the_same_rewards(self) -> None:
        """It is a function of the samples, and each reward goes to its own."""
        samples = self.samples()
        first = self.score(samples)
        order = torch.arange(ROWS - 1, -1, -1)
        self.expect_close(first, self.score(samples), "asked twice, it gives other rewards", "draw no random numbers")
        reference = self.materials.batch(ROWS, seed=2)
        turned = self.build()(samples.rows(order), reference.rows(order))
        self.expect_close(
            first[order], turned, "in another order, samples get other rewards", "reward each row by itself"
        )
