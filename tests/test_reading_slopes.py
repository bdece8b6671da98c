"""What reading costs grows with the size of a file and no faster; what would grow without end is refused."""

from __future__ import annotations

import gc
import gzip
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from factories import make_task, task_fields

from evalkit.core import form
from evalkit.core.errors import DataError, TaskError, UsageError
from evalkit.interop.inspect import archive
from evalkit.interop.inspect.logs import read_logs
from evalkit.running.planning import PlanOptions, make_plan
from evalkit.tasks.data import read_rows
from evalkit.tasks.schema import MOST_REPEATS
from evalkit.tasks.techniques import split_name

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "reading" / "slopes.py"


def slopes() -> ModuleType:
    """The benchmark that writes each kind of file at any size."""
    spec = importlib.util.spec_from_file_location("reading_slopes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


MADE = slopes()


def processor_time(reader: Any, folder: Path, size: int) -> float:
    """The least seconds of the processor of two readings."""
    folder.mkdir()
    file = reader.write(folder, size)
    times = []
    gc.collect()
    gc.freeze()  # else the collector looks through what all tests before have left, again and again
    for _ in range(2):
        start = time.process_time()
        reader.read(file)
        times.append(time.process_time() - start)
    gc.unfreeze()
    return min(times)


@pytest.mark.parametrize("name", MADE.READERS)
def test_eight_times_the_file_takes_about_eight_times_as_long(tmp_path: Path, name: str) -> None:
    """A quadratic reader takes 64 times as long; the processor's time is counted, on a busy machine too."""
    reader = MADE.READERS[name]
    small = processor_time(reader, tmp_path / "small", reader.start)
    large = processor_time(reader, tmp_path / "large", 8 * reader.start)
    assert large < 24 * max(small, 0.002)


def test_an_archive_is_opened_twice_however_many_samples_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening it reads the list of its members: once for the head and once for all samples."""
    log = MADE.inspect_log(tmp_path, 40)
    opened: list[Path] = []
    real = archive.zipfile.ZipFile
    monkeypatch.setattr(archive.zipfile, "ZipFile", lambda path: opened.append(path) or real(path))
    (found,) = read_logs(log)
    assert len(found.cells[0].results) == 40
    assert len(opened) == 2


BLANKS = {"x.jsonl.gz": b" ", "y.jsonl.gz": b"\n", "x.csv.gz": b" ", "y.csv.gz": b"\r\n", "x.json.gz": b" "}


@pytest.mark.parametrize("name", BLANKS)
def test_a_small_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Blanks of a .gz, in one line or in many, are counted while they are unpacked, and not kept."""
    for limit, value in (("LONGEST_LINE", 50_000), ("LARGEST_WHOLE", 50_000), ("_MOST_BLANK", 20_000)):
        monkeypatch.setattr(form, limit, value)
    (tmp_path / name).write_bytes(gzip.compress(BLANKS[name] * 200_000))
    with pytest.raises(DataError, match=rf"{name}.*(longer than|more than|nothing in them)"):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize("repeats", [MOST_REPEATS + 1, 10**9, 10**30])
def test_repeats_have_a_bound(tmp_path: Path, repeats: int) -> None:
    """In task.yaml, on the command line, and as the number of votes."""
    with pytest.raises(TaskError, match=r"repeats: .*less than or equal to 10000|repeats"):
        make_task(tmp_path, **{**task_fields(), "repeats": repeats})
    with pytest.raises(UsageError, match="repeats must be at most 10,000"):
        make_plan([(None, None)], [make_task(tmp_path / "x")], PlanOptions(repeats=repeats), {})  # type: ignore[list-item]
    with pytest.raises(TaskError, match="the number behind the colon is at most 10,000"):
        split_name(f"self_consistency:{repeats}")


def test_very_many_columns_are_not_all_listed(tmp_path: Path) -> None:
    """An error about a missing column names the first of a hundred thousand, and how many there are."""
    file = MADE.csv_columns(tmp_path, 100_000)
    task = make_task(tmp_path / "t", data={"file": str(file)})
    with pytest.raises(DataError, match=r"no column 'answer'; .*\(100,000 in all\)") as caught:
        list(task.samples())
    assert len(str(caught.value)) < 2_000
