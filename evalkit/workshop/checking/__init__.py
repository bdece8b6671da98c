"""Proof that a task is sound: its file, data, prompts, metrics and stated chance, one finding for each."""

from __future__ import annotations

from evalkit.workshop.checking.check import CheckOptions, check_task, check_tasks
from evalkit.workshop.checking.findings import Finding, Status, TaskFindings

__all__ = ["CheckOptions", "Finding", "Status", "TaskFindings", "check_task", "check_tasks"]
