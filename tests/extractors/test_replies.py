"""Replies in the styles of many model families, each with the answer that a person reads off.

`replies/by_authors` was written by those who know the extractors, `by_readers` by somebody who does not,
`after_code` when the extractors had been written for those two, `after_mending` when they read the
third as well, `after_both` when they read that too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from evalkit.metrics.extractors import Extractor, build_extractor

REPLIES = Path(__file__).parent / "replies"
SETS = ("by_authors", "by_readers")
LATER = ("after_code", "after_mending", "after_both")
KINDS = ("letter", "number", "label", "json", "reasoning", "code")

PYTHON = re.compile(r"^\s*(?:def|import|from|class) \w", re.MULTILINE)


def replies(source: str) -> Iterator[dict[str, Any]]:
    """The replies of one of the sets."""
    for path in sorted((REPLIES / source).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def reader(row: dict[str, Any], key: str = "") -> Extractor:
    """The extractor that a task would name for a reply of this kind."""
    kind = row.get("asked") or row["kind"]
    steps: dict[str, Any] = {
        "letter": {"letter": "ABCDEFGHIJ"[: len(row.get("choices", ()))]},
        "label": "label",
        "json": {"json": f'["{key}"]'},
        "number": "number",
        "reasoning": "strip",
        "text": "strip",
        "code": {"code_block": "python" if PYTHON.search(row["reply"]) else ""},
    }
    return build_extractor(
        ["strip_reasoning", steps[kind]], language=row["language"], labels=row.get("labels", ())
    )


def read(row: dict[str, Any]) -> Any:
    """What the extractor of its kind reads in a reply; of JSON, the fields that were found."""
    if row["kind"] == "json":
        found = {key: reader(row, key).extract(row["reply"]) for key in row["keys"]}
        return {key: one.answer for key, one in found.items() if one} or None
    one = reader(row).extract(row["reply"], row.get("choices", ()))
    return one.answer.strip() if one else None


def same(row: dict[str, Any], read: Any) -> bool:
    """Whether a reading is the person's: numbers by value, JSON fields as they are written."""
    wanted = row["answer"]
    if wanted is None or read is None:
        return wanted is read
    if row["kind"] == "json":
        wanted = wanted if isinstance(wanted, dict) else {row["keys"][0]: wanted}
        return {key: as_json(value) for key, value in wanted.items()} == {
            key: as_json(value) for key, value in read.items()
        }
    if (row.get("asked") or row["kind"]) == "number":
        return value(wanted) == value(read)
    return bool(wanted.strip() == read)


def as_json(value: Any) -> Any:
    """A field as a value: numbers, lists and objects by what they are, text as text."""
    if not isinstance(value, str):
        return json.loads(json.dumps(value))
    try:
        return json.loads(value)
    except ValueError:
        return value


def value(number: str) -> Fraction | str:
    """A number as a fraction: 1 3/4, 0.75, 25%."""
    parts = number.replace("%", "").split()
    try:
        total = sum(Fraction(part.lstrip("-")) for part in parts)
    except ValueError:
        return number
    return -total if number.startswith("-") else total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", SETS)
def test_replies_are_read_as_a_person_reads_them(source, kind):
    """At least 99 % of the replies of a kind are read right, and at most 0.2 % give another answer."""
    check([row for row in replies(source) if row["kind"] == kind])


@pytest.mark.parametrize("source", LATER)
def test_replies_written_later_are_read_as_well(source):
    """The same of replies that were written when the extractors were there, all kinds together."""
    check(list(replies(source)))


def check(rows: list[dict[str, Any]]) -> None:
    readings = [(row, read(row)) for row in rows]
    wrong = [(row["id"], row["reply"], found) for row, found in readings if found and not same(row, found)]
    missed = [(row["id"], row["reply"]) for row, found in readings if not found and not same(row, found)]
    assert len(wrong) <= 0.002 * len(rows), wrong
    assert len(wrong) + len(missed) <= 0.01 * len(rows), wrong + missed


@pytest.mark.parametrize("source", SETS + LATER)
def test_the_sets_are_varied(source):
    """No template stands behind more than ten replies; many model families are there, and both languages."""
    rows = list(replies(source))
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        counts[row["kind"], row["template"]] = counts.get((row["kind"], row["template"]), 0) + 1
    assert len(rows) >= (1400 if source in SETS else {"after_both": 70}.get(source, 300))
    assert max(counts.values()) <= 10
    assert len({row["style"] for row in rows}) >= 8
    assert {row["language"] for row in rows} == {"en", "zh"}
