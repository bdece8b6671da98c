"""Entries as a file of JSON lines: to hand a cache to a colleague, to move it, to keep it for years."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from evalkit.core.errors import CacheError
from evalkit.core.records import digest
from evalkit.store.cache.entry import FORMAT, HEAD, check_key, make_line, read_response
from evalkit.store.cache.store import Cache

_READ = (FORMAT, "evalkit-cache-1")
_FIELDS = ("key", "model", "created", "status")


@dataclass
class Imported:
    """What became of the entries of a file."""

    n: int = 0
    """Entries in the file."""
    new: int = 0
    """Those that the cache did not have."""
    refused: int = 0
    """Those that are not what they say they are."""
    reasons: list[str] = field(default_factory=list)
    """Why, each with file and line: the first few."""


def export_entries(cache: Cache, path: Path, model: str | None = None) -> int:
    """How many entries were written, oldest first, to a file private to the user. Raises CacheError."""
    n = 0
    place = path.exists() and not path.is_file()  # a device or a pipe is written to, and never replaced
    temporary = path if place else path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            if not place:
                temporary.chmod(0o600)
            file.write(HEAD)
            for row in cache.rows(model):
                file.write(make_line(row))
                n += 1
        if not place:
            temporary.replace(path)
    except OSError as error:
        raise CacheError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if not place:
            temporary.unlink(missing_ok=True)
    return n


def import_entries(cache: Cache, path: Path) -> Imported:
    """What became of the entries of a file. What is in the cache already stays as it is.

    Every key is made again from its question; an entry that does not fit it, or its own digest, is refused.
    Raises CacheError for a file that is none of a cache, or cannot be read.
    """
    found = Imported()
    found.new = cache.add_rows(_read(path, found))
    return found


_NAMED = 5
_LONGEST = 64_000_000
"""Bytes of a line; what is longer is no answer of a model."""


def _read(path: Path, found: Imported) -> Iterator[dict[str, Any]]:
    """The rows of the file that fit; `found` counts them and the others."""
    try:
        with path.open("rb") as file:
            head = _head(file.readline(1000), path)
            number = 1
            while line := file.readline(_LONGEST):
                number += 1
                found.n += 1
                try:
                    yield _row(orjson.loads(line), with_digest=head == FORMAT)
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                    found.refused += 1
                    if len(found.reasons) < _NAMED:
                        problem = (str(error) or type(error).__name__).splitlines()[0][:200]
                        found.reasons.append(f"{path}, line {number}: {problem}")
    except OSError as error:
        raise CacheError(f"cannot read {path}: {error.strerror or error}") from error


def _head(line: bytes, path: Path) -> str:
    """The format of the file. Raises CacheError."""
    try:
        head = orjson.loads(line)
    except ValueError:
        head = None
    said = head.get("format") if isinstance(head, dict) else None
    if said not in _READ:
        raise CacheError(f'{path}, line 1: no file of a cache; it begins with {{"format": "{FORMAT}"}}')
    return str(said)


def _row(entry: Mapping[str, Any], with_digest: bool) -> dict[str, Any]:
    if with_digest:
        own = {name: value for name, value in entry.items() if name != "digest"}
        if entry["digest"] != digest(own):
            raise ValueError("it was altered: its digest is another")
    row: dict[str, Any] = {name: str(entry[name]) for name in _FIELDS}
    check_key(row["key"], row["model"], entry["request"])
    response = orjson.dumps(entry["response"])
    checked = read_response(response)
    if checked.status == "error" or checked.status != entry["status"]:
        raise ValueError("its status is not that of a kept answer")
    datetime.fromisoformat(row["created"])
    options = orjson.OPT_SORT_KEYS
    return {**row, "request": orjson.dumps(entry["request"], option=options), "response": response}
