"""Results of promptfoo as runs: what passed, failed and broke is what it printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.core.errors import DataError
from evalkit.interop.formats import import_results
from evalkit.store.folders import StoredRun

RESULTS = Path(__file__).parent / "results" / "promptfoo" / "results.json"
"""Written by promptfoo 0.121.20 of the promptfooconfig.yaml and scripted.js beside it."""
CONTENT = json.loads(RESULTS.read_text())


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    """The imported run."""
    return import_results("promptfoo", RESULTS, tmp_path)[0][0]


def test_passed_failed_and_errors_are_those_that_promptfoo_printed(run: StoredRun) -> None:
    """7 passed, 11 failed, 2 errors; errors are unscored."""
    results = [result for cell in run.run.cells for result in run.samples(cell.slug)]
    assert sum(result.scores.get("pass") == 1 for result in results) == 7
    assert sum(result.scores.get("pass") == 0 for result in results) == 11
    assert sum(cell.counts.errors for cell in run.run.cells) == 2
    assert sum(cell.counts.unscored for cell in run.run.cells) == 2


def test_scores_of_each_prompt_are_those_of_promptfoo(run: StoredRun) -> None:
    """Sums of scores, named scores, tokens and costs, prompt by prompt."""
    cells = {(cell.model, cell.variant): cell for cell in run.run.cells}
    assert len(cells) == 4
    for place, prompt in enumerate(CONTENT["results"]["prompts"]):
        cell, said = cells[prompt["provider"], prompt["label"]], prompt["metrics"]
        results = list(run.samples(cell.slug))
        assert sum(r.scores.get("score") or 0 for r in results) == pytest.approx(said["score"])
        rows = [row for row in CONTENT["results"]["results"] if row["promptIdx"] == place]
        named = [row["namedScores"]["mentions"] for row in rows if row["namedScores"]]
        assert cell.metrics["mentions"].value == pytest.approx(sum(named) / len(named))
        assert cell.metrics["pass"].value == pytest.approx(
            said["testPassCount"] / (said["testPassCount"] + said["testFailCount"])
        )
        assert sum(r.response.usage.input or 0 for r in results) == said["tokenUsage"]["prompt"]
        assert cell.cost_usd == pytest.approx(said["cost"])


def test_prompts_and_providers_share_their_samples(run: StoredRun) -> None:
    """Variables tell samples apart, so that prompts and models are paired."""
    ids = {tuple(result.sample_id for result in run.samples(cell.slug)) for cell in run.run.cells}
    assert len(ids) == 1
    first = next(iter(run.samples(run.run.cells[0].slug)))
    assert first.target == ("3",)
    assert first.messages[0].text == "Please tell me: what is 1 + 2?"


def test_same_variables_again_are_a_repeat(tmp_path: Path) -> None:
    """promptfoo eval --repeat 2 asks each test twice."""
    content = json.loads(RESULTS.read_text())
    content["results"]["results"] *= 2
    (tmp_path / "twice.json").write_text(json.dumps(content))
    run = import_results("promptfoo", tmp_path / "twice.json", tmp_path / "out")[0][0]
    assert {cell.repeats for cell in run.run.cells} == {2}
    assert {cell.metrics["score"].n for cell in run.run.cells} == {4, 5}


@pytest.mark.parametrize(
    "content", ['{"results": []}', '{"results": {"results": [{}]}}', '{"results": {"results": 1}}']
)
def test_another_file_is_refused_by_name(content: str, tmp_path: Path) -> None:
    """The error says which file and which place in it."""
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=r"x\.json"):
        import_results("promptfoo", tmp_path / "x.json", tmp_path / "out")
