"""Russian speech of one voice, with its texts and the times of its phones: the recordings of Debian's festvox-ru."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring.interfaces.space import Space
from sparring_audio.recordings import Recordings
from sparring_audio.waveform import WaveformSpace, waveform_space

NAME = "audio/russian-speech"
PACKAGE = "festvox-ru"  # of Debian and Ubuntu
INSIDE_THE_PACKAGE = Path("usr/share/festival/voices/russian/msu_ru_nsh_clunits")
RATE = 16000  # Hz, of the recordings
LINE = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')  # of the file of texts: ( ru_0001 "…" )


class Phone(NamedTuple):
    """A phone, or a pause.

    Attributes:
        name: As festvox-ru writes it: ``a``, ``rr``, ``ae``; ``pau`` is a pause.
        start: Seconds from the first sample that is held in memory; negative in the silence that was cut.
        stop: Seconds where it ends.
    """

    name: str
    start: float
    stop: float


class Utterance(NamedTuple):
    """What is said in a recording.

    Attributes:
        name: Such as ``ru_0001``.
        text: In Cyrillic letters; a ``+`` marks the stress of some words, ahead of the vowel.
        phones: In order, from the beginning of the recording to its end.
    """

    name: str
    text: str
    phones: tuple[Phone, ...]


class RussianSpeech(Recordings):
    """620 sentences read by one man, 99 minutes at 16 kHz, with texts and the times of phones.

    The recordings are those of the voice msu_ru_nsh_clunits, copyright 2005 Nickolay V. Shmyrev, under a licence like
    BSD's. Samples are segments of them, as those of ``audio/recordings`` are.

    Attributes:
        utterances: What is said in each of ``recordings``, in their order.

    Args:
        path: The folder of the voice, which has ``wav``, ``lab`` and ``etc``; by default where ``sparring data fetch``
            unpacks it, or where the Debian package ``festvox-ru`` installs it.
        space: Of waveforms; by default 8,192 samples at 16 kHz.
        trim: Whether silence at the start and the end is cut away; the phones' times follow.
        peak: The largest absolute value that every recording is brought to, in (0, 1]; None leaves loudness as it is.
        held_out: The share of sentences in the split ``test``, in [0, 1).
        seed: Which sentences are held out.
    """

    source: ClassVar[Source | None] = Source(
        client="apt",
        locator=PACKAGE,
        version="0.5+dfsg-6",
        sha256="21ef3f0f2978ecf2e2eddb367cb0ff4a72572196d28dc69feb84f4177af5e6c4",
        size=178_728_512,
        licence="BSD-like",
        credit="Nickolay V. Shmyrev",
    )

    def __init__(
        self,
        path: Path | None = None,
        space: Space | None = None,
        trim: bool = True,
        peak: float | None = None,
        held_out: float = 0.05,
        seed: int = 0,
    ) -> None:
        folder = voice_folder(path)
        space = waveform_space(space or WaveformSpace(RATE, length=8192), NAME)
        self._texts = _texts(folder / "etc" / "txt.done.data")
        super().__init__(folder / "wav", space, True, trim, peak, held_out, seed)

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        found = []
        for one in self.recordings:
            name = one.path.stem
            file = one.path.parents[1] / "lab" / f"{name}.lab"
            found.append(Utterance(name, self._texts.get(name, ""), _phones(file, one.cut)))
        return tuple(found)


def voice_folder(path: Path | None = None) -> Path:
    """Return the folder of the voice: below a path, or where it was fetched or installed.

    Raises:
        DataError: It is in none of these places.
    """
    if path is not None:
        path = Path(path).expanduser().absolute()
        inside = path / INSIDE_THE_PACKAGE
        return inside if inside.is_dir() else path
    from sparring.data.fetch import folder_of

    fetched, installed = folder_of(NAME) / INSIDE_THE_PACKAGE, Path("/") / INSIDE_THE_PACKAGE
    for folder in (fetched, installed):
        if folder.is_dir():
            return folder
    raise DataError(
        "the Russian speech is not on this machine",
        where=str(fetched),
        remedy=f"run `sparring data fetch {NAME}`, install the package {PACKAGE}, or set the data's `path` to the "
        "voice's folder",
    )


def _texts(file: Path) -> Mapping[str, str]:
    """Read the sentences, by the names of their recordings."""
    lines = _lines(file)
    found = [match for line in lines if (match := LINE.fullmatch(line.strip()))]
    if not found:
        raise DataError("the file has no sentences", where=str(file), remedy=f"run `sparring data fetch {NAME}`")
    return {match[1]: match[2] for match in found}


def _phones(file: Path, cut: float) -> tuple[Phone, ...]:
    """Read phones, a line each: when it ends, a number without meaning, and its name; a ``#`` ends the head."""
    lines = _lines(file)
    head = lines.index("#") + 1 if "#" in lines else 0
    phones: list[Phone] = []
    before = -cut
    for number, line in enumerate(lines[head:], head + 1):
        parts = line.split()
        if not parts:
            continue
        try:
            stop, name = float(parts[0]) - cut, parts[2]
        except (ValueError, IndexError) as cause:
            raise DataError(
                f"line {number} is no phone: '{line}'", where=str(file), remedy=f"run `sparring data fetch {NAME}`"
            ) from cause
        phones.append(Phone(name, before, stop))
        before = stop
    return tuple(phones)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(
            f"the file cannot be read: {cause}",
            where=str(file),
            remedy=f"set the data's `path` to the voice's folder, or run `sparring data fetch {NAME}`",
        ) from cause
