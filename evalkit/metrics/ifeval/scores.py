"""IFEval's four metrics: accuracy per prompt and per instruction, strict and loose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import orjson

from evalkit.core.errors import MetricError
from evalkit.metrics.base import Aggregation, Array, Case, Context, Metric, check_choice, sign
from evalkit.metrics.ifeval.arguments import READINGS, Rules
from evalkit.metrics.ifeval.checks import check
from evalkit.metrics.ifeval.punkt import read_knowledge


@lru_cache(maxsize=4)
def _rules(reading: str, punkt: Path | None) -> Rules:
    rules = READINGS[reading]
    return rules if punkt is None else replace(rules, knowledge=read_knowledge(punkt))


# The metrics of a task ask one after another about the same answer.
@lru_cache(maxsize=16)
def _check(
    ids: tuple[str, ...], kwargs: bytes, prompt: str, response: str, loose: bool, by: tuple[str, Path | None]
) -> tuple[bool, ...]:
    return tuple(check(ids, orjson.loads(kwargs), prompt, response, loose, _rules(*by)))


class _IfEval(Metric):
    """What the four have in common: which instructions of a case its answer follows.

    `reading` is `official`, as the authors' checker judges, or `plain`, which asks "in English, all capitals"
    for the case alone and lets "e.g." end no sentence. `punkt` is a folder with NLTK's English sentence model
    (`punkt_tab/english`), absolute or beside the task file: sentences are then counted exactly as NLTK does.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"generate"})
    reads_target = False
    level: ClassVar[str]
    loose = False

    def __init__(
        self, context: Context, *, name: str = "", reading: str = "official", punkt: str | None = None
    ) -> None:
        self.name = name or f"{self.level}_level_{'loose' if self.loose else 'strict'}"
        self.reading = check_choice(self.name, "reading", reading, tuple(READINGS))
        if punkt is not None and reading != "official":
            raise MetricError(
                f"metric {self.name!r}: `punkt` goes with `reading: official`, not with {reading!r}"
            )
        self.punkt = None if punkt is None else (context.folder or Path()) / Path(punkt).expanduser()
        self.signature = sign(
            "ifeval",
            level=self.level,
            loose=self.loose,
            lang=f"langdetect-{version('langdetect')}",
            sentences=_rules(self.reading, self.punkt).knowledge.name,
            reading=self.reading,
            v=2,
        )

    def followed(self, case: Case) -> list[bool]:
        """Whether the answer follows each instruction; no answer follows none.

        Raises MetricError when a column is missing or malformed.
        """
        ids, kwargs = self._column(case, "instruction_id_list"), self._column(case, "kwargs")
        if not ids or not all(isinstance(item, str) for item in ids):
            raise MetricError(f"metric {self.name!r}: `instruction_id_list` must be a list of names")
        if not all(item is None or isinstance(item, Mapping) for item in kwargs):
            raise MetricError(f"metric {self.name!r}: `kwargs` must be a list of mappings")
        prompt = case.fields.get("prompt", "")
        if not isinstance(prompt, str):
            raise MetricError(f"metric {self.name!r}: `prompt` must be a text, not {type(prompt).__name__}")
        return list(
            _check(
                tuple(ids),
                orjson.dumps([item and dict(item) for item in kwargs], default=list),
                prompt,
                case.answer or "",
                self.loose,
                (self.reading, self.punkt),
            )
        )

    def _column(self, case: Case, column: str) -> list[Any]:
        value = case.fields.get(column)
        if value is None or isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
            raise MetricError(
                f"metric {self.name!r} needs the column {column!r}, a list; "
                f"the sample has {', '.join(sorted(case.fields)) or 'no columns'}"
            )
        return list(value)


class PromptLevelStrict(_IfEval):
    """1 when the answer follows all instructions of its prompt, else 0."""

    level = "prompt"

    def score(self, case: Case) -> float:
        """1.0 or 0.0."""
        return float(all(self.followed(case)))


class PromptLevelLoose(PromptLevelStrict):
    """1 when for each instruction the answer, or one of its relaxations, follows it, else 0."""

    loose = True


class InstructionLevelStrict(_IfEval):
    """The share of all instructions that are followed.

    A prompt with three instructions weighs three times as much as one with a single instruction, and its
    instructions are judged on the same answer: the interval takes prompts as units.
    """

    level = "instruction"
    aggregation: Aggregation = "corpus"

    def score(self, case: Case) -> float:
        """The share of the sample's own instructions that are followed."""
        followed = self.followed(case)
        return sum(followed) / len(followed)

    def stats(self, case: Case) -> tuple[float, ...]:
        """(instructions followed, instructions)."""
        followed = self.followed(case)
        return float(sum(followed)), float(len(followed))

    def aggregate(self, sums: Array) -> Array:
        """Followed / all."""
        followed: Array = sums[..., 0] / sums[..., 1]
        return followed


class InstructionLevelLoose(InstructionLevelStrict):
    """The share of all instructions that the answer, or one of its relaxations, follows."""

    loose = True
