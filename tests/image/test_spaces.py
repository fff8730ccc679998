"""Files to tensors and back: every kind of picture that people have lying about."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sparring.errors import DataError
from sparring_image.pictures import fit
from sparring_image.spaces import ImageSpace, compress, decompress

torch.set_num_threads(1)

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "I;16", "I;16B")


def red_left_blue_right(width: int = 40, height: int = 20) -> Image.Image:
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


def test_every_eight_bit_value_survives_a_round_trip() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(compress(decompress(pixels)), pixels)
    assert decompress(pixels).min() == -1
    assert decompress(pixels).max() == 1


@settings(max_examples=25, deadline=None)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_pictures_of_the_right_size_are_kept_exactly(channels: int, height: int, width: int, seed: int) -> None:
    shape = (height, width) if channels == 1 else (height, width, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    space = ImageSpace(channels, height, width)  # type: ignore[arg-type]
    sample = space.encode(pixels)
    assert sample.shape == space.shape == (channels, height, width)
    assert sample.dtype == torch.float32
    assert np.array_equal(np.asarray(space.decode(sample)), pixels)
    assert torch.equal(space.encode(space.decode(sample)), sample)


@settings(max_examples=40, deadline=None)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 33),
    width=st.integers(1, 33),
    raw_height=st.integers(1, 90),
    raw_width=st.integers(1, 90),
)
def test_any_size_fits_and_stays_in_range(
    channels: int, height: int, width: int, raw_height: int, raw_width: int
) -> None:
    space = ImageSpace(channels, height, width)  # type: ignore[arg-type]
    sample = space.encode(np.full((raw_height, raw_width), 255, dtype=np.uint8))
    assert sample.shape == space.shape
    assert torch.equal(sample, torch.ones(space.shape))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_is_read(mode: str, channels: int) -> None:
    space = ImageSpace(channels, 8, 8)  # type: ignore[arg-type]
    image = Image.fromarray(np.full((16, 16, 3), 255, dtype=np.uint8))
    if mode == "LAB":  # Pillow converts from LAB but not into it
        white = Image.merge("LAB", [Image.new("L", (16, 16), value) for value in (255, 128, 128)])
    elif mode.startswith("I"):
        white = Image.fromarray(np.full((16, 16), 65535, dtype=np.int32 if mode == "I" else np.uint16))
        if mode == "I;16B":
            white = Image.frombytes("I;16B", (16, 16), b"\xff\xff" * 256)
    else:
        white = image.convert(mode)
    assert white.mode == mode
    assert space.encode(white).min() > 0.95


def test_the_mode_list_is_not_empty() -> None:
    assert len(MODES) > 10


def test_a_file_gives_what_the_picture_gives(tmp_path: Path) -> None:
    image = red_left_blue_right(32, 32)
    image.save(tmp_path / "picture.png")
    space = ImageSpace(3, 32, 32)
    assert torch.equal(space.encode(tmp_path / "picture.png"), space.encode(image))
    assert torch.equal(space.encode(str(tmp_path / "picture.png")), space.encode(image))


@pytest.mark.parametrize("value", [0, 1000, 40000, 65535])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, value: int) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), value, dtype=np.uint16)).save(path)
    assert torch.equal(compress(ImageSpace(1, 8, 8).encode(path)).unique(), torch.tensor([round(value / 257)]))


def test_transparent_pixels_show_white_paper(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)  # black, and wholly transparent
    pixels[:4] = (0, 0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "cut-out.png")
    for channels in (1, 3):
        sample = ImageSpace(channels, 8, 8).encode(tmp_path / "cut-out.png")  # type: ignore[arg-type]
        assert torch.equal(sample[:, :4], -torch.ones(channels, 4, 8))
        assert torch.equal(sample[:, 4:], torch.ones(channels, 4, 8))


def test_a_palette_with_a_transparent_entry_shows_white_paper(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(0, (0, 0, 8, 4))
    image.save(tmp_path / "palette.png", transparency=1)
    sample = ImageSpace(3, 8, 8).encode(tmp_path / "palette.png")
    assert torch.equal(sample[:, 0, 0], torch.tensor([1.0, -1.0, -1.0]))
    assert torch.equal(sample[:, 7, 0], torch.ones(3))


def test_the_camera_s_orientation_is_obeyed(tmp_path: Path) -> None:
    image = red_left_blue_right(20, 20)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter clockwise to see it upright
    image.save(tmp_path / "turned.png", exif=exif)
    sample = ImageSpace(3, 20, 20).encode(tmp_path / "turned.png")
    assert torch.equal(sample[:, 0, 10], torch.tensor([1.0, -1.0, -1.0]))  # left became top
    assert torch.equal(sample[:, 19, 10], torch.tensor([-1.0, -1.0, 1.0]))


def test_the_centre_is_cropped_not_squeezed() -> None:
    image = Image.new("RGB", (60, 20), (0, 0, 0))
    image.paste((255, 255, 255), (20, 0, 40, 20))
    assert torch.equal(ImageSpace(3, 20, 20).encode(image), torch.ones(3, 20, 20))
    upright = ImageSpace(3, 40, 20).encode(Image.new("RGB", (60, 20)))
    assert upright.shape == (3, 40, 20)


def test_reduction_averages_fine_patterns() -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    reduced = np.asarray(fit(Image.fromarray(board), 8, 8)).astype(int)
    assert np.abs(reduced - 127).max() <= 3  # sampling without antialiasing would give 0 or 255


def broken(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, format="JPEG" if kind == "truncated.jpg" else "PNG")
    whole = buffer.getvalue()
    return {
        "truncated.jpg": whole[: len(whole) // 2],
        "truncated.png": whole[: len(whole) // 2],
        "corrupt.png": whole[:200] + bytes(100) + whole[300:],
        "empty.png": b"",
        "text.png": b"this is no picture",
    }[kind]


@pytest.mark.parametrize("kind", ["truncated.jpg", "truncated.png", "corrupt.png", "empty.png", "text.png"])
def test_damaged_files_are_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    path.write_bytes(broken(kind))
    with pytest.raises(DataError) as caught:
        ImageSpace(3, 32, 32).encode(path)
    assert caught.value.where == str(path)
    assert "cannot be read" in caught.value.what
    assert caught.value.remedy


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_with_any_damage_is_read_or_named(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = bytearray(broken("truncated.png"))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(8, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damage") / "picture.png"
    path.write_bytes(bytes(whole))
    with pytest.raises(DataError):  # half of the file is missing, whatever else is wrong
        ImageSpace(3, 8, 8).encode(path)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    space = ImageSpace(3, 8, 8)
    for raw in (3, None, np.zeros((8, 8), dtype=np.float32), np.zeros((8, 8, 2), dtype=np.uint8), tmp_path / "absent"):
        with pytest.raises(DataError) as caught:
            space.encode(raw)
        assert caught.value.remedy
    with pytest.raises(DataError, match="floating-point"):
        space.encode(Image.new("F", (8, 8)))
    with pytest.raises(DataError, match="1 or 3 channels"):
        ImageSpace(2, 8, 8)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="0x8"):
        ImageSpace(1, 0, 8)


def test_decoding_clips_and_checks_the_shape() -> None:
    space = ImageSpace(1, 2, 2)
    picture = space.decode(torch.tensor([[[-7.0, 7.0], [0.0, float("nan")]]]))
    assert np.array_equal(np.asarray(picture), [[0, 255], [128, 0]])
    with pytest.raises(DataError, match="shape"):
        space.decode(torch.zeros(5, 1, 2, 2))


def test_saving_numbers_the_files(tmp_path: Path) -> None:
    space = ImageSpace(3, 6, 4)
    samples = torch.rand(3, 3, 6, 4) * 2 - 1
    paths = space.save(samples, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["00000.png", "00001.png", "00002.png"]
    for path, sample in zip(paths, samples, strict=True):
        assert torch.equal(compress(space.encode(path)), compress(sample))


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 50), channels=st.sampled_from([1, 3]), height=st.integers(4, 70), width=st.integers(4, 70))
def test_a_preview_shows_every_sample_in_a_nearly_square_grid(
    count: int, channels: int, height: int, width: int
) -> None:
    space = ImageSpace(channels, height, width)  # type: ignore[arg-type]
    grid = space.preview(torch.ones(count, *space.shape))
    assert grid.mode == ("L" if channels == 1 else "RGB")
    zoom = max(1, round(64 / max(height, width)))
    white = np.asarray(grid.convert("L")) == 255
    assert white.sum() == count * height * width * zoom**2
    if count >= 16 and 0.5 <= height / width <= 2:
        assert 0.5 <= grid.width / grid.height <= 2


def test_small_pictures_are_enlarged_exactly() -> None:
    sample = torch.rand(1, 8, 8) * 2 - 1
    grid = np.asarray(ImageSpace(1, 8, 8).preview(sample[None]))
    assert grid.shape == (8 * 8 + 4, 8 * 8 + 4)
    assert np.array_equal(grid[2:-2:8, 2:-2:8][:8, :8], compress(sample)[0].numpy())
    with pytest.raises(DataError):
        ImageSpace(1, 8, 8).preview(torch.zeros(0, 1, 8, 8))


def test_options_rebuild_the_space() -> None:
    space = ImageSpace(3, 8, 16)
    assert space.options() == {"channels": 3, "height": 8, "width": 16}
    assert ImageSpace(**space.options()).shape == (3, 8, 16)
