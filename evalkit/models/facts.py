"""What evalkit.yaml says of a model for readers: who made it, its size, whether its weights are open."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from evalkit.core.errors import ConfigError, did_you_mean
from evalkit.core.records import ModelFacts

_SIZE = re.compile(r"(?:(\d+)\s*[x×]\s*)?(\d+(?:\.\d+)?)\s*([mbt])", re.IGNORECASE)
_BILLIONS = {"m": 0.001, "b": 1.0, "t": 1000.0}
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


def parse_facts(raw: object, place: str) -> ModelFacts:
    """The facts that the mapping `about` of a model holds. Raises ConfigError that names place and key."""
    names = [field.name for field in fields(ModelFacts)]
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{place} must be a mapping of {', '.join(names)}")
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in names:
            hint = did_you_mean(str(key), names) or f" The keys are: {', '.join(names)}."
            raise ConfigError(f"{place} has an unknown key {key!r}.{hint}")
        if value is not None:
            values[key] = _READ.get(key, _text)(value, f"{place}.{key}")
    return ModelFacts(**values)


def _text(value: object, place: str) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool) or not str(value).strip():
        raise ConfigError(f"{place} must be a text")
    return str(value).strip()


def _weights(value: object, place: str) -> str:
    if value not in ("open", "proprietary"):
        raise ConfigError(f"{place} is {value!r}; write open or proprietary, or leave it out where unknown")
    return str(value)


def _size(value: object, place: str) -> float:
    """Billions of parameters from a text such as 7B, 350M or 8x7B, or from a number of parameters."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 1e6:
        return float(value) / 1e9
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not float(match[2]):
        raise ConfigError(f"{place} is {value!r}; write parameters as 350M, 7B or 8x7B")
    return round(int(match[1] or 1) * float(match[2]) * _BILLIONS[match[3].lower()], 6)


def _released(value: object, place: str) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()[:10]
    text = str(value)
    if isinstance(value, bool) or not _DATE.fullmatch(text):
        raise ConfigError(f"{place} is {value!r}; write a date such as 2024-04-18, 2024-04 or 2024")
    return text


_READ = {"weights": _weights, "size": _size, "released": _released}
