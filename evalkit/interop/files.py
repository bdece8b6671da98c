"""Files of other tools read as JSON, with errors that name the file and the place in it."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError

_LARGE = re.compile(rb"[0-9]{19}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
LARGEST = 2 * 1024**3
"""Bytes of a file that is read as a whole."""


def read_bytes(path: Path) -> bytes:
    """The file's content. Raises DataError."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} has {path.stat().st_size / 1024**3:.1f} GiB; at most 2 are read at once")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error


def parse(content: bytes, where: str) -> Any:
    """The JSON of a text; NaN and Infinity, which some tools write, are allowed. Raises DataError."""
    try:
        # No run can hold a number beyond 64 bits, nor half a character: that stays a text, this is marked.
        large = _LARGE.search(content) is not None
        value = json.loads(content, parse_int=_number_or_text) if large else json.loads(content)
        return _whole(value) if _SURROGATE.search(content) else value
    except (UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{where} is not JSON: {error}") from error
    except RecursionError as error:
        raise DataError(f"{where} is nested too deeply") from error


def _number_or_text(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 and -(2**63) <= int(digits) < 2**63 else digits


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


@contextlib.contextmanager
def written_by(tool: str, where: Path) -> Iterator[None]:
    """What is read within is a file of the tool. Raises DataError where it is built in another way."""
    try:
        yield
    except (AttributeError, TypeError, LookupError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{where} is not as {tool} writes it ({type(error).__name__}: {error})") from error


def read_json(path: Path) -> Any:
    """The file's JSON. Raises DataError."""
    return parse(read_bytes(path), str(path))


def read_object(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file. Raises DataError."""
    return check_object(read_json(path), str(path))


def check_object(value: Any, where: str) -> Mapping[str, Any]:
    """The value, which is a JSON object. Raises DataError."""
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: a JSON object is needed, not {_kind(value)}")
    return value


def check_list(value: Any, where: str) -> Sequence[Any]:
    """The value, which is a JSON list. Raises DataError."""
    if not isinstance(value, list):
        raise DataError(f"{where}: a list is needed, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__


def read_lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The JSON objects of a JSONL file, each with its place. Raises DataError."""
    for number, line in enumerate(read_bytes(path).splitlines(), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, check_object(parse(line, where), where)


def number(value: Any) -> float | None:
    """The value as a finite number; None for everything else. Truth counts 1 and 0."""
    try:
        found = float(value) if isinstance(value, bool | int | float) else math.nan
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def count(value: Any) -> int | None:
    """The value as a whole number of at least 0; None for everything else."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def text(value: Any) -> str:
    """The value as a reader takes it in: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def time_of(value: Any, path: Path) -> datetime:
    """A time that a file gives, in seconds or ISO 8601; the file's own where it gives none that is one."""
    seconds = number(value)
    try:
        if seconds is not None and not isinstance(value, bool):
            return datetime.fromtimestamp(seconds, UTC)
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
