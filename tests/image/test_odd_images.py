"""Odd pictures, by way of the data components: what people really have in their folders."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sparring.errors import DataError
from sparring.interfaces.data import Data
from sparring_image.collection import FEWEST
from sparring_image.folder import Folder
from sparring_image.spaces import compress
from tests.image.files import fill

torch.set_num_threads(1)

SIDE = 8
BLACK, WHITE, RED, GREY = (0, 0, 0), (255, 255, 255), (255, 0, 0), (128, 128, 128)
# Red has a luminance of 0.299 × 255 = 76 (ITU-R 601).
GREY_OF_RED = 76


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def deep_png(file: Path, pixels: np.ndarray, colour_type: int) -> None:
    """Write a PNG of 16 bits a channel, which Pillow reads and does not write: ``(H, W, channels)``."""
    height, width = pixels.shape[:2]
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, colour_type, 0, 0, 0])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def halves(left: Any, right: Any, mode: str, size: tuple[int, int] = (16, 16)) -> Image.Image:
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def deep(left: tuple[int, ...], right: tuple[int, ...]) -> np.ndarray:
    pixels = np.empty((16, 16, len(left)), dtype=np.uint16)
    pixels[:, :8], pixels[:, 8:] = left, right
    return pixels


def palette(file: Path, **options: Any) -> None:
    image = halves(0, 1, "P")
    image.putpalette([*RED, *GREY])
    image.save(file, **options)


def turned(file: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    halves(WHITE, RED, "RGB").save(file, exif=exif)


def animated(file: Path) -> None:
    halves(RED, WHITE, "RGB").save(file, save_all=True, append_images=[Image.new("RGB", (16, 16), (0, 255, 0))])


# Each writes a file whose left half should read as the first colour, and its right half as the second.
Kind = tuple[str, Callable[[Path], None], tuple[int, int, int], tuple[int, int, int]]
KINDS: dict[str, Kind] = {
    "grey": ("a.png", lambda file: halves(0, 128, "L").save(file), BLACK, GREY),
    "grey JPEG": ("a.jpg", lambda file: halves(0, 128, "L").save(file), BLACK, GREY),
    "one bit": ("a.png", lambda file: halves(0, 1, "1").save(file), BLACK, WHITE),
    "grey with alpha": ("a.png", lambda file: halves((0, 255), (0, 0), "LA").save(file), BLACK, WHITE),
    "colour with alpha": ("a.png", lambda file: halves((*RED, 255), (*RED, 0), "RGBA").save(file), RED, WHITE),
    "half transparent": ("a.png", lambda file: halves((*RED, 255), (1, 1, 1, 127), "RGBA").save(file), RED, GREY),
    "16-bit grey": ("a.png", lambda file: deep_png(file, deep((0,), (128 * 257,)), 0), BLACK, GREY),
    "16-bit grey TIFF": (
        "a.tif",
        lambda file: Image.fromarray(deep((0,), (128 * 257,))[:, :, 0]).save(file),
        BLACK,
        GREY,
    ),
    "16-bit grey with alpha": ("a.png", lambda file: deep_png(file, deep((0, 65535), (0, 0)), 4), BLACK, WHITE),
    "16-bit colour": ("a.png", lambda file: deep_png(file, deep((65535, 0, 0), (128 * 257,) * 3), 2), RED, GREY),
    "16-bit colour with alpha": (
        "a.png",
        lambda file: deep_png(file, deep((65535, 0, 0, 65535), (0, 0, 0, 0)), 6),
        RED,
        WHITE,
    ),
    "palette": ("a.png", palette, RED, GREY),
    "palette GIF": ("a.gif", palette, RED, GREY),
    "palette with a transparent entry": ("a.png", lambda file: palette(file, transparency=1), RED, WHITE),
    "palette with alpha": ("a.png", lambda file: palette(file, transparency=bytes([255, 0])), RED, WHITE),
    "GIF with a transparent entry": ("a.gif", lambda file: palette(file, transparency=1), RED, WHITE),
    "CMYK JPEG": ("a.jpg", lambda file: halves((0, 255, 255, 0), (0, 0, 0, 0), "CMYK").save(file), RED, WHITE),
    "CMYK TIFF": ("a.tiff", lambda file: halves((0, 255, 255, 0), (0, 0, 0, 255), "CMYK").save(file), RED, BLACK),
    "wide": ("a.png", lambda file: halves(RED, WHITE, "RGB", (64, 16)).save(file), RED, WHITE),
    "tall": ("a.png", lambda file: halves(RED, WHITE, "RGB", (16, 90)).save(file), RED, WHITE),
    "a thousand times as wide as high": (
        "a.png",
        lambda file: halves(BLACK, WHITE, "RGB", (2000, 2)).save(file),
        BLACK,
        WHITE,
    ),
    "upside down by its camera": ("a.jpg", turned, RED, WHITE),
    "animated": ("a.gif", animated, RED, WHITE),
    "a JPEG that is named PNG": ("a.png", lambda file: halves(RED, WHITE, "RGB").save(file, "JPEG"), RED, WHITE),
    "capital suffix": ("A.PNG", lambda file: halves(RED, WHITE, "RGB").save(file), RED, WHITE),
    "lossless WebP": ("a.webp", lambda file: halves(RED, WHITE, "RGB").save(file, lossless=True), RED, WHITE),
}


def through_folder(folder: Path, channels: int) -> Data:
    return Folder(folder, SIDE, SIDE, channels=channels, labels=False, held_out=0.0)  # type: ignore[arg-type]


def through_hugging_face(folder: Path, channels: int) -> Data:
    import datasets

    from sparring_image.hugging_face import HuggingFace

    datasets.disable_progress_bars()

    files = sorted(file for file in folder.iterdir() if file.is_file())
    rows = {"image": [{"bytes": file.read_bytes(), "path": None} for file in files]}
    table = datasets.Dataset.from_dict(rows, features=datasets.Features({"image": datasets.Image()}))
    table.save_to_disk(str(folder / "saved"))
    return HuggingFace(str(folder / "saved"), None, SIDE, SIDE, channels, held_out=0.0)  # type: ignore[arg-type]


WAYS = [
    pytest.param(through_folder, id="folder"),
    pytest.param(
        through_hugging_face,
        id="hugging-face",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("datasets") is None, reason="the package datasets is not installed"
        ),
    ),
]


def first(data: Data) -> Tensor:
    """Return the first picture's 8-bit values, without the middle columns, where resizing mixes the halves."""
    pixels = compress(data.gather(torch.tensor([0]), rng=torch.Generator()).sample)[0].int()
    return torch.cat([pixels[:, :, :2], pixels[:, :, -2:]], dim=2)


def grey_of(colour: tuple[int, int, int]) -> int:
    return GREY_OF_RED if colour == RED else colour[0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_in_its_colours(
    tmp_path: Path, kind: str, way: Callable[[Path, int], Data], channels: int
) -> None:
    name, write, left, right = KINDS[kind]
    fill(tmp_path, FEWEST, mode="RGB")  # so that there are enough of them
    for file in tmp_path.iterdir():
        file.rename(tmp_path / f"z{file.name}")
    write(tmp_path / name)
    data = way(tmp_path, channels)
    assert not data.notes
    pixels = first(data)
    colours = [left, right] if channels == 3 else [(grey_of(left),), (grey_of(right),)]
    for half, colour in zip((pixels[:, :, :2], pixels[:, :, 2:]), colours, strict=True):
        wanted = torch.tensor(colour)[:, None, None].expand_as(half)
        assert (half - wanted).abs().max() <= 6, f"{kind}: {half[:, 0, 0].tolist()} instead of {colour}"


def test_the_list_of_kinds_is_not_empty() -> None:
    assert len(KINDS) > 20
    assert WAYS


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half of it": lambda content: content[: len(content) // 2],
    "all but the end": lambda content: content[:-40],
    "the header": lambda content: content[:20],
    "nothing": lambda content: b"",
    "an error page": lambda content: b"<html>404</html>",
    "zeros in the middle": lambda content: content[:300] + bytes(len(content) - 300),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".tif", ".webp"])
def test_damaged_files_are_skipped_or_whole_in_size(
    tmp_path: Path, suffix: str, damage: str, way: Callable[[Path, int], Data]
) -> None:
    """A damaged file never stops a run and never gives a picture of another shape; most are noticed and listed."""
    fill(tmp_path, FEWEST)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = tmp_path / f"broken{suffix}"
    Image.fromarray(pixels).save(file)
    whole = file.read_bytes()
    file.write_bytes(DAMAGES[damage](whole))
    data = way(tmp_path, 3)
    assert len(data) == FEWEST + 1 - len(data.notes)
    batch = data.gather(torch.arange(len(data)), rng=torch.Generator())
    assert batch.sample.shape == (len(data), 3, SIDE, SIDE)
    assert bool(batch.sample.isfinite().all())
    # What Pillow reads of these without a word: a GIF's last rows, and JPEG data that happen to decode.
    if damage in ("the header", "nothing", "an error page") or (damage == "half of it" and suffix != ".gif"):
        assert len(data.notes) == 1
        assert "cannot be read" in data.notes[0]


@pytest.mark.parametrize("way", WAYS)
def test_floating_point_pixels_are_refused_with_a_reason(tmp_path: Path, way: Callable[[Path, int], Data]) -> None:
    fill(tmp_path, FEWEST)
    Image.fromarray(np.ones((16, 16), dtype=np.float32)).save(tmp_path / "float.tif")
    assert ["floating-point" in note for note in way(tmp_path, 3).notes] == [True]


@pytest.mark.parametrize("count", [1, FEWEST - 1])
@pytest.mark.parametrize("way", WAYS)
def test_too_few_images_are_refused_with_their_number(
    tmp_path: Path, count: int, way: Callable[[Path, int], Data]
) -> None:
    fill(tmp_path, count)
    with pytest.raises(DataError) as caught:
        way(tmp_path, 3)
    assert f"{count} images are too few" in caught.value.what
    assert caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize("way", WAYS)
def test_no_images_at_all_are_refused(tmp_path: Path, way: Callable[[Path, int], Data]) -> None:
    # The package datasets cannot load a table without rows.
    with pytest.raises(DataError, match=r"no images among the 0 files|cannot be loaded|0 images are too few"):
        way(tmp_path, 3)


@pytest.mark.parametrize("way", WAYS)
def test_one_image_many_times_is_taken_as_it_is(tmp_path: Path, way: Callable[[Path, int], Data]) -> None:
    for index in range(FEWEST):
        halves(RED, WHITE, "RGB").save(tmp_path / f"{index:02d}.png")
    sample = way(tmp_path, 3).gather(torch.arange(FEWEST), rng=torch.Generator()).sample
    assert torch.equal(sample, sample[:1].expand_as(sample))
