"""The store: one folder per run, reports/<run-id>/.

    run.json                    the Run record; `status` says whether it is finished
    samples/<cell-slug>.jsonl   one SampleResult per line, in the order of the data once a cell is finished
    report.html                 the page

run.json is replaced atomically. Sample lines are appended as they arrive, so that a killed process leaves
what it had; a torn last line is dropped and said. Folders and files are private to the user.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from evalkit.core.collection import pause_collection
from evalkit.core.errors import EvalkitError, StoreError, did_you_mean
from evalkit.core.records import SCHEMA_VERSION, Run, SampleResult
from evalkit.core.redaction import clean_line, known, refresh
from evalkit.core.registry import VIEWS, find
from evalkit.store.refuge import rescue

RUN_FILE = "run.json"
SAMPLES_FOLDER = "samples"
_BUFFER = 1 << 16
"""Bytes of results that wait to be written together."""
_OWN_END = f'\n  "schema": {SCHEMA_VERSION}\n}}\n'.encode()
"""How run.json ends: the schema is the last field of a run."""


@functools.cache
def _adapter(record: type[Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(record)


def write_private(path: Path, content: bytes) -> None:
    """Replace the file atomically with content that only the user can read. Raises StoreError.

    A device or a pipe is written to, and never replaced.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:  # mkstemp gives mode 0600
                file.write(content)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def encode_run(run: Run) -> bytes:
    """The run as the bytes of run.json: indented UTF-8 JSON with a final line feed, and no keys."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    try:
        content, redactor = orjson.dumps(run, option=options), refresh()
    except TypeError as error:
        raise StoreError(f"run {run.id!a} cannot be written: {error}") from error
    if not redactor.knows_line(content):
        return content
    return orjson.dumps(redactor.deep(orjson.loads(content), redactor.clean), option=options)


def decode_run(content: bytes, where: str) -> Run:
    """The run read from the bytes of run.json. Raises StoreError that names the file and the field."""
    from pydantic import ValidationError

    # As `encode_run` writes it, a run is read in one go; the slower way tells what is wrong with another.
    # JSON knows neither NaN nor Infinity, but pydantic's reader does.
    if content.endswith(_OWN_END) and b"NaN" not in content and b"Infinity" not in content:
        try:
            whole: Run = _adapter(Run).validate_json(content)
        except ValidationError:
            pass
        else:
            if _is_finite(whole):
                return _check_names(whole, where)
    try:
        raw = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise StoreError(f"{where} is not JSON: {error}") from error
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if not isinstance(schema, int):
        raise StoreError(f"{where} is not a run: it has no `schema`")
    if schema > SCHEMA_VERSION:
        raise StoreError(
            f"{where} has schema {schema}, this evalkit reads up to {SCHEMA_VERSION}; upgrade evalkit"
        )
    try:
        run: Run = _adapter(Run).validate_python(raw)
    except ValidationError as error:
        raise StoreError(f"{where}: {_first_problem(error)}") from error
    if not _is_finite(run):
        raise StoreError(f"{where}: a number in it is not finite, and evalkit writes no such number")
    return _check_names(run, where)


def _is_finite(run: Run) -> bool:
    """Whether the numbers of the run are numbers: JSON's 1e999, or an integer of 400 digits, are not."""
    numbers = [
        number
        for cell in run.cells
        for value in cell.metrics.values()
        for number in (value.value, value.stderr, *(value.interval or ()))
    ]
    numbers += [cell.cost_usd for cell in run.cells]
    return all(number is None or math.isfinite(number) for number in (run.duration_s, *numbers))


def _check_names(run: Run, where: str) -> Run:
    """The run, whose cells name tasks and models that it describes, each cell once. Raises StoreError."""
    slugs: set[str] = set()
    for cell in run.cells:
        for what, name, described in (("task", cell.task, run.tasks), ("model", cell.model, run.models)):
            if name not in described:
                raise StoreError(
                    f"{where}: cell {cell.slug!r} names the {what} {name!r}, and `{what}s` has no such "
                    "entry; the file was changed or is not whole"
                )
        if cell.slug in slugs:
            raise StoreError(f"{where}: two cells have the slug {cell.slug!r}; the file was changed")
        slugs.add(cell.slug)
    return run


def _has_numbers(result: SampleResult) -> bool:
    """Whether scores, statistics, cost and time of a result are finite where they are known."""
    response = result.response
    numbers = [*result.scores.values(), response.cost_usd, response.latency_s]
    for stats in result.stats.values():
        numbers += stats or ()
    return all(number is None or math.isfinite(number) for number in numbers)


def _first_problem(error: Any) -> str:
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}"


@dataclass
class StoredRun:
    """A run read back from its folder."""

    run: Run
    folder: Path
    notes: list[str] = field(default_factory=list)
    """What was found wrong and passed over while reading, such as a torn last line."""

    def samples(self, slug: str) -> Iterator[SampleResult]:
        """The results of a cell, one at a time, in the order of the file. Raises StoreError."""
        from pydantic import ValidationError

        path = self.folder / SAMPLES_FOLDER / f"{slug}.jsonl"
        adapter, redactor = _adapter(SampleResult), refresh()
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise StoreError(f"{path} is missing: the run {self.run.id} has no samples of {slug}") from error
        with file:
            for number, line in enumerate(file, start=1):
                line = clean_line(line, redactor)  # an earlier evalkit may have let a key pass
                try:
                    result: SampleResult = adapter.validate_json(line)
                except ValidationError as error:
                    if line.endswith(b"\n"):
                        raise StoreError(
                            f"{path}, line {number}: not a sample result ({_first_problem(error)})"
                        ) from error
                    self.notes.append(f"{path.name}: the last line was torn and is left out")
                    return
                if not _has_numbers(result):
                    raise StoreError(
                        f"{path}, line {number}: a score, a cost or a time is not finite (NaN, Infinity or "
                        "beyond 1e308), and evalkit writes no such number; the file was changed"
                    )
                yield result

    def to_pandas(self, rows: Literal["scores", "samples"] = "scores") -> Any:
        """The run as a pandas frame: a row for each metric of each cell, or for each sample and repeat.

        What is unknown is missing in it, never 0. Raises StoreError when samples cannot be read.
        """
        frames = find(VIEWS, "run")
        if rows == "scores":
            return frames.make_score_frame(self.run)
        there = self.slugs()
        cells = [cell for cell in self.run.cells if cell.slug in there]
        return frames.make_sample_frame((cell, self.samples(cell.slug)) for cell in cells)

    def __repr__(self) -> str:
        counts = [
            f"{n} {word}{'' if n == 1 else 's'}"
            for word in ("model", "task", "variant")
            if (n := len({getattr(cell, word) for cell in self.run.cells}))
        ]
        return f"<run {self.run.id}: {', '.join([self.run.status, *counts])}, in {self.folder}>"

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        return str(find(VIEWS, "run").make_table(self.run))

    def slugs(self) -> frozenset[str]:
        """The cells whose results are there; those of elsewhere may come as numbers alone."""
        try:
            names = os.listdir(os.path.join(self.folder, SAMPLES_FOLDER))
        except OSError:
            return frozenset()
        return frozenset(name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl"))


def load_run(path: str | Path) -> StoredRun:
    """The run in a folder (or of a run.json). Raises StoreError."""
    path = Path(path)
    folder = path.parent if path.name == RUN_FILE else path
    file = folder / RUN_FILE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise StoreError(f"no run at {folder}: {file} cannot be read ({error.strerror})") from error
    return StoredRun(decode_run(content, str(file)), folder)


def list_runs(root: str | Path) -> list[Path]:
    """The run folders below `root`, oldest first by name; empty when there are none."""
    root = Path(root)
    return sorted(file.parent for file in root.glob(f"*/{RUN_FILE}"))


def load_runs(root: str | Path) -> tuple[list[StoredRun], list[str]]:
    """The runs below `root` that can be read, oldest first by name, and a note on each that cannot."""
    runs: list[StoredRun] = []
    notes: list[str] = []
    with pause_collection():
        for folder in list_runs(root):
            try:
                runs.append(load_run(folder))
            except StoreError as error:
                notes.append(f"left out: {error}")
    return runs, notes


def find_run(reference: str, root: str | Path = "reports") -> StoredRun:
    """The run that `reference` names: a folder, a run id, a unique prefix of one, or `latest`.

    Raises StoreError that lists what there is.
    """
    # os.path takes any text for a path, also one that is too long for the file system.
    if reference != "latest" and os.path.isfile(os.path.join(reference, RUN_FILE)):
        return load_run(reference)
    if reference.endswith(RUN_FILE) and os.path.isfile(reference):
        return load_run(reference)
    folders = list_runs(root)
    if reference == "latest":
        if not folders:
            raise StoreError(f"no runs in {root}; make one with: evalkit run")
        runs, notes = load_runs(root)
        if not runs:
            raise StoreError(f"no run in {root} can be read: {notes[-1]}")
        last = max(runs, key=lambda stored: (stored.run.created, stored.run.id))
        last.notes += notes
        return last
    exact = [folder for folder in folders if folder.name == reference]
    matches = exact or [folder for folder in folders if folder.name.startswith(reference)]
    if len(matches) == 1:
        return load_run(matches[0])
    names = ", ".join(folder.name for folder in (matches or folders)[-8:])
    if matches:
        raise StoreError(f"{reference!r} fits several runs: {names}; write more of the id")
    if not folders:
        raise StoreError(f"no run {reference!r}: there are none in {root}; make one with: evalkit run")
    near = did_you_mean(reference, ["latest", *(folder.name for folder in folders)], 1)
    raise StoreError(f"no run {reference!r} in {root}; there are: {names}.{near}")


def attempt_all(actions: Sequence[Callable[[], None]]) -> list[StoreError]:
    """Why some of these could not be done; each is tried, whatever became of those before it."""
    failures = []
    for action in actions:
        try:
            action()
        except StoreError as error:
            failures.append(error)
    return failures


def raise_all(failures: Sequence[EvalkitError]) -> None:
    """Nothing without failures. Raises the only one, or one that says all: each names where its part is."""
    failures = list(dict.fromkeys(failures))
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise StoreError("\n       ".join(map(str, failures))) from failures[0]


class CellWriter:
    """Appends the results of one cell and puts them into the order of the data at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._positions = array("q")
        self._offsets = array("q", [0])
        self._waiting: list[bytes] = []
        """Lines that are not on the disk yet."""
        self._n_waiting = 0
        self._failure: StoreError | None = None
        """Why lines are missing from the file; None while it is whole."""
        refresh()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = io.FileIO(descriptor, "wb")
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error

    def append(self, position: int, result: SampleResult) -> None:
        """Write a result; `position` is its place in the order of the data. Raises StoreError."""
        # Metadata may hold what JSON has no form for, such as the dates of a parquet file.
        try:
            line = orjson.dumps(result, default=str, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError as error:
            raise StoreError(f"sample {result.sample_id!a} cannot be written: {error}") from error
        line = clean_line(line, known())
        self._waiting.append(line)
        self._n_waiting += len(line)
        self._positions.append(position)
        self._offsets.append(self._offsets[-1] + len(line))
        if self._n_waiting >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        """Hand what waits to the operating system. Raises StoreError, which says where the lines are."""
        if self._failure is not None and not self._waiting:
            raise self._failure
        lines, self._waiting, self._n_waiting = self._waiting, [], 0
        content = memoryview(b"".join(lines))
        n = 0
        try:
            while n < len(content):
                n += self._file.write(content[n:]) or 0
        except OSError as error:
            whole = 0
            while lines and whole + len(lines[0]) <= n:
                whole += len(lines.pop(0))
            with contextlib.suppress(OSError):  # no half of a line
                self._file.truncate(os.fstat(self._file.fileno()).st_size - (n - whole))
            _, where = rescue(self._path.name, b"".join(lines))
            cause = f"cannot write {self._path}: {error.strerror or error}"
            self._failure = StoreError(f"{cause}; its last {len(lines):,} results are {where}")
            raise self._failure from error

    def close(self) -> None:
        """Close the file, its lines in the order of the data. Raises StoreError."""
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()
        positions = self._positions
        order = sorted(range(len(positions)), key=positions.__getitem__)
        if all(order[i] == i for i in range(len(order))):
            return
        temporary = self._path.with_suffix(".sorting")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with self._path.open("rb") as source, os.fdopen(descriptor, "wb", buffering=1 << 20) as sink:
                for index in order:
                    source.seek(self._offsets[index])
                    sink.write(source.read(self._offsets[index + 1] - self._offsets[index]))
            os.replace(temporary, self._path)
        except OSError as error:
            raise StoreError(f"cannot write {self._path}: {error.strerror or error}") from error


class RunWriter:
    """Writes one run folder as the run goes on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._refuge: Path | None = None
        """Where run.json is instead; None where it stands in its place, or nowhere."""
        try:
            folder.mkdir(parents=True, exist_ok=False, mode=0o700)
        except FileExistsError as error:
            raise StoreError(f"{folder} exists already; choose another --out or --name") from error
        except OSError as error:
            raise StoreError(f"cannot create {folder}: {error.strerror or error}") from error

    def write(self, run: Run) -> None:
        """Replace run.json by this run."""
        content = encode_run(run)
        try:
            write_private(self.folder / RUN_FILE, content)
        except StoreError as error:
            older = self._refuge
            self._refuge, where = rescue(RUN_FILE, content)
            if older is not None:
                older.unlink(missing_ok=True)
            raise StoreError(f"{error}; what it would hold is {where}") from error

    def cell(self, slug: str) -> CellWriter:
        """A writer for the results of a cell."""
        return CellWriter(self.folder / SAMPLES_FOLDER / f"{slug}.jsonl")
