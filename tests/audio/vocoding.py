"""Small data of a vocoder, for contracts and tests."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from sparring_audio.recordings import Recordings
from sparring_audio.vocoding import Vocoding
from tests.audio.files import fill, small_mel, small_waveform

FILES = TemporaryDirectory()  # removed when the process ends
fill(Path(FILES.name), 8)


def vocoding() -> Vocoding:
    """Segments of 1,024 samples at 8 kHz, and their spectrograms of 20 bands and 16 frames of 64 samples."""
    return Vocoding(Recordings(Path(FILES.name), small_waveform(), held_out=0.25), small_mel())
