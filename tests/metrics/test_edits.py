"""Edit distance, error rates, TER and sentence BLEU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.ter import TER

from evalkit.core.errors import MetricError
from evalkit.core.records import MetricValue, Response
from evalkit.metrics import Case, Metric, build_metrics, summarise
from evalkit.metrics.edits import distance

Value = Callable[..., float]


def total(metric: Metric, pairs: list[tuple[str | None, tuple[str, ...]]]) -> MetricValue:
    """The value of the corpus of (answer, targets)."""
    cases = [Case(answer, Response(), target=targets) for answer, targets in pairs]
    scores = [metric.score(case) for case in cases]
    stats = [metric.stats(case) for case in cases]
    return summarise(metric, scores, stats, sample_ids=[str(i) for i in range(len(cases))])


def table_distance(left: str, right: str) -> int:
    """Levenshtein's distance by its table."""
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (one != other))
    return row[-1]


@given(st.text(alphabet="abc", max_size=9), st.text(alphabet="abc", max_size=9))
def test_distance(left: str, right: str) -> None:
    """rapidfuzz's distance is the table's."""
    assert distance(left, right) == table_distance(left, right)


def test_edit_distance_and_similarity(value: Value) -> None:
    """The nearest target counts; similarity is 1 - distance / longer length."""
    assert value("edit_distance", "en", "kitten", "sitting", "mitten") == 1.0
    assert value("edit_distance", "en", None, "abc") == 3.0
    assert value("edit_similarity", "en", "kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert value("edit_similarity", "en", "", "") == 1.0
    assert value("edit_similarity", "en", None, "") == 0.0


@pytest.mark.parametrize(
    ("name", "lang", "answer", "target", "rate"),
    [
        ("wer", "en", "the cat sat", "the cat sat down", 1 / 4),
        ("wer", "en", "The cat.", "the cat", 1.0),
        ({"name": "wer", "normalize": "full"}, "en", "The cat.", "the cat", 0.0),
        ("wer", "ko", "나는 학교에 간다", "나는 집에 간다", 1 / 3),
        ("wer", "en", "a b c d", "x", 4.0),
        ("cer", "en", "the  cat", "the cat", 0.0),
        ("cer", "en", "thecat", "the cat", 1 / 7),
        ("cer", "zh", "北京 是首都。", "北京是首都", 0.0),
        ("cer", "zh", "ＧＰＴ，", "gpt", 0.0),
        ("cer", "zh", "南京是首都", "北京是首都", 1 / 5),
        ({"name": "cer", "normalize": "none"}, "zh", "北京。", "北京", 1 / 2),
        ("cer", "en", None, "abc", 1.0),
    ],
)
def test_error_rates(
    name: object, lang: str, answer: str | None, target: str, rate: float, value: Value
) -> None:
    """Edits over the target's length, in words or characters; Chinese without spaces or punctuation."""
    assert value(name, lang, answer, target) == pytest.approx(rate)


def test_error_rates_are_of_the_corpus(metric: Callable[..., Metric]) -> None:
    """Edits and lengths are summed before they are divided, and the best target is taken by its rate."""
    found = total(metric("wer"), [("a b", ("a x", "c d e")), ("a", ("a b c d",)), ("a b c d", ("a b c d",))])
    assert found.value == pytest.approx((1 + 3 + 0) / (2 + 4 + 4))
    assert found.interval is not None
    assert found.interval[0] >= 0.0
    assert not found.higher_is_better


def test_words_need_spaces(metric: Callable[..., Metric]) -> None:
    """WER is refused where no spaces are written."""
    with pytest.raises(MetricError, match="use cer"):
        metric("wer", "zh")


texts = st.text(alphabet="ab c.é 北京！", max_size=16)


@pytest.mark.parametrize("lang", ["en", "zh"])
@given(st.lists(st.tuples(texts, st.lists(texts, min_size=2, max_size=2)), min_size=1, max_size=4))
@settings(max_examples=15)
def test_ter_is_sacrebleus(lang: str, corpus: list[tuple[str, list[str]]]) -> None:
    """The value equals sacrebleu's, with its Asian normalisation where no spaces are written."""
    (metric,) = build_metrics(["ter"], language=lang)
    scorer = TER(normalized=lang == "zh", asian_support=lang == "zh")
    answers, targets = [a for a, _ in corpus], [t for _, t in corpus]
    expected = scorer.corpus_score(answers, [list(column) for column in zip(*targets, strict=True)])
    found = total(metric, [(a, tuple(t)) for a, t in corpus])
    assert found.value == pytest.approx(expected.score, abs=1e-9)
    assert found.signature == f"TER|{scorer.get_signature().format()}"


def test_ter_of_chinese(value: Value) -> None:
    """chinese-metrics.md 5.2: identical is 0; without Asian rules one changed mark costs everything."""
    ref = "北京是中华人民共和国的首都。"
    assert value("ter", "zh", ref, ref) == 0.0
    assert 0.0 < value("ter", "zh", ref.replace("。", "."), ref) < 20.0
    assert value({"name": "ter", "asian_support": False, "normalized": False}, "zh", ref[:-1], ref) == 100.0


def test_sentence_bleu(metric: Callable[..., Metric]) -> None:
    """The mean of sacrebleu's sentence scores, with an interval for bounded means."""
    pairs = [("the cat sat on the mat", ("the cat sat on a mat",)), ("hello", ("hello",)), (None, ("x",))]
    scorer = BLEU(effective_order=True)
    expected = [scorer.sentence_score(answer or "", list(targets)).score for answer, targets in pairs]
    found = total(metric("sentence_bleu"), pairs)
    assert found.value == pytest.approx(sum(expected) / 3)
    assert found.interval_method == "gaffke"
    assert found.signature.startswith("sentence BLEU|case:mixed|eff:yes|tok:13a")
