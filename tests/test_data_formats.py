"""The same table in every format that is read gives the same samples; what is not in JSON is decided here."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from factories import make_task
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from evalkit.core.errors import DataError, PromptError
from evalkit.tasks.data import read_rows
from evalkit.tasks.task import Task

Table = list[dict[str, Any]]
BIG = 2**53 + 1
"""The first whole number that a float does not hold."""
COLUMNS = {
    "question": pa.string(),
    "answer": pa.string(),
    "number": pa.int64(),
    "sure": pa.bool_(),
    "weight": pa.float64(),
    "several": pa.list_(pa.string()),
    "part": pa.struct({"text": pa.string(), "places": pa.list_(pa.int64())}),
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
ROWS = st.fixed_dictionaries(
    {
        "question": TEXTS,
        "answer": st.none() | TEXTS,
        "number": st.none() | NUMBERS,
        "sure": st.none() | st.booleans(),
        "weight": st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
        "several": st.none() | st.lists(st.none() | TEXTS, max_size=3),
        "part": st.none()
        | st.fixed_dictionaries(
            {"text": st.none() | TEXTS, "places": st.lists(st.none() | NUMBERS, max_size=2)}
        ),
    }
)


def write_jsonl(path: Path, rows: Table) -> None:
    """One object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_json(path: Path, rows: Table) -> None:
    """One list."""
    path.write_text(json.dumps(rows), encoding="utf-8")


def write_parquet(path: Path, rows: Table) -> None:
    """With Arrow's own types."""
    arrays = [pa.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()]
    parquet.write_table(pa.Table.from_arrays(arrays, names=list(COLUMNS)), path)


def write_delimited(path: Path, rows: Table) -> None:
    """Text as a person would type it: nothing for null."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(COLUMNS)
        writer.writerows([typed(row[name]) for name in COLUMNS] for row in rows)


def typed(value: Any) -> str:
    """A value in a cell."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


WRITERS: Mapping[str, Callable[[Path, Table], None]] = {
    "jsonl": write_jsonl,
    "json": write_json,
    "parquet": write_parquet,
    "csv": write_delimited,
    "tsv": write_delimited,
}


FORMATS = [*WRITERS, *(f"{name}.gz" for name in WRITERS)]
DELIMITED = ("csv", "tsv")


def write(folder: Path, suffix: str, rows: Table) -> Path:
    """The table in this format."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = folder / f"table.{suffix.removesuffix('.gz')}"
    WRITERS[suffix.removesuffix(".gz")](plain, rows)
    if not suffix.endswith(".gz"):
        return plain
    packed = folder / f"table.{suffix}"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    return packed


def task_of(folder: Path, target: str, **data: Any) -> Task:
    """A task on these data."""
    return make_task(
        folder, data=data, target=target, prompts={"p": "{{ question }}|{{ answer }}|{{ number }}"}
    )


def seen(task: Task) -> list[tuple[tuple[str, ...], str]]:
    """(target, prompt) of each sample."""
    variant = task.variant("p")
    return [(sample.target, variant.question(sample)) for sample in task.samples()]


def hub_task(folder: Path, rows: Table, target: str, monkeypatch: pytest.MonkeyPatch) -> Task:
    """The task on the table as the hub's library holds it."""
    import datasets

    arrays = [pa.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()]
    table = datasets.Dataset(pa.Table.from_arrays(arrays, names=list(COLUMNS)))
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: table)
    return task_of(folder, target, hub="owner/table", split="test")


@settings(max_examples=12, deadline=None)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=4),
    target=st.sampled_from(["answer", "number", "sure"]),
    packed=st.booleans(),
)
def test_the_format_of_a_table_does_not_show(
    tmp_path_factory: pytest.TempPathFactory, rows: Table, target: str, packed: bool
) -> None:
    """Rows are equal in all formats with types and on the hub; targets and prompts in all formats."""
    folder = tmp_path_factory.mktemp("formats")
    shown = ("question", "answer", "number")
    wanted = [((typed(row[target]),), "|".join(typed(row[name]) for name in shown)) for row in rows]
    for suffix in WRITERS:
        file = write(folder, f"{suffix}.gz" if packed else suffix, rows)
        assert suffix in DELIMITED or list(read_rows(file)) == rows, suffix
        assert seen(task_of(folder / "task", target, file=str(file))) == wanted, suffix
    with pytest.MonkeyPatch.context() as patch:
        task = hub_task(folder / "hub", rows, target, patch)
        assert [dict(row) for row in task.source.rows()] == rows
        assert seen(task) == wanted


ROW = dict.fromkeys(COLUMNS) | {"question": "?"}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_long_whole_number_beside_a_gap_stays_exact(tmp_path: Path, suffix: str) -> None:
    """2**53 + 1 is no 2**53, a null is empty and no `nan`, and a whole number gets no point."""
    rows = [ROW | {"number": BIG}, ROW | {"number": None}, ROW | {"number": 1}]
    task = task_of(tmp_path / "task", "number", file=str(write(tmp_path, suffix, rows)))
    assert seen(task) == [((str(BIG),), f"?||{BIG}"), (("",), "?||"), (("1",), "?||1")]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
@pytest.mark.parametrize("target", ["part", '{{ part["places"] }}', "several", "weight"])
def test_targets_that_are_none_are_refused_with_their_place(tmp_path: Path, suffix: str, target: str) -> None:
    """An object, a list with a gap, NaN: file, row and column are named."""
    bad = {"several": ["a", None], "part": {"text": "x", "places": [1, None]}, "weight": math.nan}
    file = write(tmp_path, suffix, [ROW | bad])
    with pytest.raises(DataError, match=r"table\.\w+, (row|line) 1: target .*(part|several|weight)"):
        seen(task_of(tmp_path / "task", target, file=str(file)))


ARROW = {
    "decimal": (pa.decimal128(6, 2), decimal.Decimal("1.10"), "1.10"),
    "date": (pa.date32(), datetime.date(2024, 1, 31), "2024-01-31"),
    "time": (pa.time64("us"), datetime.time(9, 5), "09:05:00"),
    "stamp": (pa.timestamp("ms"), datetime.datetime(2024, 1, 31, 9, 5), "2024-01-31T09:05:00"),
    "zoned": (
        pa.timestamp("us", "Asia/Shanghai"),
        datetime.datetime(2024, 1, 31, 1, tzinfo=datetime.UTC),
        "2024-01-31T09:00:00+08:00",
    ),
    "nanoseconds": (pa.timestamp("ns"), 1, "1970-01-01T00:00:00.000000001"),
    "map": (pa.map_(pa.string(), pa.int64()), [("a", 1), ("b", None)], {"a": 1, "b": None}),
    "numbered map": (pa.map_(pa.int64(), pa.string()), [(1, "a")], [[1, "a"]]),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), "word", "word"),
    "unsigned": (pa.uint64(), 2**64 - 1, 2**64 - 1),
    "bytes": (pa.binary(), b"\xff", b"\xff"),
    "nothing": (pa.null(), None, None),
    "dates": (pa.list_(pa.date32()), [datetime.date(2024, 1, 31), None], ["2024-01-31", None]),
}
"""What parquet has beyond JSON -> type, value, what the row holds."""


@pytest.mark.parametrize("name", ARROW)
def test_types_beyond_json_are_texts_with_all_their_digits(tmp_path: Path, name: str) -> None:
    """Decimals keep their zeros, times are ISO 8601, maps are objects; bytes stay bytes."""
    kind, value, expected = ARROW[name]
    parquet.write_table(pa.table({"x": pa.array([value, None], kind)}), tmp_path / "x.parquet")
    assert list(read_rows(tmp_path / "x.parquet")) == [{"x": expected}, {"x": None}]


def test_bytes_are_neither_target_nor_prompt(tmp_path: Path) -> None:
    """They are refused with the cure, since their text is anybody's guess."""
    table = pa.table({"question": ["?"], "answer": [b"yes"]})
    parquet.write_table(table, tmp_path / "x.parquet")
    task = make_task(tmp_path / "a", data={"file": str(tmp_path / "x.parquet")})
    with pytest.raises(DataError, match=r"x\.parquet, row 1: target answer: bytes are no text; decode them"):
        list(task.samples())
    shown = make_task(tmp_path / "b", prompts={"p": "{{ blob }}"})
    sample = next(shown.samples())
    with pytest.raises(PromptError, match="bytes cannot stand in a prompt"):
        shown.variant("p").question(replace(sample, fields={"blob": b"x"}))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_does_not_stand_in_a_prompt(tmp_path: Path, value: float) -> None:
    """JSON's NaN would be the word nan there; a column that no prompt uses may hold it."""
    task = make_task(
        tmp_path, [{"question": "?", "answer": "x", "note": value}], prompts={"p": "{{ note }}", "q": "?"}
    )
    sample = next(task.samples())
    with pytest.raises(PromptError, match="cannot stand in a prompt"):
        task.variant("p").question(sample)
    assert task.variant("q").question(sample) == "?"


def test_a_column_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    """Arrow keeps the last of them in silence."""
    parquet.write_table(
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "x.parquet"
    )
    with pytest.raises(DataError, match="column 'a' stands twice"):
        list(read_rows(tmp_path / "x.parquet"))


@pytest.mark.parametrize("column", ["id", "cluster"])
def test_an_empty_cell_is_no_id_and_no_cluster(tmp_path: Path, column: str) -> None:
    """As null in JSON: such samples are neither doubles nor one cluster."""
    (tmp_path / "x.csv").write_text(f"question,answer,{column}\na,1,\nb,2,\n")
    task = make_task(tmp_path / "t", data={"file": str(tmp_path / "x.csv")}, **{column: column})
    first, second = task.samples()
    assert first.id != second.id
    assert (first.cluster, second.cluster) == (None, None)
