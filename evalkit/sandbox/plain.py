"""Values as JSON and back: how the tests of a program and the program itself exchange arguments and results.

Only the data travel: what comes back is made here, of exact types, so that no object of the program's own
ever stands in a comparison. Standard library only, and nothing of evalkit.
"""

from __future__ import annotations

import collections
import importlib
import types
from collections.abc import Callable
from typing import Any

MAX_NODES = 2_000_000
"""Values in one message; shared objects could make it endless."""
_ATOMS = frozenset({type(None), bool, float, str})
_FLAT = _ATOMS | {int}
_SMALL = 1 << 60
_VIEWS = {"keys": type({}.keys()), "values": type({}.values()), "items": type({}.items())}
_MADE_HERE: set[type] = set()
"""Classes of named tuples that `decode` made."""
_BUILTINS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, object)
} | {"NoneType": type(None)}
# Types of the standard library -> how a value is taken apart; the pieces are arguments of the type.
_MADE: dict[str, dict[str, Callable[[Any], tuple[Any, ...]]]] = {
    "decimal": {"Decimal": lambda value: (str(value),)},
    "fractions": {"Fraction": lambda value: (int(value.numerator), int(value.denominator))},
    "datetime": {
        "date": lambda value: (value.year, value.month, value.day),
        "time": lambda value: (value.hour, value.minute, value.second, value.microsecond),
        "timedelta": lambda value: (value.days, value.seconds, value.microseconds),
    },
}


class Foreign(Exception):
    """A value is no plain data."""


def encode(value: Any, other: Callable[[Any], Any], heirs: bool = False) -> Any:
    """The value as JSON. What is no plain data goes to `other`, which gives JSON or raises Foreign.

    With `heirs`, an object whose class is derived from a plain type counts as the data that it holds.
    """
    left = [MAX_NODES]

    def each(values: Any) -> list[Any]:
        return [go(item) for item in values]

    def go(value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        left[0] -= 1
        if left[0] < 0:
            raise Foreign("too much data")
        if kind is int:
            return value if -_SMALL < value < _SMALL else {"int": hex(value)}
        if kind is list:
            return value[:] if _is_flat(value) else each(value)
        if kind is dict:
            return {"dict": [[go(key), go(item)] for key, item in value.items()]}
        for name, base in _SEQUENCES.items():
            if kind is base:
                return {name: each(value)}
        rare = _encode_rare(value, kind, go, each)
        if rare is None and (heirs or kind in _MADE_HERE):
            rare = _encode_heir(value, kind, go, each)
        return other(value) if rare is None else rare

    return go(value)


def _is_flat(values: list[Any]) -> bool:
    """Whether JSON has all items as they are."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return bool(min(values) > -_SMALL and max(values) < _SMALL)
    return kinds <= _ATOMS


_SEQUENCES: dict[str, Any] = {
    "tuple": tuple, "set": set, "frozenset": frozenset, "deque": collections.deque, **_VIEWS
}  # fmt: skip


def _encode_rare(
    value: Any, kind: type, go: Callable[[Any], Any], each: Callable[[Any], list[Any]]
) -> dict[str, Any] | None:
    """What the common types leave: numbers, bytes, ranges, heirs of plain types by the data they hold."""
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    if isinstance(value, bytes | bytearray) and kind in (bytes, bytearray):
        return {kind.__name__: value.decode("latin-1")}
    if kind is range:
        return {"range": each((value.start, value.stop, value.step))}
    if kind is type and value in _BUILTINS.values():
        return {"type": str(getattr(value, "__name__", ""))}
    if kind is collections.Counter:
        return {"counter": [[go(key), go(item)] for key, item in value.items()]}
    if kind is collections.OrderedDict:
        return {"ordered": [[go(key), go(item)] for key, item in value.items()]}
    module = _MADE.get(kind.__module__, {}) if type(kind.__module__) is str else {}
    if kind.__name__ in module:
        pieces = module[kind.__name__](value)
        return {"made": [kind.__module__, kind.__name__, each(pieces)]}
    if kind.__module__ == "datetime" and kind.__name__ == "datetime" and value.tzinfo is None:
        pieces = (*value.timetuple()[:6], value.microsecond)
        return {"made": ["datetime", "datetime", each(pieces)]}
    return None


def _encode_heir(value: Any, kind: type, go: Callable[[Any], Any], each: Callable[[Any], list[Any]]) -> Any:
    """An object whose class is derived from a plain type: what it holds, whatever it says of itself."""
    if issubclass(kind, int):
        return go(int.__int__(value))
    if issubclass(kind, float):
        return {"float": float.hex(value)}
    if issubclass(kind, str):
        return {"str": str.__str__(value)}
    if issubclass(kind, tuple):
        names = getattr(kind, "_fields", None)
        items = each(tuple.__iter__(value))
        if type(names) is tuple and len(names) == len(items) and all(type(name) is str for name in names):
            return {"named": [str(kind.__name__), list(names), items]}
        return {"tuple": items}
    if issubclass(kind, list):
        return {"list": each(list.__iter__(value))}
    if issubclass(kind, dict):
        return {"dict": [[go(key), go(item)] for key, item in dict.items(value)]}
    for name, base in (("set", set), ("frozenset", frozenset)):
        if issubclass(kind, base):
            return {name: each(base.__iter__(value))}
    return None


def decode(data: Any, other: Callable[[str, Any], Any]) -> Any:
    """The value that `encode` wrote. Tags that are none of ours go to `other`, which may raise Foreign, as
    what is malformed does."""
    if not isinstance(data, list | dict):
        return data
    if isinstance(data, list):
        return data if set(map(type, data)) <= _FLAT else [decode(item, other) for item in data]
    try:
        ((tag, payload),) = data.items()
        make = _MAKERS.get(tag)
        if make is None:
            return other(tag, payload)
        return make(payload, lambda item: decode(item, other))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, ArithmeticError) as error:
        raise Foreign(f"malformed data ({error})") from error


def _pairs(payload: Any, go: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
    return [(go(key), go(item)) for key, item in payload]


def _made(payload: Any, go: Callable[[Any], Any]) -> Any:
    module, name, pieces = payload
    if name not in _MADE.get(module, {}) and (module, name) != ("datetime", "datetime"):
        raise ValueError(f"{module}.{name}")
    return getattr(importlib.import_module(module), name)(*map(go, pieces))


def _named(payload: Any, go: Callable[[Any], Any]) -> Any:
    name, fields, items = payload
    kind = collections.namedtuple(name, fields)  # type: ignore[misc]
    _MADE_HERE.add(kind)
    return kind(*map(go, items))


_MAKERS: dict[str, Callable[[Any, Callable[[Any], Any]], Any]] = {
    "int": lambda payload, go: int(payload, 16),
    "float": lambda payload, go: float.fromhex(payload),
    "str": lambda payload, go: str(payload),
    "list": lambda payload, go: [go(item) for item in payload],
    "tuple": lambda payload, go: tuple(go(item) for item in payload),
    "set": lambda payload, go: {go(item) for item in payload},
    "frozenset": lambda payload, go: frozenset(go(item) for item in payload),
    "deque": lambda payload, go: collections.deque(go(item) for item in payload),
    "dict": lambda payload, go: dict(_pairs(payload, go)),
    "counter": lambda payload, go: collections.Counter(dict(_pairs(payload, go))),
    "ordered": lambda payload, go: collections.OrderedDict(_pairs(payload, go)),
    "keys": lambda payload, go: dict.fromkeys(go(item) for item in payload).keys(),
    "values": lambda payload, go: dict(enumerate(go(item) for item in payload)).values(),
    "items": lambda payload, go: dict(go(item) for item in payload).items(),
    "complex": lambda payload, go: complex(*payload),
    "bytes": lambda payload, go: payload.encode("latin-1"),
    "bytearray": lambda payload, go: bytearray(payload.encode("latin-1")),
    "range": lambda payload, go: range(*map(go, payload)),
    "type": lambda payload, go: _BUILTINS[payload],
    "made": _made,
    "named": _named,
}


def is_iterator(value: Any) -> bool:
    """Whether the value gives its items one by one, as a generator does."""
    return isinstance(value, types.GeneratorType) or (
        hasattr(value, "__next__") and hasattr(value, "__iter__")
    )


def restore(old: Any, new: Any) -> Any:
    """The tests' own list, dict or set, made what the program has made of its copy, and those within alike;
    any other value as it came."""
    kind = type(old)
    if kind is not type(new) or kind not in (list, dict, set):
        return new
    if kind is list:
        old[:] = [*map(restore, old, new), *new[len(old) :]]
    elif kind is dict:
        merged = {key: restore(old.get(key), item) for key, item in new.items()}
        old.clear()
        old.update(merged)
    else:
        old.clear()
        old.update(new)
    return old
