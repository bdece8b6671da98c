"""What a solver brings into the prompt: passages that were found, and the words that offer tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.core.errors import PromptError, list_names
from evalkit.core.language import base_language
from evalkit.core.records import Step
from evalkit.tasks.prompts import Template
from evalkit.tasks.retrieval import Document, EmbeddingIndex, Index, Passage
from evalkit.tasks.solvers.toolbox import Toolbox

TOP_K = 3
QUERY_COLUMNS = ("question", "query", "instruction", "problem", "claim")
"""Where the text that is looked for stands, when the prompt does not say."""


@dataclass(frozen=True)
class PassageAid:
    """Puts `{{ passages }}` into the prompt: what the documents say on the sample's question."""

    index: Index
    top_k: int
    query: Template | None
    """What is looked for; None for the first of `QUERY_COLUMNS` that the sample has."""
    where: str
    embedding: str | None = None
    """The model whose embeddings find the passages; None for BM25."""
    vectors: EmbeddingIndex | None = None
    """The documents as that model sees them; None for BM25."""
    found: Mapping[str, tuple[Passage, ...]] = field(default_factory=dict)
    """Query -> its passages, once they are found by embeddings."""

    def fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The columns, and the passages as text. Raises PromptError.

        Before embeddings have found them a few words stand in their place.
        """
        query = self.text(fields)
        if self.embedding is not None and query not in self.found:
            return {**fields, "passages": f"({self.top_k} passages that {self.embedding} finds)"}
        return {**fields, "passages": show_passages(self._search(query), self.index.language)}

    @property
    def ready(self) -> bool:
        """Whether passages can be looked for now: embeddings must have found them before."""
        return self.embedding is None or bool(self.found)

    def _search(self, query: str) -> tuple[Passage, ...]:
        return self.index.search(query, self.top_k) if self.embedding is None else self.found[query]

    def text(self, fields: Mapping[str, Any]) -> str:
        """What is looked for. Raises PromptError."""
        if self.query is not None:
            return self.query.render(fields)
        for column in QUERY_COLUMNS:
            if isinstance(fields.get(column), str):
                return str(fields[column])
        raise PromptError(
            f'{self.where}: say what is looked for, as solver: {{name: rag, query: "{{{{ column }}}}"}}; the '
            f"sample has the columns {list_names(fields)}"
        )

    def step(self, fields: Mapping[str, Any]) -> Step:
        """The search as records keep it."""
        query = self.text(fields)
        found = self._search(query)
        lines = [f"[{n}] {each.document.id} ({each.score:.2f})" for n, each in enumerate(found, start=1)]
        return Step(
            "search",
            query,
            output="\n".join(lines),
            status="ok" if found else "nothing found",
            found=tuple(each.document.id for each in found),
        )


def find_passages(index: Index, query: str, top_k: int) -> tuple[str, tuple[str, ...]]:
    """(the passages as a prompt shows them, the ids of their documents)."""
    found = index.search(query, top_k)
    return show_passages(found, index.language), tuple(passage.document.id for passage in found)


def show_passages(found: Sequence[Passage], language: str) -> str:
    """The passages as a prompt shows them."""
    if not found:
        return "（没有找到）" if base_language(language) == "zh" else "(nothing was found)"
    shown = [f"[{number}] {passage.document.shown}" for number, passage in enumerate(found, start=1)]
    return "\n\n".join(shown)


_OFFER = """You may use these tools:
{lines}

Work in steps. In each step write these three lines, and stop:
Thought: what you think
Action: the name of a tool
Action Input: what the tool is given

You are then told the result after "Observation:". When you know the answer, write instead:
Final Answer: the answer alone"""
_OFFER_ZH = """你可以使用这些工具：
{lines}

请分步进行。每一步写下面三行，然后停下：
思考：你的想法
行动：工具的名称
行动输入：交给工具的内容

之后你会在“观察：”后面看到结果。知道答案以后，改写这一行：
最终答案：只写答案"""
_FUNCTIONS = """Use the tools where they help. When you know the answer, write it alone on a last line:
Final Answer: the answer"""
_FUNCTIONS_ZH = """需要时使用工具。知道答案以后，在最后单独写一行：
最终答案：答案"""


@dataclass(frozen=True)
class ToolAid:
    """Puts `{{ tools }}` into the prompt: which there are, and how they are asked for."""

    toolbox: Toolbox
    documents: tuple[Document, ...] = ()
    """What its search looks into; empty without one."""
    functions: bool = False
    """Whether the model calls functions, which the request describes, and need not be told in the text."""

    def fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The columns, and the words that offer the tools."""
        chinese = base_language(self.toolbox.language) == "zh"
        if self.functions:
            return {**fields, "tools": _FUNCTIONS_ZH if chinese else _FUNCTIONS}
        offer = _OFFER_ZH if chinese else _OFFER
        return {**fields, "tools": offer.replace("{lines}", self.toolbox.lines())}
