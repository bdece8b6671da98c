"""Faults that somebody could make by hand and that no test once noticed, each with the test that now does."""

from __future__ import annotations

from dataclasses import dataclass

OBSTACLES = "tests/gate/test_obstacles.py"
EARLY = "tests/gate/test_early.py"
PAIRING = "tests/findings/test_pairing.py"


@dataclass(frozen=True)
class Fault:
    """A change of a file that makes evalkit wrong."""

    name: str
    path: str
    old: str
    new: str
    test: str


FAULTS = (
    Fault(
        "half of the samples in common are enough",
        "evalkit/gate/rules.py",
        "MIN_OVERLAP = 0.9",
        "MIN_OVERLAP = 0.5",
        f"{OBSTACLES}::test_nine_in_ten_samples_must_be_in_both_runs",
    ),
    Fault(
        "the missing share is of the samples that are known",
        "evalkit/gate/obstacles.py",
        "    n = stored.n_planned\n",
        "    n = len(stored.facts)\n",
        f"{OBSTACLES}::test_what_was_planned_and_never_came_is_missing",
    ),
    Fault(
        "the missing share is of the samples that have a score",
        "evalkit/gate/obstacles.py",
        "return (n - known) / n, cause",
        "return (n - known) / max(known, 1), cause",
        f"{OBSTACLES}::test_what_was_planned_and_never_came_is_missing",
    ),
    Fault(
        "early stop: checks without a test leave the family",
        "evalkit/gate/early.py",
        "*[1.0] * rest])",
        "*[1.0] * 0])",
        f"{EARLY}::test_a_run_that_ended_early_for_a_failure_has_failed",
    ),
    Fault(
        "early stop: a cluster counts as one sample",
        "evalkit/gate/early.py",
        "weight = len(results) / cell.largest",
        "weight = 1.0",
        f"{EARLY}::test_an_early_stop_weighs_a_cluster_by_its_samples",
    ),
    Fault(
        "early stop: PASS though a check has no test",
        "evalkit/gate/early.py",
        'if self.rules.early_stop != "both" or rest:',
        'if self.rules.early_stop != "both":',
        f"{EARLY}::test_a_run_ends_early_for_a_pass_only_where_every_check_is_watched",
    ),
    Fault(
        "early stop: a missing repeat is averaged away",
        "evalkit/gate/early.py",
        "if any(result.unscored_reason is not None for result in group):",
        "if all(result.unscored_reason is not None for result in group):",
        f"{EARLY}::test_a_sample_with_a_lost_repeat_is_missing_in_an_early_stop",
    ),
    Fault(
        "a missing repeat is averaged away",
        "evalkit/comparing/findings/pairing.py",
        "values[sample_id] if sample_id in values and not cell.facts[sample_id].missing else np.nan",
        "values[sample_id] if sample_id in values else np.nan",
        f"{PAIRING}::test_a_sample_with_a_lost_repeat_is_missing[exact_match]",
    ),
    Fault(
        "a missing repeat of a metric of the corpus is averaged away",
        "evalkit/comparing/findings/pairing.py",
        "sums[~seen | np.array(missing)] = np.nan",
        "sums[~seen] = np.nan",
        f"{PAIRING}::test_a_sample_with_a_lost_repeat_is_missing[chrf]",
    ),
    Fault(
        "Student's t on few values without bounds",
        "evalkit/comparing/findings/decisions.py",
        "    return evidence_decision(pair_evidence(pairs, log), size, alpha, target)\n",
        "    if len(pairs.ids) < 50:\n"
        "        from scipy.stats import ttest_1samp\n\n"
        "        d = pairs.other - pairs.base\n"
        "        p = [float(ttest_1samp(d, -size, alternative=a).pvalue) for a in ('less', 'greater')]\n"
        "        word = 'fail' if p[0] <= alpha else 'pass' if p[1] <= alpha else 'inconclusive'\n"
        "        return Decision(word, p[0], p[1], float(d.mean()), None, None, len(d), 0, None)\n"
        "    return evidence_decision(pair_evidence(pairs, log), size, alpha, target)\n",
        f"{PAIRING}::test_few_values_without_bounds_have_no_verdict",
    ),
    Fault(
        "values without bounds are judged from the second on",
        "evalkit/stats/influence.py",
        "N_APPROXIMATE = 50",
        "N_APPROXIMATE = 2",
        f"{PAIRING}::test_few_values_without_bounds_have_no_verdict",
    ),
    Fault(
        "an answer does not end a row of failures",
        "evalkit/running/executors/breaker.py",
        "        self._answered = True\n        self._row = 0\n",
        "        self._answered = True\n",
        "tests/executors/test_breaker.py::test_an_answer_ends_a_row_of_failures",
    ),
    Fault(
        "cached tokens are charged twice",
        "evalkit/models/usage.py",
        "return (usage.input - cached) * price.input",
        "return usage.input * price.input",
        "tests/models/test_usage.py::test_each_token_is_charged_once",
    ),
    Fault(
        "what the cached parts of a sample cost is forgotten",
        "evalkit/running/scoring.py",
        "                if part.from_cache:\n",
        "                if False:\n",
        "tests/test_scoring.py::test_cached_parts_of_a_sample_are_told_apart",
    ),
)
