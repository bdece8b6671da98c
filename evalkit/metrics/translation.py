"""Metrics of translation, computed by sacrebleu: BLEU, chrF, chrF++ and TER, 0 to 100.

K. Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002; M. Popović,
"chrF: character n-gram F-score for automatic MT evaluation", WMT 2015, and "chrF++: words helping character
n-grams", WMT 2017; M. Snover et al., "A Study of Translation Edit Rate", AMTA 2006; M. Post, "A Call for
Clarity in Reporting BLEU Scores", WMT 2018. Counts of a segment come from sacrebleu; chrF's, which it does
not give, from `chrf_counts`. Sums of them become values here by its formulas, for all left-out samples at
once. sacrebleu scores two segments first, and if its value is another than ours, that is said. Signatures are
sacrebleu's own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

from evalkit.core.errors import MetricError
from evalkit.core.language import bleu_tokenizer, clean_text, spaced_language
from evalkit.core.records import Scale
from evalkit.metrics.base import Array, Case, Context, Metric, check_target
from evalkit.metrics.chrf_counts import ChrfCounts

_PROBES = (
    (
        "The cat (so they say) sat on a mat. 猫坐在垫子上。",
        ("A cat sat on the mat!", "The cat, they say, sat. 猫在垫子上。"),
    ),
    ("Nothing at all", ("Something else entirely, at 3.5 %", "Nothing")),
)
"""Answers and targets whose scores tell whether sacrebleu counts as it did."""


class Translation(Metric):
    """A corpus metric of sacrebleu; a sample's statistics end with its number of references."""

    aggregation = "corpus"
    scale: Scale = "percent"
    bounds: tuple[float, float] | None = (0.0, 100.0)
    title: str = ""

    def __init__(self, scorer: Any, name: str) -> None:
        self.name = name
        self.scorer = scorer
        self._deviates = not self._agrees()
        self.signature = self._sign(None)
        self._last: tuple[Case, tuple[float, ...]] | None = None

    def _agrees(self) -> bool:
        """Whether the installed sacrebleu gives a corpus of two segments the value that is computed here."""
        import numpy as np

        answers, targets = zip(*_PROBES, strict=True)
        sums = np.sum([[*self.count(answer, target), 0.0] for answer, target in _PROBES], axis=0)
        theirs = self.scorer.corpus_score(answers, list(zip(*targets, strict=True))).score
        return math.isclose(float(self.aggregate(sums)), theirs, rel_tol=1e-9, abs_tol=1e-9)

    def stats(self, case: Case) -> tuple[float, ...]:
        """sacrebleu's statistics of the segment and the number of references; no answer is an empty text."""
        last = self._last
        if last is not None and last[0] is case:
            return last[1]
        targets = [clean_text(t) for t in check_target(self.name, case)]
        answer = "" if case.answer is None else clean_text(case.answer)
        stats = (*self.count(answer, targets), float(len(targets)))
        self._last = (case, stats)
        return stats

    def count(self, answer: str, targets: Sequence[str]) -> tuple[float, ...]:
        """The counts of one segment, whose sums over segments decide the value."""
        raise NotImplementedError

    def score(self, case: Case) -> float | None:
        """The value of this segment alone."""
        import numpy as np

        return float(self.aggregate(np.array(self.stats(case))))

    def describe(self, stats: Array) -> str:
        """sacrebleu's signature with the number of references (`var` where it varies)."""
        numbers = {int(n) for n in stats[:, -1]}
        return self._sign(numbers.pop() if len(numbers) == 1 else -1)

    def _sign(self, n_references: int | None) -> str:
        self.scorer.num_refs = "?" if n_references is None else n_references
        counted = "|counts:evalkit" if self._deviates else ""
        return f"{self.title}|{self.scorer.get_signature().format()}{counted}"

    def notes(self, stats: Array) -> tuple[str, ...]:
        """Says where the installed sacrebleu would give another value."""
        if not self._deviates:
            return ()
        return (
            f"{self.name}: the installed sacrebleu scores texts otherwise than versions 2.4 to 2.6, whose "
            "rules these values follow",
        )


def size_biased(lengths: Array) -> float:
    """The mean length of the sample that a unit of text belongs to: sum of squares over sum."""
    total = float(lengths.sum())
    return float((lengths**2).sum()) / total if total > 0 else 0.0


class Bleu(Translation):
    """BLEU of the corpus, 0 to 100. The tokenizer follows the language (zh: sacrebleu's zh, never char).

    A sample's own score is BLEU with effective order, which is defined for texts of fewer than four tokens.
    """

    title = "BLEU"

    def __init__(
        self,
        context: Context,
        *,
        name: str = "bleu",
        tokenize: str | None = None,
        lowercase: bool = False,
        smooth_method: str = "exp",
        smooth_value: float | None = None,
        max_ngram_order: int = 4,
        effective_order: bool = False,
    ) -> None:
        from sacrebleu.metrics.bleu import BLEU

        self.tokenizer, self.note = (tokenize, None) if tokenize else bleu_tokenizer(context.language)
        self.guarded = self.tokenizer in ("13a", "none", "intl")
        if self.tokenizer not in BLEU.TOKENIZERS:
            raise MetricError(
                f"metric {name!r}: sacrebleu has no tokenizer {self.tokenizer!r}; it has: "
                + ", ".join(BLEU.TOKENIZERS)
            )
        if smooth_method not in BLEU.SMOOTH_DEFAULTS:
            raise MetricError(
                f"metric {name!r}: smooth_method must be one of {', '.join(BLEU.SMOOTH_DEFAULTS)}, "
                f"not {smooth_method!r}"
            )
        try:
            scorer = BLEU(
                tokenize=self.tokenizer,
                lowercase=lowercase,
                smooth_method=smooth_method,
                smooth_value=smooth_value,
                max_ngram_order=max_ngram_order,
                effective_order=effective_order,
                force=True,
            )
        except (ImportError, RuntimeError, OSError) as error:
            raise MetricError(
                f"metric {name!r}: the tokenizer {self.tokenizer!r} cannot be loaded ({error}); "
                "install what it names, or choose another with `tokenize`"
            ) from error
        # Its sentence_score tells the counts, unsmoothed, and warns where it has no effective order.
        self._counter = copy.copy(scorer)
        self._counter.smooth_method, self._counter.effective_order = "none", True
        self.order, self.effective_order = max_ngram_order, effective_order
        self.smooth_method = smooth_method
        default = BLEU.SMOOTH_DEFAULTS[smooth_method]
        self.smooth_value = float(default or 0.0) if smooth_value is None else float(smooth_value)
        super().__init__(scorer, name)

    def count(self, answer: str, targets: Sequence[str]) -> tuple[float, ...]:
        """Tokens of answer and nearest target; n-grams in both and in the answer, for each order."""
        found = self._counter.sentence_score(answer, targets)
        return (*map(float, (found.sys_len, found.ref_len, *found.counts, *found.totals)),)

    def score(self, case: Case) -> float | None:
        """BLEU of this segment with effective order."""
        import numpy as np

        return float(self._bleu(np.array(self.stats(case)), effective_order=True))

    def aggregate(self, sums: Array) -> Array:
        """BLEU for each sum of rows."""
        return self._bleu(sums, self.effective_order)

    def _bleu(self, sums: Array, effective_order: bool) -> Array:
        """sacrebleu.metrics.bleu.BLEU.compute_bleu for many sums at once."""
        import numpy as np

        length, reference = sums[..., 0], sums[..., 1]
        correct, total = sums[..., 2 : 2 + self.order], sums[..., 2 + self.order : 2 + 2 * self.order]
        any_match = (correct > 0).any(-1)
        if self.smooth_method == "add-k":
            added = np.where(np.arange(self.order) > 0, self.smooth_value, 0.0)
            correct, total = correct + added, total + added
        # Orders up to the first that the texts are too short for; the ones after it count as precision 0.
        defined = np.cumprod(total > 0, axis=-1).astype(bool)
        smoothed = np.where(defined & (correct == 0), 1.0, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(correct > 0, correct / total, 0.0)
            if self.smooth_method == "exp":
                precision = np.where(smoothed > 0, 0.5 ** np.cumsum(smoothed, axis=-1) / total, precision)
            elif self.smooth_method == "floor":
                precision = np.where(smoothed > 0, self.smooth_value / total, precision)
            logs = np.log(100.0 * precision)
            counted = defined if effective_order else np.ones_like(defined)
            mean = np.where(counted, logs, 0.0).sum(-1) / np.maximum(counted.sum(-1), 1)
            ratio = np.where(length > 0, reference / np.maximum(length, 1e-300), np.inf)
            brevity = np.where(length < reference, np.exp(1.0 - ratio), 1.0)
            value: Array = np.where(any_match, brevity * np.exp(mean), 0.0)
        return value

    def possible(self, rows: Array) -> Array:
        """A reference of the size-biased length with a perfect answer, one without a match, and none."""
        import numpy as np

        length = size_biased(rows[:, 1])
        total = np.maximum(length - np.arange(self.order), 0.0)
        rest = np.ones(rows.shape[1] - 2 - 2 * self.order)
        nothing = np.zeros(self.order)
        return np.array(
            [
                [
                    np.concatenate([[length, length], total, total, rest]),
                    np.concatenate([[length, length], nothing, total, rest]),
                    np.concatenate([[0.0, length], nothing, nothing, rest]),
                ]
            ]
        )

    def notes(self, stats: Array) -> tuple[str, ...]:
        """Says where a better tokenizer is missing, and where references are too short for BLEU."""
        notes = [*super().notes(stats), *([self.note] if self.note else [])]
        n_short = int((stats[:, 1] < self.order).sum())
        if n_short > len(stats) / 2:
            notes.append(
                f"{self.name}: {n_short} of {len(stats)} references have fewer than {self.order} tokens, and "
                "BLEU is 0 without a match of that length; prefer chrf or exact_match"
            )
        return tuple(notes)


class Chrf(Translation):
    """chrF of the corpus, 0 to 100: the F-score of character n-grams; with word_order 2 it is chrF++."""

    title = "chrF2"

    def __init__(
        self,
        context: Context,
        *,
        name: str = "chrf",
        char_order: int = 6,
        word_order: int = 0,
        beta: int = 2,
        lowercase: bool = False,
        whitespace: bool = False,
        eps_smoothing: bool = False,
    ) -> None:
        from sacrebleu.metrics.chrf import CHRF

        if min(char_order, word_order + 1, beta) < 1:
            raise MetricError(f"metric {name!r}: char_order and beta are at least 1, word_order at least 0")
        self.title = f"chrF{beta}{'+' * word_order}"
        self.order, self.beta, self.eps_smoothing = char_order + word_order, beta, eps_smoothing
        scorer = CHRF(
            char_order=char_order,
            word_order=word_order,
            beta=beta,
            lowercase=lowercase,
            whitespace=whitespace,
            eps_smoothing=eps_smoothing,
        )
        self._counts = ChrfCounts(char_order, word_order, beta, lowercase, whitespace, eps_smoothing)
        super().__init__(scorer, name)

    def count(self, answer: str, targets: Sequence[str]) -> tuple[float, ...]:
        """N-grams in the answer, in the best target and in both, for each order."""
        return tuple(map(float, self._counts.count(answer, targets)))

    def aggregate(self, sums: Array) -> Array:
        """chrF for each sum of rows: sacrebleu's F-score for many sums at once."""
        import numpy as np

        counts = sums[..., : 3 * self.order].reshape(*sums.shape[:-1], self.order, 3)
        hypothesis, reference, match = counts[..., 0], counts[..., 1], counts[..., 2]
        factor, eps = self.beta**2, 1e-16
        precision = np.where(hypothesis > 0, match / np.maximum(hypothesis, 1), eps)
        recall = np.where(reference > 0, match / np.maximum(reference, 1), eps)
        if self.eps_smoothing:
            below = factor * precision + recall
            f = np.where(below > 0, (1 + factor) * precision * recall / np.where(below > 0, below, 1.0), eps)
            smoothed: Array = 100.0 * f.sum(-1) / self.order
            return smoothed
        both = (hypothesis > 0) & (reference > 0)
        n = np.maximum(both.sum(-1), 1)
        precision = np.where(both, precision, 0.0).sum(-1) / n
        recall = np.where(both, recall, 0.0).sum(-1) / n
        below = factor * precision + recall
        value: Array = np.where(
            below > 0, 100.0 * (1 + factor) * precision * recall / np.where(below > 0, below, 1.0), 0.0
        )
        return value

    def possible(self, rows: Array) -> Array:
        """References of the size-biased length with a perfect answer, one without a match, and none."""
        import numpy as np

        counts = rows[:, : 3 * self.order].reshape(len(rows), self.order, 3)
        lengths = [size_biased(counts[:, i, 1]) for i in range(self.order)]
        rest = np.ones(rows.shape[1] - 3 * self.order)
        answers = [
            [(n, n, n) for n in lengths],
            [(n, n, 0.0) for n in lengths],
            [(0.0, n, 0.0) for n in lengths],
        ]
        return np.array([[np.concatenate([np.array(answer).ravel(), rest]) for answer in answers]])


class ChrfPlusPlus(Chrf):
    """chrF++: chrF with words and pairs of words; meaningless where words are not spaced."""

    guarded = True

    def __init__(self, context: Context, *, name: str = "chrf++", char_order: int = 6, beta: int = 2) -> None:
        super().__init__(context, name=name, char_order=char_order, word_order=2, beta=beta)


class Ter(Translation):
    """TER of the corpus: edits and shifts per 100 words of the references; lower is better, may exceed 100.

    For unspaced languages the text is normalised and cut into characters (sacrebleu's asian_support), without
    which a sentence would be one word.
    """

    title = "TER"
    higher_is_better = False
    bounds = (0.0, math.inf)

    def __init__(
        self,
        context: Context,
        *,
        name: str = "ter",
        normalized: bool | None = None,
        no_punct: bool = False,
        asian_support: bool | None = None,
        case_sensitive: bool = False,
    ) -> None:
        from sacrebleu.metrics.ter import TER

        unspaced = not spaced_language(context.language)
        scorer = TER(
            normalized=unspaced if normalized is None else normalized,
            no_punct=no_punct,
            asian_support=unspaced if asian_support is None else asian_support,
            case_sensitive=case_sensitive,
        )
        self.guarded = not scorer.asian_support
        super().__init__(scorer, name)

    def count(self, answer: str, targets: Sequence[str]) -> tuple[float, ...]:
        """Fewest edits to any target, and the mean length of the targets."""
        found = self.scorer.sentence_score(answer, targets)
        return float(found.num_edits), float(found.ref_length)

    def aggregate(self, sums: Array) -> Array:
        """TER for each sum of rows; 100 where there is text and no reference, 0 where there is neither."""
        import numpy as np

        edits, length = sums[..., 0], sums[..., 1]
        value: Array = 100.0 * np.where(length > 0, edits / np.where(length > 0, length, 1.0), edits > 0)
        return value


class SentenceBleu(Metric):
    """The mean over segments of BLEU with effective order, 0 to 100; not comparable with corpus BLEU."""

    scale: Scale = "percent"
    bounds: tuple[float, float] | None = (0.0, 100.0)

    def __init__(
        self,
        context: Context,
        *,
        name: str = "sentence_bleu",
        tokenize: str | None = None,
        lowercase: bool = False,
        effective_order: bool = True,
    ) -> None:
        self.name = name
        self.bleu = Bleu(
            context, name=name, tokenize=tokenize, lowercase=lowercase, effective_order=effective_order
        )
        self.effective_order = effective_order
        self.guarded = self.bleu.guarded
        self.signature = f"sentence {self.bleu.signature.replace('nrefs:?|', '')}"

    def score(self, case: Case) -> float | None:
        """BLEU of this segment, with effective order unless the task says otherwise."""
        if self.effective_order:
            return self.bleu.score(case)
        import numpy as np

        return float(self.bleu.aggregate(np.array(self.bleu.stats(case))))
