"""Read any picture file into 8-bit grey or colour, upright, and fit it to a size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sparring.errors import DataError

SIXTEEN_BIT_STEP = 257  # 65535 / 255: a 16-bit value divided by it is the 8-bit value
SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read_picture(raw: Any, channels: int) -> Image.Image:
    """Turn a file, a PIL image or an array of 8- or 16-bit integers into an upright 8-bit picture.

    Args:
        raw: A path, the bytes of a file, a ``PIL.Image.Image``, or an integer array ``(H, W)`` or
            ``(H, W, 1 | 3 | 4)``.
        channels: 1 for grey, 3 for colour.

    Raises:
        DataError: The file cannot be read, or the value is no picture.
    """
    if isinstance(raw, Image.Image):
        return _upright(raw, channels)
    if isinstance(raw, np.ndarray):
        return _upright(_from_array(raw), channels)
    if not isinstance(raw, (str, Path, bytes)):
        raise DataError(
            f"{type(raw).__name__} is not a picture",
            remedy="give a path, a PIL image, or an array of unsigned 8-bit integers (H, W) or (H, W, channels)",
        )
    where = "" if isinstance(raw, bytes) else str(raw)
    if not isinstance(raw, bytes) and not Path(raw).is_file():
        raise DataError("there is no such image file", where=where, remedy="check the path")
    try:
        with Image.open(io.BytesIO(raw) if isinstance(raw, bytes) else raw) as image:
            return _upright(image, channels)
    except DataError as error:
        error.where = where
        raise
    except Exception as cause:  # a damaged file makes Pillow's decoders raise nearly anything: OSError, SyntaxError …
        raise DataError(
            f"the image cannot be read: {_reason(raw, cause)}",
            where=where,
            remedy="delete the file, or save it again as PNG or JPEG",
        ) from cause


def fit(image: Image.Image, height: int, width: int) -> Image.Image:
    """Crop a picture's centre to the aspect ratio of ``height`` and ``width``, then resize it with antialiasing.

    Pillow's bicubic filter widens with the reduction, so that fine patterns do not alias; that a resize without
    antialiasing changes Fréchet distances is shown by Parmar et al. 2022, "On Aliased Resizing and Surprising
    Subtleties in GAN Evaluation".
    """
    scale = min(image.width / width, image.height / height)
    crop_width, crop_height = scale * width, scale * height
    # Rounding may carry the box out of the picture by a hair, which Pillow refuses.
    left, top = max((image.width - crop_width) / 2, 0), max((image.height - crop_height) / 2, 0)
    box = (left, top, min(left + crop_width, image.width), min(top + crop_height, image.height))
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box)


def _from_array(array: NDArray[Any]) -> Image.Image:
    squeezed = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    fits = squeezed.ndim == 2 or (squeezed.ndim == 3 and squeezed.shape[2] in (3, 4) and squeezed.dtype == np.uint8)
    if squeezed.dtype not in (np.uint8, np.uint16) or not fits or squeezed.size == 0:
        raise DataError(
            f"an array of {array.dtype} with shape {array.shape} is not a picture",
            remedy="give unsigned 8-bit integers of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)",
        )
    return Image.fromarray(squeezed)


def _upright(image: Image.Image, channels: int) -> Image.Image:
    """Apply the orientation that a camera noted, then reduce to 8 bits and the wanted channels."""
    return _eight_bit(ImageOps.exif_transpose(image), "L" if channels == 1 else "RGB")


def _eight_bit(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "F":
        raise DataError(
            "the image has floating-point pixels, whose range is not known",
            remedy="save it with 8 or 16 bits a channel",
        )
    if image.mode in SIXTEEN_BIT_MODES:
        # Pillow's own conversion clips instead of scaling: everything brighter than 255 would turn white.
        values = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray(np.round(values / SIXTEEN_BIT_STEP).astype(np.uint8))
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        # What is transparent shows the page: white. Without this, hidden colours of cut-outs would show.
        white = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, coloured)
    if image.mode in ("LAB", "HSV"):
        image = image.convert("RGB")
    return image.convert(mode)


def _reason(raw: str | Path | bytes, cause: Exception) -> str:
    if not (len(raw) if isinstance(raw, bytes) else Path(raw).stat().st_size):
        return "the file is empty"
    if isinstance(cause, UnidentifiedImageError):
        return "its content is no image format that Pillow knows"
    return str(cause) or type(cause).__name__
