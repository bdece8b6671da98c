"""Run folders of HELM as runs: benchmark_output/runs/SUITE/RUN with stats.json, and samples beside it.

    run_spec.json              the scenario, the model, how it is asked
    stats.json                 the numbers, by metric, split and perturbation
    per_instance_stats.json    the same for each instance and trial
    scenario_state.json        prompts, references, completions

The numbers of the split `test` (else `valid`) are taken; perturbed instances are left out.
What HELM counts beside (tokens, times, finish reasons) is no metric. Trials are repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.records import Message, Response, ResponseError, SampleResult, digest
from evalkit.interop.files import check_list, check_object, count, number, read_json, read_object, written_by
from evalkit.interop.imported import Imported, ImportedCell, Reported, make_model, make_task

TOOL = "HELM"
VARIANT = "helm"
_SPEC, _STATS, _INSTANCES, _STATE = (
    "run_spec.json",
    "stats.json",
    "per_instance_stats.json",
    "scenario_state.json",
)
_BESIDE = ("num_", "max_prob", "finish_reason", "training_", "inference_", "batch_size", "prompt_truncated")
_BESIDE_TOO = frozenset({"logprob", "predicted_index"})
_FIRST = (
    "exact_match",
    "quasi_exact_match",
    "quasi_prefix_exact_match",
    "f1_score",
    "accuracy",
    "rouge_l",
    "bleu_4",
)
"""What usually stands for a scenario, in this order; else the first of the file."""
_LOWER = ("bits_per_byte", "perplexity", "toxic", "bias", "ece_")
_TRUNCATED = ("length", "max_tokens")

Key = tuple[str, int]


def read_runs(path: Path) -> Iterator[Imported]:
    """What a run folder, or each one below a folder, tells. Raises DataError."""
    folders = [path] if (path / _STATS).is_file() else sorted(file.parent for file in path.rglob(_STATS))
    if not folders:
        raise DataError(
            f"{path}: no {_STATS} of {TOOL} in it; name benchmark_output/runs/SUITE or a run in it"
        )
    for folder in folders:
        with written_by(TOOL, folder):
            found = _read(folder)
        yield found


def _read(folder: Path) -> Imported:
    spec = read_object(folder / _SPEC)
    adapter = check_object(spec.get("adapter_spec"), f"{folder / _SPEC}: adapter_spec")
    model = str(adapter.get("model") or adapter.get("model_deployment") or "unknown")
    # bbq:subject=all,model=own_model -> bbq:subject=all
    name, _, arguments = str(spec.get("name") or folder.name).partition(":")
    kept = [
        part for part in arguments.split(",") if part and not part.startswith(("model=", "model_deployment="))
    ]
    task = f"{name}:{','.join(kept)}" if kept else name
    stats = check_list(read_json(folder / _STATS), str(folder / _STATS))
    split, numbers = _numbers(stats)
    if not numbers:
        raise DataError(f"{folder / _STATS}: no metric of the split test or valid without perturbation")
    instances = dict(_instances(folder, split))
    results = list(_results(folder, split, instances, list(numbers)))
    n = len({result.sample_id for result in results}) or _n_instances(stats, split)
    lead = next((each for each in _FIRST if each in numbers), None)
    order = [lead, *(each for each in numbers if each != lead)] if lead else list(numbers)
    metrics = {
        each: Reported(
            f"helm:{each}|split:{split}",
            value=numbers[each],
            n=None if results else n,
            higher_is_better=not any(part in each for part in _LOWER),
        )
        for each in order
    }
    repeats = max((result.repeat for result in results), default=0) + 1
    keys = (
        "method",
        "instructions",
        "input_prefix",
        "output_prefix",
        "max_train_instances",
        "num_train_trials",
    )
    asked = {key: adapter.get(key) for key in keys}
    info = make_task(
        task,
        TOOL,
        kind="choice" if str(adapter.get("method", "")).startswith("multiple_choice") else "generate",
        tags=("helm", "imported", *(str(group) for group in spec.get("groups") or ())),
        source=str((spec.get("scenario_spec") or {}).get("class_name", "")),
        digest=digest([TOOL, spec.get("scenario_spec"), spec.get("metric_specs")]),
        n_samples=n,
        prompts={VARIANT: str(adapter.get("instructions") or "")},
        texts=[result.messages[-1].text for result in results[:50] if result.messages],
    )
    created = datetime.fromtimestamp((folder / _STATS).stat().st_mtime, UTC)
    params = {"temperature": adapter.get("temperature"), "max_tokens": adapter.get("max_tokens")}
    return Imported(
        tool=TOOL,
        version=None,
        created=created,
        tasks={task: info},
        models={model: make_model(model)},
        cells=(
            ImportedCell(
                model=model,
                task=task,
                variant=VARIANT,
                mode="generate",
                metrics=metrics,
                results=results,
                n_samples=None if results else n,
                num_fewshot=count(adapter.get("max_train_instances")),
                repeats=repeats,
                params={key: value for key, value in params.items() if value is not None},
                prompt=asked,
            ),
        ),
        notes=() if results else (f"{folder.name}: numbers alone, without {_INSTANCES} or {_STATE}",),
    )


def _metric(stat: Any) -> tuple[str, str] | None:
    """Metric and split of a number without perturbation; None for what is no metric."""
    name = stat.get("name") if isinstance(stat, Mapping) else None
    if not isinstance(name, Mapping) or name.get("perturbation") or name.get("sub_split"):
        return None
    metric = str(name.get("name"))
    if metric.startswith(_BESIDE) or metric in _BESIDE_TOO or not stat.get("count"):
        return None
    return metric, str(name.get("split") or "test")


def _numbers(stats: Any) -> tuple[str, dict[str, float]]:
    """The split, and the numbers in it."""
    found: dict[str, dict[str, float]] = {}
    for stat in stats:
        key, mean = _metric(stat), number(stat.get("mean")) if isinstance(stat, Mapping) else None
        if key is not None and mean is not None:
            found.setdefault(key[1], {})[key[0]] = mean
    split = next((each for each in ("test", "valid") if each in found), "test")
    return split, found.get(split, {})


def _n_instances(stats: Any, split: str) -> int | None:
    """How many instances HELM says that it evaluated; None where it does not."""
    for stat in stats:
        name = stat.get("name") if isinstance(stat, Mapping) else None
        if not isinstance(name, Mapping) or name.get("name") != "num_instances" or name.get("perturbation"):
            continue
        if str(name.get("split") or split) == split:
            return count(stat.get("mean"))
    return None


def _instances(folder: Path, split: str) -> Iterator[tuple[Key, dict[str, float]]]:
    """Instance and trial -> its numbers."""
    path = folder / _INSTANCES
    if not path.is_file():
        return
    for place, item in enumerate(check_list(read_json(path), str(path))):
        row = check_object(item, f"{path}: [{place}]")
        if not row.get("perturbation"):
            _, numbers = _numbers([s for s in row.get("stats") or () if (_metric(s) or ("", ""))[1] == split])
            yield (str(row.get("instance_id")), int(number(row.get("train_trial_index")) or 0)), numbers


def _results(
    folder: Path, split: str, instances: Mapping[Key, Mapping[str, float]], names: list[str]
) -> Iterator[SampleResult]:
    path = folder / _STATE
    if not path.is_file():
        return
    states = check_list(read_object(path).get("request_states"), f"{path}: request_states")
    done: set[Key] = set()
    for place, item in enumerate(states):
        state = check_object(item, f"{path}: request_states[{place}]")
        instance = check_object(state.get("instance"), f"{path}: request_states[{place}].instance")
        key = (str(instance.get("id")), int(number(state.get("train_trial_index")) or 0))
        other = instance.get("perturbation") or str(instance.get("split") or split) != split
        if other or key in done:  # an option of an instance that was asked option by option
            continue
        done.add(key)
        yield _result(key, state, instance, instances.get(key, {}), names)


def _result(
    key: Key,
    state: Mapping[str, Any],
    instance: Mapping[str, Any],
    numbers: Mapping[str, float],
    names: list[str],
) -> SampleResult:
    request = state.get("request") or {}
    outcome = state.get("result") or {}
    references = [each for each in instance.get("references") or () if isinstance(each, Mapping)]
    texts = [str((each.get("output") or {}).get("text", "")) for each in references]
    correct = [
        said for said, each in zip(texts, references, strict=True) if "correct" in (each.get("tags") or ())
    ]
    completions = outcome.get("completions") or [{}]
    said = str(completions[0].get("text", ""))
    finish = (completions[0].get("finish_reason") or {}).get("reason")
    mapping = state.get("output_mapping")
    answer = mapping.get(said.strip(), said.strip()) if isinstance(mapping, Mapping) else said.strip()
    seconds = number(outcome.get("request_time"))
    failed = None
    if outcome.get("success") is False:
        failed = ResponseError("call_failed", str(outcome.get("error") or "the request failed"))
    scores: dict[str, float | None] = {name: numbers.get(name) for name in names if name in numbers}
    reason = None if scores else "call_failed" if failed is not None else "not_scored"
    turns = request.get("messages")
    prompt = str(request.get("prompt") or "")
    if not prompt and isinstance(turns, list):
        prompt = "\n\n".join(str(turn.get("content", "")) for turn in turns if isinstance(turn, Mapping))
    response = Response(
        status="truncated" if finish in _TRUNCATED else "ok",
        text=said,
        finish_reason=finish,
        latency_s=seconds if not outcome.get("cached") else None,
        from_cache=bool(outcome.get("cached")),
    )
    return SampleResult(
        sample_id=key[0],
        repeat=key[1],
        request_digest=digest([request.get("model"), prompt, key[1]]),
        messages=(Message("user", prompt),) if prompt else (),
        target=tuple(correct),
        choices=tuple(texts) if isinstance(mapping, Mapping) else (),
        response=response if failed is None else Response("error", error=failed),
        answer=answer if reason is None and answer else None,
        rule=None,
        span=None,
        scores=scores,
        stats={},
        unscored_reason=reason,
    )
