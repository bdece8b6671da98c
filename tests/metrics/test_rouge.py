"""ROUGE against rouge_score, and on Chinese."""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import MetricError
from evalkit.metrics import Case, Context, Metric
from evalkit.metrics.overlap import lcs_positions, ngram_overlap, summary_overlap
from evalkit.metrics.rouge import Rouge

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # absl and nltk warn on import
    from rouge_score import rouge_scorer

Value = Callable[..., float]
TYPES = ("rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum")
REF = "北京是中华人民共和国的首都，也是全国的政治和文化中心。"
PARA = "北京是中国的首都，是全国的政治中心与文化中心。"
UNREL = "今天下午我们去公园散步，天气非常好。"
HALF = REF.replace("，", ",").replace("。", ".")
WORDS = [
    "the",
    "cat",
    "cats",
    "running",
    "relational",
    "sat",
    "on",
    "mat",
    "3",
    "x-y",
    "Über",
    "don't",
    "北京",
]

english = st.lists(st.sampled_from(WORDS), max_size=25).flatmap(
    lambda words: st.lists(
        st.sampled_from([" ", " ", " ", "\n", ". "]), min_size=len(words), max_size=len(words)
    ).map(lambda gaps: "".join(w + g for w, g in zip(words, gaps, strict=True)))
)


@pytest.mark.parametrize(
    ("answer", "f"),
    [  # chinese-metrics.md 5.1, row "char + Latin/number runs"
        (REF, (1.0, 1.0, 1.0)),
        (PARA, (0.783, 0.636, 0.783)),
        (UNREL, (0.0, 0.0, 0.0)),
        (HALF, (1.0, 1.0, 1.0)),
    ],
)
def test_chinese(answer: str, f: tuple[float, ...], value: Value) -> None:
    """Characters are the units; punctuation and its width do not count."""
    found = [round(value(name, "zh", answer, REF), 3) for name in ("rouge1", "rouge2", "rougeL")]
    assert found == list(f)


@pytest.mark.parametrize("answer", [REF, PARA, UNREL, HALF])
def test_english_tokenizer_is_blind_to_chinese(answer: str, value: Value) -> None:
    """The table's first row: rouge_score's tokenizer finds nothing in Chinese."""
    for name in ("rouge1", "rouge2", "rougeL"):
        assert value({"name": name, "tokenizer": "rouge_score"}, "zh", answer, REF) == 0.0


def test_english_tokenizer_is_worse_than_blind_on_mixed_text(value: Value) -> None:
    """Where only numbers survive, a contradiction scores 1 under English rules, and less under ours."""
    left, right = "2023年GDP增长5.2%，出口下降。", "2023年GDP下降5.2%，出口增长。"
    apple, quake = "苹果公司2023年营收增长5%", "地震造成2023人受伤，5栋房屋倒塌"
    for a, b in ((left, right), (apple, quake)):
        assert value("rougeL", "en", a, b) == 1.0
        assert value("rougeL", "zh", a, b) < 0.8


def test_repetition_is_not_rewarded(value: Value) -> None:
    """N-grams are counted as often as they occur, unlike in rouge-chinese."""
    precision = value({"name": "rouge1", "report": "precision"}, "zh", "的 的 的 的", "的 人")
    assert precision == 0.25


def test_summary_level_needs_no_line_breaks_in_chinese(value: Value) -> None:
    """Sentences that change places cost nothing at the level of summaries."""
    one, two = "北京是中国的首都。", "上海是最大的城市。"
    assert value("rougeLsum", "zh", two + one, one + two) == 1.0
    assert value("rougeL", "zh", two + one, one + two) < 1.0


@given(english, english, st.booleans())
@settings(max_examples=100)
def test_values_are_rouge_scores(target: str, answer: str, stem: bool) -> None:
    """Precision, recall and F1 of every type equal rouge_score's to 1e-12, with and without stemming."""
    expected = _reference(stem).score(target, answer)
    for name in TYPES:
        found = Rouge(Context("en"), type=name, use_stemmer=stem).compare(target, answer)
        want = expected[name]
        assert found.fmeasure == pytest.approx(want.fmeasure, abs=1e-12)
        assert found.precision == pytest.approx(want.precision, abs=1e-12)
        assert found.recall == pytest.approx(want.recall, abs=1e-12)


def _reference(stem: bool, cache: dict[bool, Any] = {}) -> Any:  # noqa: B006
    if stem not in cache:
        cache[stem] = rouge_scorer.RougeScorer(list(TYPES), use_stemmer=stem)
    return cache[stem]


@given(st.lists(english, min_size=1, max_size=3), english)
@settings(max_examples=30)
def test_several_references_are_rouge_scores(targets: list[str], answer: str) -> None:
    """Of several references the best by F1 counts, for each type by itself: score_multi."""
    expected = _reference(False).score_multi(targets, answer)
    for name in TYPES:
        for report, field in (("f1", "fmeasure"), ("precision", "precision"), ("recall", "recall")):
            metric = Rouge(Context("en"), type=name, report=report)
            found = metric.score(Case(answer, response=None, target=tuple(targets)))  # type: ignore[arg-type]
            assert found == pytest.approx(getattr(expected[name], field), abs=1e-12)


class _Units:
    """Our tokens for rouge_score: characters, one a piece."""

    def tokenize(self, text: str) -> list[str]:
        from evalkit.core.language import tokenize

        return tokenize(text, "zh")


@given(
    st.text(alphabet="北京是首都a1，。\n", max_size=30), st.text(alphabet="北京是首都a1，。\n", max_size=30)
)
@settings(max_examples=60)
def test_chinese_values_are_rouge_scores_on_our_tokens(target: str, answer: str) -> None:
    """Given the same tokens, rouge_score finds the same values in Chinese."""
    scorer = rouge_scorer.RougeScorer(list(TYPES), tokenizer=_Units())
    expected = scorer.score(target, answer)
    for name in TYPES:
        found = Rouge(Context("zh"), type=name, sentences="lines").compare(target, answer)
        assert found.fmeasure == pytest.approx(expected[name].fmeasure, abs=1e-12)


@given(st.text(alphabet="abcd", max_size=70), st.text(alphabet="abcde", max_size=70))
def test_the_walk_is_rouge_scores(reference: str, candidate: str) -> None:
    """Of several longest subsequences the very one of rouge_score's table walk is found."""
    masks: dict[str, int] = {}
    for i, ch in enumerate(reference):
        masks[ch] = masks.get(ch, 0) | 1 << i
    found = lcs_positions(len(reference), masks, candidate)
    assert found[::-1] == rouge_scorer.lcs_ind(reference, candidate)


@pytest.mark.parametrize(("name", "least"), [("rougeL", 100), ("rougeLsum", 10)])
def test_speed(name: str, least: float, metric: Callable[..., Metric], case: Callable[..., Case]) -> None:
    """On texts of 2,000 tokens the value is rouge_score's, at least so many times as fast."""
    rng = random.Random(f"speed:{name}")
    left, right = (
        "".join(f"w{rng.randint(0, 800)}{chr(10) if i % 20 == 19 else ' '}" for i in range(2000))
        for _ in range(2)
    )
    ours = metric(name)
    ours.score(case("a b", "b c"))
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        found = ours.score(case(right, left))
        taken.append(time.perf_counter() - start)
    start = time.perf_counter()
    expected = rouge_scorer.RougeScorer([name]).score(left, right)[name].fmeasure
    assert found == expected
    assert (time.perf_counter() - start) / min(taken) >= least


def test_empty_sides() -> None:
    """Nothing has nothing in common with anything."""
    assert ngram_overlap([], ["a"], 1).fmeasure == 0.0
    assert ngram_overlap(["a"], ["a"], 2).fmeasure == 0.0
    assert summary_overlap([["a"], []], [[]]).fmeasure == 0.0


def test_no_answer_is_zero(value: Value) -> None:
    """A reply without an answer scores 0."""
    for name in TYPES:
        assert value(name, "zh", None, REF) == 0.0


def test_wrong_settings(metric: Callable[..., Metric]) -> None:
    """Unknown types, and stemming of what Porter cannot stem, are refused."""
    with pytest.raises(MetricError, match="no type 'rougeX'"):
        metric({"name": "rouge", "types": ["rougeX"]})
    with pytest.raises(MetricError, match="no metric 'rougl'"):
        metric("rougl")
    with pytest.raises(MetricError, match="Porter"):
        metric({"name": "rouge1", "use_stemmer": True}, "zh")


def test_signatures(metric: Callable[..., Metric]) -> None:
    """Tokens, stemming and the rule for sentences are part of the signature."""
    assert metric("rougeLsum", "zh").signature == (
        "rougeLsum|tok:chars-zh|stem:no|sentences:split|report:f1|refs:best|v:1"
    )
    assert metric({"name": "rouge1", "use_stemmer": True}).signature == (
        "rouge1|tok:rouge_score|stem:yes|report:f1|refs:best|v:1"
    )
    assert metric("rouge1", "de").signature.startswith("rouge1|tok:words-de|")


def test_chinese_words_need_a_library_that_the_signature_names(
    metric: Callable[..., Metric], case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`unit: word` cuts with rjieba or jieba and says which; without one it says what to install."""
    from evalkit.metrics import segmentation

    spec = {"name": "rouge1", "unit": "word"}
    cut = {
        "北京是中国的首都": ["北京", "是", "中国", "的", "首都"],
        "首都是北京。": ["首都", "是", "北京", "。"],
    }
    monkeypatch.setattr(segmentation, "segmenter", lambda: (cut.__getitem__, "jieba-0.42.1"))
    monkeypatch.setattr("evalkit.metrics.rouge.segmenter", segmentation.segmenter)
    words = metric(spec, "zh")
    assert "tok:words-zh-jieba-0.42.1" in words.signature
    # Three of three words, of five: P 1, R 3/5.
    assert words.score(case("首都是北京。", "北京是中国的首都")) == pytest.approx(0.75)
    for language in ("en", "ja"):
        with pytest.raises(MetricError):
            metric({"name": "rouge1", "unit": "char" if language == "en" else "word"}, language)


def test_without_a_library_words_are_an_error(
    metric: Callable[..., Metric], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the packages."""
    from evalkit.metrics import segmentation

    segmentation.segmenter.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricError, match="pip install rjieba"):
        metric({"name": "rouge1", "unit": "word"}, "zh")
    segmentation.segmenter.cache_clear()
