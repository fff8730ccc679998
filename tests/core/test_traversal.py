"""The picture of what each code changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import sparring
from sparring import Plugin
from sparring.callbacks.traversal import CAPTION, GAP, LARGEST_CELL, Block, Traversal, draw
from sparring.errors import RecipeError
from sparring.interfaces.data import Condition
from sparring.interfaces.generator import Generator
from sparring.spaces.array import ArraySpace
from sparring.spaces.point import PointSpace
from tests.core.proofs.parts import AtEnd
from tests.core.training.running import SAMPLES, tiny

plugin = Plugin("mirror")


@plugin.generator("latent")
class Latent(Generator):
    """Makes of its latent two numbers: the first is noise and place of the one-hot code, the second the last code."""

    latent_shape = (6,)

    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(2))

    def forward(self, latent: Tensor | None, condition: Condition) -> Tensor:
        assert latent is not None
        place = latent[:, 1:4] @ torch.tensor([0.0, 100.0, 200.0])
        return torch.stack([latent[:, 0] + place, 10 * latent[:, 4] + latent[:, 5]], dim=1) + 0 * self.shift


def recipe(**changes: Any) -> dict[str, Any]:
    """Return a recipe whose generator shows its latent: noise, a code of three values, two continuous ones."""
    coded = {"use": "coded", "generator": {"use": "mirror/latent"}, "categorical": [3], "continuous": 2}
    return tiny(
        networks={"generator": coded, "discriminator": {"use": "mlp", "width": 4, "depth": 1}},
        samples=SAMPLES,
        **{"callbacks": [{"use": "traversal", "rows": 2, "columns": 5, "reach": 2.0}], **changes},
    )


def test_in_a_row_all_but_one_code_stays(tmp_path: Path) -> None:
    end = AtEnd()
    sparring.train(recipe(), out=tmp_path / "run", plugins=[Path(__file__)], listeners=[end])
    categorical, first, second = Traversal(rows=2, columns=5).blocks(end.run)
    assert [block.columns for block in (categorical, first, second)] == [3, 5, 5]
    shown = categorical.samples.reshape(2, 3, 2)
    torch.testing.assert_close(shown[:, :, 0] - shown[:, :1, 0], torch.tensor([[0.0, 100.0, 200.0]] * 2))
    torch.testing.assert_close(shown[:, :, 1], shown[:, :1, 1].expand(2, 3))
    swept = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    for block, factor in ((first, 10.0), (second, 1.0)):
        shown = block.samples.reshape(2, 5, 2)
        torch.testing.assert_close(shown[:, :, 0], shown[:, :1, 0].expand(2, 5))
        torch.testing.assert_close(shown[:, :, 1] - shown[:, 2:3, 1], (factor * swept).expand(2, 5))
    # Rows differ in their noise, and the same noise is drawn each time.
    assert categorical.samples[0, 0] != categorical.samples[3, 0]
    again = Traversal(rows=2, columns=5).blocks(end.run)
    assert torch.equal(again[0].samples, categorical.samples)


def test_each_preview_has_a_picture(tmp_path: Path) -> None:
    sparring.train(recipe(), out=tmp_path / "run", plugins=[Path(__file__)])
    found = sorted(path.parent.name for path in (tmp_path / "run" / "samples").glob("*/traversal.png"))
    assert found == ["00000000", "00000005", "00000010"]
    with Image.open(tmp_path / "run" / "samples" / "00000010" / "traversal.png") as picture:
        # Three blocks of two rows; the widest has five columns.
        assert picture.size == (5 * LARGEST_CELL, 3 * (CAPTION + 2 * LARGEST_CELL + GAP))


def test_cells_lie_in_their_rows_and_columns() -> None:
    class Shade(PointSpace):
        """A grey pixel for each point."""

        def preview(self, samples: Tensor) -> Image.Image:
            return Image.new("L", (3, 2), int(samples[0, 0]))

    picture = draw([Block("", 2, torch.arange(4.0)[:, None] * 10), Block("", 1, torch.tensor([[90.0]]))], Shade())
    assert isinstance(picture, Image.Image)
    seen = [picture.getpixel((x, CAPTION + y))[0] for y in (0, 2) for x in (0, 3)]
    assert seen == [0, 10, 20, 30]
    assert picture.getpixel((0, 2 * CAPTION + 2 * 2 + GAP))[0] == 90


def test_samples_that_are_shown_as_text_become_text() -> None:
    text = draw([Block("code", 2, torch.zeros(2, 3)), Block("other", 1, torch.ones(1, 3))], ArraySpace([3]))
    assert isinstance(text, str)
    assert [line.partition(":")[0] for line in text.splitlines()] == [
        "code",
        "1 arrays of shape (3,)",
        "1 arrays of shape (3,)",
        "",
        "other",
        "1 arrays of shape (3,)",
    ]


def test_a_recipe_in_which_there_is_nothing_to_see_is_refused(tmp_path: Path) -> None:
    plain = tiny(samples=SAMPLES, callbacks=[{"use": "traversal"}])
    with pytest.raises(RecipeError, match="'generator' has none"):
        sparring.train(plain, out=tmp_path / "plain")
    with pytest.raises(RecipeError, match="they never are"):
        sparring.train(recipe() | {"samples": None}, out=tmp_path / "never", plugins=[Path(__file__)])
    for options in ({"rows": 0}, {"columns": 1}, {"reach": 0.0}):
        with pytest.raises(ValueError, match="rows is at least 1"):
            Traversal(**options)
