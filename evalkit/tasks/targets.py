"""What a target says: texts that are compared, or, of a choice, one meaning for a whole file.

    letter   A is the first option
    index    0 is the first option
    index1   1 is the first option
    text     the option's own text

Task files say which by `gold:`. Where they do not, the meaning is the one that fits all rows; where two fit
and name different options, it must be said, since a guess would mark right answers as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import DataError

GOLD = {
    "letter": "a letter",
    "index": "a position from 0",
    "index1": "a position from 1",
    "text": "the text of an option",
}
"""Meaning -> as errors call it."""
_EXACT = 2**53
"""Whole numbers that a float tells apart from their neighbours are below it."""
_SHOWN = 60
Row = tuple[str, Sequence[Any], Sequence[str]]
"""(place, targets, choices)."""


@dataclass(frozen=True)
class Gold:
    """How the targets of a file name the right option."""

    meaning: str
    """letter, index, index1 or text."""
    evidence: str
    """What says so: `gold:` in the task file, or the rows."""

    def position(self, value: Any, choices: Sequence[str], where: str) -> int:
        """The position from 0 of the option that a target names. Raises DataError."""
        found = _position(self.meaning, value, choices)
        if found is None:
            raise DataError(
                f"{where}: target {shown(value)} is not {GOLD[self.meaning]} "
                f"{_range(self.meaning, choices)}, as {self.evidence}; the targets of a file have "
                f"one meaning ({', '.join(GOLD)}; `gold:`)"
            )
        return found


def find_gold(rows: Iterable[Row], task_file: object) -> Gold:
    """The one meaning that fits every row; rows are read until no other is left.

    Raises DataError, which names the rows, where none fits all, or where several fit and name different
    options.
    """
    left = list(GOLD)
    lost: dict[str, str] = {}
    clashes: dict[tuple[str, str], str] = {}
    first = ""
    for where, values, choices in rows:
        found = {name: [_position(name, value, choices) for value in values] for name in left}
        left = [name for name in left if None not in found[name]]
        lost |= {
            name: f"{where} (target {shown(values[places.index(None)])})"
            for name, places in found.items()
            if name not in left
        }
        first = first or f"{where} (target {shown(values[0])})"
        if not left:
            raise DataError(_none_fits(where, values, choices, lost, single=len(set(lost.values())) == 1))
        for one in left:
            for other in left:
                if found[one] != found[other]:
                    clashes.setdefault((one, other), f"{where}, target {shown(values[0])}")
        if len(left) == 1:
            break
    for (one, other), where in clashes.items():
        if one in left and other in left:
            raise DataError(
                f"{where}: the targets of this file can be {GOLD[one]} and {GOLD[other]}, which name "
                f"different options, and no row decides it. Say which in {task_file}: "
                f"`gold: {one}` or `gold: {other}`"
            )
    return Gold(left[0], f"{first} and the rows after it say")


def _none_fits(
    where: str, values: Sequence[Any], choices: Sequence[str], lost: dict[str, str], *, single: bool
) -> str:
    options = ", ".join(repr(choice[:_SHOWN]) for choice in choices[:6])
    if single:
        bad = next((v for v in values if all(_position(name, v, choices) is None for name in GOLD)), values)
        return (
            f"{where}: target {shown(bad)} is neither a position from 0 to {len(choices) - 1} (or from 1 to "
            f"{len(choices)}), nor a letter, nor one of the choices ({options})"
        )
    told = "; ".join(f"{place} is not {GOLD[name]}" for name, place in lost.items())
    return f"the targets of a file have one meaning, and none fits all rows here: {told}"


def _range(meaning: str, choices: Sequence[str]) -> str:
    if meaning == "text":
        return f"({', '.join(repr(choice[:_SHOWN]) for choice in choices[:6])})"
    n = len(choices)
    if meaning == "letter":
        return f"from A to {chr(ord('A') + n - 1)}" if n <= 26 else "from A to Z"
    return f"({'0 to ' + str(n - 1) if meaning == 'index' else '1 to ' + str(n)})"


def _position(meaning: str, value: Any, choices: Sequence[str]) -> int | None:
    """The position of the option that a target names in this meaning; None where it names none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if meaning == "text":
        text = str(value)
        return choices.index(text) if text in choices else None
    place = -1
    if meaning == "letter":
        name = value.strip().upper() if isinstance(value, str) else ""
        if len(name) == 1 and name.isascii() and name.isalpha():
            place = ord(name) - ord("A")
    else:
        digits = value.strip() if isinstance(value, str) else ""
        if digits.isascii() and digits.isdecimal() and len(digits) < 10:
            value = int(digits)
        if isinstance(value, int):
            place = value - (meaning == "index1")
    return place if 0 <= place < len(choices) else None


def target_text(value: Any, where: str, column: str) -> str:
    """A target of a generate task as text: truth in lower case, a whole float without its point.

    Raises DataError for what is no text, number or truth, and for what is no finite or exact number.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        if not value.is_integer():
            return str(value)
        if abs(value) < _EXACT:
            return str(int(value))
        raise DataError(
            f"{where}: {column}: {value!r} is a floating-point number beyond 2**53, whose last digits are "
            "lost; write the target as an integer or a text"
        )
    raise DataError(f"{where}: {column}: {_refusal(value)}")


def choice_text(value: Any, where: str, column: str) -> str:
    """An option as text. Raises DataError for what is no text, number or truth."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise DataError(f"{where}: {column}: {_refusal(value)}")


def optional_text(value: Any, where: str, column: str) -> str | None:
    """The text of an id or a cluster, None where it is null or empty. Raises DataError as `choice_text`."""
    return None if value is None or value == "" else choice_text(value, where, column)


def _refusal(value: Any) -> str:
    """Why a value is refused, and the cure."""
    if isinstance(value, float):
        return f"{value!r} is no finite number; write a number, or null where there is none"
    if isinstance(value, bytes | bytearray):
        return "bytes are no text; decode them in task.py (map_row), or write the column as text"
    what = {"NoneType": "null", "dict": "an object", "list": "a list in a list", "tuple": "a list in a list"}
    kind = what.get(type(value).__name__, type(value).__name__)
    return (
        f"{kind} ({shown(value)}) is no text, number or boolean; name the part that is meant, such as "
        '"{{ answer.text }}", or write the value itself'
    )


def shown(value: Any) -> str:
    """The value as an error shows it, cut."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
