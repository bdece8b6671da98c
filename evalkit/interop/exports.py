"""The formats that a run can be written in, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalkit.core.errors import StoreError, UsageError, did_you_mean
from evalkit.store.folders import StoredRun

Rows = Literal["scores", "samples"]
Writer = Callable[..., list[Path]]
"""(run, place, what a row is); csv takes `bom` too."""


@dataclass(frozen=True)
class Target:
    """One format that can be written."""

    writer: str
    """module:function; it is loaded when it is needed."""
    description: str
    """What is written, for --help."""
    default: str
    """Where it is written when nobody says: {run} is the run's id."""
    rows: tuple[Rows, ...] = ()
    """What --rows may choose; empty where there is no choice."""


_TABLES = "evalkit.interop.tables"
TARGETS: dict[str, Target] = {
    "csv": Target(
        f"{_TABLES}:write_csv", "one line a score, or a sample", "{run}.csv", ("scores", "samples")
    ),
    "jsonl": Target(
        f"{_TABLES}:write_jsonl", "one object a score, or a sample", "{run}.jsonl", ("scores", "samples")
    ),
    "parquet": Target(
        f"{_TABLES}:write_parquet", "one row a score, or a sample", "{run}.parquet", ("scores", "samples")
    ),
    "markdown": Target(f"{_TABLES}:write_markdown", "the headline scores as a table", "{run}.md"),
    "latex": Target(f"{_TABLES}:write_latex", "the headline scores as a table (booktabs)", "{run}.tex"),
    "junit": Target("evalkit.interop.junit:write_junit", "one test case a cell, for CI servers", "{run}.xml"),
    "hf": Target(
        "evalkit.interop.model_card:write_model_cards",
        "the model-index of Hugging Face model cards: a file for one model, a folder for several",
        "{run}-model-index",
    ),
    "lm-eval": Target(
        "evalkit.interop.lm_eval.export:write_results",
        "results and samples as lm-evaluation-harness writes them, a folder a model",
        "{run}-lm-eval",
    ),
    "inspect": Target(
        "evalkit.interop.inspect.export:write_logs",
        "a log of Inspect (.eval or .json) for one cell, a folder of .eval logs for several",
        "{run}-inspect",
    ),
}
"""Name -> format."""


def export_run(
    stored: StoredRun, to: str, output: Path | None = None, rows: Rows = "scores", bom: bool | None = None
) -> list[Path]:
    """The files that were written. Raises UsageError for an unknown format, else StoreError.

    `bom` says whether a csv begins with a byte order mark; None is yes, since Excel needs it.
    """
    if to not in TARGETS:
        raise UsageError(f"no format {to!r}.{did_you_mean(to, TARGETS)} There are: {', '.join(TARGETS)}")
    target = TARGETS[to]
    if rows != "scores" and rows not in target.rows:
        choices = [name for name, each in TARGETS.items() if each.rows]
        raise UsageError(f"--rows {rows} is for {', '.join(choices)}, not for {to}")
    if bom is not None and to != "csv":
        raise UsageError(f"--bom and --no-bom are for csv, not for {to}")
    options = {} if bom is None else {"bom": bom}
    place = output if output is not None else Path(target.default.format(run=stored.run.id))
    module, _, function = target.writer.partition(":")
    write: Writer = getattr(importlib.import_module(module), function)
    try:
        return write(stored, place, rows, **options)
    except OSError as error:
        raise StoreError(f"cannot write {place}: {error.strerror or error}") from error


def check_cells(stored: StoredRun, to: str) -> Sequence[str]:
    """The cells whose samples are there. Raises UsageError when there are none: the format lives of them."""
    there = stored.slugs()
    slugs = [cell.slug for cell in stored.run.cells if cell.slug in there and cell.counts.samples]
    if not slugs:
        raise UsageError(f"run {stored.run.id} has no samples, and {to} needs them")
    return slugs
