"""What two spaces of sound must agree on, and a message with both sides' values where they do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sparring.errors import DataError
from sparring.interfaces.space import Space

UNITS: Mapping[str, str] = {
    **dict.fromkeys(("sample_rate", "lowest", "highest"), " Hz"),
    **dict.fromkeys(("floor", "ceiling", "mean", "deviation"), " dB"),
}


def refuse_mismatch(ours: Space, theirs: Space, what: str, where: str = "", *, ignored: Collection[str] = ()) -> None:
    """Raise where what two spaces hold does not mean the same.

    A run keeps its spaces beside its weights, so that the other space may be the one that a checkpoint was made with.

    Args:
        ours: The space here.
        theirs: The other one, such as that of a network's weights.
        what: What the spaces hold, for the message: spectrograms, waveforms.
        where: What the other one belongs to, for the message.
        ignored: Options that may differ.

    Raises:
        DataError: With both values of every option that differs.
    """
    if type(ours) is not type(theirs):
        raise DataError(
            f"the {what} do not mean the same: {type(ours).__name__} here and {type(theirs).__name__} there",
            where=where,
            remedy="give both the same space",
        )
    other = theirs.options()
    differing = [
        _difference(name, value, other[name])
        for name, value in ours.options().items()
        if name not in ignored and other[name] != value
    ]
    if differing:
        raise DataError(
            f"the {what} do not mean the same: {'; '.join(differing)}",
            where=where,
            remedy="give both the same settings",
        )


def refuse_rate(rate: int, wanted: int, where: str = "") -> None:
    """Raise where a sound has another sample rate than a space; the message has both.

    Args:
        rate: Of the sound, in Hz.
        wanted: Of the space, in Hz.
        where: The sound's path, for the message.
    """
    if rate != wanted:
        raise DataError(
            f"the sound has a sample rate of {rate} Hz, and this space has {wanted} Hz",
            where=where,
            remedy=f"set the space's `sample_rate` to {rate}, or let the data resample: `resample: true`",
        )


def _difference(name: str, here: Any, there: Any) -> str:
    unit = UNITS.get(name, "")
    if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        most = max(abs(one - other) for one, other in zip(here, there, strict=True))
        return f"{name} differs by up to {most:.3g}{unit}"
    shown = [f"{len(one)} values" if isinstance(one, list) else f"{one}{unit}" for one in (here, there)]
    return f"{name} {shown[0]} here and {shown[1]} there"
