"""What keeps a candidate from being compared with a baseline, each difference by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalkit.comparing.findings.cells import StoredCell
from evalkit.comparing.findings.definitions import plain_signature
from evalkit.comparing.findings.pairing import Overlap, overlap
from evalkit.core.records import CellResult
from evalkit.gate.records import Obstacle
from evalkit.gate.rules import MIN_OVERLAP, Rules


@dataclass(frozen=True)
class Match:
    """A cell of the candidate with the cell of the baseline that it is measured against."""

    baseline: StoredCell
    candidate: StoredCell
    shared: Overlap


def match_cells(
    baseline: Sequence[CellResult], candidate: Sequence[CellResult]
) -> tuple[list[tuple[CellResult, CellResult]], list[CellResult], list[CellResult]]:
    """The pairs of cells, then those that only the baseline has, and those that only the candidate has.

    A cell's match has its model, task and variant. Where the baseline has a single model, other models are
    measured against that one; where both have a single variant of a task, against that one.
    """
    models = {cell.model for cell in baseline}
    pairs: list[tuple[CellResult, CellResult]] = []
    extra: list[CellResult] = []
    for cell in candidate:
        model = cell.model if cell.model in models else next(iter(models)) if len(models) == 1 else None
        rivals = [b for b in baseline if b.model == model and b.task == cell.task]
        own = [c for c in candidate if c.model == cell.model and c.task == cell.task]
        found = [b for b in rivals if b.variant == cell.variant]
        if not found and len(rivals) == len(own) == 1:
            found = rivals
        if found:
            pairs.append((found[0], cell))
        else:
            extra.append(cell)
    met = {id(b) for b, _ in pairs}
    reached = {b.model for b, _ in pairs}
    # A model that the candidate leaves out altogether was not asked for.
    lost = [b for b in baseline if id(b) not in met and (b.model in reached or not pairs)]
    return pairs, lost, extra


def definition_obstacles(
    baseline: CellResult, *, data: str, prompt: str, mode: str, cell: str, n: int, n_base: int
) -> Iterator[tuple[str, str, str]]:
    """(kind, cell, text) of each difference that is known before anything is asked."""
    if baseline.data_digest != data:
        counts = f"{n_base} and {n} samples" if n != n_base else f"{n} samples each"
        yield (
            "data",
            cell,
            f"the data are not the same: {baseline.data_digest[:12]} in the baseline, now {data[:12]} "
            f"({counts})",
        )
    if baseline.prompt_digest != prompt:
        yield (
            "prompt",
            cell,
            f"the prompt, its parameters or its extractor differ: {baseline.prompt_digest[:12]} in the "
            f"baseline, now {prompt[:12]}",
        )
    if baseline.mode != mode:
        yield "mode", cell, f"asked by {baseline.mode} in the baseline, now by {mode}"


def find_obstacles(
    matches: Sequence[Match],
    lost: Sequence[CellResult],
    metrics: Sequence[Sequence[str]],
    rules: Rules,
) -> list[Obstacle]:
    """Every difference between the cells; `metrics` are the metrics that are judged in each match."""
    found: list[tuple[str, str, str]] = []
    for cell in lost:
        found.append(
            ("cells", f"{cell.task} · {cell.variant}", f"the candidate has no result of {cell.model}")
        )
    for match, names in zip(matches, metrics, strict=True):
        found += _match_obstacles(match, names, rules)
    return [Obstacle(kind, cell, text, kind in rules.allow) for kind, cell, text in found]


def _match_obstacles(match: Match, names: Sequence[str], rules: Rules) -> Iterator[tuple[str, str, str]]:
    base, other = match.baseline, match.candidate
    cell = label(other.cell)
    yield from definition_obstacles(
        base.cell,
        data=other.cell.data_digest,
        prompt=other.cell.prompt_digest,
        mode=other.cell.mode,
        cell=cell,
        n=other.n_planned,
        n_base=base.n_planned,
    )
    if base.cell.prompt_digest == other.cell.prompt_digest and base.cell.mode == other.cell.mode:
        changed = [
            sample_id
            for sample_id in match.shared.shared
            if sample_id in base.facts
            and sample_id in other.facts
            and base.facts[sample_id].prompt != other.facts[sample_id].prompt
        ]
        if changed:
            yield (
                "prompt",
                cell,
                f"the rendered prompts of {len(changed)} samples differ, the first {changed[0]!r} "
                "(worked examples or columns of the data were edited)",
            )
    if base.stopped_early:
        yield "early-stopped", cell, "the baseline was stopped early: its score is biased"
    for name in names:
        values = (base.cell.metrics.get(name), other.cell.metrics.get(name))
        if values[0] is None or values[1] is None:
            side = "baseline" if values[0] is None else "candidate"
            yield "metric", cell, f"the {side} has no metric {name}"
        elif plain_signature(values[0].signature) != plain_signature(values[1].signature):
            yield (
                "metric",
                cell,
                f"{name} is not the same metric: {values[0].signature} in the baseline, "
                f"now {values[1].signature}",
            )
    if match.shared.share < MIN_OVERLAP:
        yield (
            "overlap",
            cell,
            f"only {100 * match.shared.share:.0f} % of the samples are in both runs "
            f"({len(match.shared.only_base)} only in the baseline, {len(match.shared.only_other)} only in "
            f"the candidate, {len(match.shared.changed)} with another target)",
        )
    for side, stored in (("baseline", base), ("candidate", other)):
        if side == "candidate" and stored.stopped_early:
            continue  # what was not asked is no failure
        share, why = missing_share(stored)
        if share > rules.max_error_rate:
            yield (
                "missing",
                cell,
                f"{100 * share:.1f} % of the {side}'s samples have no score{why}; at most "
                f"{100 * rules.max_error_rate:.3g} % may be missing (--max-error-rate)",
            )


def missing_share(stored: StoredCell) -> tuple[float, str]:
    """The share of samples without a score, and the most common cause in words."""
    n = stored.n_planned
    known = sum(1 for fact in stored.facts.values() if not fact.missing)
    if not n:
        return 1.0, ""
    causes = [fact.reason for fact in stored.facts.values() if fact.reason]
    cause = f" ({max(set(causes), key=causes.count)})" if causes else ""
    return (n - known) / n, cause


def make_matches(pairs: Sequence[tuple[StoredCell, StoredCell]]) -> list[Match]:
    """The matches with the samples that they share."""
    return [Match(base, other, overlap(base, other)) for base, other in pairs]


def label(cell: CellResult) -> str:
    """A cell as the gate names it."""
    return f"{cell.task} · {cell.variant} · {cell.model}"
