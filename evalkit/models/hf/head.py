"""Models with a classification head: their labels are a task's labels or options, by name or by a mapping."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from evalkit.core.errors import CallError
from evalkit.core.records import Request, Response, Sample, TaskView, Usage, flatten
from evalkit.models.hf.encoding import render_prompt
from evalkit.models.hf.engine import ChoiceItem, Prompt, Scores
from evalkit.models.hf.labels import head_labels, label_key
from evalkit.models.hf.loading import Description
from evalkit.models.hf.model import HfModel
from evalkit.models.hf.options import HfOptions

__all__ = ["HfClassifier", "head_labels", "label_key"]


class HfClassifier(HfModel):
    """A model with a classification head, which chooses among the labels or options of a task."""

    def __init__(self, name: str, description: Description, options: HfOptions, seed: int = 0) -> None:
        super().__init__(name, description, options, seed)
        self._labels = head_labels(description.config, options, name)
        self._task: TaskView | None = None
        self._whole = self
        """The unbound model, whose thread computes for all that are bound."""

    def bind(self, task: TaskView) -> HfClassifier:
        """The model for a task whose labels, or options, the head has; else one that says why it cannot."""
        bound = copy.copy(self)
        bound._task = task
        bound.obstacle = self._obstacle(task)
        capability = "loglikelihood" if task.kind == "choice" else "generate"
        bound.capabilities = frozenset() if bound.obstacle else frozenset({capability})
        bound.identity = {**self.identity, "task_labels": list(task.labels)}
        return bound

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the unbound model has to say."""
        return HfModel.notes.fget(self._whole)  # type: ignore[attr-defined,no-any-return]

    def _obstacle(self, task: TaskView) -> str:
        """Why the head has nothing to choose from on this task; empty when it has."""
        if task.kind == "perplexity":
            return "a classification head gives no likelihood of a text"
        samples = task.samples.values()
        wanted = dict.fromkeys(task.labels)
        if task.kind == "choice":
            if len({frozenset(map(label_key, sample.choices)) for sample in samples}) > 1:
                return "a classification head has labels of its own, and the options differ between samples"
            wanted = dict.fromkeys(choice for sample in samples for choice in sample.choices)
        if not wanted:
            return "a classification head writes no text, and the task has no labels"
        missing = [label for label in wanted if label_key(label) not in self._labels]
        if missing:
            return (
                f"its head knows {_few(list(self._labels))}, not {_few(missing)}; map them in evalkit.yaml: "
                f"options: {{labels: {{{next(iter(self._labels))}: {missing[0]}}}}}"
            )
        for column in self._columns:
            lacking = next((sample for sample in samples if column not in sample.fields), None)
            if lacking is not None:
                return f"the task has no column {column!r}; it has {_few(list(lacking.fields))}"
        return ""

    @property
    def _columns(self) -> tuple[str, ...]:
        wanted = self.options.input
        return (wanted,) if isinstance(wanted, str) else wanted or ()

    async def generate(self, request: Request) -> Response:
        """The likeliest of the task's labels, as text. Raises CallError."""
        self._need("generate")
        labels = tuple(self._task.labels) if self._task is not None else ()
        found = await self._choose(request, labels)
        likelihoods = [item.logprob for item in found.loglikelihoods]
        return Response(
            text=labels[max(range(len(labels)), key=likelihoods.__getitem__)],
            finish_reason="stop",
            usage=Usage(input=found.n_input, output=0),
            notes=found.notes,
        )

    async def loglikelihood(self, request: Request) -> Response:
        """The log-probability that the head gives each option. Raises CallError."""
        self._need("loglikelihood")
        found = await self._choose(request, request.continuations)
        return Response(
            loglikelihoods=found.loglikelihoods, usage=Usage(input=found.n_input, output=0), notes=found.notes
        )

    async def _choose(self, request: Request, labels: Sequence[str]) -> Scores:
        item = ChoiceItem(self._prompt(request), tuple(labels))
        found: Scores = await self._worker.ask("loglikelihood", item)
        return found

    def _prompt(self, request: Request) -> Prompt:
        """What the head reads: the columns that the option `input` names, else the prompt."""
        if not self._columns:
            return render_prompt(None, self.description, request.messages)
        sample = self._sample(request)
        texts = [str(sample.fields[column]) for column in self._columns]
        shown = flatten(request.messages)
        if not all(text.strip() in shown for text in texts):  # equal prompts share one answer
            raise CallError(
                f"{self.name}: the prompt does not show {' and '.join(self._columns)}; choose one that does",
                kind="bad_request",
                action="fail_sample",
            )
        return Prompt(texts[0], pair=texts[1] if len(texts) == 2 else None)

    def _sample(self, request: Request) -> Sample:
        sample = self._task.samples.get(request.sample_id) if self._task is not None else None
        if sample is None or any(column not in sample.fields for column in self._columns):
            raise CallError(
                f"{self.name}: the sample has no column {' or '.join(self._columns)}",
                kind="bad_request",
                action="fail_sample",
            )
        return sample


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:6]))
    return shown if len(names) <= 6 else f"{shown}, ... ({len(names)})"
