"""Results of `promptfoo eval -o results.json` as runs: providers are models, prompts are variants.

Each test is a sample, told apart by its variables; the same variables again are a repeat. `pass` is whether
all assertions held, `score` promptfoo's weighted score; named scores keep their names, and their mean is not
weighted. A call that failed is unscored here, while promptfoo counts it in its total.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.records import Message, Response, ResponseError, SampleResult, Usage, digest
from evalkit.interop.files import check_list, check_object, count, number, read_object, text, time_of
from evalkit.interop.imported import Imported, ImportedCell, Reported, make_model, make_task

TOOL = "promptfoo"
_CALL_FAILED = 2
"""promptfoo's ResultFailureReason.ERROR; 1 is a failed assertion."""
_NAMES_TARGET = frozenset(
    {
        "equals",
        "contains",
        "icontains",
        "similar",
        "levenshtein",
        "rouge-n",
        "bleu",
        "starts-with",
        "factuality",
    }
)
"""Assertions whose value is what the answer should be."""


def read_results(path: Path) -> Iterator[Imported]:
    """What the results file, or each .json of a folder, tells. Raises DataError."""
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    if not files:
        raise DataError(f"{path}: no .json of {TOOL} in it; write one with: promptfoo eval -o results.json")
    for file in files:
        yield _read(file)


def _read(path: Path) -> Imported:
    content = read_object(path)
    found = content.get("results")
    rows = found.get("results") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or rows is None:
        raise DataError(f"{path} is no results file of {TOOL}: it has no `results.results`")
    config = content.get("config")
    task = str((config.get("description") if isinstance(config, Mapping) else None) or path.stem)
    groups: dict[tuple[str, str], list[tuple[str, Mapping[str, Any]]]] = {}
    for place, row in enumerate(check_list(rows, f"{path}: results.results")):
        where = f"{path}: results.results[{place}]"
        row = check_object(row, where)
        for key in ("vars", "prompt", "success"):
            if key not in row:
                raise DataError(f"{where} has no `{key}`, so it is no result of {TOOL}")
        prompt = check_object(row["prompt"], f"{where}.prompt")
        variant = str(prompt.get("label") or prompt.get("raw") or "prompt")[:80]
        groups.setdefault((_provider(row), variant), []).append((where, row))
    cells = tuple(
        _cell(task, model, variant, sorted(rows, key=_place)) for (model, variant), rows in groups.items()
    )
    templates = {
        str(p.get("label")): text(p.get("raw")) for p in found.get("prompts") or [] if isinstance(p, Mapping)
    }
    metadata = content.get("metadata")
    version = metadata.get("promptfooVersion") if isinstance(metadata, Mapping) else None
    info = make_task(
        task,
        TOOL,
        tags=("promptfoo", "imported"),
        n_samples=max((len({r.sample_id for r in cell.results}) for cell in cells), default=0),
        headline="pass",
        prompts={cell.variant: templates.get(cell.variant, "") for cell in cells},
        texts=list(templates.values()),
    )
    return Imported(
        tool=TOOL,
        version=None if version is None else str(version),
        created=time_of(found.get("timestamp"), path),
        tasks={task: info},
        models={cell.model: make_model(cell.model) for cell in cells},
        cells=cells,
    )


def _provider(row: Mapping[str, Any]) -> str:
    provider = row.get("provider")
    if isinstance(provider, Mapping):
        return str(provider.get("label") or provider.get("id") or "unknown")
    return str(provider or "unknown")


def _place(pair: tuple[str, Mapping[str, Any]]) -> int:
    place = count(pair[1].get("testIdx"))
    return -1 if place is None else place  # old files name no places: they stay in their order


def _cell(task: str, model: str, variant: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> ImportedCell:
    seen: dict[str, int] = {}
    results = [_result(row, seen) for _, row in rows]
    named = list(dict.fromkeys(name for result in results for name in result.scores))
    order = ["pass", "score", *(name for name in named if name not in ("pass", "score"))]
    asserts = digest([_asserts(row) for _, row in rows])[:12]
    return ImportedCell(
        model=model,
        task=task,
        variant=variant,
        mode="generate",
        metrics={name: Reported(f"promptfoo:{name}|assertions:{asserts}") for name in order},
        results=results,
        repeats=max(seen.values(), default=1),
        prompt=variant,
    )


def _asserts(row: Mapping[str, Any]) -> Any:
    case = row.get("testCase")
    return case.get("assert") if isinstance(case, Mapping) else None


def _result(row: Mapping[str, Any], seen: dict[str, int]) -> SampleResult:
    case = row.get("testCase")
    case = case if isinstance(case, Mapping) else {}
    sample_id = digest([case.get("description"), row["vars"]])[:12]
    repeat = seen.get(sample_id, 0)
    seen[sample_id] = repeat + 1
    response = _response(row)
    failed = response.error
    scores: dict[str, float | None] = {}
    if failed is None:
        scores = {"pass": number(row["success"]), "score": number(row.get("score"))}
        named = row.get("namedScores")
        scores |= (
            {str(key): number(value) for key, value in named.items()} if isinstance(named, Mapping) else {}
        )
    asserts = _asserts(row)
    wanted = [a for a in asserts if isinstance(a, Mapping)] if isinstance(asserts, list) else []
    targets = [
        text(a.get("value")) for a in wanted if a.get("type") in _NAMES_TARGET and a.get("value") is not None
    ]
    raw = row["prompt"].get("raw")
    return SampleResult(
        sample_id=sample_id,
        repeat=repeat,
        request_digest=digest([_provider(row), raw, repeat]),
        messages=_messages(raw),
        target=tuple(dict.fromkeys(targets)),
        choices=(),
        response=response,
        answer=response.text or None,
        rule=None,
        span=None,
        scores=scores,
        stats={},
        unscored_reason=None if failed is None else failed.kind,
        metadata={"vars": row["vars"], **({"test": case["description"]} if case.get("description") else {})},
    )


def _messages(raw: Any) -> tuple[Message, ...]:
    """The prompt; one that is a conversation as JSON stands as its messages."""
    said = text(raw)
    if said.lstrip().startswith("["):
        try:
            turns = json.loads(said)
            return tuple(Message(turn["role"], text(turn["content"])) for turn in turns)
        except (ValueError, KeyError, TypeError):
            return (Message("user", said),)
    return (Message("user", said),)


def _response(row: Mapping[str, Any]) -> Response:
    given = row.get("response")
    given = given if isinstance(given, Mapping) else {}
    seconds = number(row.get("latencyMs"))
    if row.get("failureReason") == _CALL_FAILED or (row.get("error") and "output" not in given):
        said = str(given.get("error") or row.get("error") or "the call failed")
        return Response("error", error=ResponseError("call_failed", said))
    tokens = given.get("tokenUsage")
    tokens = tokens if isinstance(tokens, Mapping) else {}
    output = given.get("output")
    return Response(
        text=None if output is None else text(output),
        usage=Usage(input=count(tokens.get("prompt")), output=count(tokens.get("completion"))),
        cost_usd=number(given.get("cost", row.get("cost"))),
        latency_s=None if seconds is None or given.get("cached") else seconds / 1000,
        from_cache=bool(given.get("cached")),
        finish_reason=str(given["finishReason"]) if given.get("finishReason") else None,
    )
