"""The trivial baselines: models without weights, keys or downloads, that every leaderboard wants as rows.

    random    guesses                          lead    the first sentences (summarisation)
    majority  the train split's commonest      copy    the source as it is (translation)
    oracle    the target: the ceiling          ngram   counts characters (see `ngram.py`)

They learn the task when they are bound to it. What is random hangs on seed, sample and repeat, so that
neither order nor concurrency can change an answer. Bound to a task on which a baseline has nothing to
say (a copied source is no choice), it has no capabilities.
"""

from __future__ import annotations

import math
import random
import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from evalkit.core.errors import CallError, ModelError, did_you_mean
from evalkit.core.language import spaced_language, split_sentences, tokenize
from evalkit.core.records import Loglikelihood, Request, Response, Sample, TaskView
from evalkit.models.protocol import Model, ModelBase, unsupported

__all__ = [
    "BASELINES",
    "CopyModel",
    "LeadModel",
    "MajorityModel",
    "OracleModel",
    "RandomModel",
    "make_baseline",
    "make_builtin",
]

T = TypeVar("T")

BASELINES: Mapping[str, str] = MappingProxyType(
    {
        "baseline/random": "Guesses: a random label, choice or answer of the train split.",
        "baseline/majority": "Always gives the most frequent answer of the train split.",
        "baseline/lead": "The first sentences of the passage, up to 3 (summarisation).",
        "baseline/copy": "The source, unchanged (translation).",
        "baseline/ngram": "A small character n-gram model of the train split; gives loglikelihoods.",
        "baseline/oracle": "Answers with the target: the ceiling, and the check that a task can be solved.",
    }
)
"""The baselines: name -> one line, in the order in which they are shown."""

LEAD_FIELDS = ("passage", "text", "article", "document", "context", "source")
"""Where a sample's source text is looked for, in this order."""
COPY_FIELDS = ("source", *LEAD_FIELDS[:-1])
"""The same for copying: a column named `source` is what a translation task translates."""
LEAD_SENTENCES = 3
LEAD_WORDS = 60
LEAD_CHARACTERS = 80
"""The most units of a lead: words, or characters where a language writes no spaces."""
IMPOSSIBLE = -100.0
"""The loglikelihood, in nats, that a baseline gives to a choice that it does not take."""


class BoundBaseline(ModelBase):
    """A baseline: unbound it only knows its name; bound, it answers for one task."""

    suits: Mapping[str, frozenset[str]] = MappingProxyType({})
    """Kind of task -> capabilities there; a kind that is not listed has none."""

    def __init__(self, seed: int = 0, task: TaskView | None = None) -> None:
        self.seed = seed
        self.task = task
        self.identity = {"route": self.name, "seed": seed}
        if task is None:
            self.capabilities = frozenset().union(*self.suits.values())
        elif self.applies(task):
            self.capabilities = self.suits.get(task.kind, frozenset())

    def applies(self, task: TaskView) -> bool:
        """Whether the task has what the baseline works with; where it has not, a score would mean nothing."""
        return True

    def bind(self, task: TaskView) -> Model:
        """A baseline of the same seed that answers for this task."""
        return type(self)(self.seed, task)

    async def generate(self, request: Request) -> Response:
        """The baseline's answer to the sample that asks, with notes where it had to make do."""
        task = self._task_that_allows("generate")
        text, notes = self.answer(request, task)
        return Response(text=text, finish_reason="stop", notes=notes)

    async def loglikelihood(self, request: Request) -> Response:
        """Loglikelihoods that rank the baseline's choice first, or those of the text of a rolling request."""
        rolling = request.kind == "rolling"
        task = self._task_that_allows("rolling" if rolling else "loglikelihood")
        if rolling:
            return self.roll(request)
        positions, notes = self.choose(request, task, len(request.continuations))
        scores = tuple(
            Loglikelihood(0.0 if i in positions else IMPOSSIBLE) for i in range(len(request.continuations))
        )
        return Response(loglikelihoods=scores, notes=notes)

    def answer(self, request: Request, task: TaskView) -> tuple[str, tuple[str, ...]]:
        """The text with which it answers, and notes. Here: the letter of the choice that it takes."""
        sample = self.sample(request, task)
        positions, notes = self.choose(request, task, len(sample.choices))
        position = min(positions, default=0)
        if position < len(string.ascii_uppercase):
            return string.ascii_uppercase[position], notes
        return sample.choices[position], notes

    def choose(self, request: Request, task: TaskView, n: int) -> tuple[Sequence[int], tuple[str, ...]]:
        """The places, of `n` as they are listed, that it takes, and notes."""
        raise unsupported(self.name, "loglikelihood", f"task {task.name} asks for a choice")

    def roll(self, request: Request) -> Response:
        """The loglikelihood of a whole text."""
        raise unsupported(self.name, "rolling")

    def sample(self, request: Request, task: TaskView) -> Sample:
        """The sample that asks. Raises CallError when the task does not have it."""
        sample = task.samples.get(request.sample_id)
        if sample is None:
            raise CallError(
                f"{self.name}: task {task.name} has no sample {request.sample_id!r}",
                kind="bad_request",
                action="fail_sample",
            )
        return sample

    def rng(self, request: Request) -> random.Random:
        """A generator of its own for each seed, sample, repeat and order of the options."""
        order = f":{request.order}" if request.order else ""
        return random.Random(f"{self.seed}:{request.sample_id}:{request.repeat}{order}")

    def _task_that_allows(self, capability: str) -> TaskView:
        if self.task is None:
            raise unsupported(self.name, capability, "it is not bound to a task; call bind(task) first")
        if capability not in self.capabilities:
            raise unsupported(self.name, capability, f"not for tasks of kind {self.task.kind}")
        return self.task


_ANSWERS = frozenset({"generate", "chat"})
_CHOOSES = frozenset({"generate", "chat", "loglikelihood"})


class RandomModel(BoundBaseline):
    """Guesses uniformly: a label, a choice, an answer of the train split, or a piece of the prompt."""

    name = "baseline/random"
    suits = MappingProxyType(
        {"generate": _ANSWERS, "choice": _CHOOSES, "perplexity": frozenset({"rolling"})},
    )

    def answer(self, request: Request, task: TaskView) -> tuple[str, tuple[str, ...]]:
        """A random label, or letter of a choice, or target of the train split, or piece of the prompt."""
        if task.kind == "choice":
            return super().answer(request, task)
        rng = self.rng(request)
        if task.labels:
            return rng.choice(task.labels), ()
        targets = [sample.target[0] for sample in task.train if sample.target]
        if targets:
            return rng.choice(targets), ()
        sample = task.samples.get(request.sample_id)
        sentences = split_sentences(source_text(sample, LEAD_FIELDS), task.language)
        if sentences:
            return rng.choice(sentences), ("no train split: a random sentence of the source",)
        words = tokenize(last_user_text(request), task.language)
        return (rng.choice(words) if words else ""), ("no train split: a random word of the prompt",)

    def choose(self, request: Request, task: TaskView, n: int) -> tuple[Sequence[int], tuple[str, ...]]:
        """One position, each with the same chance, however the loglikelihoods are normalised by length."""
        return (self.rng(request).randrange(n),) if n else (), ()

    def roll(self, request: Request) -> Response:
        """The loglikelihood when each of 256 bytes has the same chance: 8 bits per byte."""
        n = len(request.text.encode("utf-8", "surrogatepass"))
        return Response(loglikelihoods=(Loglikelihood(-n * math.log(256), n, is_greedy=False),))


class MajorityModel(BoundBaseline):
    """Gives the most frequent answer of the train split. The samples that are asked are never counted."""

    name = "baseline/majority"
    suits = MappingProxyType({"generate": _ANSWERS, "choice": _CHOOSES})

    def applies(self, task: TaskView) -> bool:
        """A choice has positions; any other task needs a train split or labels."""
        return task.kind == "choice" or bool(task.labels) or any(sample.target for sample in task.train)

    def __init__(self, seed: int = 0, task: TaskView | None = None) -> None:
        super().__init__(seed, task)
        train = task.train if task else ()
        self._targets = _by_frequency(sample.target[0] for sample in train if sample.target)
        self._positions = _by_frequency(sample.gold[0] for sample in train if sample.gold)

    def answer(self, request: Request, task: TaskView) -> tuple[str, tuple[str, ...]]:
        """The most frequent target; without a train split, the first label and a note."""
        if task.kind == "choice":
            return super().answer(request, task)
        if self._targets:
            return self._targets[0], ()
        if task.labels:
            return task.labels[0], ("no train split: the first label",)
        return "", ("no train split and no labels: nothing to answer with",)

    def choose(self, request: Request, task: TaskView, n: int) -> tuple[Sequence[int], tuple[str, ...]]:
        """The most frequent position of the right choice; without a train split, the first and a note."""
        for position in self._positions:
            if position < n:
                return (position,), ()
        return (0,), ("no train split: the first choice",)


class OracleModel(BoundBaseline):
    """Answers with the target: the ceiling. There is none for perplexity."""

    name = "baseline/oracle"
    suits = MappingProxyType({"generate": _ANSWERS, "choice": _CHOOSES})
    _answer: Callable[[Sample], str] | None = None

    def word(self, answer: Callable[[Sample], str]) -> Model:
        """The oracle of one prompt, which answers in the prompt's form."""
        worded = type(self)(self.seed, self.task)
        worded._answer = answer
        return worded

    def answer(self, request: Request, task: TaskView) -> tuple[str, tuple[str, ...]]:
        """The first target of the sample, in the prompt's form; or the letter of its right choice."""
        if task.kind == "choice":
            return super().answer(request, task)
        sample = self.sample(request, task)
        if not sample.target:
            raise self._no_target(sample)
        return (sample.target[0] if self._answer is None else self._answer(sample)), ()

    def choose(self, request: Request, task: TaskView, n: int) -> tuple[Sequence[int], tuple[str, ...]]:
        """The places of all right choices."""
        sample = self.sample(request, task)
        if not sample.gold:
            raise self._no_target(sample)
        if request.order:
            return tuple(request.order.index(position) for position in sample.gold), ()
        return sample.gold, ()

    def _no_target(self, sample: Sample) -> CallError:
        return CallError(
            f"{self.name}: sample {sample.id!r} has no target to answer with",
            kind="bad_request",
            action="fail_sample",
        )


class LeadModel(BoundBaseline):
    """The first sentences of the source: at most 3, and about 60 words (80 characters without spaces)."""

    name = "baseline/lead"
    suits = MappingProxyType({"generate": _ANSWERS})

    def applies(self, task: TaskView) -> bool:
        """The task asks for text, not for a label, and its samples have a source."""
        return not task.labels and _has_source(task, LEAD_FIELDS)

    def answer(self, request: Request, task: TaskView) -> tuple[str, tuple[str, ...]]:
        """The lead of the sample's source text, or of the last user message."""
        text = source_text(task.samples.get(request.sample_id), LEAD_FIELDS)
        return lead(text or last_user_text(request), task.language), ()


class CopyModel(BoundBaseline):
    """The source as it is."""

    name = "baseline/copy"
    suits = MappingProxyType({"generate": _ANSWERS})

    def applies(self, task: TaskView) -> bool:
        """The task asks for text, not for a label, and its samples have a source."""
        return not task.labels and _has_source(task, COPY_FIELDS)

    def answer(self, request: Request, task: TaskView) -> tuple[str, tuple[str, ...]]:
        """The sample's source text, or the last user message."""
        text = source_text(task.samples.get(request.sample_id), COPY_FIELDS)
        return text or last_user_text(request), ()


def make_baseline(name: str, seed: int = 0) -> Model:
    """The baseline of this name, not yet bound to a task. Raises ModelError for an unknown one."""
    makers: dict[str, Callable[[int], Model]] = {
        model.name: model for model in (RandomModel, MajorityModel, LeadModel, CopyModel, OracleModel)
    }
    if name == "baseline/ngram":
        from evalkit.models.ngram import NgramModel

        return NgramModel(seed)
    if name not in makers:
        hint = did_you_mean(name, BASELINES)
        raise ModelError(f"no model {name!r}; the baselines are {', '.join(BASELINES)}.{hint}")
    return makers[name](seed)


def make_builtin(name: str, seed: int = 0) -> Model:
    """The model of a `baseline/`, `mock/` or `replay/` name. Raises ModelError for any other."""
    provider = name.partition("/")[0]
    if provider == "mock":
        from evalkit.models.mock import make_mock

        return make_mock(name, seed)
    if provider == "replay":
        from evalkit.models.replay import ReplayModel

        return ReplayModel.from_settings(name, name, {})
    return make_baseline(name, seed)


def source_text(sample: Sample | None, names: Sequence[str]) -> str:
    """The first of these fields that holds text; empty when none does."""
    for name in names:
        value = sample.fields.get(name) if sample else None
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _has_source(task: TaskView, names: Sequence[str]) -> bool:
    first = next(iter(task.samples.values()), None)
    return bool(source_text(first, names))


def last_user_text(request: Request) -> str:
    """The text of the last user message; empty when there is none."""
    return next((m.text for m in reversed(request.messages) if m.role == "user"), "")


def lead(text: str, language: str) -> str:
    """The first sentences of the text: at most `LEAD_SENTENCES`, as long as they stay within the limit of
    words or characters; the first one always, however long."""
    spaced = spaced_language(language)
    room = LEAD_WORDS if spaced else LEAD_CHARACTERS
    taken: list[str] = []
    for sentence in split_sentences(text, language)[:LEAD_SENTENCES]:
        room -= len(sentence.split()) if spaced else len(sentence)
        if taken and room < 0:
            break
        taken.append(sentence)
    return (" " if spaced else "").join(taken)


def _by_frequency(values: Iterable[T]) -> list[T]:
    return [value for value, _ in Counter(values).most_common()]
