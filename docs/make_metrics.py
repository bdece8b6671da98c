"""Makes the pages of the metrics: docs/metrics/NAME.md from evalkit/metrics/explained and the metrics.

    python docs/make_metrics.py

What a person wrote (the formula, its source, why a score may be low) stands in a YAML file; scale, direction,
options, defaults, signature and every number of an example come from the program. `make examples` runs this
file; a test compares the pages with what the program says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.records import Loglikelihood, Response, Step
from evalkit.metrics import summarise
from evalkit.metrics.base import Case, Metric
from evalkit.metrics.explained import (
    Explanation,
    aggregation,
    build,
    definition,
    explanations,
    options,
    scale,
)
from evalkit.metrics.rules import RULES
from evalkit.pages import formats

FOLDER = Path(__file__).parent / "metrics"
HEAD = "<!-- Made by docs/make_metrics.py from evalkit/metrics/explained/{name}.yaml and the metrics. -->\n\n"


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """File name -> text of each page."""
    return {f"{text.page}.md": page(text) for text in explanations()}


def page(text: Explanation) -> str:
    """One page."""
    metrics = build(text.metrics, text)
    parts = [HEAD.format(name=text.page) + f"# {text.title}", text.lead.strip()]
    if metrics:
        parts.append(overview(metrics, text))
    parts += ["## Formula", f"```text\n{text.formula.strip()}\n```", text.source.strip()]
    if "cases" in text.example:
        shown = [*metrics, *build(text.example.get("extra", ()), text)]
        parts += ["## An example, computed", worked(shown, text.example)]
        if "text" in text.example:
            parts.append(text.example["text"].strip())
    parts += ["## Why is my score low?", text.why.strip()]
    if any(options(metric) for metric in metrics):
        parts += ["## Options", option_table(metrics, text)]
    if text.names == "rules":
        parts += ["## The rules", rule_table()]
    if metrics:
        signatures = re.sub(r"version:[\w.]+", "version:...", "\n".join(each.signature for each in metrics))
        parts += [
            "## Signature",
            f"As in the example, without the facts of the data:\n\n```text\n{signatures}\n```",
        ]
    return "\n\n".join(parts) + "\n"


def overview(metrics: Sequence[Metric], text: Explanation) -> str:
    """A table of what the metrics are."""
    rows = ["| metric | what it is | scale | better | over |", "| --- | --- | --- | --- | --- |"]
    for metric in metrics:
        what, over = cell(definition(metric, text)), aggregation(metric)
        better = "higher" if metric.higher_is_better else "lower"
        rows.append(f"| `{metric.name}` | {what} | {scale(metric)} | {better} | {over} |")
    return "\n".join(rows)


def option_table(metrics: Sequence[Metric], text: Explanation) -> str:
    """A table of the options, each with its default; fails where one has no meaning, or does not exist."""
    found: dict[str, Any] = {}
    for metric in metrics:
        for name, default in options(metric).items():
            found.setdefault(name, default)
    wrong = set(found) ^ set(text.options)
    assert not wrong, f"{text.page}.yaml: options without a meaning, or that no metric has: {wrong}"
    rows = ["| option | default | what it does |", "| --- | --- | --- |"]
    for name, default in found.items():
        shown = "" if default is None else f"`{str(default).lower()}`"
        rows.append(f"| `{name}` | {shown} | {cell(text.options[name])} |")
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
