"""Logs of OpenAI's evals (`oaieval --record_path`) as runs: JSON lines of a spec, events and a final report.

https://github.com/openai/evals/blob/main/evals/record.py names the events: sampling (prompt, sampled), match
(correct, expected, picked), metrics (numbers of a sample), error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.records import Message, Response, ResponseError, SampleResult, digest
from evalkit.interop.files import count, number, read_lines, text, time_of
from evalkit.interop.imported import Imported, ImportedCell, Reported, make_model, make_task

TOOL = "OpenAI evals"


def read_events(path: Path) -> Iterator[Imported]:
    """What the log, or each .jsonl of a folder, tells. Raises DataError."""
    files = [path] if path.is_file() else sorted(path.glob("*.jsonl"))
    if not files:
        raise DataError(f"{path}: no .jsonl of {TOOL} in it; write one with: oaieval --record_path FILE")
    for file in files:
        yield _read(file)


def _read(path: Path) -> Imported:
    spec: Mapping[str, Any] = {}
    report: Mapping[str, Any] = {}
    samples: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for where, line in read_lines(path):
        if isinstance(line.get("spec"), Mapping):
            spec = line["spec"]
        elif isinstance(line.get("final_report"), Mapping):
            report = line["final_report"]
        elif "sample_id" in line and "type" in line:
            data = line.get("data")
            event = (str(line["type"]), data if isinstance(data, Mapping) else {})
            samples.setdefault(str(line["sample_id"]), []).append(event)
        elif "final_report" not in line:
            raise DataError(f"{where}: neither a spec, nor an event, nor a final report of {TOOL}")
    if not spec:
        raise DataError(f"{path} is no log of {TOOL}: it has no line with a `spec`")
    results = [_result(sample_id, events) for sample_id, events in samples.items()]
    functions = spec.get("completion_fns") or [spec.get("model_name") or "unknown"]
    model = "+".join(map(text, functions)) if isinstance(functions, list) else text(functions)
    task = str(spec.get("base_eval") or spec.get("eval_name") or path.stem)
    variant = str(spec.get("eval_name") or "evals")
    names = list(dict.fromkeys(name for result in results for name in result.scores))
    metrics = {name: _reported(task, name, report) for name in names}
    for name, value in report.items():  # numbers of the whole, such as an F1
        if name not in metrics and number(value) is not None and "std" not in name:
            metrics[name] = Reported(f"openai_evals:{task}:{name}", value=number(value))
    if not metrics:
        raise DataError(f"{path}: neither a match nor a metric in it, and no final report")
    info = make_task(
        task,
        TOOL,
        tags=("openai_evals", "imported"),
        digest=digest([TOOL, variant]),
        n_samples=len(results),
        texts=[r.messages[-1].text for r in results[:50] if r.messages],
    )
    config = spec.get("run_config")
    config = config if isinstance(config, Mapping) else {}
    return Imported(
        tool=TOOL,
        version=None,
        created=time_of(spec.get("created_at"), path),
        tasks={task: info},
        models={model: make_model(model)},
        cells=(ImportedCell(model, task, variant, "generate", metrics, results, prompt=variant),),
        errors={} if report else {model: "the log has no final report: the eval did not end"},
        seed=count(config.get("seed")),
        limit=count(config.get("max_samples")),
    )


def _reported(task: str, name: str, report: Mapping[str, Any]) -> Reported:
    stderr = next(
        (report[key] for key in (f"{name}_std", "boostrap_std", "bootstrap_std") if key in report), None
    )
    return Reported(f"openai_evals:{task}:{name}", value=number(report.get(name)), stderr=number(stderr))


def _result(sample_id: str, events: list[tuple[str, Mapping[str, Any]]]) -> SampleResult:
    """All events of a sample as one result; the last sampling is the answer that was judged."""
    by_type: dict[str, Mapping[str, Any]] = dict(events)
    sampling, match = by_type.get("sampling", {}), by_type.get("match", {})
    scores: dict[str, float | None] = {"accuracy": number(match["correct"])} if "correct" in match else {}
    for key, raw in by_type.get("metrics", {}).items():
        if (value := number(raw)) is not None:
            scores[str(key)] = value
    sampled = sampling.get("sampled", match.get("sampled"))
    sampled = sampled[0] if isinstance(sampled, list) and sampled else sampled
    said = None if sampled is None or sampled == [] else text(sampled)
    error = by_type.get("error")
    picked = match.get("picked")
    reason = None if scores else "call_failed" if error is not None else "not_scored"
    failed = (
        ResponseError("call_failed", str(error.get("message"))) if error is not None and not scores else None
    )
    return SampleResult(
        sample_id=sample_id,
        repeat=0,
        request_digest=digest([sample_id, sampling.get("prompt")]),
        messages=_messages(sampling.get("prompt", match.get("prompt"))),
        target=_targets(match.get("expected")),
        choices=tuple(map(text, match["options"])) if isinstance(match.get("options"), list) else (),
        response=Response("ok" if failed is None else "error", text=said, error=failed),
        answer=None if picked in (None, [], "") and match else text(picked) if picked is not None else said,
        rule=None,
        span=None,
        scores=scores,
        stats={},
        unscored_reason=reason,
    )


def _messages(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, list) and all(isinstance(turn, Mapping) and "content" in turn for turn in prompt):
        roles = ("system", "user", "assistant")
        return tuple(
            Message(turn["role"] if turn.get("role") in roles else "user", text(turn["content"]))
            for turn in prompt
        )
    return () if prompt in (None, "") else (Message("user", text(prompt)),)


def _targets(expected: Any) -> tuple[str, ...]:
    if isinstance(expected, list):
        return tuple(map(text, expected))
    return () if expected is None else (text(expected),)
