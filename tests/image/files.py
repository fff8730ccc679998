"""Folders of files that the tests read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
from PIL import Image

from sparring_image.mnist import INSIDE_THE_WHEEL

FASHION_PARTS = ("train", "t10k")


def fill(folder: Path, count: int, *, seed: int = 0, mode: str = "RGB", size: tuple[int, int] = (12, 10)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for index in range(count):
        pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{index:03d}.png")


def write_mnist(folder: Path, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    pixels, labels = random.integers(0, 256, (count, 784)), np.arange(count) % 10
    file = folder / INSIDE_THE_WHEEL
    file.parent.mkdir(parents=True)
    with gzip.open(file, "wt") as lines:
        np.savetxt(lines, np.column_stack([pixels, labels]), fmt="%d", delimiter=",")
    return pixels, labels


def write_idx(file: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    content = header + values.astype(np.uint8).tobytes()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(content, 1) if file.suffix == ".gz" else content)


def write_fashion(folder: Path, counts: tuple[int, int] = (40, 20), suffix: str = ".gz") -> list[np.ndarray]:
    """Write random pictures in the files of Fashion-MNIST, the classes in turn, and return both parts' pixels."""
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (count, 28, 28)) for count in counts]
    for part, pixels in zip(FASHION_PARTS, pictures, strict=True):
        write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", pixels)
        write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", np.arange(len(pixels)) % 10)
    return pictures


def write_emoji(folder: Path) -> Path:
    """Write made-up packages of both styles: 20 animals, and people with their variants, whose number is their red."""
    entries = [_entry(number, f"1F4{number:02X}", "Animals") for number in range(20)]
    entries += [
        _entry(100, "1F9D1-200D-1F373", "People", tones=101),
        _entry(106, "1F469-200D-1F373", "People", tones=107),
    ]
    entries += [_entry(112 + index, unified, "People") for index, unified in enumerate(("1F9D1", "1F9D2", "1F9D3"))]
    entries += [_entry(120, "1F3FB", "Component"), {**_entry(121, "1F500", "Animals"), "has_img_twitter": False}]
    for style, green in (("google", 100), ("twitter", 200)):
        package = folder / f"emoji-datasource-{style}" / "package"
        (package / "img" / style / "64").mkdir(parents=True)
        (package / "emoji.json").write_text(json.dumps(entries))
        for number in range(120):
            picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
            picture.paste((number, green, 0, 255), (8, 8, 56, 56))
            picture.save(package / "img" / style / "64" / f"{number}.png")
    return folder


def _entry(number: int, unified: str, category: str, tones: int | None = None) -> dict[str, object]:
    known = {"has_img_google": True, "has_img_twitter": True}
    entry: dict[str, object] = {"unified": unified, "image": f"{number}.png", "category": category, **known}
    if tones is not None:
        skins = {
            f"1F3F{tone:X}": {"image": f"{tones + index}.png", **known} for index, tone in enumerate(range(11, 16))
        }
        entry["skin_variations"] = skins
    return entry


def write_dataset(folder: Path, count: int = 40) -> None:
    """Save a Hugging Face dataset of random pictures of two classes. It needs the package datasets."""
    import datasets

    fill(folder / "pictures", count)
    table = datasets.Dataset.from_dict(
        {
            "picture": [str(folder / "pictures" / f"{index:03d}.png") for index in range(count)],
            "kind": [index % 2 for index in range(count)],
        },
        features=datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["even", "odd"])}),
    )
    table.save_to_disk(str(folder / "saved"))
