"""Reading data: every format gives the same rows, and every fault names file and line."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import DataError
from evalkit.tasks.data import data_format, file_digest, read_rows

ROWS = [{"id": "1", "text": 'Hello, "world"\nnew line\ttab'}, {"id": "2", "text": "你好，世界 😀"}]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def write_delimited(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pandas

    pandas.DataFrame(rows).to_parquet(path)


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "data.jsonl": write_jsonl,
    "data.json": write_json,
    "data.csv": write_delimited,
    "data.tsv": write_delimited,
    "data.parquet": write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    """The format of the file does not show in the rows."""
    WRITERS[name](tmp_path / name, ROWS)
    assert list(read_rows(tmp_path / name)) == ROWS


@pytest.mark.parametrize("name", [name for name in WRITERS if not name.endswith("parquet")])
def test_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    """A final .gz is unpacked on the way."""
    WRITERS[name](tmp_path / name, ROWS)
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress((tmp_path / name).read_bytes(), mtime=0))
    assert list(read_rows(packed)) == ROWS


@pytest.mark.parametrize("name", ["data.jsonl", "data.json", "data.csv", "data.tsv"])
def test_byte_order_mark_is_no_content(tmp_path: Path, name: str) -> None:
    """A BOM, as Windows programs write it, belongs to no column and no value."""
    WRITERS[name](tmp_path / name, ROWS)
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + (tmp_path / name).read_bytes())
    assert list(read_rows(tmp_path / name)) == ROWS


def test_json_object_with_data_is_read(tmp_path: Path) -> None:
    """The list may stand under "data", beside a version and the like."""
    (tmp_path / "d.json").write_text(json.dumps({"version": 1, "data": ROWS}))
    assert list(read_rows(tmp_path / "d.json")) == ROWS


def test_suffix_decides_whatever_its_case(tmp_path: Path) -> None:
    """DATA.JSONL.GZ is jsonl."""
    assert data_format(Path("DATA.v1.JSONL.GZ")) == "jsonl"
    with pytest.raises(DataError, match=r"notes\.txt: format 'txt' is not known; use jsonl, json, csv"):
        data_format(Path("notes.txt"))
    with pytest.raises(DataError, match=r"'without suffix'"):
        data_format(Path("notes"))


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    """A slip in the name is answered with the file that is there."""
    write_jsonl(tmp_path / "samples.jsonl", ROWS)
    with pytest.raises(DataError, match=r"sample\.jsonl does not exist\. Did you mean 'samples\.jsonl'"):
        list(read_rows(tmp_path / "sample.jsonl"))
    with pytest.raises(DataError, match=r"does not exist"):
        list(read_rows(tmp_path / "nowhere/sample.jsonl"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.jsonl", b""),
        ("e.jsonl", b"\n  \n"),
        ("e.json", b"[]"),
        ("e.json", b'{"data": []}'),
        ("e.csv", b""),
        ("e.csv", b"a,b\n"),
        ("e.tsv", b"a\tb\n\n"),
    ],
)
def test_file_without_rows_is_an_error(tmp_path: Path, name: str, content: bytes) -> None:
    """Zero samples are an error, never a green run."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} holds no rows"):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b'{"a": 1}\n{"a": \n{"a": 3}\n', r"x\.jsonl, line 2: not valid JSON"),
        ("x.jsonl", b'{"a": 1}\n\n\n[1]\n', r"x\.jsonl, line 4: expected an object .* got list"),
        ("x.jsonl", b'{"a": 1}\n"text"\n', r"x\.jsonl, line 2: expected an object .* got str"),
        ("x.jsonl", b'{"a": "\xff"}\n', r"x\.jsonl, line 1: not valid JSON"),
        ("x.jsonl", b"[" * 100_000, r"x\.jsonl, line 1: not valid JSON"),
        ("x.json", b"", r"x\.json: not valid JSON"),
        ("x.json", b"{}", r'x\.json: expected a list of objects, or .* "data"'),
        ("x.json", b'{"data": 1}', r"x\.json: expected a list of objects"),
        ("x.json", b'[{"a": 1}, 2]', r"x\.json, row 2: expected an object .* got int"),
        ("x.csv", b"a,b\n1,2\n1,2,3\n", r"x\.csv, line 3: 2 columns in the head"),
        ("x.csv", b"a,b\n1\n", r"x\.csv, line 2: 2 columns in the head"),
        ("x.csv", b'a,b\n1,"open\n', r"x\.csv, line 2: unexpected end of data"),
        ("x.csv", b'a,b\n"1"2,3\n', r"x\.csv, line 2: "),
        ("x.csv", b"a,b\n1,2\n1,\xff\n", r"x\.csv, line 3: .*utf-8"),
        ("x.csv", b"a,b,a\n1,2,3\n", r"x\.csv, line 1: column 'a' stands twice"),
        ("x.tsv", b"a\tb\n1,2\n", r"x\.tsv, line 2: 2 columns in the head"),
        ("x.parquet", b"PAR1 not really", r"x\.parquet: not readable as parquet"),
        ("x.jsonl.gz", b"not gzip", r"x\.jsonl\.gz cannot be read: Not a gzipped file"),
        ("x.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99, mtime=0)[:-12], r"x\.jsonl\.gz cannot be read: "),
        ("x.csv.gz", gzip.compress(b"a,b\n" + bytes(range(99)), mtime=0)[:20] + b"\0" * 99, r"x\.csv\.gz.*"),
    ],
)
def test_every_fault_names_file_and_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """A malformed file is a DataError that says where to look, in one line."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        list(read_rows(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_line_of_a_csv_is_that_of_an_editor(tmp_path: Path) -> None:
    """Cells of several lines do not shift the line that an error names."""
    (tmp_path / "x.csv").write_text('a,b\n"one\ntwo",2\nragged\n')
    with pytest.raises(DataError, match=r"line 4: 2 columns"):
        list(read_rows(tmp_path / "x.csv"))


def test_rows_before_a_fault_are_given(tmp_path: Path) -> None:
    """Rows come one at a time: a run with --limit never meets a fault further down."""
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n{"a": 2}\nbroken\n')
    rows = read_rows(tmp_path / "x.jsonl")
    assert [next(rows), next(rows)] == [{"a": 1}, {"a": 2}]


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    """Half a character, as careless programs write it, becomes U+FFFD or is joined to its other half."""
    (tmp_path / "x.jsonl").write_text('{"a\\ud800": ["x\\udc00", "\\ud83d\\ude00", {"b": "\\ud83d"}]}\n')
    (row,) = read_rows(tmp_path / "x.jsonl")
    assert row == {"a\ufffd": ["x\ufffd", "😀", {"b": "\ufffd"}]}


def test_nan_and_infinity_are_read(tmp_path: Path) -> None:
    """Python's json writes NaN; a column that no prompt uses may hold it."""
    (tmp_path / "x.jsonl").write_text('{"a": NaN, "b": -Infinity, "c": "kept"}\n')
    (row,) = read_rows(tmp_path / "x.jsonl")
    assert math.isnan(row["a"])
    assert (row["b"], row["c"]) == (-math.inf, "kept")


@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_huge_integers_stay_exact(tmp_path: Path, name: str) -> None:
    """An answer of thirty digits is not rounded: beyond 64 bits it is kept as its digits."""
    huge = 123456789012345678901234567890
    WRITERS["data." + name[2:]](tmp_path / name, [{"a": huge, "b": [-huge, 2**64 - 1, -(2**63), 1.5]}])
    (row,) = read_rows(tmp_path / name)
    assert row == {"a": str(huge), "b": [str(-huge), 2**64 - 1, -(2**63), 1.5]}


def test_long_cells_of_a_csv_are_read(tmp_path: Path) -> None:
    """A document of a megabyte fits into a cell."""
    WRITERS["data.csv"](tmp_path / "x.csv", [{"text": "long " * 200_000}])
    assert list(read_rows(tmp_path / "x.csv")) == [{"text": "long " * 200_000}]


def test_parquet_gives_plain_values(tmp_path: Path) -> None:
    """Arrays of a parquet file become lists and its numbers Python's own."""
    rows = [{"choices": ["a", "b"], "n": 1, "x": 0.5, "flag": True}]
    write_parquet(tmp_path / "x.parquet", rows)
    (row,) = read_rows(tmp_path / "x.parquet")
    assert row == rows[0]
    assert [type(value) for value in row.values()] == [list, int, float, bool]


def test_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    """The revision of local data changes with any byte; a missing file is a DataError."""
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a").startswith("ba7816bf8f01cfea")
    with pytest.raises(DataError, match=r"cannot be read: No such file"):
        file_digest(tmp_path / "b")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, width=32)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), min_size=1, max_size=4), ascii=st.booleans())
def test_any_json_rows_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], ascii: bool
) -> None:
    """Whatever Python's json writes is read as it was."""
    path = tmp_path_factory.getbasetemp() / "property.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows), encoding="utf-8")
    assert list(read_rows(path)) == rows


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=60)
    | st.text(st.sampled_from('{}[]",:\n\t1aé\\u\ufeff'), max_size=40).map(str.encode),
    name=st.sampled_from(["f.jsonl", "f.json", "f.csv", "f.tsv", "f.jsonl.gz", "f.csv.gz"]),
)
def test_any_bytes_give_rows_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    """No file makes the reader fail otherwise than with a DataError that names it."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    rows = []
    problem = ""
    try:
        rows = list(read_rows(path))
    except DataError as error:
        problem = str(error)
    assert name in problem or (rows and all(isinstance(row, dict) for row in rows))
