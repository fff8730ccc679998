"""The same emoji as two companies draw them: pairs of small colour pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from sparring.data.memory import MemoryData, hold_out
from sparring.errors import DataError
from sparring.interfaces.data import Batch, Source
from sparring.interfaces.space import Space
from sparring.spaces.label import LabelSpace
from sparring_image.spaces import ImageSpace, decompress
from sparring_image.splits import hold_out_evenly

NAME = "image/emoji-pairs"
PACKAGE = "emoji-datasource-{style}"
INDEX = "emoji.json"
PICTURES = "img/{style}/64"
VERSION = "16.0.0"
READERS = 8  # threads; Pillow decodes without holding Python's lock
NO_PICTURES = "Component"  # the category of five swatches of skin colour
Style = Literal["google", "twitter"]

# Code points of Unicode's emoji that change how somebody looks, not what the emoji means: skin tones, the two signs of
# gender, the arrow that turns a person to the right, and what joins them.
SKIN_TONES = range(0x1F3FB, 0x1F400)
MODIFIERS = {0x2640, 0x2642, 0x27A1, 0x200D, 0xFE0F, *SKIN_TONES}
ADULT, CHILD, ELDER, HEART, KISS, HANDSHAKE = 0x1F9D1, 0x1F9D2, 0x1F9D3, 0x2764, 0x1F48B, 0x1F91D
FAMILY = 0x1F46A
# Emoji of one meaning that have code points of their own for men, women and couples.
SAME: Mapping[int, tuple[int, ...]] = {
    **dict.fromkeys((0x1F468, 0x1F469), (ADULT,)),
    **dict.fromkeys((0x1F466, 0x1F467), (CHILD,)),
    **dict.fromkeys((0x1F474, 0x1F475), (ELDER,)),
    **dict.fromkeys((0x1F46B, 0x1F46C, 0x1F46D), (ADULT, HANDSHAKE, ADULT)),
    **dict.fromkeys((0x1F385, 0x1F936), (ADULT, 0x1F384)),  # Father and Mother Christmas
    **dict.fromkeys((0x1F934, 0x1F478), (0x1FAC5,)),  # prince and princess: a person with a crown
    **dict.fromkeys((0x1F930, 0x1FAC3), (0x1FAC4,)),  # pregnant woman and man: a pregnant person
    0x1F57A: (0x1F483,),  # the two dancers
    0x1F491: (ADULT, HEART, ADULT),
    0x1F48F: (ADULT, HEART, KISS, ADULT),
}


@dataclass(frozen=True)
class Emoji:
    """One emoji as the index names it.

    Attributes:
        file: The name of its picture's file, the same in both styles.
        category: Such as ``Food & Drink``.
        family: What it shares with its variants of skin colour and gender.
    """

    file: str
    category: str
    family: tuple[int, ...]


class EmojiPairs(MemoryData):
    """Emoji as Google and Twitter draw them, in colour on white, each picture with its counterpart.

    3,781 pictures of each style, 1,906 of them without variants of skin colour (npm's ``emoji-datasource-google`` and
    ``-twitter``, 16.0.0). Variants of skin colour and gender lie on the same side of the split as their base, since
    they are near copies of it.

    Args:
        path: The folder that holds both packages' folders; by default where ``sparring data fetch`` unpacks them.
        side: Rows and columns of pixels; the files have 64.
        style: Whose drawings are the samples.
        condition: What a sample comes with. ``paired``: ``image``, the same emoji in the other style. ``unpaired``: in
            training, ``image`` is another emoji in the other style, drawn anew for each batch; the training emoji
            are cut into two halves, one seen in each style, so that no emoji is ever seen in both. Held-out emoji stay
            paired. ``label``: the category, one of nine. ``none``: nothing.
        flip: Whether training mirrors a random half of each batch left to right, both styles alike.
        skin_tones: Whether the variants of skin colour are among the emoji; half of all are such variants.
        held_out: The share of each category's families in the split ``test``, in [0, 1).
        seed: Which are held out, and how the halves are cut.
    """

    source: ClassVar[Source | None] = Source(
        client="npm",
        locator=PACKAGE.format(style="google"),
        version=VERSION,
        sha256="fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
        size=74_344_091,
        licence="Apache-2.0",
        credit="Noto Emoji: Google",
        further=(
            Source(
                client="npm",
                locator=PACKAGE.format(style="twitter"),
                version=VERSION,
                sha256="f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
                size=61_683_754,
                licence="CC-BY-4.0",
                credit="Twemoji: Twitter, Inc and other contributors; both collected by Cal Henderson",
            ),
        ),
    )

    def __init__(
        self,
        path: Path | None = None,
        side: int = 64,
        style: Style = "twitter",
        condition: Literal["paired", "unpaired", "label", "none"] = "paired",
        flip: bool = False,
        skin_tones: bool = True,
        held_out: float = 0.1,
        seed: int = 0,
    ) -> None:
        folders = _folders(path)
        emoji = read_index(folders[style] / INDEX, skin_tones)
        space = ImageSpace(3, side, side)
        families = sorted({(one.category, one.family) for one in emoji})
        numbers = {pair: number for number, pair in enumerate(families)}
        names = sorted({category for category, _ in families})
        family = torch.tensor([numbers[one.category, one.family] for one in emoji])
        category = torch.tensor([names.index(one) for one, _ in families])
        conditions: dict[str, tuple[Space, Tensor]] = {}
        if condition == "label":
            conditions["label"] = (LabelSpace(names), category[family])
        elif condition != "none":
            other = next(one for one in folders if one != style)
            conditions["image"] = (space, _read(folders[other] / PICTURES.format(style=other), emoji, space))
        apart = {
            split: torch.isin(family, chosen).nonzero().flatten()
            for split, chosen in hold_out_evenly(category, held_out, seed).items()
        }
        sample = _read(folders[style] / PICTURES.format(style=style), emoji, space)
        super().__init__(space, sample, conditions, held_out=apart)
        self._flip = flip
        self._others: Tensor | None = None
        if condition == "unpaired":
            seen = torch.ones(len(emoji), dtype=torch.bool)
            for rows in apart.values():
                seen[rows] = False
            self._break_pairs(family[seen], seed)

    def gather(self, indices: Tensor, *, rng: torch.Generator) -> Batch:
        batch = super().gather(indices, rng=rng)
        if self._others is not None:
            drawn = torch.randint(len(self._others), (len(indices),), generator=rng)
            condition = {"image": self._others.index_select(0, drawn.to(self._others.device))}
        else:
            condition = dict(batch.condition)
        sample = batch.sample
        if "image" in condition:
            condition["image"] = decompress(condition["image"])
        if self._flip:
            mirrored = torch.rand(len(indices), generator=rng).lt(0.5)[:, None, None, None].to(sample.device)
            sample = torch.where(mirrored, sample.flip(-1), sample)
            if "image" in condition:
                condition["image"] = torch.where(mirrored, condition["image"].flip(-1), condition["image"])
        return Batch(sample, condition)

    def decompress(self, raw: Tensor) -> Tensor:
        return decompress(raw)

    def split(self, name: str) -> Self:
        part = super().split(name)
        if name != "train":
            part._others, part._flip = None, False
        return part

    def place(self, device: torch.device) -> bool:
        placed = super().place(device)
        if placed and self._others is not None:
            self._others = self._others.to(device)
        return placed

    def _break_pairs(self, family: Tensor, seed: int) -> None:
        """Keep half of the training families as samples, and the other half as pictures of the other style.

        Args:
            family: ``(N,)`` the family of each training row.
            seed: Which choice.
        """
        known = torch.unique(family)
        half = torch.isin(family, known[hold_out(len(known), 0.5, seed)])
        self._others = self._rows.condition["image"][half]
        self._rows = self._rows.rows(~half)


def read_index(file: Path, skin_tones: bool = True) -> list[Emoji]:
    """List the emoji that both styles draw, in the order of Unicode's code points.

    Args:
        file: A package's ``emoji.json``.
        skin_tones: Whether the variants of skin colour are among them.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        found = [one for entry in entries for one in _emoji_of(entry, skin_tones)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise DataError(
            f"the list of emoji cannot be read: {type(cause).__name__}: {cause}", where=str(file), remedy=_remedy()
        ) from cause
    if not found:
        raise DataError("the list names no emoji that both styles draw", where=str(file), remedy=_remedy())
    return sorted(found, key=lambda one: one.file)


def family_of(unified: str) -> tuple[int, ...]:
    """Return what an emoji has in common with its variants of skin colour, gender and direction.

    Args:
        unified: Its code points in hexadecimal, joined by dashes: ``1F469-1F3FD-200D-1F373``, a cook.

    Returns:
        Code points: ``(0x1F9D1, 0x1F373)``, a person and a frying pan.
    """
    points = [int(point, 16) for point in unified.split("-")]
    # The signs and arrows are emoji of their own too.
    kept = [point for point in points if point not in MODIFIERS] or points
    same = tuple(part for point in kept for part in SAME.get(point, (point,)))
    if len(same) > 1 and set(same) <= {ADULT, CHILD}:
        return (FAMILY,)
    return same


def _emoji_of(entry: Mapping[str, Any], skin_tones: bool) -> list[Emoji]:
    """Return an entry of the index, and its variants if they are asked for; nothing where a style lacks it."""
    if entry["category"] == NO_PICTURES:
        return []
    family = family_of(entry["unified"])
    variants = list(entry.get("skin_variations", {}).values()) if skin_tones else []
    return [
        Emoji(str(one["image"]), str(entry["category"]), family)
        for one in (entry, *variants)
        if one["has_img_google"] and one["has_img_twitter"]
    ]


def _folders(path: Path | None) -> dict[Style, Path]:
    """Return each package's folder, whether unpacked as npm packs it or installed."""
    if path is None:
        from sparring.data.fetch import folder_of

        path = folder_of(NAME)
    found: dict[Style, Path] = {}
    styles: tuple[Style, ...] = ("google", "twitter")
    for style in styles:
        package = Path(path).expanduser() / PACKAGE.format(style=style)
        found[style] = package / "package" if (package / "package").is_dir() else package
        if not (found[style] / INDEX).is_file():
            raise DataError("the emoji are not on this machine", where=str(package), remedy=_remedy(again=False))
    return found


def _read(folder: Path, emoji: Sequence[Emoji], space: ImageSpace) -> Tensor:
    """Read the pictures of a style: ``(N, 3, side, side)`` of uint8, on white."""
    with ThreadPoolExecutor(READERS) as pool:
        try:
            return torch.stack(list(pool.map(space.encode_compact, (folder / one.file for one in emoji))))
        except DataError as error:
            error.remedy = _remedy()
            raise


def _remedy(*, again: bool = True) -> str:
    if again:
        return f"remove the folder, and run `sparring data fetch {NAME}` again"
    return f"run `sparring data fetch {NAME}`, or set `path` to the folder that holds both packages' folders"
