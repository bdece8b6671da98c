"""A stored cell read once: what a comparison or a gate needs of its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evalkit.core.records import (
    STOPPED_EARLY,
    CellResult,
    Run,
    SampleResult,
    TaskInfo,
    digest,
    encode_message,
)
from evalkit.store.folders import StoredRun

_SHOWN = 400
"""Characters of an answer that are kept to be shown."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one sample of a cell, its repeats taken together."""

    target: tuple[str, ...]
    """The right answers."""
    answer: str | None
    """The answer of the first repeat, shortened; None when there was none."""
    content: str
    """Digest of what the sample asks for: target and choices."""
    prompt: str
    """Digest of the rendered messages; equal prompts have equal ones."""
    cluster: str | None
    """The sample's cluster; None when it stands alone."""
    metadata: Mapping[str, Any]
    """The columns for slices."""
    missing: bool
    """Whether a repeat has no score, because its call failed or was never made."""
    reason: str | None
    """Why; None when nothing is missing."""
    cost_usd: float | None
    """US dollars that its calls cost when they were paid for; None when a price is unknown."""
    latency_s: float | None
    """Mean seconds of its calls, cached answers left out; None when none was timed."""
    most_usd: float | None = None
    """What its calls would have cost with an answer of the most tokens allowed; None where unknown."""


@dataclass
class StoredCell:
    """A cell of a run with its results, ready to be paired."""

    run: Run
    cell: CellResult
    facts: dict[str, Facts]
    """Sample id -> what is known of it, in the order of the data."""
    ids: list[str]
    """The sample of each result, in the order of the file."""
    scores: dict[str, list[float | None]] = field(default_factory=dict)
    """Metric -> the score of each result."""
    stats: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    """Metric -> the statistics of each result."""

    @property
    def info(self) -> TaskInfo:
        """What the run says of the task."""
        return self.run.tasks[self.cell.task]

    @property
    def name(self) -> str:
        """The cell as a reader knows it: model, task and variant."""
        return f"{self.cell.model} · {self.cell.task} · {self.cell.variant}"

    @property
    def stopped_early(self) -> bool:
        """Whether the run ended before all samples were asked, because its verdict was certain."""
        return any(note.startswith(STOPPED_EARLY) for note in self.cell.notes)

    @cached_property
    def clustered(self) -> bool:
        """Whether some samples are dependent."""
        return any(fact.cluster is not None for fact in self.facts.values())

    @property
    def n_planned(self) -> int:
        """Samples that were to be asked, repeats not counted."""
        return max(self.cell.counts.samples // max(self.cell.repeats, 1), len(self.facts))


def read_cell(
    stored: StoredRun, cell: CellResult, metrics: Sequence[str] | None = None, texts: bool = True
) -> StoredCell:
    """The cell with its results. Raises StoreError when its samples are missing or unreadable.

    metrics: those whose scores are kept, all by default. Without texts the facts of a sample are its cluster,
    its metadata and whether it is missing: what is needed to compare cells over the same data.
    """
    found = StoredCell(stored.run, cell, {}, [])
    names = list(cell.metrics) if metrics is None else list(metrics)
    found.scores = {name: [] for name in names}
    found.stats = {name: [] for name in names}
    grouped: dict[str, list[SampleResult]] = {}
    for result in stored.samples(cell.slug) if cell.counts.samples else ():
        found.ids.append(result.sample_id)
        for name in names:
            scored = result.unscored_reason is None
            found.scores[name].append(result.scores.get(name) if scored else None)
            found.stats[name].append(tuple(result.stats.get(name, ())) if scored else ())
        group = grouped.setdefault(result.sample_id, [])
        group.append(result)
        if len(group) == cell.repeats:
            # Complete: the texts need not be kept.
            found.facts[result.sample_id] = _facts(group, found, texts)
            grouped[result.sample_id] = group[:1]
    for sample_id, group in grouped.items():
        if sample_id not in found.facts:
            found.facts[sample_id] = _facts(group, found, texts)
    return found


def read_cells(stored: StoredRun) -> list[StoredCell]:
    """All cells of a run that were asked, in the order of the run."""
    return [read_cell(stored, cell) for cell in stored.run.cells]


def _facts(results: list[SampleResult], cell: StoredCell, texts: bool) -> Facts:
    first = results[0]
    reasons = [result.unscored_reason for result in results if result.unscored_reason is not None]
    if len(results) < cell.cell.repeats:
        reasons.append("not asked")
    if not texts:
        reason = reasons[0] if reasons else None
        metadata = dict(first.metadata)
        return Facts((), None, "", "", first.cluster, metadata, bool(reasons), reason, None, None)
    costs = [result.response.cost_usd for result in results if result.response.status != "error"]
    times = [
        result.response.latency_s
        for result in results
        if result.response.latency_s is not None and not result.response.from_cache
    ]
    answer = first.answer if first.answer is not None else first.response.text
    known = [cost for cost in costs if cost is not None]
    return Facts(
        target=tuple(text[:_SHOWN] for text in first.target),
        answer=None if answer is None else answer[:_SHOWN],
        content=digest([list(first.target), list(first.choices)])[:16],
        prompt=digest([encode_message(message) for message in first.messages])[:16],
        cluster=first.cluster,
        metadata=dict(first.metadata),
        missing=bool(reasons),
        reason=reasons[0] if reasons else None,
        cost_usd=sum(known) if known and len(known) == len(costs) else None,
        latency_s=sum(times) / len(times) if times else None,
        most_usd=_most(results, cell),
    )


def _most(results: list[SampleResult], cell: StoredCell) -> float | None:
    """What these calls could have cost at most: the prompts that were sent, and `max_tokens` of answer."""
    info = cell.run.models.get(cell.cell.model)
    price, limit = (info.price if info else None) or {}, cell.cell.params.get("max_tokens")
    rates = [float(price[side]) for side in ("input", "output") if price.get(side) is not None]
    sent = [float(n) for result in results if (n := result.response.usage.input) is not None]
    if not isinstance(limit, int) or len(rates) < 2 or len(sent) < len(results):
        return None
    return sum(n * rates[0] + limit * rates[1] for n in sent)
