"""Every component of the core is under contract."""

from __future__ import annotations

from torch import Tensor

from sparring import Encoder, Plugin
from sparring.builtin import plugin
from sparring.spaces.label import LabelSpace
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

LABEL = LabelSpace(["low", "high"])
helper = Plugin("helper")


@helper.encoder("flat")
class Flat(Encoder):
    """The sample itself as its features."""

    name = "flat"

    def __init__(self) -> None:
        super().__init__()

    def forward(self, sample: Tensor) -> Tensor:
        return sample.flatten(1)


def test_every_component_is_under_contract() -> None:
    covers(plugin, *contracts_in(globals()))


class TestFlat(EncoderContract):
    plugin, name = helper, "helper/flat"


class TestCollapse(CallbackContract):
    name = "collapse"


class TestConvergence(CallbackContract):
    name = "convergence"


class TestTensorBoard(CallbackContract):
    name = "tensorboard"


class TestWeightClip(ConstraintContract):
    name = "weight-clip"


class TestPoints(DataContract):
    name = "points"


class TestLabelledPoints(DataContract):
    name, options = "points", {"arrangement": "spiral", "modes": 3, "labels": True, "seed": 4}


class TestMLPDiscriminator(DiscriminatorContract):
    name = "mlp"


class TestConditionalMLPDiscriminator(DiscriminatorContract):
    name, conditions = "mlp", {"label": LABEL}


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


class TestFrechet(MetricContract):
    plugin, name, options = helper, "frechet", {"encoder": "helper/flat"}


class TestModes(MetricContract):
    name = "modes"


class TestAdversarial(ObjectiveContract):
    name, options = "adversarial", {"loss": "relativistic"}


class TestAdversarialWithSharedFakes(ObjectiveContract):
    name, options = "adversarial", {"loss": "non-saturating", "reuse_fake": True, "discriminator_steps": 2}


class TestAdversarialOnSequences(ObjectiveContract):
    name, options, sequences = "adversarial", {"loss": "hinge"}, True


class TestLikelihood(ObjectiveContract):
    name, sequences = "likelihood", True


class TestReinforce(ObjectiveContract):
    name, options, sequences = "reinforce", {"reward": {"use": "length", "target": 4}}, True


class TestAdam(OptimizerContract):
    name, options = "adam", {"lr": 0.1, "betas": [0, 0.99]}


class TestAdamW(OptimizerContract):
    name, options = "adamw", {"lr": 0.1}


class TestSGD(OptimizerContract):
    name, options = "sgd", {"lr": 0.1, "momentum": 0.9}


class TestLength(RewardContract):
    name, options, sequences = "length", {"target": 4}, True


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


class TestStaged(TrainerContract):
    name = "staged"
