"""Comparison -> page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.comparing.comparison.records import Change, Comparison, Difference
from evalkit.core.records import Scale
from evalkit.pages.comparison.evidence import Evidence, find_evidence, prompt_difference
from evalkit.pages.comparison.samples import build_sides, links_of, listed
from evalkit.pages.comparison.wording import amount, change, outcome, probability, span
from evalkit.pages.environment import Page, render_page
from evalkit.pages.formats import score
from evalkit.pages.redaction import redact_text
from evalkit.pages.translations import AUTO
from evalkit.store.folders import StoredRun, write_private

_CLASSES = {
    "better": "up",
    "worse": "down",
    "not separable": "same",
    "untested": "same",
    "cannot tell": "same",
}
_SHOWN = 50
"""Samples that a page names in each direction of a difference."""
_MANY = 10
"""Pairs from which on fewer samples of each are shown whole."""


def write(
    found: Comparison,
    path: str | Path,
    lang: str = AUTO,
    *,
    runs: Sequence[StoredRun] = (),
    samples: bool = True,
    redact: bool = False,
) -> Path:
    """The path of the page, written."""
    path = Path(path)
    write_private(path, render(found, lang=lang, runs=runs, samples=samples, redact=redact).encode())
    return path


def render(
    found: Comparison,
    *,
    lang: str = AUTO,
    runs: Sequence[StoredRun] = (),
    samples: bool = True,
    redact: bool = False,
) -> str:
    """The comparison as one HTML document that opens from disk.

    With the runs that were compared, it shows how their prompts differ, both answers to the samples that it
    names and, with `samples`, all samples side by side. With `redact`, the texts of prompts, answers,
    targets, reasoning and judges are left out of it, and so are slices, which metadata name.
    """
    shown = replace(found, differences=tuple(map(_redacted, found.differences))) if redact else found
    told = () if redact else runs
    whole = _SHOWN if len(found.differences) <= _MANY else _SHOWN // 5
    evidence = find_evidence(shown.differences, told, whole)
    shards = build_sides(found, runs, redact=redact) if samples else []
    reach = _reach(found.differences)
    rows = [
        {
            **_row(item, found.by, named),
            "prompt": prompt_difference(item, told),
            "place": _place(item, reach[item.scale, item.is_ratio]),
            "links": links_of(item, found.by, shards) if item.wins + item.ties + item.losses else {},
        }
        for item, named in zip(shown.differences, evidence, strict=True)
    ]
    context: dict[str, Any] = {
        "by": found.by,
        "runs": found.runs,
        "rows": rows,
        "refusals": [
            {
                "name": _name(item.base, item.other, found.by),
                "metric": item.metric or "",
                "reason": item.reason,
            }
            for item in found.refusals
        ],
        "n_proven": sum(1 for item in found.differences if item.better is not None),
        "redacted": redact,
    }
    data = {"page": "compare", "shards": listed(shards)}
    return render_page(Page("compare.html", lang, context, data, shards, styles=("compare",)))


def _redacted(item: Difference) -> Difference:
    """The difference without the texts of its samples, and without its slices."""

    def change(each: Change) -> Change:
        answers = [None if a is None else redact_text(a) for a in (each.base_answer, each.other_answer)]
        target = tuple(map(redact_text, each.target))
        return replace(each, target=target, base_answer=answers[0], other_answer=answers[1])

    return replace(
        item,
        newly_failed=tuple(map(change, item.newly_failed)),
        newly_fixed=tuple(map(change, item.newly_fixed)),
        slices=(),
    )


def _reach(differences: Sequence[Difference]) -> dict[tuple[Scale, bool], float]:
    """How far the axis of differences goes to either side of nothing, for each scale."""
    reach: dict[tuple[Scale, bool], float] = {}
    for item in differences:
        ends = [abs(end) for end in (*(item.interval or ()), item.difference or 0.0) if abs(end) < 1e12]
        key = (item.scale, item.is_ratio)
        reach[key] = max([reach.get(key, 0.0), *ends])
    return reach


def _place(item: Difference, reach: float) -> dict[str, float] | None:
    """Where a difference and its interval lie on an axis of 0 to 100 with no difference at 50."""
    if item.difference is None or reach <= 0:
        return None

    def at(value: float) -> float:
        return round(50 + 48 * max(-1.0, min(1.0, value / reach)), 2)

    low, high = item.interval or (item.difference, item.difference)
    return {"at": at(item.difference), "low": at(low), "width": round(at(high) - at(low), 2)}


def _row(item: Difference, by: str, told: Mapping[str, Evidence]) -> dict[str, Any]:
    word = outcome(item)
    counted = item.wins + item.ties + item.losses
    return {
        "name": _name(item.base, item.other, by),
        "metric": item.metric,
        "signature": item.signature,
        "base": score(item.base_value, item.scale),
        "other": score(item.other_value, item.scale),
        "difference": change(item.difference, item.scale, item.is_ratio),
        "interval": span(item.interval, item.scale, item.is_ratio),
        "p": probability(item.p_adjusted),
        "counts": f"{item.wins} / {item.ties} / {item.losses}" if counted else "–",
        "n": item.n,
        "missing": item.n_missing,
        "kind": _CLASSES[word],
        "outcome": word.replace(" ", "_"),
        "power": _power(item),
        "method": _method(item),
        "failed": [_change(each, told.get(each.sample_id)) for each in item.newly_failed[:_SHOWN]],
        "fixed": [_change(each, told.get(each.sample_id)) for each in item.newly_fixed[:_SHOWN]],
        "losses": item.losses,
        "wins": item.wins,
        "ties": item.ties,
        "slices": [
            {
                "column": part.column,
                "value": part.value,
                "n": part.n,
                "difference": change(part.difference, item.scale, item.is_ratio),
                "interval": span(part.interval, item.scale, item.is_ratio),
                "p": probability(part.p_adjusted),
            }
            for part in item.slices
        ],
    }


def _name(base: Any, other: Any, by: str) -> dict[str, str]:
    """What both cells have in common, and what differs."""
    parts = {"prompt": "variant", "model": "model", "run": "run"}
    common = [getattr(other, name) for name in ("task", "model", "variant") if name != parts[by]]
    return {
        "common": " · ".join(common),
        "base": getattr(base, parts[by]),
        "other": getattr(other, parts[by]),
    }


def _power(item: Difference) -> dict[str, str] | None:
    """What the comparison could have seen; None when unknown."""
    if item.mde is None or item.p_adjusted is None:
        return None
    return {
        "n": f"{item.n:,}",
        "could": amount(item.mde, item.scale, item.is_ratio),
        "unit": "" if item.is_ratio or item.scale == "unbounded" else "points",
        "needed": "" if item.n_for_3_points is None else f"{item.n_for_3_points:,}",
    }


def _method(item: Difference) -> dict[str, str] | None:
    """What an approximation takes for granted, or that nothing can be told; None for the others."""
    if item.why is not None:
        return {"key": "compare.cannot_tell"}
    if item.reach is None:
        return None
    unit = "" if item.is_ratio or item.scale == "unbounded" else ".points"
    return {"key": f"compare.approximate{unit}", "most": amount(item.reach, item.scale, item.is_ratio)}


def _change(each: Change, told: Evidence | None) -> dict[str, Any]:
    return {
        "evidence": told,
        "id": each.sample_id,
        "scores": f"{each.base:.3g} → {each.other:.3g}",
        "target": " | ".join(each.target[:3]),
        "base": "–" if each.base_answer is None else each.base_answer,
        "other": "–" if each.other_answer is None else each.other_answer,
    }
