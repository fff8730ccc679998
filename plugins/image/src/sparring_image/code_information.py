"""What the codes of a generator have to do with what its images show (InfoGAN).

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, N samples, K classes.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric
from sparring.metrics.classifier import Classifier

CODE, CONTINUOUS = "code.", "code.continuous"


class CodeInformation(Metric):
    """How much each code of a generator says of its images: the codes of ``coded``, which InfoGAN gives a meaning.

    For categorical code 0, and so on for others: ``code_0_information``, the mutual information in nats of the code and
    the class that a classifier finds; and, as the main value, ``code_0_share``, the same as a share of the code's
    entropy: 1 where each value of the code shows one class of its own, 0 where codes say nothing. Counted over N
    samples it comes out too high by about (values − 1)(classes − 1) / 2N nats (Miller, 1955): 0.04 for ten classes and
    1,000 samples.

    For each continuous code: ``continuous_0_ink`` and ``continuous_0_slant``, the absolute correlation, 0 to 1, of the
    code with the mean brightness of the image, and with the shear of what is bright.

    Args:
        encoder: One that names classes: ``image/classifier``.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, encoder: Encoder) -> None:
        if not isinstance(encoder, Classifier):
            raise DataError(
                f"image/code-information asks for classes, and the encoder {encoder.name} gives none",
                remedy="write `encoder: image/classifier`, or for data without labels "
                "`encoder: {use: image/classifier, labelled: {use: …}}`",
            )
        self.encoder, self.classifier = encoder, encoder
        self.reset()

    def reset(self) -> None:
        self._codes: dict[str, list[Tensor]] = {}
        self._classes: list[Tensor] = []
        self._ink: list[Tensor] = []
        self._slant: list[Tensor] = []

    def update(self, real: Batch, fake: Batch) -> None:
        if not len(fake):
            return
        codes = {name: value.cpu() for name, value in fake.extras.items() if name.startswith(CODE)}
        if not codes:
            raise DataError(
                "image/code-information looks at codes, and the generator says none",
                remedy="use the generator {use: coded, generator: …, categorical: [10]}",
            )
        for name, value in codes.items():
            self._codes.setdefault(name, []).append(value)
        with torch.no_grad():
            self._classes.append(self.classifier.probabilities(fake.sample).argmax(dim=1).cpu())
            ink_BHW = _ink(fake.sample.cpu())
        self._ink.append(ink_BHW.mean((1, 2)))
        self._slant.append(_slant(ink_BHW))

    def compute(self) -> dict[str, float]:
        if not self._classes:
            raise DataError("no samples were given to image/code-information", remedy="call `update` first")
        classes_N = torch.cat(self._classes)
        codes = {name: torch.cat(parts) for name, parts in self._codes.items()}
        values: dict[str, float] = {}
        for name, code_N in codes.items():
            if name != CONTINUOUS:
                found = mutual_information(code_N, classes_N)
                label = name.replace(".", "_")
                values[f"{label}_share"] = found / max(_entropy(torch.bincount(code_N)), 1e-12)
                values[f"{label}_information"] = found
        properties = {"ink": torch.cat(self._ink), "slant": torch.cat(self._slant)}
        for number, code_N in enumerate(codes[CONTINUOUS].T if CONTINUOUS in codes else ()):
            for shown, value_N in properties.items():
                values[f"continuous_{number}_{shown}"] = abs(correlation(code_N, value_N))
        return values


def mutual_information(first_N: Tensor, second_N: Tensor) -> float:
    """Return the mutual information of two series of whole numbers, in nats, by their counts."""
    columns = int(second_N.max()) + 1
    joint = torch.bincount(first_N * columns + second_N, minlength=(int(first_N.max()) + 1) * columns)
    joint = joint.reshape(-1, columns)
    return max(0.0, _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - _entropy(joint.flatten()))


def correlation(first_N: Tensor, second_N: Tensor) -> float:
    """Return Pearson's correlation of two series, and 0 where one of them does not vary."""
    first, second = first_N.double() - first_N.double().mean(), second_N.double() - second_N.double().mean()
    scale = float(first.norm() * second.norm())
    return float(first @ second) / scale if scale > 1e-12 else 0.0


def _entropy(counts: Tensor) -> float:
    """Return the entropy of a distribution, given by counts, in nats."""
    share = counts[counts > 0].double() / counts.sum()
    return float(-(share * share.log()).sum())


def _ink(sample_BCHW: Tensor) -> Tensor:
    """Return how bright each pixel is, over channels: ``(B, C, H, W)`` in [-1, 1] -> ``(B, H, W)`` in [0, 1]."""
    return ((sample_BCHW.float().clamp(-1, 1) + 1) / 2).mean(dim=1)


def _slant(ink_BHW: Tensor) -> Tensor:
    """Return each picture's shear, ``(B,)``: how many columns to the right what is bright moves with each row up."""
    _, height, width = ink_BHW.shape
    up, right = -torch.arange(height).float()[:, None], torch.arange(width).float()[None, :]
    mass_B = ink_BHW.sum((1, 2)).clamp_min(1e-6)

    def mean(value: Tensor) -> Tensor:
        return (ink_BHW * value).sum((1, 2)) / mass_B

    across_B = mean(up * right) - mean(up.expand(height, width)) * mean(right.expand(height, width))
    spread_B = mean((up * up).expand(height, width)) - mean(up.expand(height, width)).square()
    return across_B / spread_B.clamp_min(1e-6)
