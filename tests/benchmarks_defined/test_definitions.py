"""Definitions of public benchmarks: each loads, renders and scores rows in the shape of its data set."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from benchmarks_defined.benchmark_rows import MAKERS, rows_of
from factories import settings, write_rows

from evalkit.core.records import Request, Run
from evalkit.metrics import build_metrics
from evalkit.models.baseline import make_baseline
from evalkit.models.mock import MockModel
from evalkit.models.protocol import Model
from evalkit.models.resolution import Resolved
from evalkit.running.planning import PlanOptions, make_plan
from evalkit.running.runner import RunOptions, execute
from evalkit.running.selection import find_tasks
from evalkit.running.workspace import open_workspace
from evalkit.tasks.discovery import TaskEntry, bundled_folder, list_tasks
from evalkit.tasks.task import Task, load_task

ENTRIES = {name: entry for name, entry in list_tasks([(bundled_folder(), "bundled")]).items() if entry.hub}
"""The bundled tasks whose data come from elsewhere."""
GROUPS: dict[str, list[str]] = {}
for _name, _entry in ENTRIES.items():
    GROUPS.setdefault(_entry.group or _name, []).append(_name)
SIZES = {
    "bbh": 27, "ceval": 52, "cmmlu": 67, "flores": 48, "mgsm": 11, "mmlu": 57, "tweeteval": 10, "wikitext": 2,
    "wmt": 41,
}  # fmt: skip
"""Group -> how many tasks it has."""
SHOWN = {
    "bbh": ("dyck_languages", "formal_fallacies", "navigate", "object_counting", "snarks", "word_sorting"),
    "mgsm": ("de", "zh"),
    "tweeteval": ("emotion", "irony", "sentiment"),
}
FEW = [
    name
    for group, names in GROUPS.items()
    for name in ([f"{group}_{part}" for part in SHOWN[group]] if group in SHOWN else names[:1])
]
"""Tasks that are run: one of each group, more of those that differ in their answers."""
N = 6
"""Invented rows of a task."""
CODE = ("humaneval", "mbpp")


@cache
def load(name: str) -> Task:
    """The definition of a benchmark."""
    return load_task(ENTRIES[name])


def entry(name: str) -> TaskEntry:
    """What the listing says of it."""
    return ENTRIES[name]


def with_rows(name: str, folder: Path) -> Task:
    """The task with invented rows instead of its data set, and worked examples of the same shape."""
    task = load(name)
    n_rows = 2 if name in CODE else max(N, len(task.spec.labels) * 2)
    labels = len(task.spec.labels)
    rows = rows_of(name, task.group, labels, 0, n_rows)
    shots = rows_of(name, task.group, labels, 100, 25)
    data = task.spec.data
    few_shot_split = task.spec.few_shot.split or data.few_shot_split
    if task.hooks.load_samples is not None:
        place = write_rows(folder / "rows.jsonl", rows)
    else:
        config = Path(data.config) if data.config else Path()
        write_rows(folder / config / f"{data.split}.jsonl", rows)
        if few_shot_split:
            write_rows(folder / config / f"{few_shot_split}.jsonl", shots)
        place = folder
    (task,) = find_tasks(open_workspace(), [name], data={name: place})
    if task.hooks.load_samples is not None and few_shot_split:
        map_row = task.hooks.map_row or dict
        mapped = [dict(row) for row in map(map_row, map(dict, shots)) if row is not None]
        examples = task.spec.few_shot.model_copy(update={"samples": mapped})
        task = replace(task, spec=task.spec.model_copy(update={"few_shot": examples}))
    return task


def run(task: Task, model: Model, out: Path, prompts: Sequence[str] = ("all",)) -> Run:
    """A real run of a model on the task."""
    name = model.name if "/" in model.name else f"mock/{model.name}"
    plan = make_plan(
        [(Resolved(name, name, name, settings(name), ""), model)],
        [task],
        PlanOptions(prompts=tuple(prompts), trust=True),
    )
    stored = execute(plan, RunOptions(out=out)).run
    assert stored.status == "complete"
    return stored


def test_every_benchmark_that_was_promised_is_there() -> None:
    """The names and numbers of tasks of issue 3."""
    assert set(GROUPS) == set(MAKERS) | {"bbh"}
    assert {name: len(names) for name, names in GROUPS.items() if len(names) > 1} == SIZES


@pytest.mark.parametrize("group", GROUPS)
def test_definition_says_where_its_data_are_from(group: str) -> None:
    """Every task has a licence, a source, and a revision that is a commit or a branch by name."""
    for name in GROUPS[group]:
        task = load(name)
        assert task.spec.license
        assert task.spec.source.startswith("http")
        assert task.spec.description
        assert "benchmark" in task.spec.tags
        assert "${{" not in str(task.spec.model_dump())
        assert len(task.variant_names()) >= (1 if task.spec.kind == "perplexity" else 2)
        if task.spec.kind != "perplexity":
            assert task.spec.chance is not None
        if task.spec.data.hub is not None:
            assert re.fullmatch(r"[0-9a-f]{40}|main|refs/convert/parquet", task.spec.data.revision or "")
            assert task.spec.data.split
        build_metrics(
            task.spec.metrics,
            language=task.spec.language,
            labels=tuple(task.spec.labels),
            kind=task.spec.kind,
            extra=task.hooks.metrics,
            trust=True,
        )


@pytest.mark.parametrize("group", GROUPS)
def test_readme_is_complete(group: str) -> None:
    """A reader learns source, licence, columns, one sample and limits; Chinese tasks in two languages."""
    task = load(GROUPS[group][0])
    text = (task.folder / "README.md").read_text(encoding="utf-8")
    chinese = task.spec.language.startswith("zh") and group not in ("wmt", "flores")
    titles = ("来源与许可", "数据列", "一条样例", "已知局限", "English summary") if chinese else (
        "Source and licence", "Columns", "One sample", "Known limits"
    )  # fmt: skip
    for title in titles:
        assert f"## {title}" in text
    if task.spec.data.hub:
        assert task.spec.data.hub in text
        assert f"`{task.spec.data.revision}`" in text
    sample = json.loads(text.split("```json\n")[1].split("```")[0])
    row = rows_of(task.name, task.group, len(task.spec.labels) or 2, 0, 1)[0]
    assert len(set(sample) & set(row)) >= min(2, len(row))
    for variant in task.variant_names():
        assert task.spec.kind == "perplexity" or f"| `{variant}`" in text


@pytest.mark.parametrize("name", [names[0] for names in GROUPS.values()])
def test_every_variant_renders(name: str, tmp_path: Path) -> None:
    """Prompts are complete, worked examples come before the question and end with their answer."""
    task = with_rows(name, tmp_path / "data")
    samples = list(task.samples())
    assert len({sample.id for sample in samples}) == len(samples) == len(list(task.samples()))
    pool = task.few_shot_pool()
    for variant_name in task.variant_names():
        variant = task.variant(variant_name)
        for sample in samples[:2]:
            shots = variant.choose_shots(pool, sample, 0)
            assert len(shots) == variant.num_fewshot
            text = "\n".join(message.text for message in variant.render(sample, shots))
            assert "{{" not in text
            assert "{%" not in text
            assert "None" not in text
            for shot in shots:
                assert variant.shot_answer(shot).strip() in text


@pytest.mark.parametrize("name", [name for name in FEW if load(name).spec.kind != "perplexity"])
def test_right_answers_have_the_full_score(name: str, tmp_path: Path) -> None:
    """The target, as a model would write it, is found and is right in every variant."""
    task = with_rows(name, tmp_path / "data")
    ceiling = 100.0 if task.headline in ("bleu", "chrf") else 1.0
    model: Model = make_baseline("baseline/oracle")
    if name == "ifeval":
        model = MockModel(lambda request: "A note without any pause.")
    for cell in run(task, model, tmp_path / "out").cells:
        assert cell.metrics[task.headline].value == pytest.approx(ceiling), cell.variant
        assert cell.counts.no_answer == 0


@pytest.mark.parametrize("name", [name for name in FEW if load(name).spec.kind != "perplexity"])
def test_wrong_answers_have_not(name: str, tmp_path: Path) -> None:
    """Another answer, or the option that is not gold, scores next to nothing."""
    task = with_rows(name, tmp_path / "data")
    gold = {sample.id: sample.gold for sample in task.samples()}

    def wrong(request: Request) -> str | list[float]:
        if request.continuations:
            return [-9.0 if n in gold[request.sample_id] else -1.0 for n in range(len(request.continuations))]
        return "¿, ?"

    model = MockModel(wrong, capabilities=("generate", "chat", "loglikelihood"))
    (cell,) = run(task, model, tmp_path / "out", ()).cells
    value = cell.metrics[task.headline].value
    assert value is not None
    assert value <= (5.0 if task.headline in ("bleu", "chrf") else 0.01)


@pytest.mark.parametrize("name", [name for name in FEW if load(name).spec.kind == "choice"])
def test_letters_are_asked_for_where_no_likelihoods_are(name: str, tmp_path: Path) -> None:
    """A chat model is asked for a letter, and the right one has the full score."""
    task = with_rows(name, tmp_path / "data")
    gold = {sample.id: sample.gold[0] for sample in task.samples()}

    def letter(request: Request) -> str:
        assert len(re.findall(r"^A\. ", request.messages[-1].text.rpartition("\n\n")[2], re.MULTILINE)) <= 1
        return f"The answer is {'ABCDEFGH'[gold[request.sample_id]]}."

    stored = run(task, MockModel(letter), tmp_path / "out", task.variant_names()[:1])
    assert stored.cells[0].mode == "letter_generate"
    assert stored.cells[0].metrics["accuracy"].value == 1.0


@pytest.mark.parametrize("name", GROUPS["wikitext"])
def test_wikitext_is_scored_as_running_text(name: str, tmp_path: Path) -> None:
    """Marks of tokenisation are undone; a model that guesses bytes needs 8 bits for each."""
    task = with_rows(name, tmp_path / "data")
    assert next(iter(task.samples())).text == "= Lighthouse 0 =\n\nIt is 1.5 m high, they say."
    stored = run(task, make_baseline("baseline/random"), tmp_path / "out")
    assert stored.cells[0].metrics["bits_per_byte"].value == pytest.approx(8.0)


def test_sets_of_wmt_are_known_to_sacrebleu() -> None:
    """Every pointer names a test set and a pair that sacrebleu can fetch, and the task's name says which."""
    from sacrebleu.dataset import DATASETS

    for name in GROUPS["wmt"]:
        task = load(name)
        file = task.folder / str(task.spec.data.file)
        wanted = json.loads(file.read_text(encoding="utf-8"))
        assert wanted["pair"] in DATASETS[wanted["sacrebleu"]].langpairs
        year, pair = name.removeprefix("wmt_").split("_")
        assert wanted["sacrebleu"].startswith(f"wmt{year}")
        assert wanted["pair"] == pair
        assert task.spec.language == pair.split("-")[1]


def test_wmt_comes_from_sacrebleu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The segments of a pointer are those that sacrebleu has fetched, in their order."""
    import sacrebleu.utils

    (tmp_path / "src").write_text("eins\nzwei\n", encoding="utf-8")
    (tmp_path / "ref").write_text("one\ntwo\n", encoding="utf-8")
    asked = []
    monkeypatch.setattr(sacrebleu.utils, "get_source_file", lambda *a: asked.append(a) or tmp_path / "src")
    monkeypatch.setattr(sacrebleu.utils, "get_reference_files", lambda *a: [tmp_path / "ref"])
    samples = list(load("wmt_22_de-en").samples())
    assert asked == [("wmt22", "de-en")]
    assert [sample.fields["source"] for sample in samples] == ["eins", "zwei"]
    assert [sample.target for sample in samples] == [("one",), ("two",)]


def test_flores_is_read_from_the_authors_archive(tmp_path: Path) -> None:
    """One file a language becomes one row a sentence."""
    (tmp_path / "devtest").mkdir()
    for code, text in (("eng_Latn", "one\ntwo\n"), ("deu_Latn", "eins\nzwei\n")):
        (tmp_path / "devtest" / f"{code}.devtest").write_text(text, encoding="utf-8")
    name = "flores_eng_Latn-deu_Latn"
    for place in (tmp_path, tmp_path / "devtest" / "eng_Latn.devtest"):
        (task,) = find_tasks(open_workspace(), [name], data={name: place})
        assert [sample.target for sample in task.samples()] == [("eins",), ("zwei",)]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("unanswerable", 1.0),
        ("The question is Unanswerable.", 1.0),
        ("Ada Brink", 0.0),
        ("", 1.0),
        (".", 1.0),
    ],
)
def test_squad_v2_scores_questions_without_an_answer(reply: str, score: float, tmp_path: Path) -> None:
    """Saying that there is no answer, or nothing, is right for such a question, and wrong for the others."""
    task = with_rows("squad_v2", tmp_path / "data")
    answerable = {sample.id: sample.metadata["answerable"] for sample in task.samples()}
    model = MockModel(lambda request: "Ada Brink" if answerable[request.sample_id] else reply)
    metrics = run(task, model, tmp_path / "out", ["zero_shot"]).cells[0].metrics
    assert metrics["exact_match"].value == pytest.approx((1 + score) / 2)
    assert metrics["f1"].value == pytest.approx((1 + score) / 2)
    parts = [metrics[name].value for name in ("HasAns_exact", "HasAns_f1", "NoAns_exact", "NoAns_f1")]
    assert parts == [1.0, 1.0, score, score]


def test_squad_v2_drops_a_gold_of_which_nothing_is_left(tmp_path: Path) -> None:
    """As evaluate-v2.0.py: the "." among the gold answers of two questions is met by no blank reply."""
    row = {"id": "a", "title": "t", "context": "c", "question": "q", "answers": {"text": ["x", ".", "the"]}}
    data = {"squad_v2": write_rows(tmp_path / "one.jsonl", [row])}
    (task,) = find_tasks(open_workspace(), ["squad_v2"], data=data)
    assert [sample.target for sample in task.samples()] == [("x",)]


@pytest.mark.parametrize(
    ("name", "target", "reply", "score"),
    [
        ("navigate", "Yes", "Two turns. So the answer is Yes.", 1.0),
        ("navigate", "Yes", "So the answer is yes or no.", 0.0),
        ("date_understanding", "(B)", "It is 12/25. So the answer is (B).", 1.0),
        ("date_understanding", "(B)", "The answer is **(B)**.", 1.0),
        ("date_understanding", "(A)", "The answer is (A) or (B).", 0.0),
        ("date_understanding", "(A)", "The answer is (A), (B).", 0.0),
        ("date_understanding", "(A)", "First, the answer is (B). No: the answer is (A).", 1.0),
        ("word_sorting", "mead r&d sow", "So the answer is mead r&d sow.", 1.0),
        ("word_sorting", "mead r&d sow", "So the answer is mead rd sow.", 0.0),
        ("dyck_languages", "] )", "So the answer is ] ).", 1.0),
        ("dyck_languages", "] )", "So the answer is ] ] ).", 0.0),
        ("dyck_languages", "] )", "So the answer is", 0.0),
        ("multistep_arithmetic_two", "-8", "So the answer is -8.", 1.0),
        ("multistep_arithmetic_two", "-8", "So the answer is -8 or 8.", 0.0),
    ],
)
def test_bbh_takes_the_whole_of_the_answer(
    name: str, target: str, reply: str, score: float, tmp_path: Path
) -> None:
    """The authors' recipe: what follows "answer is", whole but for its full stop, is the target or wrong."""
    data = {f"bbh_{name}": write_rows(tmp_path / "one.jsonl", [{"input": "?", "target": target}])}
    (task,) = find_tasks(open_workspace(), [f"bbh_{name}"], data=data)
    metrics = run(task, MockModel(lambda request: reply), tmp_path / "out", ["cot"]).cells[0].metrics
    assert metrics["exact_match"].value == score


def test_gold_of_truthfulqa_has_no_fixed_place(tmp_path: Path) -> None:
    """The source lists the true answer first; the task does not."""
    rows = rows_of("truthfulqa_mc", None, 0, 0, 40)
    (task,) = find_tasks(
        open_workspace(), ["truthfulqa_mc"], data={"truthfulqa_mc": write_rows(tmp_path / "mc.jsonl", rows)}
    )
    assert {sample.gold for sample in task.samples()} >= {(0,), (1,), (2,)}
    assert all(sample.target[0].startswith("Answer 0 ") for sample in task.samples())


def test_c3_questions_without_an_answer_are_left_out(tmp_path: Path) -> None:
    """CLUE hides the answers of the test split."""
    rows = rows_of("c3", None, 0, 0, 3)
    path = write_rows(tmp_path / "c3.jsonl", [*rows, {**rows[0], "answer": ""}])
    (task,) = find_tasks(open_workspace(), ["c3"], data={"c3": path})
    assert len(list(task.samples())) == 3
    nested = [[["女：你好。"], [{"question": "谁？", "choice": ["甲", "乙"], "answer": "乙"}], "m-1"]]
    (tmp_path / "c3.json").write_text(json.dumps(nested), encoding="utf-8")
    (task,) = find_tasks(open_workspace(), ["c3"], data={"c3": tmp_path / "c3.json"})
    assert [sample.gold for sample in task.samples()] == [(1,)]
