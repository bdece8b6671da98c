"""The progress of a run on stderr: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from evalkit.pages.terminal.console import visible
from evalkit.running.executors.local import LocalExecutor
from evalkit.running.planning import Plan

_LINE_EVERY_S = 10.0
_REDRAW_EVERY_S = 0.1


class ProgressBar:
    """A watcher that shows how far a run is, how fast, what it costs and what fails."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._executor: LocalExecutor | None = None
        self._total = 0
        self._started = time.monotonic()
        self._shown = self._started

    def start(self, plan: Plan, executor: LocalExecutor) -> None:
        """Show the empty bar."""
        self._executor = executor
        self._total = plan.n_requests
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=self._total, state="")
        self._bar.start()

    def update(self) -> None:
        """Show the new state, at most ten times a second."""
        now = time.monotonic()
        if now - self._shown < (_REDRAW_EVERY_S if self._bar else _LINE_EVERY_S):
            return
        self._shown = now
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done(), state=self._state())
        else:
            click.echo(f"{self._done():,} of {self._total:,} · {self._state()}", err=True)

    def _done(self) -> int:
        return self._executor.progress.done if self._executor else 0

    def _state(self) -> str:
        executor = self._executor
        if executor is None:
            return ""
        progress = executor.progress
        elapsed = max(time.monotonic() - self._started, 1e-9)
        parts = [f"{progress.done / elapsed:,.0f}/s"]
        if executor.budget.spent:
            parts.append(f"${executor.budget.spent:.4f}")
        for count, name in (
            (progress.in_flight, "in flight"),
            (progress.cached, "cached"),
            (progress.retries, "retried"),
            (progress.errors, "failed"),
        ):
            if count:
                parts.append(f"{count:,} {name}")
        return " · ".join(parts)

    def interrupt(self, n_in_flight: int) -> None:
        """Say that the run stops, and how to stop it at once."""
        self._print(f"Stopping: {n_in_flight} calls in flight are finished; Ctrl-C again stops at once.")

    def stopped(self, model: str, why: str) -> None:
        """Say which model is given up, and why."""
        self._print(f"{model} is not asked any more: {why}")

    def _print(self, message: str) -> None:
        """Print a line above the bar, what came from outside made harmless."""
        message = visible(message)
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False)
        else:
            click.echo(message, err=True)

    def finish(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
