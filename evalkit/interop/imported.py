"""Results of other tools on their way into a run folder: what an importer hands over, and how it is written.

An importer says what its file says and nothing more. Scores of samples become the cell's numbers by evalkit's
own statistics where their mean is the number that the tool reports; else the tool's number stands as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.comparing.findings.definitions import PlainMean
from evalkit.core.errors import DataError
from evalkit.core.language import detect_language
from evalkit.core.records import (
    CellResult,
    Counts,
    GroupResult,
    Latency,
    MetricValue,
    ModelInfo,
    Run,
    RunStatus,
    SampleResult,
    Scale,
    TaskInfo,
    Usage,
    digest,
)
from evalkit.core.version import __version__
from evalkit.metrics import summarise
from evalkit.stats import mean_interval
from evalkit.stats.means import student_interval
from evalkit.store.folders import RunWriter, StoredRun
from evalkit.store.provenance import new_folder

_NEAR = 1e-9
"""How near the mean of the samples must be to the reported number, as a share of it."""


@dataclass(frozen=True)
class Reported:
    """A number as another tool's file gives it."""

    signature: str
    """What decides whether two such numbers compare: tool, metric, its settings, the tool's version."""
    value: float | None = None
    """The tool's own number; None where the file gives scores of samples only."""
    stderr: float | None = None
    """The tool's own standard error; None when it gives none."""
    n: int | None = None
    """Samples behind it; None when the file does not say."""
    higher_is_better: bool = True
    scale: Scale | None = None
    """None: a fraction where all that is known lies in 0..1, else unbounded."""
    rounded: int | None = None
    """Decimals to which the file rounds the value; None when it does not."""


@dataclass(frozen=True)
class ImportedCell:
    """A cell as a file tells of it."""

    model: str
    task: str
    variant: str
    mode: str
    """As in `CellResult`."""
    metrics: Mapping[str, Reported]
    """In the order of the file: the first is the headline."""
    results: Sequence[SampleResult] = ()
    """In the order of the data; empty where the file has numbers alone."""
    n_samples: int | None = None
    """Sample x repeat that were to be asked; None: as many as there are results."""
    num_fewshot: int | None = None
    """None where the file does not say."""
    repeats: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    prompt: Any = None
    """What decides the prompt, as far as the file says; its digest stands for the prompt."""
    data_digest: str | None = None
    """None: the digest over ids, prompts, targets and choices of the results."""
    cost_usd: float | None = None
    """What the file says that the cell cost; None: the sum over its results, where each has a cost."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What one file, or one folder of files, tells."""

    tool: str
    """The tool's name as a reader knows it."""
    version: str | None
    """The tool's version; None when the file does not say."""
    created: datetime
    """When the tool made the results; the file's own time where it does not say."""
    tasks: Mapping[str, TaskInfo]
    models: Mapping[str, ModelInfo]
    cells: tuple[ImportedCell, ...]
    groups: tuple[GroupResult, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    """Model -> why the tool stopped; empty when it went on to the end."""
    seed: int | None = None
    """None where the file does not say."""
    limit: int | None = None
    notes: tuple[str, ...] = ()
    """What was found and not taken over; said to the user."""

    def keys(self) -> set[tuple[str, str, str]]:
        """The cells as a run knows them: model, task, variant."""
        return {(cell.model, cell.task, cell.variant) for cell in self.cells}


def make_task(name: str, tool: str, **known: Any) -> TaskInfo:
    """What is known of a task; what the file does not say is empty."""
    texts = known.pop("texts", ())
    blank: dict[str, Any] = {
        "description": f"{name}, as {tool} ran it.",
        "language": guess_language(texts),
        "kind": "generate",
        "tags": ("imported",),
        "version": "",
        "license": "",
        "source": "",
        "digest": digest([tool, name]),
        "data_revision": "unknown",
        "n_samples": None,
        "n_total": None,
        "chance": None,
        "headline": "",
        "labels": (),
        "prompts": {},
    }
    return TaskInfo(name=name, **{**blank, **known})


_ENGLISH_ALONE = frozenset(
    (
        "the",
        "and",
        "what",
        "which",
        "that",
        "this",
        "how",
        "with",
        "from",
        "who",
        "when",
        "where",
        "was",
        "were",
    )
)
"""Words that hardly stand in texts of other languages."""
_ENGLISH = _ENGLISH_ALONE | {"are", "is", "of", "to", "does", "not"}


def guess_language(texts: Sequence[str]) -> str:
    """The language of texts whose file does not name it: by their script, English by its commonest words (a
    third of most texts); empty where neither decides."""
    whole = " ".join(texts)[:50_000]
    if not any(map(str.isalpha, whole)):
        return ""
    found = detect_language([whole])
    if found != "en":
        return found
    words = re.findall(r"[^\W\d_]+", whole.lower())
    common = [word for word in words if word in _ENGLISH]
    return "en" if len(common) >= len(words) / 10 and _ENGLISH_ALONE.intersection(common) else ""


def make_model(name: str, **known: Any) -> ModelInfo:
    """What is known of a model; its provider is what stands before the first slash."""
    blank: dict[str, Any] = {"asked": name, "route": name, "provider": name.partition("/")[0]}
    return ModelInfo(name=name, **{**blank, "capabilities": (), **known})


def combine(found: Sequence[Imported]) -> list[Imported]:
    """As few runs as hold everything: files of other models and tasks go together, a second result of the
    same cell begins a run of its own. Oldest first."""
    runs: list[Imported] = []
    for item in sorted(found, key=lambda each: each.created):
        for place, run in enumerate(runs):
            same = all(run.tasks[name] == item.tasks[name] for name in run.tasks.keys() & item.tasks.keys())
            if same and not run.keys() & item.keys() and (run.tool, run.version) == (item.tool, item.version):
                runs[place] = replace(
                    run,
                    tasks={**run.tasks, **item.tasks},
                    models={**run.models, **item.models},
                    cells=(*run.cells, *item.cells),
                    groups=(*run.groups, *item.groups),
                    errors={**run.errors, **item.errors},
                    notes=tuple(dict.fromkeys((*run.notes, *item.notes))),
                )
                break
        else:
            runs.append(item)
    return runs


def write_imported(found: Imported, out: Path, name: str | None, command: str) -> StoredRun:
    """The run in a folder of its own below `out`. Raises DataError where there is nothing to write."""
    if not found.cells:
        raise DataError(f"the file of {found.tool} holds no results")
    run_id, writer = new_folder(out, name, found.created.astimezone(UTC))
    taken: set[str] = set()
    doubts: list[str] = []
    cells = tuple(_write_cell(cell, found, writer, taken, doubts) for cell in found.cells)
    whole = all(not cell.counts.unscored for cell in cells) and not found.errors
    status: RunStatus = "complete" if whole else "incomplete"
    run = Run(
        id=run_id,
        name=name or "",
        created=found.created.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        version=__version__,
        git=None,
        command=command,
        status=status,
        seed=found.seed,
        limit=found.limit,
        duration_s=None,
        tasks={
            key: replace(info, headline=info.headline or next(iter(_first(found, key).metrics), ""))
            for key, info in found.tasks.items()
        },
        models=dict(found.models),
        cells=cells,
        errors=dict(found.errors),
        versions={found.tool: found.version} if found.version else {},
        groups=found.groups,
    )
    writer.write(run)
    return StoredRun(run, writer.folder, doubts)


def _first(found: Imported, task: str) -> ImportedCell:
    return next(cell for cell in found.cells if cell.task == task)


def _write_cell(
    cell: ImportedCell, found: Imported, writer: RunWriter, taken: set[str], doubts: list[str]
) -> CellResult:
    """The record of a cell whose samples are written; `doubts` learns what in its file contradicts itself."""
    slug = _slug((cell.model, cell.task, cell.variant), taken)
    if cell.results:
        sink = writer.cell(slug)
        for position, result in enumerate(cell.results):
            sink.append(position, result)
        sink.close()
    notes = list(cell.notes)
    odd = [*_doubles(cell)]
    metrics = {name: _metric_value(name, said, cell, odd) for name, said in cell.metrics.items()}
    notes += odd
    doubts += [f"{cell.model} · {cell.task}: {note}" for note in odd]
    if not cell.results and cell.n_samples is None:
        notes.append("the file does not say how many samples there were: counts of them are unknown")
    source = f"imported from {found.tool}{f' {found.version}' if found.version else ''}"
    costs = [result.response.cost_usd for result in cell.results if result.response.status != "error"]
    known = [cost for cost in costs if cost is not None]
    whole = sum(known) if known and len(known) == len(costs) else None
    return CellResult(
        model=cell.model,
        task=cell.task,
        variant=cell.variant,
        slug=slug,
        mode=cell.mode,
        num_fewshot=cell.num_fewshot,
        repeats=cell.repeats,
        params=dict(cell.params),
        prompt_digest=digest([found.tool, cell.prompt]),
        data_digest=cell.data_digest or digest_results(cell.results),
        counts=_counts(cell),
        metrics=metrics,
        usage=_usage(cell.results),
        cost_usd=cell.cost_usd if cell.cost_usd is not None else whole,
        cost_cached_usd=None,
        latency=_latency(cell.results),
        notes=tuple(dict.fromkeys((source, *notes))),
    )


def _doubles(cell: ImportedCell) -> Iterator[str]:
    """A sentence where a repeat of a sample stands more than once, or a sample more often than most."""
    repeats = Counter((result.sample_id, result.repeat) for result in cell.results)
    twice = {sample_id for (sample_id, _), n in repeats.items() if n > 1}
    counts = Counter(result.sample_id for result in cell.results)
    usual = max(Counter(counts.values()).items(), key=lambda item: item[1])[0] if counts else 0
    doubles = [f"{id!r:.80} {n} times" for id, n in counts.items() if n > usual or id in twice]
    if doubles:
        more = f" and {len(doubles) - 3} more" if len(doubles) > 3 else ""
        said = f"{', '.join(doubles[:3])}{more}, most {usual} time{'s' * (usual != 1)}"
        yield f"sample ids stand unequally often: {said}; they count as repeats"


def digest_results(results: Sequence[SampleResult]) -> str:
    """The digest over what the samples ask for: ids, prompts, targets, choices."""
    seen: dict[str, str] = {}
    for result in results:
        if result.sample_id not in seen:
            prompt = [[message.role, message.text] for message in result.messages]
            seen[result.sample_id] = digest([result.sample_id, prompt, result.target, result.choices])
    return digest(sorted(seen.values()))


def _metric_value(name: str, said: Reported, cell: ImportedCell, notes: list[str]) -> MetricValue:
    scores = [None if r.unscored_reason is not None else r.scores.get(name) for r in cell.results]
    known = [score for score in scores if score is not None]
    numbers = known + ([said.value] if said.value is not None else [])
    scale: Scale = said.scale or (
        "fraction" if numbers and all(0 <= number <= 1 for number in numbers) else "unbounded"
    )
    blank = MetricValue(None, None, None, None, 0, said.signature, said.higher_is_better, scale)
    if known:
        ids = [result.sample_id for result in cell.results]
        clusters = [result.cluster for result in cell.results]
        made = summarise(
            PlainMean(name, blank, known), scores, [()] * len(scores), sample_ids=ids, clusters=clusters
        )
        if said.value is None or (made.value is not None and _near(made.value, said.value, said.rounded)):
            return made
        notes.append(
            f"{name}: the mean of the samples' scores is {made.value:.6g}, and the tool reports "
            f"{said.value:.6g}, which stands here without an interval"
        )
        return replace(blank, value=said.value, stderr=said.stderr, n=said.n or made.n)
    n = said.n or len(cell.results)
    value = replace(blank, value=said.value, stderr=said.stderr, n=n if said.value is not None else 0)
    return value if cell.results else _with_interval(value)


def _near(mean: float, value: float, rounded: int | None) -> bool:
    slack = _NEAR * max(1.0, abs(value)) if rounded is None else 0.5000001 * 10.0**-rounded
    return abs(mean - value) <= slack


def _with_interval(value: MetricValue) -> MetricValue:
    """A number without samples, with its interval: exact where the scores must have been 0 and 1, else
    Student's, of the standard error."""
    if value.value is None or value.stderr is None or value.n < 2:
        return value
    right = round(value.value * value.n)
    share = right / value.n
    plain = (share * (1 - share) / (value.n - 1)) ** 0.5 if 0 <= share <= 1 else -1.0
    if value.scale == "fraction" and abs(share - value.value) < 1e-9 and abs(plain - value.stderr) < 1e-6:
        found = mean_interval([1.0] * right + [0.0] * (value.n - right))
        method = "gaffke"
    else:
        found = student_interval(value.value, value.stderr, value.n, value.n - 1.0)
        method = "t"
    if found.lo is None or found.hi is None:
        return value
    return replace(value, interval=(found.lo, found.hi), interval_method=method)


def _counts(cell: ImportedCell) -> Counts:
    tally: Counter[str] = Counter()
    for result in cell.results:
        scored = result.unscored_reason is None
        status = result.response.status
        tally["scored" if scored else "unscored"] += 1
        tally["no_answer"] += scored and result.answer is None and cell.mode == "generate"
        tally["refused"] += status == "refused"
        tally["truncated"] += status == "truncated"
        tally["errors"] += status == "error"
        tally["cached"] += result.response.from_cache
    if not cell.results:  # numbers alone; how many there were may be unknown, which `_write_cell` says
        return Counts(samples=cell.n_samples or 0, scored=cell.n_samples or 0)
    planned = cell.n_samples if cell.n_samples is not None else len(cell.results)
    missing = max(planned - len(cell.results), 0)
    tally["unscored"] += missing
    return Counts(samples=len(cell.results) + missing, **tally)


def _usage(results: Sequence[SampleResult]) -> Usage:
    def total(name: str) -> int | None:
        values = [getattr(r.response.usage, name) for r in results if r.response.status != "error"]
        return sum(values) if values and None not in values else None

    return Usage(*(total(name) for name in ("input", "output", "reasoning", "cached")))


def _latency(results: Sequence[SampleResult]) -> Latency:
    found = (r.response.latency_s for r in results if not r.response.from_cache)
    times = sorted(seconds for seconds in found if seconds is not None)
    if not times:
        return Latency()
    last = len(times) - 1
    return Latency(sum(times) / len(times), times[round(last * 0.5)], times[round(last * 0.95)])


def _slug(names: Sequence[str], taken: set[str]) -> str:
    """As for runs of evalkit's own: a file name, unique in the run whatever the names hold."""
    parts = [re.sub(r"[^A-Za-z0-9.\-]+", "-", part).strip("-.")[:60] or "x" for part in names]
    slug = "__".join(parts)
    if slug.lower() in taken:
        slug = f"{slug}__{digest(list(names))[:8]}"
    taken.add(slug.lower())
    return slug
