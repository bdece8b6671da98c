"""Runs in Weights & Biases: one run with a table of all scores, and each cell's numbers in its summary.

WANDB_PROJECT says where (default `evalkit`), WANDB_MODE=offline keeps everything on disk. Code, environment,
console and machine statistics are not recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import wandb

from evalkit.core.records import CellResult
from evalkit.running.tracking.numbers import describe_cell, describe_run, measure_cell
from evalkit.store.folders import StoredRun


class WandbTracker:
    """Writes one run through wandb's own library."""

    def __init__(self) -> None:
        self._run: Any = None
        self._rows: list[dict[str, Any]] = []

    def run_started(self, facts: dict[str, Any]) -> None:
        """Open the run, so that a missing login is told before anything is spent."""
        settings = wandb.Settings(
            console="off",
            disable_git=True,
            disable_code=True,
            save_code=False,
            x_disable_stats=True,
            x_save_requirements=False,
            silent=True,
        )
        project = os.environ.get("WANDB_PROJECT", "evalkit")
        self._run = wandb.init(project=project, job_type="evaluation", config=facts, settings=settings)

    def cell_finished(self, stored: StoredRun, cell: CellResult) -> None:
        """The cell's numbers as task/variant/model/name, and a row of the table."""
        numbers = measure_cell(cell)
        place = f"{cell.task}/{cell.variant}/{cell.model}"
        self._run.summary.update({f"{place}/{name}": number for name, number in numbers.items()})
        self._rows.append({**describe_cell(stored.run, cell), **numbers})

    def run_progressed(self, numbers: dict[str, float]) -> None:
        """A step of the run."""
        self._run.log(numbers)

    def run_finished(self, stored: StoredRun) -> None:
        """Write the table and close the run."""
        columns: list[str | int] = list(dict.fromkeys(name for row in self._rows for name in row))
        table: list[Iterable[Any]] = [[row.get(str(name)) for name in columns] for row in self._rows]
        self._run.log({"cells": wandb.Table(columns=columns, data=table, allow_mixed_types=True)})
        self._run.config.update(describe_run(stored.run), allow_val_change=True)
        self._run.finish(exit_code=0 if stored.run.status == "complete" else 1)
