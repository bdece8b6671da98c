"""From a task's list of metrics to metrics."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest

from evalkit.core.errors import MetricError
from evalkit.core.records import Response
from evalkit.metrics import METRICS, Case, Context, FunctionMetric, Metric, build_metrics, metric_names
from evalkit.metrics.accuracy import Accuracy

KINDS = {"generate", "choice", "perplexity"}


def build_any(name: str, language: str = "en") -> Metric:
    """The metric of this name, for the kind of task that it is for."""
    for kind in ("generate", "choice", "perplexity"):
        try:
            (metric,) = build_metrics([name], language=language, labels=("a", "b"), kind=kind, trust=True)
        except MetricError as error:
            if "is for tasks of kind" not in str(error):
                raise
        else:
            return metric
    raise AssertionError(name)


@pytest.mark.parametrize("name", metric_names())
def test_every_metric_declares_itself(name: str) -> None:
    """Each metric has its name, a signature, a direction, a scale with its range, and a kind of task."""
    metric = build_any(name)
    assert metric.name == name
    assert metric.signature
    assert metric.signature.isprintable()
    assert metric.kinds <= KINDS
    assert metric.scale in ("fraction", "percent", "unbounded")
    if metric.scale == "fraction":
        assert metric.bounds == (0.0, 1.0)
    if metric.scale == "percent":
        assert metric.bounds in ((0.0, 100.0), (0.0, math.inf))
    assert (metric.aggregation == "corpus") == (type(metric).stats is not Metric.stats)


def test_names_are_the_registrys() -> None:
    """metric_names lists the registry, sorted."""
    assert list(metric_names()) == sorted(METRICS)
    assert list(METRICS) == sorted(METRICS, key=str.lower)


def test_signatures_are_unique() -> None:
    """No two metrics of the registry share a signature."""
    signatures = [build_any(name).signature for name in metric_names()]
    assert len(set(signatures)) == len(signatures)


def test_order_and_parameters_are_kept() -> None:
    """Metrics come in the task's order, with their parameters and names."""
    specs: list[Any] = ["f1", {"name": "chrf", "word_order": 2, "as": "chrf_words"}, "exact_match"]
    metrics = build_metrics(specs, language="en")
    assert [m.name for m in metrics] == ["f1", "chrf_words", "exact_match"]
    assert metrics[1].signature.startswith("chrF2++|")


def test_rouge_stands_for_its_types() -> None:
    """One spec gives one metric a type, all four by default."""
    assert [m.name for m in build_metrics(["rouge"], language="en")] == [
        "rouge1",
        "rouge2",
        "rougeL",
        "rougeLsum",
    ]
    spec = {"name": "rouge", "types": ["rouge3", "rougeL"], "use_stemmer": True}
    metrics = build_metrics([spec], language="en")
    assert [m.name for m in metrics] == ["rouge3", "rougeL"]
    assert all("stem:yes" in m.signature for m in metrics)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["exact_mach"], "no metric 'exact_mach'. Did you mean 'exact_match'"),
        ([{"name": "f1", "averag": 1}], r"'f1' has no parameter 'averag'.*it takes none"),
        ([{"name": "bleu", "token": "zh"}], "has no parameter 'token'. Did you mean 'tokenize'"),
        (["f1", "f1"], "two metrics are named 'f1'"),
        ([{"metric": "f1"}], "a name or a mapping with a `name`"),
        ([3], "a name or a mapping with a `name`"),
        ([{"name": "rouge", "types": 3}], "types is a list"),
        ([{"name": "rouge1", "use_stemmer": "yes"}], "'use_stemmer' must be true or false, not 'yes'"),
        (["perplexity"], "is for tasks of kind perplexity"),
    ],
)
def test_wrong_specs(specs: list[Any], message: str) -> None:
    """A wrong spec says what is wrong and what would be right."""
    with pytest.raises(MetricError, match=message):
        build_metrics(specs, language="en")


def test_metrics_of_the_task_itself() -> None:
    """A task brings finished metrics, or factories with parameters, under names of its own."""

    class Lenient(Accuracy):
        """Accuracy with a bonus."""

        def __init__(self, context: Context, *, name: str, bonus: float = 0.0) -> None:
            super().__init__(context, name=name)
            self.bonus = bonus

    extra = {
        "polite": FunctionMetric("polite", lambda case: "please" in (case.answer or "")),
        "lenient": Lenient,
    }
    specs: list[Any] = ["polite", {"name": "lenient", "bonus": 0.5}, "f1"]
    polite, lenient, _ = build_metrics(specs, language="en", extra=extra)
    assert polite.score(Case("please", Response())) == 1.0
    assert isinstance(lenient, Lenient)
    assert lenient.bonus == 0.5
    with pytest.raises(MetricError, match="takes no parameters"):
        build_metrics([{"name": "polite", "x": 1}], language="en", extra=extra)
    with pytest.raises(MetricError, match="'bonus' must be a number"):
        build_metrics([{"name": "lenient", "bonus": "big"}], language="en", extra=extra)


def test_import_loads_nothing_heavy() -> None:
    """Importing metrics, and building those of a short answer, loads none of the libraries that count."""
    code = (
        "import sys; from evalkit.metrics import build_metrics; "
        "build_metrics(['accuracy', 'exact_match', 'f1', 'rouge'], language='zh', labels=['a']); "
        "print([m for m in ('numpy', 'sacrebleu', 'sklearn', 'nltk', 'rouge_score', 'evaluate', 'pandas', "
        "'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_task_file_cannot_grant_itself_trust() -> None:
    """`trust` is the user's word: a task file cannot say it, and without it code is refused."""
    with pytest.raises(MetricError, match="no parameter 'trust'"):
        build_metrics([{"name": "code_passes", "trust": True}], language="en")
    with pytest.raises(MetricError, match="--trust"):
        build_metrics(["code_passes"], language="en")
