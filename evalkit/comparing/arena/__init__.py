"""The arena: models against each other, pair by pair, as a judge or people decided.

battles.py    one decision between two answers, and the files that hold such decisions
asking.py     a judge decides between the answers of runs
ratings.py    from decisions to ratings, win rates and places
page.py       the HTML page
"""

from evalkit.comparing.arena.asking import Pairing, ask_battles, pair_runs
from evalkit.comparing.arena.battles import Battle, read_battles, write_battles
from evalkit.comparing.arena.ratings import PairRate, Rated, Ratings, rate

__all__ = [
    "Battle",
    "PairRate",
    "Pairing",
    "Rated",
    "Ratings",
    "ask_battles",
    "pair_runs",
    "rate",
    "read_battles",
    "write_battles",
]
