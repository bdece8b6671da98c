"""A run as logs of Inspect AI, which `inspect view` and its `read_eval_log` open: one log for each cell."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from evalkit.core.errors import UsageError
from evalkit.core.records import (
    CellResult,
    ImagePart,
    Message,
    Run,
    SampleResult,
    TextPart,
    Usage,
    digest,
    known_n,
)
from evalkit.interop.exports import Rows, check_cells
from evalkit.store.folders import StoredRun, write_private

_STOPS = {"truncated": "max_tokens", "refused": "content_filter", "error": "unknown"}
_TIME = (1980, 1, 1, 0, 0, 0)
"""Of the members of an archive, so that equal runs give equal bytes."""


def write_logs(stored: StoredRun, path: Path, rows: Rows) -> list[Path]:
    """The log of the only cell as a file (.eval or .json), or one .eval for each cell in a folder."""
    slugs = check_cells(stored, "inspect")
    as_file = path.suffix in (".eval", ".json")
    if as_file and len(slugs) > 1:
        raise UsageError(f"{path} is one log, and the run has {len(slugs)} cells: name a folder")
    written = []
    for cell in stored.run.cells:
        if cell.slug not in slugs:
            continue
        log = _header(stored.run, cell)
        samples = [_sample(result, cell) for result in stored.samples(cell.slug)]
        log["eval"]["dataset"]["sample_ids"] = list(dict.fromkeys(sample["id"] for sample in samples))
        started = stored.run.created.replace(":", "-").replace("Z", "-00-00")
        task = "".join(c if c.isalnum() else "-" for c in log["eval"]["task"])
        file = path if as_file else path / f"{started}_{task}_{log['eval']['task_id']}.eval"
        write_private(
            file, _dump({**log, "samples": samples}) if file.suffix == ".json" else _pack(log, samples)
        )
        written.append(file)
    return written


def _header(run: Run, cell: CellResult) -> dict[str, Any]:
    """The log without its samples; the names are those of Inspect's EvalLog."""
    info = run.tasks[cell.task]
    begun = datetime.fromisoformat(run.created)
    created = begun.isoformat()
    # An empty time is Inspect's word for unknown; two equal ones would be a duration of nothing.
    ended = "" if run.duration_s is None else (begun + timedelta(seconds=run.duration_s)).isoformat()
    scores = [
        {
            "name": name,
            "scorer": name,
            "scored_samples": known_n(value),
            "unscored_samples": cell.counts.unscored,
            "params": {"signature": value.signature},
            "metrics": {
                "mean": {"name": "mean", "value": value.value, "params": {}},
                **({} if value.stderr is None else {"stderr": {"name": "stderr", "value": value.stderr}}),
            },
        }
        for name, value in cell.metrics.items()
        if value.value is not None
    ]
    usage = _usage(cell.usage, cell.cost_usd)
    beside = _beside(cell.usage, cell.cost_usd)
    return {
        "version": 2,
        "status": "success" if run.status == "complete" or cell.counts.scored else "error",
        "eval": {
            "eval_id": _id(run.id, cell.slug, "eval"),
            "run_id": _id(run.id, "run"),
            "created": created,
            "task": cell.task,
            "task_id": _id(run.id, cell.slug, "task"),
            "task_version": info.version or 0,
            "task_args": {"variant": cell.variant, "num_fewshot": cell.num_fewshot},
            "dataset": {
                "name": info.source if info.source and " " not in info.source else info.name,
                "samples": cell.counts.samples // max(cell.repeats, 1),
            },
            "model": cell.model,
            "model_generate_config": _config(cell.params),
            "config": {"epochs": cell.repeats},
            "packages": {"evalkit": run.version},
            "metadata": {
                "evalkit_run": run.id,
                "mode": cell.mode,
                "prompt": info.prompts.get(cell.variant),
                **beside,
            },
        },
        "plan": {"name": "evalkit", "steps": [{"solver": cell.variant, "params": {}}], "config": {}},
        "results": {
            "total_samples": cell.counts.samples,
            "completed_samples": cell.counts.samples - cell.counts.errors,
            "scores": scores,
        },
        "stats": {
            "started_at": created,
            "completed_at": ended,
            "model_usage": {} if usage is None else {cell.model: usage},
        },
        "invalidated": False,
    }


def _config(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that Inspect knows, under its names."""
    names = {
        "temperature": "temperature",
        "top_p": "top_p",
        "max_tokens": "max_tokens",
        "seed": "seed",
        "stop": "stop_seqs",
        "frequency_penalty": "frequency_penalty",
        "presence_penalty": "presence_penalty",
    }
    found = {names[key]: value for key, value in params.items() if key in names and value is not None}
    if isinstance(found.get("stop_seqs"), str):
        found["stop_seqs"] = [found["stop_seqs"]]
    return found


def _usage(usage: Usage, cost: float | None) -> dict[str, Any] | None:
    """The tokens as Inspect's ModelUsage; None where some are unknown, which Inspect would read as 0."""
    if usage.input is None or usage.output is None:
        return None
    found: dict[str, Any] = {
        "input_tokens": usage.input if usage.cached is None else usage.input - usage.cached,
        "output_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "input_tokens_cache_read": usage.cached,
        "reasoning_tokens": usage.reasoning,
        "total_cost": cost,
    }
    return {key: value for key, value in found.items() if value is not None}


def _beside(usage: Usage, cost: float | None) -> dict[str, Any]:
    """What is known of tokens and cost where not all is: Inspect's own record has no word for unknown."""
    if usage.input is not None and usage.output is not None:
        return {}
    known = {"input_tokens": usage.input, "output_tokens": usage.output, "cost_usd": cost}
    return {key: value for key, value in known.items() if value is not None}


def _sample(result: SampleResult, cell: CellResult) -> dict[str, Any]:
    response = result.response
    said = _answer(result)
    messages = [_message(message) for message in result.messages]
    ended: dict[str, Any] = {"role": "assistant", "content": said, "source": "generate", "model": cell.model}
    if response.reasoning:
        ended["content"] = [
            {"type": "reasoning", "reasoning": response.reasoning},
            {"type": "text", "text": said},
        ]
    failed = response.error is not None
    usage = _usage(response.usage, response.cost_usd)
    output: dict[str, Any] = {"model": response.model_reported or cell.model, "choices": []}
    if not failed:
        output["choices"] = [{"message": ended, "stop_reason": _STOPS.get(response.status, "stop")}]
        output["completion"] = said
        messages.append(ended)
    if usage is not None:
        output["usage"] = usage
    if response.latency_s is not None:
        output["time"] = response.latency_s
    sample: dict[str, Any] = {
        "id": result.sample_id,
        "epoch": result.repeat + 1,
        "input": "\n\n".join(message.text for message in result.messages if message.role == "user"),
        "target": list(result.target) if len(result.target) != 1 else result.target[0],
        "messages": messages,
        "output": output,
        "scores": {
            name: {"value": score, "answer": result.answer, "explanation": said}
            for name, score in result.scores.items()
            if score is not None and result.unscored_reason is None
        },
        "metadata": {
            **result.metadata,
            **({"rule": result.rule} if result.rule else {}),
            **_beside(response.usage, response.cost_usd),
        },
        "store": {},
        "events": [],
        "model_usage": {cell.model: usage} if usage is not None else {},
        "attachments": {},
        "uuid": _id(cell.slug, result.sample_id, str(result.repeat)),
    }
    if result.choices:
        sample["choices"] = list(result.choices)
    if response.error is not None:
        said = f"{response.error.kind}: {response.error.message}"
        sample["error"] = {"message": said, "traceback": "", "traceback_ansi": ""}
    return sample


def _answer(result: SampleResult) -> str:
    """What was generated; for likelihoods, which Inspect has no place for, a line a continuation."""
    response = result.response
    if response.text is not None or not response.loglikelihoods:
        return response.text or ""
    names = result.choices or result.target
    pairs = zip(names, response.loglikelihoods, strict=False)
    return "\n".join(f"{item.logprob:.6g} {name}" for name, item in pairs)


def _message(message: Message) -> dict[str, Any]:
    role = message.role if message.role in ("system", "user", "assistant") else "user"
    if isinstance(message.content, str):
        return {"role": role, "content": message.content}
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, TextPart):
            parts.append({"type": "text", "text": part.text})
        elif isinstance(part, ImagePart):
            parts.append({"type": "image", "image": part.url})
    return {"role": role, "content": parts}


def _id(*parts: str) -> str:
    return digest(list(parts))[:22]


def _dump(content: Any) -> bytes:
    return json.dumps(content, default=str, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _pack(log: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> bytes:
    """The archive, deflated: Inspect reads it as it reads its own."""
    summaries = []
    for sample in samples:
        keys = ("id", "epoch", "input", "target", "scores", "metadata", "model_usage", "uuid")
        summary = {key: sample[key] for key in keys}
        error = sample.get("error")
        summaries.append({**summary, "completed": True, **({"error": error["message"]} if error else {})})
    # Inspect looks a sample up by its id, which therefore stands in the member's name as it is.
    members: dict[str, Any] = {"_journal/start.json": {key: log[key] for key in ("version", "eval", "plan")}}
    for sample in samples:
        members[f"samples/{sample['id']}_epoch_{sample['epoch']}.json"] = sample
    members |= {"summaries.json": summaries, "header.json": log}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, _dump(content))
    return sink.getvalue()
