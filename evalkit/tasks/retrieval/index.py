"""An index of documents: BM25 over words, or over characters and their pairs where no spaces are written.

S. Robertson and H. Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond",
doi:10.1561/1500000019; the variant is Lucene's, as the library bm25s computes it (X. H. Lù 2024,
arXiv:2407.03618), with k1 = 1.5 and b = 0.75. Chinese is cut into characters and pairs of neighbours, which
retrieves about as well as words do (J. Nie et al. 2000, "On the Use of Words and N-grams for Chinese
Information Retrieval", doi:10.1145/355214.355235) and needs no dictionary.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.core.language import tokenize, unit_language
from evalkit.core.records import digest
from evalkit.tasks.retrieval.documents import Document

K1, B = 1.5, 0.75


@dataclass(frozen=True, slots=True)
class Passage:
    """A document that was found."""

    document: Document
    score: float
    """BM25, where 0 shares no word with the query, or a cosine; more is better."""


class Index:
    """Documents that can be searched. Equal queries give equal passages, whatever was asked before."""

    def __init__(self, documents: Sequence[Document], language: str) -> None:
        self.documents = tuple(documents)
        self.language = language
        self._kept: dict[tuple[str, int], tuple[Passage, ...]] = {}

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that decides what is found."""
        rows = [[document.id, document.title, document.text] for document in self.documents]
        return digest({"documents": rows, "language": self.language, "bm25": [K1, B]})

    def search(self, query: str, top_k: int) -> tuple[Passage, ...]:
        """At most `top_k` passages that share a word with the query, best first, of equals the earlier."""
        key = (query, top_k)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) > 4096:
                self._kept.clear()
            found = self._kept[key] = self._search(query, top_k)
        return found

    def _search(self, query: str, top_k: int) -> tuple[Passage, ...]:
        terms = [term for term in _terms(query, self.language) if term in self._bm25.vocab_dict]
        if not terms:
            return ()
        scores = [float(score) for score in self._bm25.get_scores(terms)]
        order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
        return tuple(
            Passage(self.documents[place], scores[place]) for place in order[:top_k] if scores[place] > 0
        )

    @functools.cached_property
    def _bm25(self) -> Any:
        import bm25s

        model = bm25s.BM25(method="lucene", k1=K1, b=B)
        terms = [_terms(document.shown, self.language) for document in self.documents]
        model.index(terms, show_progress=False)
        return model


def _terms(text: str, language: str) -> list[str]:
    """What is compared: words, or units and the pairs of neighbouring ones."""
    units = tokenize(text, language)
    if not unit_language(language):
        return units
    return units + [first + second for first, second in itertools.pairwise(units)]
