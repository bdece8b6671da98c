"""The cells of a plan: what each asks of its model, sample by sample."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.core.errors import PromptError
from evalkit.core.records import Message, Request, Response, Sample
from evalkit.core.watchdog import doing
from evalkit.metrics import Metric
from evalkit.metrics.extractors import Extractor, build_extractor
from evalkit.models.protocol import Model
from evalkit.models.resolution import BUILT_IN, Resolved
from evalkit.running.executors.work import Asker, Complete, Solve, Work
from evalkit.tasks.choices import base_mode, is_circular, rotation, seeded_order
from evalkit.tasks.prompts import Variant, letter
from evalkit.tasks.solvers.best_of_n import pick_by_judge, pick_by_metric
from evalkit.tasks.solvers.circular import rotate
from evalkit.tasks.solvers.judge import Judge, assess
from evalkit.tasks.solvers.pal import compute
from evalkit.tasks.solvers.prompting import PassageAid, ToolAid
from evalkit.tasks.solvers.rag import Finder, add_costs, ask_with_passages, find_by_embeddings
from evalkit.tasks.solvers.react import reason_and_act
from evalkit.tasks.solvers.self_consistency import vote
from evalkit.tasks.task import Task


@dataclass(frozen=True)
class TaskPlan:
    """A task with what was counted of it."""

    task: Task
    n_samples: int
    data_digest: str
    variants: tuple[Variant, ...]
    most_choices: int = 0
    """Options of the sample that has most; 0 for other kinds than choice."""
    n_choices: int = 0
    """Options of all samples together; 0 for other kinds than choice."""


@dataclass(frozen=True)
class PlannedCell:
    """One cell: what to ask of which model."""

    index: int
    model: Resolved
    bound: Model
    task: TaskPlan
    variant: Variant
    mode: str
    """generate, loglikelihood, letter_logprobs, letter_generate or rolling; see `CellResult.mode`."""
    supported: bool
    """Whether the model can be asked in this mode; if not, no call is made and the samples are unscored."""
    params: Mapping[str, Any]
    asked_params: Mapping[str, Any]
    """The parameters that the user or the model's settings ask for, whatever the task says."""
    repeats: int
    slug: str
    seed: int
    limit: int | None
    judges: tuple[Judge, ...] = ()
    """The models that judge the answers; empty where none does."""
    picker: Judge | Metric | None = None
    """What picks one of several answers, for a prompt that says best of n; None for the others."""
    finder: Finder | None = None
    """The model whose embeddings find the passages of the prompt; None where none does, and in a preview."""
    trust: bool = False
    """Whether the user allows that programs which a model wrote run (in the sandbox)."""

    @property
    def n_requests(self) -> int:
        """Requests of the cell: samples times repeats; 0 when it is not supported."""
        return self.task.n_samples * self.repeats if self.supported else 0

    @property
    def n_calls(self) -> int:
        """Calls of the cell, where its samples take several: votes, or rotations of their options."""
        if self.supported and is_circular(self.mode):
            return self.task.n_choices * self.repeats
        return self.n_requests * (self.variant.votes if self.mode.endswith("generate") else 1)

    def work(self, every: int = 1) -> Iterator[Work]:
        """The requests of the cell in the order of the data, made one at a time; `every` so many samples."""
        if not self.supported:
            return
        task = self.task.task
        if task.own_rules:
            yield from task.work(self)
            return
        aid = self.variant.aid
        pool = self.task.task.few_shot_pool() if self.variant.num_fewshot else ()
        for number, sample in enumerate(self.task.task.samples(self.limit)):
            if number % every:
                continue
            shots = self.variant.choose_shots(pool, sample, self.seed)
            for repeat in range(self.repeats):
                request = self.request(sample, shots, repeat)
                position = number * self.repeats + repeat
                if self.finder is not None and isinstance(aid, PassageAid):
                    complete = self._complete(self.finder, aid, sample, shots, repeat, position)
                    yield Work(self.index, position, sample, request, self.bound, complete=complete)
                else:
                    yield self._work(sample, shots, request, position)

    def _work(self, sample: Sample, shots: Sequence[Sample], request: Request, position: int) -> Work:
        judged = assess(self.judges, sample, self.variant, self.extractor) if self.judges else None
        return Work(
            self.index, position, sample, request, self.bound, self.solver(sample, shots, request), judged
        )

    def _complete(
        self,
        finder: Finder,
        aid: PassageAid,
        sample: Sample,
        shots: Sequence[Sample],
        repeat: int,
        position: int,
    ) -> Complete:
        """How a sample's work is made whole: its passages found by embeddings, its prompt made with them."""

        async def complete(ask: Asker) -> Work | Response:
            fields = [each.fields for each in (sample, *shots)]
            told, calls, failed = await find_by_embeddings(ask.consult, finder, aid, fields)
            if failed is not None:
                return add_costs(failed, calls, finder)
            cell = replace(self, variant=replace(self.variant, aid=told))
            work = cell._work(sample, shots, cell.request(sample, shots, repeat), position)
            solve = work.solve

            async def charged(ask: Asker) -> Response:
                response = await (ask(work.request) if solve is None else solve(ask))
                return add_costs(response, calls, finder, free=self.model.provider in BUILT_IN)

            return replace(work, solve=charged)

        return complete

    def solver(self, sample: Sample, shots: Sequence[Sample], request: Request) -> Solve | None:
        """How the sample is worked where one call is not enough; None where it is."""
        if isinstance(self.variant.aid, PassageAid) and not self.variant.aid.ready:
            return None  # a plan that asks nothing, such as a preview
        if is_circular(self.mode):
            rotations = [
                self.request(sample, shots, request.repeat, number) for number in range(len(sample.choices))
            ]
            return lambda ask: rotate(ask, rotations)
        if self.variant.aid is not None or self.variant.solver:
            return self._solve(sample, request)
        if self.variant.votes == 1 or request.kind != "generate":
            return None
        if self.variant.picks:
            return self._pick(sample, request)
        return lambda ask: vote(ask, request, self.extractor, self.variant.votes)

    def _solve(self, sample: Sample, request: Request) -> Solve | None:
        """How the prompt's own solver works the sample."""
        variant, aid = self.variant, self.variant.aid
        if isinstance(aid, PassageAid):
            step = aid.step(sample.fields)
            return lambda ask: ask_with_passages(ask, request, step)
        if request.kind != "generate":
            return None
        if isinstance(aid, ToolAid):
            return lambda ask: reason_and_act(ask, request, aid.toolbox, variant.solver, self.trust)
        return lambda ask: compute(ask, request, variant.solver, self.trust)

    def _pick(self, sample: Sample, request: Request) -> Solve | None:
        """Best of n; None in a plan that has nothing to pick with, such as a preview."""
        picker, n = self.picker, self.variant.votes
        if isinstance(picker, Judge):
            question = self.variant.question(sample)
            return lambda ask: pick_by_judge(
                ask, ask.consult, request, n, picker, sample, question, self.extractor
            )
        if picker is None:
            return None
        return lambda ask: pick_by_metric(ask, request, n, picker, sample, self.extractor)

    @functools.cached_property
    def extractor(self) -> Extractor:
        """How an answer is found in a reply of this cell."""
        spec = self.task.task.spec
        steps: Sequence[Any] = self.variant.extract
        if base_mode(self.mode) == "letter_generate":
            letters = "".join(letter(position) for position in range(self.task.most_choices))
            steps = ["strip_reasoning", {"letter": {"letters": letters}}]
        return build_extractor(
            steps,
            language=spec.language,
            labels=tuple(spec.labels),
            hooks=self.task.task.hooks.extractors,
        )

    def request(
        self, sample: Sample, shots: Sequence[Sample] = (), repeat: int = 0, number: int = 0
    ) -> Request:
        """What the model is asked for one sample; `number` is that of a rotation of its options."""
        if self.mode == "rolling":
            return Request(
                "rolling", self.model.route, text=sample.text or "", repeat=repeat, sample_id=sample.id
            )
        mode = base_mode(self.mode)
        order: tuple[int, ...] = ()
        if mode != self.mode:
            n = len(sample.choices)
            order = rotation(n, number) if is_circular(self.mode) else seeded_order(n, self.seed, sample.id)
            sample = self.task.task.reordered(sample, order, shown=self.variant.scoring == "letter")
        try:
            with doing(self.task.task.file, "prompt", self.variant.name, "sample", sample.id):
                messages = self.variant.render(sample, shots, letters=mode == "letter_generate")
        except PromptError as error:
            raise PromptError(f"{error} (sample {sample.id})") from error
        continuations: tuple[str, ...] = ()
        if mode in ("loglikelihood", "letter_logprobs"):
            continuations = self._continuations(messages, sample)
        return Request(
            "loglikelihood" if continuations else "generate",
            self.model.route,
            messages=messages,
            continuations=continuations,
            params={} if continuations else self.params,
            repeat=repeat,
            sample_id=sample.id,
            order=order,
        )

    def _continuations(self, messages: tuple[Message, ...], sample: Sample) -> tuple[str, ...]:
        texts = sample.choices
        if base_mode(self.mode) == "letter_logprobs":
            texts = tuple(letter(position) for position in range(len(sample.choices)))
        before = messages[-1].text
        return tuple(self.variant.gap(before, text) + text for text in texts)
