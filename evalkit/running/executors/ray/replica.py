"""What runs on the other side: one replica of a model, which answers shards of requests.

Errors come back as records: an exception would have to be pickled, and Ray would wrap it in a traceback.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from evalkit.core import errors
from evalkit.core.errors import CallAction, CallError, EvalkitError, ModelError
from evalkit.core.records import Request, Response
from evalkit.core.version import __version__
from evalkit.models.making import make_model
from evalkit.models.protocol import Model
from evalkit.models.resolution import Resolved

UNBOUND = 0
"""The key of the model itself, bound to no task."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a replica is made."""

    resolved: Resolved
    seed: int
    model: Model | None
    """The model itself, where it was given as an object; None when it is made from its settings."""
    folder: str
    """The folder from which the user's command was given: relative paths begin there."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker says of itself when it is ready."""

    version: str
    """evalkit's version there."""
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An error on its way back."""

    error: str
    """The name of its class in evalkit.core.errors; empty for one that is not evalkit's own."""
    message: str
    kind: str = ""
    """The cause, for a failed call; empty for others."""
    action: CallAction = "fail_sample"
    retry_after: float | None = None

    def exception(self, name: str) -> EvalkitError:
        """The same error, on this side; `name` is the model's."""
        if self.error == "CallError":
            return CallError(self.message, kind=self.kind, action=self.action, retry_after=self.retry_after)
        kind = getattr(errors, self.error, None) if self.error else None
        if isinstance(kind, type) and issubclass(kind, EvalkitError):
            return kind(self.message)
        return ModelError(f"{name} failed on a worker: {self.message}")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a replica made of a shard."""

    outcomes: tuple[Response | Failure, ...]
    """One for each request, in order."""
    notes: Mapping[int, tuple[str, ...]]
    """Binding -> what a reader must know of the model so bound."""


class Replica:
    """One replica of a model, in a process of its own."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._models: dict[int, Model] = {}
        self._gate: Any = nullcontext()

    async def ready(self) -> Hello | Failure:
        """Who this is, once the model is made; its weights are loaded when it is first asked."""
        try:
            self._make()
        except Exception as error:
            return failure_of(error)
        return Hello(__version__, platform.node(), os.getpid())

    def _make(self) -> None:
        recipe = self._recipe
        if os.path.isdir(recipe.folder):
            os.chdir(recipe.folder)
        if UNBOUND not in self._models:
            model = recipe.model or make_model(recipe.resolved, recipe.seed)
            if model.max_connections is not None:
                self._gate = asyncio.Semaphore(model.max_connections)
            self._models[UNBOUND] = model

    async def ask(self, shard: Sequence[tuple[int, Request]], views: Mapping[int, Sequence[Any]]) -> Answers:
        """The outcomes of (binding, request) pairs; `views` holds references to the tasks of the bindings."""
        bindings = dict.fromkeys(binding for binding, _ in shard)
        try:
            self._make()
            for binding in bindings:
                if binding not in self._models:
                    self._models[binding] = self._models[UNBOUND].bind(await views[binding][0])
        except Exception as error:
            return Answers((failure_of(error),) * len(shard), {})
        outcomes = await asyncio.gather(*(self._answer(self._models[key], request) for key, request in shard))
        notes = {binding: tuple(self._models[binding].notes) for binding in bindings}
        return Answers(tuple(outcomes), notes)

    async def _answer(self, model: Model, request: Request) -> Response | Failure:
        async with self._gate:
            try:
                if request.kind == "generate":
                    return await model.generate(request)
                return await model.loglikelihood(request)
            except Exception as error:
                return failure_of(error)


def failure_of(error: Exception) -> Failure:
    """The record of an error: its words and what the runner does about it, no traceback."""
    if isinstance(error, CallError):
        return Failure("CallError", str(error), error.kind, error.action, error.retry_after)
    if isinstance(error, EvalkitError):
        return Failure(type(error).__name__, str(error))
    return Failure("", f"{type(error).__name__}: {error}")
