"""Models of every architecture in one run: each does what it can, and says why it does not do the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import evalkit
from evalkit.core.records import CellResult, Run
from evalkit.pages.terminal.console import print_run

TASKS = ("everyday_choice_en", "language_modelling_en", "sentiment_en")
FAMILIES = ("gpt2", "t5", "bert", "classifier")


@pytest.fixture(scope="module")
def run(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four architectures on three bundled tasks, two samples each."""
    folder = tmp_path_factory.mktemp("zoo")
    models = [f"hf/{tiny_model(family)}" for family in FAMILIES]
    return evalkit.run(models, TASKS, limit=2, cache="off", out=folder, params={"device": "cpu"}).run


def cell(run: Run, family: str, task: str) -> CellResult:
    """The cell of a family on a task."""
    return next(one for one in run.cells if one.task == task and one.model.endswith(family))


def test_what_a_model_can_do_is_scored(run: Run) -> None:
    """Decoders do all three tasks, the others those of their kind; nothing fails."""
    assert run.status == "complete"
    scored = {(one.model.rpartition("/")[2], one.task) for one in run.cells if one.counts.scored == 2}
    assert scored == {
        ("gpt2", "everyday_choice_en"), ("gpt2", "language_modelling_en"), ("gpt2", "sentiment_en"),
        ("t5", "everyday_choice_en"), ("t5", "sentiment_en"),
        ("bert", "everyday_choice_en"), ("bert", "language_modelling_en"),
        ("classifier", "sentiment_en"),
    }  # fmt: skip


def test_pseudo_perplexity_is_not_measured_alike(run: Run) -> None:
    """The signature of a masked model's numbers says pll, so that nothing compares them with others."""
    signatures = {
        family: cell(run, family, "language_modelling_en").metrics["bits_per_byte"].signature
        for family in ("gpt2", "bert")
    }
    assert signatures["bert"] == f"{signatures['gpt2']}|likelihoods:pll"


@pytest.mark.parametrize(
    ("family", "task", "why"),
    [
        ("t5", "language_modelling_en", "gives likelihoods of answers only, not of whole texts"),
        ("bert", "sentiment_en", "writes no text"),
        ("classifier", "language_modelling_en", "a classification head gives no likelihood of a text"),
        ("classifier", "everyday_choice_en", "the options differ between samples"),
    ],
)
def test_what_a_model_cannot_do_has_a_reason(run: Run, family: str, task: str, why: str) -> None:
    """A cell that is not asked is unscored, fails no call, and its note says why."""
    found = cell(run, family, task)
    assert (found.counts.unscored, found.counts.errors) == (2, 0)
    assert any(note.startswith("not asked: ") and note.endswith(why) for note in found.notes)


def test_table_marks_and_explains(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The table marks pseudo-log-likelihoods, explains the mark, and says why models were not asked."""
    print_run(run)
    shown = " ".join(capsys.readouterr().out.split())
    assert "pll: pseudo-log-likelihoods of a masked model" in shown
    assert "sentiment_en: " in shown
    assert "writes no text" in shown
    assert "a classification head gives no likelihood of a text" in shown
