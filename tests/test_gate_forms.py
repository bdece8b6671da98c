"""The forms of a verdict: JUnit XML, Markdown and JSON hold whatever a model wrote."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.gate import Gate
from evalkit.pages.gate.junit import to_junit
from evalkit.pages.gate.markdown import to_markdown
from evalkit.store.folders import StoredRun

ROWS = [{"id": f"s{n}", "question": str(n), "answer": str(n)} for n in range(60)]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task of 60 sums, made the current folder."""
    write_task(tmp_path / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(n_wrong: int = 0) -> StoredRun:
    """The run of a model that is wrong on the first samples."""
    model = MockModel(lambda r: "wrong" if int(r.sample_id[1:]) < n_wrong else r.sample_id[1:])
    return evalkit.run(models=[model], tasks=["sums"])


HOSTILE = (
    "</failure><script>x</script> | `a` @team [x](http://y) **b** \x1b[31m \x00 ]]> & \ufffe \ud800 "
    "<!--\n## h"
)


def hostile_gate() -> Gate:
    """A failed gate whose answers and ids are hostile."""
    gate = check_gate(run(20), baseline=run(), tolerance=0.02)
    (check,) = gate.checks
    change = replace(check.newly_failed[0], sample_id=HOSTILE, other_answer=HOSTILE, target=(HOSTILE,))
    name = replace(check.candidate, task=HOSTILE, model=HOSTILE)
    return replace(
        gate,
        checks=(replace(check, newly_failed=(change,), candidate=name, metric=HOSTILE),),
        notes=(HOSTILE,),
    )


def test_junit_is_read_back_whatever_the_texts_hold() -> None:
    """One test case for each check, with the counts a CI server reads, and no text becomes markup."""
    for gate in (hostile_gate(), check_gate(run(), baseline=run())):
        for strict in (False, True):
            root = ET.fromstring(to_junit(gate, strict=strict).encode())
            (suite,) = root.findall("testsuite")
            cases = suite.findall("testcase")
            assert int(suite.get("tests", "")) == len(cases) == len(gate.checks)
            for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                assert int(suite.get(attribute, "")) == len(suite.findall(f"testcase/{element}"))
            assert all(case.get("name") and case.get("classname") for case in cases)
            assert not list(root.iter("script"))
    hostile = ET.fromstring(to_junit(hostile_gate()).encode())
    failure = hostile.find("testsuite/testcase/failure")
    assert failure is not None
    assert "</failure><script>x</script>" in (failure.text or "")
    assert "\\u0000" in (failure.text or "")
    assert "\n## h" in hostile.find("testsuite/testcase").get("name", "")  # type: ignore[union-attr]


def test_inconclusive_is_skipped_and_a_failure_when_strict() -> None:
    """CI servers show inconclusive as skipped, unless it is to be red."""
    gate = check_gate(run(), baseline=run())
    assert ET.fromstring(to_junit(gate)).find("testsuite/testcase/skipped") is not None
    assert ET.fromstring(to_junit(gate, strict=True)).find("testsuite/testcase/failure") is not None


def test_markdown_has_the_verdict_first_and_foreign_text_is_text() -> None:
    """The first line is the verdict; samples are folded; nothing of a model's can be markup or a mention."""
    text = to_markdown(hostile_gate())
    assert text.startswith("### ❌ evalkit gate: FAIL\n")
    assert "<details><summary>20 newly failed" in text
    for forbidden in ("<script>", "@team", "](http", "**b**", "\x1b", "\x00", "<!--", "\n## h"):
        assert forbidden not in text
    table = [line for line in text.splitlines() if line.startswith("| ") and "fail" in line]
    assert all(line.count("|") == 11 for line in table if "❌" in line)


def test_markdown_of_a_comparison_that_cannot_be_made_names_each_difference(workspace: Path) -> None:
    """The reader sees what differs and what to do."""
    base = run()
    write_task(workspace / "tasks" / "sums", ROWS[:50], prompts={"plain": "Sum: {{ question }}"})
    text = to_markdown(check_gate(run(), baseline=base))
    assert text.startswith("### ⛔ evalkit gate: NOT COMPARABLE")
    assert "**data**" in text
    assert "**prompt**" in text
    root = ET.fromstring(to_junit(check_gate(run(), baseline=base)))
    assert len(root.findall("testsuite/testcase/error")) >= 2


def test_a_gate_is_one_json_document() -> None:
    """The record is JSON as it stands, the verdict first."""
    content = json.loads(orjson.dumps(check_gate(run(), baseline=run())))
    assert next(iter(content)) == "verdict"
