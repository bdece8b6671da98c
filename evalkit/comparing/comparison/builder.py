"""Runs -> comparison: which cells are paired, and Holm's correction over all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.comparing.comparison.differences import cell_name, find_difference
from evalkit.comparing.comparison.groups import compare_groups
from evalkit.comparing.comparison.records import By, Comparison, Difference, Refusal
from evalkit.comparing.findings import adjust
from evalkit.comparing.findings.cells import StoredCell, read_cells
from evalkit.comparing.findings.definitions import find_metric, plain_signature
from evalkit.comparing.findings.pairing import Overlap, overlap
from evalkit.core.errors import MetricError, StatsError, UsageError, did_you_mean
from evalkit.store.folders import StoredRun, find_run
from evalkit.tasks.task import Task

BY = ("prompt", "model", "run")
Pair = tuple[StoredCell, StoredCell]


def compare(
    *runs: StoredRun | str | Path,
    by: By | None = None,
    metric: str | None = None,
    slices: Sequence[str] = (),
    base: str | None = None,
    tasks: Sequence[Task] = (),
) -> Comparison:
    """The paired differences between the cells of one or more runs.

    by="prompt" compares the variants of a task within a model, by="model" the models within a variant,
    by="run" the same cell across runs; None takes what the runs differ in. `base` names the variant, model or
    run with which all others are compared: by default the first variant, each pair of models, the first run.
    metric: one of them, or "all"; None is each task's headline. slices: metadata columns. `tasks` define
    metrics of the corpus that are not evalkit's own as they stand. Raises UsageError when there is no pair.
    """
    stored = [run if isinstance(run, StoredRun) else find_run(str(run)) for run in runs]
    if not stored:
        raise UsageError("name at least one run")
    folders = [run.folder.resolve() for run in stored]
    for run, folder in zip(stored, folders, strict=True):
        if folders.count(folder) > 1:
            raise UsageError(f"run {run.run.id} is named twice: it does not differ from itself")
    cells = [cell for run in stored for cell in read_cells(run)]
    chosen = by or _by(stored, cells)
    if chosen not in BY:
        raise UsageError(f"--by is one of {', '.join(BY)}, not {chosen!r}")
    notes: list[str] = []
    if chosen != "run":
        cells = _latest(cells, notes)
    _check_columns(cells, slices)
    _check_metric(cells, metric)
    differences: list[Difference] = []
    refusals: list[Refusal] = []
    pairs = list(_pairs(cells, chosen, base))
    for first, second in pairs:
        _compare_pair(first, second, metric, slices, tasks, differences, refusals)
    for found in compare_groups(pairs, metric, tasks):
        if isinstance(found, Refusal):
            refusals.append(found)
        else:
            differences.append(found)
    if not pairs:
        raise UsageError(_no_pairs(chosen, cells))
    return Comparison(
        chosen,
        tuple(run.run.id for run in stored),
        tuple(_adjust(differences)),
        tuple(refusals),
        tuple(notes),
    )


def _by(runs: Sequence[StoredRun], cells: Sequence[StoredCell]) -> By:
    """What the runs differ in."""
    if len(runs) > 1 and len(_keys(cells)) < len(cells):
        return "run"
    variants: dict[tuple[str, str], int] = {}
    for cell in cells:
        key = (cell.cell.model, cell.cell.task)
        variants[key] = variants.get(key, 0) + 1
    return "prompt" if any(count > 1 for count in variants.values()) else "model"


def _keys(cells: Sequence[StoredCell]) -> set[tuple[str, str, str]]:
    return {(cell.cell.model, cell.cell.task, cell.cell.variant) for cell in cells}


def _latest(cells: Sequence[StoredCell], notes: list[str]) -> list[StoredCell]:
    """One cell of each name: where several runs have it, that of the run named last."""
    found: dict[tuple[str, str, str], StoredCell] = {}
    for cell in cells:
        key = (cell.cell.model, cell.cell.task, cell.cell.variant)
        if key in found:
            notes.append(f"{cell.name} is in several runs; {cell.run.id} is taken")
        found[key] = cell
    return list(found.values())


def _pairs(cells: Sequence[StoredCell], by: By, base: str | None) -> Iterator[Pair]:
    """The pairs of cells: everything but what is compared is equal."""
    groups: dict[tuple[str, ...], list[StoredCell]] = {}
    names: list[str] = []
    for cell in cells:
        parts = {"prompt": cell.cell.variant, "model": cell.cell.model, "run": cell.run.id}
        key = tuple(value for name, value in parts.items() if name != by and (name != "run" or by == "run"))
        groups.setdefault((cell.cell.task, *key), []).append(cell)
        names.append(parts[by])
    if base is not None and base not in names:
        known = sorted(set(names))
        raise UsageError(
            f"--base {base!r}: there is no such {by}.{did_you_mean(base, known)} "
            f"There are: {', '.join(known)}"
        )
    for group in groups.values():
        first = group[0]
        if base is not None:
            found = [cell for cell in group if _part(cell, by) == base]
            if not found:
                continue
            first = found[0]
        if by == "model" and base is None:
            yield from itertools.combinations(group, 2)
        else:
            yield from ((first, cell) for cell in group if cell is not first)


def _part(cell: StoredCell, by: By) -> str:
    return {"prompt": cell.cell.variant, "model": cell.cell.model, "run": cell.run.id}[by]


def _no_pairs(by: By, cells: Sequence[StoredCell]) -> str:
    cure = {
        "prompt": "run several variants of a task, for example: evalkit run --prompts all",
        "model": "run several models, for example: evalkit run --models gpt-4o-mini,llama3",
        "run": "name two runs that have a model, task and prompt in common; for other models: --by model",
    }[by]
    names = "; ".join(cell.name for cell in cells[:4])
    return f"nothing to compare by {by} among {len(cells)} cells ({names}): {cure}"


def _check_columns(cells: Sequence[StoredCell], columns: Sequence[str]) -> None:
    known = sorted({name for cell in cells for fact in cell.facts.values() for name in fact.metadata})
    for column in columns:
        if column not in known:
            has = f"the samples have: {', '.join(known)}" if known else "the samples have no metadata"
            raise UsageError(
                f"--slice {column!r}: no such column of metadata; {has}.{did_you_mean(column, known)} "
                "A task keeps columns that it lists under `metadata:`"
            )


def _check_metric(cells: Sequence[StoredCell], metric: str | None) -> None:
    known = sorted({name for cell in cells for name in cell.cell.metrics})
    if metric not in (None, "all") and metric not in known:
        raise UsageError(
            f"no cell has a metric {metric!r}.{did_you_mean(str(metric), known)} "
            f"There are: {', '.join(known)}"
        )


def _compare_pair(
    base: StoredCell,
    other: StoredCell,
    metric: str | None,
    slices: Sequence[str],
    tasks: Sequence[Task],
    differences: list[Difference],
    refusals: list[Refusal],
) -> None:
    names = (cell_name(base), cell_name(other))
    reason = _why_not(base, other)
    if reason is not None:
        refusals.append(Refusal(*names, None, reason))
        return
    shared = overlap(base, other)
    if not shared.shared:
        refusals.append(
            Refusal(*names, None, "they share no sample: the data differ in every id, target or choice")
        )
        return
    wanted = list(base.cell.metrics) if metric == "all" else [metric or base.info.headline]
    for name in wanted:
        try:
            differences.append(_difference(base, other, name, shared, slices, tasks))
        except (MetricError, StatsError) as error:
            refusals.append(Refusal(*names, name, str(error)))


def _difference(
    base: StoredCell,
    other: StoredCell,
    name: str,
    shared: Overlap,
    slices: Sequence[str],
    tasks: Sequence[Task],
) -> Difference:
    for cell in (base, other):
        if name not in cell.cell.metrics:
            raise MetricError(f"{cell.name} has no metric {name!r}; it has {', '.join(cell.cell.metrics)}")
    signatures = [plain_signature(cell.cell.metrics[name].signature) for cell in (base, other)]
    if signatures[0] != signatures[1]:
        raise MetricError(f"{name} was not measured alike: {signatures[0]} and {signatures[1]}")
    return find_difference(base, other, find_metric(base, name, tasks), shared, slices)


def _why_not(base: StoredCell, other: StoredCell) -> str | None:
    """Why two cells cannot be compared at all; None when they can."""
    if base.cell.mode != other.cell.mode:
        return f"the models were asked in different ways: {base.cell.mode} and {other.cell.mode}"
    for cell in (base, other):
        if cell.stopped_early:
            return f"{cell.name} in {cell.run.id} was stopped early by a gate: its score is biased"
        if not cell.cell.counts.scored:
            return f"{cell.name} in {cell.run.id} has no score at all"
    return None


def _adjust(differences: Sequence[Difference]) -> list[Difference]:
    """The differences with p corrected for their number by Holm's method."""
    sides = [item.sides or (float("nan"), float("nan")) for item in differences]
    found = adjust([better for _, better in sides], [worse for worse, _ in sides])
    return [
        item if item.p is None else replace(item, p_adjusted=float(p))
        for item, p in zip(differences, found, strict=True)
    ]
