"""How near the samples that a run drew on its way come to held-out pictures: a kernel distance for each step.

It reads the pictures in the run's folder, which hold samples of the averaged weights, at full size where they have 64
pixels. So a run can be scored by another encoder than the one that it evaluated with: by `image/random-features`. The
last line is the distance of as many training pictures: what a run that has learnt all of them would come to.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import sparring
from sparring.interfaces.data import Data
from sparring.metrics.kernel_distance import kernel_distance
from sparring.plugins.registry import Registry
from sparring_image.encoders import RandomFeatures
from sparring_image.spaces import READABLE_CELL, SEPARATOR, ImageSpace, decompress


def main() -> None:
    """Score each step's picture, and print a line for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks previews", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the folder of a run of pictures of 64 pixels")
    folder: Path = parser.parse_args().run
    torch.set_num_threads(1)
    trained = sparring.load(folder)
    space, count = trained.space, trained.recipe.samples.count if trained.recipe.samples else 0
    assert isinstance(space, ImageSpace)
    assert max(space.height, space.width) == READABLE_CELL, "smaller pictures are enlarged in previews"
    data: Data = Registry().build("data", trained.recipe.data, "data")
    encoder = RandomFeatures(space)
    held_out = encoder(everything(data.split("test")))
    for file in sorted(folder.glob("samples/*/preview.png")):
        print(f"{int(file.parent.name):6,} {kernel_distance(encoder(cut(file, space, count)), held_out):.4f}")
    print(f"  data {kernel_distance(encoder(everything(data)[:count]), held_out):.4f}")


def everything(data: Data) -> Tensor:
    """Return all pictures of data, ``(N, C, H, W)``."""
    return data.gather(torch.arange(len(data)), rng=torch.Generator().manual_seed(0)).sample


def cut(file: Path, space: ImageSpace, count: int) -> Tensor:
    """Return the pictures of a preview, ``(count, C, H, W)``; what ``ImageSpace.preview`` does, backwards."""
    sheet = torch.from_numpy(np.array(Image.open(file)))
    step_y, step_x = space.height + SEPARATOR, space.width + SEPARATOR
    columns = sheet.shape[1] // step_x
    corners = [(SEPARATOR + index // columns * step_y, SEPARATOR + index % columns * step_x) for index in range(count)]
    cells = [sheet[top : top + space.height, left : left + space.width] for top, left in corners]
    return decompress(torch.stack(cells).reshape(count, space.height, space.width, -1).permute(0, 3, 1, 2))
