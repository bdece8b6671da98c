"""One task file for many tasks: `matrix:` and the `${{ name }}` that stands for its values.

    name: mmlu
    matrix: {subject: [anatomy, virology]}
    data: {hub: cais/mmlu, config: "${{ subject }}", split: test}

compiles to the tasks mmlu_anatomy and mmlu_virology and the group mmlu. A value may be a mapping with a
`name`; `${{ pair.source }}` then takes one of its entries.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.core.errors import did_you_mean

Assignment = Mapping[str, Any]
"""Matrix variable -> its value in one task."""

_PLACE = re.compile(r"\$\{\{\s*([A-Za-z_][A-Za-z0-9_]*)(?:\.([A-Za-z_][A-Za-z0-9_]*))?\s*\}\}")


_MOST_TASKS = 10_000
"""Of one file."""
_MOST_WORK = 3_000_000
"""Values that are put together for the tasks of one file: a second."""


def check_size(matrix: Any, head: Mapping[str, Any], weight: int) -> None:
    """Nothing; raises ValueError where a file stands for more tasks, or more text, than can be listed.

    `weight` is the number of the file's keys and values.
    """
    if not isinstance(matrix, Mapping) or not all(isinstance(values, list) for values in matrix.values()):
        return
    n = math.prod(len(values) for values in matrix.values())
    if n > _MOST_TASKS:
        raise ValueError(f"{n:,} combinations; a file may make {_MOST_TASKS:,} tasks")
    longest = max((len(str(value)) for values in matrix.values() for value in values), default=0)
    places = len(_PLACE.findall(str(head)))
    if n * (weight + places * longest // 50) > _MOST_WORK:
        raise ValueError(f"{n:,} tasks of {weight:,} keys and values are more than a file may make")


def assignments(matrix: Any) -> Iterator[Assignment]:
    """Every combination of the matrix' values, in order. Raises ValueError that says what is wrong."""
    if not isinstance(matrix, Mapping) or not matrix:
        raise ValueError("a matrix maps names to lists, such as `subject: [anatomy, virology]`")
    for name, values in matrix.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"matrix.{name} must be a list with at least one value")
        for value in values:
            if isinstance(value, Mapping) and not isinstance(value.get("name"), str):
                raise ValueError(f"matrix.{name}: a value that is a mapping needs a `name`")
            if isinstance(value, list) or value is None:
                raise ValueError(
                    f"matrix.{name}: a value is a text, a number or a mapping, not {value!r:.80}"
                )
    for values in itertools.product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))


def label(value: Any) -> str:
    """How a value is called in the names of tasks."""
    return str(value["name"]) if isinstance(value, Mapping) else str(value)


def task_name(base: str, assignment: Assignment) -> str:
    """The name of the task with these values: placeholders filled, else the values appended."""
    if _PLACE.search(base):
        return str(substitute(base, assignment))
    return "_".join([base, *(label(value) for value in assignment.values())])


def group_name(base: str) -> str:
    """The name that the tasks of a matrix share: the file's name without its placeholders."""
    return _PLACE.sub("", base).strip("_-. ") or "group"


def substitute(content: Any, assignment: Assignment) -> Any:
    """The content with every `${{ name }}` in its texts replaced. Raises ValueError on an unknown name.

    A text that is one placeholder takes the value in its own type.
    """
    if isinstance(content, str):
        whole = _PLACE.fullmatch(content.strip())
        if whole:
            return _value(whole, assignment)
        return _PLACE.sub(lambda match: label(_value(match, assignment)), content)
    if isinstance(content, list):
        return [substitute(item, assignment) for item in content]
    if isinstance(content, dict):
        return {key: substitute(item, assignment) for key, item in content.items()}
    return content


def _value(match: re.Match[str], assignment: Assignment) -> Any:
    name, key = match.groups()
    if name not in assignment:
        raise ValueError(f"{match.group()}: the matrix has no {name!r}.{did_you_mean(name, assignment)}")
    value = assignment[name]
    if key is None:
        return label(value) if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping) or key not in value:
        raise ValueError(f"{match.group()}: matrix value {label(value)!r} has no {key!r}")
    return value[key]
