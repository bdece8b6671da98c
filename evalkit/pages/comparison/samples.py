"""Comparison -> the samples of its cells side by side, for the page's sample browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.comparing.comparison.records import By, CellName, Comparison, Difference
from evalkit.core.records import CellResult, SampleResult, digest
from evalkit.pages.redaction import redact_results
from evalkit.pages.shards import Shard, ShardCell, build_shard
from evalkit.pages.tasks import permalink
from evalkit.store.folders import StoredRun

Place = tuple[str, str]
"""Task, and what else the compared cells have in common: the address of their samples on the page."""


@dataclass
class _Side:
    """The cells that are compared with each other, the first base first."""

    metric: str
    cells: dict[str, CellName] = field(default_factory=dict)
    """What differs -> the cell."""


def label(cell: CellName, by: By) -> str:
    """What tells a cell from those it is compared with."""
    return {"prompt": cell.variant, "model": cell.model, "run": cell.run}[by]


def place_of(item: Difference, by: By) -> Place:
    """Where the page has the samples of a difference."""
    cell = item.other
    common = {"prompt": cell.model, "model": cell.variant, "run": f"{cell.variant} · {cell.model}"}[by]
    return cell.task, common


def links_of(item: Difference, by: By, shards: Sequence[Shard]) -> dict[str, str]:
    """The ways to the samples that got worse (`failed`), better (`fixed`) and both (`differ`).

    Empty where the page does not have them, or has them by another metric.
    """
    task, common = place_of(item, by)
    shard = next((shard for shard in shards if (shard.task, shard.variant) == (task, common)), None)
    if shard is None or shard.id != _id(item, by):
        return {}
    base, other = (permalink(label(cell, by)) for cell in (item.base, item.other))
    marked = permalink(f"{common}\0{label(item.base, by)}")
    start = f"#s={permalink(task, common)}"
    return {
        name: f"{start}&sf={name}&sm={other}&sb={base}&sd={marked}" for name in ("failed", "fixed", "differ")
    }


def build_sides(found: Comparison, runs: Iterable[StoredRun], *, redact: bool = False) -> list[Shard]:
    """One shard for each group of cells that are compared with each other, of those runs that are given."""
    stored = {run.run.id: run for run in runs}
    sides: dict[Place, _Side] = {}
    for item in found.differences:
        side = sides.setdefault(place_of(item, found.by), _Side(item.metric))
        for name in (item.base, item.other):
            side.cells.setdefault(label(name, found.by), name)
    shards = []
    for (task, common), side in sides.items():
        contents: dict[str, str] = {}
        parts = [
            ShardCell(
                model=text,
                headline=side.metric,
                metrics=cell.metrics,
                results=_results(stored[name.run], cell, contents, redact),
                n_results=cell.counts.samples,
            )
            for text, name in side.cells.items()
            if (cell := _cell(stored.get(name.run), name)) is not None
        ]
        if parts:
            shards.append(build_shard(f"{task}\0{common}\0{side.metric}", task, common, parts))
    return shards


def _id(item: Difference, by: By) -> str:
    return "\0".join((*place_of(item, by), item.metric))


def _cell(run: StoredRun | None, name: CellName) -> CellResult | None:
    for cell in () if run is None else run.run.cells:
        if (cell.model, cell.task, cell.variant) == (name.model, name.task, name.variant):
            return cell
    return None


def _results(
    run: StoredRun, cell: CellResult, contents: dict[str, str], redact: bool
) -> Iterator[SampleResult]:
    """The results of a cell, without samples that ask for something else than those already in `contents`."""
    if not cell.counts.samples:
        return
    kept = _same(run.samples(cell.slug), contents)
    yield from redact_results(kept) if redact else kept


def _same(results: Iterable[SampleResult], contents: dict[str, str]) -> Iterator[SampleResult]:
    for result in results:
        content = digest([list(result.target), list(result.choices)])
        if contents.setdefault(result.sample_id, content) == content:
            yield result


def listed(shards: Sequence[Shard]) -> list[Mapping[str, object]]:
    """What the page's script is told of its shards."""
    return [
        {
            "task": shard.task,
            "variant": shard.variant,
            "models": list(shard.models),
            "n": shard.n_samples,
            "more": shard.n_left_out,
        }
        for shard in shards
    ]
