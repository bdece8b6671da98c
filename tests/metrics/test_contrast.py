"""An answer between right and wrong references: best, wins and lead, as TruthfulQA has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sacrebleu
from factories import write_task
from hypothesis import given, settings
from hypothesis import strategies as st

import evalkit
from evalkit import MockModel
from evalkit.core.errors import DataError, MetricError
from evalkit.core.records import Response
from evalkit.metrics import Case, Metric, build_metrics

BLEU = {"name": "sentence_bleu", "tokenize": "intl", "effective_order": False}
WORDS = st.lists(
    st.sampled_from(["the", "a", "moon", "is", "made", "of", "rock", "cheese", "nobody", ",", "."]),
    min_size=1,
)
TEXTS = st.lists(WORDS.map(" ".join), min_size=1, max_size=3)


def build(**spec: Any) -> Metric:
    """The metric of one spec."""
    (metric,) = build_metrics([{"name": "contrast", **spec}], language="en")
    return metric


def theirs(answer: str, references: list[str]) -> float:
    """The best BLEU as lm_eval/tasks/truthfulqa/utils.py calls sacrebleu, one reference at a time."""
    return max(
        sacrebleu.corpus_bleu(
            [answer], [[text]], smooth_method="exp", smooth_value=0.0, force=False, lowercase=False,
            tokenize="intl", use_effective_order=False,
        ).score
        for text in references
    )  # fmt: skip


@given(WORDS.map(" ".join), TEXTS, TEXTS)
@settings(max_examples=40)
def test_three_numbers_are_those_of_truthfulqa(answer: str, right: list[str], wrong: list[str]) -> None:
    """bleu_max, bleu_acc and bleu_diff of lm-evaluation-harness, from sacrebleu itself."""
    case = Case(answer, Response(text=answer), target=tuple(right), fields={"wrong": wrong})
    best, other = theirs(answer, right), theirs(answer, wrong)
    assert build(of=BLEU, give="best").score(case) == pytest.approx(best, abs=1e-9)
    assert build(of=BLEU, give="lead", against="wrong").score(case) == pytest.approx(best - other, abs=1e-9)
    if abs(best - other) > 1e-9:
        assert build(of=BLEU, give="wins", against="wrong").score(case) == float(best > other)


def test_tie_is_no_win_and_no_answer_is_near_nothing() -> None:
    """Equally near to both is not right; a reply without an answer is 0 against each."""
    same = Case("rock", Response(), target=("rock",), fields={"wrong": "rock"})
    assert build(of="rouge1", give="wins", against="wrong").score(same) == 0.0
    none = Case(None, Response(), target=("rock",), fields={"wrong": ["cheese"]})
    assert [build(of="rouge1", give=g, against="wrong").score(none) for g in ("wins", "lead")] == [0.0, 0.0]


def test_ranges_follow_what_is_given() -> None:
    """A share of wins is a fraction, a lead lies between the ends of the range and their negatives."""
    found = {
        g: build(of=BLEU, give=g, **({} if g == "best" else {"against": "w"}))
        for g in ("best", "wins", "lead")
    }
    assert {g: (metric.scale, metric.bounds) for g, metric in found.items()} == {
        "best": ("percent", (0.0, 100.0)),
        "wins": ("fraction", (0.0, 1.0)),
        "lead": ("unbounded", (-100.0, 100.0)),
    }
    assert found["lead"].signature.startswith("contrast|give:lead|against:w|v:1|of:sentence BLEU|")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "needs `of`"),
        ({"of": "rouge1", "give": "wins"}, "`against` names the column"),
        ({"of": "rouge1", "give": "best", "against": "w"}, "`against` names the column"),
        ({"of": "rouge1", "give": "most", "against": "w"}, "best, wins, lead"),
        ({"of": "bleu", "give": "best"}, "a mean of bounded scores"),
        ({"of": "edit_distance", "give": "best"}, "a mean of bounded scores"),
        ({"of": "rouge", "give": "best"}, "one metric"),
        ({"of": "rouge1", "gives": "best"}, "Did you mean 'give'"),
        ({"of": "rouge1", "give": "lead", "against": 3}, "'against' must be a text"),
    ],
)
def test_spec_that_means_nothing_is_refused(spec: dict[str, Any], said: str) -> None:
    """What cannot be computed is an error that says what is wanted."""
    with pytest.raises(MetricError, match=said.replace("`", "`")):
        build(**spec)


@pytest.mark.parametrize("wrong", [None, [], "", [" "], ["x", 3], "absent"])
def test_sample_without_wrong_answers_is_refused_before_it_is_asked(
    wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names file, line and column."""
    row = {"id": "a", "question": "q", "answer": "rock", "wrong": wrong}
    if wrong == "absent":
        del row["wrong"]
    metric = {"name": "contrast", "of": "rouge1", "give": "wins", "against": "wrong"}
    write_task(tmp_path / "tasks" / "truth", [row], name="truth", metrics=[metric])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"samples\.jsonl, line 1: against: .*wrong"):
        evalkit.run(models=[MockModel(lambda request: "rock")], tasks=["truth"])
