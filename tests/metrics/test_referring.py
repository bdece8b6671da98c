"""Chosen references in a chosen order, and what a byte order mark in a file of hypotheses is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factories import write_task
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

import evalkit
from evalkit import MockModel, compare
from evalkit.core.errors import DataError, MetricError
from evalkit.core.records import Request, Response
from evalkit.metrics import Case, Metric, build_metrics, summarise

ROWS = [
    {"id": "0", "question": "0", "hyp": "d d d", "answer": "cc aa", "ref.A": "cc aa", "ref.B": "b b"},
    {"id": "1", "question": "1", "hyp": "the cat", "answer": "a cat", "ref.A": "a cat", "ref.B": "the cat"},
]
"""The first hypothesis has nothing in common with either reference: chrF counts the first of them."""


def build(name: str, **spec: Any) -> Metric:
    """The metric of one spec."""
    (metric,) = build_metrics([{"name": name, **spec}], language="en", labels=("a", "b"))
    return metric


def total(metric: Metric) -> float:
    """The value over the rows."""
    cases = [Case(str(row["hyp"]), Response(), target=(str(row["answer"]),), fields=row) for row in ROWS]
    stats = [metric.stats(case) for case in cases]
    found = summarise(metric, [metric.score(case) for case in cases], stats, sample_ids=["0", "1"])
    assert found.value is not None
    return found.value


@pytest.mark.parametrize("order", [["ref.A", "ref.B"], ["ref.B", "ref.A"], ["ref.B"]])
def test_value_is_sacrebleus_with_the_references_in_this_order(order: list[str]) -> None:
    """chrF depends on the order where two references are equally near; BLEU does not, and follows too."""
    hypotheses = [str(row["hyp"]) for row in ROWS]
    references = [[str(row[column]) for row in ROWS] for column in order]
    for name, theirs in (("chrf", CHRF()), ("bleu", BLEU())):
        expected = theirs.corpus_score(hypotheses, references).score
        metric = build(name, references=order)
        assert total(metric) == pytest.approx(expected, abs=1e-9)
        assert metric.signature.endswith(f"|refs:{','.join(order)}")
    near = build("rouge1", references=order).score(Case("b", Response(), fields=ROWS[0]))
    assert near == pytest.approx(2 / 3)


def test_orders_differ_and_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two orders of the same references are two metrics: by value, by signature, and to `compare`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evalkit.yaml").write_text("")

    def run(order: list[str]) -> Any:
        spec = {"name": "chrf", "references": order}
        write_task(
            tmp_path / "tasks" / "mt", ROWS, name="mt", metrics=[spec], prompts={"p": "{{ question }}"}
        )
        hypotheses = {row["id"]: str(row["hyp"]) for row in ROWS}

        def answer(request: Request) -> str:
            return hypotheses[request.sample_id]

        return evalkit.run(models=[MockModel(answer)], tasks=["mt"])

    one, two, again = run(["ref.A", "ref.B"]), run(["ref.B", "ref.A"]), run(["ref.B", "ref.A"])
    values = [stored.run.cells[0].metrics["chrf"].value for stored in (one, two)]
    assert abs(values[0] - values[1]) > 1.0
    (refusal,) = compare(one, two).refusals
    assert "refs:ref.A,ref.B" in refusal.reason
    assert len(compare(two, again).differences) == 1


@pytest.mark.parametrize("value", [None, 3, [], ["x", 1], "absent"])
def test_sample_without_a_reference_is_refused_before_it_is_asked(
    value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names file, line and column."""
    row = {"id": "a", "question": "q", "answer": "x", "ref.A": value}
    if value == "absent":
        del row["ref.A"]
    write_task(
        tmp_path / "tasks" / "mt", [row], name="mt", metrics=[{"name": "chrf", "references": ["ref.A"]}]
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"samples\.jsonl, line 1: references: .*ref\.A"):
        evalkit.run(models=[MockModel(lambda request: "x")], tasks=["mt"])


@pytest.mark.parametrize("columns", [[], "", ["a", "a"], [3], None, {"a": 1}])
def test_columns_that_are_none_are_refused(columns: Any) -> None:
    """A list of different columns, or one of them."""
    with pytest.raises(MetricError, match="references: "):
        build("chrf", references=columns)


def test_metrics_without_references_refuse_them() -> None:
    """A metric that judges a choice, or without a target, has nothing to do with references."""
    with pytest.raises(MetricError, match="compare a text"):
        build_metrics([{"name": "accuracy", "references": ["a"]}], language="en", kind="choice")
    with pytest.raises(MetricError, match="compare a text"):
        build("latency", references=["a"])


def test_byte_order_mark_of_a_file_of_hypotheses_is_text_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sacrebleu reads it as a character of the first line; so does replay/, with a note."""
    monkeypatch.chdir(tmp_path)
    write_task(
        tmp_path / "tasks" / "mt", ROWS, name="mt", metrics=["chrf", "bleu"], prompts={"p": "{{ question }}"}
    )
    (tmp_path / "hyp.txt").write_bytes("\ufeffcc aa\nthe cat\n".encode())
    stored = evalkit.run(models=["replay/hyp.txt"], tasks=["mt"])
    hypotheses = (tmp_path / "hyp.txt").read_text("utf-8").splitlines()
    references = [[str(row["answer"]) for row in ROWS]]
    metrics = stored.run.cells[0].metrics
    assert metrics["chrf"].value == pytest.approx(CHRF().corpus_score(hypotheses, references).score)
    assert metrics["chrf"].value != pytest.approx(CHRF().corpus_score(["cc aa", "the cat"], references).score)
    assert "byte order mark" in json.dumps(
        [stored.run.cells[0].notes, list(stored.run.models.values())], default=str
    )
