"""The report of one run: one HTML file with its numbers and the samples behind them.

cells.py     the run's cells as the rows of the page
observed.py  what the samples of a cell show beyond its means
charts.py    the numbers behind the drawings
tables.py    the main table as Markdown, LaTeX and CSV
render.py    run -> page
"""

from evalkit.pages.report.cells import best_slugs
from evalkit.pages.report.render import render, write
from evalkit.pages.report.tables import FORMS, write_table

__all__ = ["FORMS", "best_slugs", "render", "write", "write_table"]
