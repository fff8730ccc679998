"""An encoder with published weights, which hears whose voice it is: for Fréchet distances of speech.

Letters in names of tensors: B rows of the batch, L samples of a waveform, M mel bands, T frames, F features, P pieces
of a sound.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring.interfaces.metric import Encoder
from sparring.interfaces.space import Space
from sparring_audio.metrics.pairs import audible
from sparring_audio.torchaudio_loader import torchaudio
from sparring_audio.transforms import resample

NAME = "audio/speaker"
PACKAGE, FILE = "resemblyzer", "pretrained.pt"
WEIGHTS = "39373b86"  # the first digits of the published file's SHA-256
RATE = 16000  # Hz, of the speech that it learnt from
WINDOW, HOP, MELS = 400, 160, 40  # 25 ms and 10 ms
FEATURES, LAYERS = 256, 3
PIECE = 160  # frames that are heard at a time: 1.6 s
STEP = 77  # frames from one piece to the next: 1.3 pieces a second
COVERED = 0.75  # the share of a last piece that must not be silence beyond the sound's end
LOUDNESS = -30.0  # dB of full scale, to which quieter sounds are raised
SMALLEST = 1e-10


class SpeakerEncoder(Encoder):
    """Resemblyzer's voice encoder: 256 features that tell speakers apart (Wan et al. 2018, arXiv:1710.10467).

    It was trained on English speech to tell voices apart (generalised end-to-end loss), so that it hears the voice
    rather than the words. Figures over it are no published FAD, which looks through another network: call them by the
    encoder's name. Sounds are brought to 16 kHz and heard in pieces of 1.6 seconds; a shorter one is followed by
    silence. Unlike the package, it does not cut long silences out. With other weights its name carries their hash.

    Args:
        space: Of sounds.
        weights: The file ``pretrained.pt``; by default the one that ``sparring data fetch audio/speaker`` brings, or of
            the installed package resemblyzer.
    """

    source: ClassVar[Source] = Source(
        client="pip",
        locator="resemblyzer",
        version="0.1.4",
        sha256="8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
        size=15_747_704,
        licence="Apache-2.0",
        credit="Resemble AI; Corentin Jemine",
    )

    def __init__(self, space: Space, weights: Path | None = None) -> None:
        super().__init__()
        self.sounds = audible(space, NAME)
        self.spectrogram = torchaudio.transforms.MelSpectrogram(
            *(RATE, WINDOW),
            hop_length=HOP,
            n_mels=MELS,
            norm="slaney",
            mel_scale="slaney",
            pad_mode="constant",
        )
        with torch.device("meta"):  # no time is spent on first weights
            self.reader = nn.LSTM(MELS, FEATURES, LAYERS, batch_first=True)
            self.head = nn.Linear(FEATURES, FEATURES)
        sha256 = self._fill(_weight_file(weights))
        self.name = "resemblyzer" if sha256.startswith(WEIGHTS) else f"resemblyzer-{sha256[:8]}"
        self.eval().requires_grad_(False)

    def forward(self, sample: Tensor) -> Tensor:
        """Map samples of the space, ``(B, …)``, to features ``(B, 256)`` of length 1, none below 0; silence to 0."""
        self.to(sample.device)
        sound_BL = louder(resample(self.sounds.synthesise(sample), self.sounds.sample_rate, RATE))
        starts = pieces(sound_BL.shape[1])
        missing = (starts[-1] + PIECE) * HOP - sound_BL.shape[1]
        padded_BL = torch.nn.functional.pad(sound_BL, (0, max(0, missing)))
        mel_BTM = self.spectrogram(padded_BL).transpose(1, 2)
        found_PBF = [self._hear(mel_BTM[:, start : start + PIECE]) for start in starts]
        features_BF: Tensor = _unit(torch.stack(found_PBF).mean(0))
        # What silence excites in the network is nobody's voice.
        return torch.where(sound_BL.any(1, keepdim=True), features_BF, 0.0)

    def _hear(self, mel_BTM: Tensor) -> Tensor:
        _, (hidden_NBF, _) = self.reader(mel_BTM.contiguous())
        features_BF: Tensor = self.head(hidden_NBF[-1]).relu()
        return _unit(features_BF)

    def _fill(self, file: Path) -> str:
        """Fill the network with the published weights, and return their file's SHA-256."""
        try:
            with file.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            published = torch.load(file, map_location="cpu", weights_only=True)["model_state"]
            for part, prefix in ((self.reader, "lstm."), (self.head, "linear.")):
                part.load_state_dict(_below(published, prefix), assign=True)
        except (OSError, pickle.UnpicklingError, EOFError, RuntimeError, KeyError, TypeError, AttributeError) as cause:
            said = str(cause).splitlines()[0] if isinstance(cause, OSError) else "it holds something else"
            raise DataError(
                f"the file holds no weights of Resemblyzer's voice encoder: {said}",
                where=str(file),
                remedy=f"name {FILE} of the package {PACKAGE} {self.source.version}",
            ) from cause
        return sha256


def louder(sound_BL: Tensor) -> Tensor:
    """Raise sounds ``(B, L)`` that are quieter than -30 dB of full scale to it, as Resemblyzer does."""
    level_B1 = sound_BL.square().mean(1, keepdim=True).clamp_min(SMALLEST).sqrt()
    return sound_BL * (10 ** (LOUDNESS / 20) / level_B1).clamp_min(1.0)


def pieces(length: int) -> list[int]:
    """Return the first frame of each piece that a sound of so many samples is heard in."""
    frames = -(-(length + 1) // HOP)
    starts = list(range(0, max(1, frames - PIECE + STEP + 1), STEP))
    covered = (length - starts[-1] * HOP) / (PIECE * HOP)
    return starts[:-1] if covered < COVERED and len(starts) > 1 else starts


def _unit(features_BF: Tensor) -> Tensor:
    length_B1: Tensor = torch.linalg.vector_norm(features_BF, dim=1, keepdim=True)
    return features_BF / length_B1.clamp_min(SMALLEST)


def _below(published: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in published.items() if name.startswith(prefix)}


def _weight_file(weights: Path | None) -> Path:
    """Return the file that is named, or else one that was fetched or installed.

    Raises:
        DataError: There is none.
    """
    if weights is not None:
        found = Path(weights).expanduser()
        if not found.is_file():
            raise DataError("there is no such file of weights", where=str(found), remedy="check the path")
        return found
    from sparring.data.fetch import folder_of

    places = [folder_of(NAME) / PACKAGE / FILE]
    installed = importlib.util.find_spec(PACKAGE)  # it is found, and not imported
    if installed is not None and installed.origin is not None:
        places.append(Path(installed.origin).parent / FILE)
    for place in places:
        if place.is_file():
            return place
    source = SpeakerEncoder.source
    raise DataError(
        "the weights of Resemblyzer's voice encoder are not on this machine",
        where=str(places[0]),
        remedy=f"run `sparring data fetch {NAME}`, or `pip install {source.locator}=={source.version}`",
    )
