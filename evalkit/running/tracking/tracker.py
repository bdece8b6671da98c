"""The interface of a tracker, trackers by name, and all of a run's trackers as one."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from evalkit.core.distribution import install_command
from evalkit.core.errors import UsageError, did_you_mean
from evalkit.core.records import CellResult
from evalkit.core.redaction import redact
from evalkit.running.tracking.numbers import measure_progress
from evalkit.store.folders import StoredRun

ENTRY_POINTS = "evalkit.trackers"
TRACKERS = {
    "mlflow": ("evalkit.running.tracking.mlflow_store:MlflowTracker", "mlflow"),
    "wandb": ("evalkit.running.tracking.wandb_run:WandbTracker", "wandb"),
    "otel": ("evalkit.running.tracking.spans:SpanTracker", "otel"),
}
"""Name -> module:class, and the extra of evalkit that installs what it needs."""


class Tracker(Protocol):
    """Somebody who follows a run. What a method raises never costs the run its results."""

    def run_started(self, facts: dict[str, Any]) -> None:
        """The run is about to ask; `facts` are its models, tasks, prompts, seed and limit."""

    def cell_finished(self, stored: StoredRun, cell: CellResult) -> None:
        """A cell has all its results: said within some seconds while the run goes on, else at its end.

        A tracker may also have `run_progressed(numbers)`: every few seconds it is told how far the run is
        (see `measure_progress`).
        """

    def run_finished(self, stored: StoredRun) -> None:
        """The run is over and stands in its folder; its status says how it ended."""


def find_trackers(names: Sequence[str]) -> list[tuple[str, Tracker]]:
    """The trackers of these names. Raises UsageError for an unknown one, or where a library is missing."""
    return [(name, _make(name)) for name in dict.fromkeys(names)]


def _make(name: str) -> Tracker:
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    factory: Callable[[], Tracker]
    try:
        if name in points:
            factory = points[name].load()
        elif name in TRACKERS:
            module, _, attribute = TRACKERS[name][0].partition(":")
            factory = getattr(importlib.import_module(module), attribute)
        else:
            known = [*TRACKERS, *points]
            raise UsageError(f"no tracker {name!r}.{did_you_mean(name, known)} There are: {', '.join(known)}")
        return factory()
    except ImportError as error:
        extra = TRACKERS[name][1] if name in TRACKERS else None
        cure = f"; install it with: {install_command(extra)}" if extra else ""
        raise UsageError(
            f"tracker {name!r} needs {error.name or error}, which is not installed{cure}"
        ) from error


class Tracking:
    """All trackers of a run as one: a failure of one is noted, and does not touch the others or the run."""

    def __init__(self, trackers: Sequence[tuple[str, Tracker]]) -> None:
        self._trackers = list(trackers)
        self._told: set[tuple[str, str]] = set()
        """Tracker and slug of the cells that it has taken."""
        self._turn = threading.Lock()  # a run is followed in a thread, which may outlast it by a moment

    def __bool__(self) -> bool:
        """Whether anybody follows."""
        return bool(self._trackers)

    def start(self, facts: dict[str, Any]) -> None:
        """The run begins. Raises UsageError where a tracker cannot be reached: nothing was spent yet."""
        for name, tracker in self._trackers:
            try:
                tracker.run_started(facts)
            except UsageError:
                raise
            except Exception as error:
                raise UsageError(f"tracker {name!r} cannot begin: {_words(error)}") from error

    def follow(self, stored: StoredRun, planned: Mapping[str, int]) -> None:
        """Tell of the run as it stands; `planned` has the results of each cell by slug. Never raises: what a
        tracker did not take is told again at the end."""
        whole = {cell.slug for cell in stored.run.cells if cell.counts.samples >= planned[cell.slug]}
        numbers = measure_progress(stored.run, sum(planned.values()))
        with self._turn:
            for name, tracker in self._trackers:
                progressed = getattr(tracker, "run_progressed", None)
                with contextlib.suppress(Exception):
                    self._tell_cells(name, tracker, stored, whole)
                    if progressed is not None:
                        progressed(numbers)

    def finish(self, stored: StoredRun) -> None:
        """The run is over; what went wrong stands in the run's notes."""
        with self._turn:
            for name, tracker in self._trackers:
                try:
                    self._tell_cells(name, tracker, stored, {cell.slug for cell in stored.run.cells})
                    tracker.run_finished(stored)
                except Exception as error:
                    stored.notes.append(
                        f"tracker {name!r} did not take the run, which is complete: {_words(error)}"
                    )

    def _tell_cells(self, name: str, tracker: Tracker, stored: StoredRun, slugs: set[str]) -> None:
        for cell in stored.run.cells:
            if cell.slug in slugs and (name, cell.slug) not in self._told:
                tracker.cell_finished(stored, cell)
                self._told.add((name, cell.slug))


def _words(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}")
