"""Emoji pairs: what belongs together, what is held out, and that broken pairs are never seen as pairs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from sparring.errors import DataError
from sparring.interfaces.data import Batch, Data
from sparring_image.emoji import EmojiPairs, family_of, read_index
from tests.image.files import write_emoji

torch.set_num_threads(1)

FAMILIES = [
    ("a cook of any gender and skin", ["1F9D1-200D-1F373", "1F469-200D-1F373", "1F468-1F3FD-200D-1F373"]),
    ("a runner to either side", ["1F3C3", "1F3C3-200D-2640-FE0F", "1F3C3-200D-2642-FE0F-200D-27A1-FE0F"]),
    ("families", ["1F46A", "1F468-200D-1F469-200D-1F466", "1F9D1-200D-1F9D2"]),
    ("couples", ["1F491", "1F469-200D-2764-FE0F-200D-1F468", "1F468-200D-2764-FE0F-200D-1F468"]),
    ("hands", ["1F46B", "1F9D1-200D-1F91D-200D-1F9D1"]),
    ("christmas", ["1F385", "1F936", "1F9D1-200D-1F384"]),
    ("elders", ["1F474", "1F475", "1F9D3"]),
]
STRANGERS = ["1F9D1", "1F9D2", "2640-FE0F", "2642-FE0F", "27A1-FE0F", "1F373", "1F49F", "1F3C3", "1F9D1-200D-1F33E"]
SPLITS = [0.1, 0.3, 0.5]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_emoji(tmp_path_factory.mktemp("emoji"))


def everything(data: Data) -> Batch:
    return data.gather(torch.arange(len(data)), rng=torch.Generator().manual_seed(0))


def numbers(pictures: torch.Tensor) -> list[int]:
    """Read back which emoji each picture shows: the made-up files have their number as red in their middle."""
    return [int(red) for red in ((pictures[:, 0, 4, 4] + 1) * 127.5).round()]


def styles(pictures: torch.Tensor) -> set[int]:
    """Read back the style, which the made-up files have as green in their middle."""
    return {int(green) for green in ((pictures[:, 1, 4, 4] + 1) * 127.5).round()}


def test_the_lists_are_not_empty() -> None:
    assert len(FAMILIES) > 5
    assert len(STRANGERS) > 5
    assert len(SPLITS) > 2


@pytest.mark.parametrize(("name", "members"), FAMILIES)
def test_variants_are_of_one_family(name: str, members: list[str]) -> None:
    assert len({family_of(member) for member in members}) == 1, name


def test_others_are_not() -> None:
    assert len({family_of(one) for one in STRANGERS}) == len(STRANGERS)


def test_the_index_lists_variants_where_they_are_wanted(folder: Path) -> None:
    index = folder / "emoji-datasource-google" / "package" / "emoji.json"
    every, bases = read_index(index), read_index(index, skin_tones=False)
    assert len(every) == len(bases) + 10  # two emoji of the made-up list have five variants each
    assert {one.category for one in every} == {"Animals", "People"}
    assert "lost.png" not in {one.file for one in every}  # one style lacks it
    assert len({one.family for one in every if one.category == "People"}) == 4


def test_pairs_are_of_one_emoji(folder: Path) -> None:
    data = EmojiPairs(folder, side=8)
    for part in (data, data.split("test")):
        batch = everything(part)
        assert numbers(batch.sample) == numbers(batch.condition["image"])
        assert styles(batch.sample) == {200}
        assert styles(batch.condition["image"]) == {100}
        assert batch.sample.shape == batch.condition["image"].shape == (len(part), 3, 8, 8)
        assert batch.sample.min() >= -1
        assert batch.sample.max() <= 1


def test_the_style_turns_the_pairs_round(folder: Path) -> None:
    there, back = everything(EmojiPairs(folder, side=8)), everything(EmojiPairs(folder, side=8, style="google"))
    assert torch.equal(there.sample, back.condition["image"])
    assert torch.equal(there.condition["image"], back.sample)


def test_transparent_pixels_are_white(folder: Path) -> None:
    corner = everything(EmojiPairs(folder, side=64)).sample[:, :, 0, 0]
    assert torch.equal(corner, torch.ones_like(corner))


@pytest.mark.parametrize("held_out", SPLITS)
@pytest.mark.parametrize("condition", ["paired", "unpaired", "label", "none"])
def test_families_are_held_out_as_a_whole(folder: Path, held_out: float, condition: str) -> None:
    data = EmojiPairs(folder, side=8, condition=condition, held_out=held_out)  # type: ignore[arg-type]
    emoji = read_index(folder / "emoji-datasource-google" / "package" / "emoji.json")
    families = {int(one.file[:-4]): one.family for one in emoji}
    test = everything(data.split("test"))
    training = everything(data)
    unseen = {families[number] for number in numbers(test.sample)}
    seen = {families[number] for number in numbers(training.sample)}
    if condition == "unpaired":
        pictures = torch.cat([data.gather(torch.arange(len(data)), rng=rng).condition["image"] for rng in generators()])
        seen |= {families[number] for number in numbers(pictures)}
    assert not unseen & seen
    assert unseen
    if condition != "unpaired":
        assert len(test) + len(training) == len(emoji)


def test_broken_pairs_are_never_seen_as_pairs(folder: Path) -> None:
    data = EmojiPairs(folder, side=8, condition="unpaired")
    seen: set[int] = set()
    given: set[int] = set()
    for rng in generators():
        batch = data.gather(torch.arange(len(data)), rng=rng)
        seen |= set(numbers(batch.sample))
        given |= set(numbers(batch.condition["image"]))
        assert styles(batch.sample) == {200}
        assert styles(batch.condition["image"]) == {100}
    assert len(given) > 3
    assert not seen & given  # no emoji is known in both styles
    whole = EmojiPairs(folder, side=8)
    assert seen | given <= set(numbers(everything(whole).sample))
    test = everything(data.split("test"))
    assert numbers(test.sample) == numbers(test.condition["image"])


def test_another_draw_gives_other_companions_and_the_same_samples(folder: Path) -> None:
    data = EmojiPairs(folder, side=8, condition="unpaired")
    first, second = (data.gather(torch.arange(len(data)), rng=rng) for rng in generators(2))
    assert torch.equal(first.sample, second.sample)
    assert not torch.equal(first.condition["image"], second.condition["image"])


def test_training_mirrors_both_pictures_of_a_pair_alike(folder: Path) -> None:
    """The made-up pictures are even, so one pixel is marked in each."""
    data = EmojiPairs(folder, side=8, flip=True, held_out=0)
    data._rows.sample[..., 0], data._rows.condition["image"][..., 0] = 7, 7
    batch = everything(data)
    left, right = batch.sample[:, 0, 0, 0], batch.sample[:, 0, 0, -1]
    mirrored = right == right.min()
    assert 0.2 < mirrored.float().mean() < 0.8
    assert torch.equal(mirrored, left != left.min())
    assert torch.equal(mirrored, batch.condition["image"][:, 0, 0, -1] == right.min())
    whole, plain = EmojiPairs(folder, side=8, flip=True), EmojiPairs(folder, side=8)
    assert torch.equal(everything(whole.split("test")).sample, everything(plain.split("test")).sample)


def test_labels_are_categories(folder: Path) -> None:
    data = EmojiPairs(folder, side=8, condition="label")
    batch = everything(data)
    assert data.conditions["label"].decode(torch.tensor(1)) == "People"
    people = {int(one.file[:-4]) for one in read_index(folder / "emoji-datasource-google/package/emoji.json")}
    assert people >= set(numbers(batch.sample))
    assert batch.condition["label"].tolist() == [int(number >= 100) for number in numbers(batch.sample)]
    assert EmojiPairs(folder, side=8, condition="none").conditions == {}


def test_an_installed_package_does_too(folder: Path, tmp_path: Path) -> None:
    """npm unpacks into ``package``; installed, a package's files lie in its folder."""
    for style in ("google", "twitter"):
        (tmp_path / f"emoji-datasource-{style}").symlink_to(folder / f"emoji-datasource-{style}" / "package")
    assert len(EmojiPairs(tmp_path, side=8)) == len(EmojiPairs(folder, side=8))


def test_what_is_missing_or_damaged_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not on this machine") as caught:
        EmojiPairs(tmp_path)
    assert "sparring data fetch image/emoji-pairs" in caught.value.remedy
    folder = write_emoji(tmp_path)
    picture = folder / "emoji-datasource-twitter" / "package" / "img" / "twitter" / "64" / "1.png"
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(DataError, match="cannot be read") as caught:
        EmojiPairs(folder)
    assert str(picture) in caught.value.where
    assert "again" in caught.value.remedy
    index = folder / "emoji-datasource-twitter" / "package" / "emoji.json"
    for text in ("[", "[{}]", '{"a": 1}', "[]"):
        index.write_text(text)
        with pytest.raises(DataError, match="list") as caught:
            EmojiPairs(folder)
        assert str(index) in caught.value.where


def test_both_packages_are_fetched_with_their_own_licence() -> None:
    source = EmojiPairs.source
    assert source is not None
    assert [one.licence for one in source.downloads] == ["Apache-2.0", "CC-BY-4.0"]
    assert [one.locator for one in source.downloads] == ["emoji-datasource-google", "emoji-datasource-twitter"]
    assert all(len(one.sha256) == 64 and one.credit and one.version == "16.0.0" for one in source.downloads)


def generators(count: int = 20) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def test_the_made_up_files_are_what_the_tests_take_them_for(folder: Path) -> None:
    entries = json.loads((folder / "emoji-datasource-google" / "package" / "emoji.json").read_text())
    assert len(entries) > 20
    with Image.open(folder / "emoji-datasource-google" / "package" / "img" / "google" / "64" / "3.png") as picture:
        assert picture.mode == "RGBA"
        assert picture.getpixel((32, 32)) == (3, 100, 0, 255)
