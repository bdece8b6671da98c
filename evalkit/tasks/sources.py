"""Where the rows of a task come from: local files, a folder or glob of them, or a data set of the hub."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError, list_names
from evalkit.core.records import digest
from evalkit.core.watchdog import each
from evalkit.metrics.base import Metric
from evalkit.tasks.data import FORMATS, file_digest, plain_row, read_places
from evalkit.tasks.schema import DataSpec

LoadSamples = Callable[[Path], Iterable[Mapping[str, Any]]]
MapRow = Callable[[dict[str, Any]], "Mapping[str, Any] | None"]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Hooks:
    """What a task's own task.py takes over."""

    load_samples: LoadSamples | None = None
    """Reads a local file; None when its format is one of ours."""
    map_row: MapRow | None = None
    """Turns a row of the data into the task's columns; None drops the row."""
    extractors: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict)
    """Name -> extractor of the task's own."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """Name -> metric of the task's own."""
    tools: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Name -> tool of the task's own."""
    file: Path | None = None
    digest: str | None = None
    """SHA-256 of task.py; None without one."""


@dataclass(frozen=True)
class Source:
    """The data of one task."""

    spec: DataSpec
    where: Mapping[str, Any]
    """Column -> the value, or list of values, that a row must have."""
    folder: Path
    """Paths are relative to it."""
    hooks: Hooks = field(default_factory=Hooks)
    names: tuple[str, ...] = ()
    """Names under which $EVALKIT_DATA may hold the data: the task, its group, the hub's name."""

    @functools.cached_property
    def local(self) -> tuple[Path, ...]:
        """The files, folders or globs that hold the data here; empty when it comes from the hub."""
        if self.spec.file is not None:
            files = [self.spec.file] if isinstance(self.spec.file, str) else self.spec.file
            return tuple((self.folder / name).expanduser() for name in files)
        root = os.environ.get("EVALKIT_DATA")
        for name in self.names if root else ():
            for place in (Path(root or "") / name, Path(root or "") / name.replace("/", "__")):
                if place.exists():
                    return (place,)
                found = [place.with_name(place.name + f".{suffix}") for suffix in _SUFFIXES]
                if any(file.is_file() for file in found):
                    return (next(file for file in found if file.is_file()),)
        return ()

    def describe(self) -> str:
        """The data as an error message names it."""
        if self.local:
            return ", ".join(str(path) for path in self.local)
        return f"{self.spec.hub}{f' ({self.spec.config})' if self.spec.config else ''}"

    @functools.cached_property
    def revision(self) -> str:
        """`sha256:` and a digest of the local files, or `hub:` and the commit. Raises DataError."""
        if self.local:
            found = [file for path in self.local for file in self._files(path, self.spec.split)]
            files = [
                file
                for place in found
                for file in (
                    sorted(f for f in place.rglob("*") if f.is_file()) if place.is_dir() else [place]
                )
            ]
            digests = [file_digest(file) for file in files]
            return f"sha256:{(digests[0] if len(digests) == 1 else digest(digests))[:16]}"
        return f"hub:{self._commit}"

    @functools.cached_property
    def _commit(self) -> str:
        from huggingface_hub import HfApi

        wanted = self.spec.revision or "main"
        try:
            return HfApi().dataset_info(self.spec.hub or "", revision=wanted).sha or wanted
        except Exception:  # without network the library raises errors of several other libraries
            return f"{wanted} (commit unknown: the hub did not answer)"

    def rows(self, split: str | None = None) -> Iterator[Row]:
        """The rows of a split, the task's own by default, mapped and filtered. Raises DataError."""
        for _, row in self.places(split):
            yield row

    def places(self, split: str | None = None) -> Iterator[tuple[str, Row]]:
        """(file and line, or what else tells where it is from; row) of the rows. Raises DataError."""
        wanted = split or self.spec.split
        raw = self._local_rows(wanted) if self.local else self._hub_rows(wanted)
        n_raw = n_kept = 0
        for where, row in raw:
            n_raw += 1
            mapped = self._map(row, n_raw)
            if mapped is not None and self._wanted(mapped, where):
                n_kept += 1
                yield where, mapped
        if not n_raw:
            raise DataError(f"{self.describe()} holds no rows; a task needs at least one sample")
        if not n_kept:
            raise DataError(
                f"{self.describe()}: none of its {n_raw} rows is left by `where` {dict(self.where)}"
            )

    def has_split(self, split: str) -> bool:
        """Whether rows of this split can be had: always from the hub, here where a folder holds them."""
        if not self.local:
            return True
        if any(not path.is_dir() for path in self.local):
            return False
        try:
            return all(self._split_files(path, split) for path in self.local)
        except DataError:
            return False

    def _map(self, row: Row, number: int) -> Row | None:
        if self.hooks.map_row is None:
            return row
        where = f"{self.hooks.file}: map_row"
        try:
            mapped = self.hooks.map_row(dict(row))
        except Exception as error:
            raise DataError(
                f"{where} failed on row {number} of {self.describe()} with {type(error).__name__}: {error}"
            ) from error
        if mapped is not None and not isinstance(mapped, Mapping):
            raise DataError(f"{where} gave {type(mapped).__name__} for row {number}, not a mapping")
        return mapped

    def _wanted(self, row: Row, place: str) -> bool:
        for column, value in self.where.items():
            if column not in row:
                raise DataError(f"{place}: `where` names column {column!r}; there are {list_names(row)}")
            if row[column] not in (value if isinstance(value, list) else [value]):
                return False
        return True

    def _local_rows(self, split: str | None) -> Iterator[tuple[str, Row]]:
        if self.hooks.load_samples is not None and self.spec.form:
            raise DataError(
                f"{self.describe()} is read by load_samples in {self.hooks.file}, which neither `encoding` "
                "nor `delimiter` reaches"
            )
        for path in self.local:
            for file in self._files(path, split):
                if self.hooks.load_samples is not None:
                    yield from self._hook_rows(self.hooks.load_samples, file)
                else:
                    yield from read_places(file, self.spec.form)

    def _hook_rows(self, load_samples: LoadSamples, path: Path) -> Iterator[tuple[str, Row]]:
        where = self.hooks.file
        number = 0
        try:
            for number, row in enumerate(each(lambda: load_samples(path), where, "load_samples"), start=1):
                if not isinstance(row, Mapping):
                    raise TypeError(f"sample {number} is no mapping but {type(row).__name__}")
                yield f"{path}, sample {number}", row
        except Exception as error:
            raise DataError(f"{where}: load_samples failed with {type(error).__name__}: {error}") from error
        if not number:
            raise DataError(f"{where}: load_samples gave no samples")

    def _files(self, path: Path, split: str | None) -> list[Path]:
        """The data files that a path means: itself, what a glob finds, or the split's in a folder.

        A folder without a file for the split goes as it is to a task that reads its data itself.
        """
        if path.is_dir():
            try:
                return self._split_files(path, split)
            except DataError:
                if self.hooks.load_samples is None:
                    raise
        if any(mark in path.name for mark in "*?[") and not path.exists():
            try:
                found = sorted(file for file in path.parent.glob(path.name) if file.is_file())
            except ValueError as error:
                raise DataError(f"{path} is neither a file nor a pattern of files: {error}") from error
            if not found:
                raise DataError(f"no data file fits {path}")
            return found
        return [path]

    def _split_files(self, folder: Path, split: str | None) -> list[Path]:
        config = self.spec.config
        stems = [f"{config}/{split}", f"{split}/{config}", f"{config}_{split}", f"{split}_{config}"]
        stems = stems if config and split else []
        stems += [name for name in (split, config) if name]
        for stem in stems:
            for suffix in _SUFFIXES:
                for pattern in (f"{stem}.{suffix}", f"{stem}-*.{suffix}", f"{stem}/*.{suffix}"):
                    found = sorted(file for file in folder.glob(pattern) if file.is_file())
                    if found:
                        return found
        if not stems:
            found = sorted(f for f in folder.iterdir() if any(f.name.endswith(f".{s}") for s in _SUFFIXES))
            if found:
                return found
        names = ", ".join(f"{stem}.*" for stem in stems) or "a data file"
        raise DataError(f"{folder} has no {names} ({', '.join(FORMATS)}, also .gz)")

    def _hub_rows(self, split: str | None) -> Iterator[tuple[str, Row]]:
        spec = self.spec
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        import datasets

        datasets.disable_progress_bars()
        config = (
            spec.few_shot_config if split == spec.few_shot_split and spec.few_shot_config else spec.config
        )
        try:
            data = datasets.load_dataset(spec.hub, config, split=split, revision=spec.revision)
        except Exception as error:  # the library raises whatever its parts raise
            name = self.names[0] if self.names else spec.hub
            cause = str(error).strip().splitlines() or [""]
            raise DataError(
                f"data set {spec.hub} cannot be loaded from the hub ({type(error).__name__}: {cause[0]}). "
                f"With local files of the same columns: --data {name}=PATH, or set EVALKIT_DATA"
            ) from error
        for number, row in enumerate(data, start=1):
            yield f"{self.describe()}, row {number}", plain_row(row)


_SUFFIXES = tuple(f"{name}{gz}" for name in FORMATS for gz in ("", ".gz"))
