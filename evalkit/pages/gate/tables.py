"""Verdicts in Python: as a frame, as lines of text, and as the table that a notebook shows."""

from __future__ import annotations

from html import escape
from typing import Any

from evalkit.gate.records import Check, Gate
from evalkit.pages.formats import visible
from evalkit.pages.frames import make_plain_table, to_floats
from evalkit.pages.gate.wording import HEADS, TITLES, explanation, footnotes, headline, row

_COLUMNS = (
    "task",
    "variant",
    "baseline_model",
    "candidate_model",
    "metric",
    "rule",
    "verdict",
    "baseline_value",
    "candidate_value",
    "change",
    "low",
    "high",
    "allowed",
    "p_fail_adjusted",
    "p_pass",
    "n",
    "n_missing",
    "n_newly_failed",
    "n_newly_fixed",
    "scale",
    "is_ratio",
    "higher_is_better",
    "method",
    "reach",
)


def make_frame(gate: Gate) -> Any:
    """A frame with one row for each check: the cell, values, change, interval, p-values, counts and verdict.

    Values are on the metric's own `scale`; `change` is turned so that + is better, and is a logarithm where
    `is_ratio`. What is unknown is missing, never 0.
    """
    import pandas as pd

    frame = pd.DataFrame([_frame_row(check) for check in gate.checks], columns=list(_COLUMNS))
    return to_floats(frame, ("baseline_value", "candidate_value", "change", "low", "high", "reach"))


def make_html(gate: Gate) -> str:
    """The verdict and its checks in HTML without script or style sheet; all text is escaped."""
    notes = "".join(f"<br><small>{escape(visible(line))}</small>" for line in _below(gate))
    table = make_plain_table(HEADS, _rows(gate), "", n_left=2) if gate.checks else ""
    return f"<p><b>{TITLES[gate.verdict]}</b> {escape(visible(headline(gate)))}{notes}</p>{table}"


def make_text(gate: Gate) -> str:
    """The verdict in one line, then a line for each check, then what a reader must know beside them."""
    lines = [f"{TITLES[gate.verdict]}  {headline(gate)}"]
    for cells in _rows(gate):
        where, metric, baseline, candidate, change, interval, allowed, _, n, verdict = cells
        lines.append(
            f"{where}, {metric}: {baseline} → {candidate}, {change} ({interval}), allowed {allowed}, "
            f"n {n}: {verdict}"
        )
    return "\n".join([*lines, *_below(gate)])


def _rows(gate: Gate) -> list[tuple[str, ...]]:
    many = len({check.candidate.model for check in gate.checks}) > 1
    return [row(check, many) for check in gate.checks]


def _below(gate: Gate) -> list[str]:
    blocking = [f"{each.kind}: {each.cell}: {each.text}" for each in gate.obstacles if not each.allowed]
    return [*blocking, *filter(None, map(explanation, gate.checks)), *footnotes(gate)]


def _frame_row(check: Check) -> dict[str, Any]:
    low, high = check.interval or (None, None)
    return {
        "task": check.candidate.task,
        "variant": check.candidate.variant,
        "baseline_model": check.baseline.model,
        "candidate_model": check.candidate.model,
        "metric": check.metric,
        "rule": check.rule,
        "verdict": check.verdict,
        "baseline_value": check.baseline_value,
        "candidate_value": check.candidate_value,
        "change": check.change,
        "low": low,
        "high": high,
        "allowed": check.margin,
        "p_fail_adjusted": check.p_fail_adjusted,
        "p_pass": check.p_pass,
        "n": check.n,
        "n_missing": check.n_missing,
        "n_newly_failed": check.n_newly_failed,
        "n_newly_fixed": check.n_newly_fixed,
        "scale": check.scale,
        "is_ratio": check.is_ratio,
        "higher_is_better": check.higher_is_better,
        "method": check.method or None,
        "reach": check.reach,
    }
