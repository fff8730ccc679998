"""Strokes on drums and cymbals, of twelve kits that Debian packages for the drum machine Hydrogen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from sparring.data.memory import hold_out
from sparring.errors import DataError
from sparring.interfaces.data import Source
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_audio.clips import Clips
from sparring_audio.files import find_sounds
from sparring_audio.reading import Preparation, collect
from sparring_audio.sound_space import checked
from sparring_audio.sounds import read_sound
from sparring_audio.waveform import WaveformSpace

NAME = "audio/drum-hits"
PACKAGE = "hydrogen-drumkits"
INSIDE_THE_PACKAGE = Path("usr/share/hydrogen/data/drumkits")
PEAK = 0.95  # of full scale
FEWEST = 10  # strokes of a kind: one of them is held out, and nine are something to learn
# What a file's name says of its stroke, in words of small letters. A few have words of two kinds, and are left out.
KINDS = {
    "kick": r"kick|bassdrum|\bbd",
    "snare": r"snare|\bsn\d?\b|\bsd\b",
    "hat": r"hat|\bhh|\bchh|\bohh|\bho\b",
    "tom": r"tom|\btm\d?\b|\bft\b|\bt\d\b",
    "cymbal": r"crash|ride|splash|china|\brd\d?\b|\bcc\b|\brc\b",
}


class DrumHits(Clips):
    """Some 430 strokes of five kinds: kick, snare, hat, tom and cymbal, in twelve drum kits, acoustic and electronic.

    The kind is read off the file's name; strokes on bells, wood and hands are left out. Each is mixed to one channel,
    resampled, freed of silence and brought to the same peak, since kits have strokes of every strength, most of them
    recorded several times: the split ``test`` has the same drums as training.

    The package was chosen over ``sonic-pi-samples``, which is smaller and freer and has some 13 strokes of a kind.
    Every kit has its own licence, GPL-2, CC-BY-3.0, CC-BY-SA-3.0 or CC0: the package's file ``copyright`` says which.

    Args:
        path: The folder of the kits' folders; by default where ``sparring data fetch`` unpacks them, or where the
            Debian package ``hydrogen-drumkits`` installs them.
        space: Of sounds; by default ``audio/waveform``, a second at 16 kHz.
        labels: Whether the kind is a condition, ``label``.
        held_out: The share of each kind in the split ``test``, in [0, 1).
        seed: Which are held out.
    """

    source: ClassVar[Source | None] = Source(
        client="apt",
        locator=PACKAGE,
        version="2017.09.19~dfsg-1",
        sha256="6ea3c6df9a67762e2362f946c695e619859126b19fbccf32a2e8f07dfd03b2f4",
        size=142_675_622,
        licence="GPL-2, CC-BY-3.0, CC-BY-SA-3.0 and CC0, by kit",
        credit="Artemiy Pavlov, Emiliano Grilli, Marcos Guglielmetti, Jim Harney, Luc Tunguay, Glen MacArthur, "
        "Vladimir Sadovnikov, Alexander Belokurov and soundcloud.com/audiophobdubstep",
    )

    def __init__(
        self,
        path: Path | None = None,
        space: Space | None = None,
        labels: bool = True,
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        wanted = checked(space, WaveformSpace(), NAME)
        root = _folder(path)
        files = [file for file in find_sounds(root) if kind_of(file.stem) is not None]
        titles = [str(file.relative_to(root)) for file in files]
        found = collect(files, read_sound, titles, wanted, Preparation(peak=PEAK))
        kinds = list(KINDS)
        label = torch.tensor([kinds.index(kind_of(files[owner].stem) or "") for owner in found.owners]).long()
        _check_counts(label, root)
        super().__init__(
            wanted,
            found.sounds,
            label=(LabelSpace(kinds), label) if labels else None,
            held_out=_hold_out(label, held_out, seed),
        )
        self.notes = found.skipped(titles)


def kind_of(name: str) -> str | None:
    """Return the kind of stroke that a file's name speaks of, or None where that is none or several."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.sub(r"[\s_.\-]+", " ", spaced).lower()
    kinds = [kind for kind, pattern in KINDS.items() if re.search(pattern, words)]
    return kinds[0] if len(kinds) == 1 else None


def _folder(path: Path | None) -> Path:
    """Return the folder that holds the kits."""
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
        "the drum kits are not on this machine",
        where=str(fetched),
        remedy=f"run `sparring data fetch {NAME}`, install the package {PACKAGE}, or set the data's `path` to the "
        "folder of the kits",
    )


def _check_counts(label: Tensor, root: Path) -> None:
    counts = label.bincount(minlength=len(KINDS)).tolist()
    few = [f"{count} of {kind}" for kind, count in zip(KINDS, counts, strict=True) if count < FEWEST]
    if few:
        raise DataError(
            f"there are too few strokes: {', '.join(few)}; at least {FEWEST} of each kind are needed",
            where=str(root),
            remedy="set `path` to the folder of all kits, or use audio/folder for your own sounds",
        )


def _hold_out(label: Tensor, fraction: float, seed: int) -> dict[str, Tensor]:
    """Choose as great a share of each kind."""
    if not fraction:
        return {}
    chosen = []
    for kind in range(len(KINDS)):
        rows = (label == kind).nonzero().flatten()
        chosen.append(rows[hold_out(len(rows), fraction, seed + kind)])
    return {"test": torch.cat(chosen)}
