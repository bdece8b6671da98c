"""Metrics of a model's confidence in its choice: Brier score, calibration error, AUROC, selective accuracy.

The probabilities of the options are the softmax of their loglikelihoods (`by: characters` or `bytes` divides
them by the options' lengths first), as in HELM and in lm-evaluation-harness' brier_score. Where the model
gave no loglikelihoods the sample is unscored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from evalkit.core.errors import MetricError
from evalkit.core.records import Loglikelihood, Scale
from evalkit.metrics.base import Array, Case, Context, Metric, check_choice, sign


def option_probabilities(
    loglikelihoods: Sequence[Loglikelihood], choices: Sequence[str], by: str = "sum"
) -> list[float] | None:
    """The softmax over options of their loglikelihoods, summed or by length; None without one for each."""
    if not choices or len(loglikelihoods) != len(choices):
        return None
    values = [ll.logprob for ll in loglikelihoods]
    if by != "sum":
        lengths = [len(c.encode()) if by == "bytes" else len(c) for c in choices]
        values = [value / max(length, 1) for value, length in zip(values, lengths, strict=True)]
    top = max(values)
    if top == -math.inf:
        return [1.0 / len(values)] * len(values)
    weights = [math.exp(value - top) for value in values]
    total = sum(weights)
    return [weight / total for weight in weights]


class Confidence(Metric):
    """A metric of the probabilities that a model gives to the options."""

    kinds: ClassVar[frozenset[str]] = frozenset({"choice"})

    def __init__(self, context: Context, *, name: str, by: str) -> None:
        self.name = name
        self.by = check_choice(name, "by", by, ("sum", "characters", "bytes"))

    def probabilities(self, case: Case) -> list[float] | None:
        """The normalised probability of each option; None without loglikelihoods."""
        if not case.gold:
            raise MetricError(f"metric {self.name!r}: a choice sample says which options are right in `gold`")
        return option_probabilities(case.response.loglikelihoods, case.choices, self.by)

    def judged(self, case: Case) -> tuple[float, ...]:
        """(probability of the likeliest option, 1 when it is right else 0); () without loglikelihoods."""
        found = self.probabilities(case)
        if found is None:
            return ()
        best = max(range(len(found)), key=found.__getitem__)
        return (found[best], float(best in case.gold))


class Brier(Confidence):
    """The squared distance of the probabilities from the truth, summed over options; 0 to 2, lower is better.

    G. Brier, "Verification of forecasts expressed in terms of probability", 1950; lm-eval's brier_score. With
    several right options the truth gives each an equal share.
    """

    higher_is_better = False
    scale: Scale = "unbounded"
    bounds: tuple[float, float] | None = (0.0, 2.0)

    def __init__(self, context: Context, *, name: str = "brier", by: str = "sum") -> None:
        super().__init__(context, name=name, by=by)
        self.signature = sign("brier", by=self.by, v=1)

    def score(self, case: Case) -> float | None:
        """The sum of squares; None without loglikelihoods."""
        found = self.probabilities(case)
        if found is None:
            return None
        share = 1.0 / len(case.gold)
        return sum((p - (share if i in case.gold else 0.0)) ** 2 for i, p in enumerate(found))


class CalibrationError(Confidence):
    """ECE: the mean gap between confidence and accuracy over bins of confidence, 0 to 1; lower is better.

    C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3: equal-width bins, 15 by
    default, each weighted by its samples.
    """

    higher_is_better = False
    aggregation = "corpus"

    def __init__(self, context: Context, *, name: str = "ece", by: str = "sum", bins: int = 15) -> None:
        super().__init__(context, name=name, by=by)
        if not 1 <= bins <= 1000:
            raise MetricError(f"metric {name!r}: bins lies between 1 and 1000, not {bins}")
        self.bins = bins
        self.signature = sign("ece", by=self.by, bins=bins, v=1)

    def stats(self, case: Case) -> tuple[float, ...]:
        """(confidence, right or not)."""
        return self.judged(case)

    def score(self, case: Case) -> float | None:
        """The gap of this sample alone; None without loglikelihoods."""
        found = self.judged(case)
        return abs(found[0] - found[1]) if found else None

    def rows(self, stats: Array) -> Array:
        """Per sample and bin: confidence minus right or not; then 1."""
        import numpy as np

        table = np.zeros((len(stats), self.bins + 1))
        # Bins are open below and closed above, as in the paper.
        places = np.clip(np.ceil(stats[:, 0] * self.bins).astype(int) - 1, 0, self.bins - 1)
        table[np.arange(len(stats)), places] = stats[:, 0] - stats[:, 1]
        table[:, self.bins] = 1.0
        return table

    def aggregate(self, sums: Array) -> Array:
        """The error for each sum of rows."""
        import numpy as np

        value: Array = np.abs(sums[..., : self.bins]).sum(-1) / sums[..., self.bins]
        return value


class Auroc(Confidence):
    """The probability that a right choice was made with more confidence than a wrong one; ties count half.

    Area under the ROC curve of confidence as a sign of being right (D. Hendrycks and K. Gimpel, "A Baseline
    for Detecting Misclassified and Out-of-Distribution Examples", ICLR 2017); sklearn.metrics.roc_auc_score.
    Unknown where all choices are right, or all wrong.
    """

    aggregation = "corpus"

    def __init__(self, context: Context, *, name: str = "auroc", by: str = "sum") -> None:
        super().__init__(context, name=name, by=by)
        self.signature = sign("auroc", of="confidence", by=self.by, v=1)

    def stats(self, case: Case) -> tuple[float, ...]:
        """(confidence, right or not)."""
        return self.judged(case)

    def score(self, case: Case) -> None:
        """None: one sample has no curve."""
        return

    def rows(self, stats: Array) -> Array:
        """Per sample (pairs it wins, right, wrong, all pairs won / n, 1 / n).

        A sample wins the pairs in which it is on the proper side. All won pairs are counted twice, once for
        each member; the last two columns tell the total apart, so that leaving a sample out leaves out its
        pairs once. Exact for single samples; two samples of one cluster lose a shared pair twice.
        """
        import numpy as np
        from scipy.stats import rankdata

        confidence, right = stats[:, 0], stats[:, 1] > 0
        n, n_right = len(stats), int(right.sum())
        ranks = rankdata(confidence)
        won = np.zeros(n)
        if 0 < n_right < n:
            won[right] = ranks[right] - rankdata(confidence[right])
            wrong_ranks = rankdata(-confidence[~right])
            won[~right] = rankdata(-confidence)[~right] - wrong_ranks
        pairs = won[right].sum()
        return np.column_stack([won, right, ~right, np.full(n, pairs / n), np.full(n, 1.0 / n)]).astype(
            np.float64
        )

    def aggregate(self, sums: Array) -> Array:
        """The area for each sum of rows."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            total = sums[..., 3] / sums[..., 4]
            value: Array = (sums[..., 0] - total) / (sums[..., 1] * sums[..., 2])
        return value


class SelectiveAccuracy(Confidence):
    """Accuracy on the share of samples on which the model is most confident, a tenth by default; 0 to 1.

    HELM's selective_acc@10 (P. Liang et al., TMLR 2023, section 4.4). Samples as confident as the last one
    taken are taken too. The interval takes the threshold as given.
    """

    aggregation = "corpus"

    def __init__(
        self, context: Context, *, name: str = "selective_accuracy", by: str = "sum", coverage: float = 0.1
    ) -> None:
        super().__init__(context, name=name, by=by)
        if not 0.0 < coverage <= 1.0:
            raise MetricError(f"metric {name!r}: coverage is a share between 0 and 1, not {coverage}")
        self.coverage = coverage
        self.signature = sign("selective_accuracy", by=self.by, coverage=coverage, v=1)

    def stats(self, case: Case) -> tuple[float, ...]:
        """(confidence, right or not)."""
        return self.judged(case)

    def score(self, case: Case) -> float | None:
        """Right or not; None without loglikelihoods."""
        found = self.judged(case)
        return found[1] if found else None

    def rows(self, stats: Array) -> Array:
        """Per sample (taken and right, taken)."""
        import numpy as np

        n_taken = max(1, math.ceil(self.coverage * len(stats) - 1e-9))
        threshold = np.sort(stats[:, 0])[-n_taken]
        taken = (stats[:, 0] >= threshold).astype(np.float64)
        return np.column_stack([taken * stats[:, 1], taken])

    def aggregate(self, sums: Array) -> Array:
        """The accuracy for each sum of rows."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            value: Array = sums[..., 0] / sums[..., 1]
        return value
