"""Findings: what the samples of cells say. One answer to value, interval, difference, verdict and places.

cells.py        a stored cell read once
pairing.py      two cells made into pairs of samples
definitions.py  the metric that made a stored number, found again
decisions.py    pairs -> the decision that the statistics reach on them
fields.py       cells that compete on the same samples: every pair of them
overall.py      the mean over tasks: its interval, and the differences of models in it
family.py       what is shown together is corrected together: adjusted p-values, verdicts and places

A run's table, its report, the leaderboard, compare and the exports say what stands here, and nothing else.
"""

from evalkit.comparing.findings.family import Findings, adjust, find
from evalkit.comparing.findings.fields import Contender, Field, Shares, contend, make_field, shares_of
from evalkit.comparing.findings.overall import Overall, Part, Row, make_overall, overall_interval

__all__ = [
    "Contender",
    "Field",
    "Findings",
    "Overall",
    "Part",
    "Row",
    "Shares",
    "adjust",
    "contend",
    "find",
    "make_field",
    "make_overall",
    "overall_interval",
    "shares_of",
]
