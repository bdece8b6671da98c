"""A quick part of the grid of benchmarks/statistics, with fixed seeds."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "benchmarks" / "statistics"))

import grid  # noqa: E402

CELLS = {cell.key: cell for cell in grid.cells()}
QUICK = [
    "interval of accuracy | n 20, rate 0.99",
    "interval of macro-F1 | 2 classes, n 50, error 0.01",
    "interval of a mean over tasks | 5 x 20, rate 0.98",
    "gate of accuracy | n 100, 0.05 worse, 0.0 better, tolerance 0.05",
    "gate of accuracy | n 200, 0.1 of the wrong answers missing",
    "gate of macro-F1, 90:10 | n 100, error 0.0, 0.03 fall, 0.0 rise",
    "gate of an F of sums (chrF, ROUGE) | n 100, 0.02 collapse, noise 1",
    "gate of a mean over tasks | 3 x 100, 0.01 worse, 0.0 better",
    "gate of cost, the most known | n 50, 0.02 cost 10 times",
    "places of equal models | 5 models, n 50, rate 0.9",
    "a model that loses what it gets wrong | n 400, 0.1 of it missing",
]


@pytest.mark.parametrize("key", QUICK)
def test_errors_stay_below_their_limit(key):
    """150 seeded draws of a cell err at most as often as its limit and two standard errors."""
    result = grid.run_cell(CELLS[key], 150)
    assert not grid.broken(CELLS[key], result), result


def test_names_are_unique():
    """A cell is kept by its name."""
    assert len(CELLS) == len(list(grid.cells())) > 200


def test_the_table_has_every_cell_that_is_done():
    """What was run stands in the table, with a mark where a limit was exceeded."""
    cell = CELLS["a constant gap | n 6, gap 1.0"]
    result = grid.run_cell(cell, 3)
    text = grid.table([cell], {cell.key: result})
    assert "| n 6, gap 1.0 | 1.000 | 3 |" in text
