"""Every component of the core is under contract."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sparring import Augmentation, Batch, Condition, Discriminator, Encoder, Plugin
from sparring.builtin import plugin
from sparring.data.memory import MemoryData
from sparring.networks.coded import CodedGenerator
from sparring.networks.heads import HeadedDiscriminator
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.networks.steered import SteeredGenerator
from sparring.spaces.label import LabelSpace
from sparring.spaces.point import PointSpace
from sparring.testing import (
    CallbackContract,
    ConstraintContract,
    DataContract,
    DiscriminatorContract,
    EncoderContract,
    GeneratorContract,
    InitializerContract,
    LossContract,
    MetricContract,
    ObjectiveContract,
    OptimizerContract,
    RewardContract,
    ScheduleContract,
    SpaceContract,
    TermContract,
    TrainerContract,
    contracts_in,
    covers,
)
from sparring.testing.contract import global_seed
from sparring.testing.materials import other_condition
from sparring.testing.run import RECIPE
from sparring.testing.stand_ins import stand_ins
from tests.core.grading import Grader, enhancer_and_grader
from tests.core.grading import plugin as grading
from tests.core.translation import Domains, translators_and_critics

LABEL = LabelSpace(["low", "high"])
DOMAINS = Domains(count=32)
helper = Plugin("helper")


@helper.encoder("halves")
class Halves(Encoder):
    """Two classes of points: those to the left and those to the right."""

    name = "halves"

    def forward(self, sample: Tensor) -> Tensor:
        return sample

    def probabilities(self, sample: Tensor) -> Tensor:
        right = sample.flatten(1)[:, :1].sigmoid()
        return torch.cat([1 - right, right], dim=1)


@helper.encoder("flat")
class Flat(Encoder):
    """The sample itself as its features."""

    name = "flat"

    def __init__(self) -> None:
        super().__init__()

    def forward(self, sample: Tensor) -> Tensor:
        return sample.flatten(1)


@helper.augmentation("jitter")
class Jitter(Augmentation):
    """A little noise."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, sample: Tensor, condition: Condition, *, rng: torch.Generator) -> Tensor:
        return sample + 0.1 * torch.randn(sample.shape, generator=rng)


class TokenValues(Discriminator):
    """Expects something after each token, whatever came before it."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Embedding(16, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        found: Tensor = self.value(sample).squeeze(2)
        return found


def coded_and_headed() -> Mapping[str, nn.Module]:
    """Return small networks with codes and a class, for points of the plane."""
    with global_seed(0):
        inner = MLPDiscriminator(PointSpace(), {"label": LABEL}, width=8, label="none")
        return {
            "generator": CodedGenerator(MLPGenerator(PointSpace(), {}, latent_dim=7, width=8), [3], 2),
            "discriminator": HeadedDiscriminator(inner, PointSpace(), {"label": LABEL}, True, [3], 2),
        }


CLASS_REWARD = {"use": "classifier", "encoder": "helper/halves", "wanted": 1}


def steered_points() -> SteeredGenerator:
    """Return a small policy over the latents of a generator of points."""
    with global_seed(0):
        network = SteeredGenerator(MLPGenerator(PointSpace(), {}, latent_dim=3, width=8), {}, width=8)
        nn.init.normal_(network.change.weight)  # as after some steps: at first nothing diverges
    return network


def test_every_component_is_under_contract() -> None:
    covers(plugin, *contracts_in(globals()))


class TestFlat(EncoderContract):
    plugin, name = helper, "helper/flat"


class TestCollapse(CallbackContract):
    name = "collapse"


class TestConvergence(CallbackContract):
    name = "convergence"


class TestTraversal(CallbackContract):
    name = "traversal"
    recipe: ClassVar[Mapping[str, Any]] = {
        **RECIPE,
        "networks": {
            **RECIPE["networks"],
            "generator": {"use": "coded", "generator": RECIPE["networks"]["generator"], "categorical": [3]},
        },
    }


class TestTensorBoard(CallbackContract):
    name = "tensorboard"


class TestWeightClip(ConstraintContract):
    name = "weight-clip"


class TestPoints(DataContract):
    name = "points"


class TestSubset(DataContract):
    name, options = "subset", {"of": {"use": "points", "labels": True}, "classes": ["1", "5"], "per_class": 40}


class TestLabelledPoints(DataContract):
    name, options = "points", {"arrangement": "spiral", "modes": 3, "labels": True, "seed": 4}


class TestHeads(DiscriminatorContract):
    name = "heads"
    options: ClassVar[Mapping[str, Any]] = {
        "discriminator": {"use": "mlp", "width": 8},
        "categorical": [3, 2],
        "continuous": 2,
    }


class TestHeadsThatNameTheClass(DiscriminatorContract):
    name, conditions = "heads", {"label": LABEL}
    options: ClassVar[Mapping[str, Any]] = {"discriminator": {"use": "mlp", "width": 8, "label": "none"}, "label": True}

    def test_conditions_change_the_critique(self) -> None:
        """The class that is to be named is not looked at."""
        module, batch = self.build().eval(), self.materials.batch(4)
        other = Batch(batch.sample, other_condition(batch.condition, "label", LABEL))
        for first, second in zip(self.call(module, batch), self.call(module, other), strict=True):
            assert torch.equal(first, second)


class TestMLPDiscriminator(DiscriminatorContract):
    name = "mlp"


class TestConditionalMLPDiscriminator(DiscriminatorContract):
    name, conditions = "mlp", {"label": LABEL}


class TestPackingMLPDiscriminator(DiscriminatorContract):
    name, options, conditions = "mlp", {"packing": 3, "width": 8}, {"label": LABEL}


class TestWavyMLPDiscriminator(DiscriminatorContract):
    name, options, conditions = "mlp", {"packing": 2, "frequencies": 3, "width": 8}, {"label": LABEL}


class TestCoded(GeneratorContract):
    name = "coded"
    options: ClassVar[Mapping[str, Any]] = {
        "generator": {"use": "mlp", "latent_dim": 9, "width": 8},
        "categorical": [3, 2],
        "continuous": 2,
    }


class TestSteered(GeneratorContract):
    name = "steered"
    options: ClassVar[Mapping[str, Any]] = {"generator": {"use": "mlp", "latent_dim": 4, "width": 8}, "width": 8}


class TestSteeredCodes(GeneratorContract):
    name, conditions = "steered", {}
    options: ClassVar[Mapping[str, Any]] = {
        "generator": {"use": "coded", "generator": {"use": "mlp", "latent_dim": 4, "width": 8}, "continuous": 1},
        "width": 8,
    }


class TestConditionalCoded(GeneratorContract):
    name, conditions = "coded", {"label": LABEL}
    options: ClassVar[Mapping[str, Any]] = {"generator": {"use": "mlp", "latent_dim": 4, "width": 8}, "continuous": 1}


class TestMLPGenerator(GeneratorContract):
    name = "mlp"


class TestConditionalMLPGenerator(GeneratorContract):
    name, conditions = "mlp", {"label": LABEL}


class TestKaiming(InitializerContract):
    name = "kaiming"


class TestNormal(InitializerContract):
    name = "normal"


class TestOrthogonal(InitializerContract):
    name = "orthogonal"


class TestXavier(InitializerContract):
    name = "xavier"


class TestHinge(LossContract):
    name = "hinge"


class TestLeastSquares(LossContract):
    name = "least-squares"


class TestMinimax(LossContract):
    name = "minimax"


class TestNonSaturating(LossContract):
    name = "non-saturating"


class TestRelativistic(LossContract):
    name = "relativistic"


class TestWasserstein(LossContract):
    name = "wasserstein"


class TestCoverage(MetricContract):
    plugin, name, options = helper, "coverage", {"encoder": "helper/flat"}


class TestFrechet(MetricContract):
    plugin, name, options = helper, "frechet", {"encoder": "helper/flat"}


class TestKernelDistance(MetricContract):
    plugin, name, options = helper, "kernel-distance", {"encoder": "helper/flat"}


class TestKernelDistanceInBlocks(MetricContract):
    plugin, name, options = helper, "kernel-distance", {"encoder": "helper/flat", "block": 50}


class TestModes(MetricContract):
    name = "modes"


class TestAdversarial(ObjectiveContract):
    name, options = "adversarial", {"loss": "relativistic"}


class TestAdversarialWithSharedFakes(ObjectiveContract):
    name, options = "adversarial", {"loss": "non-saturating", "reuse_fake": True, "discriminator_steps": 2}


class TestAdversarialOnSequences(ObjectiveContract):
    name, options, sequences = "adversarial", {"loss": "hinge"}, True


class TestCycle(ObjectiveContract):
    name, options, data = "cycle", {"loss": "least-squares", "history": 4}, DOMAINS

    def networks(self) -> Mapping[str, nn.Module]:
        return translators_and_critics()


class TestCycleWithPairsAndNoHistory(ObjectiveContract):
    name, options, data = "cycle", {"loss": "relativistic", "history": 0}, DOMAINS

    def networks(self) -> Mapping[str, nn.Module]:
        return translators_and_critics()


class TestLikelihood(ObjectiveContract):
    name, sequences = "likelihood", True


class TestMetricCritic(ObjectiveContract):
    plugin, name = grading, "metric-critic"
    options: ClassVar[Mapping[str, Any]] = {"reward": "grading/nearness", "history": 8, "given": "image"}
    data = DOMAINS

    def networks(self) -> Mapping[str, nn.Module]:
        return enhancer_and_grader()


class TestMetricCriticOnSequences(ObjectiveContract):
    name, sequences = "metric-critic", True
    options: ClassVar[Mapping[str, Any]] = {"reward": {"use": "length", "target": 4}, "history": 0}

    def networks(self) -> Mapping[str, nn.Module]:
        tokens = self.materials.space
        with global_seed(0):
            return {**stand_ins(tokens), "discriminator": Grader(math.prod((*tokens.shape, 7)))}


class TestReinforce(ObjectiveContract):
    name, options, sequences = "reinforce", {"reward": {"use": "length", "target": 4}}, True


class TestReinforceByRollouts(ObjectiveContract):
    name, sequences = "reinforce", True
    options = {"reward": {"use": "length", "target": 4}, "credit": "rollout", "rollouts": 2}  # noqa: RUF012


class TestReinforceWithACritic(ObjectiveContract):
    name, sequences = "reinforce", True
    options = {"reward": {"use": "critic", "loss": "non-saturating", "steps": 2}}  # noqa: RUF012


class TestSelfCriticalReinforce(ObjectiveContract):
    name, sequences = "reinforce", True
    options = {"reward": {"use": "length", "target": 4}, "baseline": "self-critical"}  # noqa: RUF012


class TestReinforceOnASum(ObjectiveContract):
    name, sequences = "reinforce", True
    options: ClassVar[Mapping[str, Any]] = {
        "reward": {
            "use": "sum",
            "parts": {"a": {"use": "length", "target": 4}, "b": {"use": "critic", "loss": "hinge"}},
        }
    }


class TestGRPO(ObjectiveContract):
    name, sequences = "grpo", True
    options = {"reward": {"use": "length", "target": 4}, "group": 3, "passes": 2}  # noqa: RUF012


class TestPPO(ObjectiveContract):
    name, sequences = "ppo", True
    options = {"reward": {"use": "critic", "loss": "hinge"}, "passes": 2}  # noqa: RUF012

    def networks(self) -> Mapping[str, nn.Module]:
        with global_seed(0):
            return {**super().networks(), "value": TokenValues()}


class TestLatentPolicy(ObjectiveContract):
    plugin, name = helper, "latent-policy"
    options: ClassVar[Mapping[str, Any]] = {"reward": CLASS_REWARD}

    def networks(self) -> Mapping[str, nn.Module]:
        return {**super().networks(), "generator": steered_points()}


class TestRewardGradient(ObjectiveContract):
    plugin, name = helper, "reward-gradient"
    options: ClassVar[Mapping[str, Any]] = {"reward": CLASS_REWARD, "anchor": 0.5}


class TestRewardGradientOfALearningCritic(ObjectiveContract):
    name = "reward-gradient"
    options: ClassVar[Mapping[str, Any]] = {"reward": {"use": "critic", "loss": "hinge", "worth": "logit"}}


class TestRegression(ObjectiveContract):
    name, options = "regression", {"norm": "l2", "weight": 2.0}


class TestAdam(OptimizerContract):
    name, options = "adam", {"lr": 0.1, "betas": [0, 0.99]}


class TestAdamW(OptimizerContract):
    name, options = "adamw", {"lr": 0.1}


class TestRMSprop(OptimizerContract):
    name, options = "rmsprop", {"lr": 0.1, "alpha": 0.9}


class TestSGD(OptimizerContract):
    name, options = "sgd", {"lr": 0.1, "momentum": 0.9}


class TestAnchor(TermContract):
    name = "anchor"
    expected_failures = {  # noqa: RUF012
        "test_gradient_reaches_the_roles_that_it_trains": "at first a network is where it began",
    }


class TestAnchorOfTheCriticsOutputs(TestAnchor):
    options: Mapping[str, Any] = {"network": "discriminator", "hold": "outputs"}


class TestKL(TermContract):
    name, sequences = "kl", True
    expected_failures = {  # noqa: RUF012
        "test_gradient_reaches_the_roles_that_it_trains": "at first the generator is its own reference",
    }


class TestEntropy(TermContract):
    name, sequences = "entropy", True


class TestImitation(TermContract):
    name, sequences = "imitation", True


class TestMeanReward(MetricContract):
    plugin, name = helper, "reward"
    options: ClassVar[Mapping[str, Any]] = {"reward": CLASS_REWARD}


class TestClassifierReward(RewardContract):
    plugin, name, options = helper, "classifier", {"encoder": "helper/halves", "wanted": 1}


class TestLatentKL(TermContract):
    name = "latent-kl"

    def networks(self) -> Mapping[str, nn.Module]:
        return {**super().networks(), "generator": steered_points()}


class TestCriticReward(RewardContract):
    name, options, sequences = "critic", {"loss": "hinge"}, True


class TestLength(RewardContract):
    name, options, sequences = "length", {"target": 4}, True


class TestCriticRewardOfImages(RewardContract):
    name, options = "critic", {"loss": "hinge", "steps": 0}


class TestSum(RewardContract):
    name, sequences = "sum", True
    options: ClassVar[Mapping[str, Any]] = {
        "parts": {"length": {"use": "length", "target": 4}, "real": {"use": "critic", "loss": "hinge"}},
        "weights": {"real": 0.5},
        "normalise": ["length"],
    }


class TestConstant(ScheduleContract):
    name, options = "constant", {"value": 0.5}


class TestCosine(ScheduleContract):
    name, options = "cosine", {"start": 1.0, "warmup": 3}


class TestExponential(ScheduleContract):
    name, options = "exponential", {"start": 1.0, "end": 0.01}


class TestLinear(ScheduleContract):
    name, options = "linear", {"start": 1.0, "end": 0.0, "until": 50}


class TestArray(SpaceContract):
    name, options = "array", {"dimensions": [2, 3]}


class TestLabel(SpaceContract):
    name, options = "label", {"classes": ["low", "middle", "high"]}


class TestPoint(SpaceContract):
    name, options = "point", {"dimensions": 3}


class TestAuxiliaryClassifierOfTheCritic(TermContract):
    name, options, conditions = "auxiliary-classifier", {"trains": "discriminator"}, {"label": LABEL}

    def networks(self) -> Mapping[str, nn.Module]:
        return coded_and_headed()


class TestAuxiliaryClassifierOfTheGenerator(TermContract):
    name, options, conditions = "auxiliary-classifier", {"trains": "generator"}, {"label": LABEL}

    def networks(self) -> Mapping[str, nn.Module]:
        return coded_and_headed()


class TestConsistency(TermContract):
    plugin, name, options = helper, "consistency", {"augmentation": "helper/jitter"}


class TestBalancedConsistency(TermContract):
    plugin, name, options = helper, "consistency", {"augmentation": "helper/jitter", "generated": True}


class TestCycleConsistency(TermContract):
    name, data = "cycle-consistency", DOMAINS

    def networks(self) -> Mapping[str, nn.Module]:
        return translators_and_critics()


class TestIdentity(TermContract):
    name, data = "identity", DOMAINS

    def networks(self) -> Mapping[str, nn.Module]:
        return translators_and_critics()


class TestLeCam(TermContract):
    name = "lecam"


class TestMutualInformation(TermContract):
    name, conditions = "mutual-information", {"label": LABEL}

    def networks(self) -> Mapping[str, nn.Module]:
        return coded_and_headed()


class TestDragan(TermContract):
    name = "dragan"


class TestFeatureMatching(TermContract):
    name = "feature-matching"


class TestGradientPenalty(TermContract):
    name = "gradient-penalty"


class TestR1(TermContract):
    name, options = "r1", {"gamma": 2.0}


class TestR1OnSequences(TermContract):
    name, sequences = "r1", True


class TestR2(TermContract):
    name = "r2"


class TestR2OnSequences(TermContract):
    name, sequences = "r2", True


class TestReconstruction(TermContract):
    name = "reconstruction"


class TestMaskedReconstruction(TermContract):
    name, options = "reconstruction", {"mask": "hole"}
    data = MemoryData(PointSpace(), torch.eye(8)[:, :2], {"hole": (PointSpace(1), torch.ones(8, 1))})


class TestStaged(TrainerContract):
    name = "staged"
