"""What a model is asked: samples, what a model may know of a task, and requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import orjson

from evalkit.core.records.messages import Message, encode_message

RequestKind = Literal["generate", "loglikelihood", "rolling"]


def digest(content: Any) -> str:
    """The SHA-256 of `content` as canonical JSON (sorted keys, no spaces, UTF-8), in hexadecimal; values that
    JSON has no form for (a date, a decimal) count as their text."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        text = orjson.dumps(content, default=str, option=options)
    except TypeError:  # integers beyond 64 bits and lone surrogates, which orjson refuses
        text = json.dumps(content, default=str, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(text).hexdigest()


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a task."""

    id: str
    """Stable under reordering: the data's own id, else a digest of the content."""
    fields: Mapping[str, Any]
    """The columns of the data, as prompts see them."""
    target: tuple[str, ...] = ()
    """The right answers or reference texts, best first; empty for `perplexity` tasks."""
    choices: tuple[str, ...] = ()
    """The options of a `choice` sample, in the data's order; empty for other kinds."""
    gold: tuple[int, ...] = ()
    """Positions of the right options in `choices`; empty for other kinds."""
    text: str | None = None
    """The text whose likelihood is asked in a `perplexity` task; None for other kinds."""
    cluster: str | None = None
    """Names the group of dependent samples (same passage, same conversation); None when independent."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the data says of the sample; shown, and used for slices, never prompted."""


@dataclass(frozen=True, slots=True)
class TaskView:
    """What a built-in model may know of a task when it is bound to it."""

    name: str
    language: str
    kind: str
    """generate, choice or perplexity."""
    labels: tuple[str, ...]
    """The class names of a classification task, in order; empty for others."""
    samples: Mapping[str, Sample]
    """The samples that will be asked, by id."""
    train: tuple[Sample, ...]
    """The few-shot or train split; empty when the task has none."""
    train_texts: tuple[str, ...]
    """The same as whole texts: a rendered prompt with its right answer, or the text of a perplexity task."""
    limited: bool = False
    """Whether the data hold more samples than are asked."""


@dataclass(frozen=True)
class Request:
    """One call to a model, fully specified. Equal content has an equal digest, wherever it stands."""

    kind: RequestKind
    """generate: continue the messages; loglikelihood: score continuations of them; rolling: score `text`."""
    model: str
    """The model's full name, `provider/name`."""
    messages: tuple[Message, ...] = ()
    """The prompt; empty for rolling requests."""
    continuations: tuple[str, ...] = ()
    """The texts whose loglikelihood after the messages is asked; empty for other kinds."""
    text: str = ""
    """The text whose rolling loglikelihood is asked; empty for other kinds."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Generation parameters under LiteLLM's names (temperature, max_tokens, stop, seed, top_p, ...)."""
    repeat: int = 0
    """Which of the repeats this is, from 0."""
    sample_id: str = ""
    """The sample that asks; a label for built-in models and messages, not part of the content."""
    order: tuple[int, ...] = ()
    """For each option as listed its place in `Sample.choices`; empty in the data's order. A label as well."""

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that can change the answer."""
        return digest(
            {
                "kind": self.kind,
                "model": self.model,
                "messages": [encode_message(m) for m in self.messages],
                "continuations": list(self.continuations),
                "text": self.text,
                "params": dict(self.params),
                "repeat": self.repeat,
            }
        )
