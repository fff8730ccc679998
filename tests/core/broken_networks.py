"""Generators and discriminators that break one promise each."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sparring import (
    Condition,
    Critique,
    Discriminator,
    Generated,
    Generator,
    Space,
)
from sparring.spaces.label import LabelSpace
from sparring.testing import StandInSequenceGenerator
from tests.core.broken_components import breaks

# ---- generators ----


class Whole(Generator):
    """A generator that keeps its promises; each below breaks one."""

    latent_shape = (3,)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        made: Tensor = self.layer(latent)
        return made


@breaks("generator", "dead", "test_gradient_reaches_every_parameter")
class Dead(Whole):
    """It has a parameter that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(2))


@breaks("generator", "leaking", "test_rows_are_independent")
class Leaking(Whole):
    """It normalises by the batch in evaluation mode too."""

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        made = super().forward(latent, condition)
        return made - made.mean(dim=0)


@breaks("generator", "misshapen", "test_samples_are_of_the_space")
class Misshapen(Whole):
    """It makes a column too many."""

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        return super().forward(latent, condition).repeat(1, 2)


@breaks("generator", "global-noise", "test_latent_follows_its_rng_alone")
class GlobalNoise(Whole):
    """It draws latents from the global generator."""

    def latent(self, n: int, *, rng: torch.Generator) -> Tensor:
        return torch.randn(n, 3, generator=rng) + 0.1 * torch.randn(1)


@breaks("generator", "restless", "test_evaluation_is_deterministic")
class Restless(Whole):
    """It counts its calls in a buffer."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        self.calls += 1
        return super().forward(latent, condition)


@breaks("generator", "loose", "test_tensors_are_parameters_or_buffers")
class Loose(Whole):
    """It holds a tensor that does not move with it."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.ones(2)

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        return super().forward(latent, condition) + self.shift


@breaks("generator", "deaf", "test_conditions_change_the_samples")
class Deaf(Whole):
    """It takes conditions, and does not listen."""

    def __init__(self, conditions: Mapping[str, Space]) -> None:
        super().__init__()


@breaks("generator", "stubborn", "test_codes_can_be_asked_for")
class Stubborn(Whole):
    """It says a code, and does not take one."""

    codes: Mapping[str, Space] = {"code.0": LabelSpace(["low", "high"])}

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:  # type: ignore[override]
        assert latent is not None
        return Generated(super().forward(latent, condition), extras={"code.0": (latent[:, 0] > 0).long()})


@breaks("generator", "clinging", "test_copies_share_nothing")
class Clinging(Whole):
    """It keeps its last sample, graph and all, hidden from the check of loose tensors in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Tensor] = []

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        self.kept = [super().forward(latent, condition)]
        return self.kept[0]


@breaks("generator", "unseeded", "test_same_seed_gives_same_weights")
class Unseeded(Whole):
    """It draws first weights from Python's generator."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.constant_(self.layer.bias, random.random())


@breaks("generator", "peeking", "test_log_prob_looks_back_only")
class Peeking(StandInSequenceGenerator):
    """Its likelihood of the first token depends on the last."""

    def __init__(self, space: Space) -> None:
        super().__init__(space)  # type: ignore[arg-type]

    def log_prob(self, tokens: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        found = super().log_prob(tokens, condition, lengths)
        # Where lengths are given nothing changes, so that sampling agrees.
        return found if lengths is not None else found - 0.01 * tokens[:, -1:]


@breaks("generator", "prefixless", "test_prefix_is_kept")
class Prefixless(StandInSequenceGenerator):
    """It starts anew, whatever the prefix."""

    def __init__(self, space: Space) -> None:
        super().__init__(space)  # type: ignore[arg-type]

    def sample(self, n: int, condition: Condition, **options: Any) -> Generated:
        return super().sample(n, condition, **{**options, "prefix": None})


@breaks("generator", "boasting", "test_sampled_log_probs_are_those_of_log_prob")
class Boasting(StandInSequenceGenerator):
    """It says that it was sure of what it drew."""

    def __init__(self, space: Space) -> None:
        super().__init__(space)  # type: ignore[arg-type]

    def sample(self, n: int, condition: Condition, **options: Any) -> Generated:
        made = super().sample(n, condition, **options)
        return made._replace(extras={"log_probs": torch.zeros_like(made.extras["log_probs"])})


@breaks("generator", "unpadded", "test_relaxed_rows_are_distributions")
class Unpadded(StandInSequenceGenerator):
    """Its relaxed samples end in uniform rows."""

    def __init__(self, space: Space) -> None:
        super().__init__(space)  # type: ignore[arg-type]

    def relax(self, n: int, condition: Condition, *, temperature: float, rng: torch.Generator) -> Generated:
        made = super().relax(n, condition, temperature=temperature, rng=rng)
        assert made.lengths is not None
        ended = torch.arange(self.length) >= made.lengths[:, None]
        return made._replace(sample=torch.where(ended[..., None], 1 / self.vocabulary, made.sample))


# ---- discriminators ----


class Once(torch.autograd.Function):
    """The square, which can be differentiated once."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        context.save_for_backward(value)
        return value * value

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (value,) = context.saved_tensors
        slope: Tensor = 2 * value * gradient
        return slope


class Judge(Discriminator):
    """A discriminator that keeps its promises."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique | Tensor:
        logits: Tensor = torch.tanh(self.layer(sample)).squeeze(1)
        return logits


@breaks("discriminator", "once", "test_is_twice_differentiable")
class OnceDifferentiable(Judge):
    """It has no second derivative."""

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Tensor:
        squared: Tensor = Once.apply(self.layer(sample))  # type: ignore[no-untyped-call]
        return squared.squeeze(1)


@breaks("discriminator", "fickle", "test_features_keep_their_structure")
class Fickle(Judge):
    """It returns features in training alone."""

    def forward(self, sample: Tensor, condition: Condition, lengths: Tensor | None = None) -> Critique:
        logits = torch.tanh(self.layer(sample)).squeeze(1)
        return Critique((logits,), ((logits,),) if self.training else ())


@breaks("discriminator", "unpacked", "test_critique_has_one_row_a_sample", "test_batch_size_is_free")
class Unpacked(Judge):
    """It says that it judges two samples together, and judges each by itself."""

    packing = 2
