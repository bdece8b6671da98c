"""From the values of all documents to one number and its standard error, by lm_eval 0.4.13's formulas."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evalkit.core.errors import MetricError

Function = Callable[..., Any]

BOOTSTRAP_ITERATIONS = 100_000
"""Replicates of a bootstrapped standard error; the text metrics use at most 100."""
_TEXT_METRIC_ITERATIONS = 100
_CHUNK = 1000


def mean(arr: Sequence[Any]) -> Any:
    """sum / n."""
    return sum(arr) / len(arr)


def nanmean(arr: Sequence[float]) -> float:
    """The mean of the values that are numbers; nan when none is."""
    numbers = [float(value) for value in arr if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def median(arr: Sequence[Any]) -> Any:
    """The upper of the middle values."""
    return sorted(arr)[len(arr) // 2]


def perplexity(items: Sequence[float]) -> float:
    """exp(-mean) of loglikelihoods per document, in nats."""
    return math.exp(-mean(items))


def weighted_mean(items: Iterable[tuple[float, float]]) -> float:
    """The sum of the values over the sum of the weights."""
    values, weights = zip(*items, strict=True)
    return float(sum(values) / sum(weights))


def weighted_perplexity(items: Sequence[tuple[float, float]]) -> float:
    """exp(-sum of loglikelihoods / sum of words or bytes)."""
    return math.exp(-weighted_mean(items))


def bits_per_byte(items: Sequence[tuple[float, float]]) -> float:
    """-sum of loglikelihoods / sum of bytes, in bits."""
    return -weighted_mean(items) / math.log(2)


def bypass(arr: Sequence[Any]) -> int:
    """999: nothing was scored."""
    return 999


def f1_score(items: Sequence[tuple[Any, Any]]) -> float:
    """Binary F1 of (gold, predicted) pairs."""
    from sklearn.metrics import f1_score as f1

    gold, predicted = zip(*items, strict=True)
    return float(f1(gold, predicted, zero_division=0.0))


def matthews_corrcoef(items: Sequence[tuple[Any, Any]]) -> float:
    """Matthews' correlation of (gold, predicted) pairs."""
    from sklearn.metrics import matthews_corrcoef as mcc

    gold, predicted = zip(*items, strict=True)
    return float(mcc(gold, predicted))


def bleu(items: Sequence[tuple[Any, Any]]) -> float:
    """Corpus BLEU of (reference or references, prediction), 0 to 100."""
    import sacrebleu

    return float(sacrebleu.corpus_bleu(*_corpus(items)).score)


def chrf(items: Sequence[tuple[Any, Any]]) -> float:
    """Corpus chrF, 0 to 100."""
    import sacrebleu

    return float(sacrebleu.corpus_chrf(*_corpus(items)).score)


def chrfpp(items: Sequence[tuple[Any, Any]]) -> float:
    """Corpus chrF++ (word bigrams), 0 to 100."""
    import sacrebleu

    return float(sacrebleu.corpus_chrf(*_corpus(items), word_order=2).score)


def ter(items: Sequence[tuple[Any, Any]]) -> float:
    """Corpus TER, lower is better."""
    import sacrebleu

    return float(sacrebleu.corpus_ter(*_corpus(items)).score)


def _corpus(items: Sequence[tuple[Any, Any]]) -> tuple[list[str], list[list[str]]]:
    """Predictions, and one list for each position of a reference."""
    references = [list(item[0]) if _is_list(item[0]) else [item[0]] for item in items]
    predictions = []
    for item in items:
        if _is_list(item[1]) and len(item[1]) != 1:
            raise MetricError(f"a prediction must be one text, not {len(item[1])}")
        predictions.append(item[1][0] if _is_list(item[1]) else item[1])
    return predictions, [list(column) for column in zip(*references, strict=False)]


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)


def brier_score(items: Sequence[tuple[Any, Any]]) -> float:
    """The mean over documents of the squared distance of the probabilities from the right choice."""
    import numpy

    gold, probabilities = zip(*items, strict=True)
    given = numpy.array(probabilities)
    right = numpy.eye(given.shape[1])[list(gold)]
    return float(numpy.mean(numpy.sum((given - right) ** 2, axis=1)))


def acc_all(items: Sequence[tuple[Any, Mapping[str, Any]]]) -> float:
    """The share of questions whose every answer was judged right."""
    return float(mean(_all_right(items, lambda index: (index["paragraph"], index["question"]))))


def _all_right(items: Sequence[Any], key: Callable[[Any], Any]) -> list[int]:
    verdicts: dict[Any, list[bool]] = {}
    for predicted, doc in items:
        verdicts.setdefault(key(doc["idx"]), []).append((doc["label"] == 1) == predicted)
    return [int(all(each)) for each in verdicts.values()]


AGGREGATIONS: dict[str, Function] = {
    "mean": mean,
    "nanmean": nanmean,
    "median": median,
    "perplexity": perplexity,
    "weighted_perplexity": weighted_perplexity,
    "bits_per_byte": bits_per_byte,
    "bypass": bypass,
    "f1": f1_score,
    "matthews_corrcoef": matthews_corrcoef,
    "bleu": bleu,
    "chrf": chrf,
    "chrf++": chrfpp,
    "ter": ter,
    "brier_score": brier_score,
}
"""Name in a task file -> aggregation; task modules add theirs through `register_aggregation`."""

_BOOTSTRAPPED = (median, matthews_corrcoef, f1_score, perplexity, bleu, chrf, chrfpp, ter, nanmean)


def sample_stddev(arr: Sequence[float]) -> float:
    """The standard deviation with n - 1 in the denominator."""
    centre = mean(arr)
    return math.sqrt(sum((x - centre) ** 2 for x in arr) / (len(arr) - 1))


def mean_stderr(arr: Sequence[float]) -> float:
    """The standard error of a mean."""
    return sample_stddev(arr) / math.sqrt(len(arr))


def stderr(metric: str, aggregation: Function, values: Sequence[Any], iterations: int) -> float | None:
    """The standard error by the field's rule; None where it gives none ("N/A")."""
    if iterations <= 0 or len(values) < 2:
        return None
    if aggregation is mean:
        return mean_stderr(values)
    if aggregation is acc_all:
        return mean_stderr(_all_right(values, lambda index: index["question"]))
    if aggregation in _BOOTSTRAPPED:
        if metric in ("bleu", "chrf", "chrf++", "ter"):
            iterations = min(iterations, _TEXT_METRIC_ITERATIONS)
        return sample_stddev(_replicates(aggregation, values, iterations))
    return None


def _replicates(aggregation: Function, values: Sequence[Any], iterations: int) -> Sequence[float]:
    """The aggregation of resampled values: chunk i draws with `Random(i).choices`, as the field does."""
    size = min(_CHUNK, iterations)
    of_columns = _of_columns(aggregation, values)
    replicates: list[float] = []
    for seed in range(iterations // size):
        if of_columns is not None:
            replicates.extend(of_columns(positions) for positions in _positions(seed, size, len(values)))
            continue
        rng = random.Random(seed)
        replicates.extend(aggregation(rng.choices(values, k=len(values))) for _ in range(size))
    return replicates


def _positions(seed: int, size: int, n: int) -> Iterable[Any]:
    """`size` resamples of n positions: the draws of `Random(seed).choices`, made by numpy."""
    import numpy

    _, state, _ = random.Random(seed).getstate()
    generator = numpy.random.RandomState()
    generator.set_state(("MT19937", numpy.array(state[:-1], dtype=numpy.uint32), state[-1], 0, 0.0))
    return ((generator.random_sample(n) * n).astype(int) for _ in range(size))


def _of_columns(aggregation: Function, values: Sequence[Any]) -> Callable[[Any], float] | None:
    """The aggregation as a function of resampled positions; None where there is no quick form."""
    import numpy

    if aggregation is perplexity:
        given = numpy.asarray(values, dtype=float)
        return lambda positions: math.exp(-float(given[positions].mean()))
    if aggregation not in (f1_score, matthews_corrcoef) or not all(
        label in (0, 1) for pair in values for label in pair
    ):
        return None
    cells = numpy.array([2 * int(gold) + int(predicted) for gold, predicted in values])
    formula = _f1_of_counts if aggregation is f1_score else _mcc_of_counts
    return lambda positions: formula(*numpy.bincount(cells[positions], minlength=4).tolist())


def _f1_of_counts(tn: int, fp: int, fn: int, tp: int) -> float:
    return 2 * tp / (2 * tp + fp + fn) if tp else 0.0


def _mcc_of_counts(tn: int, fp: int, fn: int, tp: int) -> float:
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / math.sqrt(product) if product else 0.0
