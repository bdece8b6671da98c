"""The perplexity family."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import MetricError
from evalkit.core.records import Loglikelihood, MetricValue, Response
from evalkit.metrics import Case, Metric, build_metrics, summarise

FAMILY = ["perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "bits_per_char"]
Document = tuple[str, float, int | None]


def make(text: str, logprob: float, n_tokens: int | None) -> Case:
    """A document with its loglikelihood."""
    return Case(None, Response(loglikelihoods=(Loglikelihood(logprob, n_tokens),)), text=text)


def total(metric: Metric, documents: list[Document]) -> MetricValue:
    """The value of the corpus."""
    stats = [metric.stats(make(*document)) for document in documents]
    scores = [metric.score(make(*document)) for document in documents]
    return summarise(metric, scores, stats, sample_ids=[str(i) for i in range(len(documents))])


def values(documents: list[Document]) -> dict[str, float | None]:
    """The whole family on the documents."""
    metrics = build_metrics(FAMILY, language="en", kind="perplexity")
    return {metric.name: total(metric, documents).value for metric in metrics}


def test_by_hand() -> None:
    """Two documents, counted by hand: 5 tokens, 5 words, 24 bytes, 20 characters."""
    documents = [("the cat sat", -6.0, 3), ("héé néé é", -4.0, 2)]
    found = values(documents)
    assert found["perplexity"] == pytest.approx(math.exp(10 / 5))
    assert found["word_perplexity"] == pytest.approx(math.exp(10 / 6))
    assert found["byte_perplexity"] == pytest.approx(math.exp(10 / 25))
    assert found["bits_per_byte"] == pytest.approx(10 / 25 / math.log(2))
    assert found["bits_per_char"] == pytest.approx(10 / 20 / math.log(2))


def test_perplexity_is_two_to_the_cross_entropy() -> None:
    """exp of nats is 2 to the power of bits."""
    entropy = 10 / 5 / math.log(2)
    assert values([("a b", -4.0, 2), ("c d e", -6.0, 3)])["perplexity"] == pytest.approx(2**entropy)


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=20), st.floats(-50, -0.01), st.integers(1, 9)),
        min_size=1,
        max_size=5,
    )
)
def test_bits_and_perplexities_agree(documents: list[Document]) -> None:
    """bits_per_byte is log2 of byte_perplexity; order does not matter; a split corpus keeps its sum."""
    found = values(documents)
    assert found["byte_perplexity"] is not None
    assert found["bits_per_byte"] == pytest.approx(math.log2(found["byte_perplexity"]), abs=1e-9)
    assert values(documents[::-1]) == pytest.approx(found)


def test_words_are_lm_evals() -> None:
    """Words are pieces between white space, and white space at an end makes an empty piece, as in lm-eval."""
    (metric,) = build_metrics(["word_perplexity"], language="en", kind="perplexity")
    assert metric.stats(make(" = Robert Boulter = \n", -1.0, None)) == (-1.0, 6.0)


def test_no_words_where_none_are_written() -> None:
    """Chinese, Japanese and Thai have no word perplexity."""
    for lang in ("zh", "ja", "th-TH"):
        with pytest.raises(MetricError, match="use bits_per_byte"):
            build_metrics(["word_perplexity"], language=lang, kind="perplexity")


def test_uncounted_tokens_are_unscored() -> None:
    """A server that gives no number of tokens leaves the token perplexity unknown, and the rest known."""
    found = values([("abc", -3.0, None), ("def", -3.0, None)])
    assert found["perplexity"] is None
    assert found["byte_perplexity"] == pytest.approx(math.e)


def test_interval_is_made_on_the_logarithm(metric: Callable[..., Metric]) -> None:
    """The interval is symmetric in ratio, and never below 0."""
    found = total(
        metric("perplexity", kind="perplexity"),
        [("a", -1.0, 1), ("b", -9.0, 1), ("c", -2.0, 1), ("d", -5.0, 1)],
    )
    assert found.interval is not None
    assert found.value is not None
    assert found.interval_method == "jackknife-t-log"
    assert found.value / found.interval[0] == pytest.approx(found.interval[1] / found.value)
    bits = total(metric("bits_per_byte", kind="perplexity"), [("a", -1.0, 1), ("b", -9.0, 1), ("c", -2.0, 1)])
    assert bits.interval_method == "jackknife-t"
    assert not bits.higher_is_better


def test_impossible_text_is_infinitely_surprising(metric: Callable[..., Metric]) -> None:
    """A likelihood of zero gives an infinite value without interval, not an error."""
    perplexity = metric("perplexity", kind="perplexity")
    found = total(perplexity, [("a", -math.inf, 1), ("b", -1.0, 1)])
    assert found.value == math.inf
    assert found.interval is None
    assert perplexity.score(make("a", -1e6, 1)) == math.inf
    assert perplexity.score(make("", 0.0, 0)) is None
