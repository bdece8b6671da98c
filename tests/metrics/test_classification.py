"""Metrics of classification against scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import MetricError
from evalkit.core.records import MetricValue, Response
from evalkit.metrics import Case, Metric, build_metrics, summarise
from evalkit.stats.jackknife import corpus_interval

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sklearn import metrics as sk

LABELS = ("negative", "neutral", "positive")
pairs = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, "nonsense", None])), min_size=1, max_size=25
)


def total(metric: Metric, results: list[tuple[str, str | None]]) -> MetricValue:
    """The value over (gold, answer) pairs."""
    cases = [Case(answer, Response(), target=(gold,)) for gold, answer in results]
    ids = [str(i) for i in range(len(cases))]
    return summarise(metric, [None] * len(cases), [metric.stats(c) for c in cases], sample_ids=ids)


def sides(results: list[tuple[str, str | None]]) -> tuple[list[str], list[str]]:
    """Gold and predicted labels as scikit-learn takes them; no label is a class of its own."""
    return [g for g, _ in results], [a if a in LABELS else "none" for _, a in results]


@pytest.mark.parametrize(
    ("name", "function", "average"),
    [
        ("macro_f1", "f1_score", "macro"),
        ("micro_f1", "f1_score", "micro"),
        ("weighted_f1", "f1_score", "weighted"),
        ("precision", "precision_score", "macro"),
        ("recall", "recall_score", "macro"),
    ],
)
@given(pairs)
@settings(max_examples=30)
def test_averages_are_scikit_learns(
    name: str, function: str, average: str, results: list[tuple[str, str | None]]
) -> None:
    """The value equals scikit-learn's with labels=labels and zero_division=0."""
    (metric,) = build_metrics([name], language="en", labels=LABELS)
    gold, predicted = sides(results)
    expected = getattr(sk, function)(gold, predicted, labels=list(LABELS), average=average, zero_division=0)
    assert total(metric, results).value == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab")), min_size=1, max_size=25))
@settings(max_examples=30)
def test_binary_f1_is_scikit_learns(results: list[tuple[str, str | None]]) -> None:
    """F1 of one class; of two labels the second one, unless another is named."""
    for spec, positive in (("binary_f1", "b"), ({"name": "binary_f1", "positive": "a"}, "a")):
        (metric,) = build_metrics([spec], language="en", labels="ab")
        expected = sk.f1_score(*zip(*results, strict=True), pos_label=positive, zero_division=0)
        assert total(metric, results).value == pytest.approx(expected, abs=1e-12)


@given(pairs)
@settings(max_examples=50)
def test_agreement_is_scikit_learns(results: list[tuple[str, str | None]]) -> None:
    """MCC, kappa and balanced accuracy equal scikit-learn's; what it leaves undefined is 0."""
    gold, predicted = sides(results)
    mcc, kappa, balanced = build_metrics(["mcc", "kappa", "balanced_accuracy"], language="en", labels=LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [
            sk.matthews_corrcoef(gold, predicted),
            np.nan_to_num(sk.cohen_kappa_score(gold, predicted)),
            sk.balanced_accuracy_score(gold, predicted),
        ]
    for metric, want in zip((mcc, kappa, balanced), expected, strict=True):
        assert total(metric, results).value == pytest.approx(want, abs=1e-12)


def test_intervals_recount_without_each_sample(metric: Callable[..., Metric]) -> None:
    """The jackknife's values are those of the metric on all samples but one."""
    macro = metric("macro_f1", labels=LABELS)
    rng = np.random.default_rng(3)
    stats = np.column_stack([rng.integers(0, 3, 30), rng.integers(-1, 3, 30)]).astype(float)
    rows = macro.rows(stats)
    each = macro.aggregate(rows.sum(0) - rows)
    for i in (0, 7, 29):
        rest = np.delete(stats, i, axis=0).astype(int)
        expected = sk.f1_score(rest[:, 0], rest[:, 1], labels=[0, 1, 2], average="macro", zero_division=0)
        assert each[i] == pytest.approx(expected, abs=1e-12)
    assert corpus_interval(rows, macro.aggregate).stderr == pytest.approx(
        float(np.sqrt(29 / 30 * ((each - each.mean()) ** 2).sum())), abs=1e-12
    )


def test_labels_are_compared_in_normal_form(metric: Callable[..., Metric]) -> None:
    """Case and punctuation of a label do not matter, in English and in Chinese."""
    assert total(
        metric("macro_f1", labels=LABELS), [("positive", " Positive."), ("negative", "NEGATIVE")]
    ).value
    chinese = metric("micro_f1", "zh", labels=("体育", "财经"))
    assert total(chinese, [("体育", "体育。"), ("财经", "「财经」")]).value == 1.0


def test_an_answer_that_is_no_label_is_wrong(metric: Callable[..., Metric]) -> None:
    """No answer and a foreign answer cost recall, and are never left out."""
    micro = metric("micro_f1", labels=LABELS)
    found = total(micro, [("positive", "positive"), ("negative", None), ("neutral", "purple")])
    assert found.n == 3
    assert found.value == pytest.approx(2 / (1 + 3))
    assert micro.stats(Case(None, Response(), target=("negative",))) == (0.0, -1.0)


def test_confusion(metric: Callable[..., Metric]) -> None:
    """Counts by gold and predicted label equal scikit-learn's; answers that are no label have a column."""
    macro = metric("macro_f1", labels=LABELS)
    results = [
        ("positive", "positive"),
        ("positive", "neutral"),
        ("negative", None),
        ("negative", "negative"),
    ]
    stats = np.array([macro.stats(Case(answer, Response(), target=(gold,))) for gold, answer in results])
    gold, predicted = sides(results)  # type: ignore[arg-type]
    expected = sk.confusion_matrix(gold, predicted, labels=[*LABELS, "none"])
    assert macro.confusion(stats).tolist() == expected[:3].tolist()  # type: ignore[attr-defined]
    assert macro.confusion(np.zeros((0, 2))).sum() == 0  # type: ignore[attr-defined]


def test_several_right_labels(metric: Callable[..., Metric]) -> None:
    """A sample with several right labels is a hit for the one that was predicted."""
    macro = metric("macro_f1", labels=LABELS)
    assert macro.stats(Case("neutral", Response(), target=("positive", "neutral"))) == (1.0, 1.0)
    assert macro.stats(Case("negative", Response(), target=("positive", "neutral"))) == (2.0, 0.0)


def test_choice_tasks_count_positions(metric: Callable[..., Metric]) -> None:
    """In a choice task the labels are the options' positions."""
    macro = metric("macro_f1", labels=("A", "B"), kind="choice")
    assert macro.stats(Case(None, Response(), choices=("x", "y"), gold=(1,), chosen=0)) == (1.0, 0.0)
    assert macro.stats(Case(None, Response(), choices=("x", "y"), gold=(1,))) == (1.0, -1.0)


def test_wrong_settings(metric: Callable[..., Metric]) -> None:
    """Missing labels, doubled labels, foreign targets and an unknown class are named."""
    with pytest.raises(MetricError, match="name them under `labels`"):
        metric("macro_f1")
    with pytest.raises(MetricError, match="are the same"):
        metric("macro_f1", labels=("Yes", "yes."))
    with pytest.raises(MetricError, match="'purple' is none of the task's labels: negative"):
        total(metric("macro_f1", labels=LABELS), [("purple", "positive")])
    with pytest.raises(MetricError, match="name it with `positive`"):
        metric("binary_f1", labels=LABELS)
    with pytest.raises(MetricError, match="do not fit the task's 2 labels"):
        metric("macro_f1", labels="AB", kind="choice").stats(Case(None, Response(), gold=(2,), chosen=0))


STANCE = [[165, 44, 21], [98, 494, 123], [23, 46, 235]]
"""Gold (row) by prediction: none, against, favor; the RoBERTa-retrained predictions of TweetEval's five
targets (cardiffnlp/tweeteval at 4fbd22c, datasets/stance and predictions/stance)."""


def test_stance_is_the_mean_f1_of_two_of_three_labels() -> None:
    """72.4363, as evaluation_script.py of TweetEval has it: (F1 of against + F1 of favor) / 2."""
    labels = ("none", "against", "favor")
    results = [
        (labels[gold], labels[said])
        for gold, row in enumerate(STANCE)
        for said, n in enumerate(row)
        for _ in range(n)
    ]
    (metric,) = build_metrics(
        [{"name": "macro_f1", "labels": ["against", "favor"]}], language="en", labels=labels
    )
    found = total(metric, [(gold, said) for gold, said in results])
    assert round(100 * (found.value or 0.0), 4) == 72.4363
    assert found.signature == "f1|average:macro|labels:none,against,favor|over:against,favor|v:1"
    low, high = found.interval or (0.0, 0.0)
    assert 0.69 < low < (found.value or 0.0) < high < 0.76


@pytest.mark.parametrize(
    ("name", "function", "average"),
    [
        ("macro_f1", "f1_score", "macro"),
        ("micro_f1", "f1_score", "micro"),
        ("weighted_f1", "f1_score", "weighted"),
        ("precision", "precision_score", "macro"),
        ("recall", "recall_score", "macro"),
    ],
)
@given(pairs, st.lists(st.sampled_from(LABELS), min_size=1, max_size=3, unique=True))
@settings(max_examples=30)
def test_averages_over_chosen_labels_are_scikit_learns(
    name: str, function: str, average: str, results: list[tuple[str, str | None]], chosen: list[str]
) -> None:
    """The value equals scikit-learn's with labels=chosen; in which order they are named is all one."""
    (metric,) = build_metrics([{"name": name, "labels": chosen}], language="en", labels=LABELS)
    gold, predicted = sides(results)
    expected = getattr(sk, function)(gold, predicted, labels=chosen, average=average, zero_division=0)
    assert total(metric, results).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["negative", "sad"], "labels: 'sad' is none of the task's labels"),
        (["negative", "Negative"], "one stands twice"),
        ([], "a list of texts"),
        ([True], "a list of texts"),
    ],
)
def test_labels_that_are_none_are_refused(labels: list[object], said: str) -> None:
    """A slip among the labels to average over is an error, not a class that is never found."""
    with pytest.raises(MetricError, match=said):
        build_metrics([{"name": "macro_f1", "labels": labels}], language="en", labels=LABELS)


def test_all_labels_chosen_is_the_plain_average() -> None:
    """To name all of them asks for nothing else, and signs as such."""
    plain, named = build_metrics(
        ["macro_f1", {"name": "macro_f1", "labels": list(reversed(LABELS)), "as": "named"}],
        language="en",
        labels=LABELS,
    )
    assert plain.signature == named.signature
