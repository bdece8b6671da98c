"""A run made ready: models resolved and checked, tasks found, the plan made, its cost estimated."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from evalkit.core.env_file import read_env_file
from evalkit.core.errors import ModelError, UsageError
from evalkit.models.hf.options import split_params
from evalkit.models.making import make_model
from evalkit.models.parameters import check_parameters
from evalkit.models.protocol import Laned, Model
from evalkit.models.resolution import BUILT_IN, Resolved, resolve_model
from evalkit.models.settings import ModelSettings
from evalkit.running.estimate import Estimate, estimate
from evalkit.running.executors.ray import RayCluster, parse_executor, replicate
from evalkit.running.grouping import find_groups
from evalkit.running.planning import Plan, PlanOptions, judge_metrics, make_plan
from evalkit.running.request import RunRequest
from evalkit.running.selection import find_tasks
from evalkit.running.workspace import Workspace, open_workspace
from evalkit.store.cache import cache_url, known_keys
from evalkit.tasks.discovery import search_path
from evalkit.tasks.task import Task
from evalkit.tasks.techniques import read_library, split_name

DEFAULT_MODELS = (
    "baseline/random",
    "baseline/majority",
    "baseline/lead",
    "baseline/copy",
    "baseline/ngram",
    "baseline/oracle",
)
"""What runs when nobody names a model: the trivial baselines and the ceiling."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A run that is planned and checked, and has spent nothing yet."""

    request: RunRequest
    workspace: Workspace
    plan: Plan
    cluster: RayCluster | None = None
    """The workers that compute its models; None when they are computed in this process."""


def prepare(request: RunRequest, *, say: Say | None = None) -> Prepared:
    """The plan of a run, every model resolved and checked. Raises EvalkitError before anything is spent.

    Workers of a cluster are started when the plan is carried out. `say` hears what was assumed, and what the
    run will cost.
    """
    tell = say or (lambda _: None)
    workspace = open_workspace()
    if taken := read_env_file(workspace.root):
        tell(f"from {', '.join(sorted(set(taken.values())))}: {', '.join(sorted(taken))}")
    cluster = _make_cluster(request.executor, tell)
    resolved, params = _find_models(request, workspace, cluster)
    for entry, _ in resolved:
        if entry.how and entry.provider not in BUILT_IN:
            tell(entry.how)
    include = request.include_path
    found = find_tasks(workspace, request.tasks, data=request.data, include_path=include, trust=request.trust)
    if request.choices_order is not None and not any(task.spec.kind == "choice" for task in found):
        raise UsageError(
            f"--choices-order {request.choices_order}: none of the chosen tasks has choices; leave it out"
        )
    prompts = tuple(request.prompts) or workspace.defaults.get("prompts", ())
    judges = _find_judges(request, workspace, found, prompts)
    for entry, _ in judges.values():
        if entry.provider not in BUILT_IN and entry not in [known for known, _ in resolved]:
            tell(f"{entry.how}; it judges")
    options = PlanOptions(
        prompts=prompts,
        limit=request.limit,
        num_fewshot=request.num_fewshot,
        repeats=request.repeats,
        seed=request.seed,
        params=params,
        library=read_library(workspace.root / "prompts"),
        groups=find_groups(found, search_path(workspace.root, include)),
        trust=request.trust,
        judge=next(iter(judges), None) if _judge(request, workspace) is not None else None,
        choices_order=request.choices_order,
    )
    plan = make_plan(
        resolved, found, options, judges, lambda asked: _find_embedder(asked, workspace, request.timeout)
    )
    if request.models:  # the baselines' own gaps are no news
        for note in plan.notes:
            tell(note)
    for entry, _ in plan.finders.values():
        tell(f"{entry.how}; it finds passages")
    check_models([*resolved, *judges.values(), *plan.finders.values()], tell)
    prepared = Prepared(request, workspace, plan, cluster)
    costs = estimate_costs(prepared) if say is not None else None
    if costs is not None:
        tell(str(costs))
    return prepared


def estimate_costs(prepared: Prepared) -> Estimate | None:
    """What a prepared run will ask and cost beyond what the cache knows; None without a served model."""
    request = prepared.request
    url = None if request.fresh else cache_url(request.cache, prepared.workspace.root)
    known = None if url is None else functools.partial(known_keys, url, ask_again=tuple(request.retry))
    return estimate(prepared.plan, known)


def is_served(prepared: Prepared) -> bool:
    """Whether the run calls a model over a wire."""
    plan = prepared.plan
    others = [model for _, model in (*plan.judges.values(), *plan.finders.values())]
    return any(isinstance(model, Laned) for model in (*plan.instances.values(), *others)) or bool(
        plan.finders
    )


def _find_models(
    request: RunRequest, workspace: Workspace, cluster: RayCluster | None
) -> tuple[list[tuple[Resolved, Model]], Mapping[str, Any]]:
    """The models, on the cluster where there is one; the parameters without those that are their options."""
    chosen = list(request.models) or list(workspace.defaults.get("models", DEFAULT_MODELS))
    check_parameters(request.params, "--param")
    params: Mapping[str, Any] = dict(request.params)
    resolved = [_resolve(model, workspace, request, params) for model in chosen]
    if any(entry.provider == "hf" for entry, _ in resolved):
        _, params = split_params(params)
    _refuse_doubles(resolved)
    if cluster is not None:
        resolved = [
            (entry, replicate(entry, model, request.seed, cluster, given=not isinstance(asked, str)))
            for (entry, model), asked in zip(resolved, chosen, strict=True)
        ]
    return resolved, params


def _make_cluster(executor: str, tell: Say) -> RayCluster | None:
    address = parse_executor(executor)
    return None if address is None else RayCluster(address, tell)


def _resolve(
    model: str | Model, workspace: Workspace, request: RunRequest, params: Mapping[str, Any]
) -> tuple[Resolved, Model]:
    if isinstance(model, str):
        resolved = resolve_model(model, workspace.aliases)
        if request.timeout is not None:
            resolved = replace(resolved, settings=replace(resolved.settings, timeout_s=request.timeout))
        if resolved.provider == "hf":
            own, _ = split_params(params)
            settings = replace(resolved.settings, options={**resolved.settings.options, **own})
            resolved = replace(resolved, settings=settings, trust=request.trust)
        made = make_model(resolved, request.seed)
        if request.lane is not None and isinstance(made, Laned):
            made.use_lane(request.lane)
        return resolved, made
    route = model.name if "/" in model.name else f"mock/{model.name}"
    return Resolved(model.name, model.name, route, ModelSettings(model=route), "given as an object"), model


def _find_embedder(asked: str, workspace: Workspace, timeout: float | None) -> tuple[Resolved, Model]:
    from evalkit.models.embeddings import make_embedder

    resolved = resolve_model(asked, workspace.aliases)
    if timeout is not None:
        resolved = replace(resolved, settings=replace(resolved.settings, timeout_s=timeout))
    return resolved, make_embedder(resolved)


def _judge(request: RunRequest, workspace: Workspace) -> str | Model | None:
    """The judge that the user names, in the request or in evalkit.yaml."""
    return request.judge or next(iter(workspace.defaults.get("judge", ())), None)


def _find_judges(
    request: RunRequest, workspace: Workspace, tasks: Sequence[Task], prompts: Sequence[str]
) -> dict[str, tuple[Resolved, Model]]:
    """The models that judge answers on these tasks, by the name under which they are asked for.

    A judge that the user names takes the place of the tasks' own. Raises UsageError where there is nothing to
    judge for one that the request names.
    """
    metrics = [metric for task in tasks for metric in judge_metrics(task)]
    judged = bool(metrics) or any(split_name(name)[0] == "best_of_n" for name in prompts)
    if request.judge is not None and not judged:
        raise UsageError(
            "a judge is named, and none of the chosen tasks has a metric `judge`; add one to a task's "
            "metrics: - {name: judge, rubric: correctness}; or ask for the prompt best_of_n"
        )
    judge = _judge(request, workspace) if judged else None
    if judge is not None:
        name = judge if isinstance(judge, str) else judge.name
        return {name: _resolve(judge, workspace, request, {})}
    names = [metric.model for metric in metrics if metric.model is not None]
    return {name: _resolve(name, workspace, request, {}) for name in dict.fromkeys(names)}


def _refuse_doubles(models: Sequence[tuple[Resolved, Model]]) -> None:
    names = [entry.name for entry, _ in models]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise UsageError(f"model {doubles[0]!r} is named twice; give one of them an alias in evalkit.yaml")


def check_models(models: Sequence[tuple[Resolved, Model]], tell: Say) -> None:
    """Nothing when every served model can be asked; else ModelError with one line for each problem."""
    served = [model for entry, model in models if entry.provider not in BUILT_IN]
    if not served:
        return
    from evalkit.models.preflight import preflight

    with ThreadPoolExecutor(1) as thread:  # in a notebook a loop runs already, but not in this thread
        findings = thread.submit(asyncio.run, preflight(served)).result()
    for finding in findings:
        if finding.status == "warning":
            tell(str(finding))
    problems = [str(finding) for finding in findings if finding.status == "error"]
    if problems:
        raise ModelError("\n       ".join(problems))
