"""Read a run's folder for its report; whatever is missing or was cut short is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from sparring.training import journal

AUDIO = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}
"""Files that become audio players, and their media types."""


@dataclass(frozen=True)
class Verdict:
    """One verdict of the journal."""

    step: int
    source: str
    level: str
    finding: str
    remedy: str = ""
    since: int | None = None


@dataclass(frozen=True)
class Drawing:
    """Samples drawn at one step.

    Attributes:
        name: The step, as its folder is named; ``real`` for real samples.
        picture: The preview as a picture, if there is one.
        text: The preview as text, if there is one.
        sounds: Audio files beside it.
        further: Other pictures beside it, such as a callback's.
    """

    name: str
    picture: Path | None
    text: Path | None
    sounds: tuple[Path, ...] = ()
    further: tuple[Path, ...] = ()

    @property
    def step(self) -> int:
        """The step; -1 for real samples."""
        return int(self.name) if self.name.isdigit() else -1


@dataclass
class RunRecord:
    """Everything that a report says about a run."""

    folder: Path
    recipe: Mapping[str, Any]
    recipe_text: str
    environment: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    drawings: Sequence[Drawing] = field(default_factory=tuple)
    real: Drawing | None = None
    final: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = False

    @property
    def name(self) -> str:
        """The recipe's name, or the folder's."""
        return str(self.recipe.get("name") or self.folder.name)

    @cached_property
    def stages(self) -> list[tuple[str, int]]:
        """Each stage's name and steps."""
        found = self.recipe.get("stages")
        stages = [stage for stage in found if isinstance(stage, dict)] if isinstance(found, list) else []
        return [(str(stage.get("name", "")), _whole(stage.get("steps"))) for stage in stages]

    @property
    def total_steps(self) -> int:
        """The recipe's steps, or 0 where the recipe cannot be read."""
        return sum(steps for _, steps in self.stages)

    @property
    def step(self) -> int:
        """The last step that the journal knows of."""
        return max((_whole(event.get("step")) for event in self.events), default=0)

    @property
    def samples(self) -> str:
        """What the samples are called: pictures, spectrograms, sentences."""
        return str(self.environment.get("samples") or "samples")

    @property
    def kept_by(self) -> str:
        """The metric by whose best value the final weights were chosen, or an empty string."""
        checkpoint = self.recipe.get("checkpoint")
        keep = checkpoint.get("keep") if isinstance(checkpoint, dict) else None
        return str(keep.get("best", "")) if isinstance(keep, dict) else ""

    @property
    def kept_step(self) -> int:
        """The step that the final weights are of; the last one where there are none yet."""
        return _whole(self.final.get("step")) if "step" in self.final else self.step

    @property
    def shown(self) -> Drawing | None:
        """What the final weights draw; the last drawing where there is none of theirs."""
        return next((one for one in self.drawings if one.step == self.kept_step), (None, *self.drawings)[-1])

    @property
    def seconds(self) -> float:
        """Time that the run took; the clock starts anew when a run is resumed."""
        total = before = 0.0
        for event in self.events:
            now = number(event.get("time"))
            if now is None:
                continue
            if now < before:
                total += before
            before = now
        return total + before

    def of_kind(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if event.get("event") == kind]

    def series(self, kind: str) -> dict[str, list[tuple[int, float]]]:
        """Return each value of ``log`` or ``evaluate`` events over steps; what is not a finite number is left out."""
        found: dict[str, list[tuple[int, float]]] = {}
        for event in self.of_kind(kind):
            values = event.get("values")
            for name, value in values.items() if isinstance(values, dict) else ():
                finite = number(value)
                if finite is not None:
                    found.setdefault(str(name), []).append((_whole(event.get("step")), finite))
        return found

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """Every verdict, in order."""
        return [
            Verdict(
                step=_whole(event.get("step")),
                source=str(event.get("source", "")),
                level=str(event.get("level", "warning")),
                finding=str(event.get("finding", "")),
                remedy=str(event.get("remedy") or ""),
                since=event["since"] if isinstance(event.get("since"), int) else None,
            )
            for event in self.of_kind("verdict")
        ]

    @property
    def last_verdicts(self) -> list[Verdict]:
        """The last word of each source, the most serious first."""
        order = {"bad": 0, "warning": 1}
        last = {verdict.source: verdict for verdict in self.verdicts}
        return sorted(last.values(), key=lambda verdict: order.get(verdict.level, 2))


def read_run(folder: Path) -> RunRecord:
    """Read a run's folder.

    Args:
        folder: The folder; it may be that of a run which was killed early, or is going on.
    """
    text = _text(folder / "recipe.yaml")
    samples = folder / "samples"
    drawn = sorted(path.name for path in samples.iterdir() if path.is_dir()) if samples.is_dir() else []
    drawings = [_drawing(samples / name, name, "preview") for name in drawn if name.isdigit()]
    real = _drawing(samples / "real", "real", "preview", beside=samples / "real")
    config = folder / "final" / "config.json"
    return RunRecord(
        folder=folder,
        recipe=_mapping(_parsed(text)),
        recipe_text=text,
        environment=_mapping(_decoded(_text(folder / "environment.json"))),
        events=_mappings(journal.read(folder)),
        drawings=[one for one in drawings if one is not None],
        real=real,
        final=_mapping(_decoded(_text(config))),
        finished=config.is_file(),
    )


def number(value: Any) -> float | None:
    """Return a finite number, or None: the journal writes others by their names."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _drawing(folder: Path, name: str, stem: str, *, beside: Path | None = None) -> Drawing | None:
    stems = [folder / stem, *([beside] if beside else [])]
    picture = next((path for one in stems if (path := one.with_suffix(".png")).is_file()), None)
    text = next((path for one in stems if (path := one.with_suffix(".txt")).is_file()), None)
    sounds = (
        tuple(sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO)) if folder.is_dir() else ()
    )
    further = tuple(sorted(path for path in folder.glob("*.png") if path != picture)) if folder.is_dir() else ()
    return Drawing(name, picture, text, sounds, further) if picture or text or sounds else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(values: Sequence[Any]) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, dict)]


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0
