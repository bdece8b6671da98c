"""AlpacaEval's annotations as runs of win rates."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evalkit.core.errors import DataError
from evalkit.interop.formats import import_results
from evalkit.store.folders import StoredRun


def annotation(number: int, preference: Any) -> dict[str, Any]:
    """A row as AlpacaEval writes it."""
    return {
        "instruction": f"Name {number} stars.",
        "output_1": "Sirius",
        "generator_1": "base",
        "output_2": "Vega",
        "generator_2": "mine",
        "dataset": "own",
        "annotator": "judge",
        "preference": preference,
    }


def read(folder: Path, rows: Any) -> StoredRun:
    """The run of a file with these rows."""
    (folder / "annotations.json").write_text(json.dumps(rows))
    return import_results("alpaca-eval", folder / "annotations.json", folder / "out")[0][0]


def test_win_rate_counts_draws_half_and_leaves_out_what_has_no_preference(tmp_path: Path) -> None:
    """2 is a win, 1 a loss, 0 and 1.5 draws, between them a weighted vote; null is unscored."""
    preferences = [2, 1, 0, 1.5, 1.9, None]
    run = read(tmp_path, [annotation(n, preference) for n, preference in enumerate(preferences)])
    cell = run.run.cells[0]
    assert (cell.model, cell.variant) == ("mine", "against base")
    assert cell.metrics["win_rate"].value == pytest.approx((1 + 0 + 0.5 + 0.5 + 0.9) / 5)
    assert (cell.metrics["win_rate"].n, cell.counts.unscored) == (5, 1)


def test_outputs_alone_wait_for_a_judge(tmp_path: Path) -> None:
    """They make a run without a score: unknown, not 0."""
    run = read(tmp_path, [{"instruction": "Name a star.", "output": "Vega", "generator": "mine"}])
    assert run.run.cells[0].metrics["win_rate"].value is None
    assert run.run.status == "incomplete"


@pytest.mark.parametrize("preference", [3, "2", True, -1])
def test_a_preference_that_is_none_is_refused_with_its_row(preference: Any, tmp_path: Path) -> None:
    """The error says which row."""
    with pytest.raises(DataError, match="row 2: preference"):
        read(tmp_path, [annotation(1, 2), annotation(2, preference)])


# results/<model>/alpaca_eval_gpt4 and its leaderboard.csv, tatsu-lab/alpaca_eval, commit cd543a14.
PUBLISHED = {
    "alpaca-7b": (26.459627329192543, 1.535711469748),
    "claude-2": (91.35572139303484, 0.9897323784650),
}


@pytest.mark.realdata
@pytest.mark.parametrize("model", PUBLISHED)
def test_published_win_rates(model: str, tmp_path: Path) -> None:
    """Win rate and standard error are those of AlpacaEval's leaderboard."""
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    file = Path(os.environ.get("EVALKIT_REALDATA") or shared) / "alpaca_eval" / "judge_v1" / f"{model}.json"
    if not file.is_file():
        pytest.skip("no folder of real benchmark data; set EVALKIT_REALDATA")
    cell = import_results("alpaca-eval", file, tmp_path)[0][0].run.cells[0]
    win_rate, stderr = PUBLISHED[model]
    assert 100 * (cell.metrics["win_rate"].value or 0) == pytest.approx(win_rate, abs=1e-9)
    assert 100 * (cell.metrics["win_rate"].stderr or 0) == pytest.approx(stderr, abs=1e-9)
