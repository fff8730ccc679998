"""The conformance kit: a contract for every kind of component, in the shape of a base class for tests.

A plugin's test file names a component; pytest then checks all that its interface promises::

    from sparring.testing import GeneratorContract
    from spiral import plugin

    class TestSpiral(GeneratorContract):
        plugin, name, options = plugin, "spiral/mlp", {}

It needs pytest.
"""

from sparring.testing.augmentation import AugmentationContract, ConstraintContract
from sparring.testing.contract import ComponentContract, ContractBroken
from sparring.testing.coverage import contracts_in, covers
from sparring.testing.data import DataContract
from sparring.testing.discriminator import DiscriminatorContract
from sparring.testing.generator import GeneratorContract
from sparring.testing.loss import LossContract
from sparring.testing.metric import EncoderContract, MetricContract, RewardContract
from sparring.testing.modules import LearningContract, ModuleContract, NetworkContract
from sparring.testing.objective import ObjectiveContract, TermContract
from sparring.testing.optimization import InitializerContract, OptimizerContract, ScheduleContract
from sparring.testing.run import CallbackContract, TrainerContract
from sparring.testing.sequence import SequenceGeneratorContract
from sparring.testing.space import SpaceContract
from sparring.testing.stand_ins import (
    StandInDiscriminator,
    StandInGenerator,
    StandInSequenceGenerator,
    StandInTokens,
)
from sparring.testing.streaming import StreamingDataContract

__all__ = [
    "AugmentationContract",
    "CallbackContract",
    "ComponentContract",
    "ConstraintContract",
    "ContractBroken",
    "DataContract",
    "DiscriminatorContract",
    "EncoderContract",
    "GeneratorContract",
    "InitializerContract",
    "LearningContract",
    "LossContract",
    "MetricContract",
    "ModuleContract",
    "NetworkContract",
    "ObjectiveContract",
    "OptimizerContract",
    "RewardContract",
    "ScheduleContract",
    "SequenceGeneratorContract",
    "SpaceContract",
    "StandInDiscriminator",
    "StandInGenerator",
    "StandInSequenceGenerator",
    "StandInTokens",
    "StreamingDataContract",
    "TermContract",
    "TrainerContract",
    "contracts_in",
    "covers",
]
