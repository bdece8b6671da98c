"""Differences as people read them: points, percent, verdicts in words."""

from __future__ import annotations

import math

from evalkit.comparing.comparison.records import CellName, Difference
from evalkit.core.records import Scale


def pair_name(base: CellName, other: CellName, by: str) -> str:
    """base → other, in what they are compared by, with what both have in common."""
    if by == "prompt":
        return f"{other.task} · {other.model}: {base.variant} → {other.variant}"
    if by == "model":
        return f"{other.task} · {other.variant}: {base.model} → {other.model}"
    return f"{other.task} · {other.variant} · {other.model}: {base.run} → {other.run}"


def change(value: float | None, scale: Scale, is_ratio: bool) -> str:
    """A difference with its sign: +2.1 (points), or +1.3 % where it is a ratio; a dash when unknown."""
    if value is None:
        return "–"
    text = _number(value, scale, is_ratio)
    sign = "+" if text.strip("0.") else ""
    return f"{sign}{text}" if value >= 0 else text.replace("-", "−")


def span(interval: tuple[float, float] | None, scale: Scale, is_ratio: bool) -> str:
    """An interval of a difference: −2.0…+3.1."""
    if interval is None:
        return "–"
    return "…".join(change(end, scale, is_ratio) for end in interval)


def amount(value: float, scale: Scale, is_ratio: bool) -> str:
    """A size without sign and unit: 3.1, 2 %, 0.4."""
    return _number(abs(value), scale, is_ratio)


def size(value: float | None, scale: Scale, is_ratio: bool) -> str:
    """A size without a sign, with its unit: 3.1 points, 2 %, 0.4."""
    if value is None:
        return "–"
    text = _number(abs(value), scale, is_ratio)
    return text if is_ratio or scale == "unbounded" else f"{text} points"


def probability(p: float | None) -> str:
    """A p-value: 0.031, or <0.001."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def outcome(difference: Difference) -> str:
    """better, worse, not separable; cannot tell where nothing valid exists, untested below two units."""
    if difference.p_adjusted is None:
        return "untested" if difference.why is None else "cannot tell"
    return {True: "better", False: "worse", None: "not separable"}[difference.better]


def method_sentence(difference: Difference) -> str:
    """Why nothing can be told, or what an approximation takes for granted; empty for the others."""
    if difference.why is not None:
        return f"cannot tell: {difference.why}"
    if difference.reach is None:
        return ""
    most = size(difference.reach, difference.scale, difference.is_ratio)
    return f"approximate: holds while no sample moves the difference by more than {most}"


def power_sentence(difference: Difference) -> str:
    """What the comparison could have seen, and how many samples would show 3 points; empty when unknown."""
    if difference.mde is None or difference.p_adjusted is None:
        return ""
    could = size(difference.mde, difference.scale, difference.is_ratio)
    text = f"at n = {difference.n} a difference of {could} would be found with power 0.8"
    if difference.n_for_3_points is None:
        return text
    return f"{text}; to see 3 points it needs n = {difference.n_for_3_points:,}"


def _number(value: float, scale: Scale, is_ratio: bool) -> str:
    if is_ratio:
        return f"{100 * math.expm1(value):.1f} %"
    if scale == "unbounded":
        return f"{value:.4g}"
    return f"{value * (100 if scale == 'fraction' else 1):.1f}"
