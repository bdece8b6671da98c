"""The plan of a run: which cells there are, what each asks, how much that is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.core.errors import TaskError, UsageError, did_you_mean
from evalkit.core.records import TaskGroup, TaskInfo, TaskView, digest
from evalkit.metrics import Metric, build_metrics
from evalkit.metrics.judge import Judge as JudgeMetric
from evalkit.metrics.judging import make_rubric
from evalkit.metrics.registry import CONFIDENCE
from evalkit.models.parameters import merge_parameters
from evalkit.models.protocol import Model, ModelBase, Worded
from evalkit.models.resolution import Resolved
from evalkit.running.cells import PlannedCell as PlannedCell
from evalkit.running.cells import TaskPlan as TaskPlan
from evalkit.tasks.choices import TOP_LOGPROBS, Order, is_circular, with_order
from evalkit.tasks.prompts import Variant
from evalkit.tasks.schema import MOST_REPEATS
from evalkit.tasks.solvers.best_of_n import PICKER
from evalkit.tasks.solvers.judge import Judge
from evalkit.tasks.solvers.programs import require_trust
from evalkit.tasks.solvers.prompting import PassageAid, ToolAid
from evalkit.tasks.solvers.rag import Finder
from evalkit.tasks.solvers.react import STOPS
from evalkit.tasks.task import Task
from evalkit.tasks.techniques import TECHNIQUES, Technique, obstacle, split_name

_LETTER_TOKENS = 16
"""max_tokens of a request for a letter, where the prompt does not say: room for "The answer is B."."""


@dataclass(frozen=True)
class PlanOptions:
    """What the user asked for beside models and tasks."""

    prompts: tuple[str, ...] = ()
    """Names of variants; empty means each task's default, `all` every one."""
    limit: int | None = None
    num_fewshot: int | None = None
    repeats: int | None = None
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    library: Mapping[str, Technique] = field(default_factory=dict)
    """The user's own prompts, by name."""
    groups: tuple[TaskGroup, ...] = ()
    """Groups of which all tasks are planned."""
    trust: bool = False
    """Whether metrics may run code that a model wrote."""
    judge: str | None = None
    """The model that judges in place of those that the tasks name; None leaves theirs."""
    choices_order: Order | None = None
    """How options stand under letters, in place of what the tasks say; None leaves theirs."""


@dataclass(frozen=True)
class Plan:
    """All cells of a run."""

    options: PlanOptions
    models: tuple[Resolved, ...]
    instances: Mapping[str, Model]
    """Model name -> the model, unbound."""
    tasks: tuple[TaskPlan, ...]
    cells: tuple[PlannedCell, ...]
    notes: tuple[str, ...]
    """What was left out and why."""
    judges: Mapping[str, tuple[Resolved, Model]] = field(default_factory=dict)
    """The models that judge answers, by name; empty where none does."""
    finders: Mapping[str, tuple[Resolved, Model]] = field(default_factory=dict)
    """The models whose embeddings find passages, by name; empty where none does."""

    @property
    def n_requests(self) -> int:
        """Requests of the whole run, cached ones included."""
        return sum(cell.n_requests for cell in self.cells)


def judge_metrics(task: Task, judge: str | None = None) -> list[JudgeMetric]:
    """The metrics of a task that a model judges, `judge` in place of the task's own. Raises MetricError."""
    if task.own_rules or task.spec.kind != "generate":
        return []
    specs = [
        spec for spec in task.spec.metrics if (spec if isinstance(spec, str) else spec["name"]) == "judge"
    ]
    made = build_metrics(specs, language=task.spec.language, folder=task.folder, judge=judge)
    return [metric for metric in made if isinstance(metric, JudgeMetric)]


def make_judges(
    task: Task, models: Mapping[str, tuple[Resolved, Model]], options: PlanOptions
) -> tuple[Judge, ...]:
    """The judges of a task, each with its prompt tried on a sample. Raises UsageError and PromptError.

    `models` are the models that judge, by the name under which the task or the user asks for them.
    """
    judges = []
    for metric in judge_metrics(task, options.judge):
        if metric.model is None:
            raise UsageError(
                f"task {task.name!r}: no model is named for its metric {metric.name!r}; name one with "
                "--judge MODEL, in evalkit.yaml (run: {judge: MODEL}), or in the task (model: MODEL)"
            )
        if metric.model not in models:
            continue  # a plan that asks nothing, such as a preview
        resolved = models[metric.model][0]
        judge = Judge(metric.name, resolved.name, resolved.route, metric.rubric, options.seed)
        for sample in task.samples(1):
            judge.trial(sample)
        judges.append(judge)
    return tuple(judges)


def make_picker(
    task: Task, models: Mapping[str, tuple[Resolved, Model]], options: PlanOptions
) -> Judge | Metric:
    """What picks the best of several answers: the judge of the run, else a metric that reads no target.

    Raises UsageError when there is neither.
    """
    if options.judge is not None and options.judge in models:
        resolved = models[options.judge][0]
        rubric = make_rubric(PICKER, language=task.spec.language, rubric="quality", reference=False)
        return Judge(PICKER, resolved.name, resolved.route, rubric, options.seed)
    metrics = build_metrics(
        task.spec.metrics,
        language=task.spec.language,
        labels=tuple(task.spec.labels),
        kind=task.spec.kind,
        extra=task.hooks.metrics,
        trust=options.trust,
        folder=task.folder,
    )
    blind = [metric for metric in metrics if not metric.reads_target and not metric.by_judge]
    checks = [metric for metric in blind if metric.aggregation == "mean" and metric.scale == "fraction"]
    if not checks:
        raise UsageError(
            f"task {task.name!r}: best_of_n needs somebody who picks the best answer; name a judge with "
            "--judge MODEL (the task has no metric that reads no target)"
        )
    return checks[0]


def make_plan(
    models: Sequence[tuple[Resolved, Model]],
    tasks: Sequence[Task],
    options: PlanOptions,
    judges: Mapping[str, tuple[Resolved, Model]] | None = None,
    find_embedder: Callable[[str], tuple[Resolved, Model]] | None = None,
) -> Plan:
    """The plan for these models on these tasks. Raises UsageError when nothing would be asked.

    `judges` are the models that judge, by the name under which tasks or options ask for them; without them
    answers are not judged. `find_embedder` gives the embedding model of a name, once for each; without it
    passages that embeddings find are not looked for.
    """
    if not models:
        raise UsageError("no models; name at least one, for example --models baseline/ngram")
    if not tasks:
        raise UsageError("no tasks; see what there is with: evalkit tasks list")
    for option, number, least in (
        ("limit", options.limit, 1),
        ("num_fewshot", options.num_fewshot, 0),
        ("repeats", options.repeats, 1),
    ):
        if number is not None and number < least:
            raise UsageError(f"{option} must be at least {least}, not {number}")
    if options.repeats is not None and options.repeats > MOST_REPEATS:
        raise UsageError(f"repeats must be at most {MOST_REPEATS:,}, not {options.repeats:,}")
    notes: list[str] = []
    _check_prompt_names(tasks, options)
    planned = [plan for task in tasks if (plan := _plan_task(task, options, notes)) is not None]
    if not planned:
        raise TaskError("; ".join(notes) or "none of the tasks has one of these prompts")
    cells: list[PlannedCell] = []
    slugs: set[str] = set()
    judged = (
        {}
        if judges is None
        else {plan.task.name: make_judges(plan.task, judges, options) for plan in planned}
    )
    silent: dict[str, list[str]] = {}
    finders: dict[str, tuple[Resolved, Model]] = {}
    for resolved, model in models:
        for plan in planned:
            bound = bind_model(model, plan, options.limit)
            for variant in plan.variants:
                asked = _worded(bound, plan, variant)
                if judges is not None:  # a plan that asks nothing, such as a preview, runs nothing either
                    _check_trust(variant, options.trust)
                cell = _plan_cell(len(cells), resolved, model, asked, plan, variant, options, slugs)
                if cell is None:
                    silent.setdefault(resolved.name, []).append(plan.task.name)
                    break
                if variant.picks and judges is not None and cell.mode.endswith("generate"):
                    cell = replace(cell, picker=make_picker(plan.task, judges, options))
                if cell.mode == "generate" and judged.get(plan.task.name):
                    cell = replace(cell, judges=judged[plan.task.name])
                name = variant.aid.embedding if isinstance(variant.aid, PassageAid) else None
                if name is not None and find_embedder is not None:
                    if name not in finders:
                        finders[name] = find_embedder(name)
                    cell = replace(cell, finder=Finder(finders[name][0].name, finders[name][0].route))
                cells.append(cell)
    notes += [f"{name} has nothing to say on {', '.join(tasks_)}" for name, tasks_ in silent.items()]
    if not any(cell.supported for cell in cells):
        names = ", ".join(resolved.name for resolved, _ in models)
        raise UsageError(
            f"{names}: cannot be asked what these tasks need ({', '.join(task.name for task in tasks)}); "
            "perplexity tasks need a model that gives likelihoods, such as baseline/ngram or a served "
            "model with echo and logprobs (text-completion-openai/, hosted_vllm/)"
        )
    return Plan(
        options=options,
        models=tuple(resolved for resolved, _ in models),
        instances={resolved.name: model for resolved, model in models},
        tasks=tuple(planned),
        cells=tuple(cells),
        notes=tuple(notes),
        judges={resolved.name: (resolved, model) for resolved, model in (judges or {}).values()},
        finders={resolved.name: (resolved, model) for resolved, model in finders.values()},
    )


def _check_prompt_names(tasks: Sequence[Task], options: PlanOptions) -> None:
    own = {name for task in tasks for name in task.variant_names()}
    known = sorted(own | set(TECHNIQUES) | set(options.library))
    for name in options.prompts:
        base, _ = split_name(name)
        if name != "all" and base not in known:
            raise TaskError(
                f"none of the tasks has a prompt {name!r}.{did_you_mean(base, known)} "
                f"Prompts: {', '.join(known)}."
            )


def _plan_task(task: Task, options: PlanOptions, notes: list[str]) -> TaskPlan | None:
    names = task.variant_names()
    if task.spec.kind == "perplexity" or "all" in options.prompts:
        chosen = names
    elif options.prompts:
        common = (*names, *TECHNIQUES, *options.library)
        chosen = tuple(dict.fromkeys(name for name in options.prompts if split_name(name)[0] in common))
        unfit = {name: why for name in chosen if (why := obstacle(split_name(name)[0], task.spec))}
        missing = [name for name in options.prompts if name not in chosen]
        chosen = tuple(name for name in chosen if name not in unfit)
        notes += unfit.values()
        if missing:
            notes.append(f"{task.name} has no prompt {', '.join(missing)}; it has {', '.join(names)}")
        if not chosen:
            return None
    else:
        chosen = names[:1]
    variants = tuple(task.variant(name, options.num_fewshot, options.library) for name in chosen)
    if options.choices_order is not None and task.spec.kind == "choice":
        if task.own_rules:
            notes.append(f"{task.name} lists its options by its own rules; --choices-order leaves it alone")
        else:
            variants = tuple(replace(each, choices_order=options.choices_order) for each in variants)
    count = most_choices = n_choices = 0
    contents = hashlib.sha256(b"[")  # of the list's JSON, which would be long
    for sample in task.samples(options.limit):
        if not count and not task.own_rules:
            for variant in variants:  # too few worked examples are told now, not when money is spent
                variant.choose_shots(task.few_shot_pool(), sample, options.seed)
        count += 1
        most_choices = max(most_choices, len(sample.choices))
        n_choices += len(sample.choices)
        one = digest([sample.id, dict(sample.fields), sample.target, sample.choices, sample.text])
        contents.update(f'{"," if count > 1 else ""}"{one}"'.encode())
    if not count:
        raise UsageError(f"task {task.name!r} has no samples with --limit {options.limit}")
    contents.update(b"]")
    return TaskPlan(task, count, contents.hexdigest(), variants, most_choices, n_choices)


def _check_trust(variant: Variant, trust: bool) -> None:
    """Nothing; raises UsageError where programs that a model wrote would run without the user's leave."""
    if variant.solver.get("name") == "pal":
        require_trust(trust, f"prompt {variant.name!r}")
    elif isinstance(variant.aid, ToolAid) and "python" in variant.aid.toolbox.tools:
        require_trust(trust, f"prompt {variant.name!r} with the tool python")


def _offer_tools(variant: Variant, capabilities: frozenset[str]) -> tuple[Variant, dict[str, Any]]:
    """The prompt as this model is offered its tools, and the parameters that go with it."""
    if not isinstance(variant.aid, ToolAid):
        return variant, {}
    wish = variant.solver.get("calls", "auto")
    if wish == "functions" or (wish == "auto" and "tools" in capabilities):
        solver = {**variant.solver, "calls": "functions"}
        offered = replace(variant, solver=solver, aid=replace(variant.aid, functions=True))
        return offered, {"tools": variant.aid.toolbox.schemas()}
    return replace(variant, solver={**variant.solver, "calls": "text"}), {"stop": list(STOPS)}


def _worded(bound: Model, plan: TaskPlan, variant: Variant) -> Model:
    """The model for this prompt: one that answers with the target does so in the prompt's form."""
    if plan.task.spec.kind == "generate" and variant.answer is not None and isinstance(bound, Worded):
        return bound.word(variant.full_answer)
    return bound


def bind_model(model: Model, plan: TaskPlan, limit: int | None = None) -> Model:
    """The model for this task; only models that learn from a task are handed one."""
    if isinstance(model, ModelBase) and type(model).bind is ModelBase.bind:
        return model
    task = plan.task
    pool = task.few_shot_pool()
    variant = plan.variants[0]
    view = TaskView(
        name=task.name,
        language=task.spec.language,
        kind=task.spec.kind,
        labels=tuple(task.spec.labels),
        samples={sample.id: sample for sample in task.samples(limit)},
        train=tuple(pool),
        limited=limit is not None,
        train_texts=tuple(
            shot.text
            if shot.text is not None
            else variant.join(variant.render(shot)[-1].text, variant.shot_answer(shot))
            for shot in pool
        ),
    )
    return model.bind(view)


def _plan_cell(
    index: int,
    resolved: Resolved,
    model: Model,
    bound: Model,
    plan: TaskPlan,
    variant: Variant,
    options: PlanOptions,
    slugs: set[str],
) -> PlannedCell | None:
    """The cell; None when the model declares that it has nothing to say on the task."""
    obstacle = bound.obstacle if isinstance(bound, ModelBase) else ""
    if model.capabilities and not bound.capabilities and not obstacle:
        return None
    mode, supported = plan.task.mode(variant, model.capabilities if obstacle else bound.capabilities)
    supported = supported and not obstacle
    variant, own = _offer_tools(variant, bound.capabilities)
    if mode == "letter_generate":
        own = {"max_tokens": _LETTER_TOKENS, "temperature": 0}
    mode = with_order(mode, variant.choices_order)
    if is_circular(mode) and variant.votes > 1:
        raise TaskError(f"prompt {variant.name}: votes and choices_order: circular cannot be combined")
    if own and "top_logprobs" in bound.capabilities and not is_circular(mode) and variant.scoring != "reason":
        own |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS} if _wants_confidence(plan.task) else {}
    return PlannedCell(
        index=index,
        model=resolved,
        bound=bound,
        task=plan,
        variant=variant,
        mode=mode,
        supported=supported,
        params=merge_parameters(own, variant.params, resolved.settings.params, options.params),
        asked_params=merge_parameters(resolved.settings.params, options.params),
        repeats=options.repeats or plan.task.spec.repeats,
        slug=_slug(resolved.name, plan.task.name, variant.name, slugs),
        seed=options.seed,
        limit=options.limit,
        trust=options.trust,
    )


def _wants_confidence(task: Task) -> bool:
    """Whether a metric of the task needs to know how likely each option was."""
    names = [spec if isinstance(spec, str) else str(spec.get("name")) for spec in task.spec.metrics]
    return bool(CONFIDENCE & set(names))


def _slug(model: str, task: str, variant: str, taken: set[str]) -> str:
    """A file name for the cell, unique in the run whatever the names hold, also where case does not count."""
    parts = [
        re.sub(r"[^A-Za-z0-9.\-]+", "-", part).strip("-.")[:60] or "x" for part in (model, task, variant)
    ]
    slug = "__".join(parts)
    if slug.lower() in taken:
        slug = f"{slug}__{digest([model, task, variant])[:8]}"
    taken.add(slug.lower())
    return slug


def task_info(plan: TaskPlan) -> TaskInfo:
    """The record of a task that a run keeps."""
    spec = plan.task.spec
    gold = plan.task.gold
    return TaskInfo(
        name=spec.name,
        description=spec.description,
        language=spec.language,
        kind=spec.kind,
        tags=tuple(spec.tags),
        version=str(spec.version),
        license=spec.license,
        source=spec.source,
        digest=plan.task.digest,
        data_revision=plan.task.data_revision,
        n_samples=plan.n_samples,
        n_total=None,
        chance=spec.chance,
        headline=plan.task.headline,
        labels=tuple(spec.labels),
        prompts={variant.name: variant.text() for variant in plan.variants},
        gold=None if gold is None else gold.meaning,
    )
