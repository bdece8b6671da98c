"""Ratings -> page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.comparing.arena.battles import Battle
from evalkit.comparing.arena.ratings import Rated, Ratings
from evalkit.pages.environment import Page, render_page
from evalkit.pages.formats import UNKNOWN
from evalkit.pages.translations import AUTO
from evalkit.store.folders import write_private

_SHOWN = 40
"""Battles that the page shows with the judge's reasons."""
_CLIPPED = 600
_MATRIX = 40
"""Models up to which the table of all pairs is shown."""


def write(
    ratings: Ratings, battles: Sequence[Battle], path: Path, *, lang: str = AUTO, board: Path | None = None
) -> Path:
    """The path of the page, written; `board` is the leaderboard's page, to link to."""
    link = None if board is None else os.path.relpath(board, path.parent)
    write_private(path, render(ratings, battles, lang=lang, board=link).encode())
    return path


def render(ratings: Ratings, battles: Sequence[Battle], *, lang: str = AUTO, board: str | None = None) -> str:
    """The ratings as one HTML document that opens from disk."""
    ends = [end for row in ratings.models for end in (row.interval or ())]
    ends += [row.rating for row in ratings.models if row.rating is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    names = [row.model for row in ratings.models]
    context: dict[str, Any] = {
        "ratings": ratings,
        "rows": [_row(row, low, high) for row in ratings.models],
        "axis": (f"{low:.0f}", f"{high:.0f}"),
        "several": len({row.group for row in ratings.models}) > 1,
        "controlled": any(row.length_controlled is not None for row in ratings.models),
        "matrix": _matrix(ratings, names) if len(names) <= _MATRIX else [],
        "names": names,
        "pairs": [pair for pair in ratings.pairs if pair.win_rate >= 50.0],
        "reasons": [
            {
                "prompt": battle.prompt,
                "a": battle.a,
                "b": battle.b,
                "verdict": battle.verdict or UNKNOWN,
                "why": (battle.reasoning or "")[:_CLIPPED],
            }
            for battle in battles
            if battle.reasoning
        ][:_SHOWN],
        "board": board,
    }
    return render_page(Page("arena.html", lang, context))


def _row(row: Rated, low: float, high: float) -> dict[str, Any]:
    span = max(high - low, 1e-9)

    def place(value: float) -> float:
        return round(100.0 * (value - low) / span, 2)

    band = None
    if row.rating is not None:
        ends = row.interval or (None, None)
        start = None if ends[0] is None else place(ends[0])
        width = None if ends[0] is None or ends[1] is None else round(place(ends[1]) - place(ends[0]), 2)
        band = {"at": round(min(98.4, max(0.0, place(row.rating) - 0.8)), 2), "low": start, "width": width}
    rank = UNKNOWN
    if row.rank is not None:
        rank = f"{row.rank[0]}" if row.rank[0] == row.rank[1] else f"{row.rank[0]}–{row.rank[1]}"
    return {
        "model": row.model,
        "rank": rank,
        "group": row.group + 1,
        "rating": UNKNOWN if row.rating is None else f"{row.rating:.0f}",
        "sort": row.rating,
        "interval": "" if row.interval is None else f"{row.interval[0]:.0f}–{row.interval[1]:.0f}",
        "band": band,
        "controlled": UNKNOWN if row.length_controlled is None else f"{row.length_controlled:.0f}",
        "controlled_sort": row.length_controlled,
        "win_rate": UNKNOWN if row.win_rate is None else f"{row.win_rate:.1f} %",
        "win_sort": row.win_rate,
        "counts": f"{row.wins} / {row.ties} / {row.losses}",
        "n": row.n,
    }


def _matrix(ratings: Ratings, names: Sequence[str]) -> list[dict[str, Any]]:
    """Each model against each other: win rate, its heat, and the numbers behind it."""
    rows = []
    for model in names:
        cells: list[dict[str, Any] | None] = []
        for other in names:
            pair = ratings.pair(model, other)
            if pair is None:
                cells.append(None)
                continue
            cells.append(
                {
                    "value": f"{pair.win_rate:.0f}",
                    "heat": round(8 * pair.win_rate / 100.0),
                    "counts": f"{pair.wins} / {pair.ties} / {pair.losses}",
                    "n": pair.n,
                }
            )
        rows.append({"model": model, "cells": cells})
    return rows
