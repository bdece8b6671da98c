"""The arguments of an instruction, read with their types checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import MetricError
from evalkit.metrics.ifeval.punkt import OWN, PLAIN, Knowledge


@dataclass(frozen=True, slots=True)
class Rules:
    """How instructions are read where the authors' checker fails valid English."""

    knowledge: Knowledge = OWN
    """By which sentences are counted."""
    case_alone: bool = False
    """Whether "in English, all capitals" asks for the case alone, in any language."""


READINGS = {"official": Rules(), "plain": Rules(PLAIN, case_alone=True)}
"""A reading's name -> its rules: `official` as the authors' checker judges, `plain` as a reader would."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one instruction of a sample says beyond its name."""

    instruction: str
    """The instruction's id, `group:name`."""
    values: Mapping[str, Any]
    """Its arguments; a value of None counts as absent, as tables with one column a key have it."""
    prompt: str = ""
    """The prompt that carries the instruction."""
    rules: Rules = READINGS["official"]

    def number(self, key: str) -> int:
        """A whole number; raises MetricError when it is absent or anything else."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise self._wrong(key, value, "a whole number")
        return int(value)

    def text(self, key: str) -> str:
        """A text that is not blank; raises MetricError when it is absent or anything else."""
        value = self._get(key)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, value, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, not empty; raises MetricError when it is absent or anything else."""
        value = self._get(key)
        values = tuple(value) if not isinstance(value, str | Mapping) and hasattr(value, "__iter__") else ()
        if not values or not all(isinstance(item, str) and item for item in values):
            raise self._wrong(key, value, "a list of texts")
        return values

    def compare(self, relation: str, count: int, number: str) -> bool:
        """Whether the count is `at least` or `less than` the number, as the key `relation` says."""
        wanted = self.number(number)
        value = self._get(relation)
        if value == "at least":
            return count >= wanted
        if value == "less than":
            return count < wanted
        raise self._wrong(relation, value, "'at least' or 'less than'")

    def _get(self, key: str) -> Any:
        value = self.values.get(key)
        if value is None:
            raise MetricError(
                f"IFEval instruction {self.instruction!r} needs the argument {key!r}; "
                f"its kwargs hold {sorted(k for k, v in self.values.items() if v is not None)}"
            )
        return value

    def _wrong(self, key: str, value: Any, wanted: str) -> MetricError:
        return MetricError(
            f"IFEval instruction {self.instruction!r}: {key!r} must be {wanted}, not {value!r}"
        )


Checker = Callable[[str, Arguments], bool]
"""Whether a response, which is never blank, follows the instruction with these arguments."""
