"""What was asked and answered where two cells differ, read again from their runs for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.comparing.comparison.records import CellName, Difference
from evalkit.core.records import SampleResult
from evalkit.pages.diffs import Kind, marked
from evalkit.store.folders import StoredRun

MAX_TEXT = 4_000
"""Characters of a prompt or a response that the page carries; what is cut is said."""


@dataclass(frozen=True)
class Evidence:
    """Both answers to one sample."""

    prompt: str
    """What the base was asked."""
    base: str
    """The base's response."""
    other: tuple[tuple[Kind, str], ...]
    """The other's response, what it has beyond the base's and lacks of it marked."""


def find_evidence(
    differences: Sequence[Difference], runs: Iterable[StoredRun], most: int
) -> list[Mapping[str, Evidence]]:
    """For each difference the sample ids that it names, `most` in each direction, with both answers.

    Every cell is read once; samples whose results are not there any more are left out.
    """
    wanted: dict[CellName, set[str]] = {}
    named = []
    for item in differences:
        ids = {change.sample_id for change in (*item.newly_failed[:most], *item.newly_fixed[:most])}
        named.append(ids)
        for cell in (item.base, item.other):
            wanted.setdefault(cell, set()).update(ids)
    stored = {run.run.id: run for run in runs}
    read = {name: _read(stored.get(name.run), name, ids) for name, ids in wanted.items()}
    return [
        {
            id: _evidence(read[item.base][id], read[item.other][id])
            for id in ids
            if id in read[item.base] and id in read[item.other]
        }
        for item, ids in zip(differences, named, strict=True)
    ]


def prompt_difference(item: Difference, runs: Iterable[StoredRun]) -> list[tuple[Kind, str]]:
    """How the other's prompt template differs from the base's; nothing where they are the same or unknown."""
    stored = {run.run.id: run.run for run in runs}
    texts = []
    for name in (item.base, item.other):
        info = stored[name.run].tasks.get(name.task) if name.run in stored else None
        text = None if info is None else info.prompts.get(name.variant)
        if text is None:
            return []
        texts.append(text)
    return [] if texts[0] == texts[1] else marked(*texts)


def _read(run: StoredRun | None, name: CellName, ids: set[str]) -> dict[str, SampleResult]:
    """The first result of each of these samples in a cell."""
    found: dict[str, SampleResult] = {}
    for cell in () if run is None or not ids else run.run.cells:
        if (cell.model, cell.task, cell.variant) == (name.model, name.task, name.variant) and run is not None:
            for result in run.samples(cell.slug) if cell.counts.samples else ():
                if result.sample_id in ids and result.sample_id not in found:
                    found[result.sample_id] = result
    return found


def _evidence(base: SampleResult, other: SampleResult) -> Evidence:
    prompt = "\n\n".join(
        f"{message.role}: {message.text}" if len(base.messages) > 1 else message.text
        for message in base.messages
    )
    before = _said(base)
    return Evidence(_clip(prompt), before, tuple(marked(before, _said(other))))


def _said(result: SampleResult) -> str:
    """The response, or the option that was chosen where no text was asked for."""
    response = result.response
    if response.error is not None:
        return _clip(f"[{response.error.kind}] {response.error.message}")
    text = response.text if response.text is not None else result.answer
    return "" if text is None else _clip(text)


def _clip(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} … [+{len(text) - MAX_TEXT:,}]"
