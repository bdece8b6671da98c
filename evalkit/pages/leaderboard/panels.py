"""What stands below the table without a script: methods and runs."""

from __future__ import annotations

from evalkit.comparing.findings.family import ALPHA
from evalkit.core.records import CellResult
from evalkit.pages.leaderboard.board import ALL, DEFAULT_VIEW, Board
from evalkit.pages.tasks import TaskPanel


def method_panels(board: Board) -> list[TaskPanel]:
    """One panel for each task, by its primary column."""
    cells: dict[str, list[CellResult]] = {column.id: [] for column in board.columns}
    for (_, id, _), entry in board.entries.items():
        cells[id].append(entry.cell)
    return [TaskPanel.of(column.info, cells[column.id]) for column in board.columns if column.primary]


def floorless_columns(board: Board) -> list[str]:
    """The columns of the overall score of which no chance level is known, so that they count from 0."""
    averaged = set(board.common[DEFAULT_VIEW, ALL])
    return [column.id for column in board.columns if column.id in averaged and column.floor_assumed]


def unpaired_columns(board: Board) -> list[str]:
    """The columns whose models are compared by their errors alone, since they share no scores by sample."""
    return [
        column.id
        for column in board.columns
        if (field := board.fields.get((column.id, column.variants[0]))) is not None
        and len(field.models) > 1
        and field.found.method == "errors"
    ]


def inseparable_columns(board: Board) -> list[tuple[str, int]]:
    """The columns, with their samples, that are too few to set any two models apart, whatever is answered.

    The smallest p of a pair is 2^-n, before the correction for all pairs of the board.
    """
    n_tests = sum(len(field.models) * (len(field.models) - 1) for field in board.fields.values())
    found = []
    for column in board.columns:
        field = board.fields.get((column.id, column.variants[0]))
        table = None if field is None else field.found.table
        if field is not None and table is not None and len(field.models) > 1:
            n = table.values.shape[1] if table.labels is None else len(set(table.labels))
            if n_tests * 2.0 ** -min(n, 1000) > ALPHA:
                found.append((column.id, n))
    return found
