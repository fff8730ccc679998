"""A folder of one's own sounds, in whatever formats, sample rates and lengths they are."""

from __future__ import annotations

from pathlib import Path

import torch

from sparring.errors import DataError
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_audio.clips import Clips, Cut, hold_out_sounds
from sparring_audio.files import classes_of_folders, find_sounds, read_transcripts, top_folder
from sparring_audio.reading import Preparation, collect
from sparring_audio.sound_space import checked
from sparring_audio.sounds import read_sound
from sparring_audio.spaces import LogMelSpace

FEWEST = 20  # a tenth of them held out is two sounds, and the spread of a feature needs two


class Folder(Clips):
    """Sounds below a folder; where they lie in sub-folders, the sub-folders' names are labels.

    Files of any format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF and more) are mixed to one channel, resampled
    and freed of the silence at both ends; shorter ones are laid in the middle of a clip, longer ones cut. All are read
    once at the start: those that are damaged or silent are skipped and listed in ``notes``. Sounds are held in memory,
    at two bytes a sample.

    A file ``metadata.csv`` in the folder, as LJSpeech has it (``name|text|text with numbers as words``, a line for each
    file), says what is spoken: ``transcripts`` has it for each row.

    Args:
        path: The folder; relative to where the program was started.
        space: Of sounds; by default ``audio/log-mel`` as it is, with clips of a second at 16 kHz.
        labels: Whether sub-folders are labels, given as the condition ``label``; by default where all sounds lie in two
            or more sub-folders.
        resample: Whether sounds of another sample rate than the space's are resampled; otherwise they are refused.
        trim: Whether silence at the start and the end is cut away.
        cut: What is made of a longer sound: ``beginning``, a clip of its beginning; ``random``, a clip from a place
            that is drawn anew for each batch; ``pieces``, as many clips as it fills.
        held_out: The share of files in the split ``test``, in [0, 1).
        seed: Which files are held out.
    """

    def __init__(
        self,
        path: Path,
        space: Space | None = None,
        labels: bool | None = None,
        resample: bool = True,
        trim: bool = True,
        cut: Cut = "beginning",
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        root = Path(path).expanduser().absolute()
        wanted = checked(space, LogMelSpace(), "audio/folder")
        files = find_sounds(root)
        titles = [str(file) for file in files]
        found = collect(files, read_sound, titles, wanted, Preparation(resample, trim, cut != "beginning"))
        readable = [files[owner] for owner in found.owners]
        _check_count(len(readable), len(found.unusable), root)
        classes, about_labels = classes_of_folders(readable, root, labels)
        said, about_text = read_transcripts(readable, root)
        label = torch.tensor([classes.index(top_folder(file, root)) for file in readable] if classes else [])
        super().__init__(
            wanted,
            found.sounds,
            cut=cut,
            label=(LabelSpace(classes), label) if classes else None,
            held_out=hold_out_sounds(len(readable), held_out, seed),
            transcripts=said,
        )
        self.notes = found.skipped(titles) + about_labels + about_text + found.about_length(wanted)


def _check_count(readable: int, unreadable: int, root: Path) -> None:
    if readable >= FEWEST:
        return
    skipped = f" ({unreadable} more cannot be used)" if unreadable else ""
    raise DataError(
        f"{readable} sounds are too few to train on{skipped}: at least {FEWEST} files are needed, so that a tenth of "
        "them can be held out for evaluation, where two are the fewest that have a spread",
        where=str(root),
        remedy="add sounds, or split long ones into files: hundreds give recognisable results, thousands varied ones",
    )
