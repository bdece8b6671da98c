"""A model whose requests are computed by replicas of it elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from evalkit.core.errors import UsageError
from evalkit.core.records import Request, Response, TaskView
from evalkit.models.protocol import Model, ModelBase
from evalkit.models.resolution import Resolved
from evalkit.running.executors.ray.cluster import RayCluster
from evalkit.running.executors.ray.pool import Needs, Pool
from evalkit.running.executors.ray.replica import UNBOUND, Recipe

COMPUTED = ("hf", "mock")
"""Providers whose models compute: an API's answer is not worth sending elsewhere, a recording's neither."""


def replicate(resolved: Resolved, model: Model, seed: int, cluster: RayCluster, *, given: bool) -> Model:
    """The model as replicas on the cluster; itself, when it does not compute.

    `given` says that the user gave the model as an object: then the object travels, else its settings.
    """
    if resolved.provider not in COMPUTED:
        return model
    recipe = Recipe(resolved, seed, model if given else None, os.getcwd())
    pool = Pool(resolved.name, recipe, model.max_connections)
    replicated = ReplicatedModel(resolved, model, pool, cluster)
    cluster.models.append(replicated)
    return replicated


class ReplicatedModel(ModelBase):
    """A model that looks like the one it stands for, and is asked on the workers of a cluster."""

    def __init__(
        self, resolved: Resolved, model: Model, pool: Pool, cluster: RayCluster, binding: int = UNBOUND
    ) -> None:
        self._resolved, self._model, self._pool, self._cluster = resolved, model, pool, cluster
        self._binding = binding
        self.name = model.name

    @property
    def capabilities(self) -> frozenset[str]:  # type: ignore[override]
        """Those of the model."""
        return self._model.capabilities

    @property
    def cacheable(self) -> bool:  # type: ignore[override]
        """As the model says."""
        return self._model.cacheable

    @property
    def identity(self) -> Mapping[str, Any]:  # type: ignore[override]
        """That of the model: where an answer was computed does not decide it."""
        return self._model.identity

    @property
    def max_connections(self) -> int | None:  # type: ignore[override]
        """What all replicas together take; the model's own number before their number is known."""
        return self._pool.size * self._pool.depth or self._model.max_connections

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the model, as its replicas tell them."""
        told = self._pool.notes.get(self._binding, {})
        found = (note for number in sorted(told) for note in told[number])
        return tuple(dict.fromkeys((*self._model.notes, *found)))

    @property
    def placement(self) -> tuple[str, ...]:
        """How many workers computed it where, and what was lost on the way."""
        pool = self._pool
        machines = max(1, len(pool.hosts))
        notes = [f"computed by {pool.size} Ray workers on {machines} machine{'s' * (machines > 1)}"]
        if pool.lost:
            notes.append(f"{pool.lost} workers were lost; {pool.again} requests were computed again")
        return tuple(notes)

    def bind(self, task: TaskView) -> Model:
        """The model for one task: itself, unless the model it stands for learns from tasks."""
        bound = self._model.bind(task)
        if bound is self._model:
            return self
        binding = self._pool.bind(task)
        return ReplicatedModel(self._resolved, bound, self._pool, self._cluster, binding)

    @property
    def downloads(self) -> bool:
        """Whether its replicas load from Hugging Face's hub."""
        return self._resolved.provider == "hf"

    @property
    def n_workers(self) -> int:
        """Its replicas; 0 before that is decided."""
        return self._pool.size

    def prepare(self, say: Callable[[str], None]) -> None:
        """Decide by what the cluster has how many replicas there will be. Raises UsageError: none fits."""
        settings, cluster = self._resolved.settings, self._cluster
        gpus = settings.num_gpus
        if gpus is None:
            wants_cpu = settings.options.get("device") == "cpu"
            gpus = 1.0 if self._resolved.provider == "hf" and cluster.gpus and not wants_cpu else 0.0
        needs = Needs(1.0 if settings.num_cpus is None else settings.num_cpus, gpus)
        fit = cluster.capacity(needs.cpus, needs.gpus)
        if settings.workers is None and not fit:
            raise UsageError(
                f"{self.name}: a replica needs {needs}, and no machine of the Ray cluster has that "
                f"({cluster}); set num_cpus and num_gpus of the model in evalkit.yaml, or `workers` when "
                "machines will join"
            )
        size = settings.workers or fit
        if size > fit:
            say(f"{self.name}: room for {fit} of {size} workers ({needs} each); Ray starts the others later")
        self._pool.prepare(size, needs, say)

    async def generate(self, request: Request) -> Response:
        """The text that a replica generates."""
        return await self._ask(request)

    async def loglikelihood(self, request: Request) -> Response:
        """The likelihoods that a replica gives."""
        return await self._ask(request)

    async def _ask(self, request: Request) -> Response:
        self._cluster.hand_over(self._pool)
        return await self._pool.ask(request, self._binding)

    async def aclose(self) -> None:
        """Nothing; ends the workers."""
        self._pool.release()
        await self._model.aclose()
