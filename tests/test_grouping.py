"""Groups of tasks: who is in them, how they are averaged, and how they are selected and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import evalkit
from evalkit.core.errors import TaskError
from evalkit.core.records import Run, TaskGroup
from evalkit.pages.terminal.console import print_run
from evalkit.store.folders import decode_run, encode_run, load_run
from evalkit.tasks.discovery import build_group, bundled_folder, list_groups, list_tasks, select_tasks

MATRIX = """\
name: sums
matrix: {{part: [{parts}]}}
data: {{file: "${{{{ part }}}}.jsonl"}}
kind: choice
target: answer
choices: options
prompts: {{plain: "{{{{ question }}}}"}}
metrics: [accuracy]
group: {{weighting: {weighting}}}
"""


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project as the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(root: Path, sizes: dict[str, tuple[int, int]], weighting: str = "size") -> None:
    """A matrix task; of each part's samples the first are right for a model that takes the first option."""
    folder = root / "tasks" / "sums"
    folder.mkdir(parents=True)
    text = MATRIX.format(parts=", ".join(sizes), weighting=weighting)
    (folder / "task.yaml").write_text(text)
    for part, (right, n) in sizes.items():
        rows = [
            {"id": str(i), "question": f"{part} {i}", "options": ["a", "b"], "answer": int(i >= right)}
            for i in range(n)
        ]
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def first_option() -> evalkit.MockModel:
    """A model that always takes the first option."""
    return evalkit.MockModel(lambda request: "A", "mock/first")


def run(*tasks: str) -> Run:
    """A run of the model that takes the first option."""
    return evalkit.run(models=[first_option()], tasks=list(tasks)).run


SIZES = {"one": (9, 10), "two": (10, 30), "three": (5, 10)}


def test_mean_by_size_is_the_mean_of_all_samples(workspace: Path) -> None:
    """Weighted by size, every sample of the group counts alike."""
    make(workspace, SIZES)
    (group,) = run("sums").groups
    assert group.tasks == ("sums_one", "sums_three", "sums_two")
    assert (group.weighting, group.metric, group.mode) == ("size", "accuracy", "letter_generate")
    assert group.value.value == pytest.approx(24 / 50)
    assert group.value.n == 50
    assert group.value.signature.endswith("|group:size|tasks:3")


def test_plain_mean_counts_every_task_alike(workspace: Path) -> None:
    """Weighted equally, the group is the mean of its tasks."""
    make(workspace, SIZES, "equal")
    (group,) = run("sums").groups
    assert group.value.value == pytest.approx((0.9 + 1 / 3 + 0.5) / 3)


def test_interval_takes_tasks_as_strata(workspace: Path) -> None:
    """The standard error is that of the weighted sum of independent tasks."""
    make(workspace, SIZES, "equal")
    done = run("sums")
    (group,) = done.groups
    errors = [cell.metrics["accuracy"].stderr or 0.0 for cell in done.cells]
    assert group.value.stderr == pytest.approx(sum((error / 3) ** 2 for error in errors) ** 0.5)
    low, high = group.value.interval or (0.0, 0.0)
    assert 0 <= low < (group.value.value or 0.0) < high <= 1


def test_part_of_a_group_has_no_mean(workspace: Path) -> None:
    """A mean over some of the tasks would pass for that of the group."""
    make(workspace, SIZES)
    assert run("sums_one", "sums_two").groups == ()


def test_group_file_names_selects_and_averages(workspace: Path) -> None:
    """A group.yaml gives any tasks a name: --tasks takes it, and the run has their mean."""
    make(workspace, SIZES)
    (workspace / "tasks" / "best").mkdir()
    (workspace / "tasks" / "best" / "group.yaml").write_text(
        "name: best\ndescription: Two of them.\ntasks: [sums_one, sums_t*ree]\nweighting: equal\n"
    )
    done = run("best")
    assert list(done.tasks) == ["sums_one", "sums_three"]
    (group,) = done.groups
    assert (group.group, group.value.value) == ("best", pytest.approx(0.7))


def test_tasks_of_different_headlines_have_no_mean(workspace: Path) -> None:
    """What does not measure the same is not averaged."""
    (workspace / "tasks" / "mixed").mkdir(parents=True)
    (workspace / "tasks" / "mixed" / "group.yaml").write_text("tasks: [facts_en, summarisation_en]\n")
    assert run("mixed").groups == ()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("taks: [a]", "'tasks'"),
        ("tasks: []", "tasks"),
        ("tasks: [a]\nweighting: heavy", "weighting"),
        ("- a", "key: value"),
        ("name: [x]\ntasks: [a]", "name"),
    ],
)
def test_broken_group_file_is_a_typed_error(workspace: Path, text: str, named: str) -> None:
    """An error names the file and the key."""
    (workspace / "group.yaml").write_text(text)
    with pytest.raises(TaskError, match=r"group\.yaml") as caught:
        list_groups([(workspace, "workspace")])
    assert named in str(caught.value)


def test_group_in_itself_is_a_typed_error(workspace: Path) -> None:
    """A circle of groups ends in an error that shows it."""
    for name, other in (("one", "two"), ("two", "one")):
        (workspace / name).mkdir()
        (workspace / name / "group.yaml").write_text(f"tasks: [{other}]\n")
    folders = [(workspace, "workspace")]
    with pytest.raises(TaskError, match="one -> two -> one"):
        select_tasks(["one"], list_tasks(folders), list_groups(folders))


def test_groups_are_kept_and_old_runs_load(workspace: Path) -> None:
    """run.json holds the groups; one that was written before there were any is read as having none."""
    make(workspace, SIZES)
    stored = evalkit.run(models=[first_option()], tasks=["sums"])
    assert load_run(stored.folder).run.groups == stored.run.groups != ()
    content = json.loads(encode_run(stored.run))
    del content["groups"]
    assert decode_run(json.dumps(content).encode(), "old").groups == ()


def test_table_has_a_row_for_the_group_after_its_tasks(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A small group is shown after its tasks."""
    make(workspace, SIZES)
    print_run(run("sums"))
    lines = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "accuracy" in line]
    assert lines == ["sums_one", "sums_three", "sums_two", "sums"]


def test_large_group_stands_for_its_tasks(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """More than eight tasks are one row, or all of them when asked for."""
    make(workspace, {f"p{n}": (2, 4) for n in range(9)})
    done = run("sums")
    print_run(done)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if "accuracy" in line] == [
        "sums"
    ]
    print_run(done, all_tasks=True)
    assert capsys.readouterr().out.count("accuracy") == 10


def test_unknown_value_makes_the_mean_unknown(workspace: Path) -> None:
    """A task without a value leaves the group without one: unknown is not zero."""
    from evalkit.running.grouping import average_groups

    make(workspace, SIZES)
    done = run("sums")
    first = done.cells[0]
    lost = replace(first, metrics={"accuracy": replace(first.metrics["accuracy"], value=None, stderr=None)})
    group = TaskGroup("sums", ("sums_one", "sums_two", "sums_three"))
    (result,) = average_groups([group], done.tasks, [lost, *done.cells[1:]])
    assert result.value.value is None
    assert result.value.interval is None


def group_file(root: Path, name: str, text: str) -> None:
    """A group.yaml in a folder of its own."""
    (root / "tasks" / name).mkdir(parents=True)
    (root / "tasks" / name / "group.yaml").write_text(text)


SHARES = {f"p{n}": (n + 1, 10 + n) for n in range(5)}
"""Of part n the first n + 1 of 10 + n samples are right."""
RIGHT = {name: right / n for name, (right, n) in SHARES.items()}
TWO = "name: two\ntasks: [sums_p0, sums_p1, sums_p2]\nweighting: equal\n"


def test_group_of_groups_keeps_its_levels(workspace: Path) -> None:
    """A group is one member of the group it is in: the headline is a mean of means."""
    make(workspace, SHARES)
    group_file(workspace, "two", TWO)
    group_file(workspace, "top", "tasks: [two, sums_p3, sums_p4]\nweighting: equal\n")
    found = {group.group: group for group in run("top").groups}
    inner = (RIGHT["p0"] + RIGHT["p1"] + RIGHT["p2"]) / 3
    assert found["two"].value.value == pytest.approx(inner)
    assert found["top"].value.value == pytest.approx((inner + RIGHT["p3"] + RIGHT["p4"]) / 3)
    assert found["top"].value.signature.endswith("|group:equal(2,equal(3))|tasks:5")
    assert found["top"].tree.outline() == "two (sums_p0, sums_p1, sums_p2), sums_p3, sums_p4"


def test_error_of_a_nested_mean_weighs_tasks_by_the_product_of_shares(workspace: Path) -> None:
    """A task of three in one of three members has a ninth of the mean, and of its own error."""
    make(workspace, SHARES)
    group_file(workspace, "two", TWO)
    group_file(workspace, "top", "tasks: [two, sums_p3, sums_p4]\nweighting: equal\n")
    done = run("top")
    value = next(group.value for group in done.groups if group.group == "top")
    errors = {cell.task: cell.metrics["accuracy"].stderr or 0.0 for cell in done.cells}
    parts = [
        error / (9 if task in ("sums_p0", "sums_p1", "sums_p2") else 3) for task, error in errors.items()
    ]
    assert value.stderr == pytest.approx(sum(part**2 for part in parts) ** 0.5)
    low, high = value.interval or (0.0, 0.0)
    assert low < (value.value or 0.0) - value.stderr < (value.value or 0.0) + value.stderr < high


@pytest.mark.parametrize(
    ("outer", "inner", "shares"),
    [
        ("equal", "equal", (1 / 4, 1 / 4, 1 / 2)),
        ("equal", "size", (1 / 8, 3 / 8, 1 / 2)),
        ("size", "equal", (2 / 6, 2 / 6, 2 / 6)),
        ("size", "size", (1 / 6, 3 / 6, 2 / 6)),
    ],
)
def test_shares_are_the_product_down_the_tree(
    outer: str, inner: str, shares: tuple[float, float, float]
) -> None:
    """Each level is weighted by its own rule; by size a group weighs as much as its samples."""
    tree = TaskGroup("top", (TaskGroup("in", ("a", "b"), inner), "c"), outer)  # type: ignore[arg-type]
    assert tree.shares({"a": 1, "b": 3, "c": 2}) == pytest.approx(dict(zip("abc", shares, strict=True)))


def test_groups_are_written_in_place(workspace: Path) -> None:
    """One file may hold the groups inside it; each has its mean too."""
    make(workspace, SHARES)
    text = "tasks:\n- {name: two, tasks: [sums_p0, sums_p1], weighting: equal}\n- sums_p2\nweighting: equal\n"
    group_file(workspace, "top", text)
    found = {group.group: group.value.value for group in run("top").groups}
    inner = (RIGHT["p0"] + RIGHT["p1"]) / 2
    assert found == {"two": pytest.approx(inner), "top": pytest.approx((inner + RIGHT["p2"]) / 2)}


def test_matrix_is_one_member(workspace: Path) -> None:
    """The name of a matrix, or the path of its file, is one member, weighted inside as the matrix says."""
    make(workspace, {"one": (1, 4), "two": (6, 8)})
    group_file(workspace, "top", "tasks: [sums, facts_en]\nweighting: equal\n")
    folders = [(workspace / "tasks", "workspace"), (bundled_folder(), "bundled")]
    entries, groups = list_tasks(folders), list_groups(folders)
    tree, _ = build_group(groups["top"], entries, groups)
    assert tree.members == (TaskGroup("sums", ("sums_one", "sums_two"), "size"), "facts_en")
    by_path = replace(groups["top"], members=(str(workspace / "tasks" / "sums"), "facts_en"))
    assert build_group(by_path, entries, groups)[0].members == tree.members


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"top": "tasks: [two, sums_p1]\n", "two": TWO}, "reached by two ways, top -> two -> sums_p1 and"),
        ({"top": "tasks: [sums, sums_p1]\n"}, "reached by two ways, top -> sums -> sums_p1 and"),
        ({"top": "tasks: [one, two]\n", "one": "tasks: [top]\n", "two": TWO}, "top -> one -> top"),
        ({"top": "tasks: [top]\n"}, "top -> top"),
        ({"top": "tasks: [two]\n", "two": "tasks: ['zz*']\n"}, "no task 'zz*'"),
        ({"top": "tasks: [{name: x, tasks: []}]\n"}, "with at least one"),
        ({"top": "tasks: [{tasks: [sums_p0]}]\n"}, "a group inside a group needs one"),
        ({"top": "tasks: [{name: x, tasks: [sums_p0]}, {name: x, tasks: [sums_p1]}]\n"}, "are named 'x'"),
        ({"top": "name: sums\ntasks: [sums_p0]\n"}, "'sums' is the name of the matrix"),
        ({"top": "tasks: [3]\n"}, "a list of names"),
    ],
)
def test_group_whose_weights_cannot_be_told_is_a_typed_error(
    workspace: Path, files: dict[str, str], said: str
) -> None:
    """A circle, a task reached by two ways, a member that is not there: the error names the file."""
    make(workspace, SHARES)
    for name, text in files.items():
        group_file(workspace, name, text)
    folders = [(workspace / "tasks", "workspace")]

    def build() -> None:
        groups = list_groups(folders)
        build_group(groups.get("top") or groups["sums"], list_tasks(folders), groups)

    with pytest.raises(TaskError, match=r"group\.yaml") as caught:
        build()
    assert said in str(caught.value)


def test_overlapping_patterns_of_one_group_are_no_two_ways(workspace: Path) -> None:
    """A name and a glob on the same level leave no doubt of a task's weight."""
    make(workspace, SHARES)
    group_file(workspace, "top", "tasks: [sums_p1, 'sums_p*']\n")
    folders = [(workspace / "tasks", "workspace")]
    tree, _ = build_group(list_groups(folders)["top"], list_tasks(folders), {})
    assert tree.tasks == ("sums_p1", "sums_p0", "sums_p2", "sums_p3", "sums_p4")


CODEX = {
    "boolean_expressions": (250, 221, 232),
    "causal_judgement": (187, 119, 101),
    "date_understanding": (250, 159, 218),
    "disambiguation_qa": (250, 168, 190),
    "dyck_languages": (250, 117, 142),
    "formal_fallacies": (250, 131, 126),
    "geometric_shapes": (250, 80, 136),
    "hyperbaton": (250, 151, 166),
    "logical_deduction_five_objects": (250, 81, 137),
    "logical_deduction_seven_objects": (250, 65, 97),
    "logical_deduction_three_objects": (250, 132, 219),
    "movie_recommendation": (250, 212, 226),
    "multistep_arithmetic_two": (250, 3, 119),
    "navigate": (250, 126, 241),
    "object_counting": (250, 113, 233),
    "penguins_in_a_table": (146, 97, 116),
    "reasoning_about_colored_objects": (250, 169, 229),
    "ruin_names": (250, 188, 171),
    "salient_translation_error_detection": (250, 155, 152),
    "snarks": (178, 109, 106),
    "sports_understanding": (250, 182, 244),
    "temporal_sequences": (250, 194, 242),
    "tracking_shuffled_objects_five_objects": (250, 51, 224),
    "tracking_shuffled_objects_seven_objects": (250, 36, 214),
    "tracking_shuffled_objects_three_objects": (250, 94, 196),
    "web_of_lies": (250, 129, 238),
    "word_sorting": (250, 126, 101),
}
"""Task -> samples, right with answers alone, right with chains of thought: `accuracy` of the recorded outputs
of code-davinci-002 (suzgunmirac/BIG-Bench-Hard at 9ee07bd, code-davinci-002-outputs/*_eval_metrics.jsonl)."""


@pytest.mark.parametrize(("place", "published"), [(1, 56.6135), (2, 73.9281)])
def test_headline_of_big_bench_hard_is_the_published_one(place: int, published: float) -> None:
    """The mean over 23 of Suzgun et al. 2022, table 2 (56.6 and 73.9); over 27 it would be another number."""
    folders = [(bundled_folder(), "bundled")]
    groups = list_groups(folders)
    tree, _ = build_group(groups["bbh_23"], list_tasks(folders), groups)
    assert (len(tree.members), len(tree.tasks), tree.levels()) == (23, 27, "equal(21,equal(3),equal(3))")
    shares = tree.shares({f"bbh_{name}": float(row[0]) for name, row in CODEX.items()})
    mean = sum(shares[f"bbh_{name}"] * row[place] / row[0] for name, row in CODEX.items())
    assert round(100 * mean, 4) == published
