"""Runs as pandas frames, one row a score or one row a sample; and as a small table for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from evalkit.core.records import CellResult, Run, SampleResult, flatten, known_n
from evalkit.pages import formats

Cells = Iterable[tuple[CellResult, Iterable[SampleResult]]]


def make_score_frame(run: Run) -> Any:
    """A frame with one row for each metric of each cell, in the order of the run.

    `value`, `stderr`, `low` and `high` are on the metric's own `scale`; what is unknown is missing, never 0.
    The first metric of a task is its `headline`.
    """
    import pandas as pd

    rows = []
    for cell in run.cells:
        for place, (name, value) in enumerate(cell.metrics.items()):
            low, high = value.interval or (None, None)
            rows.append(
                {
                    "model": cell.model,
                    "task": cell.task,
                    "variant": cell.variant,
                    "mode": cell.mode,
                    "num_fewshot": cell.num_fewshot,
                    "repeats": cell.repeats,
                    "metric": name,
                    "headline": place == 0,
                    "value": value.value,
                    "stderr": value.stderr,
                    "low": low,
                    "high": high,
                    "interval_method": value.interval_method,
                    "n": known_n(value),
                    "higher_is_better": value.higher_is_better,
                    "scale": value.scale,
                    "signature": value.signature,
                    "samples": cell.counts.samples,
                    "scored": cell.counts.scored,
                    "unscored": cell.counts.unscored,
                    "no_answer": cell.counts.no_answer,
                    "refused": cell.counts.refused,
                    "truncated": cell.counts.truncated,
                    "errors": cell.counts.errors,
                    "cached": cell.counts.cached,
                    "input_tokens": cell.usage.input,
                    "output_tokens": cell.usage.output,
                    "cost_usd": cell.cost_usd,
                    "latency_mean_s": cell.latency.mean,
                    "latency_p95_s": cell.latency.p95,
                    "prompt_digest": cell.prompt_digest,
                    "data_digest": cell.data_digest,
                    "run": run.id,
                }
            )
    return to_floats(
        pd.DataFrame(rows),
        ("value", "stderr", "low", "high", "cost_usd", "latency_mean_s", "latency_p95_s"),
    )


def to_floats(frame: Any, columns: Iterable[str]) -> Any:
    """The frame with these columns as floats: a column of nothing but None would else hold objects."""
    for name in columns:
        if name in frame:
            frame[name] = frame[name].astype(float)
    return frame


def make_sample_frame(cells: Cells) -> Any:
    """A frame with one row for each sample and repeat, and a column `score.NAME` for each metric.

    Scores that are not there (unscored, or a metric of the corpus) are missing. `prompt` is the conversation
    as one text.
    """
    import pandas as pd

    return pd.DataFrame([_sample_row(cell, result) for cell, results in cells for result in results])


def _sample_row(cell: CellResult, result: SampleResult) -> dict[str, Any]:
    response = result.response
    row: dict[str, Any] = {
        "model": cell.model,
        "task": cell.task,
        "variant": cell.variant,
        "sample_id": result.sample_id,
        "repeat": result.repeat,
        "prompt": flatten(result.messages) or None,
        "target": list(result.target),
        "answer": result.answer,
        "status": response.status,
        "unscored_reason": result.unscored_reason,
        "text": response.text,
        "reasoning": response.reasoning,
        "input_tokens": response.usage.input,
        "output_tokens": response.usage.output,
        "cost_usd": response.cost_usd,
        "latency_s": response.latency_s,
        "retries": response.retries,
        "from_cache": response.from_cache,
    }
    return row | {f"score.{name}": score for name, score in result.scores.items()}


def make_plain_table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str, n_left: int) -> str:
    """An HTML table of texts, all escaped, without script or style; `n_left` columns are aligned left."""
    left, right = "text-align:left", "text-align:right"
    aligned = [left] * n_left + [right] * (len(heads) - n_left)

    def line(tag: str, texts: Sequence[str]) -> str:
        cells = zip(texts, aligned, strict=True)
        return "".join(
            f"<{tag} style='{side}'>{escape(formats.visible(text))}</{tag}>" for text, side in cells
        )

    above = f"<caption style='{left}'>{escape(formats.visible(caption))}</caption>" if caption else ""
    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table>{above}<thead><tr>{line('th', heads)}</tr></thead><tbody>{body}</tbody></table>"


def make_table(run: Run) -> str:
    """The run's headline scores as an HTML table without script or style sheet; all its text is escaped."""
    models = list(dict.fromkeys(cell.model for cell in run.cells))
    rows = list(dict.fromkeys((cell.task, cell.variant) for cell in run.cells))
    cells = {(cell.task, cell.variant, cell.model): cell for cell in run.cells}
    head = "".join(
        f"<th>{escape(formats.visible(name))}</th>" for name in ("task", "prompt", "metric", *models)
    )
    lines = []
    for task, variant in rows:
        here = [cells.get((task, variant, model)) for model in models]
        metrics = [next(iter(cell.metrics)) for cell in here if cell is not None and cell.metrics]
        words = (task, variant, metrics[0] if metrics else formats.UNKNOWN)
        line = "".join(f"<td style='text-align:left'>{escape(formats.visible(word))}</td>" for word in words)
        lines.append(f"<tr>{line}{''.join(_score_cell(cell) for cell in here)}</tr>")
    caption = escape(f"{run.id} · {run.status} · 95 % intervals")
    return (
        f"<table><caption style='text-align:left'>{caption}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


def _score_cell(cell: CellResult | None) -> str:
    if cell is None or not cell.metrics:
        return f"<td>{formats.UNKNOWN}</td>"
    value = next(iter(cell.metrics.values()))
    score = formats.score(value.value, value.scale)
    spread = f" <small>[{formats.interval(value.interval, value.scale)}]</small>" if value.interval else ""
    lost = cell.counts.unscored
    note = f" <small>{lost} unscored</small>" if lost else ""
    return f"<td style='text-align:right'>{escape(score)}{spread}{note}</td>"
