"""ROUGE-1, -2, ..., -L and -Lsum: overlap of an answer with reference summaries, 0 to 1.

C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004. For English the values are those of
the package rouge_score 0.1.2 with the same options; for other languages the tokens are those of
`evalkit.core.language.tokenize`, which rouge_score's own tokenizer would lose. Of several references the one
with the highest F1 counts, for each type by itself (rouge_score's score_multi).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from evalkit.core.errors import MetricError
from evalkit.core.language import base_language, clean_text, split_sentences, tokenize, unit_language
from evalkit.metrics.base import Case, Context, Metric, check_choice, check_target, sign
from evalkit.metrics.overlap import Overlap, lcs_overlap, ngram_overlap, summary_overlap
from evalkit.metrics.segmentation import segmenter, words

_TYPE = re.compile(r"rouge([1-9]|L|Lsum)")
_TOKEN = re.compile(r"[a-z0-9]+")


@cache
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer  # type: ignore[import-untyped]

    return PorterStemmer()


@lru_cache(maxsize=100_000)
def _stem(token: str) -> str:
    return str(_stemmer().stem(token)) if len(token) > 3 else token


class Rouge(Metric):
    """The F1 (or precision, or recall) of one type of ROUGE against the best reference."""

    def __init__(
        self,
        context: Context,
        *,
        name: str = "rouge",
        type: str = "rougeL",
        use_stemmer: bool = False,
        tokenizer: str = "auto",
        report: str = "f1",
        sentences: str = "auto",
        unit: str = "auto",
    ) -> None:
        match = _TYPE.fullmatch(type) if isinstance(type, str) else None
        if match is None:
            raise MetricError(
                f"metric {name!r}: there is no type {type!r}; there are rouge1 to rouge9, rougeL, rougeLsum"
            )
        self.name = name
        self.type = match.group(1)
        self.lang = base_language(context.language)
        tokenizer = check_choice(name, "tokenizer", tokenizer, ("auto", "rouge_score", "unicode"))
        # rouge_score keeps a-z and 0-9 only: right for English, ruinous elsewhere.
        if tokenizer == "auto":
            tokenizer = "rouge_score" if self.lang == "en" else "unicode"
        self.own = tokenizer == "rouge_score"
        if use_stemmer and not self.own:
            raise MetricError(
                f"metric {name!r}: use_stemmer is Porter's stemmer for English; the language is {self.lang!r}"
            )
        self.use_stemmer = bool(use_stemmer)
        self.report = check_choice(name, "report", report, ("f1", "precision", "recall"))
        sentences = check_choice(name, "sentences", sentences, ("auto", "lines", "split"))
        # rouge_score takes lines for sentences; texts in other languages rarely come one sentence a line.
        self.by_line = sentences == "lines" or (sentences == "auto" and self.own)
        self.guarded = self.own
        shown = self._choose_unit(check_choice(name, "unit", unit, ("auto", "char", "word")))
        self.signature = sign(
            f"rouge{self.type}",
            tok="rouge_score" if self.own else shown,
            stem=self.use_stemmer,
            sentences=("lines" if self.by_line else "split") if self.type == "Lsum" else None,
            report=self.report,
            refs="best",
            v=1,
        )

    def _choose_unit(self, unit: str) -> str:
        """The unit as the signature names it. Raises MetricError for one that the language does not have."""
        by_char = not self.own and unit_language(self.lang)
        self.by_word = unit == "word" and by_char
        if unit == "char" and not by_char:
            raise MetricError(f"metric {self.name!r}: in {self.lang!r} words are the units, not characters")
        if not self.by_word:
            return f"{'chars' if by_char else 'words'}-{self.lang}"
        if self.lang != "zh":
            raise MetricError(
                f"metric {self.name!r}: `unit: word` is for Chinese; words of {self.lang!r} are not cut"
            )
        return f"words-zh-{segmenter()[1]}"

    def score(self, case: Case) -> float:
        """The value against the best reference; 0 without an answer."""
        targets = check_target(self.name, case)
        if case.answer is None:
            return 0.0
        overlaps = [self.compare(target, case.answer) for target in targets]
        best = max(overlaps, key=lambda o: o.fmeasure)
        return {"f1": best.fmeasure, "precision": best.precision, "recall": best.recall}[self.report]

    def compare(self, target: str, answer: str) -> Overlap:
        """Precision, recall and F1 against one reference."""
        if self.type == "Lsum":
            return summary_overlap(self._sentences(target), self._sentences(answer))
        left, right = self._tokens(target), self._tokens(answer)
        if self.type == "L":
            return lcs_overlap(left, right)
        return ngram_overlap(left, right, int(self.type))

    def _tokens(self, text: str) -> tuple[str, ...]:
        return _tokens(text, self.lang, self.own, self.use_stemmer, self.by_word)

    def _sentences(self, text: str) -> list[tuple[str, ...]]:
        parts = text.split("\n") if self.by_line else split_sentences(text, self.lang, clauses=True)
        return [self._tokens(part) for part in parts if part]


# Several types of ROUGE read the same texts in turn.
@lru_cache(maxsize=256)
def _tokens(text: str, lang: str, own: bool, use_stemmer: bool, by_word: bool) -> tuple[str, ...]:
    if by_word:
        return words(text)
    if not own:
        return tuple(tokenize(text, lang))
    tokens = _TOKEN.findall(clean_text(text).lower())
    return tuple(map(_stem, tokens)) if use_stemmer else tuple(tokens)
