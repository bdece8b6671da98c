"""Board -> page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.leaderboard.board import ALL, DEFAULT_VIEW, Board, Column, Entry
from evalkit.leaderboard.build import build
from evalkit.leaderboard.exports import board_csv, board_json
from evalkit.leaderboard.panels import method_panels, pair_rows, variant_tables
from evalkit.leaderboard.rows import COSTS, HEALTH, Surroundings, cell_parts, standing_parts
from evalkit.leaderboard.scatter import Quantity, scatter
from evalkit.pages import Page, Shard, build_shard, render_page
from evalkit.pages.formats import UNKNOWN, visible
from evalkit.pages.shards import ShardCell
from evalkit.pages.tasks import permalink
from evalkit.records import Run, SampleResult
from evalkit.store import StoredRun, write_private

PAGE_FILE = "index.html"


def write(runs: Sequence[StoredRun], folder: str | Path, lang: str = "en", *, samples: bool = True) -> Path:
    """The path of the page, written into `folder` with leaderboard.json and leaderboard.csv beside it."""
    folder = Path(folder)
    board = build(runs)
    page = render(board, lang=lang, samples=samples, folder=folder)
    write_private(folder / "leaderboard.json", board_json(board))
    write_private(folder / "leaderboard.csv", board_csv(board).encode())
    write_private(folder / PAGE_FILE, page.encode())
    return folder / PAGE_FILE


def render(board: Board, *, lang: str = "en", samples: bool = True, folder: Path | None = None) -> str:
    """The board as one HTML document.

    With samples, the answers behind each number are in it; without, numbers link to the report of their
    run where there is one, seen from `folder`.
    """
    shards = _shards(board) if samples else []
    held = {shard.id for shard in shards}
    links = {run.id: _report_link(board, run, folder) for run in board.runs}
    first = {standing.model: standing for standing in board.standings[DEFAULT_VIEW, ALL]}
    views = [_cells(board, view, held, links) for view in board.views]
    standings = [[_standings(board, view, facet.id) for facet in board.facets] for view in board.views]
    rows = [
        {
            "model": model,
            "title": _title(board, model),
            "search": _title(board, model).lower(),
            "reference": model in board.reference,
            "standing": standing,
            "cells": cells,
        }
        for model, standing, cells in zip(board.models, standings[0][0], views[0], strict=True)
    ]
    leaders = [
        standing.model
        for standing in board.standings[DEFAULT_VIEW, ALL]
        if standing.rank is not None and standing.rank[0] == 1
    ]
    ranked = [standing for standing in first.values() if standing.rank is not None]
    quantities: tuple[Quantity, ...] = ("cost", "latency")
    plots = [plot for quantity in quantities if (plot := scatter(list(first.values()), quantity))]
    cells = [entry.cell for entry in board.entries.values()]
    context: dict[str, Any] = {
        "leaders": leaders[:4] if len(ranked) > 1 else [],
        "only": ranked[0].model if len(ranked) == 1 else None,
        "n_more_leaders": max(0, len(leaders) - 4),
        "counts": {
            "models": len(board.models),
            "tasks": len({column.task for column in board.columns}),
            "samples": sum(cell.counts.samples for cell in cells),
            "runs": len(board.runs),
            "errors": sum(cell.counts.errors for cell in cells),
        },
        "dates": _dates(board.runs),
        "versions": ", ".join(sorted({visible(run.version) for run in board.runs})),
        "cost": sum(known) if (known := [c.cost_usd for c in cells if c.cost_usd is not None]) else None,
        "unfinished": [run for run in board.runs if run.status != "complete"],
        "views": board.views,
        "facets": board.facets,
        "columns": [
            {
                "id": column.id,
                "headline": column.headline,
                "higher": column.higher_is_better,
                "averaged": column.id in board.common[DEFAULT_VIEW, ALL],
                "n": column.n,
            }
            for column in board.columns
        ],
        "health": HEALTH,
        "costs": COSTS,
        "has_cost": bool(plots) or any(s.latency_s is not None for s in first.values()),
        "rows": rows,
        "scatters": plots,
        "sensitivity": variant_tables(board),
        "pairs": pair_rows(board),
        "tasks": method_panels(board),
        "runs": [{"record": run, "git": _git(run), "link": links[run.id]} for run in board.runs],
    }
    data = {
        "page": "leaderboard",
        "columns": [{"id": column.id, "task": column.task} for column in board.columns],
        "views": list(board.views),
        "common": [
            [_indices(board, board.common[view, facet.id]) for facet in board.facets] for view in board.views
        ],
        "facets": [[facet.id, _indices(board, facet.columns)] for facet in board.facets],
        "models": list(board.models),
        "cells": views,
        "standings": [[[parts.for_script() for parts in row] for row in view] for view in standings],
        "shards": _shard_list(shards),
    }
    files = {"leaderboard.csv": board_csv(board).encode(), "leaderboard.json": board_json(board)}
    return render_page(Page("leaderboard.html", lang, context, data, shards, files, ("board",)))


def _cells(
    board: Board, view: str, held: set[str], links: dict[str, str | None]
) -> list[list[dict[str, Any] | None]]:
    """The cells of a view, model by model, as the template and the script show them."""
    columns = [
        None
        if (variant := board.variant(column, view)) is None
        else (Surroundings.of(board, column, variant), variant)
        for column in board.columns
    ]
    rows: list[list[dict[str, Any] | None]] = []
    for model in board.models:
        row: list[dict[str, Any] | None] = []
        for place in columns:
            entry = None if place is None else board.entries.get((model, place[0].column.id, place[1]))
            if place is None or entry is None:
                row.append(None)
            else:
                row.append(cell_parts(entry, place[0], _link(entry, place[0].column, held, links)))
        rows.append(row)
    return rows


def _link(entry: Entry, column: Column, held: set[str], links: dict[str, str | None]) -> str | None:
    """The way to the samples of a cell: on this page, else in the report of its run, else none."""
    if f"{column.id}\0{entry.cell.variant}" in held:
        return f"#s={permalink(column.id, entry.cell.variant)}"
    report = links[entry.source.run.id]
    return None if report is None else f"{report}#s={permalink(entry.cell.task, entry.cell.variant)}"


def _standings(board: Board, view: str, facet: str) -> list[Any]:
    parts = {
        standing.model: standing_parts(standing, place)
        for place, standing in enumerate(board.standings[view, facet])
    }
    return [parts[model] for model in board.models]


def _shards(board: Board) -> list[Shard]:
    shards: list[Shard] = []
    for column in board.columns:
        for variant in column.variants:
            cells = [
                ShardCell(
                    model=model,
                    headline=column.headline,
                    metrics=entry.cell.metrics,
                    results=_results(entry),
                    n_results=entry.cell.counts.samples,
                )
                for model in board.models
                if (entry := board.entries.get((model, column.id, variant))) is not None
            ]
            shards.append(build_shard(f"{column.id}\0{variant}", column.id, variant, cells))
    return shards


def _results(entry: Entry) -> Iterator[SampleResult]:
    if entry.cell.counts.samples:
        yield from entry.source.samples(entry.cell.slug)


def _shard_list(shards: Sequence[Shard]) -> list[dict[str, Any]]:
    return [
        {
            "task": shard.task,
            "variant": shard.variant,
            "models": list(shard.models),
            "n": shard.n_samples,
            "more": shard.n_left_out,
        }
        for shard in shards
    ]


def _report_link(board: Board, run: Run, folder: Path | None) -> str | None:
    """The way from the page to the report of a run; None when there is no report."""
    source = next((entry.source for entry in board.entries.values() if entry.source.run.id == run.id), None)
    if folder is None or source is None:
        return None
    report = source.folder / "report.html"
    if not report.is_file():
        return None
    relative = os.path.relpath(report.resolve(), folder.resolve())
    return "/".join(_quote(part) for part in Path(relative).parts)


def _quote(part: str) -> str:
    from urllib.parse import quote

    return quote(part, safe="")


def _title(board: Board, model: str) -> str:
    info = board.infos.get(model)
    return visible(model if info is None or info.route == model else f"{model} = {info.route}")


def _indices(board: Board, ids: Sequence[str]) -> list[int]:
    wanted = set(ids)
    return [index for index, column in enumerate(board.columns) if column.id in wanted]


def _dates(runs: Sequence[Run]) -> str:
    days = sorted({visible(run.created[:10]) for run in runs})
    return days[0] if len(days) == 1 else f"{days[0]} … {days[-1]}"


def _git(run: Run) -> str:
    if not run.git or not run.git.get("commit"):
        return UNKNOWN
    return visible(str(run.git["commit"])[:10] + ("+" if run.git.get("dirty") else ""))
