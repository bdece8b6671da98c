"""Runs and results changed by hand or by another program: typed errors, never a defect of evalkit."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from factories import make_cell, make_result, make_run

from evalkit.comparing.agreement import opinions_of_columns
from evalkit.core.errors import EvalkitError, StoreError
from evalkit.interop.files import count, number
from evalkit.interop.formats import read_format
from evalkit.store.folders import decode_run, encode_run, load_run, write_private

BEYOND = "9" * 400
"""An integer beyond 1e308."""


def stored(folder: Path, change: tuple[str, str] = ("", "")) -> Path:
    """A run of one sample whose line is changed so."""
    cell = make_cell()
    write_private(folder / "run.json", encode_run(make_run(cells=(cell,))))
    line = orjson.dumps(make_result(), default=str).decode()
    assert change[0] in line
    write_private(folder / "samples" / f"{cell.slug}.jsonl", (line.replace(*change, 1) + "\n").encode())
    return folder


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", BEYOND, "9" * 5000])
def test_a_score_that_is_no_number_is_told_with_file_and_line(tmp_path: Path, value: str) -> None:
    """evalkit writes no such number, and no mean over it means anything."""
    whole = load_run(stored(tmp_path / "whole"))
    (result,) = whole.samples(whole.run.cells[0].slug)
    name, score = next((key, value) for key, value in result.scores.items() if value is not None)
    changed = load_run(stored(tmp_path / "changed", (f'"{name}":{score}', f'"{name}":{value}')))
    with pytest.raises(StoreError, match=r"\.jsonl, line 1: "):
        list(changed.samples(changed.run.cells[0].slug))


def content(**changes: Any) -> dict[str, Any]:
    """The content of a run.json."""
    return {**json.loads(encode_run(make_run(cells=(make_cell(),)))), **changes}


@pytest.mark.parametrize("part", ["tasks", "models"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_cell_without_its_task_or_model_is_told(part: str, indent: int | None) -> None:
    """The file names the cell and what is lacking, however it is written."""
    text = json.dumps(content(**{part: {}}), indent=indent) + "\n"
    with pytest.raises(
        StoreError, match=rf"x/run\.json: cell .* names the {part[:-1]} .*`{part}` has no such"
    ):
        decode_run(text.encode(), "x/run.json")


def test_a_cell_that_stands_twice_is_told() -> None:
    """Both would be one file of samples."""
    whole = content()
    with pytest.raises(StoreError, match="two cells have the slug"):
        decode_run(json.dumps({**whole, "cells": whole["cells"] * 2}).encode(), "run.json")


@pytest.mark.parametrize("value", ["NaN", "1e999", BEYOND])
def test_a_value_of_a_run_that_is_no_number_is_told(value: str) -> None:
    """In the form that evalkit writes and in any other."""
    whole = content()
    metric = next(iter(whole["cells"][0]["metrics"].values()))
    metric["value"] = 0.123456
    for indent in (None, 2):
        text = json.dumps(whole, indent=indent).replace("0.123456", value) + "\n"
        with pytest.raises(StoreError, match=r"run\.json"):
            decode_run(text.encode(), "run.json")


@pytest.mark.parametrize("value", [int(BEYOND), -int(BEYOND), float("nan"), float("inf"), "1", None, [1]])
def test_what_is_no_finite_number_of_another_tool_is_unknown(value: Any) -> None:
    """An integer beyond 1e308 is no number that a mean can hold."""
    assert number(value) is None
    assert count(value) is None


@pytest.mark.parametrize(
    "row", [f'"score": {BEYOND}', '"score": "1e999"', '"score": 1, "target": "' + "[" * 9999 + '"']
)
def test_odd_rows_of_predictions_are_typed_errors_or_read(tmp_path: Path, row: str) -> None:
    """Nothing but an error of ours, or the answer."""
    (tmp_path / "x.jsonl").write_text(f'{{"id": "1", "output": "x", {row}}}\n')
    with contextlib.suppress(EvalkitError):
        (found,) = read_format("predictions", tmp_path / "x.jsonl")
        assert found.cells


@pytest.mark.parametrize("value", [float("nan"), "nan", "inf", "9" * 400])
def test_labels_that_are_no_numbers_are_words(value: Any) -> None:
    """They agree with themselves, and never make a correlation of nan."""
    (opinion,) = opinions_of_columns([{"human": value, "machine": value}], "human", "machine")
    assert isinstance(opinion.human, str)
