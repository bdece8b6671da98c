"""A prepared plan carried out: with its cache, its cluster and its trackers, into a run folder."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.running.executors.ray import RayRaters
from evalkit.running.planning import Plan
from evalkit.running.preparation import Prepared
from evalkit.running.runner import Director, RunOptions, Watcher, execute, rates_slowly
from evalkit.running.tracking import Tracking, find_trackers
from evalkit.store.cache import cache_url
from evalkit.store.folders import StoredRun


def carry_out(
    prepared: Prepared,
    *,
    command: str = "",
    watcher: Watcher | None = None,
    director: Director | None = None,
) -> StoredRun:
    """The run of a prepared plan, as it stands in its folder. Raises EvalkitError when it cannot go on.

    director: decides the order of the work and may end it early.
    """
    request, root = prepared.request, prepared.workspace.root
    others = (*prepared.plan.judges.values(), *prepared.plan.finders.values())
    asked = [*prepared.plan.instances.values(), *(model for _, model in others)]
    needs_cache = any(model.cacheable for model in asked)
    options = RunOptions(
        request=request,
        out=Path(request.out) if request.out is not None else root / "reports",
        cache=cache_url(request.cache, root) if needs_cache else None,
        command=command,
        director=director,
    )
    cluster = prepared.cluster
    if cluster is not None and rates_slowly(prepared.plan):
        cluster.rates = True
        options = replace(options, raters=RayRaters(cluster))
    tracking = Tracking(find_trackers([*prepared.workspace.defaults.get("track", ()), *request.track]))
    tracking.start(_plan_facts(prepared.plan))
    if tracking:
        planned = {cell.slug: cell.n_requests for cell in prepared.plan.cells}
        options = replace(options, follow=lambda run: tracking.follow(run, planned))
    with cluster or nullcontext():
        stored = execute(prepared.plan, options, watcher)
    tracking.finish(stored)
    return stored


def _plan_facts(plan: Plan) -> dict[str, Any]:
    """What a tracker is told when a run begins."""
    return {
        "models": ",".join(model.name for model in plan.models),
        "tasks": ",".join(task.task.name for task in plan.tasks),
        "cells": len(plan.cells),
        "seed": plan.options.seed,
        "limit": "none" if plan.options.limit is None else plan.options.limit,
    }
