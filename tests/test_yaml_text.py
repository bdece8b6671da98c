"""YAML that stands for more than a machine holds: refused in no time, and what else is there goes on."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
import yaml
from factories import write_task
from hypothesis import given, settings
from hypothesis import strategies as st

import evalkit
from evalkit.core.errors import ConfigError, TaskError
from evalkit.core.project import find_project
from evalkit.core.yaml_text import DEEPEST, load_yaml
from evalkit.interop.lm_eval.definition import read_definition
from evalkit.interop.lm_eval.index import build_index
from evalkit.running.workspace import open_workspace
from evalkit.tasks.discovery import list_groups, list_tasks, select_tasks
from evalkit.tasks.matrix import check_size


def bomb(key: str, levels: int = 9, width: int = 9) -> str:
    """Lists of lists of ... as aliases: width ** levels texts in a few lines."""
    lines = [f"x0: &x0 [{', '.join(['lol'] * width)}]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join([*lines, f"{key}: *x{levels - 1}", ""])


MERGES = "m0: &m0 {k: 1}\n" + "\n".join(
    f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, 20)
)
REST = 'data: {file: samples.jsonl}\ntarget: answer\nprompts: {p: "{{ question }}"}\nmetrics: [exact_match]\n'
COMBINATIONS = f"matrix: {{{', '.join(f'{name}: {list(range(209))}' for name in 'abc')}}}\n"
TOO_MUCH = {
    "tags of 9 ** 9": bomb("tags"),
    "tags of 9 ** 30": bomb("tags", 30),
    "a matrix of 9 ** 9": bomb("matrix"),
    "a matrix of nine million": COMBINATIONS,
    "merge keys": MERGES + "\n",
    "much text for many tasks": f"matrix: {{a: {list(range(5000))}, t: [{'y' * 20000}]}}\n"
    f'source: "{"${{ t }} " * 2000}"\n',
    "many values for many tasks": f"matrix: {{a: {list(range(9000))}}}\nsource: [{'q, ' * 2000}q]\n",
    "a list in itself": "source: &a [*a]\n",
    "a mapping in itself": "source: &a {k: *a}\n",
    "deep": f"source: {'{a: ' * 90}1{'}' * 90}\n",
    "a number of 5,000 digits": f"version: {'9' * 5000}\n",
    "a number to the base of sixty": f"version: 1{':59' * 200_000}\n",
    "a text a thousand times": f"s: &s {'z' * 1_000_000}\ntags: [{'*s, ' * 1000}x]\n",
    "five megabytes": f"source: {'z' * 5_000_000}\n",
    "a key twice": "name: worse\n",
}


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_task_of_too_much_is_one_broken_task(text: str, tmp_path: Path) -> None:
    """It is named with its file, the other tasks are listed, and nothing takes a second."""
    write_task(tmp_path / "sums")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/task.yaml").write_text(f"name: bad\n{text}{REST}")
    problems: list[str] = []
    begun = time.process_time()
    entries = list_tasks([(tmp_path, "workspace")], problems=problems)
    assert time.process_time() - begun < 3
    assert set(entries) == {"bad", "sums"}
    assert "not readable" in entries["bad"].description
    (problem,) = problems
    assert problem.startswith(f"{tmp_path}/bad/task.yaml")
    assert len(problem) < 500


def test_the_other_tasks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb beside it costs a run nothing; the task of it says why it cannot be loaded."""
    write_task(tmp_path / "tasks/sums")
    (tmp_path / "tasks/bad").mkdir()
    (tmp_path / "tasks/bad/task.yaml").write_text(f"name: bad\n{bomb('tags')}{REST}")
    monkeypatch.chdir(tmp_path)
    assert evalkit.run(["baseline/oracle"], ["sums"]).run.status == "complete"
    with pytest.raises(TaskError, match="more than 100000 keys and values"):
        evalkit.run(["baseline/oracle"], ["bad"])


@pytest.mark.parametrize(
    "text", [bomb("tasks"), "tasks: &a [*a]", f"tasks: [{'x, ' * 5000}x]", "tasks: " + "[" * 500]
)
def test_a_group_of_too_much_is_left_out(text: str, tmp_path: Path) -> None:
    """It is named with its file."""
    (tmp_path / "g").mkdir()
    (tmp_path / "g/group.yaml").write_text(text)
    problems: list[str] = []
    assert list_groups([(tmp_path, "workspace")], problems) == {}
    assert problems
    assert problems[0].startswith(f"{tmp_path}/g/group.yaml")


def test_groups_of_groups_of_groups_end(tmp_path: Path) -> None:
    """Forty groups, each with nine times the next: an error or the tasks, at once."""
    write_task(tmp_path / "sums")
    for n in range(40):
        below = f"g{n + 1}" if n < 39 else "sums"
        folder = tmp_path / f"g{n}"
        folder.mkdir()
        (folder / "group.yaml").write_text(f"name: g{n}\ntasks: [{', '.join([below] * 9)}]\n")
    folders = [(tmp_path, "workspace")]
    begun = time.process_time()
    try:
        found = select_tasks(["g0"], list_tasks(folders), list_groups(folders))
    except TaskError:
        found = []
    assert time.process_time() - begun < 3
    assert len(found) <= 1


@pytest.mark.parametrize(
    "text",
    [
        *(bomb("models"), bomb("run"), "models: &a {m: *a}", f"run: {'[' * 3000}"),
        *("models: {m: openai/x, m: openai/y}", "run: {limit: 1}\nrun: {limit: 2}"),
        f"run: {{limit: {'9' * 5000}}}",
    ],
)
def test_a_configuration_of_too_much_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """evalkit.yaml alike: its name, and no traceback."""
    (tmp_path / "evalkit.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"evalkit\.yaml"):
        open_workspace()


def test_a_deep_pyproject_is_refused(tmp_path: Path) -> None:
    """TOML nests without end too; a file that is none of ours is left alone."""
    file = tmp_path / "pyproject.toml"
    file.write_text(f"[tool.evalkit]\nx = {'[' * 50_000}")
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        find_project(tmp_path)
    file.write_text(f"# evalkit\nx = {'[' * 50_000}")
    assert find_project(tmp_path) == (tmp_path, None)


@pytest.mark.parametrize(
    "text", [bomb("doc_to_choice"), MERGES, "a: &a [*a]", f"a: {'[' * 200}{']' * 200}", f"a: {'9' * 5000}"]
)
def test_a_task_of_lm_eval_of_too_much_is_refused(text: str, tmp_path: Path) -> None:
    """Its index names the file, its loading raises; a key that stands twice is theirs to have."""
    (tmp_path / "bad.yaml").write_text(f"task: bad\n{text}\n")
    (tmp_path / "good.yaml").write_text("task: good\ntask: good2\n")
    with pytest.raises(TaskError, match=r"bad\.yaml"):
        read_definition(tmp_path / "bad.yaml")
    assert "good2" in build_index(tmp_path).entries


def test_includes_of_includes_end(tmp_path: Path) -> None:
    """Thirty files, each including the next nine times, are read once each; a chain of 200 is refused."""
    for n in range(30):
        names = ", ".join([f"i{n + 1}.yaml"] * 9) if n < 29 else ""
        (tmp_path / f"i{n}.yaml").write_text(f"include: [{names}]\nk{n}: 1\n")
    assert len(read_definition(tmp_path / "i0.yaml").values) == 30
    for n in range(200):
        (tmp_path / f"c{n}.yaml").write_text(f"include: c{n + 1}.yaml\n")
    with pytest.raises(TaskError, match="deep"):
        read_definition(tmp_path / "c0.yaml")
    build_index(tmp_path)


def test_a_real_matrix_is_no_bomb() -> None:
    """42 languages by 57 subjects, as Global MMLU has them, of a file of 200 values."""
    check_size({"language": ["xx"] * 42, "subject": ["abstract_algebra"] * 57}, {"name": "x"}, 200)


def test_depth_is_counted_through_aliases() -> None:
    """An alias below a list lies as deep as if it were written out."""
    half = DEEPEST // 2 + 2
    text = f"a: &a {'[' * half}{']' * half}\nb: {'[' * half}*a{']' * half}\n"
    with pytest.raises(ValueError, match="deep"):
        load_yaml(text)


SMALL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(SMALL)
@settings(max_examples=80, deadline=None)
def test_what_is_within_bounds_reads_as_yaml(value: object) -> None:
    """The content is what PyYAML makes of the text."""
    text = yaml.safe_dump(value, allow_unicode=True)
    assert load_yaml(text).content == yaml.safe_load(text)


@given(st.binary(max_size=60) | st.text("[]{}&*a:<,- \n!?|>'\"%#@0x1_.", max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(content: bytes | str) -> None:
    """Nothing but our own errors and YAML's leaves the reader."""
    with contextlib.suppress(yaml.YAMLError, ValueError):
        load_yaml(content)
