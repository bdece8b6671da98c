"""Runs in MLflow: one parent, and a nested run for each cell with its settings and numbers.

MLFLOW_TRACKING_URI says where (a folder, sqlite:///FILE, a server), MLFLOW_EXPERIMENT_NAME under what name;
default `evalkit`. run.json is kept as an artifact.
"""

from __future__ import annotations

import os
import re
from typing import Any

from mlflow.tracking import MlflowClient

from evalkit.core.records import CellResult
from evalkit.running.tracking.numbers import describe_cell, describe_run, measure_cell
from evalkit.store.folders import RUN_FILE, StoredRun

_LONGEST = 500
"""Characters of a parameter; MLflow takes 6000."""


class MlflowTracker:
    """Writes to the tracking store through MLflow's client, without a global active run."""

    def __init__(self) -> None:
        self._client = MlflowClient()
        self._experiment = ""
        self._parent = ""

    def run_started(self, facts: dict[str, Any]) -> None:
        """Open the parent run, so that a store that cannot be reached is told before anything is spent."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "evalkit")
        found = self._client.get_experiment_by_name(name)
        self._experiment = found.experiment_id if found is not None else self._client.create_experiment(name)
        self._parent = self._client.create_run(self._experiment, tags={"evalkit": "run"}).info.run_id
        self._log(self._parent, facts, {})

    def cell_finished(self, stored: StoredRun, cell: CellResult) -> None:
        """A nested run with the cell's settings and numbers."""
        name = f"{cell.task} · {cell.variant} · {cell.model}"
        tags = {"mlflow.parentRunId": self._parent, "mlflow.runName": name, "evalkit": "cell"}
        signatures = {f"signature.{_name(key)}": value.signature for key, value in cell.metrics.items()}
        run = self._client.create_run(self._experiment, tags={**tags, **signatures}).info.run_id
        self._log(run, describe_cell(stored.run, cell), measure_cell(cell))
        self._client.set_terminated(run, "FINISHED" if cell.counts.scored else "FAILED")

    def run_progressed(self, numbers: dict[str, float]) -> None:
        """A step of the parent run."""
        for key, number in numbers.items():
            self._client.log_metric(self._parent, key, number, step=int(numbers["progress.results"]))

    def run_finished(self, stored: StoredRun) -> None:
        """Close the parent run."""
        self._client.set_tag(self._parent, "mlflow.runName", stored.run.id)
        for key, value in describe_run(stored.run).items():
            self._client.set_tag(self._parent, f"evalkit.{key}", str(value)[:_LONGEST])
        self._client.log_artifact(self._parent, str(stored.folder / RUN_FILE))
        status = {"complete": "FINISHED", "interrupted": "KILLED"}.get(stored.run.status, "FAILED")
        self._client.set_terminated(self._parent, status)

    def _log(self, run: str, settings: dict[str, Any], numbers: dict[str, float]) -> None:
        for key, value in settings.items():
            self._client.log_param(run, _name(key), str(value)[:_LONGEST])
        for key, number in numbers.items():
            self._client.log_metric(run, _name(key), number)


def _name(name: str) -> str:
    """The name in the characters that MLflow allows."""
    return re.sub(r"[^A-Za-z0-9_\-. /]", "_", name).strip("/ ") or "_"
