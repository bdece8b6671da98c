"""Statistics: arrays in, numbers out. Pure functions that know no records and read no files."""

from evalkit.stats.arena import Arena, bradley_terry
from evalkit.stats.contributions import Contributions, contributions, floor_contributions
from evalkit.stats.gaffke import gaffke_interval, gaffke_p_greater, gaffke_p_less
from evalkit.stats.interval import Interval
from evalkit.stats.jackknife import corpus_interval, jackknife_interval
from evalkit.stats.mcnemar import McNemar, mcnemar
from evalkit.stats.means import macro_interval, macro_test, mean_interval, mean_stderr, t_interval
from evalkit.stats.multiplicity import all_pass, benjamini_hochberg, holm
from evalkit.stats.power import Plan, mde, plan, sd_of_discordance
from evalkit.stats.ranks import rank_sets, rank_sets_covariance
from evalkit.stats.repeats import RepeatVariance, repeat_variance
from evalkit.stats.resampling import bootstrap_interval, randomisation_p
from evalkit.stats.sequential import EProcess, Sequential, confidence_sequence, sequential_verdict
from evalkit.stats.verdicts import (
    Decision,
    corpus_decision,
    decide,
    floor_decision,
    gate_decision,
    gate_verdict,
    mean_decision,
)

__all__ = [
    "Arena",
    "Contributions",
    "Decision",
    "EProcess",
    "Interval",
    "McNemar",
    "Plan",
    "RepeatVariance",
    "Sequential",
    "all_pass",
    "benjamini_hochberg",
    "bootstrap_interval",
    "bradley_terry",
    "confidence_sequence",
    "contributions",
    "corpus_decision",
    "corpus_interval",
    "decide",
    "floor_contributions",
    "floor_decision",
    "gaffke_interval",
    "gaffke_p_greater",
    "gaffke_p_less",
    "gate_decision",
    "gate_verdict",
    "holm",
    "jackknife_interval",
    "macro_interval",
    "macro_test",
    "mcnemar",
    "mde",
    "mean_decision",
    "mean_interval",
    "mean_stderr",
    "plan",
    "randomisation_p",
    "rank_sets",
    "rank_sets_covariance",
    "repeat_variance",
    "sd_of_discordance",
    "sequential_verdict",
    "t_interval",
]
