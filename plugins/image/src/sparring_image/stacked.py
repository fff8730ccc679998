"""Three digits as the channels of one picture: a thousand modes, which a generator may reach or miss.

Letters in names of tensors: B rows of the batch, C channels, H rows and W columns of pixels, K classes.
"""

from __future__ import annotations

import copy
import math
from typing import ClassVar, Final, Literal, Self

import torch
from torch import Tensor

from sparring.errors import DataError, TrainingError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.metric import Metric
from sparring.spaces.label import LabelSpace
from sparring_image.encoders import ClassifierEncoder
from sparring_image.spaces import ImageSpace

STACKED: Final = 3  # digits on one another: as many as a picture has colours


class StackedDigits(Data):
    """Colour pictures whose red, green and blue each show a digit, which makes 10³ modes.

    Metz, Poole, Pfau and Sohl-Dickstein 2017, "Unrolled Generative Adversarial Networks", arXiv:1611.02163, did so
    first with MNIST. The three digits are drawn independently and with replacement, as for PacGAN, which trains on
    128,000 of them (Lin, Khetan, Fanti and Oh 2018, arXiv:1712.04086). Which ones make up the picture at an index
    follows from the seed alone. The split ``test`` stacks digits that the single ones hold out, so that none of them
    occurs in training.

    Attributes:
        digits: The single digits, with their labels and their own split ``test``.

    Args:
        of: The single digits: any grey images with labels. By default ``image/digits``, whose pictures have 8x8
            pixels; with ``image/mnist-5000`` they have 28x28, as published.
        count: How many pictures a split holds.
        seed: Which digits are stacked.
    """

    def __init__(self, of: Data | None = None, count: int = 128_000, seed: int = 0) -> None:
        if of is None:
            from sparring_image.digits import Digits

            of = Digits()
        if count < 1:
            raise DataError(f"{count} pictures cannot be stacked", where="data.count", remedy="ask for at least one")
        label = of.conditions.get("label")
        if len(of.space.shape) != 3 or of.space.shape[0] != 1 or not isinstance(label, LabelSpace):
            raise DataError(
                f"image/stacked-digits stacks grey images with labels, and these have the shape {of.space.shape}"
                + ("" if isinstance(label, LabelSpace) else " and no labels"),
                where="data.of",
                remedy="use image/digits, image/mnist-5000 or image/fashion-mnist, with labels",
            )
        self.digits = of
        self.space: ImageSpace = ImageSpace(STACKED, *of.space.shape[1:])
        self._count, self._seed = count, seed
        self._use("train")

    def __len__(self) -> int:
        return self._count

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        single = self._part.gather(self._triples[indices.cpu()].flatten(), rng=rng).sample
        return Batch(single.view(len(indices), *self.space.shape))

    def split(self, name: str) -> Self:
        if name == "train":
            return self
        part = copy.copy(self)
        part._use(name)
        return part

    def place(self, device: torch.device) -> bool:
        return self._part.place(device)

    def _use(self, name: str) -> None:
        """Stack the digits of one of their splits."""
        self._part = self.digits.split(name)
        draw = torch.Generator().manual_seed(self._seed)
        self._triples = torch.randint(len(self._part), (self._count, STACKED), generator=draw)


class StackedModes(Metric):
    """Count the modes of stacked digits that samples reach, as a classifier of single digits reads them.

    - ``modes``: how many of the 1000 combinations occur at least once.
    - ``reverse_kl``: KL(generated ‖ uniform) in nats; lower is better. Even perfect samples score about
      (modes − 1) / (2 × samples), for they are finitely many: 0.019 with 26,000, the published number of samples.
    - ``classifier_accuracy``: the share of held-out single digits that the classifier reads rightly, without which
      the two others say little. It does not depend on the generator.

    The classifier is ``image/classifier``, trained on the single digits that training stacks, when the metric is
    built. It names one of the classes for every channel, also where none is to be seen: a generator of noise reaches
    some modes, too, and a Fréchet distance belongs beside these figures.

    Attributes:
        encoder: The classifier.

    Args:
        data: ``image/stacked-digits``.
        steps: Training steps of the classifier.
        seed: Of the classifier.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, data: Data, steps: int = 1600, seed: int = 0) -> None:
        if not isinstance(data, StackedDigits):
            raise DataError(
                f"image/stacked-modes reads stacked digits, and these data are {type(data).__name__}",
                remedy="use it with the data image/stacked-digits; for other labelled images there is image/confidence",
            )
        self.encoder = ClassifierEncoder(data.digits, steps=steps, seed=seed)
        label = data.digits.conditions["label"]
        assert isinstance(label, LabelSpace)
        self.classes = len(label.classes)
        self.reset()

    def reset(self) -> None:
        self._found = torch.zeros(self.classes**STACKED, dtype=torch.long)

    @torch.no_grad()
    def update(self, real: Batch, fake: Batch) -> None:
        if not len(fake):
            return
        single_BCHW = fake.sample.flatten(0, 1).unsqueeze(1)
        digit_BC = self.encoder.probabilities(single_BCHW).argmax(dim=1).view(-1, STACKED).cpu()
        mode_B = (digit_BC * self.classes ** torch.arange(STACKED - 1, -1, -1)).sum(dim=1)
        self._found += mode_B.bincount(minlength=len(self._found))

    def compute(self) -> dict[str, float]:
        total = self._found.sum()
        if not total:
            raise TrainingError("image/stacked-modes has seen no samples", remedy="evaluate on at least one sample")
        share = self._found.double() / total
        values = {
            "modes": float((self._found > 0).sum()),
            # 0 · log 0 counts as 0.
            "reverse_kl": float(torch.special.xlogy(share, share * len(share)).sum()),
        }
        if not math.isnan(self.encoder.accuracy):  # NaN where no digits are held out
            values["classifier_accuracy"] = self.encoder.accuracy
        return values
