"""A run as JUnit XML, as CI servers show it: one test case a cell.

A score has no verdict of its own (that is the gate's): a cell fails only where calls failed, or nothing was
scored.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from evalkit.core.records import CellResult, Run, known_n
from evalkit.interop.exports import Rows
from evalkit.pages import formats
from evalkit.store.folders import StoredRun, write_private

# XML 1.0 allows no other characters, not even escaped: https://www.w3.org/TR/xml/#charsets
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(stored: StoredRun, path: Path, rows: Rows) -> list[Path]:
    """The document, valid XML whatever the texts hold."""
    write_private(path, make_junit(stored.run))
    return [path]


def make_junit(run: Run) -> bytes:
    """The document of a run."""
    suites = ElementTree.Element("testsuites", name="evalkit run")
    suite = ElementTree.SubElement(
        suites, "testsuite", name=_clean(run.name or run.id), timestamp=run.created
    )
    errors = skipped = 0
    for cell in run.cells:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            name=_clean(cell.model),
            classname=_clean(f"{cell.task}.{cell.variant}"),
            time="0",
        )
        properties = ElementTree.SubElement(case, "properties")
        for name, text in _facts(cell):
            ElementTree.SubElement(properties, "property", name=_clean(name), value=_clean(text))
        notes = _clean("\n".join(cell.notes))
        if cell.counts.errors:
            errors += 1
            message = f"{cell.counts.errors} of {cell.counts.samples} calls failed"
            ElementTree.SubElement(case, "error", type="calls", message=message).text = notes
        elif not cell.counts.scored:
            skipped += 1
            ElementTree.SubElement(case, "skipped", message="nothing was scored").text = notes
    totals = {"tests": len(run.cells), "failures": 0, "errors": errors, "skipped": skipped, "time": 0}
    for name, number in totals.items():
        suite.set(name, str(number))
    content: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _facts(cell: CellResult) -> list[tuple[str, str]]:
    found = []
    for name, value in cell.metrics.items():
        text = formats.score(value.value, value.scale)
        spread = f" [{formats.interval(value.interval, value.scale)}]" if value.interval else ""
        found.append((name, f"{text}{spread} n={formats.UNKNOWN if known_n(value) is None else value.n}"))
    return [*found, ("unscored", str(cell.counts.unscored)), ("no answer", str(cell.counts.no_answer))]


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
