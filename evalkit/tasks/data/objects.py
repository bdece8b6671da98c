"""Rows of JSON: one object a line, or one list of objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from evalkit.core.errors import DataError
from evalkit.core.form import Form, byte_lines, cure, read_whole, text_lines, undecodable
from evalkit.core.language import clean_text

_LONG_INTEGER = re.compile(r"[0-9]{19}")
_LONG_INTEGER_BYTES = re.compile(rb"[0-9]{19}")


def read_jsonl(path: Path, form: Form) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of one object a line. Raises DataError."""
    lines: Iterator[tuple[int, bytes | str]]
    if form.encoding is None:
        lines = byte_lines(path)
    else:
        lines = ((n, text) for n, text in enumerate(text_lines(path, form, "\n"), 1) if not text.isspace())
    for number, line in lines:
        where = f"{path}, line {number}"
        yield where, _row(_parse(line, where, path), where)


def read_json(path: Path, form: Form) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a list of objects, or of an object with such a list under "data". Raises DataError."""
    content: bytes | str = read_whole(path)
    if form.encoding is not None:
        try:
            content = bytes(content).decode(form.codec).removeprefix("\ufeff")  # type: ignore[arg-type]
        except UnicodeError as error:
            raise undecodable(path, form, 1, error) from error
    parsed = _parse(content, str(path), path)
    rows = parsed.get("data") if isinstance(parsed, dict) and "data" in parsed else parsed
    if not isinstance(rows, list):
        raise DataError(f'{path}: expected a list of objects, or an object with such a list under "data"')
    for number, row in enumerate(rows, start=1):
        yield f"{path}, row {number}", _row(row, f"{path}, row {number}")


def _parse(content: bytes | str, where: str, path: Path) -> Any:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as strict:
        # orjson refuses lone surrogates and NaN, which real data holds; the standard library reads them.
        try:
            return _parse_leniently(content)
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not valid JSON: not UTF-8 ({error.reason}). {cure(path)}") from error
        except (ValueError, RecursionError):
            wide = isinstance(content, bytes) and b"\0" in content[:1000]
            hint = f". {cure(path)}" if wide else ""
            raise DataError(f"{where}: not valid JSON ({strict}){hint}") from strict
    # orjson rounds integers beyond 64 bits, and an answer must be exact.
    found = (
        _LONG_INTEGER_BYTES.search(content) if isinstance(content, bytes) else _LONG_INTEGER.search(content)
    )
    return _parse_leniently(content) if found else value


def _parse_leniently(content: bytes | str) -> Any:
    text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    return _clean(json.loads(text, parse_int=_integer))


def _integer(digits: str) -> int | str:
    """The integer, or its digits as text where 64 bits do not hold it."""
    if len(digits) > 20:
        return digits
    value = int(digits)
    return value if -(2**63) <= value < 2**64 else digits


def _clean(value: Any) -> Any:
    """The value with valid Unicode."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def _row(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object with columns, got {type(row).__name__}")
    return row
