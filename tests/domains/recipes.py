"""Tiny recipes of speech and of text: each is a shipped one with small networks, little data and few steps."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from tests.text.corpora import write

CLIP: dict[str, Any] = {
    "use": "audio/log-mel",
    "sample_rate": 8000,
    "window": 512,
    "hop": 200,
    "mels": 16,
    "frames": 32,
    "lowest": 60,
    "highest": 4000,
}
SGD: dict[str, Any] = {"use": "sgd", "lr": 0.05}
ADAM: dict[str, Any] = {"use": "adam", "lr": 1.0e-3, "betas": [0.0, 0.99]}


def recipe(**parts: Any) -> dict[str, Any]:
    """Return a recipe for the CPU and one thread."""
    return {"schema": 1, "name": "tests/tiny", "seed": 3, "device": "cpu", "threads": 1, **copy.deepcopy(parts)}


def audio(*, steps: int = 10, generator: str = "audio/spectrogram", optimizer: dict[str, Any] = ADAM) -> dict[str, Any]:
    """Return a recipe that learns spoken numbers, with both penalties and an average as the shipped one has."""
    return recipe(
        data={"use": "audio/spoken-numbers", "variants": 10, "space": CLIP},
        networks={
            "generator": {"use": generator, "latent_dim": 8, "width": 4},
            "discriminator": {"use": "audio/spectrogram", "width": 4},
        },
        stages=[
            {
                "name": "contend",
                "objective": {"use": "adversarial", "loss": "relativistic"},
                "terms": [{"use": "r1", "gamma": 2.0}, {"use": "r2", "gamma": 2.0}],
                "steps": steps,
                "batch": 8,
                "optimizers": {"generator": optimizer, "discriminator": optimizer},
                "ema": {"generator": 0.9},
                "schedules": {"terms.r1.gamma": {"use": "cosine", "start": 2.0, "end": 1.0}},
            }
        ],
        evaluate={"every": 10, "count": 20, "metrics": [{"use": "audio/sound"}]},
        checkpoint={"every": 3, "keep": 2},
        samples={"every": 10, "count": 4},
        log={"every": 3},
    )


def text(
    folder: Path, *, steps: int = 10, dropout: float = 0.2, optimizer: dict[str, Any] = ADAM, adversarial: bool = True
) -> dict[str, Any]:
    """Return a recipe that learns small sentences, first by imitation and then against a critic.

    Args:
        folder: Where the sentences are written.
        steps: Of each stage.
        dropout: Of the generator.
        optimizer: Of both networks.
        adversarial: Whether there is a second stage.
    """
    imitate = {
        "name": "imitate",
        "objective": {"use": "likelihood"},
        "steps": steps,
        "batch": 8,
        "optimizers": {"generator": optimizer},
    }
    contend = {
        "name": "contend",
        "objective": {"use": "adversarial", "loss": "relativistic"},
        "terms": [{"use": "imitation", "weight": 0.3}],
        "steps": steps,
        "batch": 8,
        "optimizers": {"generator": optimizer, "discriminator": optimizer},
        "ema": {"generator": 0.9},
    }
    return recipe(
        data={"use": "text/lines", "path": str(write(folder / "sentences.txt")), "length": 10, "minimum_count": 1},
        networks={
            "generator": {"use": "text/lstm", "width": 16, "embedding_dim": 8, "dropout": dropout},
            "discriminator": {"use": "text/cnn", "embedding_dim": 8, "filters": 4, "widths": [2, 3]},
        },
        stages=[imitate, contend] if adversarial else [imitate],
        evaluate={"every": 10, "count": 20, "metrics": [{"use": "text/ngrams"}]},
        checkpoint={"every": 3, "keep": {"best": "ngram_distance"}},
        samples={"every": 10, "count": 4},
        log={"every": 3},
    )
