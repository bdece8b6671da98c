"""Scoring: unknown is never zero, wrong is never unknown, and the order of arrival changes nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from factories import make_request, make_sample

from evalkit.core.records import Latency, Loglikelihood, Response, ResponseError, Sample, SampleResult, Usage
from evalkit.metrics import Context, build_metrics
from evalkit.metrics.code import INSIDE, CodePasses
from evalkit.metrics.extractors import build_extractor
from evalkit.running.scoring import CellScorer

CHOICE = Sample("c", {}, ("apple",), ("stone", "apple", "chair"), (1,))


def scorer(
    metrics: list[Any] | None = None,
    mode: str = "generate",
    extract: list[Any] | None = None,
    kind: str = "generate",
) -> CellScorer:
    """A scorer of exact match on the whole text, or of these metrics."""
    return CellScorer(
        mode=mode,
        extractor=build_extractor(extract if extract is not None else ["identity"], language="en"),
        metrics=build_metrics(metrics or ["exact_match"], language="en", kind=kind),
    )


def ok(text: str | None = "42", **fields: Any) -> Response:
    """An answer; right unless another text is given."""
    return Response(text=text, **fields)


def error(kind: str = "timeout") -> Response:
    """A failed call."""
    return Response("error", error=ResponseError(kind, "too slow"))


def feed(cell: CellScorer, responses: list[Response], clusters: list[str | None] | None = None) -> CellScorer:
    """The scorer after these responses to samples s0, s1, ..."""
    for n, response in enumerate(responses):
        sample = make_sample(f"s{n}", cluster=clusters[n] if clusters else None)
        cell.score(n, sample, make_request(), response)
    return cell


def value(cell: CellScorer, metric: str = "exact_match") -> Any:
    """The value of a metric."""
    return cell.metric_values()[metric]


def test_right_and_wrong_answers_are_scored() -> None:
    """The mean counts each sample once, with n, interval and signature."""
    metric = value(feed(scorer(), [ok(), ok("41"), ok(), ok()]))
    assert (metric.value, metric.n, metric.scale) == (0.75, 4, "fraction")
    assert metric.interval[0] < 0.75 < metric.interval[1]
    assert metric.signature.startswith("exact_match")


@pytest.mark.parametrize("response", [ok(""), ok(None), ok("no number at all")])
def test_reply_without_an_answer_is_wrong_and_counted(response: Response) -> None:
    """A reply from which no answer can be extracted scores 0, stays in the denominator, and is counted."""
    cell = feed(scorer(extract=["number"]), [ok(), response])
    counts = cell.counts(2)
    assert (value(cell).value, value(cell).n) == (0.5, 2)
    assert (counts.scored, counts.unscored, counts.no_answer, counts.errors) == (2, 0, 1, 0)


@pytest.mark.parametrize(
    ("response", "score"),
    [
        (Response("refused", text=None), 0.0),
        (Response("refused", text="I cannot say."), 0.0),
        (Response("truncated", text="42"), 1.0),
        (Response("truncated", text="4"), 0.0),
    ],
)
def test_refused_and_truncated_are_scored_and_counted(response: Response, score: float) -> None:
    """What the model did itself is scored on what there is, and counted beside the score."""
    cell = scorer()
    result = cell.score(0, make_sample(), make_request(), response)
    counts = cell.counts(1)
    assert result.scores == {"exact_match": score}
    assert (result.unscored_reason, counts.scored) == (None, 1)
    assert (counts.refused, counts.truncated) == (
        int(response.status == "refused"),
        int(response.status == "truncated"),
    )


def test_errors_are_unscored_and_outside_the_mean() -> None:
    """A failed call is no wrong answer: it leaves the mean alone and is counted with its cause."""
    cell = feed(scorer(), [ok(), error(), error("server"), error()])
    counts = cell.counts(4)
    assert (value(cell).value, value(cell).n) == (1.0, 1)
    assert (counts.samples, counts.scored, counts.unscored, counts.errors, counts.no_answer) == (
        4,
        1,
        3,
        3,
        0,
    )
    assert cell.notes() == ("server: 1 unscored", "timeout: 2 unscored")


def test_unscored_result_has_no_scores() -> None:
    """The line of a failed call holds the reason and no number."""
    result = scorer(["exact_match", "bleu"]).score(0, make_sample(), make_request(), error())
    assert (result.scores, result.stats, result.answer) == ({}, {}, None)
    assert result.unscored_reason == "timeout"


def test_nothing_scored_is_no_value() -> None:
    """Without a scored sample there is no number, never 0."""
    metric = value(feed(scorer(), [error()]))
    assert (metric.value, metric.stderr, metric.interval, metric.n) == (None, None, None, 0)
    metric = value(scorer())
    assert (metric.value, metric.n) == (None, 0)


def test_planned_and_never_asked_is_unscored() -> None:
    """An interrupted run shows what is missing: its samples count as unscored."""
    counts = feed(scorer(), [ok(), ok()]).counts(10)
    assert (counts.samples, counts.scored, counts.unscored, counts.errors) == (10, 2, 8, 0)


def test_repeats_are_averaged_inside_a_sample() -> None:
    """A sample asked four times is one sample: n and the interval do not shrink."""
    cell = scorer()
    position = 0
    for sample, texts in {"a": ["42"] * 4, "b": ["42", "1", "1", "1"]}.items():
        for repeat, text in enumerate(texts):
            cell.score(position, make_sample(sample), make_request(repeat=repeat), ok(text))
            position += 1
    assert (value(cell).value, value(cell).n) == (0.625, 2)
    assert cell.counts(8).samples == 8


def test_failed_repeat_leaves_the_others_of_its_sample() -> None:
    """A sample with one failed repeat is judged by the others."""
    cell = scorer()
    for position, (sample, response) in enumerate(
        [("a", ok()), ("a", error()), ("b", ok("1")), ("b", ok("1"))]
    ):
        cell.score(position, make_sample(sample), make_request(repeat=position % 2), response)
    assert (value(cell).value, value(cell).n) == (0.5, 2)


def test_clusters_widen_the_interval() -> None:
    """Questions on one passage stand and fall together; the interval knows."""
    texts = [ok() if n < 10 else ok("1") for n in range(20)]
    apart = value(feed(scorer(), texts))
    together = value(feed(scorer(), texts, [f"passage {n // 10}" if n < 20 else None for n in range(20)]))
    assert apart.value == together.value == 0.5
    assert together.stderr > 2 * apart.stderr


def test_values_do_not_depend_on_the_order_of_arrival() -> None:
    """The same answers give the same numbers to the last bit, however they arrive."""
    rng = random.Random(0)
    metrics = ["exact_match", "f1", "bleu", "chrf"]
    words = ["a", "b", "c", "42", "the", "cat"]
    answers = [ok(" ".join(rng.choices(words, k=rng.randrange(1, 8)))) for _ in range(30)]
    answers[7] = error()
    samples = [replace(make_sample(f"s{n}"), target=("the cat 42 a b", "c")) for n in range(30)]
    outcomes = []
    for seed in range(4):
        cell = scorer(metrics)
        order = random.Random(seed).sample(range(30), 30)
        for n in order:
            cell.score(n, samples[n], make_request(), answers[n])
        outcomes.append((cell.metric_values(), cell.counts(30)))
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_corpus_metric_keeps_statistics_of_each_sample() -> None:
    """A metric of the corpus stores what can be added again, so that intervals never read the texts."""
    sample = replace(make_sample(), target=("the cat sat on the mat",))
    result = scorer(["bleu"]).score(0, sample, make_request(), ok("the cat sat on the mat"))
    assert len(result.stats["bleu"]) > 4


@pytest.mark.parametrize(
    ("likelihoods", "chosen", "score"),
    [
        ((-3.0, -1.0, -2.0), "apple", 1.0),
        ((-1.0, -3.0, -2.0), "stone", 0.0),
        ((-1.0, -1.0, -1.0), "stone", 0.0),
    ],
)
@pytest.mark.parametrize("mode", ["loglikelihood", "letter_logprobs"])
def test_ranked_choice_is_the_likeliest(
    mode: str, likelihoods: tuple[float, ...], chosen: str, score: float
) -> None:
    """The option of the highest likelihood is the answer; of equals the first."""
    response = Response(loglikelihoods=tuple(Loglikelihood(item) for item in likelihoods))
    result = scorer(["accuracy"], mode, kind="choice").score(0, CHOICE, make_request(), response)
    assert (result.answer, result.scores) == (chosen, {"accuracy": score})


@pytest.mark.parametrize("given", [(), (-1.0,), (-1.0, -2.0, -3.0, -4.0)])
def test_missing_likelihoods_are_unscored(given: tuple[float, ...]) -> None:
    """A server that answers without the likelihoods that were asked gives no score, and no wrong one."""
    cell = scorer(["accuracy"], "loglikelihood", kind="choice")
    response = Response(loglikelihoods=tuple(Loglikelihood(item) for item in given))
    result = cell.score(0, CHOICE, make_request(), response)
    counts = cell.counts(1)
    assert result.unscored_reason == "no_logprobs"
    assert (counts.scored, counts.unscored, counts.errors) == (0, 1, 0)


@pytest.mark.parametrize(
    ("text", "answer", "score"),
    [
        ("B", "apple", 1.0),
        ("The answer is B.", "apple", 1.0),
        ("A", "stone", 0.0),
        ("Z", None, 0.0),
        ("", None, 0.0),
    ],
)
def test_letter_becomes_its_option(text: str, answer: str | None, score: float) -> None:
    """A chat model's letter stands for the option; a letter of no option is no answer."""
    extract = ["strip_reasoning", {"letter": {"letters": "ABC"}}]
    cell = scorer(["accuracy"], "letter_generate", extract, "choice")
    result = cell.score(0, CHOICE, make_request(), ok(text))
    assert (result.answer, result.scores) == (answer, {"accuracy": score})
    assert cell.counts(1).no_answer == int(answer is None)


def test_rolling_likelihood_is_scored_by_its_text() -> None:
    """Bits per byte are those of the text; a server without likelihoods leaves it unscored."""
    cell = scorer(["bits_per_byte"], "rolling", kind="perplexity")
    sample = Sample("p", {}, text="abcd")
    cell.score(0, sample, make_request(), Response(loglikelihoods=(Loglikelihood(-5.545177444479562, 2),)))
    cell.score(1, replace(sample, id="q"), make_request(), Response())
    assert value(cell, "bits_per_byte").value == pytest.approx(2.0)
    counts = cell.counts(2)
    assert (counts.scored, counts.unscored, counts.no_answer) == (1, 1, 0)


def test_answer_tells_where_it_was_found() -> None:
    """The place of the answer in the text is kept, so that a reader can check the extraction."""
    result = scorer(extract=["number"]).score(0, make_sample(), make_request(), ok("It is 42, I think."))
    assert (result.answer, result.rule is not None) == ("42", True)
    assert result.span is not None
    assert "It is 42, I think."[slice(*result.span)] == "42"


def test_result_carries_the_whole_sample() -> None:
    """A line of the run shows what was asked, what was right, and to what the sample belongs."""
    sample = make_sample(cluster="p1", metadata={"topic": "x"})
    request = make_request(repeat=2)
    result = scorer().score(0, sample, request, ok())
    assert isinstance(result, SampleResult)
    assert (result.sample_id, result.repeat, result.request_digest) == ("s1", 2, request.digest)
    assert (result.messages, result.target) == (request.messages, ("42",))
    assert (result.cluster, result.metadata) == ("p1", {"topic": "x"})


def test_tokens_are_added_up() -> None:
    """Usage is the sum over calls, cached answers included, failed ones left out."""
    cell = feed(
        scorer(),
        [
            ok(usage=Usage(10, 2, 1, 0)),
            ok(usage=Usage(20, 3, 0, 5), from_cache=True),
            replace(error(), usage=Usage(999, 999, 999, 999)),
        ],
    )
    assert cell.usage() == Usage(30, 5, 1, 5)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_unknown_usage_stays_unknown(order: list[int]) -> None:
    """One call whose tokens nobody counted makes the sum unknown, never too small."""
    responses = [ok(usage=Usage(10, 2)), ok(usage=Usage(10, None)), ok(usage=Usage(10, 2))]
    assert feed(scorer(), [responses[n] for n in order]).usage() == Usage(30, None, None, None)
    assert scorer().usage() == Usage()


def test_cost_now_and_cost_once_are_told_apart() -> None:
    """What was paid in this run stands apart from what cached answers had cost."""
    responses = [ok(cost_usd=0.5), ok(cost_usd=0.25), ok(cost_usd=2.0, from_cache=True), error()]
    assert feed(scorer(), responses).costs() == (0.75, 2.0)


def test_unknown_cost_stays_unknown() -> None:
    """An unknown price makes its own sum unknown, and only that."""
    assert feed(scorer(), [ok(cost_usd=0.5), ok(cost_usd=None)]).costs() == (None, 0.0)
    assert feed(scorer(), [ok(cost_usd=0.5), ok(cost_usd=None, from_cache=True)]).costs() == (0.5, None)


def test_cached_parts_of_a_sample_are_told_apart() -> None:
    """Of the calls of one sample, those from the cache count as once paid, the others as paid now."""
    parts = (Response(cost_usd=0.5), Response(cost_usd=2.0, from_cache=True))
    cell = feed(scorer(), [ok(cost_usd=0.5, parts=parts), ok(cost_usd=0.25)])
    assert cell.costs() == (0.75, 2.0)
    whole = ok(cost_usd=2.5, parts=tuple(replace(part, from_cache=True) for part in parts), from_cache=True)
    assert feed(scorer(), [whole]).costs() == (0.0, 2.5)
    unknown = (Response(cost_usd=0.5), Response(cost_usd=None, from_cache=True))
    assert feed(scorer(), [ok(cost_usd=0.5, parts=unknown)]).costs() == (0.5, None)


def test_latency_is_that_of_calls_of_this_run() -> None:
    """Cached and untimed answers have no latency; without any there is none."""
    responses = [ok(latency_s=n / 10) for n in range(1, 11)]
    responses += [ok(latency_s=99.0, from_cache=True), ok(latency_s=None)]
    latency = feed(scorer(), responses).latency()
    assert latency.mean == pytest.approx(0.55)
    assert (latency.p50, latency.p95) == (0.5, 1.0) or (latency.p50, latency.p95) == (0.6, 1.0)
    assert feed(scorer(), [ok(latency_s=99.0, from_cache=True)]).latency() == Latency()


def test_notes_of_calls_are_counted() -> None:
    """What was done to calls on the way is told once, with how often."""
    cell = feed(scorer(), [ok(notes=("dropped top_k",)), ok(notes=("dropped top_k", "cut")), ok()])
    assert cell.notes() == ("cut (1x)", "dropped top_k (2x)")


def test_cached_answers_are_counted() -> None:
    """A reader sees how many answers came from the cache."""
    assert feed(scorer(), [ok(from_cache=True), ok()]).counts(2).cached == 1


def test_what_a_metric_says_of_a_score_is_noted_once_and_anew() -> None:
    """Notes of a slow metric stand on the sample and are counted; a second rating replaces them."""
    cell = replace(scorer(), metrics=[CodePasses(Context(), trust=True)])
    sample = replace(make_sample("s"), fields={"test_list": ["import sys", "assert f() == 1"]})
    response = ok("def f(): return 1", notes=("code: of before", "system prompt merged"))
    result = cell.score(0, sample, make_request(), response)
    assert result.scores == {"code_passes": 1.0}
    assert [note.split(" (")[0] for note in result.response.notes] == ["system prompt merged", INSIDE]
    assert sum(note.startswith(INSIDE) and note.endswith("(1x)") for note in cell.notes()) == 1
