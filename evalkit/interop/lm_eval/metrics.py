"""The registered metrics of lm-evaluation-harness 0.4.13, per document.

Most hand their items on to an aggregation.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import MetricError, did_you_mean
from evalkit.core.patterns import compile_pattern
from evalkit.interop.lm_eval import aggregations
from evalkit.interop.lm_eval.config import TaskConfig

Function = Callable[..., Any]


def hand_on(items: Any) -> Any:
    """The items as they are: the aggregation does the work."""
    return items


def nothing(items: Any) -> None:
    """None: `bypass` scores nothing."""


def exact_match(
    predictions: Sequence[Any],
    references: Sequence[Any],
    regexes_to_ignore: Sequence[str] | None = None,
    ignore_case: bool = False,
    ignore_punctuation: bool = False,
    ignore_numbers: bool = False,
) -> dict[str, float]:
    """{"exact_match": share of predictions that equal their reference}.

    Before they are compared, in this order: patterns are taken out, case, punctuation (ASCII) and digits.
    Nothing is stripped.
    """

    def clean(text: Any) -> Any:
        for pattern in regexes_to_ignore or ():
            text = compile_pattern(pattern).sub("", text)
        if ignore_case:
            text = text.lower()
        if ignore_punctuation:
            text = text.translate(_PUNCTUATION)
        return text.translate(_DIGITS) if ignore_numbers else text

    import numpy

    given = [clean(text) for text in predictions]
    wanted = [clean(text) for text in references]
    if all(isinstance(text, str) for text in (*given, *wanted)) and len(given) == len(wanted):
        return {"exact_match": sum(a == b for a, b in zip(given, wanted, strict=True)) / len(given)}
    return {"exact_match": float(numpy.mean(numpy.asarray(given) == numpy.asarray(wanted)))}


_PUNCTUATION = str.maketrans("", "", string.punctuation)
_DIGITS = str.maketrans("", "", string.digits)


@dataclass(frozen=True)
class RegisteredMetric:
    """A metric that a task names by a text."""

    function: Function
    aggregation: str
    higher_is_better: bool


METRICS: dict[str, RegisteredMetric] = {
    "acc": RegisteredMetric(hand_on, "mean", True),
    "acc_norm": RegisteredMetric(hand_on, "mean", True),
    "acc_bytes": RegisteredMetric(hand_on, "mean", True),
    "acc_mutual_info": RegisteredMetric(hand_on, "mean", True),
    "acc_all": RegisteredMetric(aggregations.acc_all, "mean", True),
    "exact_match": RegisteredMetric(exact_match, "mean", True),
    "perplexity": RegisteredMetric(hand_on, "perplexity", False),
    "likelihood": RegisteredMetric(hand_on, "mean", True),
    "word_perplexity": RegisteredMetric(hand_on, "weighted_perplexity", False),
    "byte_perplexity": RegisteredMetric(hand_on, "weighted_perplexity", False),
    "bits_per_byte": RegisteredMetric(hand_on, "bits_per_byte", False),
    "brier_score": RegisteredMetric(hand_on, "brier_score", False),
    "bypass": RegisteredMetric(nothing, "bypass", True),
    "mcc": RegisteredMetric(hand_on, "matthews_corrcoef", True),
    "f1": RegisteredMetric(hand_on, "f1", True),
    "bleu": RegisteredMetric(hand_on, "bleu", True),
    "chrf": RegisteredMetric(hand_on, "chrf", True),
    "chrf++": RegisteredMetric(hand_on, "chrf++", True),
    "ter": RegisteredMetric(hand_on, "ter", False),
}
"""Name -> metric; task modules add theirs through `register_metric`."""

DEFAULT_METRICS: Mapping[str, tuple[str, ...]] = {
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "multiple_choice": ("acc", "acc_norm"),
    "generate_until": ("exact_match",),
}

_OWN_KEYS = ("metric", "aggregation", "higher_is_better", "hf_evaluate")


@dataclass(frozen=True)
class TaskMetric:
    """One item of a task's metric_list."""

    name: str
    function: Function | None
    """None where process_results does the scoring, or where only the Hugging Face hub has it."""
    options: Mapping[str, Any]
    aggregation: Function
    higher_is_better: bool | None
    """None where neither the task nor the registry says."""


def build_metrics(config: TaskConfig, where: str) -> tuple[TaskMetric, ...]:
    """The metrics of a task, the first its headline. Raises MetricError."""
    if config.metric_list is None:
        return tuple(_metric({"metric": name}, config, where) for name in DEFAULT_METRICS[config.output_type])
    for item in config.metric_list:
        if not isinstance(item, Mapping) or "metric" not in item:
            raise MetricError(f"{where}: metric_list: each item is a mapping with `metric`, not {item!r:.60}")
    return tuple(_metric(item, config, where) for item in config.metric_list)


def _metric(item: Mapping[str, Any], config: TaskConfig, where: str) -> TaskMetric:
    named = item["metric"]
    options = {str(key): value for key, value in item.items() if key not in _OWN_KEYS}
    function: Function | None
    if config.process_results is not None:
        function, options = None, {}
        name = str(getattr(named, "__name__", named)) if callable(named) else str(named)
    elif callable(named):
        function, name = named, str(getattr(named, "__name__", type(named).__name__))
    else:
        name = str(named)
        function = _registered(name, item.get("hf_evaluate") is True, config)
    known = METRICS.get(name)
    higher = item.get("higher_is_better", known.higher_is_better if known else None)
    return TaskMetric(name, function, options, _aggregation(item, known, where), higher)


def _registered(name: str, from_hub: bool, config: TaskConfig) -> Function | None:
    """The function of a metric's name; None for one of the Hugging Face hub, which is not asked for code."""
    if name in METRICS and (not from_hub or name == "exact_match"):
        return METRICS[name].function
    return None if config.output_type == "generate_until" else hand_on


def _aggregation(item: Mapping[str, Any], known: RegisteredMetric | None, where: str) -> Function:
    rule = item.get("aggregation")
    if callable(rule):
        made: Function = rule
        return made
    if rule is None:
        return aggregations.AGGREGATIONS[known.aggregation if known else "mean"]
    if isinstance(rule, str) and rule in aggregations.AGGREGATIONS:
        return aggregations.AGGREGATIONS[rule]
    raise MetricError(
        f"{where}: metric_list: no aggregation {rule!r:.60}; there are: "
        f"{', '.join(sorted(aggregations.AGGREGATIONS))}."
        + did_you_mean(str(rule), aggregations.AGGREGATIONS)
    )
