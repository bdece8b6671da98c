"""Numbers as people read them. Unknown is an en dash, never 0."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

from evalkit.core.records import Scale

UNKNOWN = "–"

# C0 and C1 controls but for tab and line feed, and the marks that reorder text.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_CONTROL_NAMES = {0: "NUL", 7: "BEL", 8: "BS", 13: "CR", 27: "ESC", 127: "DEL"}
_SEPARATORS = re.compile(r"(?<=[_/:@.\-])(?=[^_/:@.\-])")
_SURROGATES = re.compile("[\ud800-\udfff]")


def score(value: float | None, scale: Scale) -> str:
    """A score for a table: 81.2 for fractions and percents, four digits at most for others."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if scale == "unbounded":
        return _minus(_significant(value, 4 if abs(value) >= 100 else 3))
    return _minus(f"{value * (100 if scale == 'fraction' else 1):.1f}")


def delta(value: float | None, scale: Scale) -> str:
    """A difference of scores with its sign: +1.2, −0.4, 0.0."""
    text = score(value, scale)
    return f"+{text}" if value is not None and value > 0 and text.strip("0.") else text


def interval(bounds: tuple[float, float] | None, scale: Scale) -> str:
    """The two ends of an interval: 78.1–84.3."""
    if bounds is None:
        return UNKNOWN
    low, high = (score(bound, scale) for bound in bounds)
    return f"{low} – {high}" if "−" in low + high else f"{low}–{high}"


def count(n: int | None) -> str:
    """A whole number with separators: 12,345."""
    return UNKNOWN if n is None else _minus(f"{n:,}")


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent: 2.1%, or <0.1% for a little more than nothing; unknown of nothing."""
    if whole == 0:
        return UNKNOWN
    if part == 0:
        return "0"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1%"
    return f"{percent:.1f}%" if percent < 99.95 or part == whole else "99.9%"


def dollars(value: float | None) -> str:
    """US dollars with two significant digits below one: $0.0042, $3.17."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "$0"
    return f"${value:,.2f}" if abs(value) >= 1 else f"${_significant(value, 2)}"


def seconds(value: float | None) -> str:
    """A duration: 85 ms, 1.24 s, 3 min 20 s, 2 h 05 min."""
    if value is None:
        return UNKNOWN
    if value < 0.9995:
        return f"{value * 1000:.0f} ms" if value >= 0.0005 else "<1 ms"
    if value < 99.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def tokens(n: int | None) -> str:
    """A number of tokens: 940, 12.3k, 4.56M."""
    if n is None:
        return UNKNOWN
    if n < 10_000:
        return f"{n:,}"
    if n < 999_950:
        return f"{n / 1000:.1f}k" if n < 99_950 else f"{n / 1000:.0f}k"
    return f"{n / 1e6:.2f}M"


def visible(text: str) -> str:
    """The text with controls and reordering marks written out, so that nothing hides: ‹ESC›."""
    return _CONTROLS.sub(lambda match: _picture(match[0]), scrub(text))


def breakable(text: str) -> list[str]:
    """The parts of a name between which a line may break: after its separators."""
    return _SEPARATORS.split(text)


def scrub(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot carry."""
    return _SURROGATES.sub("\ufffd", text)


def dump(value: Any, options: int = 0) -> bytes:
    """JSON in UTF-8; texts that it cannot carry are scrubbed."""
    try:
        return orjson.dumps(value, option=options or None)
    except TypeError:
        return orjson.dumps(scrub_all(value), option=options or None)


def scrub_all(value: Any) -> Any:
    """A JSON value whose texts, keys included, are all scrubbed, and whose huge integers are texts."""
    if isinstance(value, str):
        return scrub(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: scrub_all(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {scrub(str(key)): scrub_all(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [scrub_all(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def _picture(character: str) -> str:
    code = ord(character)
    return f"‹{_CONTROL_NAMES.get(code) or f'U+{code:04X}'}›"


def _significant(value: float, digits: int) -> str:
    """The value with so many significant digits, never in scientific notation below a billion."""
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent >= 9:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def _minus(text: str) -> str:
    """A real minus sign, and none before a zero."""
    if text.startswith("-"):
        return text[1:] if not text.strip("-0.,") else f"−{text[1:]}"
    return text
