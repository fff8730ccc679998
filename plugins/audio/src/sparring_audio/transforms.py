"""Sound to mel spectrograms and back, on the device where the tensors are: the one place that imports torchaudio.

Letters in names of tensors: B rows of the batch, L samples of a waveform, N frequencies of a spectrum, M mel bands,
T frames.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor, nn

HANN_SPREAD = 1.5  # times the power of the peak: 1 + 2 · (1/2)², from the peak and its two neighbours
UNMIXING_STEPS = 16  # further steps lower the error of speech by less than a tenth of a decibel
MOST_PHASES = 1000  # of a polyphase filter: beyond, torchaudio's table of them no longer fits in memory
SMALLEST = 1e-10  # of a power, so that nothing is divided by zero


def import_torchaudio() -> ModuleType:
    """Return torchaudio, without its compiled part where that cannot be loaded.

    The published wheels link CUDA's libraries, and ``import torchaudio`` raises OSError beside a torch that is built
    for processors alone. Spectrograms, Griffin-Lim and resampling are written in Python on torch's own operations,
    and need nothing of it. torchaudio itself goes on without its compiled part where the files are missing, so the
    function that looks for them is made to find none.
    """
    try:
        import torchaudio
    except (OSError, ImportError, RuntimeError):  # the last: built for another version of CUDA than torch
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        _find_no_extension()
        import torchaudio
    module: ModuleType = torchaudio
    return module


def _find_no_extension() -> None:
    """Load torchaudio's module that looks for the extension ahead of torchaudio, and replace its search."""
    name = "torchaudio._extension.utils"
    package = importlib.util.find_spec("torchaudio")
    if package is None or not package.submodule_search_locations:
        raise ImportError("torchaudio is not installed")
    file = Path(package.submodule_search_locations[0]) / "_extension" / "utils.py"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    module._load_lib = lambda lib: False  # type: ignore[attr-defined]


torchaudio = import_torchaudio()


class MelSettings(NamedTuple):
    """What a mel spectrogram depends on.

    Attributes:
        sample_rate: In Hz.
        window: Length of the Hann window and of the Fourier transform, in samples.
        hop: Samples from one frame to the next.
        mels: Number of bands.
        lowest: Lower edge of the first band, in Hz.
        highest: Upper edge of the last band, in Hz.
    """

    sample_rate: int
    window: int
    hop: int
    mels: int
    lowest: float
    highest: float


class MelAnalysis(nn.Module):
    """Measure the power in mel bands over time; that of a sine of full scale is 1, over the bands that share it.

    Bands are triangles of height 1 on O'Shaughnessy's mel scale, as in HTK, so that neighbouring ones add up to 1.

    Args:
        settings: Of the spectrogram.
    """

    def __init__(self, settings: MelSettings) -> None:
        super().__init__()
        self.spectrogram = torchaudio.transforms.MelSpectrogram(
            settings.sample_rate,
            n_fft=settings.window,
            hop_length=settings.hop,
            f_min=settings.lowest,
            f_max=settings.highest,
            n_mels=settings.mels,
            power=2.0,
            pad_mode="constant",  # silence: a mirrored edge would be sound that is not there
        )
        self.full_scale = full_scale(settings)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map ``(B, L)`` in [-1, 1] to powers ``(B, M, 1 + L // hop)``."""
        power_BMT: Tensor = self.spectrogram(waveform) / self.full_scale
        return power_BMT


class MelSynthesis(nn.Module):
    """Find a waveform with a given power in mel bands.

    The spectrum is the nearest one without negative powers (Lee and Seung 2001, "Algorithms for Non-negative Matrix
    Factorization", with the bands held fixed); the phases come from the fast Griffin-Lim algorithm (Perraudin,
    Balazs and Søndergaard 2013, "A Fast Griffin-Lim Algorithm").

    Args:
        settings: Of the spectrogram.
        iterations: Of Griffin-Lim.
        momentum: Of Griffin-Lim, in [0, 1); the paper's fast version has 0.99, and 0 is the first version of 1984.
    """

    def __init__(self, settings: MelSettings, iterations: int = 32, momentum: float = 0.99) -> None:
        super().__init__()
        self.bands_MN: Tensor
        self.register_buffer("bands_MN", _bands(settings).T.contiguous())
        self.full_scale = full_scale(settings)
        # Phases start at zero, not at random, so that a spectrogram always makes the same sound.
        self.griffin_lim = torchaudio.transforms.GriffinLim(
            n_fft=settings.window,
            hop_length=settings.hop,
            n_iter=iterations,
            power=2.0,
            momentum=momentum,
            rand_init=False,
        )

    def forward(self, power: Tensor) -> Tensor:
        """Map powers ``(B, M, T)`` to waveforms ``(B, (T - 1) * hop)`` of float32."""
        spectrum_BNT = self.unmix(power.to(self.bands_MN.dtype)) * self.full_scale
        waveform_BL: Tensor = self.griffin_lim(spectrum_BNT)
        return waveform_BL.float()

    def unmix(self, power: Tensor) -> Tensor:
        """Map powers in bands ``(B, M, T)`` to powers of frequencies ``(B, N, T)``; none is negative."""
        return unmixed(power, self.bands_MN)


def unmixed(mixed: Tensor, bands: Tensor) -> Tensor:
    """Find what was mixed into bands, none of it negative (Lee and Seung 2001, with the bands held fixed).

    Args:
        mixed: Powers or magnitudes in bands, ``(B, M, T)``.
        bands: The weight of each frequency in each band, ``(M, N)``.

    Returns:
        ``(B, N, T)``.
    """
    wanted_BNT = bands.T @ mixed
    spectrum_BNT = wanted_BNT / bands.sum(0)[:, None].clamp_min(SMALLEST)
    for _ in range(UNMIXING_STEPS):
        found_BNT = bands.T @ (bands @ spectrum_BNT)
        spectrum_BNT = spectrum_BNT * wanted_BNT / found_BNT.clamp_min(SMALLEST**2)
    return spectrum_BNT


def phased(magnitude: Tensor, window: int, hop: int, iterations: int, momentum: float = 0.99) -> Tensor:
    """Find a waveform with given magnitudes by the fast Griffin-Lim algorithm (Perraudin et al. 2013).

    Args:
        magnitude: ``(B, N, T)``, frame i around the samples of the i-th hop.
        window: Length of the Hann window and of the Fourier transform, in samples.
        hop: Samples from one frame to the next.
        iterations: Of the algorithm.
        momentum: Of the algorithm; 0 is the first version of 1984.

    Returns:
        ``(B, T * hop)``.
    """
    griffin_lim = torchaudio.transforms.GriffinLim(
        n_fft=window, hop_length=hop, n_iter=iterations, power=1.0, momentum=momentum, rand_init=False
    ).to(magnitude)
    # It lays its first frame on the first sample, and cannot work on clips shorter than half of a window. With further
    # frames at either end there are enough, and the given ones lie in the middles of their hops.
    further = math.ceil(window / 2 / hop)
    waveform_BL: Tensor = griffin_lim(torch.nn.functional.pad(magnitude, (further, further), mode="replicate"))
    return waveform_BL[:, further * hop - hop // 2 :][:, : magnitude.shape[2] * hop]


def full_scale(settings: MelSettings) -> float:
    """Return the power of a sine of full scale, summed over the frequencies that a Hann window spreads it to.

    The window adds up to half of its length, and half of the amplitude lies at negative frequencies.
    """
    return HANN_SPREAD * (settings.window / 4) ** 2


def empty_bands(settings: MelSettings) -> int:
    """Return how many mel bands hold no frequency of the Fourier transform, as narrow ones at the low end do."""
    return int((_bands(settings).sum(0) == 0).sum())


@cache
def analysis(settings: MelSettings, device: torch.device) -> MelAnalysis:
    """Return the analysis on a device; made once, since its window and bands are computed."""
    return MelAnalysis(settings).to(device)


@cache
def synthesis(settings: MelSettings, iterations: int, momentum: float, device: torch.device) -> MelSynthesis:
    """Return the synthesis on a device; made once, since its bands are computed.

    Griffin-Lim magnifies rounding errors from step to step. In float64 they stay inaudible, so that a sound does not
    depend on the sounds beside it; Apple's accelerator has no float64.
    """
    return MelSynthesis(settings, iterations, momentum).to(
        device, torch.float32 if device.type == "mps" else torch.float64
    )


def resample(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """Change a sample rate: ``(…, L)`` at ``rate`` Hz to ``(…, ceil(L * wanted / rate))`` at ``wanted`` Hz."""
    if rate == wanted:
        return waveform
    if max(rate, wanted) // math.gcd(rate, wanted) <= MOST_PHASES:
        resampled: Tensor = torchaudio.functional.resample(waveform, rate, wanted)
        return resampled
    import librosa  # here, since its first use costs seconds

    values = librosa.resample(waveform.cpu().numpy(), orig_sr=rate, target_sr=wanted, res_type="soxr_hq")
    return torch.from_numpy(values).to(waveform)


def _bands(settings: MelSettings) -> Tensor:
    """Return the weight of each frequency in each band, ``(N, M)``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchaudio warns of empty bands; here they are counted
        weights_NM: Tensor = torchaudio.functional.melscale_fbanks(
            n_freqs=settings.window // 2 + 1,
            f_min=settings.lowest,
            f_max=settings.highest,
            n_mels=settings.mels,
            sample_rate=settings.sample_rate,
        )
    return weights_NM
