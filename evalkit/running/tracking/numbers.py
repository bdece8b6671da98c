"""What is told of a run: names, settings and numbers; never texts, the command line or keys."""

from __future__ import annotations

from typing import Any

from evalkit.core.records import CellResult, Run, known_n


def describe_run(run: Run) -> dict[str, Any]:
    """The settings of a run; what is unknown is left out."""
    known = {
        "run": run.id,
        "name": run.name,
        "created": run.created,
        "evalkit": run.version,
        "status": run.status,
        "seed": run.seed,
        "limit": run.limit,
        "models": ",".join(run.models),
        "tasks": ",".join(run.tasks),
        "commit": (run.git or {}).get("commit"),
    }
    return {key: value for key, value in known.items() if value not in (None, "")}


def describe_cell(run: Run, cell: CellResult) -> dict[str, Any]:
    """The settings of a cell; what is unknown is left out."""
    info = run.tasks.get(cell.task)
    known = {
        "model": cell.model,
        "task": cell.task,
        "variant": cell.variant,
        "mode": cell.mode,
        "num_fewshot": cell.num_fewshot,
        "repeats": cell.repeats,
        "prompt_digest": cell.prompt_digest,
        "data_digest": cell.data_digest,
        "headline": info.headline if info is not None else None,
        **{f"param.{name}": value for name, value in cell.params.items()},
    }
    return {key: value for key, value in known.items() if value not in (None, "")}


def measure_cell(cell: CellResult) -> dict[str, float]:
    """Name -> number: values, standard errors, intervals, counts, tokens, costs, times. An unknown number is
    not there, never 0."""
    found: dict[str, float | None] = {}
    for name, value in cell.metrics.items():
        low, high = value.interval or (None, None)
        found |= {
            name: value.value,
            f"{name}.stderr": value.stderr,
            f"{name}.low": low,
            f"{name}.high": high,
            f"{name}.n": known_n(value),
        }
    counts = cell.counts
    found |= {
        "samples": counts.samples,
        "scored": counts.scored,
        "unscored": counts.unscored,
        "no_answer": counts.no_answer,
        "errors": counts.errors,
        "input_tokens": cell.usage.input,
        "output_tokens": cell.usage.output,
        "cost_usd": cell.cost_usd,
        "latency_mean_s": cell.latency.mean,
        "latency_p95_s": cell.latency.p95,
    }
    return {name: float(number) for name, number in found.items() if number is not None}


def measure_progress(run: Run, planned: int) -> dict[str, float]:
    """Name -> number of a run that goes on: results, of how many, calls that failed, dollars where known."""
    costs = [cell.cost_usd for cell in run.cells]
    known = [cost for cost in costs if cost is not None]
    found = {
        "progress.results": float(sum(cell.counts.samples for cell in run.cells)),
        "progress.planned": float(planned),
        "progress.errors": float(sum(cell.counts.errors for cell in run.cells)),
    }
    return found | ({"progress.cost_usd": sum(known)} if known and len(known) == len(costs) else {})
