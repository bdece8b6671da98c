"""Tasks: targets of every kind become texts, ids are stable, hooks are fenced in."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from factories import ROWS, entry, make_task, write_rows, write_task

from evalkit.core.errors import DataError, TaskError
from evalkit.core.records import Sample
from evalkit.tasks.task import Task, load_task

CHOICE_ROWS = [
    {"id": "c1", "question": "Which is a fruit?", "options": ["stone", "apple", "chair"], "gold": 1}
]


def one(folder: Path, row: dict[str, Any], **changes: Any) -> Sample:
    """The only sample of a task with this row."""
    (sample,) = make_task(folder, [row], **changes).samples()
    return sample


@pytest.mark.parametrize(
    ("target", "row", "expected"),
    [
        ("answer", {"answer": "42"}, ("42",)),
        ("answer", {"answer": 42}, ("42",)),
        ("answer", {"answer": 42.0}, ("42",)),  # what pandas makes of whole numbers beside a gap
        ("answer", {"answer": 0.5}, ("0.5",)),
        ("answer", {"answer": True}, ("true",)),
        ("answer", {"answer": ["a", "b"]}, ("a", "b")),
        ("answer", {"answer": ""}, ("",)),
        ("{{ answer }}", {"answer": ["a", "b"]}, ("a", "b")),
        ("{{ answer.text }}", {"answer": {"text": ["a"]}}, ("a",)),
        ("{{ answer | upper }}", {"answer": "a"}, ("A",)),
        ("{{ [first, second] }}", {"first": "a", "second": "b"}, ("a", "b")),
        ("The {{ answer }}", {"answer": "sun"}, ("The sun",)),
        ("{{ a }}-{{ b }}", {"a": 1, "b": 2}, ("1-2",)),
        (["yes", "{{ answer }}"], {"answer": "a"}, ("yes", "a")),
        ("the answer", {"the answer": "a"}, ("a",)),
        ("{{ answer }}", {"self": 1, "answer": "a"}, ("a",)),
    ],
)
def test_target_of_every_kind_is_a_list_of_texts(
    tmp_path: Path, target: Any, row: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """A column, an expression, a template or a list gives the right answers as texts, in order."""
    assert one(tmp_path, row, target=target).target == expected


@pytest.mark.parametrize("value", [1, 1.0, "good"])
def test_target_may_be_the_position_of_a_label(tmp_path: Path, value: Any) -> None:
    """A class given by its number becomes its label."""
    sample = one(tmp_path, {"answer": value}, labels=["bad", "good"])
    assert sample.target == ("good",)


@pytest.mark.parametrize(("value", "expected"), [(2, "2"), (-1, "-1"), (True, "true")])
def test_number_that_is_no_label_stays_itself(tmp_path: Path, value: Any, expected: str) -> None:
    """Outside the list of labels a number is its own text; there are no labels from behind."""
    assert one(tmp_path, {"answer": value}, labels=["bad", "good"]).target == (expected,)


@pytest.mark.parametrize("value", [None, []])
def test_empty_target_says_that_there_is_no_answer(tmp_path: Path, value: Any) -> None:
    """As in SQuAD 2.0, whose unanswerable questions have an empty list; among labels it is an error."""
    assert one(tmp_path, {"answer": value}).target == ("",)
    with pytest.raises(DataError, match=r"samples\.jsonl, line 1: the target is empty"):
        one(tmp_path, {"answer": value}, labels=["bad", "good"])


@pytest.mark.parametrize("options", [[], ["only"], "one text"])
def test_choice_needs_two_options(tmp_path: Path, options: Any) -> None:
    """A choice between fewer than two is an error in the data."""
    with pytest.raises(DataError, match=r"a choice needs at least two choices, got [01]"):
        one(tmp_path, {**CHOICE_ROWS[0], "options": options}, kind="choice", target="gold", choices="options")


def test_choices_may_be_the_same_for_all_samples(tmp_path: Path) -> None:
    """A list in task.yaml gives every sample the same options, templates filled in."""
    row = {"question": "?", "gold": "no", "third": "perhaps"}
    sample = one(tmp_path, row, kind="choice", target="gold", choices=["yes", "no", "{{ third }}"])
    assert (sample.choices, sample.gold) == (("yes", "no", "perhaps"), (1,))


def test_perplexity_task_has_texts_and_one_prompt(tmp_path: Path) -> None:
    """A perplexity task needs no prompt and no target; its text must be one."""
    changes = {
        "kind": "perplexity",
        "text": "body",
        "target": None,
        "prompts": None,
        "metrics": ["perplexity"],
    }
    task = make_task(tmp_path / "a", [{"body": "Once upon a time."}], **changes)
    (sample,) = task.samples()
    assert (sample.text, sample.target, task.variant_names()) == ("Once upon a time.", (), ("text",))
    assert task.variant("text").num_fewshot == 0
    with pytest.raises(DataError, match=r"`text` must be a text, got int"):
        one(tmp_path / "b", {"body": 5}, **changes)


def test_clusters_and_metadata(tmp_path: Path) -> None:
    """Dependent samples share a cluster; metadata are shown, and kept out of prompts by being named apart."""
    rows = [{"q": "a", "answer": "1", "passage": 7, "topic": "x"}, {"q": "b", "answer": "2", "passage": None}]
    task = make_task(tmp_path, rows, cluster="passage", metadata=["topic"], prompts={"p": "{{ q }}"})
    first, second = task.samples()
    assert (first.cluster, second.cluster) == ("7", None)
    assert (dict(first.metadata), dict(second.metadata)) == ({"topic": "x"}, {})


def test_id_is_that_of_the_data(tmp_path: Path) -> None:
    """The column `id`, or the one that task.yaml names, identifies a sample."""
    row = {"id": 7, "key": "k-1", "question": "?", "answer": "a"}
    assert one(tmp_path / "a", row).id == "7"
    assert one(tmp_path / "b", row, id="key").id == "k-1"
    assert one(tmp_path / "c", row, id="{{ key }}/{{ id }}").id == "k-1/7"


def test_samples_without_id_are_known_by_their_content(tmp_path: Path) -> None:
    """Reordering, removing or adding rows changes no id, so that runs stay comparable."""
    rows = [{"question": f"q{n}", "answer": "a"} for n in range(20)]
    ids = {s.fields["question"]: s.id for s in make_task(tmp_path / "a", rows).samples()}
    mixed = random.Random(1).sample(rows, 15)
    again = {s.fields["question"]: s.id for s in make_task(tmp_path / "b", mixed).samples()}
    assert len(set(ids.values())) == 20
    assert again == {question: ids[question] for question in again}


def test_equal_rows_get_ids_of_their_own(tmp_path: Path) -> None:
    """Doubled rows without an id are still two samples."""
    task = make_task(tmp_path, [{"question": "q", "answer": "a"}] * 3)
    assert len({sample.id for sample in task.samples()}) == 3


def test_doubled_id_is_an_error(tmp_path: Path) -> None:
    """An id that stands twice would pair the wrong samples; it is named."""
    task = make_task(tmp_path, [{"id": 1, "answer": "a"}, {"id": "1", "answer": "b"}])
    with pytest.raises(DataError, match=r"line 2: id '1' was there before"):
        list(task.samples())


def test_limit_takes_the_first(tmp_path: Path) -> None:
    """A limit reads no further than it must."""
    task = make_task(tmp_path)
    (task.folder / "samples.jsonl").write_text((task.folder / "samples.jsonl").read_text() + "broken\n")
    assert [sample.id for sample in task.samples(2)] == ["s0", "s1"]


def test_missing_column_names_the_nearest_and_the_sample(tmp_path: Path) -> None:
    """A target column that the data lack is answered with those they have."""
    message = r"samples\.jsonl, line 1: .*task\.yaml, target: no column 'anser'; .*Did you mean 'answer'"
    with pytest.raises(DataError, match=message):
        next(make_task(tmp_path / "a", target="anser").samples())
    message = r"task\.yaml, target: .* is undefined\. Columns .*Did you mean 'answer'"
    with pytest.raises(DataError, match=message):
        next(make_task(tmp_path / "b", target="{{ anser }}").samples())


def test_missing_data_file_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    """A data file that is not there is named with its nearest neighbour."""
    task = make_task(tmp_path, data={"file": "sample.jsonl"})
    with pytest.raises(DataError, match=r"Did you mean 'samples\.jsonl'"):
        next(task.samples())
    with pytest.raises(DataError, match=r"sample\.jsonl cannot be read"):
        _ = task.data_revision


def test_unknown_prompt_lists_those_there_are(tmp_path: Path) -> None:
    """A misspelt variant is answered with the task's own."""
    task = make_task(tmp_path, prompts={"direct": "{{ question }}", "cot": "{{ question }}"})
    with pytest.raises(TaskError, match=r"has no prompt 'cott'; it has: direct, cot; .* Did you mean 'cot'"):
        task.variant("cott")


def test_params_of_a_prompt_win_over_those_of_the_task(tmp_path: Path) -> None:
    """A variant's own parameters replace the task's, the others stay."""
    prompts = {"direct": "{{ question }}", "cot": {"user": "{{ question }}", "max_tokens": 512, "stop": []}}
    task = make_task(
        tmp_path, prompts=prompts, generation={"max_tokens": 5, "temperature": 0, "stop": ["\n"]}
    )
    assert task.variant("direct").params == {"max_tokens": 5, "temperature": 0, "stop": ["\n"]}
    assert task.variant("cot").params == {"max_tokens": 512, "temperature": 0, "stop": []}


@pytest.mark.parametrize(
    ("metrics", "headline"),
    [
        (["exact_match", "f1"], "exact_match"),
        ([{"name": "f1"}], "f1"),
        ([{"name": "f1", "as": "tokens"}], "tokens"),
        (["rouge"], "rouge1"),
        ([{"name": "rouge", "types": ["rougeL", "rouge1"]}], "rougeL"),
        ([{"name": "rouge", "types": "rougeLsum"}], "rougeLsum"),
        ([{"name": "rouge", "types": ["rougeL"], "as": "zh"}], "rougeL_zh"),
    ],
)
def test_headline_is_a_metric_that_the_task_really_has(
    tmp_path: Path, metrics: list[Any], headline: str
) -> None:
    """The headline is the name under which the first metric's value is stored."""
    from evalkit.metrics import build_metrics

    assert make_task(tmp_path, metrics=metrics).headline == headline
    assert build_metrics(metrics, language="en")[0].name == headline


def test_digest_depends_on_what_decides_a_number(tmp_path: Path) -> None:
    """A changed prompt or metric is another task; a changed description is not."""
    base = make_task(tmp_path / "a").digest
    assert make_task(tmp_path / "b", description="other", tags=["x"], source="s").digest == base
    assert make_task(tmp_path / "c", metrics=["f1"]).digest != base
    assert make_task(tmp_path / "d", prompts={"direct": "Q: {{ question }}"}).digest != base
    assert make_task(tmp_path / "e", code="x = 1").digest != base


def test_data_revision_is_that_of_the_bytes(tmp_path: Path) -> None:
    """Changed samples are another revision."""
    revisions = {make_task(tmp_path / str(n), ROWS[:n]).data_revision for n in (1, 2, 3)}
    assert len(revisions) == 3
    assert make_task(tmp_path / "again", ROWS[:2]).data_revision in revisions


def test_few_shot_pool_from_a_file_or_from_the_task_file(tmp_path: Path) -> None:
    """Worked examples stand in a file or in task.yaml; the ids are kept apart from the samples'."""
    write_rows(tmp_path / "shots.jsonl", [{"id": "s0", "question": "q", "answer": "a"}])
    (shot,) = make_task(tmp_path, few_shot={"file": "shots.jsonl", "count": 1}).few_shot_pool()
    assert (shot.id, shot.target) == ("shot-s0", ("a",))
    samples = [{"question": "q", "answer": "a"}, {"question": "r", "answer": "b"}]
    assert len(make_task(tmp_path / "b", few_shot={"samples": samples}).few_shot_pool()) == 2
    assert make_task(tmp_path / "c").few_shot_pool() == ()


HOOK = "def load_samples(path):\n"


def test_hook_reads_the_data(tmp_path: Path) -> None:
    """`load_samples` gets the path of the data and gives rows."""
    code = (
        HOOK
        + "    for line in path.read_text().split()[:2]:\n        yield {'question': line, 'answer': 'x'}\n"
    )
    assert [sample.target for sample in make_task(tmp_path, code=code).samples()] == [("x",), ("x",)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("    return []\n", "load_samples gave no samples"),
        ("    return None\n", "load_samples failed with TypeError"),
        ("    raise KeyError('k')\n", "load_samples failed with KeyError: 'k'"),
        (
            "    yield {'question': 'q', 'answer': 'a'}\n    raise OSError('gone')\n",
            "failed with OSError: gone",
        ),
        ("    return ['text']\n", "sample 1 is no mapping but str"),
    ],
)
def test_failing_hook_is_an_error_of_the_task(tmp_path: Path, body: str, message: str) -> None:
    """Whatever goes wrong in a hook, at the first sample or later, is a DataError that names task.py."""
    task = make_task(tmp_path, code=HOOK + body)
    with pytest.raises(DataError, match=r"task\.py: ") as caught:
        list(task.samples())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(:\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("import no_such_library\n", "ModuleNotFoundError"),
        ("load_samples = 5\n", "load_samples is not a function"),
    ],
)
def test_broken_hook_file_is_an_error_of_the_task(tmp_path: Path, code: str, message: str) -> None:
    """A task.py that does not run is a TaskError that names the file."""
    with pytest.raises(TaskError, match=rf"task\.py: .*{message}"):
        make_task(tmp_path, code=code)


def test_hook_may_define_dataclasses(tmp_path: Path) -> None:
    """A hook file is a whole module, in which dataclasses with late annotations work."""
    code = (
        "from __future__ import annotations\nfrom dataclasses import asdict, dataclass\n"
        "@dataclass\nclass Row:\n    question: str\n    answer: str\n"
    )
    code += HOOK + "    return [asdict(Row('q', 'a'))]\n"
    assert [sample.target for sample in make_task(tmp_path, code=code).samples()] == [("a",)]


@pytest.mark.parametrize("origin", ["included", "environment"])
def test_code_of_a_foreign_task_is_not_run_without_trust(tmp_path: Path, origin: str) -> None:
    """Python of a task from outside is refused before it runs, and runs once it is trusted."""
    witness = tmp_path / "witness"
    file = write_task(tmp_path / "task", code=f"open({str(witness)!r}, 'w').close()\n")
    with pytest.raises(TaskError, match=r"comes with Python code .*task\.py.* --trust"):
        load_task(entry(file, origin))
    assert not witness.exists()
    assert isinstance(load_task(entry(file, origin), trust=True), Task)
    assert witness.exists()


@pytest.mark.parametrize("origin", ["workspace", "installed", "bundled"])
def test_code_of_an_own_task_runs(tmp_path: Path, origin: str) -> None:
    """Tasks of the workspace, installed and bundled ones may run their Python."""
    file = write_task(tmp_path / "task", code=HOOK + "    return [{'question': 'q', 'answer': 'a'}]\n")
    assert load_task(entry(file, origin)).hooks.load_samples is not None


def test_foreign_task_without_code_needs_no_trust(tmp_path: Path) -> None:
    """YAML alone is harmless."""
    assert load_task(entry(write_task(tmp_path), "included")).name == "sums"


def test_hub_data_without_a_hub_say_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set that cannot be reached is an error that names --data; its commit is unknown, not guessed."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    task = make_task(tmp_path, data={"hub": "openai/gsm8k", "split": "test", "revision": "abc"})
    assert task.data_revision.startswith("hub:abc (commit unknown")
    with pytest.raises(DataError, match=r"openai/gsm8k.*--data sums=PATH"):
        next(task.samples())


def test_few_shot_data_are_read_as_far_as_they_are_taken(tmp_path: Path) -> None:
    """A train split is not read whole for three worked examples, nor is its last line checked."""
    rows = [{"id": f"t{n}", "question": f"q{n}", "answer": str(n)} for n in range(50)]
    file = write_rows(tmp_path / "shots.jsonl", rows)
    file.write_text(file.read_text() + "{broken\n")
    task = make_task(tmp_path, few_shot={"file": "shots.jsonl", "count": 3})
    variant = task.variant("direct")
    sample = next(task.samples())
    shots = variant.choose_shots(task.few_shot_pool(), sample, 0)
    assert [shot.id for shot in shots] == ["shot-t0", "shot-t1", "shot-t2"]
    with pytest.raises(DataError, match="line 51"):
        len(task.few_shot_pool())
