"""Published win rates, from the annotations that they were made of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalkit.comparing.arena import rate, read_battles

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def annotations() -> Path:
    """The folder of AlpacaEval's annotations; skips where it is absent."""
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("EVALKIT_REALDATA") or shared) / "alpaca_eval" / "judge_v1"
    if not folder.is_dir():
        pytest.skip("no folder of real benchmark data; set EVALKIT_REALDATA")
    return folder


# results/<model>/alpaca_eval_gpt4 and its leaderboard.csv, tatsu-lab/alpaca_eval, commit cd543a14.
PUBLISHED = {
    "alpaca-7b": (26.459627329192543, 1.535711469748, 805),
    "claude-2": (91.35572139303484, 0.9897323784650, 804),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_alpaca_evals_leaderboard(annotations: Path, model: str) -> None:
    """Win rate, standard error and n are the leaderboard's."""
    pair = rate(read_battles(annotations / f"{model}.json")).pair(model, "text_davinci_003")
    assert pair is not None
    win_rate, stderr, n = PUBLISHED[model]
    assert pair.win_rate == pytest.approx(win_rate, abs=1e-9)
    assert pair.stderr == pytest.approx(stderr, abs=1e-9)
    assert pair.n == n
