"""BLEU, chrF and chrF++ against sacrebleu, and on Chinese."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from evalkit.core.errors import MetricError
from evalkit.core.records import MetricValue, Response
from evalkit.metrics import Case, Metric, build_metrics, summarise
from evalkit.stats.jackknife import corpus_interval

# chinese-metrics.md 5.2 speaks of a corpus of three sentences without giving it; these are our own.
REFERENCES = [
    "北京是中华人民共和国的首都，也是全国的政治中心。",
    "我昨天在图书馆借了三本书。",
    "这家餐馆的菜很好吃，价格也不贵。",
]
HALF = [text.replace("，", ",").replace("。", ".") for text in REFERENCES]
SHUFFLED = [*REFERENCES[1:], REFERENCES[0]]

texts = st.text(alphabet="ab c.,é 北京1！", max_size=24)
segments = st.lists(st.tuples(texts, st.lists(texts, min_size=2, max_size=2)), min_size=1, max_size=6)


def total(metric: Metric, answers: list[str | None], targets: list[list[str]]) -> MetricValue:
    """The value of the corpus."""
    cases = [Case(a, Response(), target=tuple(t)) for a, t in zip(answers, targets, strict=True)]
    stats = [metric.stats(case) for case in cases]
    return summarise(metric, [None] * len(cases), stats, sample_ids=[str(i) for i in range(len(cases))])


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"tokenize": "zh"},
        {"tokenize": "char", "lowercase": True},
        {"smooth_method": "floor"},
        {"smooth_method": "add-k", "smooth_value": 2},
        {"smooth_method": "none"},
        {"effective_order": True},
        {"max_ngram_order": 2},
    ],
)
@given(segments)
@settings(max_examples=20)
def test_bleu_is_sacrebleus(params: dict[str, object], corpus: list[tuple[str, list[str]]]) -> None:
    """The value of a corpus and of a segment equal sacrebleu's, whatever the settings."""
    (metric,) = build_metrics([{"name": "bleu", **params}], language="en")
    answers, targets = [a for a, _ in corpus], [t for _, t in corpus]
    scorer = BLEU(**params)
    expected = scorer.corpus_score(answers, [list(column) for column in zip(*targets, strict=True)])
    found = total(metric, list(answers), targets)
    assert found.value == pytest.approx(expected.score, abs=1e-9)
    assert found.signature == f"BLEU|{scorer.get_signature().format()}"
    sentence = BLEU(**{**params, "effective_order": True}).sentence_score(*corpus[0])
    assert metric.score(Case(answers[0], Response(), target=tuple(targets[0]))) == pytest.approx(
        sentence.score, abs=1e-9
    )


@pytest.mark.parametrize(
    "params",
    [{}, {"word_order": 2}, {"char_order": 2, "beta": 1}, {"eps_smoothing": True}, {"whitespace": True}],
)
@given(segments)
@settings(max_examples=20)
def test_chrf_is_sacrebleus(params: dict[str, object], corpus: list[tuple[str, list[str]]]) -> None:
    """The value of a corpus and of a segment equal sacrebleu's, whatever the settings."""
    (metric,) = build_metrics([{"name": "chrf", **params}], language="en")
    answers, targets = [a for a, _ in corpus], [t for _, t in corpus]
    scorer = CHRF(**params)
    expected = scorer.corpus_score(answers, [list(column) for column in zip(*targets, strict=True)])
    found = total(metric, list(answers), targets)
    assert found.value == pytest.approx(expected.score, abs=1e-9)
    assert found.signature == f"{expected.name}|{scorer.get_signature().format()}"
    sentence = scorer.sentence_score(*corpus[0])
    assert metric.score(Case(answers[0], Response(), target=tuple(targets[0]))) == pytest.approx(
        sentence.score, abs=1e-9
    )


@pytest.mark.parametrize(
    ("spec", "identical", "half", "shuffled"),
    [  # which of the rows of 5.2 can tell right from wrong: identical, half-width punctuation, wrong
        ("bleu", 100, (50, 99), (0, 5)),
        ({"name": "bleu", "tokenize": "char"}, 100, (50, 99), (0, 5)),
        ("chrf", 100, (50, 99), (0, 5)),
        ("chrf++", 100, (50, 99), (0, 5)),
        ({"name": "bleu", "tokenize": "13a"}, 0, (0, 0), (0, 0)),
        ({"name": "bleu", "tokenize": "none"}, 0, (0, 0), (0, 0)),
    ],
)
def test_chinese(
    spec: object, identical: float, half: tuple[float, float], shuffled: tuple[float, float]
) -> None:
    """The default for Chinese tells right from wrong; the default of sacrebleu finds nothing at all."""
    (metric,) = build_metrics([spec], language="zh")  # type: ignore[list-item]
    targets = [[text] for text in REFERENCES]
    assert total(metric, list(REFERENCES), targets).value == pytest.approx(identical)
    for answers, (lo, hi) in ((HALF, half), (SHUFFLED, shuffled)):
        value = total(metric, list(answers), targets).value
        assert value is not None
        assert lo <= value <= hi


@pytest.mark.parametrize(("tokenizer", "figure"), [("zh", 43.2), ("char", 74.5)])
def test_numbers_stay_whole_in_chinese(tokenizer: str, figure: float, metric: Callable[..., Metric]) -> None:
    """chinese-metrics.md 5.2: on mixed text zh gives 43.2 where char, which splits numbers, gives 74.5."""
    left, right = "2023年，GDP增长5.2%。", "2023年，GDP下降5.2%。"
    bleu = metric({"name": "bleu", "tokenize": tokenizer}, "zh")
    assert round(total(bleu, [left], [[right]]).value or 0.0, 1) == figure


def test_short_references(metric: Callable[..., Metric]) -> None:
    """Of texts below four tokens BLEU is 0; the segment's own score is not, and a note says why."""
    bleu = metric("bleu", "zh")
    case = Case("北京", Response(), target=("北京",))
    assert total(bleu, ["北京"], [["北京"]]).value == 0.0
    assert bleu.score(case) == pytest.approx(100.0)
    assert "fewer than 4 tokens" in bleu.notes(np.array([bleu.stats(case)]))[0]
    longer = np.array([bleu.stats(Case(REFERENCES[0], Response(), target=(REFERENCES[0],)))])
    assert bleu.notes(longer) == ()


def test_no_answer_counts_as_an_empty_text(metric: Callable[..., Metric]) -> None:
    """A reply without an answer shortens the corpus; it does not leave it."""
    for name in ("bleu", "chrf"):
        translated = metric(name)
        targets = [["the cat sat on the mat today"], ["a dog sat on the other mat"]]
        full = total(translated, [t[0] for t in targets], targets)
        half = total(translated, [targets[0][0], None], targets)
        assert half.n == full.n == 2
        assert half.value is not None
        assert half.value < 75.0


def test_references_may_differ_in_number(metric: Callable[..., Metric]) -> None:
    """The signature says that the number of references varies."""
    found = total(metric("bleu"), ["a b c d", "a b c d"], [["a b c d"], ["a b c d", "x"]])
    assert "nrefs:var" in found.signature
    assert found.value == pytest.approx(100.0)


def test_lone_surrogates_do_not_break_anything(metric: Callable[..., Metric]) -> None:
    """Text that is no valid Unicode is scored all the same."""
    assert total(metric("chrf"), ["a\ud800b"], [["a\udc00b"]]).value == pytest.approx(100.0)


def test_jackknife_of_ten_thousand_segments_is_quick(metric: Callable[..., Metric]) -> None:
    """An interval re-adds statistics: 10,000 segments in well under two seconds."""
    rng = np.random.default_rng(7)
    total_counts = rng.integers(8, 30, (10_000, 1)) - np.arange(4)
    correct = (total_counts * rng.uniform(0.2, 0.9, (10_000, 4))).astype(int)
    rows = np.hstack(
        [total_counts[:, :1], total_counts[:, :1] + 1, correct, total_counts, np.ones((10_000, 1))]
    )
    start = time.perf_counter()
    found = corpus_interval(rows.astype(float), metric("bleu").aggregate)
    assert time.perf_counter() - start < 2.0
    assert found.stderr is not None


def test_wrong_settings(metric: Callable[..., Metric]) -> None:
    """What sacrebleu does not know is refused by name."""
    for params, message in (
        ({"tokenize": "jieba"}, "no tokenizer 'jieba'"),
        ({"smooth_method": "exponential"}, "smooth_method must be one of"),
        ({"smoth_method": "exp"}, "no parameter 'smoth_method'. Did you mean 'smooth_method'"),
        ({"max_ngram_order": "4"}, "'max_ngram_order' must be a whole number, not '4'"),
    ):
        with pytest.raises(MetricError, match=message):
            metric({"name": "bleu", **params})
    with pytest.raises(MetricError, match="at least 1"):
        metric({"name": "chrf", "char_order": 0})


@pytest.mark.parametrize(("name", "kind"), [("bleu", BLEU), ("chrf", CHRF), ("ter", TER)])
def test_another_rule_of_sacrebleus_is_said(
    name: str, kind: type, metric: Callable[..., Metric], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the installed sacrebleu gives another value than its known rules, note and signature tell."""
    usual = metric(name)
    case = Case("the cat sat on the mat", Response(), target=("the cat is on the mat",))
    theirs = kind.corpus_score

    def corpus_score(self: object, *args: object) -> object:
        found = theirs(self, *args)
        found.score *= 1.001
        return found

    monkeypatch.setattr(kind, "corpus_score", corpus_score)
    changed = metric(name)
    stats = np.array([changed.stats(case)])
    assert changed.stats(case) == usual.stats(case)
    assert any("scores texts otherwise" in note for note in changed.notes(stats))
    assert "counts:evalkit" in changed.signature
    assert not any("scores texts otherwise" in note for note in usual.notes(stats))
    assert "counts:evalkit" not in usual.signature
