"""Statistics: arrays in, numbers out. Pure functions that know no records and read no files."""

from evalkit.stats.arena import Arena, bradley_terry
from evalkit.stats.contributions import Contributions, contributions, floor_contributions
from evalkit.stats.evidence import (
    Evidence,
    Stratum,
    Summary,
    make_evidence,
    pool,
    pool_centred,
    pool_summaries,
)
from evalkit.stats.gaffke import gaffke_interval, gaffke_p_greater, gaffke_p_less
from evalkit.stats.influence import Corpus, CorpusEvidence, corpus_evidence, linear_evidence, paired_evidence
from evalkit.stats.interval import Interval
from evalkit.stats.jackknife import corpus_interval
from evalkit.stats.means import macro_interval, mean_interval, mean_stderr, t_interval
from evalkit.stats.multiplicity import benjamini_hochberg, holm
from evalkit.stats.power import Plan, mde, plan, sd_of_discordance
from evalkit.stats.ranks import better_of, better_p, places_of, rank_sets, rank_sets_covariance
from evalkit.stats.repeats import RepeatVariance, repeat_variance
from evalkit.stats.sequential import EProcess, Sequential, confidence_sequence, sequential_verdict
from evalkit.stats.verdicts import (
    Decision,
    corpus_decision,
    decide,
    evidence_decision,
    floor_decision,
    floor_evidence,
    gate_decision,
    gate_verdict,
    increase_decision,
)

__all__ = [
    "Arena",
    "Contributions",
    "Corpus",
    "CorpusEvidence",
    "Decision",
    "EProcess",
    "Evidence",
    "Interval",
    "Plan",
    "RepeatVariance",
    "Sequential",
    "Stratum",
    "Summary",
    "benjamini_hochberg",
    "better_of",
    "better_p",
    "bradley_terry",
    "confidence_sequence",
    "contributions",
    "corpus_decision",
    "corpus_evidence",
    "corpus_interval",
    "decide",
    "evidence_decision",
    "floor_contributions",
    "floor_decision",
    "floor_evidence",
    "gaffke_interval",
    "gaffke_p_greater",
    "gaffke_p_less",
    "gate_decision",
    "gate_verdict",
    "holm",
    "increase_decision",
    "linear_evidence",
    "macro_interval",
    "make_evidence",
    "mde",
    "mean_interval",
    "mean_stderr",
    "paired_evidence",
    "places_of",
    "plan",
    "pool",
    "pool_centred",
    "pool_summaries",
    "rank_sets",
    "rank_sets_covariance",
    "repeat_variance",
    "sd_of_discordance",
    "sequential_verdict",
    "t_interval",
]
