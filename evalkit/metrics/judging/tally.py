"""What the judging of a cell took: calls, tokens and dollars, apart from those of the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalkit.core.records import Judgement, JudgeUse, Usage


@dataclass
class JudgeTally:
    """Adds up the judgements of one metric of one cell."""

    model: str
    _counts: dict[str, int] = field(default_factory=dict)
    _reasons: dict[str, int] = field(default_factory=dict)
    _usage: dict[str, int | None] = field(default_factory=dict)
    _cost: float | None = 0.0
    _cost_cached: float | None = 0.0
    _notes: dict[str, int] = field(default_factory=dict)

    def add(self, judgement: Judgement) -> None:
        """Count one judgement."""
        reason = judgement.unscored_reason
        for name, amount in (
            ("judged", 1),
            ("calls", len(judgement.texts)),
            ("cached", int(judgement.from_cache)),
            ("unreadable", int(reason in ("unreadable", "refused"))),
            ("abstained", int(reason == "abstained")),
            ("failed", int(reason not in (None, "unreadable", "refused", "abstained"))),
            ("inconsistent", int(judgement.verdict == "inconsistent")),
        ):
            self._counts[name] = self._counts.get(name, 0) + amount
        if reason is not None:
            self._reasons[reason] = self._reasons.get(reason, 0) + 1
        for note in judgement.notes:
            self._notes[note] = self._notes.get(note, 0) + 1
        if not judgement.texts:
            return
        for name in ("input", "output", "reasoning", "cached"):
            value = getattr(judgement.usage, name)
            total = self._usage.get(name, 0)
            self._usage[name] = None if total is None or value is None else total + value
        if judgement.from_cache:
            self._cost_cached = _sum(self._cost_cached, judgement.cost_usd)
        else:
            self._cost = _sum(self._cost, judgement.cost_usd)

    def use(self) -> JudgeUse:
        """What it all took."""
        return JudgeUse(
            model=self.model,
            judged=self._counts.get("judged", 0),
            calls=self._counts.get("calls", 0),
            cached=self._counts.get("cached", 0),
            failed=self._counts.get("failed", 0),
            unreadable=self._counts.get("unreadable", 0),
            abstained=self._counts.get("abstained", 0),
            inconsistent=self._counts.get("inconsistent", 0),
            usage=Usage(**self._usage),
            cost_usd=self._cost,
            cost_cached_usd=self._cost_cached,
        )

    def notes(self, metric: str) -> list[str]:
        """What a reader must know of the judging of this metric."""
        lines = [
            f"{metric}: {count} unscored by the judge {self.model} ({reason})"
            for reason, count in sorted(self._reasons.items())
        ]
        if self._counts.get("inconsistent"):
            lines.append(
                f"{metric}: {self._counts['inconsistent']} of {self._counts['judged']} verdicts changed with "
                "the order of the answers; they count as ties"
            )
        return lines + [f"judge {self.model}: {note} ({n}x)" for note, n in sorted(self._notes.items())]


def _sum(total: float | None, cost: float | None) -> float | None:
    return None if total is None or cost is None else total + cost
