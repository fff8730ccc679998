"""What an acoustic model learns from: sentences as text with durations and pitch, and their mel spectrograms.

Letters in names of tensors: B rows of the batch, M mel bands, T frames, N symbols, P parts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring.interfaces.space import Space
from sparring_audio.alignment import PAUSE, align, as_spoken
from sparring_audio.contours import pitch_by_hop
from sparring_audio.mels import MelSpace
from sparring_audio.russian import Phone, RussianSpeech
from sparring_audio.russian_text import BETWEEN, symbols_of
from sparring_audio.spoken_text import SpokenText

NAME = "audio/spoken-sentences"
EDGE = 6  # frames of a pause that are kept at the ends of a part
REFERENCE = 100.0  # Hz: a pitch of 0 octaves


class Part(NamedTuple):
    """Some phrases of a recording, from pause to pause.

    Attributes:
        first: The first frame, of the recording.
        symbols: Of ``russian_text.SYMBOLS``.
        durations: Of each symbol, in frames.
    """

    first: int
    symbols: list[str]
    durations: list[int]

    @property
    def frames(self) -> int:
        return sum(self.durations)


class SpokenSentences(Data):
    """Sentences of ``audio/russian-speech``: mel spectrograms ``(mels, frames)``, and the condition ``text``.

    The text of a sample has letters and their stress, the duration of each in frames, and its pitch. Durations are
    those of the phones: an alignment says which phones each letter is spoken as. Pitch is measured in the recording,
    and taken over between voiced letters. Recordings are cut in pauses into parts as long as a sample; what is shorter
    is followed by silence, and its frames are counted in ``lengths``. All spectrograms are held in memory, at 72 MB an
    hour with 80 bands and 256 samples a frame.

    Args:
        of: ``{use: audio/russian-speech}``.
        mel: The spectrograms' space, whose ``frames`` are those of the longest part; by default ``audio/mel`` with 256.
        symbols: How many letters and marks a part has at most.
    """

    _mel: Tensor  # of all recordings, one behind the other: (T, M)
    _texts: Tensor  # (P, 3, N)
    _first: Tensor  # frame of each part, (P,)
    _length: Tensor  # in frames, (P,)

    def __init__(self, of: Data, mel: Space | None = None, symbols: int = 96) -> None:
        if not isinstance(of, RussianSpeech):
            raise DataError(
                f"{NAME} needs the times of phones, which {type(of).__name__} does not have",
                where="data.of",
                remedy="use audio/russian-speech",
            )
        rate = of.space.sample_rate
        mel = MelSpace(rate, frames=256, highest=min(8000.0, rate / 2)) if mel is None else mel
        if not isinstance(mel, MelSpace) or mel.sample_rate != rate:
            raise DataError(
                f"the recordings have a sample rate of {rate} Hz, and {type(mel).__name__} has "
                f"{getattr(mel, 'sample_rate', 'none')}",
                where="data.mel",
                remedy=f"use audio/mel with sample_rate: {rate}",
            )
        self.of: RussianSpeech = of
        self.space: MelSpace = mel
        self._text = SpokenText(symbols)
        self.conditions = {"text": self._text}
        self._collect()

    def __len__(self) -> int:
        return len(self._first)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        del rng  # every part is whole
        chosen = indices.to(self._mel.device)
        length_B = self._length[chosen]
        place_T = torch.arange(self.space.frames, device=chosen.device)
        index_BT = (self._first[chosen][:, None] + place_T).clamp_max(len(self._mel) - 1)
        sample_BMT = self._mel[index_BT].transpose(1, 2)
        inside_BT = place_T < length_B[:, None]
        sample_BMT = torch.where(inside_BT[:, None], sample_BMT, self.space.silence)
        return Batch(sample_BMT, {"text": self._texts[chosen]}, length_B)

    def split(self, name: str) -> SpokenSentences:
        """Return ``train``, or parts of the held-out recordings as ``test``."""
        if name == "train":
            return self
        part = copy.copy(self)
        of = self.of.split(name)
        assert isinstance(of, RussianSpeech)
        part.of = of
        part._collect()
        return part

    def place(self, device: torch.device) -> bool:
        self._mel, self._texts = self._mel.to(device), self._texts.to(device)
        self._first, self._length = self._first.to(device), self._length.to(device)
        return True

    def _collect(self) -> None:
        """Read and measure every recording of the split."""
        mels, texts, first, length = [], [], [], []
        before, lost, hop = 0, 0, self.space.hop
        for index, utterance in enumerate(self.of.utterances):
            waveform = self.of.waveform(index)
            frames = len(waveform) // hop
            if not frames or not utterance.text:
                continue
            mels.append(self.space.analyse(waveform[None, : frames * hop])[0].T)
            pitch_T = pitch_by_hop(waveform, self.space.sample_rate, hop)
            symbols, durations, begin = timed(utterance.text, utterance.phones, self.space.sample_rate / hop, frames)
            for part in parts(symbols, durations, begin, self.space.frames, self._text.symbols):
                if part is None:
                    lost += 1
                    continue
                contour = pitch_of(pitch_T[part.first : part.first + part.frames], part.durations)
                texts.append(self._text.pack(part.symbols, part.durations, contour))
                first.append(before + part.first)
                length.append(part.frames)
            before += frames
        if not texts:
            raise DataError(
                f"no sentence of the recordings has a part of at most {self.space.frames} frames and "
                f"{self._text.symbols} symbols",
                where="data",
                remedy="set `symbols`, or the `frames` of `mel`, higher",
            )
        self._mel, self._texts = torch.cat(mels), torch.stack(texts)
        self._first, self._length = torch.tensor(first), torch.tensor(length)
        longer = f"{lost} phrases are longer than {self.space.frames} frames or {self._text.symbols} symbols"
        self.notes = [*self.of.notes, *([f"{longer}, and left out"] if lost else [])]


def timed(text: str, phones: Sequence[Phone], rate: float, frames: int) -> tuple[list[str], list[int], int]:
    """Return the symbols of a text as they were spoken, their durations in frames, and the frame where they begin.

    Args:
        text: What is said.
        phones: Of the whole recording.
        rate: Frames a second.
        frames: Of the whole recording: what lies outside of it does not count.
    """
    joined: list[Phone] = []
    for phone in phones:
        if joined and phone.name == joined[-1].name == PAUSE:
            joined[-1] = joined[-1]._replace(stop=phone.stop)
        else:
            joined.append(phone)
    names = [phone.name for phone in joined]
    symbols = symbols_of(text, lambda word: word)
    shares, _ = align(symbols, names)
    edges = [min(frames, max(0, round(time * rate))) for time in (joined[0].start, *(one.stop for one in joined))]
    ends = [edges[count] for count in accumulate(shares)]
    durations = [end - start for start, end in zip([edges[0], *ends], ends, strict=False)]
    return as_spoken(symbols, names, shares), durations, edges[0]


def parts(
    symbols: Sequence[str], durations: Sequence[int], begin: int, most_frames: int, most_symbols: int
) -> Iterator[Part | None]:
    """Cut a sentence in its pauses, into parts as long as may be; None stands for a phrase that is longer than that."""
    pauses = [
        place
        for place, (one, frames) in enumerate(zip(symbols, durations, strict=True))
        if one in BETWEEN and (frames > 1 or place in (0, len(symbols) - 1))
    ]
    starts = [begin, *(begin + total for total in accumulate(durations))]
    first = 0
    while first < len(pauses) - 1:
        found = None
        for last in range(first + 1, len(pauses)):
            part = _part(symbols, durations, starts, pauses[first], pauses[last])
            if part.frames > most_frames or len(part.symbols) > most_symbols:
                break
            found, following = part, last
        yield found
        first = first + 1 if found is None else following


def _part(symbols: Sequence[str], durations: Sequence[int], starts: Sequence[int], left: int, right: int) -> Part:
    """Return what lies between two pauses, with the end of the one and the beginning of the other."""
    before = min(EDGE, durations[left] if left == 0 else durations[left] // 2)
    after = min(EDGE, durations[right] if right == len(symbols) - 1 else durations[right] - durations[right] // 2)
    inside = list(durations[left + 1 : right])
    return Part(starts[left + 1] - before, [" ", *symbols[left + 1 : right + 1]], [before, *inside, after])


def pitch_of(pitch_T: Tensor, durations: Sequence[int]) -> list[float]:
    """Return the pitch of each symbol in octaves above ``REFERENCE``: the median of its voiced frames.

    Where there is none, it lies on the line between the symbols before and after that have one.

    Args:
        pitch_T: In Hz, ``(T,)``; 0 where there is no voice.
        durations: Of each symbol in frames, together T.
    """
    octaves = [(one[one > 0] / REFERENCE).log2() for one in torch.split(pitch_T, list(durations))]
    known = {place: float(values.median()) for place, values in enumerate(octaves) if len(values)}
    if not known:
        return [0.0] * len(durations)
    places = sorted(known)
    found = []
    for place in range(len(durations)):
        left = max((one for one in places if one <= place), default=places[0])
        right = min((one for one in places if one >= place), default=places[-1])
        share = (place - left) / (right - left) if right > left else 0.0
        found.append((1 - share) * known[left] + share * known[right])
    return found
