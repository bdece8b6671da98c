"""Figures as the terminal shows them, and the console that prints their tables."""

from __future__ import annotations

from typing import Any

from evalkit.core.records import MetricValue
from evalkit.pages.terminal.text import width


def make_console() -> Any:
    """A console as wide as the terminal that takes every text for text."""
    from rich.console import Console

    return Console(width=width(), highlight=False, markup=False, emoji=False)


def format_value(value: MetricValue | None) -> str:
    """A score as a reader takes it in: fractions in percent, unknown as a dash."""
    if value is None or value.value is None:
        return "–"
    if value.scale == "fraction":
        return f"{100 * value.value:.1f}"
    return f"{value.value:.1f}" if value.scale == "percent" else f"{value.value:.4g}"


def format_interval(value: MetricValue | None, *, short: bool = False) -> str:
    """The 95 % interval in the unit of `format_value`, or half its width; empty when undefined."""
    if value is None or value.interval is None:
        return ""
    low, high = value.interval
    factor = 100 if value.scale == "fraction" else 1
    half = abs(factor * (high - low) / 2)
    if value.scale == "unbounded":
        if short:
            # Below the fourth digit of the score, which is the last one shown, there is nothing.
            half = half if value.value is None or half >= abs(value.value) * 5e-5 else 0.0
            return f"±{half:.2g}" if half < 10 else f"±{half:.0f}"
        return f"{factor * low:.4g}–{factor * high:.4g}"
    # As exact as the score beside it where the interval is narrow.
    digits = 1 if half < 1 else 0
    if short:
        return f"±{half:.{digits}f}"
    return f"{factor * low:.{digits}f}–{factor * high:.{digits}f}"


def format_manner(value: MetricValue | None) -> str:
    """How the likelihoods behind a number came about, where they are no ordinary ones; else empty."""
    if value is None or value.value is None:
        return ""
    return value.signature.partition("|likelihoods:")[2].partition("|")[0]
