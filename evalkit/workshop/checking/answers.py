"""The answers of a task: its target passes, another one does not, guessing scores what it says."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from evalkit.core.errors import EvalkitError, PromptError
from evalkit.core.records import Request, Response, Sample
from evalkit.metrics import Case, Metric, build_metrics
from evalkit.models.baseline import make_baseline
from evalkit.models.mock import MockModel
from evalkit.models.protocol import Model, Worded
from evalkit.models.resolution import Resolved
from evalkit.models.settings import ModelSettings
from evalkit.running.executors.work import Asker
from evalkit.running.planning import PlannedCell, PlanOptions, judge_metrics, make_plan
from evalkit.running.scoring import CellScorer
from evalkit.tasks.choices import is_circular
from evalkit.tasks.prompts import letter
from evalkit.tasks.solvers.judge import Judge
from evalkit.tasks.task import Task
from evalkit.workshop.checking.findings import Finding, error, ok, some, warning
from evalkit.workshop.checking.samples import usable_prompts

_MOST = 500
"""Samples, evenly spread over the data, that are answered: enough to see a wrong metric or extractor."""
_GUESSES = 4000
"""Guesses, over samples and seeds, from which chance is estimated."""
_WRONG = 0.5
"""Share of the ceiling that wrong answers may not reach."""
_OVERLAP = 0.2
"""Share of the ceiling that an answer to another question may score by chance."""


def check_answers(
    task: Task, samples: Sequence[Sample], pool: Sequence[Sample], *, trust: bool
) -> Iterator[Finding]:
    """The findings on target, wrong answers, chance and worked examples."""
    spec = task.spec
    try:
        metric = build_metrics(
            spec.metrics[:1],
            language=spec.language,
            labels=tuple(spec.labels),
            kind=spec.kind,
            extra=task.hooks.metrics,
            trust=trust,
            folder=task.folder,
        )[0]
    except EvalkitError as problem:
        yield warning("oracle", f"not checked: {problem}")
        return
    try:
        for judge in judge_metrics(task):
            Judge(judge.name, "", "", judge.rubric).trial(samples[0])
    except EvalkitError as problem:
        yield error("judge", str(problem))
        return
    if metric.by_judge:
        yield warning("oracle", f"not checked: for {metric.name} a model judges, and none is asked here")
        return
    if metric.runs_code and not trust:
        yield warning("oracle", f"not checked: {metric.name} runs code, which --trust allows")
        return
    trial = _Trial(task, metric, samples, pool)
    try:
        if spec.kind == "perplexity":
            yield trial.check_texts()
            return
        if metric.reads_target:
            yield trial.check_oracle()
            yield trial.check_wrong()
        else:
            yield ok("oracle", f"{metric.name} judges a reply without a target: there is no oracle")
        yield trial.check_chance()
        yield from trial.check_examples()
    except EvalkitError as problem:
        yield error("oracle", str(problem))


class _Trial:
    """The samples of a task, answered by models that know the target."""

    def __init__(self, task: Task, metric: Metric, samples: Sequence[Sample], pool: Sequence[Sample]) -> None:
        self.task = task
        self.metric = metric
        self.all = samples
        self.samples = samples[:: max(1, len(samples) // _MOST)][:_MOST]
        self.pool = pool
        self.by_id: Mapping[str, Sample] = {sample.id: sample for sample in self.samples}
        self.ceiling = (100.0 if metric.scale == "percent" else 1.0) if metric.higher_is_better else 0.0
        self.choice = task.spec.kind == "choice"

    def check_texts(self) -> Finding:
        """Whether every text can be scored: a model to which all bytes are alike gives each a number."""
        value = self._value(self._cells(make_baseline("baseline/random"))[0])
        if value is None:
            return error("oracle", f"{self.metric.name} is undefined on these texts")
        return ok("oracle", f"{self.metric.name} of a model to which all bytes are alike: {value:.4g}")

    def check_oracle(self) -> Finding:
        """Whether the target has the full score in every prompt, asked in every way."""
        cells = self._cells(make_baseline("baseline/oracle"))
        if self.choice:
            cells += self._cells(MockModel(self._right_letter, "mock/letters"))
        tried = 0
        for cell in cells:
            answers = self._worked(cell)
            if answers is None:
                continue  # the prompt asks for more than the data hold; its worked examples prove it
            tried += 1
            value = self._value(cell, answers)
            if value is None:
                return error("oracle", f"{self._name(cell)}: {self.metric.name} gives the target no score")
            if not self._is_full(value):
                return error(
                    "oracle",
                    f"{self._name(cell)}: the target itself scores {value:.4g} on {self.metric.name}, not "
                    f"{self.ceiling:g}; look at target, extract and metrics{self._failure(cell, answers)}",
                )
        if not tried:
            return warning("oracle", "not checked: every prompt asks for more than the data hold")
        return ok(
            "oracle", f"the target scores {self.ceiling:g} on {self.metric.name}, asked in {tried} ways"
        )

    def check_wrong(self) -> Finding:
        """Whether an answer that is another sample's, or the option after the right one, fails."""
        targets = list(dict.fromkeys(sample.target for sample in self.samples if sample.target))
        if not self.choice and len(targets) < 2:
            return warning("wrong", "not checked: all samples have the same target")

        def reply(request: Request) -> str | list[float]:
            sample = self.by_id[request.sample_id]
            n = len(sample.choices)
            if not sample.gold:  # options may stand beside a question that is answered freely
                return next((t for t in reversed(targets) if not set(t) & set(sample.target)), ("",))[0]
            after = ((sample.gold[0] + step) % n for step in range(1, n))
            place = next((p for p in after if p not in sample.gold), sample.gold[0])
            place = request.order.index(place) if request.order else place
            if request.continuations:
                return [0.0 if position == place else -1e4 for position in range(n)]
            return letter(place)

        model = MockModel(reply, "mock/wrong", ("generate", "chat", "loglikelihood"))
        found = self._value(self._cells(model)[0])
        if found is None:
            return ok("wrong", "a wrong answer has no score")
        if self.metric.higher_is_better and found >= _WRONG * self.ceiling:
            return error(
                "wrong", f"wrong answers score {found:.4g} of {self.ceiling:g} on {self.metric.name}"
            )
        if not self.metric.higher_is_better and self._is_full(found):
            return error("wrong", f"wrong answers score as well as the target on {self.metric.name}")
        return ok("wrong", f"wrong answers score {found:.4g}")

    def check_chance(self) -> Finding:
        """Whether guessing scores what the task states: exactly for a choice, else simulated."""
        stated = self.task.spec.chance
        exact = self.choice and self.task.headline.startswith("accuracy")
        if exact:
            value, spread = statistics.fmean(len(set(s.gold)) / len(s.choices) for s in self.all), 0.0
            how = f"the mean of right options over all options is {value:.4g}"
        else:
            cells = self._cells(make_baseline("baseline/random"))
            n_rounds = max(1, min(20, _GUESSES // len(self.samples)))
            rounds = [self._value(cells[0], repeat=repeat) for repeat in range(n_rounds)] if cells else []
            values = [each for each in rounds if each is not None]
            if not values:
                return warning("chance", f"not checked: {self.metric.name} gives guesses no score")
            value = statistics.fmean(values)
            spread = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
            how = f"baseline/random scores {value:.4g} on {self.metric.name}"
        if stated is None:
            return warning("chance", f"not stated; {how}")
        # Where there are no classes, what is guessed is another sample's answer, and texts overlap a little.
        sure = exact or bool(self.task.spec.labels)
        room = (0.01 if exact else 0.02 if sure else _OVERLAP) * max(1.0, self.ceiling) + 4 * spread
        if abs(value - stated) <= room:
            return ok("chance", f"stated {stated:g}; {how}")
        return (error if sure else warning)("chance", f"stated {stated:g}, but {how}")

    def check_examples(self) -> Iterator[Finding]:
        """Whether the answers of worked examples are right as the prompt reads answers."""
        failed: list[str] = []
        n = 0
        for cell in [] if self.choice else self._cells(make_baseline("baseline/oracle")):
            for shot in self.pool[:_MOST] if cell.variant.num_fewshot else ():
                n += 1
                extraction = cell.extractor.extract(cell.variant.shot_answer(shot))
                if extraction is None:
                    failed.append(f"{cell.variant.name}, {shot.id}: no answer found")
                    continue
                case = Case(
                    answer=extraction.answer, response=Response(), target=shot.target, fields=shot.fields
                )
                score = self.metric.score(case)
                if self.metric.reads_target and score is not None and not self._is_full(score):
                    failed.append(f"{cell.variant.name}, {shot.id}: {extraction.answer!r} scores {score:.3g}")
        if failed:
            yield error("examples", f"{len(failed)} of {n} worked examples are not right: {some(failed)}")
        elif n:
            yield ok("examples", f"{n} worked examples are right as the prompts read them")

    def _is_full(self, value: float) -> bool:
        return abs(value - self.ceiling) <= 1e-6 * max(1.0, self.ceiling)

    def _name(self, cell: PlannedCell) -> str:
        return f"prompt {cell.variant.name}{f' ({cell.mode})' if self.choice else ''}"

    def _cells(self, model: Model) -> list[PlannedCell]:
        """The cells of the model on every prompt of the task."""
        resolved = Resolved(model.name, model.name, model.name, ModelSettings(model=model.name), "")
        names = [
            name
            for name in usable_prompts(self.task, self.pool)
            if "loglikelihood" in model.capabilities or not (self.choice and self._prefilled(name))
        ]
        if not names:
            return []
        plan = make_plan([(resolved, model)], [self.task], PlanOptions(prompts=tuple(names)))
        return [_as_printed(cell) for cell in plan.cells if cell.supported]

    def _prefilled(self, name: str) -> bool:
        return self.task.variant(name).assistant is not None

    def _right_letter(self, request: Request) -> str:
        gold = self.by_id[request.sample_id].gold[0]
        return letter(request.order.index(gold) if request.order else gold)

    def _worked(self, cell: PlannedCell) -> Mapping[str, str] | None:
        """Sample -> its answer as worked examples give it, where a prompt asks for more than the target.

        Empty when the target is the answer; None when the data do not hold the answer.
        """
        if cell.variant.answer is None or self.choice or _prints(cell):
            return {}
        try:
            return {sample.id: cell.variant.shot_answer(sample) for sample in self.samples}
        except PromptError:
            return None

    def _value(
        self, cell: PlannedCell, answers: Mapping[str, str] | None = None, repeat: int = 0
    ) -> float | None:
        """The headline of the cell's answers; None when it is undefined."""
        scorer = CellScorer(mode=cell.mode, extractor=cell.extractor, metrics=(self.metric,))
        for position, (sample, request, response) in enumerate(self._ask(cell, answers or {}, repeat)):
            scorer.score(position, sample, request, response)
        value = scorer.metric_values().get(self.metric.name)
        return None if value is None else value.value

    def _ask(
        self, cell: PlannedCell, answers: Mapping[str, str], repeat: int = 0
    ) -> list[tuple[Sample, Request, Response]]:
        async def work() -> list[tuple[Sample, Request, Response]]:
            async def cell_ask(request: Request) -> Response:
                if request.kind == "generate":
                    return await cell.bound.generate(request)
                return await cell.bound.loglikelihood(request)

            async def no_judge(name: str, request: Request) -> Response:
                raise PromptError(f"the judge {name} is not asked in a check")

            asked = []
            for sample in self.samples:
                request = cell.request(sample, (), repeat)
                if sample.id in answers:
                    response = Response(text=answers[sample.id])
                else:
                    solve = cell.solver(sample, (), request) if is_circular(cell.mode) else None
                    response = await (
                        solve(Asker(cell_ask, no_judge)) if solve is not None else cell_ask(request)
                    )
                asked.append((sample, request, response))
            return asked

        return asyncio.run(work())

    def _failure(self, cell: PlannedCell, answers: Mapping[str, str]) -> str:
        """The first sample whose target fails, for the message; empty without scores of single samples."""
        for sample, request, response in self._ask(cell, answers):
            scorer = CellScorer(mode=cell.mode, extractor=cell.extractor, metrics=(self.metric,))
            result = scorer.score(0, sample, request, response)
            score = result.scores.get(self.metric.name)
            if score is not None and not self._is_full(score):
                target, read = sample.target[0] if sample.target else "", result.answer
                return f" (sample {sample.id}: {target[:60]!r} is read as {read and read[:60]!r})"
        return ""


def _prints(cell: PlannedCell) -> bool:
    """Whether the answer is what a program prints; a check runs none and takes a reply for its output."""
    return cell.variant.solver.get("name") == "pal"


def _as_printed(cell: PlannedCell) -> PlannedCell:
    """The cell; where a program would be asked for, a model that knows the target says it itself."""
    if not _prints(cell) or not isinstance(cell.bound, Worded):
        return cell
    return replace(cell, bound=cell.bound.word(lambda sample: sample.target[0] if sample.target else ""))
