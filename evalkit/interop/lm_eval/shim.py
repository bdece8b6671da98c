"""An in-memory `lm_eval` for task modules that import from it, where the package is not installed.

It holds the names that the modules of the field's task tree import, built from this package's own parts, and
resolves `lm_eval.tasks.*` from the folders that were used. It is put up when the first trusted module is run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from evalkit.core.patterns import compile_pattern
from evalkit.interop.lm_eval import aggregations, dataset, filters, legacy, metrics
from evalkit.interop.lm_eval.templates import compile_template

MARK = "__evalkit_shim__"


def ensure(root: Path | None, load_yaml: Callable[..., Any]) -> None:
    """Put up the stand-ins for what is not installed, and make the tree below `root` importable."""
    if "datasets" not in sys.modules and importlib.util.find_spec("datasets") is None:
        _put_up_datasets()
    package = sys.modules.get("lm_eval")
    if package is None:
        if importlib.util.find_spec("lm_eval") is not None:
            return
        _put_up(load_yaml)
        package = sys.modules["lm_eval"]
    if root is not None and hasattr(package, MARK):
        places = sys.modules["lm_eval.tasks"].__path__
        if str(root) not in places:
            places.append(str(root))


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name, "A stand-in of evalkit's; see evalkit.interop.lm_eval.shim.")
    module.__path__ = []
    setattr(module, MARK, True)
    for key, value in content.items():
        setattr(module, key, value)
    sys.modules[name] = module
    above, _, last = name.rpartition(".")
    if above:
        setattr(sys.modules[above], last, module)
    return module


def _put_up(load_yaml: Callable[..., Any]) -> None:
    _module("lm_eval", __version__="0.4.13")
    _module("lm_eval.utils", **_utils())
    _module("lm_eval.api")
    _module("lm_eval.api.instance", Instance=legacy.Instance)
    _module("lm_eval.api.filter", Filter=filters.Filter)
    _module("lm_eval.api.samplers", ContextSampler=legacy.ContextSampler)
    _module("lm_eval.api.task", Task=legacy.Task, ConfigurableTask=legacy.Task, TaskConfig=dict)
    _module("lm_eval.api.group", Group=legacy.Group, ConfigurableGroup=legacy.Group)
    _module("lm_eval.api.model", LM=object)
    _module(
        "lm_eval.api.metrics",
        mean=aggregations.mean,
        median=aggregations.median,
        nanmean=aggregations.nanmean,
        perplexity=aggregations.perplexity,
        weighted_perplexity=aggregations.weighted_perplexity,
        weighted_mean=aggregations.weighted_mean,
        bits_per_byte=aggregations.bits_per_byte,
        f1_score=aggregations.f1_score,
        matthews_corrcoef=aggregations.matthews_corrcoef,
        bleu=aggregations.bleu,
        chrf=aggregations.chrf,
        ter=aggregations.ter,
        brier_score=aggregations.brier_score,
        sample_stddev=aggregations.sample_stddev,
        mean_stderr=aggregations.mean_stderr,
        metric_max_over_ground_truths=_best_of,
        exact_match_hf_evaluate=metrics.exact_match,
        exact_match_fn=metrics.exact_match,
    )
    _module(
        "lm_eval.api.registry",
        register_filter=register_filter,
        register_metric=register_metric,
        register_aggregation=register_aggregation,
        register_model=lambda *names: lambda made: made,
        register_task=lambda *names: lambda made: made,
        get_aggregation=aggregations.AGGREGATIONS.get,
        get_filter=lambda name: filters.find_filter(name, "lm_eval.api.registry"),
    )
    _module("lm_eval.filters")
    extraction = {
        "Filter": filters.Filter,
        "RegexFilter": filters.RegexFilter,
        "MultiChoiceRegexFilter": filters.ChoiceRegexFilter,
        "POSFilter": filters.TagFilter,
        "WhitespaceFilter": filters.FILTERS["remove_whitespace"],
    }
    _module("lm_eval.filters.extraction", **extraction)
    _module(
        "lm_eval.filters.selection",
        TakeFirstFilter=filters.TakeFirstFilter,
        TakeKFilter=filters.TakeFirstKFilter,
        MajorityVoteFilter=filters.MajorityVoteFilter,
    )
    _module("lm_eval.filters.transformation", MapFilter=filters.MapFilter)
    _module("lm_eval.filters.custom", CustomFilter=filters.CustomFilter)
    _module("lm_eval.config")
    _module("lm_eval.config.group", GroupConfig=dict)
    _module("lm_eval.config.task", TaskConfig=dict)
    _module("lm_eval.tasks")
    _module("lm_eval.tasks._yaml_loader", load_yaml=load_yaml)
    _module("lm_eval.tasks.manager", TaskManager=legacy.NotServed)
    sys.modules["lm_eval.tasks"].TaskManager = legacy.NotServed  # type: ignore[attr-defined]


def register_filter(name: str) -> Callable[[Any], Any]:
    """A decorator that makes a filter known under a name."""

    def keep(made: Any) -> Any:
        filters.FILTERS[name] = made
        return made

    return keep


def register_aggregation(name: str) -> Callable[[Any], Any]:
    """A decorator that makes an aggregation known under a name."""

    def keep(function: Any) -> Any:
        aggregations.AGGREGATIONS[name] = function
        return function

    return keep


def register_metric(**options: Any) -> Callable[[Any], Any]:
    """A decorator that makes a metric known under `metric`."""

    def keep(function: Any) -> Any:
        metrics.METRICS[options["metric"]] = metrics.RegisteredMetric(
            function, options.get("aggregation", "mean"), options.get("higher_is_better", True)
        )
        return function

    return keep


def _best_of(metric_fn: Callable[[Any, Any], Any], prediction: Any, ground_truths: Sequence[Any]) -> Any:
    return max(metric_fn(prediction, truth) for truth in ground_truths)


def _utils() -> dict[str, Any]:
    return {
        "eval_logger": logging.getLogger("lm_eval"),
        "logging": logging,
        "weighted_f1_score": weighted_f1,
        "general_detokenize": detokenize,
        "softmax": softmax,
        "handle_non_serializable": plain,
        "make_table": str,
        "regex_replace": lambda string, pattern, repl, count=0: compile_pattern(pattern).sub(
            repl, string, count
        ),
        "apply_template": lambda template, doc: _apply(template, doc),
        "hash_string": lambda text: hashlib.sha256(text.encode("utf-8")).hexdigest(),
        "positional_deprecated": lambda function: function,
        "sanitize_list": lambda value: (
            [_strings(v) for v in value] if isinstance(value, list) else str(value)
        ),
    }


def _strings(value: Any) -> Any:
    return [_strings(item) for item in value] if isinstance(value, list) else str(value)


def _apply(template: str, doc: Any) -> str:
    return compile_template(template, "lm_eval.utils.apply_template")(doc)


def weighted_f1(items: Sequence[tuple[Any, Any]]) -> float:
    """F1 of (gold, predicted) pairs, the classes weighted by their size."""
    from sklearn.metrics import f1_score

    gold, predicted = zip(*items, strict=True)
    return float(f1_score(gold, predicted, average="weighted"))


def detokenize(text: str) -> str:
    """The text without the spaces that a tokenizer put before n't, brackets, quotes and punctuation."""
    for spaced, tight in ((" n't", "n't"), (" )", ")"), ("( ", "("), ('" ', '"'), (' "', '"')):
        text = text.replace(spaced, tight)
    return re.sub(r" (['.,])", r"\1", text)


def softmax(scores: Any) -> Any:
    """The scores as shares that sum to 1, a numpy array."""
    import numpy

    grown = numpy.exp(scores - numpy.max(scores))
    return grown / grown.sum()


def plain(value: Any) -> Any:
    """The value as JSON takes it."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return list(value) if isinstance(value, set) else str(value)


def _put_up_datasets() -> None:
    _module(
        "datasets",
        __version__="4.0.0",
        Dataset=dataset.Dataset,
        DatasetDict=dataset.DatasetDict,
        concatenate_datasets=dataset.concatenate_datasets,
        load_dataset=legacy.NotServed,
        load_from_disk=legacy.NotServed,
        **dict.fromkeys(("Features", "Value", "Sequence", "ClassLabel", "List", "Image", "Audio"), dict),
    )
