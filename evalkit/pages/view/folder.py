"""A folder of runs as pages, made when they are asked for: a list, a report for each run, the leaderboard."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from evalkit.core.errors import StoreError
from evalkit.core.records import ModelFacts
from evalkit.pages import formats, leaderboard, report
from evalkit.pages.environment import Page, render_page
from evalkit.pages.translations import AUTO
from evalkit.store.folders import RUN_FILE, SAMPLES_FOLDER, StoredRun, list_runs, load_run, load_runs

LIST, BOARD, REPORT = "", "leaderboard.html", "report.html"
"""Names of pages: the list and the leaderboard of the folder, and the report below each run's name."""


@dataclass(frozen=True)
class Shown:
    """A page as it is now."""

    html: str
    going_on: bool
    """Whether what it shows is still changing: a run is under way."""


class RunFolder:
    """The pages of a folder; each is made anew when what it shows has changed. Threads may share it."""

    def __init__(
        self,
        root: Path,
        lang: str = AUTO,
        facts: Mapping[str, ModelFacts] | None = None,
        workspace: Path | None = None,
    ) -> None:
        """`facts` are those of models that runs do not tell; `workspace` may hold ratings of an arena."""
        self.root = root
        self._workspace = workspace
        self._lang = lang
        self._facts = facts
        self._made: dict[str, tuple[Any, Shown]] = {}
        self._making = threading.Lock()

    def page(self, run: str, name: str) -> Shown | None:
        """The page of this name, of a run where one is named; None when there is none. Raises StoreError."""
        folders = {folder.name: folder for folder in list_runs(self.root)}
        if run:
            if name != REPORT or run not in folders:
                return None
            seen = [folders[run]]
        elif name in (LIST, BOARD):
            seen = list(folders.values())
        else:
            return None
        stamp: list[Any] = [(folder.name, *_stamps(folder)) for folder in seen]
        if name == BOARD and self._workspace is not None:
            stamp.append(_stamp(leaderboard.ratings_file(self._workspace)))
        key = f"{run}/{name}"
        with self._making:  # two tabs that ask at once make a page once
            known = self._made.get(key)
            if known is None or known[0] != stamp:
                known = (stamp, self._make(seen, run, name))
                self._made[key] = known
        return known[1]

    def _make(self, folders: list[Path], run: str, name: str) -> Shown:
        if run:
            stored = load_run(folders[0])
            return Shown(report.render(stored, lang=self._lang), _going_on(stored))
        runs, notes = load_runs(self.root)
        going_on = any(_going_on(stored) for stored in runs)
        if name == LIST:
            return Shown(self._list(runs, notes), going_on)
        begun = [stored for stored in runs if stored.run.cells]
        if not begun:
            raise StoreError("no run has results yet")
        arena = None if self._workspace is None else leaderboard.find_arena(self._workspace)
        board = leaderboard.build(begun, self._facts, arena)
        return Shown(leaderboard.render(board, lang=self._lang), going_on)

    def _list(self, runs: list[StoredRun], notes: list[str]) -> str:
        context = {
            "folder": formats.visible(str(self.root)),
            "rows": [_row(stored) for stored in reversed(runs)],
            "notes": [formats.visible(note) for note in notes],
            "board": BOARD if any(stored.run.cells for stored in runs) else None,
        }
        return render_page(Page("view.html", self._lang, context))


def _going_on(stored: StoredRun) -> bool:
    return stored.run.status == "running"


def _row(stored: StoredRun) -> dict[str, Any]:
    run = stored.run
    return {
        "id": run.id,
        "link": f"{quote(stored.folder.name)}/{REPORT}",
        "status": run.status,
        "created": run.created,
        "models": list(run.models),
        "tasks": list(run.tasks),
        "samples": formats.count(sum(cell.counts.samples for cell in run.cells)),
        "errors": sum(cell.counts.errors for cell in run.cells),
        "cost": formats.dollars(_sum([cell.cost_usd for cell in run.cells])),
    }


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _stamps(folder: Path) -> tuple[int, ...]:
    """What changes when the run's record does, or a file of samples."""
    return tuple(_stamp(file) for file in (folder / RUN_FILE, folder / SAMPLES_FOLDER))


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
