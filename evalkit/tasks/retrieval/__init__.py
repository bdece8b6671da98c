"""Retrieval: the passages of a task's own documents that fit a question."""

from evalkit.tasks.retrieval.documents import Document, read_documents
from evalkit.tasks.retrieval.embeddings import EmbeddingIndex, Hits
from evalkit.tasks.retrieval.index import Index, Passage

__all__ = ["Document", "EmbeddingIndex", "Hits", "Index", "Passage", "read_documents"]
