"""Losses between a generated waveform and the real one, by their spectra.

Letters in names of tensors: B rows of the batch, L samples, N frequencies of a spectrum, M mel bands,
T frames.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from sparring.errors import DataError, TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term
from sparring.interfaces.space import Space
from sparring_audio.bands import Filters, mel_bands
from sparring_audio.magnitudes import magnitudes, magnitudes_by_hop
from sparring_audio.mels import MelSpace
from sparring_audio.stft import multi_resolution_distance
from sparring_audio.waveform import waveform_space

SMALLEST_MEL = 1e-5  # of a magnitude in a mel band, as in HiFi-GAN
LOG_MAGNITUDE = "audio/log-magnitude"
HOPS = 4  # of a mel's window


class MelL1(Term):
    """The mean absolute difference of log-mel spectrograms (HiFi-GAN: Kong, Kim and Bae 2020, equation 5).

    The mel bands reach up to half of the sample rate, whatever those that drive the vocoder do: what it is not told, it
    shall learn. HiFi-GAN weighs the term by 45. Several windows make a loss of several resolutions, their mean, which
    learns faster and is less prone to artefacts.

    Args:
        space: Of waveforms.
        generator: The generator's role.
        windows: Lengths of Hann windows, in samples; the hop is a quarter of each. HiFi-GAN has 1,024 alone.
        mels: Bands of the first window; the others have as many in proportion to their lengths.
        filters: ``slaney`` or ``htk``, as ``audio/mel`` explains.
    """

    def __init__(
        self,
        space: Space,
        generator: str = "generator",
        windows: list[int] | None = None,
        mels: int = 80,
        filters: Filters = "slaney",
    ) -> None:
        self.rate = waveform_space(space, "audio/mel-l1").sample_rate
        self.windows = [1024] if windows is None else windows
        if not self.windows or min(self.windows) < HOPS or mels < 1:
            raise DataError(
                f"windows of {self.windows} samples with {mels} mel bands measure nothing",
                remedy="name lengths such as 1024, and a number of bands such as 80",
            )
        self.generator, self.mels, self.filters = generator, mels, filters
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        made_BL, real_BL = _pair(context, self.generator, "mel-l1")
        distances = []
        for window in self.windows:
            with torch.no_grad():
                wanted_BMT = self._log_mel(real_BL, window)
            distances.append(l1_loss(self._log_mel(made_BL, window), wanted_BMT))
        return torch.stack(distances).mean()

    def _log_mel(self, waveform_BL: Tensor, window: int) -> Tensor:
        mels = max(1, round(self.mels * window / self.windows[0]))
        bands_MN = mel_bands(self.rate, window, mels, 0.0, self.rate / 2, self.filters, waveform_BL.device)
        with torch.autocast(waveform_BL.device.type, enabled=False):
            mel_BMT = bands_MN @ magnitudes(waveform_BL, window, window // HOPS)
            return mel_BMT.clamp_min(SMALLEST_MEL).log()


class MultiResolutionSTFT(Term):
    """The multi-resolution STFT distance of generated waveforms from the real ones, row by row.

    Yamamoto, Song and Kim 2020, "Parallel WaveGAN", arXiv:1910.11480, equations 3 to 6, at the paper's resolutions:
    what the metric of this name measures.

    Args:
        space: Of waveforms.
        generator: The generator's role.
    """

    def __init__(self, space: Space, generator: str = "generator") -> None:
        waveform_space(space, "audio/multi-resolution-stft")
        self.generator = generator
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        made_BL, real_BL = _pair(context, self.generator, "multi-resolution-stft")
        with torch.autocast(made_BL.device.type, enabled=False):
            return multi_resolution_distance(real_BL.detach(), made_BL).mean()


class LogMagnitude(Term):
    """The mean absolute difference of the logarithms of magnitudes that a vocoder means to sound, and of the real ones.

    It is of ``Generated.extras["log_magnitude"]``, before any phases, such as ``audio/griffin-lim-vocoder`` gives it:
    a plain regression. Magnitudes far below ``faintest`` count as one another.

    Args:
        space: Of waveforms.
        conditions: ``mel``, an ``audio/mel``: its window and hop are those of the magnitudes.
        generator: The generator's role.
        faintest: Added to magnitudes before their logarithm. A sine of full scale has a quarter of the window, so that
            of 1,024 samples 0.003 lies 99 dB below it: about the rounding of 16 bits.
    """

    def __init__(
        self, space: Space, conditions: Mapping[str, Space], generator: str = "generator", faintest: float = 0.003
    ) -> None:
        waveform_space(space, LOG_MAGNITUDE)
        mel = conditions.get("mel")
        if not isinstance(mel, MelSpace):
            raise DataError(
                f"{LOG_MAGNITUDE} measures as the condition 'mel' does, and the data have no audio/mel of that name",
                remedy="use data of audio/vocoding",
            )
        if faintest <= 0:
            raise ValueError(f"faintest is {faintest}, and must be above 0")
        self.mel, self.generator, self.faintest = mel, generator, faintest
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        level_BNT = context.generate(self.generator).extras.get("log_magnitude")
        if level_BNT is None:
            raise TrainingError(
                f"{LOG_MAGNITUDE} needs a generator that says its magnitudes, and '{self.generator}' does not",
                remedy="use audio/griffin-lim-vocoder, or another term",
            )
        real_BL = context.batch.sample[:, 0].float()
        with torch.no_grad():
            real_BNT = magnitudes_by_hop(real_BL, self.mel.window, self.mel.hop, self.mel.padding)
            wanted_BNT = (real_BNT + self.faintest).log()
        if level_BNT.shape != wanted_BNT.shape:
            raise TrainingError(
                f"{LOG_MAGNITUDE} compares magnitudes {tuple(level_BNT.shape)} with real ones "
                f"{tuple(wanted_BNT.shape)}, which differ in shape",
                remedy="give (B, frequencies, frames), by the window and hop of the condition 'mel'",
            )
        return l1_loss((level_BNT.float().exp() + self.faintest).log(), wanted_BNT)


def _pair(context: Context, role: str, term: str) -> tuple[Tensor, Tensor]:
    """Return generated and real waveforms ``(B, L)``."""
    made, real = context.generate(role).sample, context.batch.sample
    if made.shape != real.shape:
        raise TrainingError(
            f"the term {term} compares generated waveforms {tuple(made.shape)} with real ones {tuple(real.shape)}, "
            "which differ in shape",
            remedy="generate what the condition was computed from, such as audio/vocoding's",
        )
    return made[:, 0].float(), real[:, 0].float()
