"""A run as the `model-index` of Hugging Face model cards: the metadata block with which a README.md begins.

https://huggingface.co/docs/hub/model-cards#evaluation-results; made by huggingface_hub, which reads it too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from evalkit.core.errors import UsageError
from evalkit.core.records import CellResult, Run, TaskInfo, known_n
from evalkit.interop.exports import Rows
from evalkit.store.folders import StoredRun, write_private

_TYPES = {"generate": "text-generation", "choice": "multiple-choice", "perplexity": "text-generation"}


def write_model_cards(stored: StoredRun, path: Path, rows: Rows) -> list[Path]:
    """The card of the only model as a file, or one file for each model in a folder."""
    models = list(dict.fromkeys(cell.model for cell in stored.run.cells))
    as_file = path.suffix in (".md", ".yaml", ".yml")
    if as_file and len(models) > 1:
        raise UsageError(f"{path} is one file, and the run has {len(models)} models: name a folder")
    written: list[Path] = []
    for model in models:
        name = re.sub(r"[^A-Za-z0-9.\-]+", "-", model).strip("-.") or "model"
        file = path if as_file else path / f"{name}.md"
        if file in written:
            file = path / f"{name}-{len(written)}.md"
        block = _metadata(stored.run, model)
        write_private(file, (f"---\n{block}\n---\n" if file.suffix == ".md" else f"{block}\n").encode())
        written.append(file)
    return written


def _metadata(run: Run, model: str) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results: list[Any] = []
    for cell in run.cells:
        if cell.model != model:
            continue
        info = run.tasks[cell.task]
        for name, value in cell.metrics.items():
            if value.value is None:
                continue
            low, high = value.interval or (None, None)
            results.append(
                EvalResult(
                    task_type=_TYPES.get(info.kind, info.kind),
                    dataset_type=_dataset(info),
                    dataset_name=cell.task,
                    metric_type=name,
                    metric_value=value.value,
                    metric_name=f"{name} ({cell.variant}, {cell.num_fewshot}-shot)",
                    metric_args=_arguments(cell, name, low, high),
                )
            )
    if not results:
        raise UsageError(f"run {run.id} has no score of {model}")
    text: str = ModelCardData(model_name=model, eval_results=results).to_yaml().strip()
    return text


def _dataset(info: TaskInfo) -> str:
    """The data set's name on the hub where the task names one, else the task's own."""
    hub = re.match(r"hub:([^\s@(]+)", info.data_revision)
    return hub.group(1) if hub else info.name


def _arguments(cell: CellResult, name: str, low: float | None, high: float | None) -> dict[str, Any]:
    """What a reader needs to trust the number."""
    value = cell.metrics[name]
    known = {
        "n": known_n(value),
        "unscored": cell.counts.unscored,
        "stderr": value.stderr,
        "ci95_low": low,
        "ci95_high": high,
        "signature": value.signature,
    }
    return {key: item for key, item in known.items() if item is not None}
