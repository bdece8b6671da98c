"""What a target says: one meaning for a whole file, told where the rows leave it open."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from factories import make_task
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import DataError, EvalkitError
from evalkit.tasks.targets import GOLD, find_gold
from evalkit.tasks.task import Task

FRUIT = ["stone", "apple", "chair"]


def choice(folder: Path, *rows: tuple[Any, list[Any]], **changes: Any) -> Task:
    """A choice task with these targets and options."""
    table = [
        {"id": str(number), "question": "?", "gold": gold, "options": options}
        for number, (gold, options) in enumerate(rows)
    ]
    return make_task(folder, table, kind="choice", target="gold", choices="options", **changes)


def gold(task: Task) -> list[tuple[int, ...]]:
    """The positions of the right options, sample by sample."""
    return [sample.gold for sample in task.samples()]


@pytest.mark.parametrize(
    ("targets", "positions", "meaning"),
    [
        ([1, 0], [1, 0], "index"),
        (["1", "0"], [1, 0], "index"),
        ([1, 3], [0, 2], "index1"),
        (["3", "1"], [2, 0], "index1"),
        (["B", "a"], [1, 0], "letter"),
        ([" C "], [2], "letter"),
        (["apple", "stone"], [1, 0], "text"),
    ],
)
def test_the_meaning_that_fits_every_row_is_taken(
    tmp_path: Path, targets: list[Any], positions: list[int], meaning: str
) -> None:
    """Letters, texts and positions from 0 or 1 are told apart by the rows themselves."""
    task = choice(tmp_path, *((target, FRUIT) for target in targets))
    assert gold(task) == [(position,) for position in positions]
    assert task.gold is not None
    assert task.gold.meaning == meaning


def test_a_letter_stays_a_letter_where_the_options_are_letters(tmp_path: Path) -> None:
    """CMMLU has a row on blood groups, whose options are B, A, AB, O: answer A is the first of them."""
    rows = [("A", ["B", "A", "AB", "O"]), ("C", ["leaf", "root", "stem", "bark"])]
    assert gold(choice(tmp_path, *rows)) == [(0,), (2,)]
    assert gold(choice(tmp_path / "alone", rows[0], gold="letter")) == [(0,)]


def test_numbers_that_are_options_are_read_as_the_other_rows_are(tmp_path: Path) -> None:
    """Where options are "1" and "2", a target 1 is the first of them unless a row tells otherwise."""
    digits = ["1", "2"]
    assert gold(choice(tmp_path / "a", (1, digits), (2, digits))) == [(0,), (1,)]
    assert gold(choice(tmp_path / "b", (1, digits), (0, ["x", "y"]))) == [(1,), (0,)]
    assert gold(choice(tmp_path / "c", (1, digits), (2, ["x", "y"]))) == [(0,), (1,)]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([(1, FRUIT), (2, FRUIT)], ("index", "index1")),
        ([("A", ["B", "A", "AB", "O"])], ("letter", "text")),
        ([("1", ["1", "2", "3"])], ("index", "index1")),
    ],
)
def test_what_no_row_decides_must_be_told(
    tmp_path: Path, rows: list[tuple[Any, list[Any]]], named: tuple[str, str]
) -> None:
    """Positions from 0 and from 1 that fit alike are an error, never a guess; the cures it names work."""
    with pytest.raises(DataError, match=r"samples\.jsonl, line 1, target .* no row decides it") as caught:
        gold(choice(tmp_path, *rows))
    for meaning in named:
        assert f"`gold: {meaning}`" in str(caught.value)
        assert gold(choice(tmp_path / meaning, *rows, gold=meaning))


def test_rows_that_disagree_are_named(tmp_path: Path) -> None:
    """A letter here and a position there is an error that names both rows."""
    with pytest.raises(DataError, match=r"line 2: target 0 is not a letter from A to C, as .*line 1 "):
        gold(choice(tmp_path / "a", ("B", FRUIT), (0, FRUIT)))
    with pytest.raises(DataError, match=r"line 3: target 'apple' is not a position from 0"):
        gold(choice(tmp_path / "b", (0, FRUIT), (1, FRUIT), ("apple", FRUIT)))
    with pytest.raises(DataError, match=r"line 2: target 0 is not a position from 1 .*line 1 \(target 3\)"):
        gold(choice(tmp_path / "c", (3, FRUIT), (0, FRUIT)))
    with pytest.raises(
        DataError, match=r"none fits all rows.*line 1 .*not a letter.*line 2 .*not a position"
    ):
        gold(choice(tmp_path / "d", (1, FRUIT), ("B", FRUIT)))


def test_a_limit_does_not_change_the_meaning(tmp_path: Path) -> None:
    """The rows beyond --limit say what the first mean, and worked examples follow them."""
    task = choice(
        tmp_path,
        *[(1, FRUIT), (2, FRUIT), (3, FRUIT)],
        few_shot={"samples": [{"question": "?", "gold": 1, "options": FRUIT}]},
    )
    assert [sample.gold for sample in task.samples(1)] == [(0,)]
    assert task.few_shot_pool()[0].gold == (0,)


@pytest.mark.parametrize("target", [4, -1, "D", "pear", True, 1.5, {"a": 1}, "²", math.nan])
def test_a_target_that_names_no_option_is_an_error(tmp_path: Path, target: Any) -> None:
    """It names file, line, value and options."""
    with pytest.raises(DataError, match=r"line 1: target .* nor one of the choices \('stone', 'apple'"):
        gold(choice(tmp_path, (target, FRUIT)))


def test_several_right_options(tmp_path: Path) -> None:
    """A list names several."""
    assert gold(choice(tmp_path, ([0, 2], FRUIT))) == [(0, 2)]


@pytest.mark.parametrize("meaning", GOLD)
def test_gold_is_for_choices(tmp_path: Path, meaning: str) -> None:
    """Elsewhere the key means nothing, and is an error."""
    with pytest.raises(EvalkitError, match="kind: choice"):
        make_task(tmp_path, [{"question": "?", "answer": "1"}], gold=meaning)


LETTERS = "ABCDE"


@given(
    golds=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    meaning=st.sampled_from(sorted(GOLD)),
    options=st.permutations(["A", "B", "1", "0", "word", "2", "3", "4"]).map(lambda x: x[:4]),
)
def test_no_file_is_misread_in_silence(golds: list[int], meaning: str, options: list[str]) -> None:
    """Whatever a file means, it is read so, or it is an error that asks; it is never read otherwise."""
    written = {
        "letter": lambda place: LETTERS[place],
        "index": lambda place: place,
        "index1": lambda place: place + 1,
        "text": lambda place: options[place],
    }[meaning]
    rows = [(f"line {n}", [written(place)], options) for n, place in enumerate(golds)]
    found = None
    with contextlib.suppress(DataError):  # it asks
        found = find_gold(rows, "task.yaml")
    assert found is None or [found.position(values[0], options, "here") for _, values, _ in rows] == golds


@pytest.mark.parametrize(
    "target",
    ["NaN", "Infinity", "-Infinity", "1e999", "[null]", '{"x": 1}', "[[1]]", '["a", {"b": 1}]', "[NaN]"],
)
def test_what_is_no_text_number_or_truth_is_no_target(tmp_path: Path, target: str) -> None:
    """It is refused with file, line and column, and never scored as `nan`, `None` or `{'x': 1}`."""
    task = make_task(tmp_path, [{"question": "?", "answer": "fine"}])
    file = task.folder / "samples.jsonl"
    file.write_text(file.read_text() + f'{{"question": "!", "answer": {target}}}\n')
    with pytest.raises(DataError, match=r"samples\.jsonl, line 2: target answer: "):
        list(task.samples())


@pytest.mark.parametrize("column", ["id", "cluster"])
@pytest.mark.parametrize("value", ["NaN", "{}", "[1]"])
def test_ids_and_clusters_are_texts_or_numbers(tmp_path: Path, column: str, value: str) -> None:
    """Neither is made of what only looks like a text."""
    task = make_task(tmp_path, [{"question": "?", "answer": "x", "cluster": "c"}], id="id", cluster="cluster")
    row = {"question": "?", "answer": "x", "id": "1", "cluster": "c"}
    text = json.dumps({**row, column: "@"}).replace('"@"', value)
    (task.folder / "samples.jsonl").write_text(text + "\n")
    with pytest.raises(DataError, match=rf"line 1: {column}: "):
        list(task.samples())


@pytest.mark.parametrize("value", [6.022e23, float(2**53), -(2.0**60)])
def test_a_float_without_its_last_digits_is_no_target(tmp_path: Path, value: float) -> None:
    """6.022e23 as an integer is 602199999999999995805696, which nobody wrote."""
    task = make_task(tmp_path, [{"question": "?", "answer": value}])
    with pytest.raises(DataError, match=r"line 1: target answer: .*last digits are lost"):
        list(task.samples())
