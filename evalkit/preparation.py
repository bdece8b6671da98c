"""A run made ready: models resolved and checked, tasks found, the plan made, its cost estimated."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.cache import cache_url, known_keys
from evalkit.choices import Order
from evalkit.data import DataFile
from evalkit.discovery import search_path
from evalkit.env_file import read_env_file
from evalkit.errors import ModelError, UsageError, did_you_mean
from evalkit.estimate import Estimate, estimate
from evalkit.executors.ray import RayCluster, parse_executor, replicate
from evalkit.grouping import find_groups
from evalkit.models.hf.options import split_params
from evalkit.models.making import make_model
from evalkit.models.parameters import check_parameters
from evalkit.models.protocol import Laned, Model
from evalkit.models.resolution import BUILT_IN, Resolved, resolve_model
from evalkit.models.settings import ModelSettings
from evalkit.planning import Plan, PlanOptions, judge_metrics, make_plan
from evalkit.selection import find_tasks
from evalkit.task import Task
from evalkit.techniques import read_library, split_name
from evalkit.workspace import Workspace, open_workspace

DEFAULT_MODELS = (
    "baseline/random",
    "baseline/majority",
    "baseline/lead",
    "baseline/copy",
    "baseline/ngram",
    "baseline/oracle",
)
"""What runs when nobody names a model: the trivial baselines and the ceiling."""

RETRIED = ("refused", "truncated")
"""Statuses of which answers are kept, and may be asked again."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A run that is planned and checked, and has spent nothing yet."""

    workspace: Workspace
    plan: Plan
    cluster: RayCluster | None = None
    """The workers that compute its models; None when they are computed in this process."""


def prepare(
    *,
    models: Sequence[str | Model] = (),
    tasks: Sequence[str] = (),
    prompts: Sequence[str] = (),
    limit: int | None = None,
    num_fewshot: int | None = None,
    repeats: int | None = None,
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
    data: Mapping[str, Path | DataFile] | None = None,
    include_path: Sequence[str | Path] = (),
    trust: bool = False,
    timeout: float | None = None,
    lane: str | None = None,
    judge: str | Model | None = None,
    choices_order: Order | None = None,
    executor: str = "local",
    cache: str | None = None,
    fresh: bool = False,
    retry: Sequence[str] = (),
    say: Say | None = None,
) -> Prepared:
    """The plan of a run, every model resolved and checked. Raises EvalkitError before anything is spent.

    `judge` is the model that grades answers where a task has a metric `judge`, in place of the task's own.
    `choices_order` is how options stand under letters, in place of what the tasks say. `executor` is local or
    ray[:ADDRESS]; workers are started when the plan is carried out.
    """
    tell = say or (lambda _: None)
    check_values(
        limit=limit, num_fewshot=num_fewshot, repeats=repeats, seed=seed, timeout=timeout, retry=retry
    )
    workspace = open_workspace()
    if taken := read_env_file(workspace.root):
        tell(f"from {', '.join(sorted(set(taken.values())))}: {', '.join(sorted(taken))}")
    chosen = list(models) or list(workspace.defaults.get("models", DEFAULT_MODELS))
    params = dict(params or {})
    check_parameters(params, "--param")
    resolved = [_resolve(model, workspace, seed, timeout, lane, params, trust) for model in chosen]
    if any(entry.provider == "hf" for entry, _ in resolved):
        _, params = split_params(params)
    _refuse_doubles(resolved)
    cluster = _make_cluster(executor, tell)
    if cluster is not None:
        resolved = [
            (entry, replicate(entry, model, seed, cluster, given=not isinstance(asked, str)))
            for (entry, model), asked in zip(resolved, chosen, strict=True)
        ]
    for entry, _ in resolved:
        if entry.how and entry.provider not in BUILT_IN:
            tell(entry.how)
    found = find_tasks(workspace, tasks, data=data or {}, include_path=include_path, trust=trust)
    chosen_prompts = tuple(prompts) or workspace.defaults.get("prompts", ())
    judged = any(judge_metrics(task) for task in found)
    judged = judged or any(split_name(name)[0] == "best_of_n" for name in chosen_prompts)
    if judge is not None and not judged:
        raise UsageError(
            "a judge is named, and none of the chosen tasks has a metric `judge`; add one to a task's "
            "metrics: - {name: judge, rubric: correctness}; or ask for the prompt best_of_n"
        )
    if choices_order is not None and not any(task.spec.kind == "choice" for task in found):
        raise UsageError(
            f"--choices-order {choices_order}: none of the chosen tasks has choices; leave it out"
        )
    judge = judge or next(iter(workspace.defaults.get("judge", ())), None)
    judges = _find_judges(
        found,
        judge if judged else None,
        lambda asked: _resolve(asked, workspace, seed, timeout, lane, {}, trust),
    )
    for entry, _ in judges.values():
        if entry.provider not in BUILT_IN and entry not in [known for known, _ in resolved]:
            tell(f"{entry.how}; it judges")
    plan = make_plan(
        resolved,
        found,
        PlanOptions(
            prompts=chosen_prompts,
            limit=limit,
            num_fewshot=num_fewshot,
            repeats=repeats,
            seed=seed,
            params=params,
            library=read_library(workspace.root / "prompts"),
            groups=find_groups(found, search_path(workspace.root, include_path)),
            trust=trust,
            judge=None if judge is None or not judges else next(iter(judges)),
            choices_order=choices_order,
        ),
        judges,
        lambda asked: _find_embedder(asked, workspace, timeout),
    )
    if models:  # the baselines' own gaps are no news
        for note in plan.notes:
            tell(note)
    for entry, _ in plan.finders.values():
        tell(f"{entry.how}; it finds passages")
    check_models([*resolved, *judges.values(), *plan.finders.values()], tell)
    prepared = Prepared(workspace, plan, cluster)
    costs = estimate_costs(prepared, cache, fresh=fresh, retry=retry) if say is not None else None
    if costs is not None:
        tell(str(costs))
    return prepared


def estimate_costs(
    prepared: Prepared, cache: str | None = None, *, fresh: bool = False, retry: Sequence[str] = ()
) -> Estimate | None:
    """What a prepared run will ask and cost beyond what the cache knows; None without a served model."""
    url = None if fresh else cache_url(cache, prepared.workspace.root)
    known = None if url is None else functools.partial(known_keys, url, ask_again=tuple(retry))
    return estimate(prepared.plan, known)


def is_served(prepared: Prepared) -> bool:
    """Whether the run calls a model over a wire."""
    plan = prepared.plan
    others = [model for _, model in (*plan.judges.values(), *plan.finders.values())]
    return any(isinstance(model, Laned) for model in (*plan.instances.values(), *others)) or bool(
        plan.finders
    )


_LEAST: Mapping[str, tuple[type, float]] = {
    "limit": (int, 1),
    "num_fewshot": (int, 0),
    "repeats": (int, 1),
    "seed": (int, -(2**63)),
    "max_connections": (int, 1),
    "max_cost": (float, 0),
    "timeout": (float, 0),
}
"""Options that are numbers -> their kind and least value."""


def check_values(*, retry: Sequence[str] = (), **numbers: float | None) -> None:
    """Nothing; raises UsageError for a number that is none or out of its range, and for another status."""
    for name, number in numbers.items():
        kind, least = _LEAST[name]
        if number is None:
            continue
        fits = isinstance(number, int if kind is int else int | float) and not isinstance(number, bool)
        most = 2**63 if name == "seed" else 2**31 if kind is int else 1e15
        if not fits or not least <= number < most or (name == "timeout" and not 0 < number <= 1e7):
            what = "a whole number" if kind is int else "a finite number"
            bound = (
                " above 0" if name == "timeout" else f" from {least:g}" if name != "seed" else " of 64 bits"
            )
            raise UsageError(f"{name} must be {what}{bound}, not {number!r}")
    for word in [retry] if isinstance(retry, str) else retry:
        if word not in RETRIED:
            raise UsageError(
                f"--retry {word!r}: write {', '.join(RETRIED)}, or both; failed calls are never kept"
                + did_you_mean(str(word), RETRIED)
            )


def _make_cluster(executor: str, tell: Say) -> RayCluster | None:
    address = parse_executor(executor)
    return None if address is None else RayCluster(address, tell)


def _resolve(
    model: str | Model,
    workspace: Workspace,
    seed: int,
    timeout: float | None,
    lane: str | None,
    params: Mapping[str, Any],
    trust: bool,
) -> tuple[Resolved, Model]:
    if isinstance(model, str):
        resolved = resolve_model(model, workspace.aliases)
        if timeout is not None:
            resolved = replace(resolved, settings=replace(resolved.settings, timeout_s=timeout))
        if resolved.provider == "hf":
            own, _ = split_params(params)
            settings = replace(resolved.settings, options={**resolved.settings.options, **own})
            resolved = replace(resolved, settings=settings, trust=trust)
        made = make_model(resolved, seed)
        if lane is not None and isinstance(made, Laned):
            made.use_lane(lane)
        return resolved, made
    route = model.name if "/" in model.name else f"mock/{model.name}"
    return Resolved(model.name, model.name, route, ModelSettings(model=route), "given as an object"), model


def _find_embedder(asked: str, workspace: Workspace, timeout: float | None) -> tuple[Resolved, Model]:
    from evalkit.models.embeddings import make_embedder

    resolved = resolve_model(asked, workspace.aliases)
    if timeout is not None:
        resolved = replace(resolved, settings=replace(resolved.settings, timeout_s=timeout))
    return resolved, make_embedder(resolved)


def _find_judges(
    tasks: Sequence[Task],
    judge: str | Model | None,
    resolve: Callable[[str | Model], tuple[Resolved, Model]],
) -> dict[str, tuple[Resolved, Model]]:
    """The models that judge answers on these tasks, by the name under which they are asked for.

    A judge that the user names takes the place of the tasks' own.
    """
    if judge is not None:
        return {judge if isinstance(judge, str) else judge.name: resolve(judge)}
    metrics = [metric for task in tasks for metric in judge_metrics(task)]
    return {name: resolve(name) for name in dict.fromkeys(m.model for m in metrics) if name is not None}


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
