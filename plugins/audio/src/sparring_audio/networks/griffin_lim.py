"""A vocoder that starts where Griffin-Lim ends: a network mends the magnitudes, and Griffin-Lim finds their phases.

Given a mel spectrogram, Griffin-Lim lacks the magnitudes more than the phases: the bands say no more of them than sums.
A network over frames learns what a voice's magnitudes are within the bands, which is a plain regression and quick to
learn. It keeps the sums: what it makes has the very spectrogram that it was given, before its phases.

Letters in names of tensors: B rows of the batch, M mel bands, T frames, C channels, N frequencies, W samples of a
window, L samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sparring.errors import DataError, SparringError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generated, Generator
from sparring.interfaces.space import Space
from sparring_audio.mels import MelSpace
from sparring_audio.networks.convnext import KERNEL, ConvNextBlock
from sparring_audio.networks.driven import drive_of, mel_of
from sparring_audio.networks.linear import QuickLinear
from sparring_audio.phases import phased, precise
from sparring_audio.stft import Resolution, hann, overlapped
from sparring_audio.transforms import SMALLEST

NAME = "audio/griffin-lim-vocoder"
FAINTEST = -12.0  # logarithm of a magnitude: far below a rounding error of 16 bits
LOUDEST = 10.0  # logarithm of a magnitude: beyond that of full scale, and exponentials stay finite
USUAL, SPREAD = -5.0, 3.0  # of logarithms of speech's mel bands, by which the network's input is brought near [-1, 1]
SUMS = 4  # times that the sums of bands are put right; they come within a few hundredths of the given ones


class GriffinLimVocoder(Generator):
    """Turn mel spectrograms into waveforms by Griffin-Lim, from magnitudes that a network has mended.

    The network adds its correction to the logarithms of magnitudes that the bands alone suggest, at first none, and the
    bands' sums are put right after it. Phases come from the fast Griffin-Lim algorithm (Perraudin, Balazs and
    Søndergaard 2013), which starts from zero phases and has no chance in it. Gradients reach the magnitudes and leave
    the phases as they are. ``Generated.extras`` has ``log_magnitude`` ``(B, N, T)``, natural logarithms, which the term
    ``audio/log-magnitude`` compares with the real ones.

    It cannot be streamed: each iteration carries phases a window further, and 32 of them beyond a second. Nor is there
    an ONNX graph of it.

    Attributes:
        hop: Samples of a frame.

    Args:
        space: Of waveforms.
        conditions: ``mel``: the spectrograms' space, an ``audio/mel``, since their bands are undone here.
        width: Channels.
        blocks: Number of ConvNeXt blocks.
        iterations: Of Griffin-Lim.
        training_iterations: The same while it trains, where each costs as much; 1 where only magnitudes are trained on.
    """

    latent_shape = None

    def __init__(
        self,
        space: Space,
        conditions: Mapping[str, Space],
        width: int = 256,
        blocks: int = 4,
        iterations: int = 32,
        training_iterations: int = 1,
    ) -> None:
        super().__init__()
        self.mels, self.hop = drive_of(space, conditions, NAME)
        mel = conditions["mel"]
        if not isinstance(mel, MelSpace):
            raise DataError(
                f"{NAME} undoes the bands of mel spectrograms, and {type(mel).__name__} does not say what they are",
                where="data.mel",
                remedy="use audio/mel",
            )
        if min(iterations, training_iterations) < 1:
            raise ValueError(
                f"iterations is {iterations} and training_iterations {training_iterations}; both must be at least 1"
            )
        self.iterations, self.training_iterations = iterations, training_iterations
        self.resolution, self.power = Resolution(mel.window, mel.hop, mel.window), mel.power
        self.unit = 1.0 if mel.logarithm == "natural" else math.log(10)
        self.smallest = mel.smallest
        bands_MN = mel.bands(torch.device("cpu"))
        self.bands_MN: Tensor
        self.shares_MN: Tensor
        self.register_buffer("bands_MN", bands_MN.clone(), persistent=False)
        # A band's correction goes to its frequencies, each of which takes the mean of those of its bands.
        self.register_buffer("shares_MN", bands_MN / bands_MN.sum(0).clamp_min(SMALLEST), persistent=False)
        self.first = nn.Conv1d(self.mels, width, KERNEL, padding=KERNEL // 2)
        self.first_norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(ConvNextBlock(width, 1 / blocks) for _ in range(blocks))
        self.last_norm = nn.LayerNorm(width)
        self.head = QuickLinear(width, mel.window // 2 + 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, latent: Tensor | None, condition: Condition) -> Generated:
        """Make ``(B, 1, T * hop)`` from ``mel`` ``(B, M, T)``; there is no latent."""
        if torch.compiler.is_exporting():
            raise SparringError(
                f"{NAME} cannot be written as a graph: each of its iterations goes to complex spectra and back",
                remedy="export a vocoder without iterations, such as audio/istft-vocoder or audio/hifigan",
            )
        mel_BMT = mel_of(condition, self.mels, NAME)
        # Griffin-Lim magnifies rounding errors, 32 iterations several hundredfold, and a batch is rounded otherwise
        # than its rows: one by one, a row's sound does not depend on the others. A single sound costs the same.
        rows = (mel_BMT,) if self.training else torch.split(mel_BMT, 1)
        level_BNT = torch.cat([self._levels(row) for row in rows])
        return Generated(self._sound(level_BNT)[:, None], extras={"log_magnitude": level_BNT})

    def _levels(self, mel_BMT: Tensor) -> Tensor:
        """Return natural logarithms of magnitudes, ``(B, N, T)``."""
        sums_BMT = mel_BMT.float() * self.unit  # natural logarithms of the bands' sums
        hidden_BCT = self.first((sums_BMT - USUAL) / SPREAD)
        hidden_BTC = self.first_norm(hidden_BCT.transpose(1, 2))
        for block in self.blocks:
            hidden_BTC = block(hidden_BTC)
        change_BNT = self.head(self.last_norm(hidden_BTC)).transpose(1, 2).float()
        with torch.autocast(mel_BMT.device.type, enabled=False):
            flat_BNT = (self.bands_MN.T @ sums_BMT.exp()) / self.bands_MN.sum(0)[:, None].clamp_min(SMALLEST)
            level_BNT: Tensor = flat_BNT.clamp_min(self.smallest).log() / self.power + change_BNT
            for _ in range(SUMS):
                level_BNT = level_BNT.clamp(FAINTEST, LOUDEST)
                found_BMT = self.bands_MN @ (level_BNT * self.power).exp()
                missing_BMT = sums_BMT - found_BMT.clamp_min(self.smallest).log()
                level_BNT = level_BNT + (self.shares_MN.T @ missing_BMT) / self.power
            return level_BNT.clamp(FAINTEST, LOUDEST)

    def _sound(self, level_BNT: Tensor) -> Tensor:
        """Return a waveform of such magnitudes, ``(B, T * hop)``."""
        iterations = self.training_iterations if self.training else self.iterations
        transform, hop, window = self.resolution
        with torch.autocast(level_BNT.device.type, enabled=False):
            magnitude_BNT = level_BNT.exp()
            with torch.no_grad():
                kind = precise(level_BNT.device)
                draft_BL = phased(magnitude_BNT.to(kind), window, hop, iterations - 1)
                phase_BNT = torch.sgn(self._spectrum(draft_BL)).to(torch.complex64)
            # The last iteration, half of it: gradients reach the magnitudes.
            frames_BTW = torch.fft.irfft((magnitude_BNT * phase_BNT).transpose(1, 2), n=transform, dim=2)
            return overlapped(frames_BTW, hann(window, frames_BTW.device), hop)

    def _spectrum(self, waveform_BL: Tensor) -> Tensor:
        """Return the complex spectra of frames in the middles of hops, ``(B, N, T)``; silence lies around."""
        transform, hop, window = self.resolution
        before = (window - hop) // 2
        padded_BL = nn.functional.pad(waveform_BL, (before, window - hop - before))
        shape_W = hann(window, waveform_BL.device, waveform_BL.dtype)
        spectrum_BNT: Tensor = torch.stft(padded_BL, transform, hop, window, shape_W, center=False, return_complex=True)
        return spectrum_BNT
