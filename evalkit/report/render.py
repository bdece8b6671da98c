"""Run -> page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.pages import Page, Shard, build_shard, render_page
from evalkit.pages.formats import UNKNOWN, visible
from evalkit.pages.shards import ShardCell
from evalkit.pages.tasks import TaskPanel
from evalkit.records import CellResult, Run, SampleResult
from evalkit.report.cells import blocks, is_reference
from evalkit.store import StoredRun, write_private


def write(run: StoredRun, path: str | Path | None = None, *, lang: str = "en", samples: bool = True) -> Path:
    """The path of the page, written there; report.html in the run's folder when none is given."""
    path = run.folder / "report.html" if path is None else Path(path)
    write_private(path, render(run, lang=lang, samples=samples).encode())
    return path


def render(run: StoredRun, *, lang: str = "en", samples: bool = True) -> str:
    """The run as one HTML document, with its samples unless they are to be left out."""
    record = run.run
    shards = _shards(run) if samples else []
    cells = record.cells
    found = blocks(run, with_samples=samples)
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
    return render_page(Page("report.html", lang, context, data, shards))


def _shards(run: StoredRun) -> list[Shard]:
    """One shard for each task and variant, in the order of the run's tasks and prompts."""
    places = dict.fromkeys((cell.task, cell.variant) for cell in run.run.cells)
    return [
        build_shard(
            f"{task}\0{variant}",
            task,
            variant,
            [
                _shard_cell(run, cell)
                for cell in run.run.cells
                if cell.task == task and cell.variant == variant
            ],
        )
        for task, variant in places
    ]


def _shard_cell(run: StoredRun, cell: CellResult) -> ShardCell:
    return ShardCell(
        model=cell.model,
        headline=run.run.tasks[cell.task].headline,
        metrics=cell.metrics,
        results=_results(run, cell),
        n_results=cell.counts.samples,
    )


def _results(run: StoredRun, cell: CellResult) -> Iterator[SampleResult]:
    if cell.counts.samples:
        yield from run.samples(cell.slug)


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
