"""A run as tables: csv, jsonl and parquet of all scores or samples; Markdown and LaTeX of the headlines."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from evalkit.core.records import CellResult, Run
from evalkit.interop.exports import Rows
from evalkit.pages import formats
from evalkit.pages.leaderboard.exports import neutralise
from evalkit.running.grouping import with_group_rows
from evalkit.store.folders import StoredRun, write_private


def write_csv(stored: StoredRun, path: Path, rows: Rows, *, bom: bool = True) -> list[Path]:
    """One line a score or a sample; texts that a spreadsheet would run are made text.

    `bom` is the byte order mark without which Excel takes UTF-8 for another encoding.
    """
    table = _table(stored, rows)
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow([neutralise(name) for name in table])
    for row in zip(*table.values(), strict=True):
        writer.writerow([neutralise(_flat(value)) for value in row])
    write_private(path, sink.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    return [path]


def write_jsonl(stored: StoredRun, path: Path, rows: Rows) -> list[Path]:
    """One object a score or a sample; what is unknown is null."""
    table = _table(stored, rows)
    lines = (
        orjson.dumps(dict(zip(table, row, strict=True)), default=str, option=orjson.OPT_APPEND_NEWLINE)
        for row in zip(*table.values(), strict=True)
    )
    write_private(path, b"".join(lines))
    return [path]


def write_parquet(stored: StoredRun, path: Path, rows: Rows) -> list[Path]:
    """One row a score or a sample, for pandas, polars, DuckDB."""
    frame = stored.to_pandas(rows)
    sink = io.BytesIO()
    frame.to_parquet(sink, index=False)
    write_private(path, sink.getvalue())
    return [path]


def _table(stored: StoredRun, rows: Rows) -> Mapping[str, Sequence[Any]]:
    """Column -> its values, None where one is missing."""
    frame = stored.to_pandas(rows)
    return {
        str(name): [None if value is None or value != value else value for value in frame[name].tolist()]
        for name in frame.columns
    }


def _flat(value: Any) -> Any:
    if isinstance(value, list | dict):
        return orjson.dumps(value, default=str).decode()
    return "" if value is None else value


def write_markdown(stored: StoredRun, path: Path, rows: Rows) -> list[Path]:
    """Models down, tasks across, with 95 % intervals."""
    head, body = _headlines(with_group_rows(stored.run, all_tasks=True))
    lines = [
        "| " + " | ".join(map(_markdown, head)) + " |",
        "| " + " | ".join(["---"] + ["---:"] * (len(head) - 1)) + " |",
        *("| " + " | ".join(map(_markdown, row)) + " |" for row in body),
        "",
        _markdown(_caption(stored.run)),
    ]
    write_private(path, ("\n".join(lines) + "\n").encode())
    return [path]


def write_latex(stored: StoredRun, path: Path, rows: Rows) -> list[Path]:
    """The same as a table of LaTeX's booktabs."""
    head, body = _headlines(with_group_rows(stored.run, all_tasks=True))
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{_latex(_caption(stored.run))}}}",
        "  \\begin{tabular}{l" + "r" * (len(head) - 1) + "}",
        "    \\toprule",
        "    " + " & ".join(map(_latex, head)) + " \\\\",
        "    \\midrule",
        *("    " + " & ".join(map(_latex, row)) + " \\\\" for row in body),
        "    \\bottomrule",
        "  \\end{tabular}",
        "\\end{table}",
    ]
    write_private(path, ("\n".join(lines) + "\n").encode())
    return [path]


def _headlines(run: Run) -> tuple[list[str], list[list[str]]]:
    columns = list(dict.fromkeys((cell.task, cell.variant) for cell in run.cells))
    several = len({task for task, _ in columns}) < len(columns)
    cells = {(cell.model, cell.task, cell.variant): cell for cell in run.cells}
    head = ["model"]
    for task, variant in columns:
        metric = run.tasks[task].headline if task in run.tasks else ""
        head.append(f"{task} · {variant} ({metric})" if several else f"{task} ({metric})")
    models = dict.fromkeys(cell.model for cell in run.cells)
    body = [
        [model, *(_score(cells.get((model, *column)), run.tasks[column[0]].headline) for column in columns)]
        for model in models
    ]
    return head, body


def _score(cell: CellResult | None, headline: str) -> str:
    value = cell.metrics.get(headline) if cell is not None else None
    if cell is None or value is None or value.value is None:
        return formats.UNKNOWN
    spread = f" [{formats.interval(value.interval, value.scale)}]" if value.interval else ""
    lost = f" ({cell.counts.unscored} unscored)" if cell.counts.unscored else ""
    return f"{formats.score(value.value, value.scale)}{spread}{lost}"


def _caption(run: Run) -> str:
    told = {run.tasks[cell.task].n_samples for cell in run.cells if cell.task in run.tasks}
    sizes = sorted(n for n in told if n is not None)
    n = f"n = {sizes[0]}" if len(sizes) == 1 else f"n = {sizes[0]} to {sizes[-1]}" if sizes else ""
    words = [f"evalkit {run.version}", f"run {run.id}", run.status, n, "95 % intervals in brackets"]
    return " · ".join(word for word in words if word)


def _markdown(text: str) -> str:
    """A text that stays text in a cell of a table, links and markup of HTML too."""
    text = formats.visible(text).replace("\n", " ")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}|!#\[\]])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "…": r"\ldots{}",
    "·": r"\textperiodcentered{}",
    "–": "--",
    "−": "$-$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def _latex(text: str) -> str:
    """A text that stays text in LaTeX."""
    return "".join(_LATEX.get(character, character) for character in formats.visible(text).replace("\n", " "))
