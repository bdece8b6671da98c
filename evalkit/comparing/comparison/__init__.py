"""Comparison: cells of runs side by side, paired by sample."""

from __future__ import annotations

from evalkit.comparing.comparison.builder import BY, compare
from evalkit.comparing.comparison.records import By, CellName, Change, Comparison, Difference, Refusal, Slice
from evalkit.comparing.findings.definitions import tasks_of

__all__ = [
    "BY",
    "By",
    "CellName",
    "Change",
    "Comparison",
    "Difference",
    "Refusal",
    "Slice",
    "compare",
    "tasks_of",
]
