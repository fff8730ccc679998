"""Noise mixed into any sounds, at stated ratios: what an enhancer is asked to take away again.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.training.randomness import mix
from sparring_audio.files import find_sounds
from sparring_audio.reading import skipped
from sparring_audio.sounds import read_sound
from sparring_audio.transforms import resample
from sparring_audio.waveform import WaveformSpace, waveform_space

Kind = Literal["white", "coloured", "babble"]
VOICES = 6  # that babble together: words of fewer can be understood
FLATTEST, STEEPEST = 0.5, 2.0  # fall of a coloured noise's power with frequency: 1 is pink, 2 brown
LOWEST_BIN = 1  # of a coloured noise, whose power would be endless at 0 Hz
SILENT = 1e-8  # mean square below which a clip counts as silence, and has no ratio to noise
ALONE = 1e-4  # mean square of the noise that a silent clip gets: -40 dB
TRAINING_SHARE = 0.8  # of each recorded noise: its end is heard in held-out clips alone


class Noisy(Data):
    """Any sounds with noise mixed in: samples are the clean sounds, the condition ``noisy`` is what is to be mended.

    Noise is ``white``; ``coloured``, whose power falls with frequency by a power from 0.5 to 2 (1 is pink, 2 brown);
    ``babble``, six other clips of the same data at once; or recorded. Each clip gets one kind by chance, at a ratio of
    speech to noise drawn evenly, in decibels, between two bounds. Where the mixture would exceed full scale, it and the
    clean sound are made quieter together. The conditions of the wrapped data are left out.

    In training each batch gets new noise; in every other split each clip keeps one noise, so that scores compare. Noise
    is mixed on the fly. Held-out clips hear babble of held-out clips, and the last fifth of each recorded noise, which
    training never hears.

    Args:
        of: The data to wrap, such as ``{use: audio/folder, path: speech, space: {use: audio/waveform}}``.
        noises: Kinds of noise; each is as likely as another.
        recorded: A folder of recorded noise, one more kind; files of any sample rate, each at least a second long.
        lowest: The smallest ratio of the sound's power to the noise's, in dB.
        highest: The largest, in dB.
        held_out_noises: Kinds of noise that held-out clips have instead: those that training never hears, say.
        seed: Of the noise in held-out clips.
    """

    def __init__(
        self,
        of: Data,
        noises: list[Kind] | None = None,
        recorded: Path | None = None,
        lowest: float = 0.0,
        highest: float = 15.0,
        held_out_noises: list[Kind] | None = None,
        seed: int = 0,
    ) -> None:
        self._waveforms = waveform_space(of.space, "audio/noisy", "data.of.space")
        self.space = self._waveforms
        self.conditions = {"noisy": self.space}
        kinds: Sequence[Kind] = ("white", "coloured", "babble") if noises is None else noises
        if not kinds and recorded is None:
            raise DataError("there is no noise to mix in", where="data.noises", remedy="name a kind, such as `[white]`")
        if lowest > highest:
            raise DataError(
                f"the smallest ratio, {lowest} dB, is larger than the largest, {highest} dB",
                where="data.lowest",
                remedy="exchange them",
            )
        if held_out_noises == [] and recorded is None:
            raise DataError(
                "held-out clips would have no noise",
                where="data.held_out_noises",
                remedy="name a kind, or leave the option out",
            )
        self._of, self._bounds, self._seed = of, (lowest, highest), seed
        none: tuple[list[Tensor], list[str]] = ([], [])
        recordings, notes = none if recorded is None else _read(Path(recorded).expanduser(), self._waveforms)
        self._training = _Noises(tuple(kinds), [_part(sound, True) for sound in recordings])
        self._testing = _Noises(
            tuple(kinds if held_out_noises is None else held_out_noises), [_part(sound, False) for sound in recordings]
        )
        self._fixed = False
        self.notes = [*of.notes, *notes]

    def __len__(self) -> int:
        return len(self._of)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        sample = self._of.gather(indices, rng=rng).sample
        if not self._fixed:
            noise_BL, ratio_B = self._draw(len(indices), self._training, rng)
        else:
            rows = []
            for index in indices.tolist():
                own = torch.Generator().manual_seed(mix(self._seed, "noise", index))
                rows.append(self._draw(1, self._testing, own))
            noise_BL, ratio_B = torch.cat([row[0] for row in rows]), torch.cat([row[1] for row in rows])
        clean_BL, noisy_BL = mixed(sample[:, 0], noise_BL.to(sample.device), ratio_B.to(sample.device))
        return Batch(clean_BL[:, None], {"noisy": noisy_BL[:, None]})

    def split(self, name: str) -> Noisy:
        """Return a part of the wrapped data; but for ``train``, each of its clips keeps its noise."""
        if name == "train":
            return self
        part = object.__new__(Noisy)
        part.__dict__.update(self.__dict__)
        part._of, part._fixed = self._of.split(name), True
        return part

    def place(self, device: torch.device) -> bool:
        return self._of.place(device)

    def _draw(self, rows: int, noises: _Noises, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw noise ``(B, L)`` of any loudness, and its ratios ``(B,)`` in dB."""
        lowest, highest = self._bounds
        ratio_B = lowest + (highest - lowest) * torch.rand(rows, generator=rng)
        kind_B = torch.randint(len(noises.kinds) + bool(noises.recorded), (rows,), generator=rng)
        noise_BL = torch.empty(rows, self._waveforms.length)
        for row, kind in enumerate(kind_B.tolist()):
            noise_BL[row] = (
                self._noise(noises.kinds[kind], rng)
                if kind < len(noises.kinds)
                else _cut(noises, self._waveforms.length, rng)
            )
        return noise_BL, ratio_B

    def _noise(self, kind: Kind, rng: torch.Generator) -> Tensor:
        """Draw one noise ``(L,)``."""
        length = self._waveforms.length
        if kind == "babble":
            others = torch.randint(len(self._of), (VOICES,), generator=rng)
            voices_BL = self._of.gather(others, rng=rng).sample[:, 0].cpu()
            starts = torch.randint(length, (VOICES,), generator=rng).tolist()
            # Shifted round the edge, so that they do not all begin at once.
            turned = [_level(voice).roll(start) for voice, start in zip(voices_BL, starts, strict=True)]
            return torch.stack(turned).sum(0)
        white_L = torch.randn(length, generator=rng)
        if kind == "white":
            return white_L
        slope = float(FLATTEST + (STEEPEST - FLATTEST) * torch.rand(1, generator=rng))
        return coloured(white_L, slope)


class _Noises(NamedTuple):
    """Where a split's noise comes from."""

    kinds: tuple[Kind, ...]
    recorded: list[Tensor]


def mixed(clean_BL: Tensor, noise_BL: Tensor, ratio_B: Tensor) -> tuple[Tensor, Tensor]:
    """Add noise to sounds at a ratio, both made quieter where the sum would exceed full scale.

    Args:
        clean_BL: ``(B, L)`` in [-1, 1]. A silent one gets noise at -40 dB.
        noise_BL: ``(B, L)`` of any loudness.
        ratio_B: ``(B,)``, the power of the sound over that of the noise, in dB.

    Returns:
        The clean sounds and the mixtures, ``(B, L)`` each in [-1, 1].
    """
    power_B, own_B = clean_BL.square().mean(1), noise_BL.square().mean(1)
    wanted_B = torch.where(power_B > SILENT, power_B / 10 ** (ratio_B / 10), ALONE)
    noisy_BL = clean_BL + noise_BL * (wanted_B / own_B.clamp_min(SILENT)).sqrt()[:, None]
    peak_B1 = torch.maximum(noisy_BL.abs().amax(1, keepdim=True), clean_BL.abs().amax(1, keepdim=True)).clamp_min(1.0)
    return clean_BL / peak_B1, noisy_BL / peak_B1


def coloured(white_L: Tensor, slope: float) -> Tensor:
    """Let the power of a white noise ``(L,)`` fall with frequency, as 1 / f to a power."""
    spectrum_N = torch.fft.rfft(white_L)
    bin_N = torch.arange(len(spectrum_N), dtype=white_L.dtype).clamp_min(LOWEST_BIN)
    coloured_L: Tensor = torch.fft.irfft(spectrum_N * bin_N ** (-slope / 2), n=len(white_L))
    return coloured_L


def _level(waveform_L: Tensor) -> Tensor:
    """Bring a voice to the loudness of the others."""
    return waveform_L / waveform_L.square().mean().clamp_min(SILENT).sqrt()


def _cut(noises: _Noises, length: int, rng: torch.Generator) -> Tensor:
    """Take a piece ``(L,)`` of a recorded noise, from anywhere; a shorter one goes on from its start."""
    chosen = noises.recorded[int(torch.randint(len(noises.recorded), (1,), generator=rng))]
    start = int(torch.randint(len(chosen), (1,), generator=rng))
    return chosen[(start + torch.arange(length)) % len(chosen)]


def _part(sound: Tensor, training: bool) -> Tensor:
    edge = round(len(sound) * TRAINING_SHARE)
    return sound[:edge] if training else sound[edge:]


def _read(folder: Path, space: WaveformSpace) -> tuple[list[Tensor], list[str]]:
    """Read a folder of recorded noise, at the space's sample rate; return it, and what to tell of files left out.

    Raises:
        DataError: None of them can be used.
    """
    found: list[Tensor] = []
    left_out: list[tuple[Path, str]] = []
    files = find_sounds(folder.absolute())
    for path in files:
        try:
            sound = read_sound(path)
        except DataError as error:
            left_out.append((path, error.what))
            continue
        waveform = resample(torch.from_numpy(sound.waveform), sound.sample_rate, space.sample_rate)
        if len(waveform) < space.sample_rate:
            left_out.append((path, "a noise must last a second or longer"))
        elif float(waveform.square().mean()) < SILENT:
            left_out.append((path, "the sound is silent"))
        else:
            found.append(waveform)
    if not found:
        raise DataError(
            f"none of the {len(files)} recorded noises can be used: {left_out[0][1]}",
            where=str(folder),
            remedy="put noises of a second or longer there",
        )
    return found, skipped(left_out, len(files))
