"""How the time of reading grows with the size of what is read: 1 is linear.

    .venv/bin/python benchmarks/reading/slopes.py [--tiny]

Each file is written at four sizes, each twice the one before, and read to its end. The slope is that of the
logarithm of the seconds over the logarithm of the size, by least squares; the least of three readings counts.
`--tiny` takes small sizes, as the tests do. What a line may hold at most, and what is refused, stands in
docs/tasks.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.interop.formats import read_format
from evalkit.models.recording import COLUMNS, Recording
from evalkit.tasks.data import Form, read_rows

DOUBLINGS = 4


@dataclass(frozen=True)
class Reader:
    """One kind of file."""

    write: Callable[[Path, int], Path]
    """Writes the file of a size into a folder."""
    read: Callable[[Path], Any]
    start: int
    """The first size."""
    unit: str


def rows(n: int) -> list[dict[str, Any]]:
    """So many samples."""
    return [{"id": str(i), "question": f"How much is {i} and {i}?", "answer": 2 * i} for i in range(n)]


def jsonl(folder: Path, n: int) -> Path:
    """Samples, one a line."""
    file = folder / "x.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(n)))
    return file


def packed(folder: Path, n: int) -> Path:
    """The same, packed."""
    file = folder / "x.jsonl.gz"
    file.write_bytes(gzip.compress(jsonl(folder, n).read_bytes(), 1))
    return file


def one_json(folder: Path, n: int) -> Path:
    """The same as one list."""
    file = folder / "x.json"
    file.write_text(json.dumps(rows(n)))
    return file


def csv_rows(folder: Path, n: int) -> Path:
    """Samples as csv."""
    file = folder / "x.csv"
    file.write_text("id,question,answer\n" + "".join(f"{i},How much is {i}?,{2 * i}\n" for i in range(n)))
    return file


def utf16_rows(folder: Path, n: int) -> Path:
    """The same in UTF-16."""
    file = csv_rows(folder, n)
    file.write_text(file.read_text(), encoding="utf-16")
    return file


def csv_columns(folder: Path, n: int) -> Path:
    """One row of many columns."""
    file = folder / "x.csv"
    file.write_text(",".join(f"c{i}" for i in range(n)) + "\n" + ",".join("1" * n) + "\n")
    return file


def long_line(folder: Path, n: int) -> Path:
    """One sample with a text of n kB."""
    file = folder / "x.jsonl"
    file.write_text(json.dumps({"text": "word " * (n * 200)}) + "\n")
    return file


def long_cell(folder: Path, n: int) -> Path:
    """One cell of many lines, n kB."""
    file = folder / "x.csv"
    file.write_text('a,b\n"' + "forty characters of a text in a cell ...\n" * (n * 24) + '",1\n')
    return file


def parquet(folder: Path, n: int) -> Path:
    """Samples as parquet."""
    import pyarrow as pa
    from pyarrow import parquet as files

    file = folder / "x.parquet"
    files.write_table(pa.Table.from_pylist(rows(n)), file)
    return file


def inspect_log(folder: Path, n: int) -> Path:
    """An archive of Inspect with a member a sample."""
    file = folder / "x.eval"
    head = {"eval": {"task": "t", "model": "m", "created": "2026-01-01T00:00:00+00:00"}, "status": "success"}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("header.json", json.dumps(head))
        for i in range(n):
            sample = {"id": i, "epoch": 1, "input": "?", "target": "x", "scores": {"match": {"value": "C"}}}
            archive.writestr(f"samples/{i}_epoch_1.json", json.dumps(sample))
    return file


def scored(folder: Path, n: int) -> Path:
    """Answers with scores."""
    file = folder / "x.jsonl"
    file.write_text("".join(json.dumps({**row, "output": "x", "score": 1}) + "\n" for row in rows(n)))
    return file


def outputs(folder: Path, n: int) -> Path:
    """Recorded outputs."""
    file = folder / "x.jsonl"
    file.write_text("".join(json.dumps({"id": str(i), "output": f"{i}"}) + "\n" for i in range(n)))
    return file


def promptfoo(folder: Path, n: int) -> Path:
    """Results of promptfoo."""
    file = folder / "x.json"
    one = {
        "success": True,
        "score": 1,
        "provider": {"id": "p"},
        "response": {"output": "x"},
        "vars": {"q": "?"},
    }
    results = [{**one, "testIdx": i, "promptIdx": 0, "prompt": {"raw": f"? {i}"}} for i in range(n)]
    file.write_text(json.dumps({"results": {"version": 3, "results": results, "prompts": []}}))
    return file


def drain(form: Form | None = None) -> Callable[[Path], int]:
    """Reads all rows of a data file."""
    return lambda file: sum(1 for _ in read_rows(file, form or Form()))


def imported(name: str) -> Callable[[Path], Any]:
    """Reads results of another tool."""
    return lambda file: read_format(name, file)


READERS = {
    "jsonl": Reader(jsonl, drain(), 2_000, "rows"),
    "jsonl.gz": Reader(packed, drain(), 2_000, "rows"),
    "json": Reader(one_json, drain(), 2_000, "rows"),
    "csv": Reader(csv_rows, drain(), 2_000, "rows"),
    "csv, utf-16": Reader(utf16_rows, drain(Form("utf-16")), 2_000, "rows"),
    "csv, one row": Reader(csv_columns, drain(), 10_000, "columns"),
    "jsonl, one line": Reader(long_line, drain(), 500, "kB"),
    "csv, one cell": Reader(long_cell, drain(), 500, "kB"),
    "parquet": Reader(parquet, drain(), 2_000, "rows"),
    "inspect (.eval)": Reader(inspect_log, imported("inspect"), 200, "samples"),
    "predictions": Reader(scored, imported("predictions"), 500, "rows"),
    "promptfoo": Reader(promptfoo, imported("promptfoo"), 500, "results"),
    "replay": Reader(outputs, lambda file: Recording.open(file, COLUMNS, None), 2_000, "outputs"),
}
"""Name -> what is written and read."""


def seconds(reader: Reader, size: int) -> float:
    """The least time of three readings."""
    with tempfile.TemporaryDirectory() as folder:
        file = reader.write(Path(folder), size)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            reader.read(file)
            times.append(time.perf_counter() - start)
    return min(times)


def slope(sizes: list[int], times: list[float]) -> float:
    """By how much a doubling of the size multiplies the time, as a power: 1 is linear, 2 quadratic."""
    fit = statistics.linear_regression([math.log(size) for size in sizes], [math.log(t) for t in times])
    return fit.slope


def measure(reader: Reader, scale: int) -> tuple[list[int], list[float]]:
    """(sizes, seconds)."""
    sizes = [reader.start * scale * 2**step for step in range(DOUBLINGS)]
    seconds(reader, sizes[0])  # imports and caches are warm
    return sizes, [seconds(reader, size) for size in sizes]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true")
    scale = 1 if parser.parse_args().tiny else 8
    print(f"{'file':<18}{'largest':>18}{'seconds':>10}{'slope':>8}")
    for name, reader in READERS.items():
        sizes, times = measure(reader, scale)
        largest = f"{sizes[-1]:,} {reader.unit}"
        print(f"{name:<18}{largest:>18}{times[-1]:>10.3f}{slope(sizes, times):>8.2f}", flush=True)


if __name__ == "__main__":
    main()
