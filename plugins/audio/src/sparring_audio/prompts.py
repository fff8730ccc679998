"""Telephone prompts: one voice, twenty-five minutes, with what is said."""

from __future__ import annotations

import gzip
import importlib
import re
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring.interfaces.space import Space
from sparring_audio.clips import Clips, Cut, hold_out_sounds
from sparring_audio.reading import Preparation, collect
from sparring_audio.sound_space import checked
from sparring_audio.sounds import Sound, read_sound
from sparring_audio.spaces import LogMelSpace

NAME = "audio/prompts"
PACKAGE = "asterisk-core-sounds-en"
VERSION = "1.6.1-1"
VOICE = Path("usr/share/asterisk/sounds/en_US_f_Allison")
TEXTS = Path("usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
BITS = 64_000  # a second: the packages' quality of G.722
SUFFIXES = {8000: ("wav", ".wav"), 16000: ("g722", ".g722")}  # by sample rate: of the package's name, of its files


class Prompts(Clips):
    """568 prompts of a telephone exchange, 25 minutes, spoken by Allison Smith, at 8 or at 16 kHz.

    551 of them are speech, and say what their ``transcripts`` have; the rest are tones and silence, and are left out.
    The recordings are Asterisk's, under CC-BY-SA-3.0. At 16 kHz they are coded in G.722, and reading them needs the
    package ``g722``: it comes with ``sparring-audio[prompts]``.

    Args:
        sample_rate: 8,000 or 16,000 Hz.
        path: The folder that holds the packages' folders; by default where ``sparring data fetch`` unpacks them.
        space: Of sounds at that rate; by default log-mel spectrograms of 64 frames: a second at 16 kHz, two at 8 kHz.
        trim: Whether silence at the start and the end is cut away.
        cut: What is made of a longer prompt: ``beginning``, a clip of its beginning; ``random``, a clip from a place
            that is drawn anew for each batch; ``pieces``, as many clips as it fills.
        held_out: The share of prompts in the split ``test``, in [0, 1).
        seed: Which are held out.
    """

    source: ClassVar[Source | None] = Source(
        client="apt",
        locator=f"{PACKAGE}-g722",
        version=VERSION,
        sha256="38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
        size=10_565_860,
        licence="CC-BY-SA-3.0",
        credit="Allison Smith; financed by Digium, Inc.",
        further=(
            Source(
                client="apt",
                locator=f"{PACKAGE}-wav",
                version=VERSION,
                sha256="2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
                size=18_272_864,
                licence="CC-BY-SA-3.0",
                credit="Allison Smith; financed by Digium, Inc.",
            ),
            Source(
                client="apt",
                locator=PACKAGE,
                version=VERSION,
                sha256="973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
                size=22_844,
                licence="CC-BY-SA-3.0",
                credit="Digium, Inc.",
            ),
        ),
    )

    def __init__(
        self,
        sample_rate: Literal[8000, 16000] = 16000,
        path: Path | None = None,
        space: Space | None = None,
        trim: bool = True,
        cut: Cut = "random",
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        wanted = checked(space, LogMelSpace(sample_rate, highest=sample_rate / 2), NAME)
        wanted.refuse_rate(sample_rate, "data.space.sample_rate")
        root = _root(path)
        package, suffix = SUFFIXES[sample_rate]
        folder = root / f"{PACKAGE}-{package}" / VOICE
        said = read_texts(root / PACKAGE / TEXTS)
        found = {str(file.relative_to(folder).with_suffix("")): file for file in folder.rglob(f"*{suffix}")}
        names = sorted(name for name in found if said.get(name))
        if not names:
            raise DataError("none of the prompts is there", where=str(folder), remedy=_remedy())
        files = [found[name] for name in names]
        load = read_sound if suffix == ".wav" else g722_reader()
        read = collect(files, load, names, wanted, Preparation(trim=trim, whole=cut != "beginning"))
        super().__init__(
            wanted,
            read.sounds,
            cut=cut,
            held_out=hold_out_sounds(len(read.sounds), held_out, seed),
            transcripts=[said[names[owner]] for owner in read.owners],
        )
        self.notes = read.skipped(names) + read.about_length(wanted)


def read_texts(file: Path) -> dict[str, str]:
    """Read what each prompt says, by its name without suffix; what is in brackets is no speech, and is left out.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        text = gzip.decompress(file.read_bytes()).decode("utf-8", errors="replace")
    except (OSError, EOFError, ValueError) as cause:
        raise DataError(f"the transcripts cannot be read: {cause}", where=str(file), remedy=_remedy()) from cause
    said = {}
    for line in text.splitlines():
        name, colon, words = line.partition(":")
        if colon and not line.startswith((";", "silence/")):
            said[name.strip()] = re.sub(r"\[.*?\]|<.*?>", "", words).strip()
    return said


def g722_reader() -> Any:
    """Return a function that reads a file in G.722: ITU-T's coding of speech in two bands, at 16 kHz.

    Raises:
        DataError: The package that decodes it is not installed.
    """
    try:
        codec = importlib.import_module("G722").G722
    except ImportError as cause:
        raise DataError(
            "the package g722 is not installed, which decodes the prompts at 16 kHz",
            where=NAME,
            remedy='pip install "sparring-audio[prompts]", or use `sample_rate: 8000`',
        ) from cause

    def read(path: Path, most_seconds: float | None = None) -> Sound:
        try:
            coded = path.read_bytes()
        except OSError as cause:
            raise DataError(f"the sound cannot be read: {cause}", where=str(path), remedy=_remedy()) from cause
        if most_seconds is not None:
            coded = coded[: int(most_seconds * BITS / 8)]
        if not coded:
            raise DataError("the file is empty", where=str(path), remedy=_remedy())
        values = np.asarray(codec(16000, BITS).decode(coded)).astype(np.float32)
        return Sound(values / np.float32(32768), 16000)

    return read


def _root(path: Path | None) -> Path:
    if path is None:
        from sparring.data.fetch import folder_of

        path = folder_of(NAME)
    root = Path(path).expanduser().absolute()
    if not (root / PACKAGE).is_dir():
        raise DataError("the prompts are not on this machine", where=str(root), remedy=_remedy())
    return root


def _remedy() -> str:
    return f"run `sparring data fetch {NAME}`, or set `path` to the folder that holds the packages' folders"
