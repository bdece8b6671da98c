"""What a person has to say of each metric: its formula, its source, and why a score may be low.

One YAML file for metrics that belong together. Scale, direction, options and signature are not in them, since
the metrics say these themselves. The pages of the documentation and `evalkit metrics` are made of both.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from evalkit.core.errors import MetricError, did_you_mean
from evalkit.metrics.base import Metric
from evalkit.metrics.building import build_metrics

_AGGREGATIONS = {"mean": "mean over samples", "corpus": "the corpus as a whole"}
_SCALES = {"fraction": "0 to 1, shown in %", "percent": "0 to 100", "unbounded": "no bounds"}
_NOT_OPTIONS = frozenset({"self", "context", "name", "trust", "type", "kind", "k"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is written of metrics that belong together."""

    page: str
    """The name of the page."""
    title: str
    metrics: tuple[str, ...]
    """As a task names them; those with @k for one k. Empty where the page is of a kind of metric."""
    lead: str
    """What they measure, in a sentence or two."""
    formula: str
    """Plain text, its lines as they stand."""
    source: str
    """Who defined it, in Markdown."""
    why: str
    """What to look at when a score is low: a Markdown list."""
    what: Mapping[str, str] = field(default_factory=dict)
    """Metric -> what it is, where its own definition is that of its siblings too."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Option -> what it does."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """Samples that the pages compute: language, kind, labels, columns, cases, text."""
    language: str = "en"
    """Of the example."""
    names: str = ""
    """`rules`, where the page lists the rules of a sample as well."""


@functools.cache
def explanations() -> tuple[Explanation, ...]:
    """All of them, by page."""
    import yaml

    found = []
    for file in sorted(resources.files(__name__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            content["metrics"] = tuple(content["metrics"])
            found.append(Explanation(page=file.name.removesuffix(".yaml"), **content))
    return tuple(found)


def explain(name: str) -> tuple[Explanation, Metric | None]:
    """What is written of a metric, and the metric itself; None where the name is that of a kind of metric.

    Any k may stand behind an @. Raises MetricError that names the nearest metrics.
    """
    pages = explanations()
    head = name.partition("/")[0]
    for page in pages:
        if not page.metrics and page.page == head:
            return page, None
    known = re.sub(r"@(k|\d+)$", "@", name)
    for page in pages:
        names = [re.sub(r"@\d+$", "@", each) for each in page.metrics]
        if known in names or (page.page == "rouge" and re.fullmatch(r"rouge[1-9]", name)):
            exact = page.metrics[names.index(known)] if name.endswith("@k") else name
            return page, build([exact], page)[0]
    near = [each for page in pages for each in page.metrics or (page.page,)]
    raise MetricError(f"there is no metric {name!r}.{did_you_mean(name, near)} `evalkit metrics` lists them")


def build(names: Sequence[str], page: Explanation) -> tuple[Metric, ...]:
    """The metrics of these names, for language, kind and labels of a page's example."""
    return build_metrics(
        list(names),
        language=page.example.get("language", page.language),
        labels=page.example.get("labels", ("a", "b")),
        kind=page.example.get("kind", "generate"),
        trust=True,
    )


def definition(metric: Metric, page: Explanation) -> str:
    """What a metric is, in a line: in its own words, or in those of its page."""
    if metric.name in page.what:
        return page.what[metric.name]
    if page.page == "retrieval":
        from evalkit.metrics.retrieval import MEASURES

        text = inspect.getdoc(MEASURES[metric.name.partition("@")[0]])
    else:
        text = inspect.getdoc(type(metric))
    return (text or "").split("\n\n")[0].replace("\n", " ")


def scale(metric: Metric) -> str:
    """The values that a metric can have, in words."""
    low, high = metric.bounds or (0.0, 0.0)
    if high == math.inf:
        return f"from {low:g}"
    if metric.scale == "unbounded" and metric.bounds:
        return f"{low:g} to {high:g}".replace("-", "−")
    return _SCALES[metric.scale]


def aggregation(metric: Metric) -> str:
    """Over what a metric's value is made, in words."""
    return _AGGREGATIONS[metric.aggregation]


def options(metric: Metric) -> dict[str, Any]:
    """What a task file may set -> its default; None where there is none."""
    left_out = _NOT_OPTIONS | ({"by"} if type(metric).__name__ == "NormalizedAccuracy" else set())
    parameters = inspect.signature(type(metric).__init__).parameters
    return {
        name: None if each.default is inspect.Parameter.empty else each.default
        for name, each in parameters.items()
        if name not in left_out
    }
