"""How near an answer comes to the right references and how far it stays from wrong ones, by any other metric.

`of` judges the answer against one reference at a time; the nearest reference counts. best: the score against
the nearest right reference; wins: 1 where that is above the score against the nearest wrong one, else 0 (a
tie is 0); lead: the one less the other. With `of: {name: sentence_bleu, tokenize: intl, effective_order:
false}` these are bleu_max, bleu_acc and bleu_diff of TruthfulQA (S. Lin et al., ACL 2022, section 3.2), as
lm-evaluation-harness computes them (lm_eval/tasks/truthfulqa/utils.py, process_results_gen).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.core.errors import MetricError
from evalkit.metrics.base import Case, Context, Metric, check_choice, check_target

GIVES = ("best", "wins", "lead")


def read_wrong(fields: Mapping[str, Any], column: str) -> tuple[str, ...]:
    """The wrong references of a sample: a text or a list, blank ones left out. Raises MetricError on none."""
    if column not in fields:
        raise MetricError(f"against: there is no column {column!r}; there are {', '.join(map(str, fields))}")
    value = fields[column]
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
    if not all(isinstance(text, str) for text in texts) or not any(text.strip() for text in texts):
        raise MetricError(f"against: {column} is {value!r:.60}; it holds wrong answers, one text or a list")
    return tuple(text for text in texts if text.strip())


class Contrast(Metric):
    """The score against the nearest right reference, alone or beside that against the nearest wrong one."""

    def __init__(
        self,
        context: Context,
        *,
        of: Metric,
        give: str = "lead",
        against: str | None = None,
        name: str = "contrast",
    ) -> None:
        self.give = check_choice(name, "give", give, GIVES)
        if (against is None) != (give == "best"):
            raise MetricError(
                f"metric {name!r}: `against` names the column with wrong answers for give: wins and give: "
                "lead, and means nothing for give: best"
            )
        if of.aggregation != "mean" or not of.higher_is_better or of.by_judge or of.bounds is None:
            raise MetricError(
                f"metric {name!r} needs `of`, a mean of bounded scores where higher is better, such as "
                f"rouge1 or sentence_bleu, not {of.name!r}"
            )
        self.name, self.of, self.against = name, of, against
        self.guarded, self.runs_code, self.slow = of.guarded, of.runs_code, of.slow
        low, high = of.bounds
        self.scale, self.bounds = of.scale, of.bounds
        if give == "wins":
            self.scale, self.bounds = "fraction", (0.0, 1.0)
        elif give == "lead":
            self.scale, self.bounds = "unbounded", (low - high, high - low)
        column = "" if against is None else f"|against:{against}"
        self.signature = f"contrast|give:{give}{column}|v:1|of:{of.signature}"

    def score(self, case: Case) -> float | None:
        """The number that `give` asks for; None where `of` gives none."""
        right = self._nearest(case, check_target(self.name, case))
        if right is None or self.against is None:
            return right
        wrong = self._nearest(case, read_wrong(case.fields, self.against))
        if wrong is None:
            return None
        return float(right > wrong) if self.give == "wins" else right - wrong

    def _nearest(self, case: Case, references: Sequence[str]) -> float | None:
        scores = [self.of.score(dataclasses.replace(case, target=(text,))) for text in references]
        known = [score for score in scores if score is not None]
        return max(known) if len(known) == len(scores) else None
