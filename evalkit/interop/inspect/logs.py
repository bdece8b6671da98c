"""Logs of Inspect AI as runs: one log is a cell, a folder of logs a run.

Inspect leaves samples that failed out of its means; here they are unscored and counted. A score keeps its
scorer's name; other metrics of it are called scorer/metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.records import (
    ImagePart,
    Message,
    Response,
    ResponseError,
    ResponseStatus,
    Role,
    SampleResult,
    TextPart,
    Usage,
    digest,
)
from evalkit.interop.files import check_object, count, number, text, time_of
from evalkit.interop.imported import Imported, ImportedCell, Reported, make_model, make_task
from evalkit.interop.inspect.archive import read_log

TOOL = "Inspect"
VARIANT = "inspect"
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""Inspect's value_to_float: correct, partial, incorrect, no answer."""
_MEANS = ("accuracy", "mean")
_SPREADS = frozenset({"stderr", "std", "var", "bootstrap_stderr", "ci", "ci_wilson"})
_STATUS: Mapping[str, ResponseStatus] = {
    "max_tokens": "truncated",
    "model_length": "truncated",
    "content_filter": "refused",
}


def read_logs(path: Path) -> Iterator[Imported]:
    """What a log, or each log below a folder, tells. Raises DataError."""
    if path.is_file():
        yield _read(path)
        return
    files = sorted(file for file in path.rglob("*") if file.suffix in (".eval", ".json"))
    logs = [file for file in files if file.name not in ("logs.json", "eval-set.json")]
    if not logs:
        raise DataError(f"{path}: no log of {TOOL} (.eval or .json) in it")
    for file in logs:
        yield _read(file)


def _read(path: Path) -> Imported:
    log, samples = read_log(path)
    if not isinstance(log.get("eval"), Mapping) or "model" not in log["eval"]:
        raise DataError(f"{path} is no log of {TOOL}: it has no `eval` with a `model`")
    head: Mapping[str, Any] = log["eval"]
    name, model = str(head.get("task") or "task"), str(head["model"])
    scored = list(_metrics(log))
    results = [_result(where, sample, model, scored) for where, sample in samples]
    _order(results, _part(head, "dataset").get("sample_ids"))
    version = _part(head, "packages").get("inspect_ai")
    metrics = {each.name: each.reported for each in scored}
    if not metrics:  # a log that was cut off: what its samples say
        metrics = {key: Reported(f"inspect:{key}|version:{version}") for r in results[:1] for key in r.scores}
    planned = count(_part(log, "results").get("total_samples"))
    repeats = count(_part(head, "config").get("epochs")) or 1  # Inspect leaves one epoch unsaid
    if planned is None:
        size = count(_part(head, "dataset").get("samples"))
        planned = size * repeats if size else len(results) or None
    passed = _part(head, "task_args_passed") or _part(head, "task_args")
    steps = _part(log, "plan").get("steps")
    params = {**_part(_part(log, "plan"), "config"), **_part(head, "model_generate_config")}
    info = make_task(
        name,
        TOOL,
        kind="choice" if any(result.choices for result in results) else "generate",
        tags=("inspect", "imported"),
        version=str(head.get("task_version", "")),
        source=str(_part(head, "dataset").get("name") or ""),
        digest=digest([TOOL, name, head.get("task_version"), steps]),
        data_revision=str(_part(head, "dataset").get("location") or "unknown"),
        n_samples=None if planned is None else planned // repeats,
        n_total=count(_part(head, "dataset").get("samples")),
        headline=next(iter(metrics), ""),
        texts=[result.messages[-1].text for result in results[:50] if result.messages],
    )
    limit = _part(head, "config").get("limit")
    return Imported(
        tool=TOOL,
        version=None if version is None else str(version),
        created=time_of(head.get("created"), path),
        tasks={name: info},
        models={model: make_model(model)},
        cells=(
            ImportedCell(
                model=model,
                task=name,
                variant=",".join(f"{key}={text(value)}" for key, value in passed.items())[:80] or VARIANT,
                mode="generate",
                metrics=metrics,
                results=results,
                n_samples=planned,
                repeats=repeats,
                params={key: value for key, value in params.items() if value is not None},
                prompt=[steps, passed],
                cost_usd=number(_part(_part(_part(log, "stats"), "model_usage"), model).get("total_cost")),
            ),
        ),
        errors=_why_stopped(log, model),
        limit=count(limit),
        notes=() if results else (f"{path.name}: no samples in it, numbers alone",),
    )


def _part(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key)
    return value if isinstance(value, Mapping) else {}


def _why_stopped(log: Mapping[str, Any], model: str) -> Mapping[str, str]:
    status = log.get("status")
    if status == "success":
        return {}
    return {model: str(_part(log, "error").get("message") or f"Inspect's log says: {status}")}


class _Metric:
    """A number of the log, and where a sample's part of it is."""

    def __init__(self, name: str, score: str, scorer: str, is_mean: bool, reported: Reported) -> None:
        self.name = name
        self.score = score
        self.scorer = scorer
        self.is_mean = is_mean
        self.reported = reported

    def of(self, sample: Mapping[str, Any]) -> float | None:
        """The sample's own score; None where it has none."""
        scores = _part(sample, "scores")
        if self.score in scores:
            return _value(_part(scores, self.score).get("value"))
        several = _part(scores, self.scorer).get("value")
        return _value(several.get(self.score)) if isinstance(several, Mapping) else None


def _metrics(log: Mapping[str, Any]) -> Iterator[_Metric]:
    """The numbers of the log in its order; the first mean of a scorer goes by the scorer's name."""
    taken: set[str] = set()
    version = _part(_part(log, "eval"), "packages").get("inspect_ai", "unknown")
    found = _part(log, "results").get("scores")
    for entry in found if isinstance(found, list) else []:
        if not isinstance(entry, Mapping):
            continue
        score, reducer = str(entry.get("name")), entry.get("reducer")
        metrics = _part(entry, "metrics")
        stderr = number(_part(metrics, "stderr").get("value"))
        for key, metric in metrics.items():
            if not isinstance(metric, Mapping) or key in _SPREADS:
                continue
            is_mean = key in _MEANS
            name = score if is_mean and score not in taken else f"{score}/{key}"
            name = f"{name}@{reducer}" if name in taken else name
            taken.add(name)
            settings = digest([entry.get("params"), metric.get("params")])[:8]
            yield _Metric(
                name,
                score,
                str(entry.get("scorer", score)),
                is_mean,
                Reported(
                    f"inspect:{score}/{key}|reducer:{reducer}|settings:{settings}|version:{version}",
                    value=number(metric.get("value")),
                    stderr=stderr if is_mean else None,
                    n=count(entry.get("scored_samples")),
                ),
            )


def _value(value: Any) -> float | None:
    """A score as Inspect counts it; None where it is none, NaN among them."""
    if isinstance(value, str):
        known = _LETTERS.get(value, _LETTERS.get(value.lower()) if len(value) > 1 else None)
        try:
            return known if known is not None else number(float(value))
        except ValueError:
            return None
    return number(value)


def _order(results: list[SampleResult], ids: Any) -> None:
    """Into the order of the data set, repeats after each other."""
    places = {str(each): place for place, each in enumerate(ids if isinstance(ids, list) else [])}
    results.sort(key=lambda result: (places.get(result.sample_id, len(places)), result.repeat))


def _result(where: str, sample: Mapping[str, Any], model: str, metrics: Sequence[_Metric]) -> SampleResult:
    if "id" not in sample or "epoch" not in sample:
        raise DataError(f"{where}: a sample has `id` and `epoch`")
    attached = _part(sample, "attachments")
    turns = sample.get("messages")
    messages = [_message(turn, attached) for turn in (turns if isinstance(turns, list) else [])]
    if messages and messages[-1].role == "assistant":
        messages.pop()
    if not messages:
        messages = _input(sample.get("input"), attached)
    response = _response(where, sample, model, attached)
    scores = {metric.name: metric.of(sample) for metric in metrics if metric.is_mean}
    if not metrics:
        own = _part(sample, "scores")
        scores = {key: _value(_part(own, key).get("value")) for key in own}
    answers = (_part(_part(sample, "scores"), key).get("answer") for key in _part(sample, "scores"))
    answer = next((str(each) for each in answers if each not in (None, "")), None)
    epoch = count(sample["epoch"])
    if not epoch:
        raise DataError(f"{where}: epoch is {sample['epoch']!r}; it counts from 1")
    reason = None
    if response.error is not None:
        reason = response.error.kind
    elif not any(score is not None for score in scores.values()):
        reason = "not_scored"
    target = sample.get("target", "")
    return SampleResult(
        sample_id=str(sample["id"]),
        repeat=epoch - 1,
        request_digest=digest(
            [model, [[message.role, message.text] for message in messages], sample["epoch"]]
        ),
        messages=tuple(messages),
        target=tuple(map(str, target)) if isinstance(target, list) else (str(target),),
        choices=tuple(map(str, sample.get("choices") or ())),
        response=response,
        answer=answer if reason is None else None,
        rule=None,
        span=None,
        scores=scores,
        stats={},
        unscored_reason=reason,
        metadata=dict(_part(sample, "metadata")),
    )


def _input(value: Any, attached: Mapping[str, Any]) -> list[Message]:
    if isinstance(value, list):
        return [_message(turn, attached) for turn in value]
    return [Message("user", _attachment(text(value), attached))]


def _response(where: str, sample: Mapping[str, Any], model: str, attached: Mapping[str, Any]) -> Response:
    output = _part(sample, "output")
    usage = _part(_part(sample, "model_usage"), model) or _part(output, "usage")
    tokens, made = count(usage.get("total_tokens")), count(usage.get("output_tokens"))
    known = Usage(
        # Inspect's input_tokens leave out what came from the provider's cache; the total does not.
        input=tokens - made if tokens is not None and made is not None else count(usage.get("input_tokens")),
        output=made,
        reasoning=count(usage.get("reasoning_tokens")),
        cached=count(usage.get("input_tokens_cache_read")),
    )
    error = _part(sample, "error")
    if error:
        said = str(error.get("message") or "the sample failed")
        return Response("error", error=ResponseError("sample_error", said), usage=known)
    choices = output.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    first = check_object(first, f"{where}: output.choices[0]")
    content = _part(first, "message").get("content", output.get("completion", ""))
    stop = first.get("stop_reason")
    limit = _part(sample, "limit").get("type")
    seconds = number(output.get("time"))
    return Response(
        status="truncated" if limit else _STATUS.get(str(stop), "ok"),
        text=_attachment(_plain(content), attached),
        reasoning=_reasoning(content, attached),
        finish_reason=str(limit or stop) if limit or stop else None,
        usage=known,
        cost_usd=number(usage.get("total_cost")),
        latency_s=seconds if seconds is not None and seconds >= 0 and not math.isnan(seconds) else None,
        model_reported=str(output["model"]) if output.get("model") else None,
    )


def _plain(content: Any) -> str:
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        return "".join(str(part.get("text", "")) for part in parts)
    return text(content)


def _reasoning(content: Any, attached: Mapping[str, Any]) -> str | None:
    parts = content if isinstance(content, list) else []
    found = [part for part in parts if isinstance(part, Mapping) and part.get("type") == "reasoning"]
    return "\n".join(_attachment(str(part.get("reasoning", "")), attached) for part in found) or None


def _message(turn: Any, attached: Mapping[str, Any]) -> Message:
    """A turn; those of tools stand as the user's, with the tool's name before them."""
    if not isinstance(turn, Mapping):
        return Message("user", text(turn))
    role = str(turn.get("role"))
    content = turn.get("content", "")
    images = [part for part in content if _is_image(part)] if isinstance(content, list) else []
    said = _attachment(_plain(content), attached)
    calls = turn.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, Mapping):
            said += f"\n[calls {call.get('function')} {text(call.get('arguments'))}]"
    if role == "tool":
        said = f"[tool {turn.get('function') or ''}] {said}"
    known: Role = "system" if role == "system" else "assistant" if role == "assistant" else "user"
    if images:
        shown = [ImagePart(_attachment(str(part.get("image")), attached)) for part in images]
        return Message(known, (TextPart(said), *shown))
    return Message(known, said)


def _is_image(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "image"


def _attachment(said: str, attached: Mapping[str, Any]) -> str:
    """The text; what Inspect put aside because it is long stands in its place."""
    mark = "attachment://"
    if said.startswith(mark):
        return str(attached.get(said.removeprefix(mark), said))
    return said
