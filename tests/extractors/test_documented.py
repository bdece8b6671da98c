"""What the pages on reading answers show is what the extractors read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalkit.metrics.extractors import build_extractor

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| `(?P<reply>[^|]+)` \| (?P<answer>[^|]+) \|$", re.MULTILINE)
TABLE = re.compile(r"(?P<head>^\|[^\n]*\|$)\n\|[ -|]*\|\n(?P<rows>(?:^\|[^\n]*\|\n)+)", re.MULTILINE)


def shown(step: str) -> list[tuple[str, str, str | None]]:
    """(language, reply, answer) of the tables for this step; of those without one, no answer."""
    found = []
    for page, language in (("answers.md", "en"), ("zh/answers.md", "zh")):
        text = (DOCS / page).read_text(encoding="utf-8")
        for table in TABLE.finditer(text):
            none = step == "number" and re.search("no answer|没有答案", table["head"])
            if f"`{step}`" in table["head"] or none:
                rows = list(ROW.finditer(table["rows"]))
                assert len(rows) == table["rows"].count("\n")
                found += [(language, row["reply"], None if none else row["answer"].strip()) for row in rows]
    return found


@pytest.mark.parametrize("step", ["number", "letter"])
def test_the_tables_show_what_is_read(step):
    """Every row of the tables on numbers and letters, in both languages."""
    cases = shown(step)
    assert len(cases) >= 10
    for language, reply, answer in cases:
        spec = {"letter": "ABCD"} if step == "letter" else step
        read = build_extractor([spec], language=language).extract(reply)
        assert (read.answer if read else None) == answer, reply
