"""A finished run scored again from its stored responses, without a call.

Extractors, metrics, targets of a task may have been mended since; what was asked may not. Every request is
made again and must be the one that was answered, so that old answers are never taken for answers to an edited
prompt. What cannot be known without a call (a judge's word on another answer) is unscored.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.core.errors import NotComparableError, TaskError, UsageError, did_you_mean
from evalkit.core.records import (
    STOPPED_EARLY,
    CellResult,
    ModelInfo,
    SampleResult,
)
from evalkit.core.version import __version__
from evalkit.models.protocol import Model, ModelBase
from evalkit.models.resolution import Resolved
from evalkit.models.settings import ModelSettings
from evalkit.running.cells import PlannedCell
from evalkit.running.grouping import average_groups, find_groups
from evalkit.running.planning import PlanOptions, make_plan, task_info
from evalkit.running.rescoring.answers import answer_again, as_recorded
from evalkit.running.results import cell_result, make_scorer
from evalkit.running.selection import find_tasks
from evalkit.running.workspace import Workspace, open_workspace
from evalkit.store.folders import RunWriter, StoredRun
from evalkit.store.provenance import git_state, library_versions, new_folder, start_time
from evalkit.tasks.choices import base_mode
from evalkit.tasks.data import DataFile
from evalkit.tasks.discovery import search_path
from evalkit.tasks.task import Task
from evalkit.tasks.techniques import read_library

MAY_DIFFER = ("prompt", "data")
"""What --allow may name: answers to another prompt, samples whose columns or targets were edited."""


@dataclass(frozen=True)
class Rescored:
    """A metric of a cell before and after."""

    model: str
    task: str
    variant: str
    metric: str
    old: float | None
    """None where the metric is new, or nothing was scored."""
    new: float | None
    """None where the metric is gone, or nothing was scored."""
    n: int
    """Results of the cell."""
    n_changed: int
    """Results whose score on this metric is not what it was."""
    n_answers: int
    """Results whose answer is read in another way."""


@dataclass(frozen=True)
class Rescoring:
    """A run that was scored again."""

    stored: StoredRun
    """The new run."""
    changes: tuple[Rescored, ...]
    notes: tuple[str, ...]
    """What was left out, and what differs from when the answers were given."""


class _Recorded(ModelBase):
    """Stands for a model whose answers are there already."""

    def __init__(self, info: ModelInfo) -> None:
        self.name = info.name
        self.capabilities = frozenset(info.capabilities)


def rescore(
    run: StoredRun,
    *,
    tasks: Sequence[str] = (),
    data: Mapping[str, Path | DataFile] | None = None,
    include_path: Sequence[str | Path] = (),
    trust: bool = False,
    allow: Sequence[str] = (),
    out: Path | None = None,
    name: str | None = None,
    command: str = "",
) -> Rescoring:
    """The run scored again in a folder of its own; `tasks` (names, or files of tasks) leaves other cells out.

    Raises NotComparableError where what was asked is not what the task asks now, unless `allow` names the
    kind of difference (prompt, data), and UsageError where there is nothing to score.
    """
    for word in allow:
        if word not in MAY_DIFFER:
            raise UsageError(
                f"--allow {word!r}: write {' or '.join(MAY_DIFFER)}.{did_you_mean(word, MAY_DIFFER)}"
            )
    workspace = open_workspace()
    known = list(dict.fromkeys(cell.task for cell in run.run.cells))
    found = []
    for task in tasks or known:
        if task not in known and not os.path.exists(task):
            raise UsageError(
                f"run {run.run.id} has no task {task!r}.{did_you_mean(task, known)} It has {', '.join(known)}"
            )
        found += _find(task, run, workspace, data or {}, include_path, trust)
    replaceable = {each for task in found for each in (task.name, *task.source.names)}
    for each in data or {}:
        if each not in replaceable:
            raise TaskError(
                f"--data {each}=...: no chosen task or data set has this name."
                + did_you_mean(each, replaceable)
            )
    if not {task.name for task in found} & set(known):
        names = ", ".join(task.name for task in found)
        raise UsageError(f"run {run.run.id} has no task {names}; it has {', '.join(known)}")
    return _Rescorer(run, found, workspace, trust, frozenset(allow), include_path).run_all(
        out if out is not None else workspace.root / "reports", name, command
    )


def _find(
    name: str,
    run: StoredRun,
    workspace: Workspace,
    data: Mapping[str, Path | DataFile],
    include_path: Sequence[str | Path],
    trust: bool,
) -> list[Task]:
    """The task of a name or file as it is now. Raises TaskError."""
    info = run.run.tasks.get(name)
    try:
        chosen = find_tasks(workspace, [name], include_path=include_path, trust=trust)
    except TaskError as error:
        if info is None or "lm_eval" not in info.tags:
            raise
        try:
            return find_tasks(workspace, [f"lm_eval:{name}"], data=data, trust=trust)
        except TaskError:
            raise TaskError(
                f"{error}\n       {name} is a task of lm-evaluation-harness; name its file by --task FILE, "
                "or its tree by --include-path"
            ) from error
    names = {each for task in chosen for each in (task.name, *task.source.names)}
    own = {key: path for key, path in data.items() if key in names}
    return find_tasks(workspace, [name], data=own, include_path=include_path, trust=trust) if own else chosen


class _Rescorer:
    """Scores one run again."""

    def __init__(
        self,
        old: StoredRun,
        tasks: Sequence[Task],
        workspace: Workspace,
        trust: bool,
        allow: frozenset[str],
        include_path: Sequence[str | Path],
    ) -> None:
        self.old = old
        self.tasks = {task.name: task for task in tasks}
        self.workspace = workspace
        self.trust = trust
        self.allow = allow
        self.include_path = include_path
        self.notes: list[str] = []
        self.changes: list[Rescored] = []

    def run_all(self, out: Path, name: str | None, command: str) -> Rescoring:
        """The new run, written. Raises EvalkitError."""
        cells = [cell for cell in self.old.run.cells if cell.task in self.tasks]
        planned = [(cell, self._plan(cell)) for cell in cells]
        if not planned:
            raise UsageError(f"run {self.old.run.id} has no cells to score")
        for recorded, cell in planned:  # everything is compared before anything is written
            self._compare(recorded, cell)
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        created = start_time(epoch)
        run_id, writer = new_folder(out, name or f"rescored-{self.old.run.id}"[:60], created)
        results = tuple(self._score(recorded, cell, writer) for recorded, cell in planned)
        infos = {cell.task.task.name: task_info(cell.task) for _, cell in planned}
        groups = find_groups(list(self.tasks.values()), search_path(self.workspace.root, self.include_path))
        whole = all(
            not cell.counts.unscored or not planned_cell.supported
            for cell, (_, planned_cell) in zip(results, planned, strict=True)
        )
        old = self.old.run
        run = replace(
            old,
            id=run_id,
            name=name or "",
            created=created.isoformat(timespec="seconds").replace("+00:00", "Z"),
            version=__version__,
            git=None if epoch else git_state(),
            command=command,
            status="complete" if whole else "incomplete",
            duration_s=None,
            tasks=infos,
            models={key: info for key, info in old.models.items() if any(c.model == key for c in cells)},
            cells=results,
            versions={} if epoch else {**old.versions, **library_versions(False)},
            groups=average_groups(groups, infos, results),
            rescored={
                "run": old.id,
                "created": old.created,
                "evalkit": old.version,
                "allowed": sorted(self.allow),
                "notes": list(self.notes),
            },
        )
        writer.write(run)
        return Rescoring(StoredRun(run, writer.folder), tuple(self.changes), tuple(self.notes))

    def _plan(self, recorded: CellResult) -> PlannedCell:
        """The cell as it would be asked now, with the recorded parameters. Raises TaskError."""
        run, task = self.old.run, self.tasks[recorded.task]
        if run.seed is None:
            raise TaskError(f"the run {run.id} does not tell its seed, so it cannot be scored again")
        info = run.models[recorded.model]
        settings = ModelSettings(model=info.route)
        resolved = Resolved(info.name, info.asked, info.route, settings, "recorded")
        library = read_library(self.workspace.root / "prompts")
        own = task.variant(recorded.variant, None, library).num_fewshot
        order = next((o for o in ("seeded", "circular") if recorded.mode.endswith(f"_{o}")), None)
        letters = recorded.mode.startswith("letter_") and order is None
        judges: dict[str, tuple[Resolved, Model]] = {
            judge.asked: (
                Resolved(judge.name, judge.asked, judge.route, ModelSettings(model=judge.route), "recorded"),
                _Recorded(judge),
            )
            for judge in run.judges.values()
        }
        options = PlanOptions(
            prompts=() if task.spec.kind == "perplexity" else (recorded.variant,),
            limit=run.limit,
            num_fewshot=None if own == recorded.num_fewshot else recorded.num_fewshot,
            repeats=recorded.repeats,
            seed=run.seed,
            library=library,
            trust=self.trust,
            judge=self._judge(),
            choices_order="data" if letters else order,  # type: ignore[arg-type]
        )
        stub = _Recorded(replace(info, capabilities=_CAPABLE[base_mode(recorded.mode)]))
        plan = make_plan([(resolved, stub)], [task], options, judges or None)
        cell = plan.cells[0]
        return replace(
            cell,
            mode=recorded.mode,
            supported=bool(recorded.counts.samples) and self._has_samples(recorded),
            params=dict(recorded.params),
            asked_params=dict(recorded.params),
            slug=recorded.slug,
            bound=_Recorded(info),
        )

    def _judge(self) -> str | None:
        """The judge of the run, where it had one for all tasks."""
        asked = [judge.asked for judge in self.old.run.judges.values()]
        return asked[0] if len(asked) == 1 else None

    def _has_samples(self, recorded: CellResult) -> bool:
        return next(iter(self.old.samples(recorded.slug)), None) is not None

    def _compare(self, recorded: CellResult, cell: PlannedCell) -> None:
        """Nothing, where what was asked is what would be asked. Raises NotComparableError."""
        where = f"{recorded.task} · {recorded.variant} · {recorded.model}"
        before = self.old.run.tasks[recorded.task]
        if before.digest != cell.task.task.digest:
            note = f"{recorded.task}: the task's definition changed since; its present one counts"
            self.notes += [] if note in self.notes else [note]
        if recorded.data_digest != cell.task.data_digest:
            self._differ(
                "data",
                where,
                f"the data are not those that were asked ({recorded.data_digest[:12]} then, "
                f"{cell.task.data_digest[:12]} now)",
            )
        # Runs of before there was a digest of what is asked: the requests themselves tell.
        if recorded.asked_digest and recorded.asked_digest != cell.variant.asked_digest():
            self._differ("prompt", where, "its templates, parameters or few-shot rule were edited since")
        kept = {(r.sample_id, r.repeat): (r.request_digest, r.messages) for r in self._recorded(recorded)}
        n_other = 0
        first = ""
        for work in cell.work():
            old = kept.get((work.sample.id, work.request.repeat))
            if old is not None and old[0] != as_recorded(work, old[1], cell).request.digest:
                n_other += 1
                first = first or work.sample.id
        if n_other:
            self._differ(
                "prompt",
                where,
                f"{n_other} of {len(kept)} rendered prompts are not those that were answered, the first "
                f"{first!r} (edited templates, worked examples or columns)",
            )

    def _differ(self, kind: str, where: str, text: str) -> None:
        """Nothing, and a note, where the difference is allowed. Raises NotComparableError."""
        if kind not in self.allow:
            raise NotComparableError(
                f"{where}: {text}. The stored answers are answers to something else: run the task again, or "
                f"score them all the same with --allow {kind}, which the new run records"
            )
        self.notes.append(f"allowed to differ: {kind}: {where}: {text}")

    def _recorded(self, recorded: CellResult) -> Iterator[SampleResult]:
        return self.old.samples(recorded.slug) if recorded.counts.samples else iter(())

    def _score(self, recorded: CellResult, cell: PlannedCell, writer: RunWriter) -> CellResult:
        """The record of a cell, scored anew and written."""
        scorer = make_scorer(cell, self.trust, self._judge())
        results = {(r.sample_id, r.repeat): r for r in self._recorded(recorded)}
        cell_writer = writer.cell(cell.slug)
        n_answers = 0
        n_changed: dict[str, int] = {}
        try:
            for work in cell.work():
                old = results.pop((work.sample.id, work.request.repeat), None)
                if old is None:
                    continue  # it was never answered, and is missing still
                work = as_recorded(work, old.messages, cell)
                response = asyncio.run(answer_again(work, old, cell))
                new = scorer.score(work.position, work.sample, work.request, response)
                cell_writer.append(work.position, new)
                n_answers += new.answer != old.answer
                for metric in {*new.scores, *old.scores}:
                    n_changed[metric] = n_changed.get(metric, 0) + _differs(
                        old.scores.get(metric), new.scores.get(metric)
                    )
        finally:
            cell_writer.close()
        if results:
            where = f"{recorded.task} · {recorded.variant} · {recorded.model}"
            self.notes.append(f"{where}: {len(results)} results are of samples that the task has no more")
        record = cell_result(cell, scorer)
        kept = [note for note in recorded.notes if note.startswith(STOPPED_EARLY)]
        record = replace(record, notes=(*kept, *record.notes))
        n = record.counts.samples
        for metric in dict.fromkeys((*record.metrics, *recorded.metrics)):
            before, after = recorded.metrics.get(metric), record.metrics.get(metric)
            self.changes.append(
                Rescored(
                    recorded.model,
                    recorded.task,
                    recorded.variant,
                    metric,
                    before.value if before else None,
                    after.value if after else None,
                    n,
                    n_changed.get(metric, 0),
                    n_answers,
                )
            )
        return record


_CAPABLE: Mapping[str, tuple[str, ...]] = {
    "generate": ("generate", "chat"),
    "letter_generate": ("generate", "chat"),
    "loglikelihood": ("generate", "loglikelihood"),
    "letter_logprobs": ("generate", "loglikelihood"),
    "rolling": ("generate", "rolling"),
}
"""Mode -> what a model can do that is asked in it."""


def _differs(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is not new
    return abs(old - new) > 1e-12


__all__ = ["MAY_DIFFER", "Rescored", "Rescoring", "rescore"]
