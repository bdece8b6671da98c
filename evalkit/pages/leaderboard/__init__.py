"""The leaderboard: any number of runs as one ranked table, one HTML file with the samples behind each number.

board.py     what a board is: columns, entries, standings
build.py     runs -> board
standings.py who stands where: ranks, overall scores, differences
arena.py     ratings from battles, beside the scores
rows.py      the parts of a row as the page shows them
panels.py    what stands below the table
scatter.py   quality against cost
exports.py   the board as JSON and CSV
render.py    board -> page
"""

from evalkit.pages.leaderboard.arena import Arena, find_arena, ratings_file, read_arena
from evalkit.pages.leaderboard.board import Board, Column, Entry, Facet, Standing
from evalkit.pages.leaderboard.build import build
from evalkit.pages.leaderboard.render import render, write

__all__ = [
    "Arena",
    "Board",
    "Column",
    "Entry",
    "Facet",
    "Standing",
    "build",
    "find_arena",
    "ratings_file",
    "read_arena",
    "render",
    "write",
]
