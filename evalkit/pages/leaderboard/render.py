"""Board -> page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.collection import pause_collection
from evalkit.core.records import ModelFacts, Run, SampleResult
from evalkit.pages.environment import Page, render_page
from evalkit.pages.formats import UNKNOWN, visible
from evalkit.pages.leaderboard.arena import Arena, arena_panel
from evalkit.pages.leaderboard.board import ALL, DEFAULT_VIEW, Board, Column, Entry
from evalkit.pages.leaderboard.build import build
from evalkit.pages.leaderboard.exports import board_csv, board_json
from evalkit.pages.leaderboard.panels import (
    floorless_columns,
    inseparable_columns,
    method_panels,
    unpaired_columns,
)
from evalkit.pages.leaderboard.payload import page_data
from evalkit.pages.leaderboard.rows import COSTS, HEALTH, Surroundings, cell_parts, parameters, standing_parts
from evalkit.pages.redaction import redact_panels, redact_results
from evalkit.pages.shards import Shard, ShardCell, build_shard
from evalkit.pages.tasks import permalink
from evalkit.pages.translations import AUTO
from evalkit.store.folders import StoredRun, write_private

PAGE_FILE = "index.html"
SCRIPTS = (
    "board_data",
    "board_statistics",
    "board_standings",
    "board_state",
    "board_table",
    "board_grid",
    "board_card",
    "board_controls",
    "board_exports",
    "board_charts",
    "board_panels",
    "board",
)
MAX_ROWS = 100
"""Models that the table shows without a script, at most."""
MAX_CELLS = 2_000
"""Scores that it shows, where tasks are many: a browser takes longer to read them than to draw them anew."""
LEAST_ROWS = 20
"""Models that it shows, however many tasks there are."""
MAX_RUNS = 200
"""Runs that the page lists, newest first."""
MAX_FILES = 4_000_000
"""Bytes of leaderboard.json and leaderboard.csv that the page carries; larger ones stand beside it."""


def write(
    runs: Sequence[StoredRun],
    folder: str | Path,
    lang: str = AUTO,
    *,
    samples: bool = True,
    facts: Mapping[str, ModelFacts] | None = None,
    redact: bool = False,
    arena: Arena | None = None,
) -> Path:
    """The path of the page, written into `folder` with leaderboard.json and leaderboard.csv beside it.

    With `redact`, the texts of prompts, answers, targets, reasoning and judges are left out of it.
    """
    folder = Path(folder)
    with pause_collection():
        board = build(runs, facts, arena)
        files = {"leaderboard.csv": board_csv(board).encode(), "leaderboard.json": board_json(board)}
        page = render(board, lang=lang, samples=samples, folder=folder, files=files, redact=redact)
    for name, content in files.items():
        write_private(folder / name, content)
    write_private(folder / PAGE_FILE, page.encode())
    return folder / PAGE_FILE


def render(
    board: Board,
    *,
    lang: str = AUTO,
    samples: bool = True,
    folder: Path | None = None,
    files: Mapping[str, bytes] | None = None,
    redact: bool = False,
) -> str:
    """The board as one HTML document.

    With samples, the answers behind each number are in it; without, numbers link to the report of their
    run where there is one, seen from `folder`. The table stands in it whole up to `MAX_ROWS` models; the
    script, which has all the numbers, shows the others.
    """
    n_rows = min(MAX_ROWS, max(LEAST_ROWS, MAX_CELLS // len(board.columns)))
    shards = _shards(board, redact) if samples else []
    held = {shard.id for shard in shards}
    links = _report_links(board, folder)
    standings = board.standings[DEFAULT_VIEW, ALL]
    ranked = [standing for standing in standings if standing.rank is not None]
    leaders = [standing.model for standing in ranked if standing.rank is not None and standing.rank[0] == 1]
    cells = [entry.cell for entry in board.entries.values()]
    costs = [cell.cost_usd for cell in cells if cell.cost_usd is not None]
    kept = files or {}
    if sum(map(len, kept.values())) > MAX_FILES:
        kept = {}
    context: dict[str, Any] = {
        "kept": sorted(kept),
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
        "cost": sum(costs) if costs else None,
        "cost_is_part": 0 < len(costs) < len(cells),
        "unfinished": [run for run in board.runs if run.status != "complete"],
        "views": board.views,
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
        "rows": _rows(board, n_rows, held, links),
        "n_hidden": max(0, len(board.models) - n_rows),
        "unpaired": unpaired_columns(board),
        "inseparable": inseparable_columns(board),
        "floorless": floorless_columns(board),
        "tasks": redact_panels(method_panels(board)) if redact else method_panels(board),
        "runs": [
            {"record": run, "git": _git(run), "link": links[run.id]} for run in board.runs[::-1][:MAX_RUNS]
        ],
        "arena": _arena(board, folder),
        "n_more_runs": max(0, len(board.runs) - MAX_RUNS),
    }
    data = page_data(board, links, _shard_list(shards))
    if redact:
        data = {**data, "slices": []}  # they are named by values of the samples' metadata
    page = Page("leaderboard.html", lang, context, data, shards, kept, SCRIPTS, ("board",))
    return render_page(page)


def _rows(board: Board, n_rows: int, held: set[str], links: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """The first models with their standings and cells, as the template shows them."""
    standings = board.standings[DEFAULT_VIEW, ALL][:n_rows]
    around = [Surroundings.of(board, column, column.variants[0]) for column in board.columns]
    rows = []
    for place, standing in enumerate(standings):
        model = standing.model
        cells = []
        for column, surroundings in zip(board.columns, around, strict=True):
            entry = board.entry(model, column)
            link = None if entry is None else _link(entry, column, held, links)
            cells.append(None if entry is None else cell_parts(entry, surroundings, link))
        rows.append(
            {
                "model": model,
                "title": _title(board, model),
                "about": {
                    "size": "" if (size := board.facts[model].size) is None else parameters(size),
                    "weights": board.facts[model].weights or "",
                },
                "reference": model in board.reference,
                "standing": standing_parts(standing, place),
                "cells": cells,
            }
        )
    return rows


def _link(entry: Entry, column: Column, held: set[str], links: Mapping[str, str | None]) -> str | None:
    """The way to the samples of a cell: on this page, else in the report of its run, else none."""
    if f"{column.id}\0{entry.cell.variant}" in held:
        return f"#s={permalink(column.id, entry.cell.variant)}"
    report = links[entry.source.run.id]
    return None if report is None else f"{report}#s={permalink(entry.cell.task, entry.cell.variant)}"


def _shards(board: Board, redact: bool = False) -> list[Shard]:
    shards: list[Shard] = []
    for column in board.columns:
        for variant in column.variants:
            cells = [
                ShardCell(
                    model=model,
                    headline=column.headline,
                    metrics=entry.cell.metrics,
                    results=redact_results(_results(entry)) if redact else _results(entry),
                    n_results=entry.cell.counts.samples,
                )
                for model in board.models
                if (entry := board.entries.get((model, column.id, variant))) is not None
            ]
            shards.append(build_shard(f"{column.id}\0{variant}", column.id, variant, cells))
    return shards


def _results(entry: Entry) -> Iterator[SampleResult]:
    if entry.cell.counts.samples and entry.cell.slug in entry.source.slugs():
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


def _report_links(board: Board, folder: Path | None) -> dict[str, str | None]:
    """The way from the page to the report of each run; None where there is no report."""
    folders = {entry.source.run.id: entry.source.folder for entry in board.entries.values()}
    links: dict[str, str | None] = {}
    root = None if folder is None else os.path.realpath(folder)
    for run in board.runs:
        report = None if run.id not in folders else folders[run.id] / "report.html"
        links[run.id] = None
        if root is not None and report is not None and report.is_file():
            links[run.id] = _relative(report, root)
    return links


def _arena(board: Board, folder: Path | None) -> dict[str, Any] | None:
    if board.arena is None:
        return None
    page = board.arena.page
    link = None if folder is None or page is None else _relative(page, os.path.realpath(folder))
    return arena_panel(board.arena, {model: place for place, model in enumerate(board.models)}, link)


def _relative(file: Path, root: str) -> str:
    """The way from a folder to a file, as a link has it."""
    return "/".join(_quote(part) for part in Path(os.path.relpath(os.path.realpath(file), root)).parts)


def _quote(part: str) -> str:
    from urllib.parse import quote

    return quote(part, safe="")


def _title(board: Board, model: str) -> str:
    info = board.infos.get(model)
    return visible(model if info is None or info.route == model else f"{model} = {info.route}")


def _dates(runs: Sequence[Run]) -> str:
    days = sorted({visible(run.created[:10]) for run in runs})
    return days[0] if len(days) == 1 else f"{days[0]} … {days[-1]}"


def _git(run: Run) -> str:
    if not run.git or not run.git.get("commit"):
        return UNKNOWN
    return visible(str(run.git["commit"])[:10] + ("+" if run.git.get("dirty") else ""))
