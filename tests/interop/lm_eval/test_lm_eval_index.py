"""The index finds what a tree defines, keeps it on disk, and notices changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalkit.core.errors import TaskError
from evalkit.interop.lm_eval import TaskIndex, build_index
from evalkit.interop.lm_eval.index import _scan, _scan_text


def test_kinds_of_the_test_tree(index: TaskIndex) -> None:
    """Tasks, groups and tags are told apart; a base file without a task's name is none of them."""
    assert index.find("own_group").kind == "group"
    assert index.find("own_choice").members == ("choice_columns", "choice_letters")
    assert index.find("choice_columns").kind == "task"
    assert "_base_yaml" not in {Path(entry.path).name for entry in index.entries.values()}


def test_unknown_name_names_its_neighbours(index: TaskIndex) -> None:
    """A misspelt name is an error that proposes the right one."""
    with pytest.raises(TaskError, match="Did you mean 'choice_columns'"):
        index.find("choice_colums")


def test_warm_start_reads_changed_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an unchanged tree no file is opened; a changed file, a new one and a removed one are noticed."""
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    tree.mkdir()
    for name in ("a", "b", "c"):
        (tree / f"{name}.yaml").write_text(f"task: {name}\ninclude: base\n")
    (tree / "base").write_text("tag: t\n")
    cold = build_index(tree, cache=cache)
    scanned: list[str] = []
    monkeypatch.setattr("evalkit.interop.lm_eval.index._scan", lambda p: scanned.append(p) or _scan(p))
    assert build_index(tree, cache=cache).entries == cold.entries
    assert scanned == []
    (tree / "a.yaml").write_text("task: renamed\ninclude: base\n")
    (tree / "d.yaml").write_text("task: d\n")
    (tree / "b.yaml").unlink()
    assert build_index(tree, cache=cache).names("task") == ("c", "d", "renamed")
    assert sorted(os.path.basename(path) for path in scanned) == ["a.yaml", "d.yaml"]


def test_included_file_is_watched(tmp_path: Path) -> None:
    """A change in a file without .yaml ending that gives the tag changes the index."""
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    tree.mkdir()
    (tree / "a.yaml").write_text("task: a\ninclude: base\n")
    (tree / "base").write_text("tag: before\n")
    assert build_index(tree, cache=cache).names("tag") == ("before",)
    (tree / "base").write_text("tag: afterwards\n")
    assert build_index(tree, cache=cache).names("tag") == ("afterwards",)


def test_broken_store_is_no_obstacle(tmp_path: Path) -> None:
    """A store that is not JSON is made anew."""
    (tmp_path / "a.yaml").write_text("task: a\n")
    build_index(tmp_path, cache=tmp_path / "cache")
    for store in (tmp_path / "cache").iterdir():
        store.write_bytes(b"{")
    assert build_index(tmp_path, cache=tmp_path / "cache").names() == ("a",)


def test_first_of_two_files_counts_and_both_are_named(tmp_path: Path) -> None:
    """Two files for one name: the first in order counts, the other is reported; a later tree overrides."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    for name in ("a", "b"):
        (one / f"{name}.yaml").write_text("task: same\n")
    (two / "z.yaml").write_text("task: same\n")
    index = build_index(one)
    assert index.find("same").file == (one / "a.yaml").resolve()
    assert "b.yaml" in index.problems[0]
    assert build_index(one, two).find("same").file == (two / "z.yaml").resolve()


def test_unreadable_yaml_is_reported_not_swallowed(tmp_path: Path) -> None:
    """A file that is no YAML is among the problems."""
    (tmp_path / "a.yaml").write_text("task: [a\n")
    assert "a.yaml" in build_index(tmp_path).problems[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("task: a\n", {"task": "a"}),
        ("task: 'a b'  # why\ntag:\n  - t\n  - u\n", {"task": "a b", "tag": ["t", "u"]}),
        ("task: a\ntag:\n- t\n- u\ndoc_to_text: |\n  task: b\n", {"task": "a", "tag": ["t", "u"]}),
        ("group: g\ntask:\n  - a\n  - task: b\n    x: 1\n", {"group": "g", "task": ["a", None]}),
        ("class: !function task.Own\ntask: a\n", {"class": {}, "task": "a"}),
        ("task: a\ninclude: [x, y]\n", {"task": "a", "include": ["x", "y"]}),
        ("task: no\n", {"task": False}),
        ("task: 12\n", {"task": 12}),
        ("task:\n", {"task": None}),
        ('description: "one\ntask: two"\ntask: a\n', None),
        ('"task": a\n', None),
        ("task: a\n? b\n", None),
        ("task: a\ntask: b\n", None),
    ],
)
def test_line_scan(text: str, found: dict[str, object] | None) -> None:
    """The scan of lines gives what the YAML says, or nothing where it cannot be sure."""
    assert _scan_text(text.encode()) == found


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    """A tree that is not there is named."""
    with pytest.raises(TaskError, match="nowhere"):
        build_index(tmp_path / "nowhere")
