"""A picture of what each of a generator's codes changes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from sparring.errors import Problem, RecipeError
from sparring.interfaces.data import Condition, Data
from sparring.interfaces.generator import Generator, lift_generated
from sparring.interfaces.space import Space
from sparring.plugins.hookspecs import hookimpl
from sparring.spaces.label import LabelSpace
from sparring.training.generate import conditions_for, evaluating
from sparring.training.randomness import generator_at
from sparring.training.run import Run

LARGEST_CELL = 96  # pixels
CAPTION, GAP = 16, 8  # pixels above a block and below it
PAPER, INK = (255, 255, 255), (0, 0, 0)


class Block(NamedTuple):
    """What one code changes: ``rows`` × ``columns`` samples, row by row; each row has noise of its own."""

    caption: str
    columns: int
    samples: Tensor


class Traversal:
    """Draw what each code of a generator changes, whenever samples are drawn (as figure 2 of InfoGAN does).

    ``samples/STEP/traversal.png`` has a block for each code. In a row all else stays: the noise, the other codes and
    the data's conditions. A categorical code has a column for each of its values; a continuous one is swept from
    −reach to reach. Where the space shows samples as text, ``traversal.txt`` has one line a sample.

    The generator must have codes, as ``coded`` does.

    Args:
        rows: How many rows a block has, at least 1.
        columns: How many values of a continuous code are shown, at least 2.
        reach: The largest of them. Codes are drawn from [−1, 1]; beyond, one sees whether their meaning goes on.
    """

    def __init__(self, rows: int = 6, columns: int = 10, reach: float = 2.0) -> None:
        if rows < 1 or columns < 2 or reach <= 0:
            raise ValueError(f"rows is at least 1, columns 2 and reach above 0, not {rows}, {columns} and {reach}")
        self.rows, self.columns, self.reach = rows, columns, reach

    @hookimpl
    def sparring_run_start(self, run: Run) -> None:
        """Refuse a recipe in which there would be nothing to see."""
        role = run.generator_role
        if not getattr(run.networks[role], "codes", {}):
            what = f"traversal shows what codes change, and '{role}' has none"
            remedy = "use the generator {use: coded, generator: …, categorical: [10]}, or remove the callback"
            raise RecipeError([Problem("callbacks", what, remedy)], recipe=run.recipe.name)
        if run.recipe.samples is None:
            what, remedy = "traversal draws when samples are drawn, and they never are", "add `samples: {every: 500}`"
            raise RecipeError([Problem("samples", what, remedy)], recipe=run.recipe.name)

    @hookimpl
    def sparring_sample(self, run: Run, step: int) -> None:
        """Write the picture beside the preview."""
        target = run.folder / "samples" / f"{step:08d}" / "traversal"
        target.parent.mkdir(parents=True, exist_ok=True)
        drawn = draw(self.blocks(run), run.space)
        if isinstance(drawn, str):
            target.with_suffix(".txt").write_text(drawn, encoding="utf-8")
        else:
            drawn.save(target.with_suffix(".png"))

    @torch.no_grad()
    def blocks(self, run: Run) -> list[Block]:
        """Return the samples of each code, on the CPU; the same noise is used at every step."""
        network = run.best_network(run.generator_role)
        assert isinstance(network, Generator)
        seed, device = run.recipe.seed, run.device
        data = run.data if isinstance(run.data, Data) else None
        condition = {
            name: value.to(device) for name, value in conditions_for(self.rows, run.conditions, data, seed=seed).items()
        }
        with evaluating(network):
            latent = network.latent(self.rows, rng=generator_at(device, seed, "traversal"))
            drawn = lift_generated(network(latent, condition)).extras
            found = []
            for name, space in network.codes.items():
                for caption, values in self._values(name, space, drawn[name]):
                    columns = values.shape[1]
                    rows = {other: value.repeat_interleave(columns, 0) for other, value in condition.items()}
                    noise = None if latent is None else latent.repeat_interleave(columns, 0)
                    asked: Condition = {**rows, name: values.flatten(0, 1)}
                    found.append(Block(caption, columns, lift_generated(network(noise, asked)).sample.cpu()))
        return found

    def _values(self, name: str, space: Space, drawn: Tensor) -> list[tuple[str, Tensor]]:
        """Return captions, and the codes to ask for: ``(rows, columns)``, or ``(rows, columns, n)`` of n numbers."""
        if isinstance(space, LabelSpace):
            count = len(space.classes)
            values = torch.arange(count, device=drawn.device).expand(self.rows, count)
            return [(f"{name}: each of its {count} values", values)]
        swept = torch.linspace(-self.reach, self.reach, self.columns, device=drawn.device)
        found = []
        for place in range(drawn.shape[1]):
            values = drawn[:, None].repeat(1, self.columns, 1)
            values[:, :, place] = swept
            found.append((f"{name}, number {place}: from {-self.reach:g} to {self.reach:g}", values))
        return found


def draw(blocks: list[Block], space: Space) -> Image.Image | str:
    """Return blocks below one another as a picture, or as text where the space shows samples as text."""
    shown = [[space.preview(sample[None]) for sample in block.samples] for block in blocks]
    pictures = [[_small(cell) for cell in cells if not isinstance(cell, str)] for cells in shown]
    if not all(pictures):
        texts = zip(blocks, shown, strict=True)
        return "\n\n".join("\n".join([block.caption, *map(str, cells)]) for block, cells in texts)
    sizes = [
        (block.columns * row[0].width, CAPTION + len(row) // block.columns * row[0].height + GAP)
        for block, row in zip(blocks, pictures, strict=True)
    ]
    page = Image.new("RGB", (max(width for width, _ in sizes), sum(height for _, height in sizes)), PAPER)
    pen, top = ImageDraw.Draw(page), 0
    for block, row, (_, height) in zip(blocks, pictures, sizes, strict=True):
        pen.text((2, top + 2), block.caption, fill=INK)
        for index, cell in enumerate(row):
            down, across = divmod(index, block.columns)
            page.paste(cell, (across * cell.width, top + CAPTION + down * cell.height))
        top += height
    return page


def _small(picture: Image.Image) -> Image.Image:
    """Return a picture no larger than a cell may be."""
    if max(picture.size) > LARGEST_CELL:
        picture = picture.copy()
        picture.thumbnail((LARGEST_CELL, LARGEST_CELL))
    return picture
