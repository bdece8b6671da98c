"""The arena on the leaderboard: ratings from battles, as `evalkit arena` writes them into ratings.json.

They stand beside the scores and never enter the overall score: they come from other comparisons, have a scale
of their own, and are of all battles, whatever tasks and models a reader chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from evalkit.core.errors import StoreError
from evalkit.pages.formats import UNKNOWN

RATINGS_FILE = "ratings.json"
SCHEMA = 1
"""The version of ratings.json that is read."""


@dataclass(frozen=True, slots=True)
class ArenaRow:
    """A model's standing in the arena."""

    model: str
    rating: float | None
    """Bradley-Terry strength on Elo's scale, mean 1000; None where nothing connects it with the others."""
    interval: tuple[float, float] | None
    """95 %, clustered by prompt; None when undefined."""
    rank: tuple[int, int] | None
    """The places that it may hold, all models at once at 95 %; None without a rating."""
    group: int
    """Ratings compare within a group only."""
    length_controlled: float | None
    """The rating with the effect of length taken out; None where lengths are unknown."""
    win_rate: float | None
    """Per cent of battles won, ties half; None where no battle has an outcome."""
    n: int
    """Battles with an outcome."""
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class Arena:
    """What the battles told."""

    models: tuple[ArenaRow, ...]
    """Best first within its group."""
    judges: tuple[str, ...]
    n_battles: int
    n_prompts: int
    n_open: int
    """Battles without a verdict: left out, never a loss."""
    notes: tuple[str, ...]
    page: Path | None = None
    """The arena's own page; None when there is none."""

    def as_dict(self) -> dict[str, Any]:
        """The ratings as JSON values, without the place of their page."""
        return {name: value for name, value in _fields(self).items() if name != "page"}

    @property
    def several(self) -> bool:
        """Whether there is more than one group, so that not all ratings compare."""
        return len({row.group for row in self.models}) > 1


def read_arena(path: Path) -> Arena:
    """The ratings in a file, or in the ratings.json of a folder. Raises StoreError."""
    from pydantic import TypeAdapter, ValidationError

    file = path / RATINGS_FILE if path.is_dir() else path
    try:
        content = orjson.loads(file.read_bytes())
    except OSError as error:
        raise StoreError(
            f"no ratings at {file} ({error.strerror}); make them with: evalkit arena RUN --judge MODEL"
        ) from error
    except orjson.JSONDecodeError as error:
        raise StoreError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != "arena":
        raise StoreError(f"{file} holds no ratings of `evalkit arena`")
    if content.get("schema") != SCHEMA:
        raise StoreError(f"{file} has schema {content.get('schema')}, this evalkit reads {SCHEMA}")
    try:
        arena: Arena = TypeAdapter(Arena).validate_python({**content, "page": None})
    except ValidationError as error:
        problem = error.errors()[0]
        raise StoreError(f"{file}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error
    page = file.with_name("index.html")
    return Arena(**{**_fields(arena), "page": page if page.is_file() else None})


def find_arena(root: Path) -> Arena | None:
    """The ratings of a workspace, in its folder `arena`; None when there are none. Raises StoreError."""
    file = ratings_file(root)
    return read_arena(file) if file.is_file() else None


def ratings_file(root: Path) -> Path:
    """Where `evalkit arena` writes the ratings of a workspace."""
    return root / "arena" / RATINGS_FILE


def _fields(arena: Arena) -> dict[str, Any]:
    return {name: getattr(arena, name) for name in Arena.__slots__}


def arena_data(arena: Arena, index: Mapping[str, int]) -> dict[str, Any]:
    """What the script needs: a list for each model on the board that has battles."""
    return {
        "several": arena.several,
        "models": [
            [
                index[row.model],
                row.rating,
                *(row.interval or (None, None)),
                row.rank,
                row.group + 1,
                row.length_controlled,
                row.win_rate,
                [row.wins, row.ties, row.losses],
            ]
            for row in arena.models
            if row.model in index
        ],
    }


def arena_panel(arena: Arena, on_board: Mapping[str, int], link: str | None) -> dict[str, Any]:
    """The panel below the table, as the template shows it."""
    ends = [end for row in arena.models for end in (row.interval or ())]
    ends += [row.rating for row in arena.models if row.rating is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return {
        "link": link,
        "judges": ", ".join(arena.judges) or UNKNOWN,
        "arena": arena,
        "axis": (f"{low:.0f}", f"{high:.0f}"),
        "controlled": any(row.length_controlled is not None for row in arena.models),
        "rows": [
            {
                "row": row,
                "here": row.model in on_board,
                "rank": UNKNOWN if row.rank is None else rank_of(row.rank),
                "rating": whole(row.rating),
                "interval": "" if row.interval is None else "–".join(map(whole, row.interval)),
                "controlled": whole(row.length_controlled),
                "band": _band(row, low, max(high - low, 1e-9)),
            }
            for row in arena.models
        ],
    }


def whole(value: float | None) -> str:
    """A rating without decimal places."""
    return UNKNOWN if value is None else f"{value:.0f}"


def rank_of(rank: tuple[int, int]) -> str:
    """A rank set: 2, or 1–3."""
    return str(rank[0]) if rank[0] == rank[1] else f"{rank[0]}–{rank[1]}"


def _band(row: ArenaRow, low: float, span: float) -> dict[str, float | None] | None:
    """Where a rating and its interval lie on the axis, in hundredths."""
    if row.rating is None:
        return None

    def place(value: float) -> float:
        return round(100.0 * (value - low) / span, 2)

    at = round(min(98.4, max(0.0, place(row.rating) - 0.8)), 2)
    if row.interval is None:
        return {"at": at, "low": None, "width": None}
    start, end = map(place, row.interval)
    return {"at": at, "low": start, "width": round(end - start, 2)}
