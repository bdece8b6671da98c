"""Rows of parquet, and of the hub's `datasets`: Arrow's own Python values, by way of no other library."""

from __future__ import annotations

import datetime
import decimal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.form import Form, read_whole

_BATCH = 128
"""Rows that are unpacked at once: a file of a few kB may hold gigabytes, each text of them the same."""


def read_parquet(path: Path, form: Form) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a parquet file. Raises DataError."""
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    try:
        source = pa.BufferReader(read_whole(path)) if path.suffix.lower() == ".gz" else str(path)
        with parquet.ParquetFile(source, pre_buffer=False) as file:
            schema = file.schema_arrow
            _check_names(schema.names, str(path))
            known = all(_is_json(field.type) for field in schema)
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row if known else plain_row(row)
    except (OSError, ValueError, pa.ArrowException) as error:
        cause = " ".join(str(error).split())[:200]
        where = f"{path}, after row {number}" if number else str(path)
        raise DataError(f"{where}: not readable as parquet ({cause})") from error


def _check_names(names: Iterable[str], where: str) -> None:
    double = next((name for name, n in Counter(names).items() if n > 1), None)
    if double is not None:
        raise DataError(f"{where}: column {double!r} stands twice")


def _is_json(kind: Any) -> bool:
    """Whether Arrow's Python values of this type are values of JSON already."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        return _is_json(kind.value_type)
    if types.is_struct(kind):
        names = [kind.field(place).name for place in range(kind.num_fields)]
        _check_names(names, "a struct of it")
        return all(_is_json(kind.field(place).type) for place in range(kind.num_fields))
    tests = (types.is_integer, types.is_float32, types.is_float64, types.is_boolean, types.is_null)
    return any(test(kind) for test in (*tests, types.is_string, types.is_large_string))


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row in values of JSON: decimals, dates and times as text, maps as objects where they can be.

    Decimals keep their digits, dates and times are ISO 8601, durations are as Python writes them. Bytes, and
    what `datasets` decodes (images, sounds), stay as they are, for a task's own Python.
    """
    return {str(key): plain(value) for key, value in row.items()}


def plain(value: Any) -> Any:
    """The value in values of JSON, as `plain_row` says."""
    kind = type(value)
    if kind in _JSON or value is None:
        return value
    if kind is list:
        return _map(value) if value and type(value[0]) is tuple else [plain(item) for item in value]
    if kind is dict:
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return str(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return plain(value.tolist())
    return value


_JSON = frozenset({str, int, float, bool})


def _map(pairs: list[Any]) -> Any:
    """An Arrow map as an object where its keys are different texts, else as a list of pairs."""
    keys = [pair[0] for pair in pairs if isinstance(pair, tuple) and len(pair) == 2]
    if len(keys) == len(pairs) == len(set(map(str, keys))) and all(isinstance(key, str) for key in keys):
        return {key: plain(item) for key, item in pairs}
    return [[plain(item) for item in pair] for pair in pairs]
