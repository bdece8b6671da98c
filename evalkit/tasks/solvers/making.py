"""From what a prompt says of its solver to what the solver needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from evalkit.core.errors import DataError, TaskError
from evalkit.tasks.prompts import Template
from evalkit.tasks.retrieval import EmbeddingIndex, Index
from evalkit.tasks.schema import PromptSpec, SolverSpec, TaskSpec
from evalkit.tasks.solvers.programs import MEMORY_MB, TIMEOUT_S
from evalkit.tasks.solvers.prompting import TOP_K, PassageAid, ToolAid, find_passages
from evalkit.tasks.solvers.toolbox import make_tool, make_toolbox

_WORKING_TOKENS = 1024
"""max_tokens of a program, or of a step with a tool, where the prompt names none: a task's own limit is for
its answers."""


@dataclass(frozen=True)
class Made:
    """A prompt with its solver."""

    prompt: PromptSpec
    """The prompt, in which what the solver brings has a place."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything that decides how samples are worked; empty without a solver."""
    aid: PassageAid | ToolAid | None = None

    def generation(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The task's generation parameters as far as they suit: its limit and stops are for an answer."""
        if self.settings.get("name") not in ("pal", "react"):
            return params
        rest = {
            key: value
            for key, value in params.items()
            if key not in ("max_tokens", "max_completion_tokens", "stop")
        }
        return {**rest, "max_tokens": _WORKING_TOKENS}


def read_solver(solver: str | SolverSpec) -> SolverSpec:
    """The solver with its settings, where its name alone may stand."""
    return SolverSpec.model_validate({"name": solver}) if isinstance(solver, str) else solver


def make_aid(
    prompt: PromptSpec,
    task: TaskSpec,
    find_index: Callable[[], Index | None],
    tools: Mapping[str, Callable[..., Any]],
    where: str,
) -> Made:
    """The prompt with its solver, as far as it has one. Raises TaskError.

    Where a prompt does not say where its passages or tools stand, passages come first and tools last.
    """
    if prompt.solver is None:
        return Made(prompt)
    spec = read_solver(prompt.solver)
    settings = {"name": spec.name, **spec.settings()}
    if spec.name != "rag" and task.kind != "generate":
        raise TaskError(f"{where}: {spec.name} is for tasks of kind generate, and this one is {task.kind}")
    if spec.name == "pal":
        return Made(prompt, settings)
    index = find_index() if spec.name == "rag" or task.documents is not None else None
    top_k = spec.top_k or TOP_K
    if spec.name == "rag":
        if index is None:
            raise DataError(f"{where}: there are no documents to look into; name them with `documents:`")
        query = Template(spec.query, f"{where}.solver.query") if spec.query is not None else None
        if not _shows(prompt, "passages"):
            prompt = prompt.model_copy(update={"user": "{{ passages }}\n\n" + prompt.user})
        settings |= {"top_k": top_k, "documents": index.digest}
        vectors = EmbeddingIndex(index.documents) if spec.embedding is not None else None
        return Made(prompt, settings, PassageAid(index, top_k, query, where, spec.embedding, vectors))
    own = {name: make_tool(function, where) for name, function in tools.items()}
    names = spec.tools or ["calculator", *(["search"] if index is not None else []), *own]
    toolbox = make_toolbox(
        names,
        own,
        partial(find_passages, index, top_k=top_k) if index is not None else None,
        language=task.language,
        timeout_s=spec.timeout_s or TIMEOUT_S,
        memory_mb=spec.memory_mb or MEMORY_MB,
        where=where,
    )
    if not _shows(prompt, "tools"):
        prompt = prompt.model_copy(update={"user": prompt.user + "\n\n{{ tools }}"})
    settings["tools"] = names
    if "search" in names and index is not None:
        settings |= {"top_k": top_k, "documents": index.digest}
    return Made(prompt, settings, ToolAid(toolbox, index.documents if index is not None else ()))


def _shows(prompt: PromptSpec, name: str) -> bool:
    """Whether a template of the prompt mentions the variable."""
    texts = (prompt.user, prompt.system or "")
    return any(re.search(rf"\{{[{{%][^}}]*\b{name}\b", text) for text in texts)
