"""How much an operator, a filter or a method of a template makes at most, told before it is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evalkit.core.errors import PromptError

MOST_CHARACTERS = 10_000_000
"""Characters (or items of a list) that a template may make at once."""
_MOST_BITS = 1_000_000
"""Of a whole number that a template may calculate."""
_MOST_DEPTH = 100
_MOST_SEARCHED = 100_000
"""Characters of a text in which markup and addresses are looked for: that takes time."""
_MOST_DIGITS = 1_000
_SIZED = (str, bytes, list, tuple)


def too_large(what: str, limit: str = f"{MOST_CHARACTERS:,} characters") -> PromptError:
    """The error of a template that makes too much."""
    return PromptError(f"{what} of more than {limit}; no prompt needs that")


def weigh(value: Any, undefined: type | None = None) -> int:
    """The characters of the value as text, and its items, at least; shared parts count each time.

    Raises PromptError where it is nested without end, and what `undefined` raises where a part is of that
    type.
    """
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, int):
        return 1 + value.bit_length() // 3
    if not isinstance(value, list | tuple | dict | set | frozenset):
        return 20
    return _weigh_nested(value, undefined, {}, 0)


def _weigh_nested(value: Any, undefined: type | None, known: dict[int, int], depth: int) -> int:
    if id(value) in known:
        return known[id(value)]
    if depth > _MOST_DEPTH:
        raise too_large("a value is nested to a depth", str(_MOST_DEPTH))
    total = 2
    if len(value) > MOST_CHARACTERS // 4:
        raise too_large("a list is", f"{MOST_CHARACTERS // 4:,} items")
    items = (part for pair in value.items() for part in pair) if isinstance(value, dict) else value
    for item in items:
        if isinstance(item, str | bytes):
            total += len(item) + 4
        elif isinstance(item, list | tuple | dict | set | frozenset):
            total += _weigh_nested(item, undefined, known, depth + 1)
        elif undefined is not None and isinstance(item, undefined):
            str(item)  # raises, where undefined names are errors
        else:
            total += weigh(item) + 2
    known[id(value)] = total
    return total


def weigh_operation(operator: str, left: Any, right: Any) -> int:
    """What the operator makes at most. Raises PromptError for numbers that are too large."""
    if operator == "+":
        return len(left) + len(right) if isinstance(left, _SIZED) and isinstance(right, _SIZED) else 0
    if operator == "*":
        for many, times in ((left, right), (right, left)):
            if isinstance(times, int) and isinstance(many, _SIZED):
                return len(many) * max(times, 0)
        if isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() + right.bit_length(), "*")
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() * right, "**")
    elif operator == "%" and isinstance(left, str | bytes):
        return _percent(left, right)
    return 0


def _check_bits(bits: int, operator: str) -> None:
    if bits > _MOST_BITS:
        raise too_large(f"{operator} makes a number", f"{_MOST_BITS:,} bits")


def _percent(pattern: Any, values: Any) -> int:
    """`pattern % values`: each place may hold the longest value, each number be a width."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    parts = values if isinstance(values, tuple) else (values,)
    if isinstance(values, Mapping):
        parts = (values, *values.values())
    stars = max((abs(part) for part in parts if isinstance(part, int)), default=0) * text.count("*")
    quoted = re.search(r"%[^%]{0,40}?[ra]", text) is not None
    most = max((_as_text(part, quoted) for part in parts), default=0)
    return len(text) + _widths(text) + stars + text.count("%") * most


def _as_text(value: Any, quoted: bool) -> int:
    """The characters of a value as text, at most; `quoted` where it is to be shown as Python writes it."""
    if isinstance(value, str):
        return 10 * len(value) + 2 if quoted else len(value)
    return (
        400 if isinstance(value, float) else 10 * weigh(value) if isinstance(value, str) else 2 * weigh(value)
    )


def _widths(text: str) -> int:
    """The sum of the numbers in a pattern."""
    return sum(min(int(digits[:20]), 10**18) for digits in re.findall(r"[0-9]+", text))


def _braces(pattern: str, *args: Any, **kwargs: Any) -> int:
    """`pattern.format(...)`: as with `%`; a width may be among the values."""
    parts = (*args, *kwargs.values())
    fields = pattern.count("{")
    nested = (
        max((abs(part) for part in _numbers(parts)), default=0) if re.search(r"\{[^}]*\{", pattern) else 0
    )
    most = max((_as_text(part, "!" in pattern) for part in parts), default=0)
    return len(pattern) + _widths(pattern) + fields * (most + nested)


def _numbers(values: Any) -> Iterator[int]:
    for value in values:
        if isinstance(value, int):
            yield value
        elif isinstance(value, list | tuple):
            yield from _numbers(value)
        elif isinstance(value, str) and value.strip().isdigit():
            yield int(value.strip()[:20])
        elif isinstance(value, Mapping):
            yield from _numbers(value.values())


def _replaced(value: Any, old: Any = "", new: Any = "", count: Any = None) -> int:
    text, old, new = (item if isinstance(item, str | bytes) else str(item) for item in (value, old, new))
    n = len(text) + 1
    if isinstance(text, str) and isinstance(old, str) and old:
        n = text.count(old)
    if isinstance(count, int) and count >= 0:
        n = min(n, count)
    return len(text) + n * len(new)


def _joined(value: Any, d: Any = "", attribute: Any = None) -> int:
    n = len(value) if hasattr(value, "__len__") else 0
    return weigh(value) + n * weigh(d)


def _padded(value: Any, width: Any = 80, *_: Any, **__: Any) -> int:
    return weigh(value) + _number(width)


def _number(value: Any) -> int:
    """A width: the number, and of anything else what Python makes of it, which is an error."""
    return abs(value) if isinstance(value, int) else 0


def _lines(value: Any) -> int:
    return value.count("\n") + value.count("\r") + 1 if isinstance(value, str) else 1


def _indented(value: Any, width: Any = 4, *_: Any, **__: Any) -> int:
    return weigh(value) + _lines(value) * (len(width) if isinstance(width, str) else _number(width))


def _wrapped(value: Any, width: Any = 79, break_long_words: Any = True, wrapstring: Any = None,
             break_on_hyphens: Any = True) -> int:  # fmt: skip
    lines = weigh(value) // max(1, _number(width)) * 2 + 2 * _lines(value)
    return weigh(value) + min(lines, 2 * weigh(value) + 1) * (1 if wrapstring is None else weigh(wrapstring))


def _batched(value: Any, linecount: Any = 1, fill_with: Any = None) -> int:
    return weigh(value) + 10 * _number(linecount)


def _sliced(value: Any, slices: Any = 1, fill_with: Any = None) -> int:
    return weigh(value) + 10 * _number(slices)


def _as_json(value: Any, indent: Any = None) -> int:
    spaces = len(indent) if isinstance(indent, str) else _number(indent)
    return weigh(value) * (6 + min(spaces, 10**6) * _depth(value))


def _depth(value: Any, deepest: int = 0) -> int:
    """How deep lists and dicts are nested; what is shared is looked at once."""
    seen: set[int] = set()
    level = [value]
    while level and deepest <= _MOST_DEPTH:
        below: list[Any] = []
        for item in level:
            if isinstance(item, list | tuple | dict) and id(item) not in seen:
                seen.add(id(item))
                below += item.values() if isinstance(item, dict) else item
        level, deepest = below, deepest + 1
    return deepest


def _linked(value: Any, *args: Any, **kwargs: Any) -> int:
    _check_searched(value)
    words = weigh(value) // 4 + 1
    return 12 * weigh(value) + words * (60 + 6 * sum(map(weigh, (*args, *kwargs.values()))))


def _stripped(value: Any) -> int:
    _check_searched(value)
    return weigh(value)


def _check_searched(value: Any) -> None:
    if weigh(value) > _MOST_SEARCHED:
        raise too_large("a text is searched for markup", f"{_MOST_SEARCHED:,} characters")


def _rounded(value: Any, precision: Any = 0, method: Any = "common") -> int:
    if _number(precision) > _MOST_DIGITS:
        raise too_large("a number is rounded to a place", f"{_MOST_DIGITS:,} digits")
    return 0


def _times(factor: int) -> Callable[..., int]:
    return lambda value, *args, **kwargs: factor * weigh(value) + sum(map(weigh, (*args, *kwargs.values())))


def _translated(value: Any, table: Any = None) -> int:
    longest = max(map(weigh, table.values()), default=1) if isinstance(table, Mapping) else weigh(table)
    return weigh(value) * (1 + longest)


FILTERS: dict[str, Callable[..., int]] = {
    "batch": _batched,
    "center": _padded,
    "dictsort": _times(1),
    "e": _times(6),
    "escape": _times(6),
    "forceescape": _times(6),
    "format": lambda value, *args, **kwargs: _percent(str(value), kwargs or args),
    "groupby": _times(1),
    "indent": _indented,
    "items": _times(1),
    "join": _joined,
    "list": _times(1),
    "map": _times(1),
    "max": _times(1),
    "min": _times(1),
    "pprint": lambda value, *_: weigh(value) * (2 + _depth(value)),
    "replace": _replaced,
    "round": _rounded,
    "slice": _sliced,
    "sort": _times(1),
    "string": _times(2),
    "striptags": _stripped,
    "sum": _times(1),
    "tojson": _as_json,
    "unique": _times(1),
    "urlencode": _times(12),
    "urlize": _linked,
    "wordwrap": _wrapped,
    "xmlattr": _times(6),
}
"""Filter -> what it makes at most, of its value and arguments."""
METHODS: dict[str, Callable[..., int]] = {
    "center": _padded,
    "expandtabs": lambda value, tabsize=8: weigh(value) * (1 + _number(tabsize)),
    "format": _braces,
    "format_map": lambda value, values: _braces(value, **values) if isinstance(values, dict) else len(value),
    "join": lambda value, parts=(): _joined(parts, value),
    "ljust": _padded,
    "replace": _replaced,
    "rjust": _padded,
    "to_bytes": lambda value, length=1, *_, **__: _number(length),
    "translate": _translated,
    "zfill": _padded,
}
"""Method of texts, bytes and numbers -> the same."""
