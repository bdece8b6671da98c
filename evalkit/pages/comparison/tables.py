"""Comparisons in Python: as a frame, as lines of text, and as the table that a notebook shows."""

from __future__ import annotations

from typing import Any

from evalkit.comparing.comparison.records import Comparison, Difference
from evalkit.pages.comparison.wording import change, outcome, pair_name, probability, span
from evalkit.pages.formats import score
from evalkit.pages.frames import make_plain_table, to_floats

_HEADS = ("base → other", "metric", "base", "other", "diff", "95 %", "p (Holm)", "won/tied/lost", "n", "")
_COLUMNS = (
    "task",
    "base_model",
    "base_variant",
    "base_run",
    "other_model",
    "other_variant",
    "other_run",
    "metric",
    "base_value",
    "other_value",
    "difference",
    "low",
    "high",
    "p",
    "p_adjusted",
    "outcome",
    "n",
    "n_missing",
    "wins",
    "ties",
    "losses",
    "method",
    "reach",
    "mde",
    "scale",
    "is_ratio",
    "higher_is_better",
    "signature",
)


def make_frame(found: Comparison) -> Any:
    """A frame with one row for each difference: both cells, values, difference, interval, p and counts.

    Values are on the metric's own `scale`; `difference` is turned so that + is better, and is a logarithm
    where `is_ratio`. What is unknown is missing, never 0.
    """
    import pandas as pd

    frame = pd.DataFrame([_frame_row(item) for item in found.differences], columns=list(_COLUMNS))
    return to_floats(
        frame, ("base_value", "other_value", "difference", "low", "high", "p", "p_adjusted", "reach", "mde")
    )


def make_html(found: Comparison) -> str:
    """The differences as an HTML table without script or style sheet; all its text is escaped."""
    caption = f"compared by {found.by}, paired by sample; 95 % intervals; {_summary(found)}"
    rows = [_row(item, found.by) for item in found.differences]
    for refusal in found.refusals:
        name = pair_name(refusal.base, refusal.other, found.by)
        rows.append((name, refusal.metric or "–", "–", "–", "–", "–", "–", "–", "–", refusal.reason))
    return make_plain_table(_HEADS, rows, caption, n_left=2)


def make_text(found: Comparison) -> str:
    """A line for each difference and each pair that was refused, below one line that counts them."""
    lines = [f"compared by {found.by}: {_summary(found)}"]
    for item in found.differences:
        name, metric, base, other, diff, interval, p, _, n, word = _row(item, found.by)
        lines.append(f"{name}, {metric}: {base} → {other}, {diff} ({interval}), p {p}, n {n}: {word}")
    for refusal in found.refusals:
        name = pair_name(refusal.base, refusal.other, found.by)
        lines.append(f"{name}: not compared: {refusal.reason}")
    return "\n".join(lines)


def _row(item: Difference, by: str) -> tuple[str, ...]:
    counted = item.wins + item.ties + item.losses
    return (
        pair_name(item.base, item.other, by),
        item.metric,
        score(item.base_value, item.scale),
        score(item.other_value, item.scale),
        change(item.difference, item.scale, item.is_ratio),
        span(item.interval, item.scale, item.is_ratio),
        probability(item.p_adjusted),
        f"{item.wins}/{item.ties}/{item.losses}" if counted else "–",
        f"{item.n}" + (f" −{item.n_missing}" if item.n_missing else ""),
        outcome(item),
    )


def _frame_row(item: Difference) -> dict[str, Any]:
    low, high = item.interval or (None, None)
    cells = {
        f"{side}_{part}": getattr(cell, part)
        for side, cell in (("base", item.base), ("other", item.other))
        for part in ("model", "variant", "run")
    }
    return {
        "task": item.other.task,
        **cells,
        "metric": item.metric,
        "base_value": item.base_value,
        "other_value": item.other_value,
        "difference": item.difference,
        "low": low,
        "high": high,
        "p": item.p,
        "p_adjusted": item.p_adjusted,
        "outcome": outcome(item),
        "n": item.n,
        "n_missing": item.n_missing,
        "wins": item.wins,
        "ties": item.ties,
        "losses": item.losses,
        "method": item.method or None,
        "reach": item.reach,
        "mde": item.mde,
        "scale": item.scale,
        "is_ratio": item.is_ratio,
        "higher_is_better": item.higher_is_better,
        "signature": item.signature,
    }


def _summary(found: Comparison) -> str:
    words = [outcome(item) for item in found.differences]
    parts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
    if found.refusals:
        parts.append(f"{len(found.refusals)} not compared")
    return ", ".join(parts) or "no pairs"
