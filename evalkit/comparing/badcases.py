"""Bad cases: the failures of a run made into a task of their own, to be mended and gated on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.core.errors import StoreError, TaskError, UsageError, did_you_mean
from evalkit.core.records import CellResult, Sample, SampleResult
from evalkit.metrics.base import RANGES
from evalkit.store.folders import StoredRun
from evalkit.tasks.task import HOOKS_FILE, Task

SAMPLES_FILE = "samples.jsonl"
FEW_SHOT_FILE = "few_shot.jsonl"
COLUMNS = ("badcase_models", "badcase_answers", "badcase_run")
"""What is added to each sample: who failed on it, what they answered, in which run."""


@dataclass
class BadCase:
    """A sample on which at least one model failed."""

    sample_id: str
    target: tuple[str, ...]
    answers: dict[str, str | None] = field(default_factory=dict)
    """`model · variant` of those that failed -> what was answered."""
    passed: set[str] = field(default_factory=set)
    """`model · variant` of those that did not fail."""


@dataclass(frozen=True)
class Collected:
    """A task folder that was written."""

    folder: Path
    task: str
    """The task from which the samples are."""
    n: int
    """Samples in it."""
    n_asked: int
    """Samples of the run from which they were chosen."""
    notes: tuple[str, ...] = ()


def collect_badcases(
    stored: StoredRun,
    destination: str | Path,
    tasks: Sequence[Task],
    *,
    models: Sequence[str] = (),
    variants: Sequence[str] = (),
    below: float | None = None,
    disagree: bool = False,
) -> list[Collected]:
    """The task folders, one for each task of the run that has bad cases: `destination`, or beside it where
    there are several.

    A sample is one when its score on the task's headline is below `below` (default: half of the best score;
    where lower is better, above it) for one of the models; with `disagree`, only when another model passed.
    Failed calls are no bad cases. `tasks` are the tasks of the run as they are now: they give the columns.
    Raises UsageError when there is nothing to collect.
    """
    path = Path(destination)
    _check_names(stored, models, variants)
    groups: dict[str, dict[str, BadCase]] = {}
    asked: dict[str, int] = {}
    for cell in stored.run.cells:
        if (models and cell.model not in models) or (variants and cell.variant not in variants):
            continue
        cases = groups.setdefault(cell.task, {})
        asked[cell.task] = _read(stored, cell, cases, below)
    found = {
        task: [case for case in cases.values() if case.answers and (case.passed or not disagree)]
        for task, cases in groups.items()
    }
    found = {task: cases for task, cases in found.items() if cases}
    if not found:
        what = "no sample on which the models disagree" if disagree else "no failed sample"
        raise UsageError(f"run {stored.run.id} has {what}; --below sets another score")
    known = {task.name: task for task in tasks}
    for name in found:
        if name not in known:
            raise TaskError(f"the task {name!r} of the run is not here, and its columns are only there")
    several = len(found) > 1
    folders = {name: path.with_name(f"{path.name}_{name}") if several else path for name in found}
    for folder in folders.values():
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} exists already; name a new folder")
    return [_write(stored, folders[name], known[name], cases, asked[name]) for name, cases in found.items()]


def _read(stored: StoredRun, cell: CellResult, cases: dict[str, BadCase], below: float | None) -> int:
    """The number of samples of a cell, whose failures are added to the cases."""
    metric = _metric(stored, cell)
    value = cell.metrics[metric]
    best = {"fraction": 1.0, "percent": 100.0}.get(value.scale)
    if below is None and best is None:
        raise UsageError(f"{cell.task}: {metric} has no best score; say what is bad with --below")
    low, high = RANGES[value.scale] or (-math.inf, math.inf)
    if below is not None and not (low if low else -high) <= below <= high:  # coefficients go below 0
        raise UsageError(f"--below {below:g}: {metric} of {cell.task} lies between {low:g} and {high:g}")
    limit = below if below is not None else (best or 0.0) / 2
    key = f"{cell.model} · {cell.variant}"
    scores: dict[str, list[float]] = {}
    first: dict[str, SampleResult] = {}
    for result in stored.samples(cell.slug) if cell.counts.samples else ():
        score = result.scores.get(metric)
        if score is None or result.unscored_reason is not None:
            continue
        scores.setdefault(result.sample_id, []).append(score)
        if result.sample_id not in first or score < (first[result.sample_id].scores.get(metric) or 0.0):
            first[result.sample_id] = result
    for sample_id, values in scores.items():
        mean = sum(values) / len(values)
        result = first[sample_id]
        case = cases.setdefault(sample_id, BadCase(sample_id, result.target))
        if mean < limit if value.higher_is_better else mean > limit:
            case.answers[key] = result.answer if result.answer is not None else result.response.text
        else:
            case.passed.add(key)
    return len(scores)


def _metric(stored: StoredRun, cell: CellResult) -> str:
    """The metric by which samples are judged: the headline, or the first with scores of single samples."""
    headline = stored.run.tasks[cell.task].headline
    for result in stored.samples(cell.slug) if cell.counts.samples else ():
        if result.unscored_reason is None:
            names = [headline, *cell.metrics]
            return next((name for name in names if result.scores.get(name) is not None), headline)
    return headline


def _check_names(stored: StoredRun, models: Sequence[str], variants: Sequence[str]) -> None:
    for what, names, known in (
        ("model", models, {cell.model for cell in stored.run.cells}),
        ("prompt", variants, {cell.variant for cell in stored.run.cells}),
    ):
        for name in names:
            if name not in known:
                raise UsageError(
                    f"run {stored.run.id} has no {what} {name!r}; it has {', '.join(sorted(known))}."
                    + did_you_mean(name, known)
                )


def _write(stored: StoredRun, folder: Path, task: Task, cases: Sequence[BadCase], n_asked: int) -> Collected:
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "_", folder.name).lstrip("_.-") or "badcases"
    wanted = {case.sample_id: case for case in cases}
    rows: list[dict[str, Any]] = []
    samples: list[Sample] = []
    notes: list[str] = []
    for sample in task.samples(stored.run.limit):
        case = wanted.pop(sample.id, None)
        if case is None:
            continue
        if sample.target != case.target:
            notes.append(f"{sample.id} has another target now; it is left out")
            continue
        rows.append(_row(stored, task, sample, case))
        samples.append(sample)
    notes += [f"{sample_id} is not in the task any more; it is left out" for sample_id in wanted]
    if not rows:
        raise UsageError(f"none of the bad cases is in the task {task.name!r} as it is now: its data changed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        spec = _spec(task, name, stored)
        pool = task.few_shot_pool()
        if pool and task.spec.few_shot.samples is None:
            _write_lines(folder / FEW_SHOT_FILE, [dict(shot.fields) for shot in pool])
            spec["few_shot"] = {**spec.get("few_shot", {}), "file": FEW_SHOT_FILE}
            spec["few_shot"].pop("split", None)
        _write_lines(folder / SAMPLES_FILE, rows)
        (folder / "task.yaml").write_text(_yaml(spec), encoding="utf-8")
        code = _code(task)
        if code is not None:
            (folder / HOOKS_FILE).write_text(code, encoding="utf-8")
        (folder / "README.md").write_text(_readme(stored, task, name, rows, n_asked), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror or error}") from error
    return Collected(folder, task.name, len(rows), n_asked, tuple(notes))


def _row(stored: StoredRun, task: Task, sample: Sample, case: BadCase) -> dict[str, Any]:
    """The sample's columns with where it is from; the id stays, so that runs of both tasks can be paired."""
    own = {} if task.spec.id is not None else {"id": sample.id}
    return {
        **own,
        **dict(sample.fields),
        "badcase_models": sorted(case.answers),
        "badcase_answers": dict(sorted(case.answers.items())),
        "badcase_run": stored.run.id,
    }


def _spec(task: Task, name: str, stored: StoredRun) -> dict[str, Any]:
    """The content of the new task.yaml: the source's rules on the samples beside it."""
    spec: dict[str, Any] = task.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for key in ("matrix", "where", "group"):
        spec.pop(key, None)
    spec["name"] = name
    spec["description"] = f"Bad cases of run {stored.run.id} on {task.name}."
    spec["tags"] = list(dict.fromkeys([*task.spec.tags, "badcases"]))
    spec["source"] = f"{len(stored.run.models)} models on {task.name}, run {stored.run.id}, " + (
        task.spec.source or "source not stated"
    )
    spec["data"] = {"file": SAMPLES_FILE}
    spec["metadata"] = list(dict.fromkeys([*task.spec.metadata, *COLUMNS]))
    return spec


def _code(task: Task) -> str | None:
    """The task's own Python without what made its samples, which stand in the data now; None without any."""
    hooks = task.hooks
    if hooks.file is None or not (hooks.extractors or hooks.metrics):
        return None
    made = [name for name in ("load_samples", "map_row") if getattr(hooks, name) is not None]
    text = hooks.file.read_text(encoding="utf-8").rstrip() + "\n"
    if made:
        text += "\n# The samples beside this file are what these made of the source's data.\n"
        text += f"del {', '.join(made)}\n"
    return text


def _readme(stored: StoredRun, task: Task, name: str, rows: Sequence[Mapping[str, Any]], n_asked: int) -> str:
    run = stored.run
    models = sorted({model for row in rows for model in row["badcase_models"]})
    sample = json.dumps(rows[0], ensure_ascii=False, indent=2, default=str)
    fence = "`" * max(3, 1 + max((len(m) for m in re.findall("`+", sample)), default=0))
    return (
        f"# {name}\n\n"
        f"{len(rows)} of the {n_asked} samples of `{task.name}` on which a model failed in run `{run.id}` "
        f"({run.created}, evalkit {run.version}).\n\n"
        f"- Source: {task.spec.source or 'not stated'}; data revision `{task.data_revision}`\n"
        f"- Licence: {task.spec.license or 'not stated'}\n"
        f"- Failed: {', '.join(f'`{model}`' for model in models)}\n"
        "- Prompts, extractors and metrics are those of the source task at the time of writing.\n"
        "- The samples were chosen because they were failed: a score here is no estimate of anything, and it "
        "rises by chance alone when the same models are asked again.\n\n"
        f"Run it: `evalkit run --tasks {name}`. Gate on it with the samples as the specification: "
        f"`evalkit gate latest --baseline ... --target dataset`.\n\n"
        f"One sample, whole:\n\n{fence}json\n{sample}\n{fence}\n"
    )


def _yaml(spec: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(dict(spec), allow_unicode=True, sort_keys=False, width=100)
    return text


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")
