"""Metrics of classification over the task's labels: F1, precision, recall, balanced accuracy, MCC, kappa.

Definitions are scikit-learn's (sklearn.metrics.f1_score(labels=labels, average=..., zero_division=0) and its
siblings); the values equal its values. A sample's statistics are the compact pair (gold, predicted) of label
positions, predicted -1 where the answer is none of the labels, which counts as wrong. Sums of rows hold, per
label, hits, predictions and gold samples, so that leaving a sample out costs no recount.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from evalkit.core.errors import MetricError
from evalkit.core.language import base_language, normalize_answer
from evalkit.metrics.base import Array, Case, Context, Metric, Positions, check_target, sign


class Classification(Metric):
    """A corpus metric over (gold, predicted) pairs of label positions."""

    aggregation = "corpus"
    definition: ClassVar[str] = ""

    def __init__(self, context: Context, *, name: str) -> None:
        self.name = name
        self.choice = context.kind == "choice"
        self.lang = base_language(context.language)
        if not context.labels:
            raise MetricError(f"metric {name!r} averages over classes; name them under `labels` in the task")
        self.labels = context.labels
        self.positions = {normalize_answer(label, self.lang): i for i, label in enumerate(self.labels)}
        if len(self.positions) < len(self.labels):
            raise MetricError(f"metric {name!r}: two of the labels {', '.join(self.labels)} are the same")
        self.n_labels = len(self.labels)
        self.signature = sign(self.definition or name, labels=self.labels, v=1)

    def score(self, case: Case) -> float:
        """1.0 when the predicted label is right, else 0.0; the metric itself exists only over the corpus."""
        gold, predicted = self.stats(case)
        return float(gold == predicted)

    def stats(self, case: Case) -> tuple[float, ...]:
        """(position of the gold label, position of the predicted one or -1).

        With several right labels the predicted one counts as gold when it is among them, else the first.
        """
        if self.choice:
            golds = list(case.gold)
            predicted = -1 if case.chosen is None else case.chosen
        else:
            golds = [self._position(target) for target in check_target(self.name, case)]
            answer = "" if case.answer is None else normalize_answer(case.answer, self.lang)
            predicted = -1 if case.answer is None else self.positions.get(answer, -1)
        if not golds or max(golds) >= self.n_labels or predicted >= self.n_labels:
            raise MetricError(
                f"metric {self.name!r}: the gold options {golds} do not fit the task's {self.n_labels} labels"
            )
        return (float(predicted if predicted in golds else golds[0]), float(predicted))

    def _position(self, target: str, what: str = "the target") -> int:
        position = self.positions.get(normalize_answer(target, self.lang))
        if position is None:
            raise MetricError(
                f"metric {self.name!r}: {what} {target!r} is none of the task's labels: "
                + ", ".join(self.labels)
            )
        return position

    def rows(self, stats: Array) -> Array:
        """Per sample (hits, predictions, gold samples) of each label, then 1: shape (n, 3 labels + 1)."""
        import numpy as np

        pairs = np.asarray(stats, dtype=np.int64)
        n, k = len(pairs), self.n_labels
        gold, predicted = pairs[:, 0], pairs[:, 1]
        table = np.zeros((n, 3 * k + 1))
        samples, known = np.arange(n), predicted >= 0
        table[samples[known], k + predicted[known]] = 1.0
        table[samples, 2 * k + gold] = 1.0
        hit = gold == predicted
        table[samples[hit], gold[hit]] = 1.0
        table[:, 3 * k] = 1.0
        return table

    def possible(self, rows: Array) -> Array:
        """Every gold label with every answer, that of no label included."""
        import numpy as np

        k = self.n_labels
        pairs = np.array([(gold, said) for gold in range(k) for said in (*range(k), -1)], dtype=np.float64)
        return self.rows(pairs).reshape(k, k + 1, -1)

    def unseen(self, sums: Array, labels: Sequence[int] | None = None) -> str | None:
        """Which of the labels, all where None, is gold in no sample, in words; None where every one is."""
        gold = self.split(sums)[2]
        found = [self.labels[i] for i in labels or range(self.n_labels) if not gold[i]]
        return f"no sample of class {', '.join(found)}" if found else None

    def confusion(self, stats: Array) -> Positions:
        """How often each gold label (row) was predicted as each label (column); the last column: no label."""
        import numpy as np

        pairs = np.asarray(stats, dtype=np.int64).reshape(-1, 2)
        counts = np.zeros((self.n_labels, self.n_labels + 1), dtype=np.int64)
        np.add.at(counts, (pairs[:, 0], np.where(pairs[:, 1] < 0, self.n_labels, pairs[:, 1])), 1)
        return counts

    def split(self, sums: Array) -> tuple[Array, Array, Array, Array]:
        """Sums as hits, predictions and gold samples per label, each (..., labels), and samples (...)."""
        k = self.n_labels
        return sums[..., :k], sums[..., k : 2 * k], sums[..., 2 * k : 3 * k], sums[..., 3 * k]


def ratio(numerator: Array, denominator: Array) -> Array:
    """numerator / denominator, 0 where the denominator is 0 (scikit-learn's zero_division=0)."""
    import numpy as np

    out: Array = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


class AveragedScore(Classification):
    """F1, precision or recall of each label, averaged over labels: all of the task's, or those chosen."""

    what: ClassVar[str] = "f1"
    average: ClassVar[str] = "macro"

    def __init__(
        self,
        context: Context,
        *,
        name: str = "",
        positive: str | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        super().__init__(context, name=name or type(self).__name__)
        self.positive: int | None = None
        if self.average == "binary":
            self.positive = self._find_positive(positive)
        self.chosen = None if labels is None else self._choose(labels)
        self.signature = sign(
            self.what,
            average=self.average,
            labels=self.labels,
            positive=None if self.positive is None else self.labels[self.positive],
            over=None if self.chosen is None else [self.labels[place] for place in self.chosen],
            v=1,
        )

    def _choose(self, labels: Sequence[str]) -> list[int] | None:
        """The positions of the labels to average over, in the task's order; None where they are all."""
        found = [self._position(label, "labels:") for label in labels]
        if len(set(found)) < len(found):
            raise MetricError(f"metric {self.name!r}: labels: one stands twice in {', '.join(labels)}")
        return None if len(found) == self.n_labels else sorted(found)

    def _find_positive(self, positive: str | None) -> int:
        if positive is None and self.n_labels == 2:
            return 1
        if positive is None:
            raise MetricError(
                f"metric {self.name!r} is the score of one class; name it with `positive`, "
                f"one of: {', '.join(self.labels)}"
            )
        return self._position(str(positive), "positive:")

    def aggregate(self, sums: Array) -> Array:
        """The averaged score for each sum of rows."""
        hits, predictions, gold, _ = self.split(sums)
        if self.chosen is not None:
            hits, predictions, gold = (part[..., self.chosen] for part in (hits, predictions, gold))
        if self.average == "micro":
            return self._of(hits.sum(-1), predictions.sum(-1), gold.sum(-1))
        values = self._of(hits, predictions, gold)
        if self.positive is not None:
            return values[..., self.positive]
        if self.average == "weighted":
            return ratio((values * gold).sum(-1), gold.sum(-1))
        mean: Array = values.mean(-1)
        return mean

    def unknown(self, sums: Array) -> str | None:
        """A class without a gold sample, where it has a part in the average."""
        if self.average in ("micro", "weighted"):
            return None
        return self.unseen(sums, self.chosen if self.positive is None else [self.positive])

    def _of(self, hits: Array, predictions: Array, gold: Array) -> Array:
        if self.what == "precision":
            return ratio(hits, predictions)
        if self.what == "recall":
            return ratio(hits, gold)
        return ratio(2 * hits, predictions + gold)


class MacroF1(AveragedScore):
    """The plain mean over labels of their F1; a label that never occurs counts 0."""

    def __init__(
        self, context: Context, *, name: str = "macro_f1", labels: Sequence[str] | None = None
    ) -> None:
        super().__init__(context, name=name, labels=labels)


class MicroF1(AveragedScore):
    """F1 of all labels pooled; below accuracy only through answers that are no label."""

    average = "micro"

    def __init__(
        self, context: Context, *, name: str = "micro_f1", labels: Sequence[str] | None = None
    ) -> None:
        super().__init__(context, name=name, labels=labels)


class WeightedF1(AveragedScore):
    """The mean over labels of their F1, weighted by how often each is gold."""

    average = "weighted"

    def __init__(
        self, context: Context, *, name: str = "weighted_f1", labels: Sequence[str] | None = None
    ) -> None:
        super().__init__(context, name=name, labels=labels)


class BinaryF1(AveragedScore):
    """F1 of one class: `positive`, or the second of two labels."""

    average = "binary"

    def __init__(self, context: Context, *, name: str = "binary_f1", positive: str | None = None) -> None:
        super().__init__(context, name=name, positive=positive)


class MacroPrecision(AveragedScore):
    """The mean over labels of hits / predictions; 0 for a label that was never predicted."""

    what = "precision"

    def __init__(
        self, context: Context, *, name: str = "precision", labels: Sequence[str] | None = None
    ) -> None:
        super().__init__(context, name=name, labels=labels)


class MacroRecall(AveragedScore):
    """The mean over labels of hits / gold samples; 0 for a label that is never gold."""

    what = "recall"

    def __init__(
        self, context: Context, *, name: str = "recall", labels: Sequence[str] | None = None
    ) -> None:
        super().__init__(context, name=name, labels=labels)


class BalancedAccuracy(Classification):
    """The mean recall over the labels that occur as gold; sklearn.metrics.balanced_accuracy_score."""

    def __init__(self, context: Context, *, name: str = "balanced_accuracy") -> None:
        super().__init__(context, name=name)
        self.signature = sign("balanced_accuracy", labels=self.labels, v=1)

    def aggregate(self, sums: Array) -> Array:
        """The mean recall for each sum of rows."""
        hits, _, gold, _ = self.split(sums)
        return ratio(ratio(hits, gold).sum(-1), (gold > 0).sum(-1))

    def unknown(self, sums: Array) -> str | None:
        """A class without a gold sample."""
        return self.unseen(sums)


class MatthewsCorrelation(Classification):
    """Matthews' correlation coefficient of gold and predicted labels, -1 to 1; 0 where it is undefined.

    J. Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", Computational
    Biology and Chemistry 28 (2004); sklearn.metrics.matthews_corrcoef. Answers that are no label are a class
    of their own, as they are when scikit-learn is given them.
    """

    scale = "unbounded"
    bounds = (-1.0, 1.0)

    def __init__(self, context: Context, *, name: str = "mcc") -> None:
        super().__init__(context, name=name)
        self.signature = sign("mcc", labels=self.labels, v=1)

    def aggregate(self, sums: Array) -> Array:
        """The coefficient for each sum of rows."""
        import numpy as np

        hits, predictions, gold, n = self.split(sums)
        unknown = n - predictions.sum(-1)
        covariance = hits.sum(-1) * n - (predictions * gold).sum(-1)
        spread_p = n**2 - (predictions**2).sum(-1) - unknown**2
        spread_g = n**2 - (gold**2).sum(-1)
        return ratio(covariance, np.sqrt(np.maximum(spread_p * spread_g, 0.0)))


class Kappa(Classification):
    """Cohen's kappa of gold and predicted labels, -1 to 1; 0 where chance explains all.

    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20
    (1960); sklearn.metrics.cohen_kappa_score. Answers that are no label are a class of their own.
    """

    scale = "unbounded"
    bounds = (-1.0, 1.0)

    def __init__(self, context: Context, *, name: str = "kappa") -> None:
        super().__init__(context, name=name)
        self.signature = sign("kappa", labels=self.labels, v=1)

    def aggregate(self, sums: Array) -> Array:
        """The agreement beyond chance for each sum of rows."""
        hits, predictions, gold, n = self.split(sums)
        observed, chance = ratio(hits.sum(-1), n), ratio((predictions * gold).sum(-1), n**2)
        return ratio(observed - chance, 1.0 - chance)
