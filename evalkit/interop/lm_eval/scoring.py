"""From the filtered responses of one document to its metric values: lm_eval 0.4.13's formulas and quirks."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from evalkit.core.errors import MetricError
from evalkit.interop.lm_eval.config import TaskConfig
from evalkit.interop.lm_eval.metrics import TaskMetric
from evalkit.interop.lm_eval.requests import DocRequests, Probe

_WRONG = -100
"""The gold position of a label that is none of the choices: never equal to a prediction."""


class DocScorer:
    """Scores the documents of one task."""

    def __init__(self, config: TaskConfig, metrics: Sequence[TaskMetric], found: Probe, where: str) -> None:
        self._config = config
        self._metrics = metrics
        self._names = [metric.name for metric in metrics]
        self._probe = found
        self._where = where
        self.expanded: dict[str, str] = {}
        """Key that a metric's dict gave -> the metric it came from."""

    def score(self, asked: DocRequests, results: Sequence[Any]) -> dict[str, Any]:
        """Metric -> value of one document. Raises MetricError."""
        own = self._config.process_results
        try:
            if own is not None:
                values = own(copy.deepcopy(dict(asked.doc)), list(results))
                if not isinstance(values, Mapping):
                    raise MetricError(f"process_results gives {type(values).__name__}, not a mapping")
                return {str(key): value for key, value in values.items()}
            return self._by_type[self._config.output_type](self, asked, results)
        except MetricError as error:
            raise MetricError(f"{self._where}: document {asked.doc_id}: {error}") from error
        except ImportError as error:
            raise MetricError(
                f"{self._where}: process_results: needs the Python package {error.name!r}, "
                "which is not installed"
            ) from error
        except Exception as error:
            key = "process_results" if own is not None else "metric_list"
            raise MetricError(
                f"{self._where}: {key}: document {asked.doc_id}: {type(error).__name__}: {error}"
            ) from error

    def _loglikelihood(self, asked: DocRequests, results: Sequence[Any]) -> dict[str, Any]:
        logprob, greedy = results[0]
        values: dict[str, Any] = {}
        if "perplexity" in self._names:
            values["perplexity"] = logprob
        if "acc" in self._names:
            values["acc"] = int(_known(greedy))
        return values

    def _rolling(self, asked: DocRequests, results: Sequence[Any]) -> dict[str, Any]:
        (logprob,) = results
        text = str(asked.target)
        n_bytes = len(text.encode("utf-8"))
        weights = {
            "word_perplexity": len(re.split(r"\s+", text)),
            "byte_perplexity": n_bytes,
            "bits_per_byte": n_bytes,
        }
        return {name: (logprob, weight) for name, weight in weights.items() if name in self._names}

    def _choice(self, asked: DocRequests, results: Sequence[Any]) -> dict[str, Any]:
        import numpy

        choices = asked.choices
        n_choices = len(choices)
        logprobs = [float(result[0]) for result in results]
        greedy = [result[1] for result in results]
        unconditional: list[float] = []
        if "acc_mutual_info" in self._names and len(logprobs) == 2 * n_choices:
            logprobs, unconditional = logprobs[:n_choices], logprobs[n_choices:]
        gold = self._gold(asked)
        given = numpy.array(logprobs)
        with numpy.errstate(all="ignore"):
            by_length = given / numpy.array([float(len(choice)) for choice in choices])
            by_bytes = given / numpy.array([float(len(choice.encode("utf-8"))) for choice in choices])
            shares = numpy.exp(given - given.max())
        predicted = int(numpy.argmax(given))
        several = bool(self._probe.multiple_target)

        def hits(position: int) -> float:
            return 1.0 if (position in gold if several else position == gold) else 0.0

        makers: dict[str, Callable[[], Any]] = {
            "acc": lambda: hits(predicted),
            "f1": lambda: (gold, predicted),
            "mcc": lambda: (gold, predicted),
            "acc_norm": lambda: hits(int(numpy.argmax(by_length))),
            "acc_bytes": lambda: hits(int(numpy.argmax(by_bytes))),
            "exact_match": lambda: self._greedy_gold(gold, greedy, several),
            "brier_score": lambda: (gold, tuple((shares / shares.sum()).tolist())),
            "likelihood": lambda: (gold, tuple(logprobs)),
            "acc_mutual_info": lambda: _mutual(logprobs, unconditional, gold),
        }
        return {name: make() for name, make in makers.items() if name in self._names}

    def _gold(self, asked: DocRequests) -> Any:
        """The right position or positions; `_WRONG` for a label that is none of the choices."""
        gold = asked.text if self._probe.multiple_input else asked.target
        n_choices = len(asked.choices)
        if isinstance(gold, list):
            return [position if position < n_choices else _WRONG for position in gold]
        if isinstance(gold, str):
            return asked.choices.index(gold) if gold in asked.choices else _WRONG
        if isinstance(gold, int):
            return gold if gold < n_choices else _WRONG
        return gold

    def _greedy_gold(self, gold: Any, greedy: Sequence[Any], several: bool) -> int:
        if several:
            return int(any(_known(greedy[position]) for position in gold if position != _WRONG))
        return int(_known(greedy[gold])) if gold != _WRONG else 0

    def _generated(self, asked: DocRequests, results: Sequence[Any]) -> dict[str, Any]:
        result, gold = results[0], asked.target
        if self._config.doc_to_choice is not None:
            gold = asked.choices[gold]
        elif self._probe.multiple_target:
            gold = list(gold)
        elif type(gold) is not type(result) and "bypass" not in self._names and not isinstance(result, list):
            gold = type(result)(gold)
        values: dict[str, Any] = {}
        for metric in self._metrics:
            if self._probe.multiple_target:
                gold = gold if isinstance(gold, list) else [gold]
                if metric.name == "exact_match":
                    # As in the field, metrics after this one see the repeated list.
                    result = [result] * len(gold)
                    share = _call(metric, gold, result)["exact_match"]
                    values[metric.name] = 1.0 if share > 0.0 else 0.0
                    continue
                scores = [_either(metric, option, result) for option in gold]
                scores = [s[metric.name] if isinstance(s, Mapping) else s for s in scores]
                values[metric.name] = 1.0 if any(scores) else 0.0
                continue
            score = _either(metric, gold, result)
            if isinstance(score, Mapping):
                for key, value in score.items():
                    values[str(key)] = value
                    self.expanded.setdefault(str(key), metric.name)
            else:
                values[metric.name] = score
        return values

    _by_type: ClassVar[Mapping[str, Callable[..., dict[str, Any]]]] = {
        "loglikelihood": _loglikelihood,
        "loglikelihood_rolling": _rolling,
        "multiple_choice": _choice,
        "generate_until": _generated,
    }


def _known(greedy: bool | None) -> bool:
    """Whether the continuation was the most probable one. Raises MetricError where the model did not say."""
    if greedy is None:
        raise MetricError("the model does not say whether the continuation is the most probable one")
    return bool(greedy)


def _mutual(logprobs: Sequence[float], unconditional: Sequence[float], gold: Any) -> float:
    import numpy

    if len(unconditional) != len(logprobs):
        raise MetricError("acc_mutual_info: the loglikelihoods without context are missing")
    gains = [given - alone for given, alone in zip(logprobs, unconditional, strict=True)]
    return 1.0 if int(numpy.argmax(gains)) == gold else 0.0


def _call(metric: TaskMetric, references: Any, predictions: Any) -> Any:
    if metric.function is None:
        raise MetricError(f"{metric.name}: no function")
    return metric.function(references=references, predictions=predictions, **metric.options)


def _either(metric: TaskMetric, gold: Any, result: Any) -> Any:
    """The metric by its keywords, or, where it does not take them, of the pair [gold, result]."""
    try:
        return _call(metric, [gold], [result])
    except TypeError:
        if metric.function is None:
            raise
        return metric.function([gold, result])
