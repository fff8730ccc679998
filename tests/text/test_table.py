"""Text in tables: what is read, and what is refused in words, line by line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparring.errors import DataError
from sparring.spaces.label import LabelSpace
from sparring_text.data.table import Table, read_table
from tests.text.corpora import SENTENCES, everything, texts, write

MARKS = ["called" if text.endswith("!") else "said" for text in SENTENCES]


def table(path: Path, **options: Any) -> Table:
    return Table(path, **{"length": 12, "minimum_count": 1, **options})


def json_lines(path: Path, entries: list[Any]) -> Path:
    return write(path, [json.dumps(entry, ensure_ascii=False) for entry in entries])


def test_csv_and_json_lines_give_the_same_with_classes(tmp_path: Path) -> None:
    with (tmp_path / "table.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["number", "mark", "text"], *zip(range(250), MARKS, SENTENCES, strict=True)])
    entries = [{"text": text, "mark": mark} for text, mark in zip(SENTENCES, MARKS, strict=True)]
    json_lines(tmp_path / "table.jsonl", entries)
    first, second = (table(tmp_path / name, label="mark", held_out=0.2) for name in ("table.csv", "table.jsonl"))
    for data in (first, second):
        assert (len(data), len(data.split("test"))) == (200, 50)
        label = data.conditions["label"]
        assert isinstance(label, LabelSpace)
        assert label.classes == ["called", "said"]
        for part in (data, data.split("test")):
            chosen = everything(part).condition["label"].tolist()
            expected = ["called" if text.endswith("!") else "said" for text in texts(part)]
            assert [label.classes[number] for number in chosen] == expected
    assert torch.equal(everything(first).sample, everything(second).sample)
    assert not table(tmp_path / "table.csv").conditions


def test_classes_of_rows_that_do_not_fit_do_not_count(tmp_path: Path) -> None:
    entries = [{"text": text, "kind": "short"} for text in SENTENCES]
    entries += [{"text": "very " * 40, "kind": "long"}]
    data = table(json_lines(tmp_path / "t.jsonl", entries), label="kind", held_out=0.2)
    assert data.conditions["label"].options() == {"classes": ["short"]}
    assert everything(data.split("test")).condition["label"].tolist() == [0] * 50


FIELD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=6),
    mark=st.sampled_from([",", ";", "\t"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_whatever_a_csv_writer_writes_is_read(
    tmp_path: Path, rows: list[tuple[str, str]], mark: str, ending: str, bom: bool, quoting: Any
) -> None:
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
        writer = csv.writer(file, delimiter=mark, lineterminator=ending, quoting=quoting)
        writer.writerows([("label", "text"), *rows])
    assert read_table(path, "text", "label") == ([text for _, text in rows], [label for label, _ in rows])


def test_quoted_fields_may_go_over_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", ["text,label", '"one ""so""', 'two, three",a', "", "four,b"], ending="\r\n")
    assert read_table(path, "text", "label") == (['one "so"\ntwo, three', "four"], ["a", "b"])


def test_empty_rows_are_passed_over_and_odd_text_is_text(tmp_path: Path) -> None:
    entries = [{"text": text} for text in ("我爱你", "  ", "", "مرحبا", "x" * 1_000_000)]
    path = json_lines(tmp_path / "t.NDJSON", entries)
    assert read_table(path, "text", None)[0] == ["我爱你", "مرحبا", "x" * 1_000_000]
    path = write(tmp_path / "t.csv", ["text", '"' + "y" * 1_000_000 + '"', "שלום"])
    assert read_table(path, "text", None)[0] == ["y" * 1_000_000, "שלום"]
    assert csv.field_size_limit() == 131_072  # what others rely on is left as it was


def test_mistakes_say_what_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "empty.jsonl").write_bytes(b"\n\n")
    write(tmp_path / "header.csv", ["text,label"])
    write(tmp_path / "other.csv", ["sentence,label", "a,b"])
    write(tmp_path / "short.csv", ["text,label", "a,b", "c"])
    write(tmp_path / "long.csv", ["text,label", "one, two,b"])
    write(tmp_path / "open.csv", ["text,label", "a,b", '"c,d', "e,f"])
    write(tmp_path / "after.csv", ["text,label", '"a" b,c'])
    write(tmp_path / "class.csv", ["text,label", "a,b", "c,"])
    write(tmp_path / "broken.jsonl", ['{"text": "a", "label": "b"}', "", '{"text": "a", '])
    write(tmp_path / "deep.jsonl", ["[" * 100_000])
    write(tmp_path / "list.jsonl", ["[1, 2]"])
    write(tmp_path / "lacking.jsonl", ['{"text": "a", "label": "b"}', '{"txt": "a"}'])
    write(tmp_path / "number.jsonl", ['{"text": 3, "label": "b"}'])
    write(tmp_path / "null.jsonl", ['{"text": "a", "label": null}'])
    write(tmp_path / "table.txt", ["a"])
    (tmp_path / "latin.csv").write_bytes(b"text,label\r\ncaf\xe9,a\r\n")
    (tmp_path / "zero.jsonl").write_bytes(b'{"text": "a", "label": "b"}\n\x00\n')
    for name, words, line in (
        ("absent.csv", "cannot be read: No such file", None),
        ("empty.csv", "no text", None),
        ("empty.jsonl", "no text", None),
        ("header.csv", "no text", None),
        ("other.csv", "there is no 'text'", 2),
        ("short.csv", "1 fields, and the header 2", 3),
        ("long.csv", "3 fields, and the header 2", 2),
        ("open.csv", "cannot be read: unexpected end", 3),
        ("after.csv", "cannot be read: ',' expected after", 2),
        ("class.csv", "'label' names no class", 3),
        ("broken.jsonl", "no JSON", 3),
        ("deep.jsonl", "no JSON", 1),
        ("list.jsonl", "holds list, not an object", 1),
        ("lacking.jsonl", "there is no 'text'", 2),
        ("number.jsonl", "holds int, not text", 1),
        ("null.jsonl", "'label' names no class", 1),
        ("table.txt", "ends in '.txt' is no table", None),
        ("latin.csv", "not UTF-8: byte 0xe9", 2),
        ("zero.jsonl", "zero byte", 2),
    ):
        with pytest.raises(DataError, match=words) as caught:
            table(tmp_path / name, label="label")
        assert caught.value.where == str(tmp_path / name) + (f", line {line}" if line else ""), name
        assert caught.value.remedy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".tsv", ".jsonl"]))
def test_any_bytes_are_read_or_refused_in_words(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"bytes{suffix}"
    path.write_bytes(b"text\n" + content if suffix != ".jsonl" else content)
    errors = []
    try:
        read_table(path, "text", None)
    except DataError as error:
        errors.append(error)
    assert all(error.remedy and str(path) in error.where for error in errors)
