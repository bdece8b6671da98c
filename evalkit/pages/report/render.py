"""Run -> page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from evalkit.core.records import CellResult, Run, SampleResult
from evalkit.pages.environment import Page, render_page
from evalkit.pages.formats import UNKNOWN, interval, score, visible
from evalkit.pages.redaction import redact_results, redact_task
from evalkit.pages.report.cells import blocks, is_reference
from evalkit.pages.report.charts import draw_task, label_names, pace
from evalkit.pages.report.observed import MAX_OBSERVED, Observed
from evalkit.pages.report.tables import FORMS, write_table
from evalkit.pages.shards import Shard, ShardCell, build_shard
from evalkit.pages.tasks import TaskPanel
from evalkit.pages.translations import AUTO
from evalkit.store.folders import StoredRun, write_private


def write(
    run: StoredRun,
    path: str | Path | None = None,
    *,
    lang: str = AUTO,
    samples: bool = True,
    redact: bool = False,
) -> Path:
    """The path of the page, written there; report.html in the run's folder when none is given."""
    path = run.folder / "report.html" if path is None else Path(path)
    write_private(path, render(run, lang=lang, samples=samples, redact=redact).encode())
    return path


def render(run: StoredRun, *, lang: str = AUTO, samples: bool = True, redact: bool = False) -> str:
    """The run as one HTML document, with its samples unless they are to be left out.

    With `redact`, the texts of prompts, answers, targets, reasoning and judges are left out of it.
    """
    record = _without_templates(run.run) if redact else run.run
    observed = {cell.slug: Observed(run.run.tasks[cell.task], cell) for cell in record.cells}
    shards = _shards(run, observed, samples=samples, redact=redact)
    cells = record.cells
    found = blocks(run, with_samples=samples)
    paces, pace_ends = pace(record, observed)
    context: dict[str, Any] = {
        "run": record,
        "title": visible(record.name or record.id),
        "git": _git(record),
        "counts": {
            "models": len({cell.model for cell in cells}),
            "tasks": len({cell.task for cell in cells}),
            "variants": len({(cell.task, cell.variant) for cell in cells}),
            "samples": sum(cell.counts.samples for cell in cells),
            "errors": sum(cell.counts.errors for cell in cells),
            "unscored": sum(cell.counts.unscored for cell in cells),
            "cached": sum(cell.counts.cached for cell in cells),
        },
        "cost": _known_sum([cell.cost_usd for cell in cells]),
        "cost_is_part": any(cell.cost_usd is None for cell in cells),
        "cost_cached": _known_sum([cell.cost_cached_usd for cell in cells if cell.counts.cached]),
        "tokens_in": _known_sum([cell.usage.input for cell in cells]),
        "tokens_out": _known_sum([cell.usage.output for cell in cells]),
        "temperature": _temperature(record),
        "judged": [(cell, metric, use) for cell in cells for metric, use in cell.judges.items()],
        "judge_cost": _known_sum([use.cost_usd for cell in cells for use in cell.judges.values()]),
        "blocks": found,
        "charts": {
            block.info.name: draw_task(
                block.info,
                [group.variant for group in block.groups],
                [observed[row.cell.slug] for group in block.groups for row in group.rows],
            )
            for block in found
        },
        "label_names": lambda matrix: label_names(matrix, redact),
        "most_observed": MAX_OBSERVED,
        "paces": paces,
        "pace_ends": pace_ends,
        "groups": _groups(record),
        "redacted": redact,
        "forms": list(FORMS) if cells else [],
        "rows": [
            (model, is_reference(record, model))
            for model in dict.fromkeys(
                cell.model for cell in sorted(cells, key=lambda c: is_reference(record, c.model))
            )
        ],
        "tasks": [
            TaskPanel.of(info, [cell for cell in cells if cell.task == name])
            for name, info in record.tasks.items()
        ],
        "models": list(record.models.values()),
        "notes": [(cell, note) for cell in cells for note in cell.notes],
        "problems": list(record.errors.items()),
    }
    data = {
        "page": "report",
        "shards": [
            {
                "task": shard.task,
                "variant": shard.variant,
                "models": list(shard.models),
                "n": shard.n_samples,
                "more": shard.n_left_out,
            }
            for shard in shards
        ],
    }
    files = {f"table.{form}": write_table(run, form, found).encode() for form in FORMS} if cells else {}
    return render_page(Page("report.html", lang, context, data, shards, files, ("report",), ("report",)))


def _shards(run: StoredRun, observed: Mapping[str, Observed], *, samples: bool, redact: bool) -> list[Shard]:
    """One shard for each task and variant, in the order of the run's tasks and prompts; none without samples.

    Every result is read once, and looked at by `observed` on its way.
    """
    shards = []
    for task, variant in dict.fromkeys((cell.task, cell.variant) for cell in run.run.cells):
        cells = [cell for cell in run.run.cells if cell.task == task and cell.variant == variant]
        streams = [_results(run, cell, observed[cell.slug]) for cell in cells]
        if samples:
            parts = [
                ShardCell(
                    model=cell.model,
                    headline=run.run.tasks[task].headline,
                    metrics=cell.metrics,
                    results=redact_results(stream) if redact else stream,
                    n_results=cell.counts.samples,
                )
                for cell, stream in zip(cells, streams, strict=True)
            ]
            shards.append(build_shard(f"{task}\0{variant}", task, variant, parts))
        for stream in streams:
            for _ in stream:  # what the shard left
                pass
    return shards


def _results(run: StoredRun, cell: CellResult, observed: Observed) -> Iterator[SampleResult]:
    """The results of a cell, as many as charts are drawn from."""
    if cell.counts.samples:
        yield from observed.watch(islice(run.samples(cell.slug), MAX_OBSERVED))


def _without_templates(run: Run) -> Run:
    """The run without the texts of its prompts; their digests stay in its cells."""
    tasks = {name: redact_task(info) for name, info in run.tasks.items()}
    return replace(run, tasks=tasks)


def _groups(run: Run) -> list[dict[str, Any]]:
    """The means over groups of tasks: a row for each group and variant, a value for each model."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for group in run.groups:
        row = rows.setdefault((group.group, group.variant), {"group": group, "values": {}})
        value = group.value
        row["values"][group.model] = {
            "value": score(value.value, value.scale),
            "interval": interval(value.interval, value.scale) if value.interval else "",
            "n": value.n,
        }
    return list(rows.values())


def _known_sum(values: list[float | None] | list[int | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _temperature(run: Run) -> str:
    found = {str(cell.params["temperature"]) for cell in run.cells if "temperature" in cell.params}
    return ", ".join(sorted(found)) if found else UNKNOWN


def _git(run: Run) -> str:
    if not run.git or not run.git.get("commit"):
        return UNKNOWN
    return visible(str(run.git["commit"])[:10] + ("+" if run.git.get("dirty") else ""))
