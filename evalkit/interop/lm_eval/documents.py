"""The documents of a task: its splits, process_docs run once for each, the pool of worked examples."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from evalkit.core.errors import DataError, TaskError
from evalkit.interop.lm_eval.config import TaskConfig
from evalkit.interop.lm_eval.dataset import Dataset

Rows = Callable[[str], Any]
"""A split's name -> its rows: a list of mappings, or a `datasets.Dataset`."""


def real_datasets() -> Any:
    """The `datasets` package, None where it is not installed."""
    if "datasets" not in sys.modules and importlib.util.find_spec("datasets") is None:
        return None
    import datasets

    return datasets if hasattr(datasets, "load_dataset_builder") else None


@contextlib.contextmanager
def local_seed(seed: str) -> Iterator[None]:
    """Python's and numpy's global generators seeded inside, and as they were after."""
    state = random.getstate()
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy is not None else None
    random.seed(seed)
    if numpy is not None:
        numpy.random.seed(random.Random(seed).getrandbits(32))
    try:
        yield
    finally:
        random.setstate(state)
        if numpy is not None:
            numpy.random.set_state(numpy_state)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of the `datasets` package inside."""
    datasets = sys.modules.get("datasets")
    if datasets is None or not hasattr(datasets, "are_progress_bars_disabled"):
        yield
        return
    were_off = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not were_off:
            datasets.enable_progress_bars()


class Documents:
    """The documents of one task, read split by split when they are needed."""

    def __init__(
        self, config: TaskConfig, rows: Rows | None, where: str, *, seed: int = 1234, facade: bool = False
    ) -> None:
        self._config = config
        self._rows = rows
        self._where = where
        self._seed = seed
        self._facade = facade
        self._custom: Mapping[str, Any] | None = None
        self._splits: dict[str, Any] = {}
        self._processed: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self._columns: dict[tuple[str, int], tuple[str, ...]] = {}

    @property
    def split(self) -> str:
        """The split that is evaluated: test, else validation. Raises TaskError when the task has neither."""
        name = self._config.test_split or self._config.validation_split
        if self._config.test_split is None and self._config.validation_split is None:
            raise TaskError(f"{self._where}: neither test_split nor validation_split is given")
        return name or ""

    def evaluated(self) -> list[dict[str, Any]]:
        """The documents to evaluate, in order. Raises DataError when there are none."""
        docs = self._process(self.split, self._config.process_docs)
        if not docs:
            raise DataError(f"{self._where}: split {self.split!r} has no documents")
        return docs

    def columns(self) -> tuple[str, ...]:
        """The columns of the evaluated documents."""
        self.evaluated()
        return self._columns[self.split, id(self._config.process_docs)]

    def pool(self) -> list[dict[str, Any]]:
        """The documents that worked examples are taken from: split, samples, training, validation, test."""
        config, shots = self._config, self._config.fewshot_config
        if shots.split is not None:
            return self._process(shots.split, shots.process_docs)
        if shots.samples is not None:
            if isinstance(shots.samples, list):
                return list(shots.samples)
            with local_seed(f"{self._seed}:{self._config.task}:samples"):
                return list(self._call(shots.samples, "fewshot_config.samples"))
        for split in (config.training_split, config.validation_split, config.test_split):
            if split is not None:
                return self._process(split, config.process_docs)
        return []

    def _process(self, split: str, function: Callable[..., Any] | None) -> list[dict[str, Any]]:
        key = (split, id(function))
        if key not in self._processed:
            data = self._read(split)
            if function is not None:
                with local_seed("import"):  # the first import of a package may draw from the generator
                    data = self._as_dataset(data)
                with local_seed(f"{self._seed}:{self._config.task}:{split}"), _quiet():
                    data = self._call(function, "process_docs", data)
            docs = self._as_rows(data, split)
            features = getattr(data, "features", None)
            self._columns[key] = (
                tuple(features) if features is not None else tuple(dict.fromkeys(n for d in docs for n in d))
            )
            self._processed[key] = docs
        return self._processed[key]

    def _call(self, function: Callable[..., Any], key: str, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except ImportError as error:
            raise TaskError(
                f"{self._where}: {key}: needs the Python package {error.name!r}, which is not installed"
            ) from error
        except Exception as error:
            raise DataError(
                f"{self._where}: {key}: the function failed ({type(error).__name__}: {error})"
            ) from error

    def _read(self, split: str) -> Any:
        if split not in self._splits:
            if self._config.custom_dataset is not None and self._rows is None:
                self._splits[split] = self._read_custom(split)
            elif self._rows is None:
                raise DataError(
                    f"{self._where}: dataset_path: the data {self._config.dataset_path!r} is not at hand; "
                    "give local files with --data"
                )
            else:
                data = self._rows(split)
                self._splits[split] = data if hasattr(data, "features") else Dataset(list(data))
        return self._splits[split]

    def _read_custom(self, split: str) -> Any:
        config = self._config
        if self._custom is None:
            options = {**config.metadata, **(config.dataset_kwargs or {})}
            function = config.custom_dataset
            if function is None:
                raise TaskError(f"{self._where}: custom_dataset is not given")
            with local_seed(f"{self._seed}:{config.task}:custom_dataset"):
                self._custom = self._call(lambda: function(**copy.deepcopy(options)), "custom_dataset")
        if split not in self._custom:
            raise DataError(
                f"{self._where}: custom_dataset gives no split {split!r}; it has: {', '.join(self._custom)}"
            )
        return self._custom[split]

    def _as_dataset(self, data: Any) -> Any:
        datasets = None if self._facade or not isinstance(data, Dataset) else real_datasets()
        if datasets is None:
            return data
        try:
            return datasets.Dataset.from_list(data.to_list())
        except Exception:  # rows that pyarrow cannot hold in columns of one type: ours can
            return data

    def _as_rows(self, data: Any, split: str) -> list[dict[str, Any]]:
        try:
            docs = list(data)
        except TypeError as error:
            raise DataError(
                f"{self._where}: process_docs gives {type(data).__name__}, no documents"
            ) from error
        for doc in docs:
            if not isinstance(doc, Mapping):
                raise DataError(f"{self._where}: split {split!r} holds {type(doc).__name__}, not mappings")
        return docs


def first_documents(docs: Sequence[dict[str, Any]], limit: float | None) -> int:
    """How many documents a limit leaves: a share below 1 (rounded up), a number from 1 on, None for all."""
    import math

    if limit is None:
        return len(docs)
    if limit <= 0:
        raise TaskError(f"limit {limit!r}: more than 0 is wanted")
    return min(len(docs), math.ceil(len(docs) * limit) if limit < 1 else int(limit))
