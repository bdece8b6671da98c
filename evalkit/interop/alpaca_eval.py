"""AlpacaEval's annotations as runs of win rates, and its outputs as runs that wait for a judge.

The win rate is AlpacaEval's (https://github.com/tatsu-lab/alpaca_eval, metrics/winrate.py): the mean of
preference - 1, a draw counts 1/2, instructions without a preference are left out; here they are unscored.
Its length-controlled rate needs a model fitted over many systems and is not made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.records import Message, Response, SampleResult, digest
from evalkit.interop.files import check_list, check_object, number, read_json, text
from evalkit.interop.imported import Imported, ImportedCell, Reported, make_model, make_task

TOOL = "AlpacaEval"
TASK = "alpaca_eval"
METRIC = "win_rate"


def read_annotations(path: Path) -> Iterator[Imported]:
    """What annotations or outputs in a file, or in the .json files of a folder, tell. Raises DataError."""
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    if not files:
        raise DataError(f"{path}: neither annotations.json nor model_outputs.json in it")
    for file in files:
        yield _read(file)


def _read(path: Path) -> Imported:
    rows = [
        check_object(row, f"{path}, row {place}")
        for place, row in enumerate(check_list(read_json(path), str(path)), start=1)
    ]
    if not rows:
        raise DataError(f"{path} holds no rows")
    if "preference" in rows[0]:
        needed = ["instruction", "generator_1", "generator_2", "preference"]
    elif "output" in rows[0]:
        needed = ["instruction", "output"]
    else:
        raise DataError(f"{path} holds neither annotations (`preference`) nor outputs (`output`) of {TOOL}")
    judged = "preference" in needed
    groups: dict[tuple[str, str, str], list[SampleResult]] = {}
    for place, row in enumerate(rows, start=1):
        for key in needed:
            if key not in row:
                raise DataError(f"{path}, row {place} has no `{key}`")
        model = text(row["generator_2"] if judged else row.get("generator") or path.parent.name)
        variant = f"against {row['generator_1']}" if judged else "outputs"
        annotator = text(row.get("annotator") or "")
        result = _annotation(path, place, row) if judged else _output(row)
        groups.setdefault((model, variant, annotator), []).append(result)
    several = len({annotator for _, _, annotator in groups}) > 1
    cells = tuple(_cell(key, results, several) for key, results in groups.items())
    info = make_task(
        TASK,
        TOOL,
        tags=("alpaca_eval", "imported"),
        source="https://github.com/tatsu-lab/alpaca_eval",
        n_samples=max(len(cell.results) for cell in cells),
        chance=0.5,
        texts=[result.messages[0].text for cell in cells for result in cell.results[:50]],
        headline=METRIC,
    )
    return Imported(
        tool=TOOL,
        version=None,
        created=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        tasks={TASK: info},
        models={cell.model: make_model(cell.model) for cell in cells},
        cells=cells,
        notes=()
        if judged
        else (f"{path.name}: outputs without preferences; evalkit arena can have them judged",),
    )


def _cell(key: tuple[str, str, str], results: Sequence[SampleResult], several: bool) -> ImportedCell:
    model, variant, annotator = key
    signature = f"alpaca_eval:{METRIC}|{variant}|annotator:{annotator or 'unknown'}"
    if several:
        variant = f"{variant} by {annotator or 'unknown'}"
    return ImportedCell(
        model, TASK, variant, "generate", {METRIC: Reported(signature)}, results, prompt=variant
    )


def _annotation(path: Path, place: int, row: Mapping[str, Any]) -> SampleResult:
    preference = row["preference"]
    score: float | None = None
    value = number(preference)
    if value is not None:
        if not (value == 0 or 1 <= value <= 2) or isinstance(preference, bool):
            raise DataError(f"{path}, row {place}: preference is 0, null or from 1 to 2, not {preference!r}")
        score = 0.5 if value == 0 else value - 1
    elif preference is not None and not isinstance(preference, float):
        raise DataError(f"{path}, row {place}: preference is 0, null or from 1 to 2, not {preference!r}")
    return _result(row, row.get("output_2"), row.get("output_1"), score, "no_preference")


def _output(row: Mapping[str, Any]) -> SampleResult:
    return _result(row, row["output"], None, None, "not_judged")


def _result(
    row: Mapping[str, Any], output: Any, reference: Any, score: float | None, reason: str
) -> SampleResult:
    prompt = text(row["instruction"])
    if row.get("input"):
        prompt = f"{prompt}\n\n{text(row['input'])}"
    said = None if output is None else text(output)
    return SampleResult(
        sample_id=digest([row.get("dataset"), row["instruction"], row.get("input")])[:16],
        repeat=0,
        request_digest=digest(prompt),
        messages=(Message("user", prompt),),
        target=() if reference is None else (text(reference),),
        choices=(),
        response=Response(text=said),
        answer=said,
        rule=None,
        span=None,
        scores={METRIC: score},
        stats={},
        unscored_reason=reason if score is None else None,
        metadata={"dataset": row["dataset"]} if row.get("dataset") else {},
    )
