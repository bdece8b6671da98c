"""A thin stand-in for `datasets.Dataset`: what process_docs of task files call, over plain rows.

It is used where the `datasets` package is absent; results equal that package's for the methods it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from evalkit.core.errors import DataError

Row = dict[str, Any]


class Dataset:
    """Rows under columns; every method gives a new Dataset."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None) -> None:
        names = list(columns) if columns is not None else list(_columns(rows))
        self._columns = names
        self._rows = [{name: row.get(name) for name in names} for row in rows]

    @classmethod
    def from_list(cls, rows: Sequence[Mapping[str, Any]], **_: Any) -> Dataset:
        """The rows as a Dataset; a column that a row lacks is None."""
        return cls(rows)

    @classmethod
    def from_dict(cls, columns: Mapping[str, Sequence[Any]], **_: Any) -> Dataset:
        """The columns as a Dataset."""
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise DataError(f"columns of different lengths: {sorted(lengths)}")
        n_rows = lengths.pop() if lengths else 0
        return cls([{name: columns[name][i] for name in columns} for i in range(n_rows)], columns)

    @classmethod
    def from_generator(cls, generator: Callable[..., Iterable[Row]], **options: Any) -> Dataset:
        """The generated rows as a Dataset."""
        return cls(list(generator(**options.get("gen_kwargs", {}))))

    @property
    def features(self) -> dict[str, Any]:
        """Column -> its type as far as known here: nothing."""
        return dict.fromkeys(self._columns)

    @property
    def column_names(self) -> list[str]:
        """The columns in order."""
        return list(self._columns)

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return (dict(row) for row in self._rows)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return [row[key] for row in self._rows]
        if isinstance(key, slice):
            return {name: [row[name] for row in self._rows[key]] for name in self._columns}
        if isinstance(key, Iterable):
            chosen = [self._rows[int(i)] for i in key]
            return {name: [row[name] for row in chosen] for name in self._columns}
        return dict(self._rows[int(key)])

    def _same(self, rows: Sequence[Mapping[str, Any]]) -> Dataset:
        return Dataset(rows, self._columns)

    def map(
        self,
        function: Callable[..., Any],
        with_indices: bool = False,
        batched: bool = False,
        batch_size: int | None = 1000,
        remove_columns: str | Sequence[str] | None = None,
        fn_kwargs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> Dataset:
        """Each row (or batch of rows) updated with what the function gives for it."""
        kwargs = dict(fn_kwargs or {})
        removed = {remove_columns} if isinstance(remove_columns, str) else set(remove_columns or ())
        if batched:
            return self._map_batches(function, with_indices, batch_size or len(self), removed, kwargs)
        rows: list[Row] = []
        for number, row in enumerate(self):
            result = function(row, number, **kwargs) if with_indices else function(row, **kwargs)
            kept = {name: value for name, value in row.items() if name not in removed}
            rows.append(kept if result is None else {**kept, **result})
        return Dataset(rows) if rows else Dataset([], [c for c in self._columns if c not in removed])

    def _map_batches(
        self,
        function: Callable[..., Any],
        with_indices: bool,
        size: int,
        removed: set[str],
        kwargs: Mapping[str, Any],
    ) -> Dataset:
        rows: list[Row] = []
        for start in range(0, len(self), max(size, 1)):
            batch = self[start : start + size]
            numbers = list(range(start, min(start + size, len(self))))
            result = function(batch, numbers, **kwargs) if with_indices else function(batch, **kwargs)
            kept = {name: values for name, values in batch.items() if name not in removed}
            rows.extend(Dataset.from_dict({**kept, **(result or {})}))
        return Dataset(rows)

    def filter(
        self, function: Callable[..., Any], with_indices: bool = False, fn_kwargs: Any = None, **_: Any
    ) -> Dataset:
        """The rows for which the function holds."""
        kwargs = dict(fn_kwargs or {})
        return self._same(
            [
                row
                for number, row in enumerate(self)
                if (function(row, number, **kwargs) if with_indices else function(row, **kwargs))
            ]
        )

    def select(self, indices: Iterable[int], **_: Any) -> Dataset:
        """The rows at these positions, in this order."""
        return self._same([self._rows[int(i)] for i in indices])

    def shuffle(self, seed: int | None = None, **_: Any) -> Dataset:
        """The rows in numpy's order of this seed, as the real package permutes them."""
        import numpy

        return self.select(numpy.random.default_rng(seed).permutation(len(self)))

    def sort(self, column: str | Sequence[str], reverse: bool = False, **_: Any) -> Dataset:
        """The rows ordered by a column or several."""
        names = [column] if isinstance(column, str) else list(column)
        return self._same(sorted(self._rows, key=lambda row: [row[n] for n in names], reverse=reverse))

    def add_column(self, name: str, column: Sequence[Any], **_: Any) -> Dataset:
        """With one column more."""
        rows = [{**row, name: value} for row, value in zip(self._rows, column, strict=True)]
        return Dataset(rows, [*self._columns, name])

    def remove_columns(self, column_names: str | Sequence[str]) -> Dataset:
        """Without these columns."""
        gone = {column_names} if isinstance(column_names, str) else set(column_names)
        return Dataset(self._rows, [name for name in self._columns if name not in gone])

    def select_columns(self, column_names: str | Sequence[str]) -> Dataset:
        """With these columns alone."""
        return Dataset(self._rows, [column_names] if isinstance(column_names, str) else column_names)

    def rename_column(self, original_column_name: str, new_column_name: str) -> Dataset:
        """With one column under another name."""
        return self.rename_columns({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: Mapping[str, str]) -> Dataset:
        """With columns under other names."""
        rows = [{column_mapping.get(name, name): row[name] for name in self._columns} for row in self._rows]
        return Dataset(rows, [column_mapping.get(name, name) for name in self._columns])

    def unique(self, column: str) -> list[Any]:
        """The different values of a column, in order of appearance."""
        seen: list[Any] = []
        for value in self[column]:
            if value not in seen:
                seen.append(value)
        return seen

    def to_list(self) -> list[Row]:
        """The rows as dicts."""
        return list(self)

    def to_dict(self, **_: Any) -> dict[str, list[Any]]:
        """Column -> its values."""
        return {name: self[name] for name in self._columns}

    def to_pandas(self, **_: Any) -> Any:
        """The rows as a pandas frame."""
        import pandas

        return pandas.DataFrame(self._rows, columns=self._columns)

    @classmethod
    def from_pandas(cls, frame: Any, **_: Any) -> Dataset:
        """A pandas frame as a Dataset."""
        return cls(frame.to_dict(orient="records"))

    def take(self, n: int) -> Dataset:
        """The first rows."""
        return self._same(self._rows[:n])

    def skip(self, n: int) -> Dataset:
        """All but the first rows."""
        return self._same(self._rows[n:])

    def flatten_indices(self, **_: Any) -> Dataset:
        """The same: rows are always materialised here."""
        return self

    def cast_column(self, column: str, feature: Any, **_: Any) -> Dataset:
        """The same: types are not kept here."""
        return self

    def cast(self, features: Any, **_: Any) -> Dataset:
        """The same: types are not kept here."""
        return self

    def with_format(self, *_: Any, **__: Any) -> Dataset:
        """The same: rows are always Python values here."""
        return self


class DatasetDict(dict[str, Dataset]):
    """Splits by name; map and filter go to each."""

    def map(self, function: Callable[..., Any], **options: Any) -> DatasetDict:
        """Every split mapped."""
        return DatasetDict({name: split.map(function, **options) for name, split in self.items()})

    def filter(self, function: Callable[..., Any], **options: Any) -> DatasetDict:
        """Every split filtered."""
        return DatasetDict({name: split.filter(function, **options) for name, split in self.items()})


def concatenate_datasets(parts: Sequence[Dataset], **_: Any) -> Dataset:
    """The rows of all parts, one after the other."""
    return Dataset([row for part in parts for row in part])


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, None]:
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    return names
