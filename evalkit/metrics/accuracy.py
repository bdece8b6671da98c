"""Accuracy: the share of samples whose answer is right.

In `choice` tasks the chosen option is right when it is among the gold ones. accuracy_norm and accuracy_bytes
choose the option of the largest loglikelihood per character and per UTF-8 byte; the first is acc_norm of
lm-evaluation-harness (lm_eval/api/task.py, process_results: `completion_len = len(choice)`), the second its
acc_bytes. Where likelihoods are equal the first option wins, as numpy's argmax has it.
In `generate` tasks an answer is right when it equals a target in normal form.
"""

from __future__ import annotations

from typing import ClassVar

from evalkit.core.errors import MetricError
from evalkit.core.language import base_language
from evalkit.metrics.answers import normal_form, same_answer
from evalkit.metrics.base import Case, Context, Metric, check_target, sign


class Accuracy(Metric):
    """1 when the answer is right, else 0."""

    def __init__(self, context: Context, *, name: str = "accuracy") -> None:
        self.name = name
        self.lang = base_language(context.language)
        self.choice = context.kind == "choice"
        norm = "choice" if self.choice else f"{normal_form(self.lang)}+marks"
        self.signature = sign("accuracy", norm=norm, v=1 if self.choice else 2)

    def score(self, case: Case) -> float:
        """1.0 or 0.0."""
        if self.choice:
            if not case.gold:
                raise MetricError(
                    f"metric {self.name!r}: a choice sample says which options are right in `gold`"
                )
            return float(case.chosen is not None and case.chosen in case.gold)
        targets = check_target(self.name, case)
        if case.answer is None:
            return 0.0
        return float(any(same_answer(case.answer, t, self.lang) for t in targets))


class NormalizedAccuracy(Metric):
    """1 when the option of the largest loglikelihood per unit of length is right, else 0."""

    kinds: ClassVar[frozenset[str]] = frozenset({"choice"})

    def __init__(self, context: Context, *, name: str = "accuracy_norm", by: str = "characters") -> None:
        self.name = name
        self.bytes = by == "bytes"
        self.signature = sign("accuracy", norm=by, v=1)

    def score(self, case: Case) -> float | None:
        """1.0 or 0.0; None where the model was not asked for the loglikelihoods of the options."""
        if not case.gold:
            raise MetricError(f"metric {self.name!r}: a choice sample says which options are right in `gold`")
        if not case.choices or len(case.response.loglikelihoods) != len(case.choices):
            return None
        lengths = [len(c.encode()) if self.bytes else len(c) for c in case.choices]
        if 0 in lengths:
            raise MetricError(f"metric {self.name!r} divides by the length of each option, and one is empty")
        values = [ll.logprob / n for ll, n in zip(case.response.loglikelihoods, lengths, strict=True)]
        return float(values.index(max(values)) in case.gold)


class ByteAccuracy(NormalizedAccuracy):
    """The same per UTF-8 byte."""

    def __init__(self, context: Context, *, name: str = "accuracy_bytes") -> None:
        super().__init__(context, name=name, by="bytes")
