"""Pages that may be shown to those who may not read the data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_runs import TASKS, ReadRun, build_run
from shard_reader import read_shards

from evalkit.comparing.comparison import compare
from evalkit.core.records import Judgement, Response
from evalkit.pages import leaderboard, report
from evalkit.pages.comparison.page import render
from evalkit.pages.redaction import redact_result
from evalkit.pages.shards import verdict

SECRET = "xq-secret-7719"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReadRun:
    """A run in which every text holds a secret."""
    items = tuple(
        replace(item, question=f"{SECRET} {item.question}", target=f"{SECRET}{i}", wrong=f"{SECRET} no")
        for i, item in enumerate(TASKS[0].items)
    )
    task = replace(TASKS[0], items=items, prompts={"zero_shot": f"{SECRET} {{{{ question }}}}"})
    choice = TASKS[2]
    options = tuple(
        replace(item, choices=tuple(f"{SECRET} {c}" for c in item.choices), target=f"{SECRET} {item.target}",
                wrong=f"{SECRET} {item.wrong}", question=SECRET)
        for item in choice.items
    )  # fmt: skip
    made = (task, replace(choice, items=options, prompts={"zero_shot": SECRET}))
    found = build_run(tmp_path_factory.mktemp("runs"), "r", tasks=made, n=8)
    for cell in found.run.cells:
        found.read[cell.slug] = [_with_judge(result) for result in found.samples(cell.slug)]
    return found


def _with_judge(result: Any) -> Any:
    said = Judgement("judge/x", "CORRECT", 1.0, SECRET, (SECRET,), message=SECRET)
    parts = (Response(text=SECRET, reasoning=SECRET),)
    response = replace(result.response, judgements={"judge": said}, parts=parts)
    return replace(result, response=response, metadata={"note": SECRET, "deep": [{"a": SECRET}], "n": 3})


def test_no_text_of_the_data_is_in_a_redacted_report(run: ReadRun) -> None:
    """Neither in the document nor in its compressed samples; without redaction it is in both."""
    html = report.render(run, redact=True)
    assert SECRET not in html
    assert SECRET not in json.dumps(read_shards(html))
    whole = report.render(run)
    assert SECRET in whole
    assert SECRET in json.dumps(read_shards(whole))


def test_no_text_of_the_data_is_in_a_redacted_leaderboard(run: ReadRun, tmp_path: Path) -> None:
    """The same for the board and the files beside it."""
    page = leaderboard.write([run], tmp_path / "board", redact=True)
    assert SECRET not in json.dumps(read_shards(page.read_text()))
    for file in page.parent.iterdir():
        assert SECRET not in file.read_text(), file.name


def test_no_text_of_the_data_is_in_a_redacted_comparison(run: ReadRun) -> None:
    """Neither in the samples that it names, nor in its prompts and slices, nor in the packed samples."""
    found = compare(run, by="model", slices=["note"])
    html = render(found, runs=[run], redact=True)
    assert SECRET not in html
    assert SECRET not in json.dumps(read_shards(html))
    assert SECRET not in render(found, redact=True)
    named = [change for item in found.differences for change in item.newly_failed]
    assert named
    assert all(change.sample_id in html for change in named)
    whole = render(found, runs=[run])
    assert SECRET in whole
    assert SECRET in json.dumps(read_shards(whole))


def test_scores_verdicts_and_counts_stay(run: ReadRun) -> None:
    """Only texts are gone."""
    plain, redacted = read_shards(report.render(run)), read_shards(report.render(run, redact=True))
    keys = ("v", "scores", "usage", "cost", "latency", "status", "rule")
    for one, other in zip(plain, redacted, strict=True):
        for sample, without in zip(one["samples"], other["samples"], strict=True):
            assert sample["id"] == without["id"]
            for a, b in zip(sample["answers"], without["answers"], strict=True):
                assert [a.get(key) for key in keys] == [b.get(key) for key in keys]


def test_a_redacted_result_has_the_verdict_it_had(run: ReadRun) -> None:
    """The page says the same of it; the right option is still told from others of its length."""
    for cell in run.run.cells:
        metric = cell.metrics[run.run.tasks[cell.task].headline]
        for result in run.samples(cell.slug):
            other = redact_result(result)
            headline = run.run.tasks[cell.task].headline
            assert verdict(other, headline, metric) == verdict(result, headline, metric)
            assert len(set(other.choices)) == len(result.choices)
            right = [choice in result.target for choice in result.choices]
            assert [choice in other.target for choice in other.choices] == right
