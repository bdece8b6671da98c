"""IFEval's four metrics on samples: denominators, intervals, and errors of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.core.errors import MetricError
from evalkit.core.records import Response
from evalkit.metrics import Case, Context, Metric, summarise
from evalkit.metrics.ifeval import (
    InstructionLevelLoose,
    InstructionLevelStrict,
    PromptLevelLoose,
    PromptLevelStrict,
)

ALL: list[type[Metric]] = [
    PromptLevelStrict,
    InstructionLevelStrict,
    PromptLevelLoose,
    InstructionLevelLoose,
]


def make(kind: type[Metric]) -> Metric:
    """The metric with its own name."""
    return kind(Context())  # type: ignore[call-arg]


def case(answer: str | None, *ids: str, **more: Any) -> Case:
    """A case of instructions without arguments."""
    fields = {"prompt": "p", "instruction_id_list": list(ids), "kwargs": [{} for _ in ids], "key": 1, **more}
    return Case(answer=answer, response=Response(text=answer), fields=fields)


def value(kind: type[Metric], cases: list[Case]) -> Any:
    """The metric's value over the cases."""
    metric = make(kind)
    stats = [metric.stats(c) for c in cases]
    return summarise(
        metric, [metric.score(c) for c in cases], stats, sample_ids=[str(i) for i in range(len(cases))]
    )


CASES = [
    case("Sure:\nthere is no comma in this line", "punctuation:no_comma", "change_case:english_lowercase"),
    case("one, two", "punctuation:no_comma"),
    case("one two", "punctuation:no_comma"),
    case(None, "punctuation:no_comma"),
]


@pytest.mark.parametrize(("kind", "expected"), [*zip(ALL, (1 / 4, 2 / 5, 2 / 4, 3 / 5), strict=True)])
def test_values(kind: type[Metric], expected: float) -> None:
    """Prompts or instructions are the denominator; a missing answer follows nothing and stays in it."""
    found = value(kind, CASES)
    assert found.value == pytest.approx(expected)
    assert found.n == 4
    assert found.interval is not None
    assert 0 <= found.interval[0] < expected < found.interval[1] <= 1


def test_signatures_differ() -> None:
    """Strict and loose, prompt and instruction never pass for each other."""
    assert len({make(kind).signature for kind in ALL}) == 4
    said = "ifeval|level:prompt|loose:yes|lang:langdetect-1.0.9|sentences:own|reading:official|v:2"
    assert make(PromptLevelLoose).signature == said


def test_plain_reading_judges_capitals_alone() -> None:
    """langdetect calls these two words Polish; the plain reading asks for capitals only."""
    names = case("PIXEL PRODIGY", "change_case:english_capital")
    (official, plain) = (
        PromptLevelStrict(Context(), name="prompt_level_strict", reading=reading)
        for reading in ("official", "plain")
    )
    assert (official.score(names), plain.score(names)) == (0.0, 1.0)
    assert plain.score(case("Pixel", "change_case:english_capital")) == 0.0
    assert "reading:plain" in plain.signature


def test_model_of_nltk_is_named_in_the_signature(tmp_path: Path) -> None:
    """`punkt` is a folder beside the task file; with the plain reading it has no meaning and is refused."""
    for file, text in (
        ("abbrev_types.txt", "approx"),
        ("sent_starters.txt", ""),
        ("ortho_context.tab", ""),
        ("collocations.tab", ""),
    ):
        (tmp_path / file).write_text(text)
    context = Context(folder=tmp_path.parent)
    metric = PromptLevelStrict(context, punkt=tmp_path.name)
    assert "sentences:punkt" in metric.signature
    sentences = {"relation": "less than", "num_sentences": 2}
    one = case("It took approx. Tea", "length_constraints:number_sentences", kwargs=[sentences])
    assert (metric.score(one), make(PromptLevelStrict).score(one)) == (1.0, 0.0)
    with pytest.raises(MetricError, match="goes with `reading: official`"):
        PromptLevelStrict(context, punkt=tmp_path.name, reading="plain")


@pytest.mark.parametrize("wrong", [{"reading": "mine"}, {"punkt": "absent"}])
def test_wrong_option_is_an_error(wrong: dict[str, str]) -> None:
    """An unknown reading and a folder without a model are told before anything is scored."""
    with pytest.raises(MetricError):
        PromptLevelStrict(Context(), **wrong)


@pytest.mark.parametrize("kind", ALL)
def test_missing_column_is_an_error(kind: type[Metric]) -> None:
    """Data without the columns is refused with their names."""
    with pytest.raises(MetricError, match="needs the column 'instruction_id_list'"):
        make(kind).score(Case(answer="x", response=Response(text="x"), fields={"prompt": "p"}))


def test_columns_of_absent_arguments_are_ignored() -> None:
    """Tables with one column per argument fill the absent ones with None."""
    sample = case("one two", "punctuation:no_comma", kwargs=[{"num_words": None, "relation": None}])
    assert make(PromptLevelStrict).score(sample) == 1.0
