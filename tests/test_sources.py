"""Rows of a task: folders, globs, splits, filters, hooks, and a folder of data in place of the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evalkit.core.errors import DataError
from evalkit.tasks.schema import DataSpec
from evalkit.tasks.sources import Hooks, Source


def write(path: Path, *questions: str, **columns: Any) -> None:
    """Write one row per question as jsonl."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"question": q, **columns}) + "\n" for q in questions))


def source(folder: Path, spec: Mapping[str, Any], **options: Any) -> Source:
    """The source of a task in `folder`."""
    return Source(DataSpec(**spec), options.pop("where", {}), folder, **options)


def questions(data: Source, split: str | None = None) -> list[str]:
    """The questions of all rows."""
    return [row["question"] for row in data.rows(split)]


@pytest.mark.parametrize(
    "layout",
    ["law/test.jsonl", "test/law.jsonl", "law_test.jsonl", "test_law.jsonl", "test.jsonl", "law.jsonl"],
)
def test_split_of_a_folder_is_found(tmp_path: Path, layout: str) -> None:
    """A folder's usual layouts of configuration and split are all understood."""
    write(tmp_path / "data" / layout, "q")
    assert questions(source(tmp_path, {"file": "data", "config": "law", "split": "test"})) == ["q"]


def test_shards_are_read_in_order(tmp_path: Path) -> None:
    """Files such as test-00000-of-00002 belong together."""
    write(tmp_path / "data" / "test-00001.jsonl", "b")
    write(tmp_path / "data" / "test-00000.jsonl", "a")
    assert questions(source(tmp_path, {"file": "data", "split": "test"})) == ["a", "b"]


def test_glob_and_list_of_files(tmp_path: Path) -> None:
    """A glob is sorted; a list keeps its order."""
    write(tmp_path / "b.jsonl", "b")
    write(tmp_path / "a.jsonl", "a")
    assert questions(source(tmp_path, {"file": "*.jsonl"})) == ["a", "b"]
    assert questions(source(tmp_path, {"file": ["b.jsonl", "a.jsonl"]})) == ["b", "a"]


def test_folder_without_the_split_is_an_error(tmp_path: Path) -> None:
    """The error names the folder and what it looked for, and never takes another split."""
    write(tmp_path / "data" / "train.jsonl", "q")
    with pytest.raises(DataError, match=r"data has no test\.\*"):
        questions(source(tmp_path, {"file": "data", "split": "test"}))


def test_where_keeps_rows(tmp_path: Path) -> None:
    """A value, or any of several values; nothing left is an error, and so is an unknown column."""
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"question": s, "subject": s}) + "\n" for s in "abc"))
    assert questions(source(tmp_path, {"file": "a.jsonl"}, where={"subject": "b"})) == ["b"]
    assert questions(source(tmp_path, {"file": "a.jsonl"}, where={"subject": ["c", "a"]})) == ["a", "c"]
    with pytest.raises(DataError, match="none of its 3 rows"):
        questions(source(tmp_path, {"file": "a.jsonl"}, where={"subject": "z"}))
    with pytest.raises(DataError, match="'topic'"):
        questions(source(tmp_path, {"file": "a.jsonl"}, where={"topic": "a"}))


def test_map_row_changes_and_drops(tmp_path: Path) -> None:
    """map_row gives the task's columns; None drops a row; an error names the row."""
    write(tmp_path / "a.jsonl", "a", "b")

    def keep(row: dict[str, Any]) -> dict[str, Any] | None:
        return {"question": row["question"].upper()} if row["question"] == "b" else None

    assert questions(source(tmp_path, {"file": "a.jsonl"}, hooks=Hooks(map_row=keep))) == ["B"]

    def fail(row: dict[str, Any]) -> dict[str, Any]:
        return {"question": row["answer"]}

    with pytest.raises(DataError, match=r"row 1 .* KeyError"):
        questions(source(tmp_path, {"file": "a.jsonl"}, hooks=Hooks(map_row=fail)))


@pytest.mark.parametrize(
    "place", ["sums/test.jsonl", "owner/sums/test.jsonl", "owner__sums/test.jsonl", "sums.jsonl"]
)
def test_folder_of_data_replaces_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """$EVALKIT_DATA may hold the data under the task's name or the hub's."""
    write(tmp_path / "store" / place, "q")
    monkeypatch.setenv("EVALKIT_DATA", str(tmp_path / "store"))
    data = source(tmp_path, {"hub": "owner/sums", "split": "test"}, names=("sums", "owner/sums"))
    assert questions(data) == ["q"]
    assert data.revision.startswith("sha256:")


def test_single_file_has_no_second_split(tmp_path: Path) -> None:
    """Worked examples never come from the file with the samples themselves."""
    write(tmp_path / "a.jsonl", "q")
    assert not source(tmp_path, {"file": "a.jsonl"}).has_split("train")
    write(tmp_path / "data" / "train.jsonl", "q")
    assert source(tmp_path, {"file": "data"}).has_split("train")


def test_hook_reads_the_file_of_the_split(tmp_path: Path) -> None:
    """load_samples is handed the split's own file of a folder, and the folder where there is none."""
    write(tmp_path / "data" / "test.jsonl", "t")
    write(tmp_path / "data" / "train.jsonl", "a")
    seen: list[str] = []

    def load(path: Path) -> list[dict[str, str]]:
        seen.append(path.name)
        return [{"question": path.name}]

    data = source(tmp_path, {"file": "data", "split": "test"}, hooks=Hooks(load_samples=load))
    assert questions(data) + questions(data, "train") + questions(data, "other") == seen
    assert seen == ["test.jsonl", "train.jsonl", "data"]
    assert data.revision.startswith("sha256:")
