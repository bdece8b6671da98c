"""What a check found out of a task: one finding for each property that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["error", "warning", "ok"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One property of a task, and whether it holds."""

    check: str
    """The property in one or two words: file, data, ids, oracle, chance, ..."""
    status: Status
    """error: numbers of the task cannot be trusted; warning: worth a look, or not checked; ok: it holds."""
    message: str
    """What was found, with numbers, and where something is wrong how to mend it."""


@dataclass(frozen=True, slots=True)
class TaskFindings:
    """All findings of one task."""

    task: str
    """The task's name."""
    file: Path
    """Its task.yaml."""
    group: str | None
    """The name that the tasks of its matrix share; None without a matrix."""
    findings: tuple[Finding, ...]
    """In the order in which they were looked at."""

    @property
    def status(self) -> Status:
        """The gravest status among the findings."""
        found = {finding.status for finding in self.findings}
        return "error" if "error" in found else "warning" if "warning" in found else "ok"

    def of(self, check: str) -> Finding | None:
        """The finding on this property; None when it was not looked at."""
        return next((finding for finding in self.findings if finding.check == check), None)

    def as_dict(self) -> dict[str, Any]:
        """The findings as JSON values."""
        return {
            "task": self.task,
            "file": str(self.file),
            "status": self.status,
            "findings": [
                {"check": finding.check, "status": finding.status, "message": finding.message}
                for finding in self.findings
            ],
        }


def ok(check: str, message: str) -> Finding:
    """A property that holds."""
    return Finding(check, "ok", message)


def warning(check: str, message: str) -> Finding:
    """A property that is worth a look, or that could not be checked."""
    return Finding(check, "warning", message)


def error(check: str, message: str) -> Finding:
    """A property that does not hold."""
    return Finding(check, "error", message)


def some(names: list[str], most: int = 3) -> str:
    """The first of these names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
