"""How far a judge, or a metric, agrees with people: on labelled answers, with intervals.

Labels are rows with what people said of an answer. What the machine said stands in another column, in a run
(joined by the sample's id), or is asked now of a judge.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError, UsageError, did_you_mean
from evalkit.core.records import Judgement, Request, Response, Sample
from evalkit.models.protocol import Model
from evalkit.models.resolution import Resolved
from evalkit.running.executors.budget import Budget
from evalkit.running.executors.lanes import judge_lane
from evalkit.running.executors.local import Ask, LocalExecutor, Solve, Work, describe
from evalkit.stats.agreement import (
    Agreement,
    confusion_matrix,
    correlation_interval,
    kappa_interval,
)
from evalkit.stats.means import mean_interval
from evalkit.store.cache import Cache
from evalkit.store.folders import StoredRun
from evalkit.tasks.data import AS_IT_IS, Form, read_rows
from evalkit.tasks.solvers.judge import Judge

_METRIC = "agreement"
_MOST_LABELS = 20
"""Different values up to which they are labels, with kappa and a table of confusions."""
HUMAN = ("human", "label", "human_label", "rating", "score", "gold")
_INPUT = ("input", "question", "prompt", "instruction")
_ANSWER = ("answer", "output", "response", "prediction", "completion")
_TARGET = ("target", "reference", "expected")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What people and the machine said of one answer."""

    human: float | str
    machine: float | str | None
    """None where the machine gave no verdict."""
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How far both agree."""

    machine: str
    """Who was compared with the people."""
    n: int
    """Answers on which both said something."""
    n_open: int
    """Answers on which the machine said nothing: left out of every number."""
    numbers: Mapping[str, Agreement]
    """accuracy, kappa, kappa_linear, kappa_quadratic, pearson, spearman, kendall: those that are defined."""
    labels: tuple[str, ...]
    """The labels in order; empty where there are too many different values."""
    confusion: tuple[tuple[int, ...], ...]
    """Rows: what people said; columns: what the machine said."""

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {"schema": 1, "kind": "agreement", **asdict(self)}


def read_labels(path: Path, form: Form = AS_IT_IS) -> list[dict[str, Any]]:
    """The rows of a file of labels. Raises DataError."""
    return list(read_rows(path, form))


def find_column(
    rows: Sequence[Mapping[str, Any]], wanted: str | None, usual: Sequence[str], what: str
) -> str:
    """The column that is asked for, or the first of the usual ones. Raises UsageError with near names."""
    columns = list(dict.fromkeys(key for row in rows[:100] for key in row))
    if wanted is not None:
        if wanted not in columns:
            raise UsageError(
                f"no column {wanted!r} in the labels.{did_you_mean(wanted, columns)} Columns: "
                + ", ".join(columns)
            )
        return wanted
    found = next((name for name in usual if name in columns), None)
    if found is None:
        raise UsageError(f"name the column with {what}; the labels have: {', '.join(columns)}")
    return found


def opinions_of_columns(
    rows: Sequence[Mapping[str, Any]], human: str, machine: str, cluster: str | None = None
) -> list[Opinion]:
    """The opinions where both stand in the file."""
    return [
        Opinion(_value(row[human]), _known(row.get(machine)), _cluster(row, cluster))
        for row in rows
        if _known(row.get(human)) is not None
    ]


def opinions_of_run(
    rows: Sequence[Mapping[str, Any]], human: str, run: StoredRun, metric: str, cluster: str | None = None
) -> list[Opinion]:
    """The opinions where the machine's are a metric of a run, joined by `id` and, where it is said, `model`.

    A judge's verdict is compared as its label where people gave words, else as its worth.
    """
    results = {}
    models = set()
    for cell in run.run.cells:
        if metric in cell.metrics:
            models.add(cell.model)
            for result in run.samples(cell.slug):
                results[cell.model, result.sample_id] = result
    if not models:
        known = sorted({name for cell in run.run.cells for name in cell.metrics})
        raise UsageError(f"run {run.run.id} has no metric {metric!r}.{did_you_mean(metric, known)}")
    if len(models) > 1 and not all("model" in row for row in rows):
        raise UsageError(
            f"run {run.run.id} has answers of {', '.join(sorted(models))}; the labels need a column `model`"
        )
    opinions = []
    for row in rows:
        if _known(row.get(human)) is None:
            continue
        if "id" not in row:
            raise DataError("labels are joined to a run by the sample's id, and a row has no column `id`")
        model = str(row["model"]) if len(models) > 1 else next(iter(models))
        scored = results.get((model, str(row["id"])))
        said = _value(row[human])
        machine: float | str | None = None
        if scored is not None:
            judgement = scored.response.judgements.get(metric)
            machine = scored.scores.get(metric)
            if judgement is not None and judgement.verdict is not None and isinstance(said, str):
                machine = judgement.verdict
        opinions.append(Opinion(said, machine, _cluster(row, cluster)))
    return opinions


def opinions_of_judge(
    rows: Sequence[Mapping[str, Any]],
    human: str,
    judge: Judge,
    resolved: Resolved,
    model: Model,
    *,
    cache: Cache | None = None,
    max_cost: float | None = None,
    cluster: str | None = None,
) -> tuple[list[Opinion], list[Judgement | None]]:
    """The opinions where the judge is asked now about the rows' inputs, answers and targets."""
    rows = [row for row in rows if _known(row.get(human)) is not None]
    given, answer = (
        find_column(rows, None, _INPUT, "the input"),
        find_column(rows, None, _ANSWER, "the answer"),
    )
    target = next((name for name in _TARGET if any(name in row for row in rows[:100])), None)
    judgements: list[Judgement | None] = [None] * len(rows)

    def work() -> Iterator[Work]:
        for number, row in enumerate(rows):
            wanted = row.get(target) if target is not None else None
            targets = wanted if isinstance(wanted, list) else [] if wanted is None else [wanted]
            sample = Sample(str(row.get("id", number)), row, tuple(str(item) for item in targets))
            yield Work(
                0,
                number,
                sample,
                judge.trial(sample),
                model,
                _solve(judge, sample, str(row[given]), str(row[answer])),
            )

    def deliver(done: Work, response: Response) -> None:
        judgements[done.position] = response.judgements[_METRIC]

    async def run() -> None:
        executor = LocalExecutor(cache=cache, budget=Budget(max_cost))
        try:
            await executor.run([judge_lane(resolved, model, work())], deliver)
        except BaseExceptionGroup as group:
            raise describe(group) from None
        finally:
            await model.aclose()

    asyncio.run(run())
    opinions = []
    for row, said in zip(rows, judgements, strict=True):
        people = _value(row[human])
        machine: float | str | None = None
        if said is not None and said.verdict is not None:
            machine = said.verdict if isinstance(people, str) else _number(said.verdict)
            machine = said.worth if machine is None else machine
        opinions.append(Opinion(people, machine, _cluster(row, cluster)))
    return opinions, judgements


def _solve(judge: Judge, sample: Sample, question: str, answer: str) -> Solve:
    async def solve(ask: Ask) -> Response:
        async def consult(name: str, request: Request) -> Response:
            return await ask(request)

        said = await judge.judge(consult, sample, question, answer)
        return Response(text="", from_cache=said.from_cache, judgements={_METRIC: said})

    return solve


def measure(machine: str, opinions: Sequence[Opinion]) -> Report:
    """How far people and the machine agree. Raises DataError when they have nothing in common."""
    both = [opinion for opinion in opinions if opinion.machine is not None]
    if not both:
        raise DataError(f"{machine} and the people have no answer in common; nothing can be compared")
    human = [opinion.human for opinion in both]
    other = [opinion.machine for opinion in both if opinion.machine is not None]
    clusters = None
    if any(opinion.cluster is not None for opinion in both):
        clusters = [opinion.cluster for opinion in both]
    numbers: dict[str, Agreement] = {}
    numeric = all(isinstance(value, float) for value in (*human, *other))
    if not numeric:
        human, other = [_word(value) for value in human], [_word(value) for value in other]
    labels = sorted(set(human) | set(other), key=lambda value: (str(type(value)), value))
    confusion: tuple[tuple[int, ...], ...] = ()
    if len(labels) <= _MOST_LABELS:
        place = {label: number for number, label in enumerate(labels)}
        one, two = [place[value] for value in human], [place[value] for value in other]
        same = mean_interval([float(i == j) for i, j in zip(one, two, strict=True)], 0.95, clusters)
        numbers["accuracy"] = Agreement(same.value, same.stderr, same.lo, same.hi)
        numbers["kappa"] = kappa_interval(one, two, len(labels), clusters=clusters)
        if numeric and len(labels) > 2:
            for weights in ("linear", "quadratic"):
                numbers[f"kappa_{weights}"] = kappa_interval(one, two, len(labels), weights, clusters)
        confusion = tuple(tuple(int(n) for n in row) for row in confusion_matrix(one, two, len(labels)))
    else:
        labels = []
    if numeric and len(set(human)) > 1:
        for kind in ("pearson", "spearman", "kendall"):
            numbers[kind] = correlation_interval(
                [float(value) for value in human], [float(value) for value in other], kind, clusters
            )
    shown = tuple(f"{label:g}" if isinstance(label, float) else label for label in labels)
    return Report(machine, len(both), len(opinions) - len(both), numbers, shown, confusion)


def _known(value: object) -> float | str | None:
    return None if value is None or value == "" else _value(value)


def _value(value: object) -> float | str:
    """A number where it is one (true is 1), else a text."""
    number = float(value) if isinstance(value, bool) else _number(str(value))
    return str(value).strip() if number is None else number


def _number(text: str) -> float | None:
    """The text as a finite number; None for everything else, the word nan among it."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _word(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else value.casefold()


def _cluster(row: Mapping[str, Any], column: str | None) -> str | None:
    return None if column is None or row.get(column) is None else str(row[column])
