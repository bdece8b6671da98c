"""What stands below the table without a script: methods and runs."""

from __future__ import annotations

from evalkit.leaderboard.board import ALL, DEFAULT_VIEW, Board
from evalkit.pages.tasks import TaskPanel
from evalkit.records import CellResult


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
