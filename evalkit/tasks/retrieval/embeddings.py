"""An index of documents by their embeddings: what lies in the direction of the query is found (cosine).

V. Karpukhin et al. 2020, "Dense Passage Retrieval for Open-Domain Question Answering", arXiv:2004.04906. The
documents are embedded when the first query comes, each text by a call of its own, so that the cache knows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.core.records import Response, ResponseError
from evalkit.models.embeddings import read_vector
from evalkit.tasks.retrieval.documents import Document
from evalkit.tasks.retrieval.index import Passage

Embed = Callable[[str], Awaitable[Response]]
"""Asks the embedding model for the vector of a text."""
_AT_ONCE = 64
"""Documents that are asked for at a time; the limits of the model hold besides."""


@dataclass(frozen=True)
class Hits:
    """What a search gave, and the calls that it took."""

    passages: tuple[Passage, ...] = ()
    """Best first; their score is the cosine, from -1 to 1."""
    calls: tuple[Response, ...] = ()
    failed: Response | None = None
    """The call without which there are no passages; None when there are."""


class EmbeddingIndex:
    """Documents that can be searched by an embedding model; embedded once, by whoever comes first."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        self._rows: dict[int, Any] = {}
        self._matrix: Any = None
        self._turn: tuple[Any, asyncio.Lock] | None = None

    async def search(self, embed: Embed, query: str, top_k: int) -> Hits:
        """The `top_k` nearest passages, of equals the earlier; none for an empty query."""
        if not query.strip():
            return Hits()
        calls: list[Response] = []
        async with self._lock():
            failed = await self._embed_documents(embed, calls)
        if failed is not None:
            return Hits((), tuple(calls), failed)
        asked = await embed(query)
        calls.append(asked)
        if asked.status == "error":
            return Hits((), tuple(calls), asked)
        vector = _direction(asked)
        if len(vector) != self._matrix.shape[1]:
            said = f"the query has {len(vector)} dimensions and the documents have {self._matrix.shape[1]}"
            return Hits((), tuple(calls), Response("error", error=ResponseError("invalid_response", said)))
        scores = self._matrix @ vector
        order = np.argsort(-scores, kind="stable")[:top_k]
        return Hits(tuple(Passage(self.documents[n], float(scores[n])) for n in order), tuple(calls))

    async def _embed_documents(self, embed: Embed, calls: list[Response]) -> Response | None:
        """Nothing once all documents are embedded, else a call that failed; `calls` grows by what was asked.

        What failed is asked again for the next query.
        """
        missing = [n for n in range(len(self.documents)) if n not in self._rows]
        if not missing:
            return None
        places = asyncio.Semaphore(_AT_ONCE)

        async def ask(number: int) -> Response:
            async with places:
                return await embed(self.documents[number].shown)

        found = await asyncio.gather(*map(ask, missing), return_exceptions=True)
        failed: Response | None = None
        for number, response in zip(missing, found, strict=True):
            if isinstance(response, BaseException):
                raise response
            calls.append(response)
            if response.status == "error":
                failed = failed or response
            else:
                self._rows[number] = _direction(response)
        if failed is not None:
            return failed
        sizes = {len(row) for row in self._rows.values()}
        if len(sizes) > 1:
            self._rows.clear()
            said = f"the documents' embeddings have {' and '.join(map(str, sorted(sizes)))} dimensions"
            return Response("error", error=ResponseError("invalid_response", said))
        self._matrix = np.stack([self._rows[n] for n in range(len(self.documents))])
        return None

    def _lock(self) -> asyncio.Lock:
        """The lock of the loop that runs: a task may be run again on another."""
        loop = asyncio.get_running_loop()
        if self._turn is None or self._turn[0] is not loop:
            self._turn = (loop, asyncio.Lock())
        return self._turn[1]


def _direction(response: Response) -> Any:
    """The vector at length 1."""
    vector = np.array(read_vector(response.text), dtype=np.float64)
    return vector / np.linalg.norm(vector)
