"""The tasks bundled with their data: complete, without doubles, renderable, solvable by their own metrics."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from factories import settings

from evalkit.core.records import Sample, flatten
from evalkit.models.baseline import make_baseline
from evalkit.models.mock import MockModel
from evalkit.models.protocol import Model
from evalkit.models.resolution import Resolved
from evalkit.running.planning import PlanOptions, make_plan
from evalkit.running.runner import RunOptions, execute
from evalkit.tasks.discovery import bundled_folder, list_tasks
from evalkit.tasks.prompts import letter
from evalkit.tasks.task import Task, load_task
from evalkit.workshop.checking import check_task

ENTRIES = {
    name: entry for name, entry in list_tasks([(bundled_folder(), "bundled")]).items() if not entry.hub
}
"""The tasks whose data are bundled too; definitions of public benchmarks have tests of their own."""
TOPICS = {
    "sentiment": ("en", "zh"),
    "topic": ("zh",),
    "arithmetic": ("en", "zh"),
    "facts": ("en", "zh"),
    "reading": ("en", "zh"),
    "everyday_choice": ("en", "zh"),
    "translation": ("en_zh", "zh_en"),
    "summarisation": ("en", "zh"),
    "language_modelling": ("en", "zh"),
    "format_following": ("en", "zh"),
    "programs": ("en", "zh"),
    "handbook": ("en", "zh"),
    "errands": ("en", "zh"),
}
LEAST = {"summarisation": 20, "language_modelling": 12, "programs": 20, "handbook": 20, "errands": 20}
"""Samples that a task must have at least; 40 where nothing stands here."""


@cache
def load(name: str) -> Task:
    """A bundled task."""
    return load_task(ENTRIES[name])


@cache
def samples(name: str) -> tuple[Sample, ...]:
    """The samples of a bundled task."""
    return tuple(load(name).samples())


def content(sample: Sample) -> str:
    """What distinguishes a sample from another: its question, without id and answer."""
    asked = {
        key: value
        for key, value in sample.fields.items()
        if key in ("question", "text", "source", "instruction")
    }
    passage = sample.fields.get("passage")
    return repr(sorted({**asked, "passage": passage}.items()))


def test_every_task_that_was_promised_is_there() -> None:
    """Ten kinds of task, in English and in Chinese where both were promised."""
    assert set(ENTRIES) == {
        f"{topic}_{language}" for topic, languages in TOPICS.items() for language in languages
    }


@pytest.mark.parametrize("name", ENTRIES)
def test_name_folder_and_language_agree(name: str) -> None:
    """A task is called as its folder is, and its language is that of its answers."""
    task = load(name)
    assert (task.name, task.folder.name) == (name, name)
    assert task.spec.language == name.rsplit("_", 1)[-1]
    assert task.spec.description
    assert task.spec.license == "CC0-1.0"


@pytest.mark.parametrize("name", ENTRIES)
def test_readme_says_source_licence_and_one_sample(name: str) -> None:
    """A reader learns where the task comes from, what he may do with it, and how a sample looks."""
    text = (load(name).folder / "README.md").read_text(encoding="utf-8")
    assert "CC0" in text
    assert "evalkit" in text
    shown = [sample for sample in samples(name) if str(sample.fields.get("id", sample.id)) in text]
    assert shown


@pytest.mark.parametrize("name", ENTRIES)
def test_there_are_enough_samples_and_prompts(name: str) -> None:
    """A task is large enough to be useful, and has at least two prompts to compare."""
    task = load(name)
    topic = next(topic for topic in TOPICS if name.startswith(topic))
    assert len(samples(name)) >= LEAST.get(topic, 40)
    assert len(task.variant_names()) >= (1 if task.spec.kind == "perplexity" else 2)


@pytest.mark.parametrize("name", ENTRIES)
def test_nothing_stands_twice(name: str) -> None:
    """No two samples are the same, and no worked example is among the samples."""
    pool = load(name).few_shot_pool()
    assert len({sample.id for sample in samples(name)}) == len(samples(name))
    assert [text for text, n in Counter(map(content, [*samples(name), *pool])).items() if n > 1] == []


@pytest.mark.parametrize("name", [name for name in ENTRIES if ENTRIES[name].kind == "choice"])
def test_right_options_are_evenly_spread(name: str) -> None:
    """Four different options, the right one in each place equally often: nobody gains by always saying B."""
    places = Counter(sample.gold for sample in samples(name))
    assert set(places) == {(0,), (1,), (2,), (3,)}
    assert max(places.values()) - min(places.values()) <= 1
    for sample in samples(name):
        assert len(set(sample.choices)) == 4
    longest = [max(range(4), key=lambda n: len(sample.choices[n])) in sample.gold for sample in samples(name)]
    assert sum(longest) / len(longest) < 0.5  # nor by always taking the longest


@pytest.mark.parametrize("name", [name for name in ENTRIES if load(name).spec.labels])
def test_labels_are_balanced_and_chance_is_true(name: str) -> None:
    """Each class is equally frequent, so that the declared chance is that of guessing."""
    task = load(name)
    classes = Counter(sample.target for sample in samples(name))
    assert set(classes) == {(label,) for label in task.spec.labels}
    assert len(set(classes.values())) == 1
    assert task.spec.chance == pytest.approx(1 / len(classes))


@pytest.mark.parametrize("name", ["translation_en_zh", "translation_zh_en"])
def test_half_of_the_translations_have_two_references(name: str) -> None:
    """At least half of the sentences have two different references."""
    several = [sample for sample in samples(name) if len(set(sample.target)) > 1]
    assert len(several) >= len(samples(name)) / 2


@pytest.mark.parametrize("name", ["language_modelling_en", "summarisation_en"])
def test_english_texts_are_long_enough(name: str) -> None:
    """Passages have 120 words and pieces of prose 150 at least."""
    least = 150 if name.startswith("language") else 120
    for sample in samples(name):
        assert len((sample.text or sample.fields["passage"]).split()) >= least, sample.id


@pytest.mark.parametrize("name", [name for name in ENTRIES if load(name).spec.cluster])
def test_questions_on_one_passage_are_one_cluster(name: str) -> None:
    """Samples share a cluster exactly when they share a passage."""
    pairs = {(sample.cluster, sample.fields["passage"]) for sample in samples(name)}
    assert len(pairs) == len({cluster for cluster, _ in pairs}) == len({passage for _, passage in pairs})
    assert len(pairs) < len(samples(name))


@pytest.mark.parametrize("name", [name for name in ENTRIES if load(name).spec.prompts])
def test_every_prompt_renders_for_every_sample(name: str) -> None:
    """Each variant gives whole messages, without the answer and without anything left of the template."""
    task = load(name)
    for variant_name in task.variant_names():
        variant = task.variant(variant_name)
        seen = set()
        for sample in samples(name):
            shots = variant.choose_shots(task.few_shot_pool(), sample, 0)
            messages = variant.render(sample, shots)
            if task.spec.kind == "choice":
                assert variant.render(sample, shots, letters=True)
            text = flatten(messages)
            assert messages[-1].role == "user"
            assert text.strip()
            assert "{{" not in text
            assert "None" not in text.split()
            seen.add(text)
        assert len(seen) == len(samples(name)), variant_name


@pytest.mark.parametrize("name", ENTRIES)
def test_every_task_proves_itself(name: str) -> None:
    """`tasks check` finds nothing wrong: target, wrong answers, chance, worked examples, prompts, papers."""
    report = check_task(load(name))
    assert [finding for finding in report.findings if finding.status != "ok"] == []
    assert {"oracle", "data", "duplicates"} <= {finding.check for finding in report.findings}


def headlines(task: Task, model: Model, out: Path, prompts: tuple[str, ...]) -> dict[str, float | None]:
    """The headline of each variant in a real run of the model on the task."""
    name = model.name if "/" in model.name else f"mock/{model.name}"
    plan = make_plan(
        [(Resolved(name, name, name, settings(name), ""), model)], [task], PlanOptions(prompts=prompts)
    )
    run = execute(plan, RunOptions(out=out)).run
    assert run.status == "complete"
    return {cell.variant: cell.metrics[task.headline].value for cell in run.cells}


SOLVABLE = [name for name in ENTRIES if ENTRIES[name].kind != "perplexity"]


@pytest.mark.parametrize("name", [name for name in SOLVABLE if ENTRIES[name].kind == "choice"])
def test_chat_models_can_solve_a_choice_by_letter(name: str, tmp_path: Path) -> None:
    """A model without likelihoods that names the right letter has the full score."""
    task = load(name)
    right = {sample.id: letter(sample.gold[0]) for sample in samples(name)}
    model = MockModel(lambda request: f"{right[request.sample_id]}.", "mock/chat")
    assert set(headlines(task, model, tmp_path, ("all",)).values()) == {1.0}


@pytest.mark.parametrize("name", [name for name in ENTRIES if name not in SOLVABLE])
def test_texts_can_be_scored_by_likelihood(name: str, tmp_path: Path) -> None:
    """A model that gives each byte the same chance needs eight bits for it."""
    task = load(name)
    run = headlines(task, make_baseline("baseline/random"), tmp_path, ())
    assert run == {"text": pytest.approx(256.0)}
