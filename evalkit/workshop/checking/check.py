"""The checks of a task in their order: what needs no data, then the data, prompts and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.core.errors import EvalkitError, TaskError
from evalkit.core.records import Sample
from evalkit.metrics import build_metrics
from evalkit.metrics.extractors import build_extractor
from evalkit.running.selection import replace_data
from evalkit.tasks.data import DataFile
from evalkit.tasks.discovery import TaskEntry
from evalkit.tasks.prompts import Template
from evalkit.tasks.targets import GOLD
from evalkit.tasks.task import Task, load_task
from evalkit.workshop.checking.answers import check_answers
from evalkit.workshop.checking.findings import Finding, TaskFindings, error, ok, warning
from evalkit.workshop.checking.samples import check_samples

MAX_TOKENS = 8192
"""The context that prompts are checked against when nobody names one."""


@dataclass(frozen=True)
class CheckOptions:
    """What a check may use."""

    data: Mapping[str, Path | DataFile] = field(default_factory=dict)
    """Task, group or data set -> local files that replace its data."""
    trust: bool = False
    """Whether Python from outside the workspace, and code that a task measures, may run."""
    download: bool = False
    """Whether data that are not at hand are fetched; without it such tasks are checked as far as possible."""
    max_tokens: int = MAX_TOKENS
    """Tokens that a prompt and its reply may take together."""


def check_tasks(entries: Sequence[TaskEntry], options: CheckOptions | None = None) -> Iterator[TaskFindings]:
    """The findings of each task, one task at a time. Raises TaskError when `data` names none of them."""
    chosen = options or CheckOptions()
    loaded: list[tuple[TaskEntry, Task | TaskError]] = []
    for entry in entries:
        try:
            loaded.append((entry, load_task(entry, trust=chosen.trust)))
        except TaskError as problem:
            loaded.append((entry, problem))
    tasks = iter(replace_data([task for _, task in loaded if isinstance(task, Task)], chosen.data))
    for entry, outcome in loaded:
        if isinstance(outcome, Task):
            yield check_task(next(tasks), chosen)
        else:
            broken = error("file", str(outcome))
            yield TaskFindings(entry.name, entry.file, entry.group, (broken,))


def check_task(task: Task, options: CheckOptions | None = None) -> TaskFindings:
    """The findings of a loaded task, whose data may have been replaced."""
    found = tuple(_findings(task, options or CheckOptions()))
    return TaskFindings(task.name, task.file, task.group, found)


def _findings(task: Task, options: CheckOptions) -> Iterator[Finding]:
    file = _check_file(task, options.trust)
    yield file
    yield from _check_papers(task)
    if file.status == "error":
        return
    if not options.download and not _at_hand(task, options.data):
        name = task.group or task.name
        yield warning(
            "data",
            f"not checked: data not reachable here (--data {name}=PATH, or --download)",
        )
        return
    try:
        samples = tuple(task.samples())
        pool = tuple(task.few_shot_pool())
    except EvalkitError as problem:
        yield error("data", str(problem))
        return
    if not samples:
        yield error("data", f"{task.source.describe()} holds no samples")
        return
    yield ok("data", f"{len(samples):,} samples, {len(pool):,} for worked examples")
    if task.gold is not None:
        yield ok("gold", f"targets are {GOLD[task.gold.meaning]}, as {task.gold.evidence}")
    yield from _check_targets(task, samples)
    findings = list(check_samples(task, samples, pool, options.max_tokens))
    yield from findings
    if all(finding.status != "error" for finding in findings if finding.check == "prompts"):
        yield from check_answers(task, samples, pool, trust=options.trust)


def _check_file(task: Task, trust: bool) -> Finding:
    """Whether everything that the file names exists and compiles."""
    spec = task.spec
    try:
        variants = [task.variant(name) for name in task.variant_names()]
        for variant in variants:
            build_extractor(
                variant.extract,
                language=spec.language,
                labels=tuple(spec.labels),
                hooks=task.hooks.extractors,
            )
        for key, rule in (("target", spec.target), ("choices", spec.choices), ("text", spec.text)):
            for text in [rule] if isinstance(rule, str) else rule or []:
                Template(text, f"{task.file}, {key}")
        metrics = build_metrics(
            spec.metrics,
            language=spec.language,
            labels=tuple(spec.labels),
            kind=spec.kind,
            extra=task.hooks.metrics,
            # To build a metric runs nothing, but for the scripts of `evaluate`.
            trust=trust or "evaluate/" not in str(spec.metrics),
            folder=task.folder,
        )
    except EvalkitError as problem:
        text = str(problem)
        return error("file", text if str(task.file) in text else f"{task.file}: {text}")
    return ok("file", f"{len(variants)} prompts, {len(metrics)} metrics")


def _check_papers(task: Task) -> Iterator[Finding]:
    spec = task.spec
    for key, value in (("license", spec.license), ("source", spec.source), ("description", spec.description)):
        if value.strip():
            yield ok(key, value.strip())
        else:
            yield warning(key, f"{task.file} does not state `{key}:`")
    if (task.folder / "README.md").is_file():
        yield ok("readme", "README.md is there")
    else:
        yield warning(
            "readme", f"{task.folder} has no README.md that says source, licence and shows a sample"
        )


_LATEX = re.compile(r"\\(?:[dtc]?frac|sqrt|pi|boxed|text|left|begin|cdot|infty)(?![a-z])|\^\{?\d")


def _check_targets(task: Task, samples: Sequence[Sample]) -> Iterator[Finding]:
    """A warning where targets are mathematics and the metric compares texts."""
    if task.spec.kind != "generate":
        return
    names = {str(spec if isinstance(spec, str) else next(iter(spec), "")) for spec in task.spec.metrics}
    n_latex = sum(any(_LATEX.search(target) for target in sample.target) for sample in samples)
    if n_latex * 20 >= len(samples) and n_latex and names & {"exact_match", "accuracy", "f1"}:
        yield warning(
            "targets",
            f"{n_latex} of {len(samples)} targets are formulas, which {', '.join(sorted(names))} take as "
            "text: 1/2 is not \\frac{1}{2} there; math_equal compares their values",
        )


def _at_hand(task: Task, data: Mapping[str, Path | DataFile]) -> bool:
    """Whether the samples can be read without a download."""
    if any(name in data for name in task.source.names):
        return True
    return bool(task.source.local) and not task.spec.data.remote
