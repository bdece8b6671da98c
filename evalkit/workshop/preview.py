"""What would be sent for one sample of a task: to which model, in which form, with which digests."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.core.errors import TaskError, did_you_mean
from evalkit.core.records import Message, Request, Sample, TextPart
from evalkit.models.mock import MockModel
from evalkit.models.protocol import CAPABILITIES, Model
from evalkit.models.resolution import BUILT_IN, Resolved
from evalkit.models.settings import ModelSettings
from evalkit.models.tokens import count_tokens, rough_count
from evalkit.running.planning import PlannedCell, PlanOptions, make_plan
from evalkit.tasks.prompts import Variant
from evalkit.tasks.task import Task

_CHARACTERS_PER_TOKEN = 3
ANY_MODEL = "mock/any"
"""Stands for a model that can do everything, where nobody names one."""


@dataclass(frozen=True)
class Preview:
    """One request, before it is sent."""

    cell: PlannedCell
    sample: Sample
    request: Request | None
    """None when this model cannot be asked."""

    @property
    def prompt_digest(self) -> str:
        """The SHA-256 of the variant's definition, as runs record it."""
        return self.cell.variant.digest()

    @property
    def n_characters(self) -> int:
        """Characters of the prompt, continuations left out."""
        if self.request is None:
            return 0
        return len(self.request.text) + sum(len(message.text) for message in self.request.messages)

    def tokens(self) -> tuple[int, str]:
        """The tokens of the prompt, and how they were counted."""
        resolved = self.cell.model
        if self.request is not None and resolved.provider not in BUILT_IN:
            counted = count_tokens(resolved.route, self.request.messages)
            if counted is not None:
                return counted, f"LiteLLM's token counter for {resolved.route}"
        third = -(-self.n_characters // _CHARACTERS_PER_TOKEN)
        texts = () if self.request is None else (each.text for each in self.request.messages)
        other = math.ceil(sum(map(rough_count, texts)))
        if other > third:  # Chinese, for one
            return other, "estimated: 3 / 4 of the characters that are not ASCII, 1 / 4 of the others"
        return third, "estimated: characters / 3"


def make_preview(
    task: Task,
    options: PlanOptions,
    model: tuple[Resolved, Model] | None = None,
    sample_id: str | None = None,
) -> Preview:
    """What the options' first prompt sends of a sample, the task's first by default. Raises TaskError."""
    if model is None:
        model = _any_model()
    plan = make_plan([model], [task], options)
    cell = plan.cells[0]
    sample = find_sample(task, sample_id)
    asked = (work.request for work in cell.work() if work.sample.id == sample.id)
    return Preview(cell, sample, next(asked, None))


def find_sample(task: Task, sample_id: str | None) -> Sample:
    """The sample of this id, or the first. Raises TaskError with near ids."""
    if sample_id is None:
        return next(iter(task.samples()))
    ids = []
    for sample in task.samples():
        if sample.id == sample_id:
            return sample
        ids.append(sample.id)
    raise TaskError(f"task {task.name!r} has no sample {sample_id!r}.{did_you_mean(sample_id, ids)}")


def _any_model() -> tuple[Resolved, Model]:
    capabilities = [name for name in CAPABILITIES if name not in ("top_logprobs", "tools")]
    model = MockModel(lambda request: "", ANY_MODEL, capabilities)
    settings = ModelSettings(model=ANY_MODEL)
    return Resolved(ANY_MODEL, ANY_MODEL, ANY_MODEL, settings, "given as an object"), model


def render_lines(messages: Sequence[Message]) -> list[str]:
    """The messages as lines: the role in brackets, then the text; an image as its address."""
    lines: list[str] = []
    for message in messages:
        lines.append(f"[{message.role}]")
        if isinstance(message.content, str):
            lines += message.content.split("\n")
            continue
        for part in message.content:
            if isinstance(part, TextPart):
                lines += part.text.split("\n")
            else:
                lines.append(f"[image {part.url[:80]}{'…' if len(part.url) > 80 else ''}]")
    return lines


def describe_variant(variant: Variant) -> list[str]:
    """Everything of a variant that its messages do not show, one setting a line."""
    settings = {
        "num_fewshot": variant.num_fewshot,
        "sampler": variant.sampler,
        "multiturn": variant.multiturn,
        "params": dict(variant.params),
        "extract": list(variant.extract),
        "scoring": variant.scoring,
        "votes": variant.votes,
    }
    return [f"{key}: {json.dumps(value, ensure_ascii=False, default=str)}" for key, value in settings.items()]


def diff_previews(one: Preview, other: Preview) -> list[str]:
    """The unified diff of what two variants send for one sample and of their settings; empty when equal."""

    def lines(preview: Preview) -> list[str]:
        request = preview.request
        shown = render_lines(request.messages) if request is not None else ["not asked"]
        return [*shown, "[settings]", *describe_variant(preview.cell.variant)]

    return list(
        difflib.unified_diff(
            lines(one), lines(other), one.cell.variant.name, other.cell.variant.name, n=3, lineterm=""
        )
    )
