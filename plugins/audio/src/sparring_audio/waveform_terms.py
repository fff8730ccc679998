"""Losses between a generated waveform and the real one, by their spectra.

Letters in names of tensors: B rows of the batch, L samples, M mel bands, N frequencies, T frames.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from sparring.errors import DataError, TrainingError
from sparring.interfaces.context import Context
from sparring.interfaces.objective import Term
from sparring.interfaces.space import Space
from sparring_audio.magnitudes import Filters, magnitudes, mel_bands
from sparring_audio.waveform import waveform_space

SMALLEST_MEL = 1e-5  # of a magnitude in a mel band, as in HiFi-GAN
SMALLEST = 1e-7  # of what spectra are divided by, so that silence has a distance
HOPS = 4  # of a mel's window
PAPER_SIZE, PAPER_HOP, PAPER_WINDOW = 1024, 120, 600  # samples, of the first resolution of Parallel WaveGAN


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
    """Spectral convergence and log magnitude, averaged over resolutions.

    Yamamoto, Song and Kim 2020, "Parallel WaveGAN", arXiv:1910.11480, equations 3 to 6: the root of the squared
    differences of magnitudes, divided by that of the real magnitudes, and the mean absolute difference of their natural
    logarithms. Here the first is computed for each sound, and then averaged, so that a quiet one counts as a loud one.

    Args:
        space: Of waveforms.
        generator: The generator's role.
        windows: Samples of each Fourier transform; a frame follows the other after about a ninth of it, and its Hann
            window is five ninths long, as 1024, 120 and 600 samples in the paper.
    """

    def __init__(self, space: Space, generator: str = "generator", windows: list[int] | None = None) -> None:
        waveform_space(space, "audio/multi-resolution-stft")
        self.windows = [1024, 2048, 512] if windows is None else windows
        if not self.windows or min(self.windows) < 16:
            raise DataError(
                f"windows of {self.windows} samples measure nothing", remedy="name lengths such as 1024, 2048, 512"
            )
        self.generator = generator
        self.trains = (generator,)

    def __call__(self, context: Context) -> Tensor:
        made_BL, real_BL = _pair(context, self.generator, "multi-resolution-stft")
        return torch.stack([stft_distance(made_BL, real_BL, size) for size in self.windows]).mean()


def stft_distance(made: Tensor, real: Tensor, size: int) -> Tensor:
    """Return the spectral convergence and the difference of log magnitudes at one resolution, added: a scalar.

    Args:
        made: ``(B, L)``.
        real: ``(B, L)``; it takes no gradient.
        size: Of the Fourier transform, in samples.
    """
    hop, window = PAPER_HOP * size // PAPER_SIZE, PAPER_WINDOW * size // PAPER_SIZE
    made_BNT = magnitudes(made, window, hop, size)
    with torch.no_grad():
        real_BNT = magnitudes(real, window, hop, size)
    # In silence both are near 0, and so is the root's argument, where its slope would be infinite.
    missed_B = ((made_BNT - real_BNT).square().sum((1, 2)) + SMALLEST**2).sqrt()
    convergence = (missed_B / real_BNT.square().sum((1, 2)).sqrt().clamp_min(SMALLEST)).mean()
    return convergence + l1_loss(made_BNT.log(), real_BNT.log())


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
