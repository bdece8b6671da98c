"""Where the rows of a task come from: local files in the place of its data, or the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError, did_you_mean
from evalkit.interop.lm_eval.config import TaskConfig
from evalkit.interop.lm_eval.documents import Rows, real_datasets
from evalkit.tasks.data import AS_IT_IS, FORMATS, Form, read_rows

_LOCAL_BUILDERS = ("json", "csv", "parquet", "text")


def local_rows(path: Path, form: Form = AS_IT_IS) -> Rows:
    """Rows by split from a folder of `<split>.jsonl` (json, csv, ...), or from one file for all splits."""

    def rows(split: str) -> list[dict[str, Any]]:
        if path.is_file():
            return list(read_rows(path, form))
        if not path.is_dir():
            raise DataError(f"data {path} does not exist")
        for suffix in (*FORMATS, *(f"{name}.gz" for name in FORMATS)):
            file = path / f"{split}.{suffix}"
            if file.is_file():
                return list(read_rows(file, form))
        there = sorted({item.name.split(".")[0] for item in path.iterdir() if item.is_file()})
        raise DataError(
            f"data {path} has no file for the split {split!r}; there are: {', '.join(there) or 'none'}."
            + did_you_mean(split, there)
        )

    return rows


def task_rows(config: TaskConfig, where: str) -> Rows | None:
    """Rows as the task itself names them: its own local files, else the hub; None for custom_dataset."""
    if config.custom_dataset is not None:
        return None
    options = dict(config.dataset_kwargs or {})
    if config.dataset_path in _LOCAL_BUILDERS and "data_files" in options:
        files = _local_files(options["data_files"])
        if files is not None:
            return _file_rows(files, where)
    return _hub_rows(config, options, where)


def _local_files(value: Any) -> Mapping[str, list[Path]] | None:
    """Split -> its local files; None when one of them is no local file."""
    named = value if isinstance(value, Mapping) else {"train": value}
    files: dict[str, list[Path]] = {}
    for split, names in named.items():
        paths = [Path(str(name)) for name in (names if isinstance(names, list) else [names])]
        if not all(path.is_file() for path in paths):
            return None
        files[str(split)] = paths
    return files


def _file_rows(files: Mapping[str, list[Path]], where: str) -> Rows:
    def rows(split: str) -> list[dict[str, Any]]:
        if split not in files:
            raise DataError(
                f"{where}: dataset_kwargs.data_files: no split {split!r}; there are: {', '.join(files)}"
            )
        return [row for file in files[split] for row in read_rows(file)]

    return rows


def _hub_rows(config: TaskConfig, options: dict[str, Any], where: str) -> Rows:
    kept: dict[str, Any] = {}

    def rows(split: str) -> Any:
        if not kept:
            kept["data"] = _load(config, options, where)
        data = kept["data"]
        if split not in data:
            raise DataError(
                f"{where}: {config.dataset_path} has no split {split!r}; it has: {', '.join(data)}"
            )
        return data[split]

    return rows


def _load(config: TaskConfig, options: dict[str, Any], where: str) -> Any:
    datasets = real_datasets()
    if datasets is None:
        raise DataError(
            f"{where}: dataset_path: {config.dataset_path!r} is a hub data set, and the package datasets is "
            "not installed; pip install datasets, or give local files with --data"
        )
    options.pop("trust_remote_code", None)
    try:
        return datasets.load_dataset(path=config.dataset_path, name=config.dataset_name, **options)
    except Exception as error:
        raise DataError(
            f"{where}: dataset_path: {config.dataset_path!r} cannot be loaded "
            f"({type(error).__name__}: {str(error)[:200]}); give local files with --data"
        ) from error
