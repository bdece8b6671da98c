"""Reading the rows of a task's data: jsonl, json, csv, tsv, parquet (also .gz), local files only.

A row is a plain dict of JSON values, the same from whatever format holds it: null is None, integers are
exact, lists stay lists. Lone surrogates are replaced, so that every text can be written again. What other
formats have beyond JSON: decimals, dates and times are their text; bytes stay bytes, neither target nor
prompt. Time and memory grow with the file: lines and cells are bounded, also in what a .gz unpacks to.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError, did_you_mean
from evalkit.core.form import AS_IT_IS, DataFile, Form, check_content
from evalkit.tasks.data.arrow import plain_row, read_parquet
from evalkit.tasks.data.delimited import read_csv, read_tsv
from evalkit.tasks.data.objects import read_json, read_jsonl

__all__ = [
    "AS_IT_IS",
    "FORMATS",
    "DataFile",
    "Form",
    "data_format",
    "file_digest",
    "plain_row",
    "read_places",
    "read_rows",
]

_READERS: Mapping[str, Callable[[Path, Form], Iterator[tuple[str, dict[str, Any]]]]] = {
    "jsonl": read_jsonl,
    "json": read_json,
    "csv": read_csv,
    "tsv": read_tsv,
    "parquet": read_parquet,
}
FORMATS = tuple(_READERS)


def data_format(path: Path) -> str:
    """The format of a data file by its suffix (a final .gz ignored). Raises DataError."""
    suffixes = [suffix.lower().lstrip(".") for suffix in path.suffixes]
    if suffixes and suffixes[-1] == "gz":
        suffixes.pop()
    name = suffixes[-1] if suffixes else ""
    if name not in FORMATS:
        raise DataError(f"{path}: format {name or 'without suffix'!r} is not known; use {', '.join(FORMATS)}")
    return name


def read_places(path: Path, form: Form = AS_IT_IS) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and line, row) of a data file, one at a time. Raises DataError that names the file and the line.

    The place is a line where the format has lines, else a row, from 1.
    """
    kind = data_format(path)
    if not path.is_file():
        near = (
            did_you_mean(path.name, [p.name for p in path.parent.glob("*")]) if path.parent.is_dir() else ""
        )
        raise DataError(f"data file {path} does not exist.{near}")
    form.check(kind, path)
    empty = True
    try:
        check_content(path)
        for found in _READERS[kind](path, form):
            empty = False
            yield found
    except (OSError, EOFError, zlib.error) as error:  # the last two: a damaged .gz
        raise DataError(f"{path} cannot be read: {error}") from error
    if empty:
        why = "" if path.stat().st_size else " (it has 0 bytes: was it copied or downloaded to its end?)"
        raise DataError(f"{path} holds no rows; a task needs at least one sample{why}")


def read_rows(path: Path, form: Form = AS_IT_IS) -> Iterator[dict[str, Any]]:
    """The rows of a data file, one at a time. Raises DataError that names the file and the line."""
    for _, row in read_places(path, form):
        yield row


def file_digest(path: Path) -> str:
    """The SHA-256 of the file's bytes, in hexadecimal. Raises DataError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"data file {path} cannot be read: {error.strerror or error}") from error
