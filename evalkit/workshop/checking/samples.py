"""The samples of a task: unique, renderable, not among their own worked examples, short enough."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from evalkit.core.errors import EvalkitError
from evalkit.core.records import Sample, flatten
from evalkit.models.tokens import rough_count
from evalkit.tasks.prompts import Variant
from evalkit.tasks.task import Task
from evalkit.workshop.checking.findings import Finding, error, ok, some, warning

_CHARACTERS_PER_TOKEN = 3
"""A cautious estimate for texts of ASCII: prompts are seldom longer in tokens."""
_REPLY_TOKENS = 256
"""Tokens of a reply where the prompt does not limit it."""


def check_samples(
    task: Task, samples: Sequence[Sample], pool: Sequence[Sample], max_tokens: int
) -> Iterator[Finding]:
    """The findings on samples, worked examples and prompts; an error on `prompts` ends the checks."""
    yield ok("ids", f"{len(samples):,} different ids")  # reading the samples raises on a double
    if task.spec.kind == "perplexity":
        texts = [sample.text or "" for sample in samples]
        yield _check_doubles(texts, [sample.id for sample in samples])
        shared = {sample.text for sample in pool} & set(texts)
        yield _overlap(task, [sample.id for sample in samples if sample.text in shared])
        return
    if not usable_prompts(task, pool):
        yield error("prompts", "every prompt asks for worked examples, and there are no few-shot data")
        return
    rendered = _Rendered(task, samples, pool)
    try:
        rendered.read()
    except EvalkitError as problem:
        yield error("prompts", f"{rendered.place}: {problem}")
        return
    if rendered.empty:
        yield error("prompts", f"nothing is asked in {some(rendered.empty)}")
        return
    text = f"{len(rendered.variants)} prompts render for each of {len(samples):,} samples"
    left_out = [name for name in task.variant_names() if name not in usable_prompts(task, pool)]
    if left_out:
        yield warning("prompts", f"{text}; {some(left_out)} not checked: no few-shot data at hand")
    else:
        yield ok("prompts", text)
    yield _check_doubles(rendered.questions, [sample.id for sample in samples])
    yield _overlap(task, rendered.shared)
    if rendered.leaks:
        yield error(
            "leaks",
            f"{len(rendered.leaks):,} samples are among their own worked examples under another id: "
            f"{some(rendered.leaks)}; take them out of the few-shot data",
        )
    else:
        yield ok("leaks", "no sample is its own worked example")
    yield rendered.check_length(max_tokens)


def usable_prompts(task: Task, pool: Sequence[Sample]) -> list[str]:
    """The prompts that can be made: not those whose worked examples are in a split that is not here."""
    split = task.spec.few_shot.split or task.spec.data.few_shot_split
    if pool or split is None:
        return list(task.variant_names())
    return [name for name in task.variant_names() if not task.variant(name).num_fewshot]


def _check_doubles(questions: Sequence[str], ids: Sequence[str]) -> Finding:
    counts = Counter(questions)
    seen: set[str] = set()
    doubles = []
    for question, identity in zip(questions, ids, strict=True):
        if counts[question] > 1 and question in seen:
            doubles.append(identity)
        seen.add(question)
    if doubles:
        return warning(
            "duplicates", f"{len(doubles):,} samples ask what an earlier one asks: {some(doubles)}"
        )
    return ok("duplicates", "no two samples ask the same")


def _overlap(task: Task, shared: list[str]) -> Finding:
    if not shared:
        return ok("overlap", "no sample is in the few-shot data")
    text = f"{len(shared):,} samples are in the few-shot data too: {some(shared)}"
    own = task.spec.data.hub is None and not task.spec.data.remote
    return error("overlap", f"{text}; take them out of one") if own else warning("overlap", text)


class _Rendered:
    """All prompts of a task, rendered once, and what they tell; the prompts themselves are not kept."""

    def __init__(self, task: Task, samples: Sequence[Sample], pool: Sequence[Sample]) -> None:
        self.task = task
        self.samples = samples
        self.pool = pool
        self.place = ""
        self.variants: list[Variant] = []
        self.questions: list[str] = []
        """What the first prompt asks of each sample."""
        self.shared: list[str] = []
        self.leaks: list[str] = []
        self.empty: list[str] = []
        self.longest = (0, "", "")
        """Estimated tokens of the longest prompt with its reply, its variant and sample."""

    def read(self) -> None:
        """Render everything. Raises PromptError; `place` then says where."""
        task, pool = self.task, self.pool
        self.variants = [task.variant(name) for name in usable_prompts(task, pool)]
        first = self.variants[0]
        self.place = f"prompt {first.name}, few-shot data"
        options = {shot.id: (first.question(shot), shot.choices) for shot in pool}
        known = set(options.values())
        for variant in self.variants:
            shots_by_id = {shot.id: shot for shot in pool} if variant.num_fewshot else {}
            for shot in shots_by_id.values():
                self.place = f"prompt {variant.name}, worked example {shot.id}"
                variant.question(shot)
                variant.shot_answer(shot)
            for sample in self.samples:
                self.place = f"prompt {variant.name}, sample {sample.id}"
                question = (first.question(sample), sample.choices)
                if variant is first:
                    self.questions.append("\n".join((question[0], *question[1])))
                    if question in known:
                        self.shared.append(sample.id)
                shots = variant.choose_shots(pool, sample, 0)
                if question in known and any(options[shot.id] == question for shot in shots):
                    self.leaks.append(sample.id)
                self._measure(variant, sample, shots)

    def _measure(self, variant: Variant, sample: Sample, shots: Sequence[Sample]) -> None:
        text = flatten(variant.render(sample, shots))
        if sample.choices and variant.assistant is None:
            variant.render(sample, shots, letters=True)
        if not text.strip():
            self.empty.append(f"{variant.name}, sample {sample.id}")
        reply = variant.params.get("max_tokens", _REPLY_TOKENS) if self.task.spec.kind == "generate" else 0
        tokens = estimate_tokens(text) + int(reply)
        if tokens > self.longest[0]:
            self.longest = (tokens, variant.name, sample.id)

    def check_length(self, max_tokens: int) -> Finding:
        """Whether the longest prompt and its reply fit."""
        tokens, variant, identity = self.longest
        text = f"about {tokens:,} tokens with the reply, in prompt {variant}, sample {identity}"
        if tokens > max_tokens:
            return warning("length", f"the longest prompt takes {text}; the limit is {max_tokens:,}")
        return ok("length", f"at most {text}")


def estimate_tokens(text: str) -> int:
    """A cautious estimate of a text's tokens: a third of its characters, more where they are not ASCII."""
    return max(-(-len(text) // _CHARACTERS_PER_TOKEN), math.ceil(rough_count(text)))


__all__ = ["check_samples", "estimate_tokens", "usable_prompts"]
