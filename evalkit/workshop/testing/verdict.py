"""The verdict on one cell that a test asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalkit import api
from evalkit.core.errors import EvalkitError, NotComparableError, did_you_mean
from evalkit.core.records import CellResult
from evalkit.gate import Check, Gate, check_gate
from evalkit.pages.formats import visible
from evalkit.pages.gate.wording import HEADS, headline, row
from evalkit.store.folders import StoredRun

_RUN_KEYS = ("limit", "repeats", "seed", "params", "data", "include_path", "judge", "max_cost", "trust")
_GATE_KEYS = ("baseline", "min", "metric", "tolerance", "alpha", "target", "strict")
KEYS = ("task", "model", "prompt", *_GATE_KEYS, *_RUN_KEYS)
"""What the marker takes."""
_SAMPLES_NAMED = 10


@dataclass(frozen=True)
class Verdict:
    """What a marked test was told of its cell."""

    word: str
    """pass, fail or inconclusive."""
    text: str
    """The verdict in lines: each check, what is allowed, and the samples that newly fail."""
    cell: CellResult
    run: StoredRun
    checks: tuple[Check, ...]


def read_demand(arguments: Sequence[Any], demand: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What a marker asks for. Raises pytest.UsageError that names the test."""
    for key in demand:
        if key not in KEYS:
            raise pytest.UsageError(f"{where}: evalkit takes no {key!r}.{did_you_mean(key, KEYS)}")
    if arguments or "task" not in demand or "model" not in demand:
        raise pytest.UsageError(
            f"{where}: write @pytest.mark.evalkit(task=..., model=..., min=... or baseline=...)"
        )
    if demand.get("min") is None and demand.get("baseline") is None:
        raise pytest.UsageError(f"{where}: say what is demanded: min=0.8, or baseline='reports/baseline'")
    least, strict = demand.get("min"), demand.get("strict", False)
    if isinstance(least, Mapping) and not least:
        raise pytest.UsageError(f"{where}: min={{}} demands nothing; write min={{'exact_match': 0.8}}")
    if not isinstance(strict, bool):
        raise pytest.UsageError(f"{where}: strict is True or False, not {strict!r}")
    for key in ("task", "model", "prompt"):
        if isinstance(demand.get(key), list | tuple) and not demand[key]:
            raise pytest.UsageError(f"{where}: {key}=[] names nothing, and a test of nothing would be green")
    for key in ("tolerance", *(["metric"] if least is None or isinstance(least, Mapping) else [])):
        if key in demand and demand.get("baseline") is None:
            raise pytest.UsageError(f"{where}: {key} decides nothing without baseline=...")
    return dict(demand)


def listed(value: Any) -> Sequence[Any]:
    """The value itself where it is a list, else a list of it."""
    return value if isinstance(value, list | tuple) else [value]


def judge_cell(asked: Mapping[str, Any], out: Path, cache: str | None) -> Verdict:
    """The verdict on one cell, which is run now; what the cache has is not paid again.

    An error of evalkit fails the test with its message alone.
    """
    try:
        run = api.run(
            models=[asked["model"]],
            tasks=[asked["task"]],
            prompts=[asked["prompt"]] if asked["prompt"] is not None else [],
            out=out,
            cache=cache,
            **{key: asked[key] for key in _RUN_KEYS if key in asked},
        )
        if len(run.run.cells) != 1:
            named = ", ".join(f"{cell.task} · {cell.variant}" for cell in run.run.cells)
            raise pytest.UsageError(f"{asked['task']} names several cells, list them: {named}")
        checks = _checks(asked, run)
    except EvalkitError as error:
        pytest.fail(f"evalkit: {error}", pytrace=False)
    words = [check.verdict for check in checks]
    word = next((word for word in ("fail", "inconclusive") if word in words or not words), "pass")
    lines = [line for check in checks for line in _lines(check)]
    return Verdict(word, "\n".join(lines), run.run.cells[0], run, checks)


def _checks(asked: Mapping[str, Any], run: StoredRun) -> tuple[Check, ...]:
    cell = run.run.cells[0]
    options = {key: asked[key] for key in ("alpha", "target") if key in asked}
    least = asked.get("min")
    if least is not None and not isinstance(least, Mapping):
        least = {asked.get("metric") or next(iter(cell.metrics)): least}
    floors = {(cell.task, metric): value for metric, value in (least or {}).items()}
    if asked.get("baseline") is None:
        gate = check_gate(run, baseline=run, floors=floors, **options)
        return tuple(check for check in _comparable(gate) if check.rule == "floor")
    gate = check_gate(
        run,
        baseline=asked["baseline"],
        floors=floors,
        tolerance=asked.get("tolerance", 0.0),
        metrics=listed(asked["metric"]) if "metric" in asked else (),
        allow=("cells",),
        **options,
    )
    return _comparable(gate)


def _comparable(gate: Gate) -> tuple[Check, ...]:
    """The checks of a gate. Raises NotComparableError where there are none to be had."""
    if gate.verdict == "not comparable":
        reasons = "; ".join(
            f"{one.kind}: {one.cell}: {one.text}" for one in gate.obstacles if not one.allowed
        )
        raise NotComparableError(f"{headline(gate)} ({reasons})")
    return gate.checks


def _lines(check: Check) -> list[str]:
    """A check as lines of a test's failure."""
    facts = dict(zip(HEADS, row(check, True), strict=True))
    line = (
        f"{check.verdict.upper()}: {facts['task']}: {facts['metric']} {facts['candidate']} "
        f"(change {facts['change']}, interval {facts['interval']}, allowed: {facts['allowed']}, "
        f"n = {facts['n']})"
    )
    lines = [visible(line)]
    if check.reason:
        lines.append(visible(f"  {check.reason}"))
    if check.verdict == "fail" and check.newly_failed:
        names = ", ".join(change.sample_id for change in check.newly_failed[:_SAMPLES_NAMED])
        lines.append(visible(f"  newly failed: {names}"))
    return lines
