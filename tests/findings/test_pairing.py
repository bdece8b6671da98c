"""Pairs of samples: what is missing on one side, and what may be said of few values without bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories import write_task

import evalkit
from evalkit import MockModel
from evalkit.comparing.findings.cells import read_cell
from evalkit.comparing.findings.decisions import Margin, decide_pairs, is_bounded
from evalkit.comparing.findings.definitions import find_metric
from evalkit.comparing.findings.pairing import Pairs, make_pairs, overlap
from evalkit.core.errors import CallError
from evalkit.core.records import Request
from evalkit.metrics import FunctionMetric, Metric

ROWS = [{"id": f"s{n}", "question": str(n), "answer": str(n)} for n in range(6)]


def half_lost(request: Request) -> str | CallError:
    """An answer to every call but the second to sample s1, and all to s2."""
    if (request.sample_id, request.repeat) == ("s1", 1) or request.sample_id == "s2":
        return CallError("down", kind="bad_request", action="fail_sample")
    return request.sample_id[1:]


@pytest.mark.parametrize("name", ["exact_match", "chrf", "length"])
def test_a_sample_with_a_lost_repeat_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """One answer of two does not stand for its sample: no mean over repeats hides that a call failed."""
    code = (
        "from evalkit import metric\n\n"
        '@metric(scale="unbounded", higher_is_better=True)\n'
        "def length(case):\n    return float(len(case.answer or ''))\n"
    )
    write_task(tmp_path / "tasks" / "sums", ROWS, code=code, metrics=[name])
    monkeypatch.chdir(tmp_path)
    whole = evalkit.run(models=[MockModel(lambda r: r.sample_id[1:])], tasks=["sums"], repeats=2)
    lost = evalkit.run(models=[MockModel(half_lost)], tasks=["sums"], repeats=2)
    cells = [read_cell(stored, stored.run.cells[0]) for stored in (whole, lost)]
    for base, other in (cells, cells[::-1]):
        metric = find_metric(base, name)
        pairs = make_pairs(base, other, metric, overlap(base, other).shared)
        gone = np.isnan(pairs.base + pairs.other)
        if pairs.base_rows is not None and pairs.other_rows is not None:
            gone = np.isnan(pairs.base_rows + pairs.other_rows).any(axis=1)
        assert [i for i, missing in zip(pairs.ids, gone, strict=True) if missing] == ["s1", "s2"]
        assert pairs.n_missing == 2


def unbounded(n: int, drop: float) -> Pairs:
    """n pairs of rewards, of which the second falls by `drop` give or take a tenth."""
    metric: Metric = FunctionMetric("reward", lambda case: None, scale="unbounded")
    assert not is_bounded(metric)
    rng = np.random.default_rng(1)
    base, other = np.zeros(n), -drop + rng.uniform(-0.1, 0.1, n)
    rows = [np.stack([side, np.ones(n)], axis=1) for side in (base, other)]
    return Pairs(tuple(map(str, range(n))), metric, base, other, rows[0], rows[1], None)


def test_few_values_without_bounds_have_no_verdict() -> None:
    """Below 50 samples a fall of any size is inconclusive: Student's t would know nothing of rare ones."""
    few = decide_pairs(unbounded(49, 100.0), Margin(), 0.05)
    assert (few.verdict, few.p_fail, few.p_pass, few.lo, few.hi) == ("inconclusive", 1.0, 1.0, None, None)
    assert few.why == "below 50 independent samples nothing is known of rare ones"


def test_many_values_without_bounds_have_an_approximate_verdict_that_says_its_reach() -> None:
    """From 50 on it rests on one unseen sample, twice as far off as any seen, and says so."""
    pairs = unbounded(50, 1.0)
    found = decide_pairs(pairs, Margin(), 0.05)
    changes = pairs.other - pairs.base
    assert (found.verdict, found.method) == ("fail", "approximate")
    assert found.reach == pytest.approx(2 * np.abs(changes - changes.mean()).max())


def test_a_change_shows_the_extracted_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown of a sample is what was scored; the whole reply only where nothing was found in it."""
    write_task(tmp_path / "tasks" / "sums", ROWS, extract=["last_number"])
    monkeypatch.chdir(tmp_path)
    talker = MockModel(
        lambda r: "I do not know." if r.sample_id == "s3" else f"It is {r.sample_id[1:]}, sir."
    )
    stored = evalkit.run(models=[talker], tasks=["sums"])
    facts = read_cell(stored, stored.run.cells[0]).facts
    assert [facts[name].answer for name in ("s2", "s3")] == ["2", "I do not know."]
