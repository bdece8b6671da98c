"""Logs of Inspect as runs: the numbers are those that it counted."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.comparing.comparison import compare
from evalkit.core.errors import DataError
from evalkit.interop.formats import import_results
from evalkit.store.folders import StoredRun, load_run

LOGS = Path(__file__).parent / "results" / "inspect"
"""Written by Inspect 0.3.285 through results/make_inspect.py; printed.json has its numbers."""
PRINTED = json.loads((LOGS / "printed.json").read_text())


def read(path: Path, out: Path) -> StoredRun:
    """The only run of the log, read back from its folder."""
    runs, _ = import_results("inspect", path, out)
    assert len(runs) == 1
    return load_run(runs[0].folder)


@pytest.mark.parametrize("name", ["own_sums.json", "own_sums.eval", "own_choices.json"])
def test_numbers_are_those_of_inspect(name: str, tmp_path: Path) -> None:
    """Value and standard error of each scorer, in both forms of the log."""
    cell = read(LOGS / name, tmp_path).run.cells[0]
    for scorer, value in cell.metrics.items():
        assert value.value == pytest.approx(PRINTED[cell.task][f"{scorer}/accuracy"])
        assert value.stderr == pytest.approx(PRINTED[cell.task][f"{scorer}/stderr"])
        assert value.interval is not None


def test_failed_samples_are_unscored_and_counted(tmp_path: Path) -> None:
    """What Inspect leaves out of its mean stands beside it: two of sixteen calls failed."""
    run = read(LOGS / "own_sums.eval", tmp_path)
    counts = run.run.cells[0].counts
    assert (counts.samples, counts.scored, counts.unscored, counts.errors) == (16, 14, 2, 2)
    assert run.run.status == "incomplete"
    failed = [result for result in run.samples(run.run.cells[0].slug) if result.unscored_reason]
    assert {result.sample_id for result in failed} == {"sum-6"}
    assert failed[0].response.error is not None
    assert "the scripted server is down" in failed[0].response.error.message


def test_samples_stand_in_the_order_of_the_data_with_their_repeats(tmp_path: Path) -> None:
    """Epochs are repeats; prompt, answer, tokens and time come along."""
    run = read(LOGS / "own_sums.eval", tmp_path)
    results = list(run.samples(run.run.cells[0].slug))
    assert [(r.sample_id, r.repeat) for r in results[:3]] == [("sum-0", 0), ("sum-0", 1), ("sum-1", 0)]
    first = results[0]
    assert [message.role for message in first.messages] == ["system", "user"]
    assert (first.response.text, first.answer, first.target) == ("It is 0.", "0", ("0",))
    assert (first.response.usage.input, first.response.usage.output) == (20, 5)
    assert first.metadata == {"n": 0}


def test_both_forms_tell_the_same(tmp_path: Path) -> None:
    """zstd or not: the same cells and samples."""
    one, two = (read(LOGS / f"own_sums.{form}", tmp_path / form) for form in ("json", "eval"))
    assert one.run.cells == two.run.cells
    slug = one.run.cells[0].slug
    assert list(one.samples(slug)) == list(two.samples(slug))


def test_two_logs_are_compared_pair_by_pair(tmp_path: Path) -> None:
    """What Inspect does not do: a paired difference between two of its logs."""
    content = json.loads((LOGS / "own_choices.json").read_text())
    content["eval"]["model"] = "own/other"
    for sample in content["samples"]:
        sample["scores"]["choice"]["value"] = "C"
    content["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 1.0
    (tmp_path / "other.json").write_text(json.dumps(content))
    base = read(LOGS / "own_choices.json", tmp_path / "out")
    other = read(tmp_path / "other.json", tmp_path / "out")
    found = compare(base, other, by="model").differences[0]
    assert found.difference == pytest.approx(1 - PRINTED["own_choices"]["choice/accuracy"])
    assert (found.wins, found.losses, found.n) == (2, 0, 6)


def test_a_deflated_archive_and_one_that_was_cut_off_are_read(tmp_path: Path) -> None:
    """Without header.json the eval did not end: what is there is there, and the rest is unscored."""
    content = json.loads((LOGS / "own_sums.json").read_text())
    with zipfile.ZipFile(tmp_path / "cut.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_journal/start.json", json.dumps({k: content[k] for k in ("version", "eval", "plan")})
        )
        for sample in content["samples"][:3]:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    run = read(tmp_path / "cut.eval", tmp_path / "out").run
    assert (run.cells[0].counts.samples, run.cells[0].counts.scored) == (16, 3)
    assert run.status == "incomplete"
    assert run.errors == {"own/scripted": "Inspect's log says: started"}


@pytest.mark.parametrize(
    ("value", "score"),
    [("C", 1.0), ("P", 0.5), ("N", 0.0), ("yes", 1.0), (True, 1.0), ("0.25", 0.25), ("NaN", None)],
)
def test_scores_count_as_in_inspect(value: object, score: float | None, tmp_path: Path) -> None:
    """Letters, truths and numbers; what is no score is unscored, not 0."""
    content = json.loads((LOGS / "own_choices.json").read_text())
    content["samples"] = content["samples"][:1]
    content["samples"][0]["scores"]["choice"]["value"] = value
    (tmp_path / "log.json").write_text(json.dumps(content))
    run = read(tmp_path / "log.json", tmp_path / "out")
    result = next(iter(run.samples(run.run.cells[0].slug)))
    assert result.scores["choice"] == score
    assert (result.unscored_reason is None) == (score is not None)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_archive_is_named(damage: str, tmp_path: Path) -> None:
    """The error says which file, and which member of it."""
    content = bytearray((LOGS / "own_sums.eval").read_bytes())
    if damage == "flipped":
        content[2000:2400] = bytes(400)
    (tmp_path / "log.eval").write_bytes({"cut": content[:500], "flipped": content, "empty": b""}[damage])
    with pytest.raises(DataError, match=r"log\.eval"):
        read(tmp_path / "log.eval", tmp_path / "out")


def test_a_log_that_claims_more_than_its_samples_is_said(tmp_path: Path) -> None:
    """0.93 over samples that average otherwise, and an id that stands twice: told in the terminal."""
    log = json.loads((LOGS / "own_sums.json").read_text())
    for score in log["results"]["scores"]:
        for metric in score["metrics"].values():
            metric["value"] = 0.93
    log["samples"].append({**log["samples"][0]})
    (tmp_path / "log.json").write_text(json.dumps(log))
    place = ["import", "inspect", str(tmp_path / "log.json"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, place, standalone_mode=False)
    assert done.exception is None
    said = " ".join(done.output.split())
    assert "the tool reports 0.93" in said
    assert "stand unequally often" in said
