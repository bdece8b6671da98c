"""Includes, functions and trust: how a task file is read."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit.core.errors import EvalkitError, TaskError
from evalkit.interop.lm_eval import load_task, shim
from evalkit.interop.lm_eval.dataset import Dataset
from evalkit.interop.lm_eval.definition import read_definition
from evalkit.interop.lm_eval.documents import real_datasets

MINIMAL = "task: own\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\n"
Write = Callable[..., Path]


def no_rows(split: str) -> list[dict[str, object]]:
    """Rows for tasks whose documents do not matter."""
    return [{"q": "why", "a": "so"}]


def test_includes_merge_shallow_left_to_right(write_task: Write) -> None:
    """The right include wins over the left, local keys over both, and mappings are replaced as a whole."""
    file = write_task(
        "include: [left, right]\nrepeats: 3\n",
        left="metadata: {a: 1, b: 2}\nrepeats: 1\ndescription: left\ntask_list: [x]\n",
        right="metadata: {c: 3}\nrepeats: 2\n",
    )
    assert read_definition(file).values == {"metadata": {"c": 3}, "repeats": 3, "description": "left"}


def test_diamond_of_includes_is_allowed(write_task: Write) -> None:
    """Two includes may share a base."""
    file = write_task(
        "include: [left, right]\n", left="include: base\n", right="include: base\n", base="a: 1\n"
    )
    assert read_definition(file).values == {"a": 1}


def test_cycle_of_includes_is_named(write_task: Write) -> None:
    """Files that include each other are an error that shows the chain."""
    file = write_task("include: other\n", other="include: task.yaml\n")
    with pytest.raises(TaskError, match=r"include each other: .*task\.yaml -> .*other -> .*task\.yaml"):
        read_definition(file)


def test_error_names_the_file_a_key_comes_from(write_task: Write) -> None:
    """A wrong key of an included file is reported with both files."""
    file = write_task("include: base\n" + MINIMAL, base="descripton: x\n")
    with pytest.raises(
        TaskError, match=r"task\.yaml: descripton \(from .*base\).*Did you mean 'description'"
    ):
        load_task(file)


def test_functions_need_trust(write_task: Write, tmp_path: Path) -> None:
    """Without trust nothing of the folder's Python is run; the message says which key asks for it."""
    file = write_task(
        MINIMAL + "process_docs: !function code.keep\n",
        code__py=f"open({str(tmp_path / 'ran')!r}, 'w').close()\ndef keep(d):\n    return d\n",
    )
    with pytest.raises(TaskError, match=r"process_docs: runs Python .*--trust"):
        load_task(file, rows=no_rows)
    assert not (tmp_path / "ran").exists()
    task = load_task(file, rows=no_rows, trust=True, facade=True)
    assert (tmp_path / "ran").exists()
    assert task.n_docs() == 1


def test_function_of_an_include_is_found_beside_it(tmp_path: Path) -> None:
    """`!function` is relative to the file that contains it."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "code.py").write_text("def ask(doc):\n    return 'beside the base'\n")
    (tmp_path / "base" / "part").write_text("doc_to_text: !function code.ask\n")
    (tmp_path / "t.yaml").write_text("include: base/part\ntask: t\ntest_split: test\ndoc_to_target: a\n")
    task = load_task(tmp_path / "t.yaml", rows=no_rows, trust=True)
    assert next(iter(task.requests())).items[0].context == "beside the base"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_package_here\n", "needs the Python package 'no_such_package_here'"),
        ("1 / 0\n", "ZeroDivisionError while it was imported"),
        ("raise SystemExit('no')\n", "SystemExit while it was imported"),
        ("x = 1\n", "has no 'keep'"),
        ("def keep(:\n", "SyntaxError"),
    ],
)
def test_what_fails_on_import_is_a_typed_error(write_task: Write, code: str, message: str) -> None:
    """A missing package is named; other failures name the file and the kind of error."""
    file = write_task(MINIMAL + "process_docs: !function code.keep\n", code__py=code)
    with pytest.raises(TaskError, match=message):
        load_task(file, rows=no_rows, trust=True)


def test_unsafe_code_needs_trust(write_task: Write) -> None:
    """A task that runs what a model wrote is refused without trust."""
    file = write_task(MINIMAL + "unsafe_code: true\n")
    with pytest.raises(TaskError, match="unsafe_code"):
        load_task(file, rows=no_rows)
    assert load_task(file, rows=no_rows, trust=True).refusal is None


def test_images_are_refused_with_the_reason(write_task: Write) -> None:
    """A task that asks with images loads, says why it cannot run, and asks nothing."""
    task = load_task(write_task(MINIMAL + "doc_to_image: picture\n"), rows=no_rows)
    assert task.refusal is not None
    with pytest.raises(TaskError, match="doc_to_image: the task asks with images"):
        next(iter(task.requests()))


def test_data_that_is_not_at_hand_is_an_error(write_task: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub data set without the `datasets` package is refused with the cure."""
    monkeypatch.setattr("evalkit.interop.lm_eval.sources.real_datasets", lambda: None)
    task = load_task(write_task(MINIMAL + "dataset_path: some/data\n"))
    with pytest.raises(EvalkitError, match=r"dataset_path: 'some/data'.*--data"):
        task.n_docs()


def test_the_shim_stands_in_where_lm_eval_is_absent(write_task: Write) -> None:
    """A task module may import from lm_eval; a filter that it registers is known by its name."""
    file = write_task(
        MINIMAL + "process_results: !function code.score\nfilter_list:\n- name: own\n  filter:\n"
        "  - function: own_shout\n  - function: take_first\n",
        code__py=(
            "from lm_eval.api.filter import Filter\n"
            "from lm_eval.api.registry import register_filter\n"
            "from lm_eval.filters.extraction import RegexFilter\n"
            "@register_filter('own_shout')\n"
            "class Shout(Filter):\n"
            "    def apply(self, resps, docs):\n"
            "        return [[t.upper() for t in r] for r in resps]\n"
            "def score(doc, results):\n    return {'said': results[0]}\n"
        ),
    )
    task = load_task(file, rows=no_rows, trust=True)
    asked = next(iter(task.requests()))
    assert task.score(asked, ["hello"]) == {"said,own": "HELLO"}
    assert "lm_eval" in sys.modules


def test_the_facade_stands_in_where_datasets_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """`import datasets` of a task module gives the facade, which is not taken for the real package."""
    absent = {name for name in sys.modules if name == "datasets"}
    monkeypatch.setitem(sys.modules, "datasets", None)  # restored afterwards, whatever it was
    del sys.modules["datasets"]
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "datasets" else find_spec(name, *rest)
    )
    shim.ensure(None, lambda path: {})
    import datasets

    assert datasets.Dataset is Dataset
    assert real_datasets() is None
    with pytest.raises(TaskError, match="pip install lm_eval datasets"):
        datasets.load_dataset("some/data")
    if not absent:
        monkeypatch.delitem(sys.modules, "datasets")
