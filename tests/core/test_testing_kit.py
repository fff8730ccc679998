"""The conformance kit: what is sound passes, and each broken promise is found by the check that is about it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

from sparring import Plugin
from sparring.interfaces.data import StreamingData
from sparring.interfaces.generator import SequenceGenerator
from sparring.testing import (
    AugmentationContract,
    CallbackContract,
    ComponentContract,
    ConstraintContract,
    ContractBroken,
    DataContract,
    DiscriminatorContract,
    EncoderContract,
    GeneratorContract,
    InitializerContract,
    LossContract,
    MetricContract,
    NetworkContract,
    ObjectiveContract,
    OptimizerContract,
    RewardContract,
    ScheduleContract,
    SequenceGeneratorContract,
    SpaceContract,
    StandInSequenceGenerator,
    StandInTokens,
    StreamingDataContract,
    TermContract,
    TrainerContract,
    contracts_in,
    covers,
)
from tests.core.broken_components import BREAKS, broken
from tests.core.broken_data import Stream
from tests.core.broken_networks import Judge, Whole
from tests.core.broken_training import Shift

pytest_plugins = ["pytester"]

CONTRACTS: dict[str, type[ComponentContract]] = {
    contract.kind: contract
    for contract in (
        AugmentationContract,
        CallbackContract,
        ConstraintContract,
        DataContract,
        DiscriminatorContract,
        EncoderContract,
        GeneratorContract,
        InitializerContract,
        LossContract,
        MetricContract,
        NetworkContract,
        ObjectiveContract,
        OptimizerContract,
        RewardContract,
        ScheduleContract,
        SpaceContract,
        TermContract,
        TrainerContract,
    )
}
assert BREAKS

sound = Plugin("sound")
sound.add("augmentation", "shift", Shift)
sound.add("data", "stream", Stream)
sound.add("discriminator", "judge", Judge)
sound.add("generator", "whole", Whole)


@sound.generator("sequences")
class Sequences(StandInSequenceGenerator):
    """The stand-in, as a component."""

    def __init__(self, space: StandInTokens) -> None:
        super().__init__(space)


@sound.network("doubling")
class Doubling(torch.nn.Module):
    """A network of another role."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(width, 2 * width)

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.layer(sample)
        return made


class TestShift(AugmentationContract):
    plugin, name = sound, "sound/shift"


class TestStream(StreamingDataContract):
    plugin, name = sound, "sound/stream"


class TestJudge(DiscriminatorContract):
    plugin, name = sound, "sound/judge"


class TestWhole(GeneratorContract):
    plugin, name = sound, "sound/whole"


class TestSequences(SequenceGeneratorContract):
    plugin, name = sound, "sound/sequences"


class TestDoubling(NetworkContract):
    plugin, name = sound, "sound/doubling"

    def inputs(self, module: Any, rows: int, *, seed: int = 0) -> Any:
        return self.materials.batch(rows, seed=seed)


def test_every_sound_component_is_under_contract() -> None:
    covers(sound, *contracts_in(globals()))


# ---- what is broken ----


def failures(contract: type[ComponentContract], folder: Path) -> dict[str, str]:
    """Run every check of a contract, and return the messages of those that fail."""
    found = {}
    for check in [name for name in dir(contract) if name.startswith("test_")]:
        function = getattr(contract(), check)
        arguments = {}
        if "tmp_path" in inspect.signature(function).parameters:
            (folder / check).mkdir()
            arguments = {"tmp_path": folder / check}
        try:
            function(**arguments)
        except pytest.skip.Exception:
            continue
        except Exception as error:
            found[check] = str(error)
    return found


def contract_of(kind: str, name: str) -> type[ComponentContract]:
    """Return the contract of a broken component."""
    chosen = CONTRACTS[kind]
    target = next(part.target for part in broken.sparring_components() if (part.kind, part.name) == (kind, name))
    fields: dict[str, Any] = {"plugin": broken, "name": name}
    if inspect.isclass(target) and issubclass(target, SequenceGenerator):
        chosen = SequenceGeneratorContract
    if inspect.isclass(target) and issubclass(target, StreamingData):
        chosen = StreamingDataContract
    return type("TestBroken", (chosen,), fields)


@pytest.mark.parametrize(("kind", "name"), list(BREAKS), ids=[" ".join(key) for key in BREAKS])
def test_a_broken_promise_is_found_by_its_check(kind: str, name: str, tmp_path: Path) -> None:
    found = failures(contract_of(kind, name), tmp_path)
    assert set(found) == BREAKS[kind, name], found
    message = next(iter(found.values()))
    assert f"{kind} '{name}'" in message
    assert "what to do: " in message


def test_each_kind_has_a_contract_and_a_broken_component() -> None:
    from sparring.plugins.component import KINDS

    assert set(CONTRACTS) == set(KINDS)
    assert {kind for kind, _ in BREAKS} >= set(KINDS) - {"network"}


# ---- how a plugin's author uses it ----

SPIRAL = '''
from torch import Tensor, nn
from sparring import Condition, Generator, Plugin

plugin = Plugin("spiral")

@plugin.generator("mlp")
class SpiralMLP(Generator):
    """Map a latent vector to a point in the plane."""
    def __init__(self, latent_dim: int = 16, width: int = 64) -> None:
        super().__init__()
        self.latent_shape = (latent_dim,)
        self.net = nn.Sequential(nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, latent: Tensor, condition: Condition) -> Tensor:      # (B, latent_dim) -> (B, 2)
        return self.net(latent)
'''
FOUR_LINES = """
from sparring.testing import GeneratorContract
from spiral import plugin
class TestSpiral(GeneratorContract):
    plugin, name, options = plugin, "spiral/mlp", {}
"""


def test_a_test_file_of_four_lines_checks_a_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(spiral=SPIRAL, test_spiral=FOUR_LINES)
    outcomes = pytester.runpytest_inprocess("-p", "no:cacheprovider").parseoutcomes()
    # The plugin's generator takes no conditions, and has no codes.
    assert outcomes.pop("skipped") == 3
    assert outcomes.pop("passed") >= 16
    assert not outcomes


def test_a_known_failure_is_expected_with_its_reason(pytester: pytest.Pytester) -> None:
    dead = SPIRAL.replace("        self.net =", "        self.extra = nn.Linear(1, 1)\n        self.net =")
    known = '    expected_failures = {"test_gradient_reaches_every_parameter": "the extra head comes later"}\n'
    pytester.makepyfile(spiral=dead, test_spiral=FOUR_LINES + known)
    result = pytester.runpytest_inprocess("-rx", "-p", "no:cacheprovider")
    assert result.parseoutcomes()["xfailed"] == 1
    assert "failed" not in result.parseoutcomes()
    result.stdout.fnmatch_lines(["*the extra head comes later*"])


def test_a_failure_that_is_no_more_is_reported(pytester: pytest.Pytester) -> None:
    known = '    expected_failures = {"test_batch_size_is_free": "not yet"}\n'
    pytester.makepyfile(spiral=SPIRAL, test_spiral=FOUR_LINES + known)
    assert pytester.runpytest_inprocess("-p", "no:cacheprovider").parseoutcomes()["failed"] == 1


def test_expected_failures_name_checks() -> None:
    with pytest.raises(TypeError, match="did you mean 'test_batch_size_is_free'"):
        type("TestX", (GeneratorContract,), {"name": "mlp", "expected_failures": {"test_batch_size_is_fre": "x"}})


def test_the_plugin_of_the_test_takes_the_place_of_an_installed_one() -> None:
    own = Plugin("image")
    own.add("generator", "whole", Whole)
    contract = type("TestOwn", (GeneratorContract,), {"plugin": own, "name": "image/whole"})()
    assert isinstance(contract.build(), Whole)


def test_components_without_contracts_are_listed() -> None:
    with pytest.raises(ContractBroken, match="no contract checks: discriminator 'sound/judge'"):
        covers(sound, *(one for one in contracts_in(globals()) if one is not TestJudge))
    with pytest.raises(ContractBroken, match="no components"):
        covers(Plugin("empty"), TestWhole)


def test_wrong_options_are_a_failure_of_their_own(tmp_path: Path) -> None:
    untyped = Plugin("untyped")

    @untyped.reward("any")
    class Anything:
        """A reward whose option may be anything."""

        def __init__(self, target: Any = 1, name: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
            self.target, self.name = target, name

        def __call__(self, samples: Any, reference: Any) -> torch.Tensor:
            return torch.zeros(len(samples))

    contract = type("TestAnything", (RewardContract,), {"plugin": untyped, "name": "untyped/any"})
    assert list(failures(contract, tmp_path)) == ["test_options_are_typed"]
