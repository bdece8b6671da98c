"""Baselines: accepted runs, kept as a folder in git or as one file, replaced on purpose and with a reason."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import orjson

from evalkit.core.errors import StoreError, UsageError
from evalkit.core.records import STOPPED_EARLY, Run
from evalkit.store.folders import RUN_FILE, SAMPLES_FOLDER, StoredRun, decode_run, find_run, load_run

HISTORY_FILE = "bless.json"
"""In the baseline: every run that was accepted as such, the last one at the end."""
FILE_SUFFIX = ".zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def open_baseline(reference: str, root: str | Path = "reports") -> StoredRun:
    """The baseline: a run as `find_run` finds it, or a .zip of one. Raises StoreError."""
    if reference.endswith(FILE_SUFFIX):
        return _unpack(Path(reference))
    return find_run(reference, root)


def bless(run: StoredRun, destination: str | Path, reason: str) -> Path:
    """The baseline's folder (or .zip), which now holds the run and the history of what it replaces.

    Raises UsageError for a run that can be no baseline: stopped early, unfinished, or without a reason.
    """
    path = Path(destination)
    _check_blessable(run, reason)
    history = _history(path)
    history.append(
        {
            "run": run.run.id,
            "created": run.run.created,
            "replaces": history[-1]["run"] if history else None,
            "reason": reason.strip(),
            "git": run.run.git,
            "version": run.run.version,
            "scores": {
                f"{cell.model} · {cell.task} · {cell.variant}": {
                    name: value.value for name, value in cell.metrics.items()
                }
                for cell in run.run.cells
            },
        }
    )
    content = orjson.dumps(history, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    names = [RUN_FILE, *(f"{SAMPLES_FOLDER}/{cell.slug}.jsonl" for cell in run.run.cells)]
    try:
        if path.suffix == FILE_SUFFIX:
            _pack(run, path, names, content)
        else:
            _copy(run, path, names, content)
    except OSError as error:
        raise StoreError(f"cannot write the baseline {path}: {error.strerror or error}") from error
    return path


def read_history(path: str | Path) -> list[dict[str, Any]]:
    """The runs that were accepted as this baseline, oldest first; empty when it was never blessed."""
    return _history(Path(path))


def _check_blessable(run: StoredRun, reason: str) -> None:
    record = run.run
    if not reason.strip():
        raise UsageError("say why the baseline changes: --reason 'prompt v2 is accepted, see issue 12'")
    if any(note.startswith(STOPPED_EARLY) for cell in record.cells for note in cell.notes):
        raise UsageError(
            f"run {record.id} was stopped early: its score is biased and it can be no baseline; run it whole"
        )
    if record.status != "complete":
        raise UsageError(
            f"run {record.id} is {record.status}: a baseline has all its results; run it again, "
            "which asks only for what is missing"
        )


def _history(path: Path) -> list[dict[str, Any]]:
    if path.suffix == FILE_SUFFIX:
        if not path.exists():
            return []
        try:
            with zipfile.ZipFile(path) as archive:
                content = archive.read(HISTORY_FILE)
        except KeyError:
            return []
        except (OSError, zipfile.BadZipFile) as error:
            raise StoreError(f"{path} is no baseline: {error}") from error
    else:
        file = path / HISTORY_FILE
        if not file.is_file():
            return []
        content = file.read_bytes()
    try:
        history = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise StoreError(f"{path}, {HISTORY_FILE} is not JSON: {error}") from error
    if not isinstance(history, list) or not all(isinstance(e, dict) and "run" in e for e in history):
        raise StoreError(f"{path}, {HISTORY_FILE} is not the history of a baseline")
    return history


def _copy(run: StoredRun, path: Path, names: list[str], history: bytes) -> None:
    """Replace the folder by one that is complete, so that no half of a baseline is ever seen."""
    if path.exists() and not (path / RUN_FILE).is_file() and any(path.iterdir()):
        raise UsageError(f"{path} is a folder with other content; name a folder for the baseline alone")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        (fresh / SAMPLES_FOLDER).mkdir(mode=0o700)
        for name in names:
            if (run.folder / name).is_file():
                shutil.copyfile(run.folder / name, fresh / name)
        (fresh / HISTORY_FILE).write_bytes(history)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
            path.rename(old / path.name)
            fresh.rename(path)
            shutil.rmtree(old)
        else:
            fresh.rename(path)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _pack(run: StoredRun, path: Path, names: list[str], history: bytes) -> None:
    """Write one file whose bytes depend on the run alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            if (run.folder / name).is_file():
                archive.writestr(_entry(name), (run.folder / name).read_bytes())
        archive.writestr(_entry(HISTORY_FILE), history)
    temporary.replace(path)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _unpack(path: Path) -> StoredRun:
    """The run in a file, its samples unpacked to a folder that goes when the process ends."""
    try:
        with zipfile.ZipFile(path) as archive:
            run: Run = decode_run(archive.read(RUN_FILE), f"{path}, {RUN_FILE}")
            holder = tempfile.TemporaryDirectory(prefix="evalkit-baseline-")
            folder = Path(holder.name)
            (folder / SAMPLES_FOLDER).mkdir()
            (folder / RUN_FILE).write_bytes(archive.read(RUN_FILE))
            for number, cell in enumerate(run.cells):
                name = f"{SAMPLES_FOLDER}/{cell.slug}.jsonl"
                # The slug is a name inside the archive only; on disk it is checked to be a plain one.
                if Path(cell.slug).name != cell.slug:
                    raise StoreError(f"{path}: cell {number} has no plain name: {cell.slug!r}")
                (folder / name).write_bytes(archive.read(name))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} is no baseline: {error}") from error
    stored = load_run(folder)
    _HOLDERS.append(holder)
    return stored


_HOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""Unpacked baselines, kept until the process ends."""
