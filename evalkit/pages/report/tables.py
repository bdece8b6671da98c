"""The main table of a report for other documents: Markdown, LaTeX (booktabs) and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from evalkit.core.records import known_n
from evalkit.pages.formats import UNKNOWN, count, visible
from evalkit.pages.report.cells import Block, blocks
from evalkit.store.folders import StoredRun

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "∞": r"$\infty$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


@dataclass(frozen=True)
class _Line:
    """A task and variant with the cells of all models; None where a model has none."""

    name: str
    metric: str
    arrow: str
    n: str
    cells: tuple[tuple[str, str, bool] | None, ...]
    """(value, interval, whether it is among the best)."""


def write_table(run: StoredRun, form: str, found: Sequence[Block] | None = None) -> str:
    """The run's headline scores with intervals, tasks by models, in one of `FORMS`; the best group is bold.

    CSV has a line for each cell, with numbers as they are.
    """
    return FORMS[form](run, blocks(run, with_samples=False) if found is None else found)


def _lines(found: Sequence[Block], models: Sequence[str]) -> list[_Line]:
    lines = []
    for block in found:
        for group in block.groups:
            rows = [block.cell(model, group.variant) for model in models]
            several = len(block.groups) > 1
            lines.append(
                _Line(
                    f"{block.info.name} · {group.variant}" if several else block.info.name,
                    block.headline,
                    "↑" if block.higher else "↓",
                    count(block.info.n_samples),
                    tuple(None if row is None else (row.value, row.interval, row.best) for row in rows),
                )
            )
    return lines


def _models(run: StoredRun) -> list[str]:
    return list(dict.fromkeys(cell.model for cell in run.run.cells))


def _markdown(run: StoredRun, found: Sequence[Block]) -> str:
    models = _models(run)
    heads = ["task", "metric", "n", *models]
    lines = [
        "| " + " | ".join(_escape_markdown(head) for head in heads) + " |",
        "| --- | --- |" + " ---: |" * (1 + len(models)),
    ]
    for line in _lines(found, models):
        cells = []
        for cell in line.cells:
            if cell is None:
                cells.append(UNKNOWN)
                continue
            value = f"**{cell[0]}**" if cell[2] else cell[0]
            cells.append(f"{value} ({cell[1]})" if cell[1] else value)
        name, metric = _escape_markdown(line.name), _escape_markdown(f"{line.metric} {line.arrow}")
        lines.append(f"| {name} | {metric} | {line.n} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _latex(run: StoredRun, found: Sequence[Block]) -> str:
    models = _models(run)
    rows = []
    for line in _lines(found, models):
        cells = []
        for cell in line.cells:
            if cell is None:
                cells.append("--")
                continue
            value = _escape_latex(cell[0])
            value = rf"\textbf{{{value}}}" if cell[2] else value
            cells.append(rf"{value} {{\scriptsize {_escape_latex(cell[1])}}}" if cell[1] else value)
        head = f"{_escape_latex(line.name)} & {_escape_latex(f'{line.metric} {line.arrow}')} & {line.n}"
        rows.append(" & ".join([head, *cells]) + r" \\")
    heads = " & ".join(["task", "metric", "$n$", *(_escape_latex(model) for model in models)])
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}; small: 95 % intervals; bold: no model is proven better",
            rf"\begin{{tabular}}{{ll{'r' * (1 + len(models))}}}",
            r"\toprule",
            rf"{heads} \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _csv(run: StoredRun, found: Sequence[Block]) -> str:
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(_COLUMNS)
    for block in found:
        for group in block.groups:
            for row in group.rows:
                metric, counts = row.cell.metrics.get(block.headline), row.cell.counts
                low, high = (None, None) if metric is None or not metric.interval else metric.interval
                lines.writerow(
                    [
                        neutral(row.cell.model),
                        neutral(block.info.name),
                        neutral(group.variant),
                        neutral(block.headline),
                        None if metric is None else metric.value,
                        low,
                        high,
                        None if metric is None else known_n(metric),
                        int(row.best),
                        counts.samples,
                        counts.errors,
                        counts.refused,
                        counts.truncated,
                        counts.no_answer,
                        counts.unscored,
                        row.cell.cost_usd,
                        row.cell.latency.p50,
                        row.cell.latency.p95,
                        "" if metric is None else neutral(metric.signature),
                    ]
                )
    return out.getvalue()


_COLUMNS = (
    "model",
    "task",
    "variant",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "best",
    "samples",
    "errors",
    "refused",
    "truncated",
    "no_answer",
    "unscored",
    "cost_usd",
    "latency_p50_s",
    "latency_p95_s",
    "signature",
)

FORMS: Mapping[str, Callable[[StoredRun, Sequence[Block]], str]] = MappingProxyType(
    {"markdown": _markdown, "latex": _latex, "csv": _csv}
)
"""Form -> how it is written."""


def neutral(text: str) -> str:
    """The text so that a spreadsheet takes it for text, its controls written out."""
    shown = _flat(text)
    return f"'{shown}" if shown.lstrip()[:1] in tuple("=+-@＝") else shown


def _flat(text: str) -> str:
    """The text in one line, its controls written out."""
    return re.sub(r"\s+", " ", visible(text))


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", _flat(text))


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in _flat(text))
