"""Broken task files, made at random: whatever stands in one, the error is ours and names the file.

120 files in a usual run; `EVALKIT_FUZZ=2000 pytest tests/test_broken_tasks.py` makes so many.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.core.errors import EvalkitError
from evalkit.tasks.discovery import list_tasks
from evalkit.tasks.schema import TaskSpec
from evalkit.tasks.task import load_task
from evalkit.workshop.checking import check_tasks

N = int(os.environ.get("EVALKIT_FUZZ") or 120)
"""Files that are made."""
SOUND: dict[str, Any] = {
    "name": "x",
    "data": {"file": "samples.jsonl"},
    "kind": "generate",
    "target": "answer",
    "prompts": {"plain": "{{ q }}", "shown": {"user": "{{ q }}", "few_shot": 1}},
    "few_shot": {"file": "few_shot.jsonl"},
    "generation": {"temperature": 0, "max_tokens": 8},
    "extract": ["first_line"],
    "metrics": ["exact_match"],
    "chance": 0.0,
}
KEYS = [field.alias or name for name, field in TaskSpec.model_fields.items()]
LINES = """\
{{
}}
{% if %}
{% for a in q %}
{{ q.__class__ }}
{{ q.nofilter() }}
{{ q | nofilter }}
{{ 1 / 0 }}
{{ missing }}
{{ range(10**9) }}
${{ part }}
${{ part.nothing }}
${{ }}
{{ self }}
{% include 'x' %}
{% import 'x' as y %}
{% macro a() %}
名前
../..
/etc/passwd
*.jsonl
answer
q
no
exact_match
number
first
generate
choice
perplexity
"""
SCRAPS = st.sampled_from(
    [*LINES.splitlines(), "", " ", "\u0000", "\ud7ff", "a" * 5000, "(" * 300, "{{ " + "(" * 300 + " }}"]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=20),
    SCRAPS,
    st.dates(),
    st.sampled_from([0, -1, 1, 10**9, float("inf"), float("nan")]),
)
NAMES = st.sampled_from([*KEYS, "user", "file", "count", "name"]) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def task_files(draw: st.DrawFn) -> str:
    """A task file with one to three faults: a key of another type, without value, misspelt, or a matrix."""
    content: dict[Any, Any] = {**SOUND, "kind": draw(st.sampled_from(["generate", "choice", "perplexity"]))}
    if content["kind"] == "choice":
        content |= {"choices": "options", "metrics": ["accuracy"]}
    if content["kind"] == "perplexity":
        content |= {"text": "q", "metrics": ["bits_per_byte"]}
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(KEYS))
        fault = draw(st.sampled_from(["value", "value", "drop", "inner", "misspell", "matrix"]))
        if fault == "value":
            content[key] = draw(VALUES)
        elif fault == "drop":
            content.pop(key, None)
        elif fault == "inner" and isinstance(content.get(key), dict) and content[key]:
            inner = draw(st.sampled_from(sorted(content[key], key=str)))
            content[key] = {**content[key], inner: draw(VALUES)}
        elif fault == "misspell":
            content[key + draw(st.text(min_size=1, max_size=2))] = draw(VALUES)
        else:
            content["matrix"] = draw(VALUES | st.just({"part": ["a", "b"]}))
            content["name"] = draw(st.sampled_from(["x", "x_${{ part }}", "${{ part.name }}"]))
    text = yaml.safe_dump(content, allow_unicode=True)
    cut = draw(st.sampled_from(["", "", "", "cycle", "half", "bytes", "tab"]))
    return {
        "": text,
        "cycle": f"metadata: &a [*a]\n{text}",
        "half": text[: len(text) // 2],
        "bytes": text + "\x01",
        "tab": text.replace("\n", "\n\t", 1),
    }[cut]


def typed(call: Callable[[], Any], file: Path) -> Any:
    """What the call gives; None where it ends in an error of ours, which must name the file."""
    try:
        return call()
    except EvalkitError as error:
        message = str(error)
    assert str(file.parent) in message
    return None


@settings(
    max_examples=N, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
@given(task_files())
@pytest.mark.filterwarnings("ignore")
def test_broken_files_end_in_typed_errors(text: str) -> None:
    """Listing, loading and checking raise errors of ours alone, and each error of the file names it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x" / "task.yaml"
        file.parent.mkdir()
        file.write_text(text, encoding="utf-8", errors="replace")
        (file.parent / "samples.jsonl").write_text(
            '{"q": "one?", "answer": "a", "options": ["a", "b"]}\n'
            '{"q": "two?", "answer": "b", "options": ["b", "c"]}\n'
        )
        (file.parent / "few_shot.jsonl").write_text('{"q": "three?", "answer": "c", "options": ["c", "d"]}\n')
        entries = typed(lambda: list_tasks([(Path(folder), "workspace")]), file)
        for entry in list((entries or {}).values())[:2]:
            task = typed(lambda entry=entry: load_task(entry), file)
            (report,) = check_tasks([entry])
            found = [finding for finding in report.findings if finding.check == "file"]
            if task is None:
                assert [finding.status for finding in found] == ["error"]
            for finding in found:
                assert finding.status == "ok" or str(file) in finding.message, finding
