"""InfoGAN's generator: part of its latent is codes that a sample should show, and that can be asked for.

Letters in names of tensors: B rows of the batch, Z the latent's length.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from sparring.errors import SparringError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, Generator, SequenceGenerator, lift_generated
from sparring.interfaces.space import Space
from sparring.spaces.array import ArraySpace
from sparring.spaces.label import LabelSpace

CONTINUOUS = "code.continuous"


class CodedGenerator(Generator):
    """Give part of a generator's latent a meaning to be found: codes (InfoGAN: Chen et al., 2016).

    The latent is noise from N(0, 1), then a one-hot vector for each categorical code, each value as likely as any
    other, then the continuous codes, uniform in [-1, 1]. What they were is said in ``extras``: ``code.0``, ``code.1``
    … for the categorical ones, whole numbers ``(B,)``, and ``code.continuous``, ``(B, continuous)``. Conditions of
    these names take the place of what was drawn.

    The term ``mutual-information`` and the discriminator ``heads`` make codes mean something; alone they are noise.

    Args:
        generator: Any generator whose latent is a vector. Its ``latent_dim`` is the whole length: noise and codes.
        categorical: For each categorical code, how many values it has.
        continuous: How many continuous codes there are.
    """

    def __init__(self, generator: Generator, categorical: list[int] = [], continuous: int = 0) -> None:  # noqa: B006
        super().__init__()
        _check(generator, categorical, continuous)
        self.generator, self.categorical, self.continuous = generator, list(categorical), continuous
        self.codes: Mapping[str, Space] = code_spaces(categorical, continuous)
        self.latent_shape = generator.latent_shape
        assert self.latent_shape is not None
        self.noise = self.latent_shape[0] - sum(categorical) - continuous

    def latent(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Draw ``(n, Z)``: noise, one-hot codes, codes in [-1, 1]."""
        parts = [torch.randn(n, self.noise, generator=rng, device=rng.device)]
        for values in self.categorical:
            drawn_B = torch.randint(values, (n,), generator=rng, device=rng.device)
            parts.append(one_hot(drawn_B, values).to(parts[0].dtype))
        parts.append(torch.rand(n, self.continuous, generator=rng, device=rng.device) * 2 - 1)
        return torch.cat(parts, dim=1)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        """Map ``(B, Z)`` to what the inner generator makes of it, with the codes beside it."""
        if latent is None:
            raise SparringError("the generator coded needs a latent", remedy="draw one with latent(n, rng=rng)")
        latent_BZ = self._asked(latent, condition)
        others = {name: value for name, value in condition.items() if name not in self.codes}
        made = lift_generated(self.generator(latent_BZ, others))
        return made._replace(extras={**made.extras, **self._read(latent_BZ)})

    def _asked(self, latent_BZ: Tensor, condition: Condition) -> Tensor:
        """Write the codes that are asked for over those that were drawn."""
        if not any(name in self.codes for name in condition):
            return latent_BZ
        parts = list(torch.split(latent_BZ, [self.noise, *self.categorical, self.continuous], dim=1))
        for number, values in enumerate(self.categorical):
            if (asked_B := condition.get(f"code.{number}")) is not None:
                parts[1 + number] = one_hot(asked_B.long(), values).to(latent_BZ)
        if self.continuous and CONTINUOUS in condition:
            parts[-1] = condition[CONTINUOUS].to(latent_BZ)
        return torch.cat(parts, dim=1)

    def _read(self, latent_BZ: Tensor) -> dict[str, Tensor]:
        """Return the codes that a latent holds, by name."""
        parts = torch.split(latent_BZ.detach(), [self.noise, *self.categorical, self.continuous], dim=1)
        found = {f"code.{number}": part.argmax(dim=1) for number, part in enumerate(parts[1:-1])}
        return {**found, **({CONTINUOUS: parts[-1]} if self.continuous else {})}


def code_spaces(categorical: list[int], continuous: int) -> dict[str, Space]:
    """Return the space of each code by its name: labels of one class each value, and an array of the continuous."""
    spaces: dict[str, Space] = {
        f"code.{number}": LabelSpace([str(value) for value in range(values)])
        for number, values in enumerate(categorical)
    }
    return {**spaces, CONTINUOUS: ArraySpace([continuous])} if continuous else spaces


def _check(generator: Generator, categorical: list[int], continuous: int) -> None:
    if not categorical and not continuous:
        raise ValueError("there are no codes: give `categorical` or `continuous`")
    if continuous < 0 or any(values < 2 for values in categorical):
        raise ValueError(f"a categorical code has at least 2 values, and `continuous` is at least 0: {categorical}")
    shape = generator.latent_shape
    if isinstance(generator, SequenceGenerator) or shape is None or len(shape) != 1:
        raise SparringError(
            f"coded needs a generator whose latent is a vector, and that of {type(generator).__name__} is {shape}",
            remedy="use a generator such as mlp or image/dcgan",
        )
    codes = sum(categorical) + continuous
    if shape[0] < codes:
        raise SparringError(
            f"the codes take {codes} numbers of the latent, which has {shape[0]}",
            remedy=f"set the inner generator's latent_dim to {codes} and as many as there is to be noise",
        )
