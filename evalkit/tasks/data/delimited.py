"""Rows of csv and tsv: the first line names the columns, every value is text."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.form import LONGEST_LINE, Form, text_lines

_OTHERS = (";", "\t", "|", ",")
"""What stands between columns in files that are called csv or tsv."""


def read_csv(path: Path, form: Form) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a csv; the place is that of the row's last line. Raises DataError."""
    return _read(path, form, ",")


def read_tsv(path: Path, form: Form) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a tsv. Raises DataError."""
    return _read(path, form, "\t")


def _read(path: Path, form: Form, usual: str) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(LONGEST_LINE)
    delimiter = form.delimiter or usual
    reader = csv.reader(text_lines(path, form, ""), delimiter=delimiter, strict=True)
    try:
        columns: list[str] = next((line for line in reader if line), [])
        if columns[:1] == ["sep="] or columns == [f"sep={delimiter}"]:  # Excel's own way to say it
            columns = next((line for line in reader if line), [])
        _check_head(columns, path, reader.line_num, form)
        for values in reader:
            if not values:
                continue
            where = f"{path}, line {reader.line_num}"
            if len(values) != len(columns):
                raise DataError(f"{where}: {len(columns)} columns in the head, {len(values)} in this line")
            yield where, dict(zip(columns, values, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error


def _check_head(columns: Sequence[str], path: Path, line: int, form: Form) -> None:
    where = f"{path}, line {line}"
    if len(columns) == 1 and form.delimiter is None:
        other = next((mark for mark in _OTHERS if mark in columns[0]), None)
        if other is not None:
            shown = "\\t" if other == "\t" else other
            raise DataError(
                f"{where}: the head is one column, {columns[0][:80]!r}. If {shown!r} stands between the "
                f'columns, name it: `delimiter: "{shown}"` beside `file:` in task.yaml, or --delimiter '
                f"'{shown}'"
            )
    counts = Counter(columns)
    if len(counts) < len(columns):
        double = next(name for name, n in counts.items() if n > 1)
        raise DataError(f"{where}: column {double!r} stands twice in the head")
