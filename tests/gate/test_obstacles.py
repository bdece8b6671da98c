"""What keeps a gate from judging: too few samples in common, too many without a score."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories import make_cell, make_run

from evalkit.comparing.findings.cells import Facts, StoredCell
from evalkit.core.records import Counts
from evalkit.gate.obstacles import find_obstacles, make_matches, missing_share
from evalkit.gate.rules import Rules

FACTS = Facts(("42",), "42", "content", "prompt", None, {}, False, None, None, None)


def cell(n: int, data: str = "d", first: int = 0, missing: int = 0, planned: int | None = None) -> StoredCell:
    """A cell that has `n` samples from `first` on, the first of them without a score."""
    result = make_cell(data_digest=data, counts=Counts(samples=n if planned is None else planned, scored=n))
    names = [f"s{number}" for number in range(first, first + n)]
    lost = replace(FACTS, missing=True, reason="timeout")
    facts = {name: lost if place < missing else FACTS for place, name in enumerate(names)}
    return StoredCell(make_run(cells=(result,)), result, facts, names, {"exact_match": [1.0] * n})


def kinds(base: StoredCell, other: StoredCell) -> list[str]:
    """The obstacles between two cells, where other data are allowed."""
    rules = Rules(allow=frozenset({"data"}))
    found = find_obstacles(make_matches([(base, other)]), [], [["exact_match"]], rules)
    return [obstacle.kind for obstacle in found if not obstacle.allowed]


@pytest.mark.parametrize(("apart", "found"), [(5, []), (6, ["overlap"])])
def test_nine_in_ten_samples_must_be_in_both_runs(apart: int, found: list[str]) -> None:
    """Of edited data 90 of 100 samples in common are compared, 89 are not: what is left may be a choice."""
    assert kinds(cell(95), cell(95, "edited", apart)) == found


@pytest.mark.parametrize(("missing", "found"), [(5, []), (6, ["missing"])])
def test_one_in_twenty_may_lack_a_score(missing: int, found: list[str]) -> None:
    """5 of 100 samples without a score are judged adversely, 6 are too many, on either side."""
    assert kinds(cell(100), cell(100, missing=missing)) == found
    assert kinds(cell(100, missing=missing), cell(100)) == found


def test_what_was_planned_and_never_came_is_missing() -> None:
    """The share is of the samples that were planned: those that no result is known of are missing too."""
    assert missing_share(cell(100, missing=20))[0] == 0.2
    assert missing_share(cell(80, planned=100))[0] == pytest.approx(0.2)
    assert missing_share(cell(90, missing=10, planned=100)) == (pytest.approx(0.2), " (timeout)")
    assert kinds(cell(100), cell(94, planned=100)) == ["missing"]


def test_a_cell_without_samples_has_none_of_its_scores() -> None:
    """Nothing planned and nothing known is all missing, never nothing missing."""
    assert missing_share(cell(0))[0] == 1.0


def test_a_metric_that_one_side_lacks_keeps_them_apart() -> None:
    """A demanded metric that was not measured on both sides, or not alike, is an obstacle of its own kind."""
    base, other = cell(50), cell(50)
    found = find_obstacles(make_matches([(base, other)]), [], [["bleu"]], Rules())
    assert [(each.kind, each.allowed) for each in found] == [("metric", False)]
    assert "the baseline has no metric bleu" in found[0].text
    value = other.cell.metrics["exact_match"]
    changed = replace(other.cell, metrics={"exact_match": replace(value, signature="exact_match|v:2")})
    other = replace(other, cell=changed)
    assert kinds(base, other) == ["metric"]
