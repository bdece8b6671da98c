"""Judging: what a model that grades answers is told, and how its reply is read.

scales.py     the verdicts that are allowed, and what each is worth
rubrics.py    what a judge is told: ready-made prompts (prompts/*.md) or the user's own
fences.py     the marks around what is judged, so that it is not taken for instructions
replies.py    from a judge's reply to its verdict
tally.py      what the judging of a cell took
"""

from evalkit.metrics.judging.fences import fence
from evalkit.metrics.judging.replies import read_verdict
from evalkit.metrics.judging.rubrics import READY_MADE, Rubric, make_rubric
from evalkit.metrics.judging.scales import Labels, Points, Scale
from evalkit.metrics.judging.tally import JudgeTally

__all__ = [
    "READY_MADE",
    "JudgeTally",
    "Labels",
    "Points",
    "Rubric",
    "Scale",
    "fence",
    "make_rubric",
    "read_verdict",
]
