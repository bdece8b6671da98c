"""The formats of other tools' results by name, and a path read as one of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.core.errors import DataError, UsageError, did_you_mean
from evalkit.interop.files import written_by
from evalkit.interop.imported import Imported, combine, write_imported
from evalkit.store.folders import StoredRun
from evalkit.tasks.data import AS_IT_IS, Form

Reader = Callable[..., Iterator[Imported]]


@dataclass(frozen=True)
class Format:
    """One format that can be read."""

    reader: str
    """module:function; it is loaded when it is needed."""
    description: str
    """What to point at, for --help."""


FORMATS: dict[str, Format] = {
    "lm-eval": Format(
        "evalkit.interop.lm_eval.results:read_results",
        "results_*.json of lm-evaluation-harness, or a folder of them; samples_*.jsonl beside it",
    ),
    "inspect": Format(
        "evalkit.interop.inspect.logs:read_logs",
        "a log of Inspect (.eval or .json), or a folder of them",
    ),
    "promptfoo": Format(
        "evalkit.interop.promptfoo:read_results",
        "a file that `promptfoo eval -o results.json` wrote, or a folder of them",
    ),
    "predictions": Format(
        "evalkit.interop.predictions:read_predictions",
        "answers with their scores: .csv or .jsonl with a column `score`, or score.NAME",
    ),
    "alpaca-eval": Format(
        "evalkit.interop.alpaca_eval:read_annotations",
        "annotations.json of AlpacaEval (win rates), or model_outputs.json",
    ),
    "openai-evals": Format(
        "evalkit.interop.openai_evals:read_events",
        "a log of OpenAI's evals (oaieval --record_path), or a folder of them",
    ),
    "helm": Format(
        "evalkit.interop.helm:read_runs",
        "a run folder of HELM, or benchmark_output/runs/SUITE with many",
    ),
}
"""Name -> format."""


def read_format(name: str, path: Path, form: Form = AS_IT_IS) -> list[Imported]:
    """The runs that a path holds, oldest first. Raises UsageError for an unknown format, else DataError.

    `form` is of plain files alone: what tools write themselves is UTF-8.
    """
    if name not in FORMATS:
        raise UsageError(
            f"no format {name!r}.{did_you_mean(name, FORMATS)} There are: {', '.join(FORMATS)}; "
            "recorded answers that are still to be scored: evalkit score"
        )
    if not path.exists():
        raise DataError(f"{path} is not there")
    module, _, function = FORMATS[name].reader.partition(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    if not form:
        with written_by(name, path):
            return combine(list(reader(path)))
    if name != "predictions":
        raise UsageError(f"--encoding and --delimiter are for predictions; {name} writes its files as UTF-8")
    return combine(list(reader(path, form)))


def rename(found: Imported, *, model: str | None = None, task: str | None = None) -> Imported:
    """The same under other names. Raises UsageError where there are several models, or tasks, to name."""
    for given, names, option in ((model, found.models, "--model"), (task, found.tasks, "--task")):
        if given is not None and len(names) != 1:
            raise UsageError(f"{option} {given}: the file has {len(names)} of them: {', '.join(names)}")
    if model is not None:
        only = next(iter(found.models.values()))
        found = replace(
            found,
            models={model: replace(only, name=model)},
            cells=tuple(replace(cell, model=model) for cell in found.cells),
            groups=tuple(replace(group, model=model) for group in found.groups),
            errors=dict.fromkeys([model] if found.errors else [], next(iter(found.errors.values()), "")),
        )
    if task is not None:
        info = next(iter(found.tasks.values()))
        found = replace(
            found,
            tasks={task: replace(info, name=task)},
            cells=tuple(replace(cell, task=task) for cell in found.cells),
            groups=(),
        )
    return found


def import_results(
    name: str,
    path: Path,
    out: Path,
    *,
    label: str | None = None,
    model: str | None = None,
    task: str | None = None,
    command: str = "",
    form: Form = AS_IT_IS,
) -> tuple[list[StoredRun], list[str]]:
    """The results at a path as runs in `out`, and notes on what was not taken over. Raises EvalkitError."""
    found = [rename(each, model=model, task=task) for each in read_format(name, path, form)]
    if not found:
        raise DataError(f"{path} holds no results of {name}")
    runs = [write_imported(each, out, label, command) for each in found]
    return runs, list(dict.fromkeys(note for each in found for note in each.notes))
