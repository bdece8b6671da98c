"""Published scores reproduced from real recorded outputs, through the command line's own steps."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

import evalkit
from evalkit.store.folders import StoredRun

REPOSITORY = Path(__file__).parent.parent.parent
DATA = Path(os.environ.get("EVALKIT_REALDATA") or REPOSITORY.parent / "shared" / "data")
TASKS = Path(__file__).parent / "tasks"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real benchmark data (EVALKIT_REALDATA)"),
]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def score(model: str, task: str, data: str) -> StoredRun:
    """The run of a recorded model on a task of this folder with real data."""
    return evalkit.run(
        models=[model], tasks=[task], data={task: DATA / data}, include_path=[TASKS], trust=True
    )


def value(stored: StoredRun, metric: str) -> float:
    """The metric's value in its own scale."""
    found = stored.run.cells[0].metrics[metric].value
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("file", "n_right"),
    [("outputs_abel-7b-001.jsonl", 788), ("outputs_abel-70b-001.jsonl", 1103)],
)
def test_gsm8k_of_abel(file: str, n_right: int) -> None:
    """59.74 % and 83.62 % (README of GAIR-NLP/abel at the recordings' commit), n = 1319."""
    stored = score(f"replay/{DATA}/gsm8k/{file}", "gsm8k_recorded", "gsm8k/test.jsonl")
    assert value(stored, "exact_match") == pytest.approx(n_right / 1319, abs=1e-9)
    assert stored.run.cells[0].metrics["exact_match"].n == 1319
    assert stored.run.status == "complete"


def test_squad(workspace: Path) -> None:
    """EM and F1 of the official scorer; 13 missing ids count as wrong and stay in the denominator."""
    file, em, f1, n_missing = "predictions_logistic_regression.json", 40.1419, 50.9815, 13
    path = DATA / "squad_v1.1" / file
    (workspace / "evalkit.yaml").write_text(
        f"models:\n  system: {{model: 'replay/{path}', options: {{missing: wrong}}}}\n"
    )
    stored = score("system", "squad_v1_recorded", "squad_v1.1/dev.json")
    assert 100 * value(stored, "exact_match") == pytest.approx(em, abs=1e-4)
    assert 100 * value(stored, "f1") == pytest.approx(f1, abs=1e-4)
    assert stored.run.cells[0].metrics["f1"].n == 10570
    assert stored.run.cells[0].counts.no_answer >= n_missing


def published() -> dict[str, dict[str, float]]:
    """System -> metric -> published score of WMT22 de-en against both references."""
    table: dict[str, dict[str, float]] = {}
    if not DATA.is_dir():
        return table
    with (DATA / "wmt22_de-en" / "published_scores.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["metric"] in ("bleu-all", "chrf-all"):
                table.setdefault(row["system"], {})[row["metric"]] = float(row["score"])
    return {name: scores for name, scores in table.items() if (DATA / f"wmt22_de-en/hyp.{name}.en").is_file()}


@pytest.mark.parametrize("system", ["JDExploreAcademy", "LT22"])
def test_wmt22(workspace: Path, system: str) -> None:
    """BLEU and chrF against two references, to the printed digits (all systems: tests/metrics)."""
    lines = (DATA / f"wmt22_de-en/hyp.{system}.en").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    outputs = workspace / f"{system}.jsonl"
    outputs.write_text("".join(json.dumps({"id": i, "output": x}) + "\n" for i, x in enumerate(lines, 1)))
    stored = score(f"replay/{outputs}", "wmt22_de_en_recorded", "wmt22_de-en/src.de")
    assert value(stored, "bleu") == pytest.approx(published()[system]["bleu-all"], abs=1e-9)
    assert value(stored, "chrf") == pytest.approx(published()[system]["chrf-all"], abs=1e-9)
