"""A run as lm-evaluation-harness writes its results: results_*.json, with samples_*.jsonl beside it.

Its files know neither failed calls nor costs: an unscored sample keeps its line and has no score, `n-samples`
counts those that are scored. A variant other than the first goes by `task_variant`, as a task of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from evalkit.core.records import CellResult, Run, SampleResult, TaskGroup, flatten
from evalkit.interop.exports import Rows
from evalkit.interop.lm_eval.results import TOOL
from evalkit.store.folders import StoredRun, write_private

_TYPES = {
    "loglikelihood": "multiple_choice",
    "letter_logprobs": "multiple_choice",
    "rolling": "loglikelihood_rolling",
}
_NAMES = {"stop": "until", "max_tokens": "max_gen_toks"}


def write_results(stored: StoredRun, path: Path, rows: Rows) -> list[Path]:
    """A folder for each model with its results and samples."""
    run = stored.run
    stamp = datetime.fromisoformat(run.created).strftime("%Y-%m-%dT%H-%M-%S.%f")
    there = stored.slugs()
    written = []
    for model in dict.fromkeys(cell.model for cell in run.cells):
        folder = path / re.sub(r"[\"<>:/\|\\?\*\[\]]+", "__", model)
        cells = {_task(run, cell): cell for cell in run.cells if cell.model == model}
        hashes = {}
        for task, cell in cells.items():
            if cell.slug not in there or not cell.counts.samples:
                continue
            lines = [_line(doc, group, cell) for doc, group in enumerate(_grouped(stored.samples(cell.slug)))]
            joined = "".join(line["doc_hash"] + line["prompt_hash"] + line["target_hash"] for line in lines)
            hashes[task] = _hash(joined)
            name = re.sub(r"[^\w.\-]+", "_", task)
            file = folder / f"samples_{name}_{stamp}.jsonl"
            write_private(file, b"".join(_dump(line) + b"\n" for line in lines))
            written.append(file)
        file = folder / f"results_{stamp}.json"
        write_private(file, _dump(_results(run, model, cells, hashes), 2))
        written.append(file)
    return written


def _task(run: Run, cell: CellResult) -> str:
    first = next(iter(dict.fromkeys(each.variant for each in run.cells if each.task == cell.task)))
    return cell.task if cell.variant == first else f"{cell.task}_{cell.variant}"


def _key(metric: str) -> str:
    return metric if "," in metric else f"{metric},none"


def _results(
    run: Run, model: str, cells: Mapping[str, CellResult], hashes: Mapping[str, str]
) -> Mapping[str, Any]:
    results: dict[str, Any] = {}
    for task, cell in cells.items():
        numbers: dict[str, Any] = {"name": task, "alias": task, "sample_len": _n_docs(cell)}
        for name, value in cell.metrics.items():
            metric, _, rule = _key(name).partition(",")
            if value.value is not None:
                numbers[f"{metric},{rule}"] = value.value
                numbers[f"{metric}_stderr,{rule}"] = "N/A" if value.stderr is None else value.stderr
        results[task] = numbers
    info = run.models[model]
    started = datetime.fromisoformat(run.created)
    return {
        "results": results,
        **_groups(run, model),
        "configs": {task: _config(run, task, cell) for task, cell in cells.items()},
        "versions": {task: _version(run.tasks[cell.task].version) for task, cell in cells.items()},
        "n-shot": {task: cell.num_fewshot for task, cell in cells.items()},
        "higher_is_better": {
            task: {
                _key(name).partition(",")[0]: value.higher_is_better for name, value in cell.metrics.items()
            }
            for task, cell in cells.items()
        },
        "n-samples": {
            task: {"original": run.tasks[cell.task].n_total or _n_docs(cell), "effective": _scored(cell)}
            for task, cell in cells.items()
        },
        "config": {
            "model": info.provider,
            "model_args": f"pretrained={info.route}" if info.provider == "hf" else f"model={info.route}",
            "model_revision": info.revision,
            "batch_size": None,
            "limit": run.limit,
            "bootstrap_iters": None,
            "gen_kwargs": None,
            "random_seed": run.seed,
        },
        "git_hash": (run.git or {}).get("commit"),
        "date": started.timestamp(),
        "lm_eval_version": run.versions.get(TOOL),
        "evalkit": {"version": run.version, "run": run.id, "status": run.status},
        "task_hashes": dict(hashes),
        "model_source": info.provider,
        "model_name": model,
        "model_name_sanitized": re.sub(r"[\"<>:/\|\\?\*\[\]]+", "__", model),
        "system_instruction": None,
        "chat_template": None,
        "total_evaluation_time_seconds": None if run.duration_s is None else str(run.duration_s),
    }


def _groups(run: Run, model: str) -> dict[str, Any]:
    """The groups as that tool has them: numbers, and the members of each, groups inside them included.

    Only those of the first variant of their tasks: the others have names of their own here.
    """
    numbers: dict[str, Any] = {}
    members: dict[str, list[str]] = {}
    for group in run.groups:
        variants = {task: next(c.variant for c in run.cells if c.task == task) for task in group.tasks}
        if group.model != model or set(variants.values()) != {group.variant} or group.value.value is None:
            continue
        metric, _, rule = _key(group.metric).partition(",")
        numbers[group.group] = {
            "name": group.group,
            "alias": group.group,
            f"{metric},{rule}": group.value.value,
            f"{metric}_stderr,{rule}": "N/A" if group.value.stderr is None else group.value.stderr,
        }
        _members(group.tree, members)
    return {**({"groups": numbers} if numbers else {}), "group_subtasks": members}


def _members(group: TaskGroup, found: dict[str, list[str]]) -> None:
    found[group.name] = [member if isinstance(member, str) else member.name for member in group.members]
    for member in group.members:
        if not isinstance(member, str):
            _members(member, found)


def _n_docs(cell: CellResult) -> int:
    return cell.counts.samples // max(cell.repeats, 1)


def _scored(cell: CellResult) -> int:
    return max((value.n for value in cell.metrics.values()), default=0)


def _version(version: str) -> Any:
    try:
        return float(version) if version else "N/A"
    except ValueError:
        return version


def _config(run: Run, task: str, cell: CellResult) -> Mapping[str, Any]:
    config: dict[str, Any] = {
        "task": task,
        "output_type": _TYPES.get(cell.mode, "generate_until"),
        "doc_to_text": run.tasks[cell.task].prompts.get(cell.variant, ""),
        "num_fewshot": cell.num_fewshot,
        "metric_list": [{"metric": _key(name).partition(",")[0]} for name in cell.metrics],
        "repeats": cell.repeats,
        "metadata": {
            "version": _version(run.tasks[cell.task].version),
            "evalkit": {
                "task": cell.task,
                "variant": cell.variant,
                "mode": cell.mode,
                "signatures": {name: value.signature for name, value in cell.metrics.items()},
            },
        },
    }
    if config["output_type"] == "generate_until":
        config["generation_kwargs"] = _kwargs(cell)
    return config


def _kwargs(cell: CellResult) -> Mapping[str, Any]:
    return {_NAMES.get(key, key): value for key, value in cell.params.items()}


def _grouped(results: Iterator[SampleResult]) -> Iterator[list[SampleResult]]:
    """The repeats of each sample together, samples in their order."""
    groups: dict[str, list[SampleResult]] = {}
    for result in results:
        groups.setdefault(result.sample_id, []).append(result)
    yield from groups.values()


def _line(doc_id: int, results: Sequence[SampleResult], cell: CellResult) -> dict[str, Any]:
    """One document: repeats stand together, and its score is their mean."""
    first = results[0]
    doc = {"id": first.sample_id, **first.metadata}
    target = first.target[0] if first.target else ""
    prompt = flatten(first.messages)
    likelihoods = first.response.loglikelihoods
    resps: list[Any]
    if cell.mode == "rolling":
        arguments: list[Mapping[str, Any]] = [{"arg_0": target}]
        resps = [[str(item.logprob)] for item in likelihoods]
        filtered: list[Any] = [str(item.logprob) for item in likelihoods]
    elif likelihoods and first.choices:
        arguments = [{"arg_0": prompt, "arg_1": choice} for choice in first.choices]
        resps = [[[str(item.logprob), str(bool(item.is_greedy))]] for item in likelihoods]
        filtered = [[str(item.logprob), str(bool(item.is_greedy))] for item in likelihoods]
    else:
        arguments = [{"arg_0": prompt, "arg_1": _kwargs(cell)}]
        resps = [[result.response.text or "" for result in results]]
        filtered = [first.answer if first.answer is not None else "[invalid]"]
    scores: dict[str, float] = {}
    for name in cell.metrics:
        known = [r.scores.get(name) for r in results if r.unscored_reason is None]
        values = [score for score in known if score is not None]
        if values:
            scores[_key(name).partition(",")[0]] = sum(values) / len(values)
    return {
        "doc_id": doc_id,
        "doc": doc,
        "target": target,
        "arguments": {f"gen_args_{number}": item for number, item in enumerate(arguments)},
        "resps": resps,
        "filtered_resps": filtered,
        "filter": _key(next(iter(cell.metrics), "")).partition(",")[2],
        "metrics": list(scores),
        "doc_hash": _hash(json.dumps(doc, indent=2, default=str, ensure_ascii=False)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(target),
        **scores,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _dump(content: Any, indent: int | None = None) -> bytes:
    text = json.dumps(content, indent=indent, default=str, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")
