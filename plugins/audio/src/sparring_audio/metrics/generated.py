"""What was generated, as sound: is it the word that was asked for, how loud is it, how far from anything real."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch
from sparring.interfaces.metric import Encoder, Metric
from sparring.interfaces.space import Space
from sparring.metrics.classifier import Classifier
from sparring_audio.listening import Listener

QUIET = -50.0  # dB: the loudest band of ordinary speech is some 40 dB above
CHUNK = 64  # sounds that are compared at a time


class WordAccuracy(Metric):
    """The share of generated sounds that a classifier hears as the class that was asked for, ahead of all others.

    ``word_accuracy`` is that share, ``least_word`` the share of the class for which it is lowest, and ``sure`` the
    share to which the classifier gives the class that was asked for at least ``threshold`` probability. The
    classifier's own accuracy on held-out sounds is ``real_accuracy``: no generator should be expected to exceed it.

    Args:
        encoder: One that names classes: ``audio/classifier``.
        threshold: The probability, in [0, 1], from which on the classifier counts as sure.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    def __init__(self, encoder: Encoder, threshold: float = 0.85) -> None:
        if not isinstance(encoder, Classifier):
            raise DataError(
                f"audio/word-accuracy asks for classes, and the encoder {encoder.name} gives none",
                remedy="write `encoder: audio/classifier`, and use labelled data",
            )
        if not 0 <= threshold <= 1:
            raise DataError(f"the threshold {threshold} is no probability", remedy="choose one between 0 and 1")
        self.encoder: Encoder = encoder  # a run's record has its name beside the figures
        self.classifier: Classifier = encoder
        self.threshold = threshold
        self.reset()

    def reset(self) -> None:
        self._asked: list[Tensor] = []
        self._right: list[Tensor] = []
        self._sure: list[Tensor] = []
        self._real_right: list[Tensor] = []

    def update(self, real: Batch, fake: Batch) -> None:
        if len(real):
            self._real_right.append(self._hear(real)[0])
        if len(fake):
            right_B, probability_B = self._hear(fake)
            self._asked.append(fake.condition["label"].cpu())
            self._right.append(right_B)
            self._sure.append(probability_B >= self.threshold)

    def compute(self) -> dict[str, float]:
        if not self._right:
            raise DataError("no samples were given to audio/word-accuracy", remedy="call `update` first")
        asked, right = torch.cat(self._asked), torch.cat(self._right).float()
        shares = [right[asked == word].mean().item() for word in sorted(set(asked.tolist()))]
        values = {
            "word_accuracy": right.mean().item(),
            "least_word": min(shares),
            "sure": torch.cat(self._sure).float().mean().item(),
        }
        if self._real_right:
            values["real_accuracy"] = torch.cat(self._real_right).float().mean().item()
        return values

    def _hear(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return whether each sound's class ranks first ``(B,)``, and the probability of that class ``(B,)``."""
        if "label" not in batch.condition:
            raise DataError(
                "audio/word-accuracy compares with the class that was asked for, and these samples have no label",
                where="evaluate.metrics",
                remedy="use labelled data, or leave the metric out",
            )
        with torch.no_grad():
            probability_BK = self.classifier.probabilities(batch.sample).cpu()
        label_B = batch.condition["label"].cpu()
        return probability_BK.argmax(dim=1) == label_B, probability_BK.gather(1, label_B[:, None])[:, 0]


class SoundMeasures(Metric):
    """How far generated sounds are from anything real, how loud they are, and how much of them is silence.

    ``spectral_distance`` is the root mean square difference, over bands and frames and in decibels, to the nearest
    held-out sound, averaged over the generated ones: 0 is a copy, and ``real_spectral_distance`` is what a held-out
    sound has to the nearest other one, and so what to expect of good samples. ``loudness`` is the mean level in dBFS,
    where a sine of full scale has 0, and ``silence`` the share of frames in which no band reaches -50 dB; both are
    given of real sounds too. All are computed from log-mel spectrograms: of the space ``audio/log-mel`` as they are,
    before Griffin-Lim; of other spaces, of the sound.

    Args:
        space: The samples' space, which says what their values mean.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def __init__(self, space: Space) -> None:
        self.listener = Listener(space, "audio/sound")
        self.reset()

    def reset(self) -> None:
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    def update(self, real: Batch, fake: Batch) -> None:
        for kept, batch in ((self._real, real), (self._fake, fake)):
            if len(batch):
                kept.append(self.listener.space.decibels(self.listener(batch.sample.detach().cpu())))

    def compute(self) -> dict[str, float]:
        if not self._real or not self._fake:
            raise DataError("audio/sound was given no real or no generated samples", remedy="call `update` first")
        real, fake = torch.cat(self._real), torch.cat(self._fake)
        values = {"spectral_distance": nearest(fake, real).mean().item()}
        if len(real) > 1:
            values["real_spectral_distance"] = nearest(real, real, apart=True).mean().item()
        for prefix, sounds in (("", fake), ("real_", real)):
            frames = frame_levels(sounds)
            values[f"{prefix}loudness"] = (10 * (10 ** (frames / 10)).mean(dim=1).log10()).mean().item()
            values[f"{prefix}silence"] = (sounds.amax(dim=(1, 2)) < QUIET).float().mean().item()
        return values


def nearest(sounds: Tensor, others: Tensor, *, apart: bool = False) -> Tensor:
    """Return each sound's root mean square difference to the nearest of the others, in dB.

    Args:
        sounds: ``(B, …)`` in dB.
        others: ``(N, …)`` in dB.
        apart: Whether both are the same sounds, so that none is compared with itself.

    Returns:
        ``(B,)``.
    """
    first, second = sounds.flatten(1), others.flatten(1)
    found = []
    for start in range(0, len(first), CHUNK):
        # Pair by pair: the matrix product's rounding errors would give copies a distance.
        distances = torch.cdist(first[start : start + CHUNK], second, compute_mode="donot_use_mm_for_euclid_dist")
        if apart:
            distances[torch.arange(len(distances)), torch.arange(start, start + len(distances))] = torch.inf
        found.append(distances.amin(dim=1))
    return torch.cat(found) / math.sqrt(first.shape[1])


def frame_levels(decibels: Tensor) -> Tensor:
    """Return each frame's level in dBFS: ``(B, 1, M, T)`` in dB -> ``(B, T)``.

    Neighbouring bands add up to one, so that their sum is the frame's power within the range of the bands.
    """
    power_BT: Tensor = (10 ** (decibels[:, 0] / 10)).sum(dim=1)
    return 10 * power_BT.log10()
