"""Makes the pages of the metrics: docs/metrics/NAME.md from NAME.yaml and from the metrics themselves.

    python docs/make_metrics.py

What a person wrote (the formula, its source, why a score may be low) stands in the YAML file; scale,
direction, options, defaults, signature and every number of an example come from the program. `make examples`
runs this file; a test compares the pages with what the program says.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from evalkit.metrics import build_metrics, summarise
from evalkit.metrics.base import Case, Metric
from evalkit.metrics.rules import RULES
from evalkit.pages import formats
from evalkit.records import Loglikelihood, Response, Step

FOLDER = Path(__file__).parent / "metrics"
HEAD = "<!-- Made by docs/make_metrics.py from {name}; changes belong there or into the metric. -->\n\n"
OVER = {"mean": "mean over samples", "corpus": "the corpus as a whole"}
SCALES = {"fraction": "0 to 1, shown in %", "percent": "0 to 100", "unbounded": "no bounds"}


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """File name -> text of each page."""
    return {file.with_suffix(".md").name: page(file) for file in sorted(FOLDER.glob("*.yaml"))}


def described() -> list[str]:
    """The names of all metrics that have a page."""
    found = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in FOLDER.glob("*.yaml"))
    return [name for text in found for name in text["metrics"]]


def page(file: Path) -> str:
    """The page of one YAML file."""
    text = yaml.safe_load(file.read_text(encoding="utf-8"))
    example = text.get("example", {})
    metrics = build(text["metrics"], text, example)
    parts = [HEAD.format(name=file.name) + f"# {text['title']}", text["lead"].strip()]
    if metrics:
        parts.append(overview(metrics, text.get("what", {})))
    parts += ["## Formula", f"```text\n{text['formula'].strip()}\n```", text["source"].strip()]
    if "cases" in example:
        shown = [*metrics, *build(example.get("extra", ()), text, example)]
        parts += ["## An example, computed", worked(shown, example)]
        if "text" in example:
            parts.append(example["text"].strip())
    parts += ["## Why is my score low?", text["why"].strip()]
    if any(options(metric) for metric in metrics):
        parts += ["## Options", option_table(metrics, text.get("options", {}), file.name)]
    if text.get("names") == "rules":
        parts += ["## The rules", rule_table()]
    if metrics:
        signatures = re.sub(r"version:[\w.]+", "version:...", "\n".join(each.signature for each in metrics))
        parts += [
            "## Signature",
            f"As in the example, without the facts of the data:\n\n```text\n{signatures}\n```",
        ]
    return "\n\n".join(parts) + "\n"


def build(names: Sequence[str], text: Mapping[str, Any], example: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of a page, for the language, kind and labels of its example."""
    return build_metrics(
        list(names),
        language=example.get("language", text.get("language", "en")),
        labels=example.get("labels", ("a", "b")),
        kind=example.get("kind", "generate"),
        trust=True,
    )


def overview(metrics: Sequence[Metric], words: Mapping[str, str]) -> str:
    """A table of what the metrics are, in their own words or in those given."""
    rows = ["| metric | what it is | scale | better | over |", "| --- | --- | --- | --- | --- |"]
    for metric in metrics:
        what = words.get(metric.name) or first_line(metric)
        direction = "higher" if metric.higher_is_better else "lower"
        scale = SCALES[metric.scale]
        low, high = metric.bounds or (0.0, 0.0)
        if high == math.inf:
            scale = f"from {low:g}"
        elif metric.scale == "unbounded" and metric.bounds:
            scale = f"{minus(low)} to {high:g}"
        rows.append(f"| `{metric.name}` | {what} | {scale} | {direction} | {OVER[metric.aggregation]} |")
    return "\n".join(rows)


def first_line(metric: Metric) -> str:
    """The first sentence of the metric's own definition, or of the function that measures it."""
    if hasattr(metric, "kind") and "@" in metric.name:
        from evalkit.metrics.retrieval import MEASURES

        text = inspect.getdoc(MEASURES[metric.kind])
    else:
        text = inspect.getdoc(type(metric))
    assert text is not None, metric.name
    return cell(text.split("\n\n")[0].replace("\n", " "))


def options(metric: Metric) -> dict[str, inspect.Parameter]:
    """What a task file may set."""
    parameters = inspect.signature(type(metric).__init__).parameters
    given = {"self", "context", "name", "trust", "type", "kind", "k"}
    if "@" not in metric.name and type(metric).__name__ == "NormalizedAccuracy":
        given.add("by")
    return {name: each for name, each in parameters.items() if name not in given}


def option_table(metrics: Sequence[Metric], meanings: Mapping[str, str], where: str) -> str:
    """A table of the options, each with its default; fails where one has no meaning, or does not exist."""
    found: dict[str, Any] = {}
    for metric in metrics:
        for name, parameter in options(metric).items():
            found.setdefault(name, parameter.default)
    missing, unknown = set(found) - set(meanings), set(meanings) - set(found)
    assert not missing | unknown, f"{where}: options without a meaning {missing}, unknown {unknown}"
    rows = ["| option | default | what it does |", "| --- | --- | --- |"]
    for name, default in found.items():
        shown = "" if default in (None, inspect.Parameter.empty) else f"`{str(default).lower()}`"
        rows.append(f"| `{name}` | {shown} | {cell(meanings[name])} |")
    return "\n".join(rows)


def worked(metrics: Sequence[Metric], example: Mapping[str, Any]) -> str:
    """The table of an example: its samples with the score of each, and the value over all."""
    columns = example.get("columns", ["answer", "target"])
    cases = [make_case(fields) for fields in example["cases"]]
    ids = [fields.get("sample", str(number)) for number, fields in enumerate(example["cases"])]
    heads = [*columns, *(f"`{metric.name}`" for metric in metrics)]
    rows = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(columns) + " ---: |" * len(metrics)]
    scores = {metric.name: [metric.score(case) for case in cases] for metric in metrics}
    for number, (fields, case) in enumerate(zip(example["cases"], cases, strict=True)):
        texts = [cell(str(part)) for part in shown_fields(fields, case, columns)]
        values = [formats.score(scores[metric.name][number], metric.scale) for metric in metrics]
        rows.append(f"| {' | '.join([*texts, *values])} |")
    totals = []
    for metric in metrics:
        stats = [metric.stats(case) for case in cases]
        value = summarise(metric, scores[metric.name], stats, sample_ids=ids)
        totals.append(f"**{formats.score(value.value, value.scale)}**")
    rows.append(f"| {' | '.join(['**over all**', *[''] * (len(columns) - 1), *totals])} |")
    return "\n".join(rows)


def make_case(fields: Mapping[str, Any]) -> Case:
    """A sample of an example as a metric sees it."""
    target = fields.get("target", ())
    logprobs = tuple(Loglikelihood(value, fields.get("n_tokens")) for value in fields.get("logprobs", ()))
    steps = (Step("search", "", found=tuple(fields["found"])),) if "found" in fields else ()
    return Case(
        answer=fields.get("answer"),
        response=Response(text=fields.get("answer") or "", loglikelihoods=logprobs, steps=steps),
        target=(target,) if isinstance(target, str) else tuple(target),
        choices=tuple(fields.get("choices", ())),
        gold=tuple(fields.get("gold", ())),
        chosen=fields.get("chosen"),
        fields=fields.get("fields", {}),
        text=fields.get("text"),
    )


def shown_fields(fields: Mapping[str, Any], case: Case, columns: Sequence[str]) -> list[Any]:
    """What stands in the columns of an example's row."""
    if "show" in fields:
        return list(fields["show"])
    known = {
        "sample": fields.get("sample"),
        "answer": "(none)" if case.answer is None else case.answer,
        "target": " or ".join(case.target),
        "options": ", ".join(case.choices),
        "loglikelihoods": ", ".join(minus(value) for value in fields.get("logprobs", ())),
        "loglikelihood": ", ".join(minus(value) for value in fields.get("logprobs", ())),
        "right option": ", ".join(case.choices[place] for place in case.gold),
        "text": case.text,
        "tokens": fields.get("n_tokens"),
        "found": ", ".join(fields.get("found", ())),
        "relevant": ", ".join(case.fields.get("relevant", ())),
    }
    return [known[column] for column in columns]


def minus(value: float) -> str:
    """A number with a proper minus sign."""
    return f"{value:g}".replace("-", "−")


def rule_table() -> str:
    """A table of the rules that a sample may state."""
    rows = ["| rule | arguments | it holds where |", "| --- | --- | --- |"]
    for name, function in RULES.items():
        parameters = inspect.signature(function).parameters.values()
        arguments = ", ".join(f"`{p.name}`" for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
        text = cell((inspect.getdoc(function) or "").replace("\n", " ").rstrip("."))
        rows.append(f"| `{name}` | {arguments} | {text[:1].lower() + text[1:]} |")
    return "\n".join(rows)


def cell(text: str) -> str:
    """A text as a table's cell holds it."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    main()
