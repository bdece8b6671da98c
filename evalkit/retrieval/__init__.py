"""Retrieval: the passages of a task's own documents that fit a question."""

from evalkit.retrieval.documents import Document, read_documents
from evalkit.retrieval.embeddings import EmbeddingIndex, Hits
from evalkit.retrieval.index import Index, Passage

__all__ = ["Document", "EmbeddingIndex", "Hits", "Index", "Passage", "read_documents"]
