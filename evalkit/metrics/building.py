"""From what a task file says of its metrics to metrics."""

from __future__ import annotations

import copy
import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.errors import MetricError, did_you_mean
from evalkit.metrics.base import Context, FunctionMetric, Metric, check_type
from evalkit.metrics.registry import METRICS

ENTRY_POINTS = "evalkit.metrics"
"""The entry point group through which an installed package brings metrics."""
_ROUGE_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
_OVER_REPEATS = {"pass": "PassAtK", "avg": "AverageAtK", "maj": "MajorityAtK"}
_ROUGE = re.compile(r"rouge([1-9]|L|Lsum)")
_AROUND = ("references", "script", "weight")
"""Settings that any metric takes, for they change what it sees or how its scores are averaged."""
_AT = re.compile(r"(pass|avg|maj)@(k|\d+)")
_FOUND_AT = re.compile(r"(recall|precision|hit|mrr|ndcg)@(k|\d+)")

Spec = str | Mapping[str, Any]
Factory = Callable[..., Any]
"""Makes a metric of (context, name=..., **parameters); or is a function of a Case that gives a score."""


def build_metrics(
    specs: Sequence[Spec],
    *,
    language: str,
    labels: Sequence[str] = (),
    kind: str = "generate",
    extra: Mapping[str, Factory | Metric] | None = None,
    trust: bool = False,
    folder: Path | None = None,
    judge: str | None = None,
) -> tuple[Metric, ...]:
    """The metrics that a task asks for, in its order.

    A spec is a name, or a mapping {name: ..., parameter: value, ...}. `as` gives the metric another name in
    the results; `script: t2s` folds traditional to simplified Chinese first; {name: rouge, types: [...]}
    stands for one metric a type. `extra` holds metrics of the task's own: a finished Metric, a factory called
    with (context, name=..., **parameters), or a function of a Case. `trust` is the user's own leave to run
    code that a model wrote or a hub holds; no task file can give it. `folder` is where a judge's prompt files
    are, `judge` the model that judges in place of the task's own. Raises MetricError where a name or a
    parameter is unknown, where two metrics have one name, and where one does not fit the task's kind.
    """
    if isinstance(specs, str | Mapping):
        raise MetricError(f"metrics are a list, not {specs!r}")
    context = Context(
        language=language, labels=tuple(labels), kind=kind, trust=trust, folder=folder, judge=judge
    )
    metrics: list[Metric] = []
    for spec in specs:
        for metric in _of_spec(spec, context, extra or {}):
            if kind not in metric.kinds:
                raise MetricError(
                    f"metric {metric.name!r} is for tasks of kind {' or '.join(sorted(metric.kinds))}, "
                    f"and this one is of kind {kind!r}"
                )
            if any(metric.name == other.name for other in metrics):
                raise MetricError(
                    f"two metrics are named {metric.name!r}; give one another name with `as: ...`"
                )
            metrics.append(metric)
    return tuple(metrics)


def _of_spec(spec: Spec, context: Context, extra: Mapping[str, Factory | Metric]) -> list[Metric]:
    """The metrics that one spec stands for."""
    if isinstance(spec, str):
        spec = {"name": spec}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise MetricError(f"a metric is a name or a mapping with a `name`, not {spec!r}")
    params = {str(key): value for key, value in spec.items() if key not in ("name", "as", *_AROUND)}
    name, shown = spec["name"], str(spec.get("as", spec["name"]))
    parts = [(name, shown, params)]
    if name == "rouge" and name not in extra:
        types = params.pop("types", _ROUGE_TYPES)
        types = [types] if isinstance(types, str) else types
        if not isinstance(types, list | tuple) or not types:
            raise MetricError(f"metric 'rouge': types is a list such as [rouge1, rougeL], not {types!r}")
        suffix = "" if "as" not in spec else f"_{shown}"
        parts = [("rougeL", f"{t}{suffix}", {**params, "type": t}) for t in types]
    elif _ROUGE.fullmatch(name) and name not in extra:
        parts = [("rougeL", shown, {"type": name, **params})]
    metrics = [_build(*part, context, extra) for part in parts]
    if "references" in spec:
        from evalkit.metrics.referring import Referring

        metrics = [Referring(metric, spec["references"], context) for metric in metrics]
    if spec.get("script") is not None:
        from evalkit.metrics.folding import Folded

        if any(metric.by_judge for metric in metrics):
            raise MetricError(f"metric {name!r}: a judge reads answers as they are; leave out `script`")
        metrics = [Folded(metric, spec["script"]) for metric in metrics]
    if "weight" in spec:
        from evalkit.metrics.weighting import Weighted

        metrics = [Weighted(metric, spec["weight"]) for metric in metrics]
    return metrics


def _build(
    name: str, shown: str, params: dict[str, Any], context: Context, extra: Mapping[str, Factory | Metric]
) -> Metric:
    at = _AT.fullmatch(name)
    if at and name not in extra:
        return _over_repeats(at, name, shown, params, context, extra)
    if name == "contrast" and name not in extra:
        return _contrast(shown, params, context, extra)
    found_at = _FOUND_AT.fullmatch(name)
    if found_at and name not in extra:
        return _of_search(found_at, name, shown, params, context)
    made = _find(name, params, extra)
    if isinstance(made, Metric):
        if params:
            raise MetricError(
                f"metric {name!r} takes no parameters; it was given {', '.join(sorted(params))}"
            )
        if shown != name:
            made = copy.copy(made)
            made.name = shown
        return made
    parameters = dict(inspect.signature(made).parameters)
    if "context" not in parameters:
        made, parameters = _of_function(made), {"higher_is_better": _BOOL, "scale": _TEXT}
    trusting = {"trust": context.trust} if "trust" in parameters else {}
    parameters = {key: p for key, p in parameters.items() if key not in ("context", "name", "trust")}
    for key, value in params.items():
        if key not in parameters:
            takes = f"it takes {', '.join(parameters)}" if parameters else "it takes none"
            raise MetricError(
                f"metric {name!r} has no parameter {key!r}.{did_you_mean(key, parameters)} ({takes})"
            )
        check_type(f"metric {name!r}", key, value, str(parameters[key].annotation))
    try:
        metric = made(context, name=shown, **params, **trusting)
    except (TypeError, ValueError) as error:
        raise MetricError(f"metric {name!r}: a parameter has a wrong type or value: {error}") from error
    if not isinstance(metric, Metric):
        raise MetricError(f"metric {name!r}: its factory made a {type(metric).__name__}, not a Metric")
    return metric


_BOOL = inspect.Parameter("higher_is_better", inspect.Parameter.KEYWORD_ONLY, annotation="bool")
_TEXT = inspect.Parameter("scale", inspect.Parameter.KEYWORD_ONLY, annotation="str")


def _of_function(function: Factory) -> Factory:
    """The factory of a metric that is a plain function of a Case."""

    def make(context: Context, *, name: str, **params: Any) -> Metric:
        return FunctionMetric(name, function, **params)

    return make


def _over_repeats(
    at: re.Match[str],
    name: str,
    shown: str,
    params: dict[str, Any],
    context: Context,
    extra: Mapping[str, Factory | Metric],
) -> Metric:
    """pass@5, or {name: pass@k, k: 5, of: exact_match}."""
    kind, number = at.groups()
    params = dict(params)
    k = params.pop("k", None) if number == "k" else int(number)
    if not isinstance(k, int) or isinstance(k, bool):
        raise MetricError(
            f"metric {name!r} needs `k`, a whole number of repeats; write {kind}@5, for example"
        )
    default = "accuracy" if context.kind == "choice" else "exact_match"
    of = _of_spec(params.pop("of", default), context, extra)
    if any(metric.by_judge for metric in of):
        raise MetricError(f"metric {name!r}: a judge cannot be part of another metric; repeats are averaged")
    if len(of) != 1 or params:
        known = "`of`, one metric" if number != "k" else "`k`, and `of`, one metric"
        raise MetricError(f"metric {name!r} takes {known}; not {', '.join(sorted(params)) or 'several'}")
    from evalkit.metrics import repeats

    factory = getattr(repeats, _OVER_REPEATS[kind])
    metric: Metric = factory(context, of=of[0], k=k, name=f"{kind}@{k}" if shown == name else shown)
    return metric


def _contrast(
    shown: str, params: dict[str, Any], context: Context, extra: Mapping[str, Factory | Metric]
) -> Metric:
    """{name: contrast, of: rouge1, give: wins, against: incorrect_answers}."""
    from evalkit.metrics.contrast import Contrast

    known = ("of", "give", "against")
    for key, value in params.items():
        if key not in known:
            raise MetricError(
                f"metric 'contrast' has no parameter {key!r}.{did_you_mean(key, known)} "
                f"(it takes {', '.join(known)})"
            )
        if key != "of":
            check_type("metric 'contrast'", key, value, "str")
    if "of" not in params:
        raise MetricError("metric 'contrast' needs `of`, the metric that judges one answer; such as rouge1")
    of = _of_spec(params["of"], context, extra)
    if len(of) != 1:
        raise MetricError("metric 'contrast': `of` is one metric; write rouge1, not rouge")
    return Contrast(context, of=of[0], name=shown, **{k: v for k, v in params.items() if k != "of"})


def _of_search(at: re.Match[str], name: str, shown: str, params: dict[str, Any], context: Context) -> Metric:
    """recall@5, or {name: recall@k, k: 5, column: relevant}."""
    from evalkit.metrics.retrieval import FoundAtK

    kind, number = at.groups()
    params = dict(params)
    k = params.pop("k", None) if number == "k" else int(number)
    column = params.pop("column", "relevant")
    if not isinstance(k, int) or isinstance(k, bool) or not isinstance(column, str) or params:
        raise MetricError(
            f"metric {name!r} takes `column`, the one with the ids of relevant documents, and a number of "
            f"documents; write {kind}@5, for example"
        )
    return FoundAtK(context, kind=kind, k=k, name=f"{kind}@{k}" if shown == name else shown, column=column)


def _find(name: str, params: dict[str, Any], extra: Mapping[str, Factory | Metric]) -> Factory | Metric:
    """The metric or its factory: of the task, of evalkit, of evaluate, or of an installed package."""
    if name in extra:
        return extra[name]
    if name in METRICS:
        return _load(METRICS[name])
    if name == "judge":
        return _load("judge:Judge")
    if name.startswith("evaluate/"):
        params["path"] = name.removeprefix("evaluate/")
        return _load("hub:HubMetric")
    brought = _brought(name)
    if brought is not None:
        return brought
    known = {*METRICS, *extra, "judge", "rouge", "contrast", "pass@k", "avg@k", "maj@k"}
    known |= {"recall@k", "ndcg@k"}
    raise MetricError(
        f"there is no metric {name!r}.{did_you_mean(name, known)} There are: {', '.join(sorted(known))}; "
        "and evaluate/<name> for one of Hugging Face's evaluate"
    )


def _brought(name: str) -> Factory | Metric | None:
    """The metric that an installed package brings under this name; None when none does."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINTS, name=name):
        try:
            found = entry.load()
        except Exception as error:
            raise MetricError(f"metric {name!r} of {entry.value} cannot be loaded: {error}") from error
        if not callable(found) and not isinstance(found, Metric):
            raise MetricError(f"metric {name!r}: {entry.value} is neither a metric nor a function")
        return found  # type: ignore[no-any-return]
    return None


def _load(place: str) -> Factory:
    module, _, name = place.partition(":")
    factory: Factory = getattr(importlib.import_module(f"evalkit.metrics.{module}"), name)
    return factory
