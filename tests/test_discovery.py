"""Discovery: a name leads to one folder, the first of the search path, and nothing is run on the way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from factories import write_task

from evalkit.core.errors import TaskError
from evalkit.tasks.discovery import TaskEntry, bundled_folder, list_tasks, search_path, select_tasks


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty workspace."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def install(folder: Path, value: str, package: str = "taskpack") -> Path:
    """A folder for sys.path with a package of tasks and the metadata of its distribution."""
    write_task(folder / package / "shared", name="shared", description="installed")
    write_task(folder / package / "extra", name="extra")
    (folder / package / "__init__.py").write_text("raise SystemExit('a listing must not run this')\n")
    info = folder / "taskpack-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: taskpack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[evalkit.tasks]\ntaskpack = {value}\n")
    return folder


def origins(root: Path, include: list[Path] | None = None) -> dict[str, str]:
    """Where each task of the search path comes from, the bundled ones left out."""
    entries = list_tasks(search_path(root, include or []))
    return {name: entry.origin for name, entry in entries.items() if entry.origin != "bundled"}


def test_first_of_the_search_path_wins(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--include-path, ./tasks, $EVALKIT_TASKS, installed, bundled: without one, the next comes up."""
    shadowed = next(iter(list_tasks([(bundled_folder(), "bundled")])))
    found = []
    for place in ("include", "root/tasks", "environment"):
        write_task(tmp_path / place / "t", name=shadowed)
    site = install(tmp_path / "site", "taskpack")
    write_task(site / "taskpack" / "t", name=shadowed)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("EVALKIT_TASKS", str(tmp_path / "environment"))
    found.append(list_tasks(search_path(root, [tmp_path / "include"]))[shadowed].origin)
    found.append(list_tasks(search_path(root))[shadowed].origin)
    (tmp_path / "root/tasks").rename(tmp_path / "root/other")
    found.append(list_tasks(search_path(root))[shadowed].origin)
    monkeypatch.delenv("EVALKIT_TASKS")
    found.append(list_tasks(search_path(root))[shadowed].origin)
    monkeypatch.setattr(sys, "path", sys.path[1:])
    found.append(list_tasks(search_path(root))[shadowed].origin)
    assert found == ["included", "workspace", "environment", "installed", "bundled"]


def test_variable_names_several_folders(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$EVALKIT_TASKS is a list like $PATH; empty places in it mean nothing."""
    write_task(tmp_path / "one/a", name="a")
    write_task(tmp_path / "two/b", name="b")
    places = ["", str(tmp_path / "one"), str(tmp_path / "two"), ""]
    monkeypatch.setenv("EVALKIT_TASKS", os.pathsep.join(places))
    assert origins(root) == {"a": "environment", "b": "environment"}


def test_missing_folders_are_errors(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was named and is not there is told, with the place where it was named."""
    with pytest.raises(TaskError, match=r"--include-path .*nowhere: no such folder"):
        search_path(root, [tmp_path / "nowhere"])
    monkeypatch.setenv("EVALKIT_TASKS", str(tmp_path / "nowhere"))
    with pytest.raises(TaskError, match=r"EVALKIT_TASKS names .*nowhere, which is no folder"):
        search_path(root)


def test_installed_tasks_are_listed_without_being_run(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry point names a package whose folder is searched; its code is not imported."""
    monkeypatch.syspath_prepend(str(install(tmp_path / "site", "taskpack")))
    assert origins(root) == {"extra": "installed", "shared": "installed"}
    assert "taskpack" not in sys.modules


@pytest.mark.parametrize("value", ["gone", "gone.deeper", "taskpack2:tasks"])
def test_remains_of_an_uninstalled_package_are_passed_over(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """An entry point whose package is gone does not keep anybody from working."""
    monkeypatch.syspath_prepend(str(install(tmp_path / "site", value)))
    assert origins(root) == {}


def test_tasks_are_found_at_any_depth_and_not_inside_tasks(root: Path) -> None:
    """Folders group tasks; what lies inside a task, or is hidden, is no task."""
    write_task(root / "tasks/group/deep/a", name="a")
    write_task(root / "tasks/group/deep/a/backup", name="inside")
    write_task(root / "tasks/.hidden/b", name="hidden")
    write_task(root / "tasks/_drafts/c", name="draft")
    (root / "tasks/empty").mkdir()
    assert origins(root) == {"a": "workspace"}


def test_folder_that_stands_twice_in_the_path_is_searched_once(root: Path) -> None:
    """The same folder under two names gives each task once, with its first origin."""
    write_task(root / "tasks/a", name="a")
    (root / "link").symlink_to(root / "tasks")
    assert origins(root, [root / "link"]) == {"a": "included"}


def test_entry_tells_what_a_listing_shows(root: Path) -> None:
    """Name, description, language, kind and tags are those of the file; a name may be the folder's."""
    write_task(root / "tasks/a", description="D", language="zh", tags=["x", "y"])
    write_task(root / "tasks/b", name=None)
    (root / "tasks/broken").mkdir()
    (root / "tasks/broken/task.yaml").write_text("name: [unclosed\n")
    entries = list_tasks([(root / "tasks", "workspace")])
    assert entries["sums"] == TaskEntry(
        "sums", root / "tasks/a/task.yaml", "workspace", "D", "zh", "generate", ("x", "y")
    )
    assert list(entries) == ["b", "broken", "sums"]
    assert entries["broken"].description == "not readable: see evalkit tasks check"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- a\n",
        "text",
        "name: {a: 1}\ntags: 5\n",
        "description: [1]\n",
        "a: 2020-13-45\n",
        "\x00",
        "a: *b\n",
    ],
)
def test_listing_survives_any_file(root: Path, content: str) -> None:
    """One broken task does not hide the others."""
    write_task(root / "tasks/good", name="good")
    (root / "tasks/odd").mkdir()
    (root / "tasks/odd/task.yaml").write_text(content)
    assert "good" in list_tasks([(root / "tasks", "workspace")])


@pytest.fixture
def entries(root: Path) -> dict[str, TaskEntry]:
    """Four tasks: two topics in two languages."""
    for topic in ("mood", "sums"):
        for language in ("en", "zh"):
            write_task(root / f"tasks/{topic}_{language}", name=f"{topic}_{language}", tags=[topic, language])
    return list_tasks([(root / "tasks", "workspace")])


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["sums_zh"], ["sums_zh"]),
        (["*_zh"], ["mood_zh", "sums_zh"]),
        (["sums_?n"], ["sums_en"]),
        (["[ms]*_en"], ["mood_en", "sums_en"]),
        (["mood"], ["mood_en", "mood_zh"]),
        (["all"], ["mood_en", "mood_zh", "sums_en", "sums_zh"]),
        (["sums_zh", "mood_en"], ["sums_zh", "mood_en"]),
        (["sums_zh", "zh", "all"], ["sums_zh", "mood_zh", "mood_en", "sums_en"]),
    ],
)
def test_select_by_name_glob_and_tag(
    entries: dict[str, TaskEntry], patterns: list[str], names: list[str]
) -> None:
    """Patterns give tasks in the order asked for, each once."""
    assert [entry.name for entry in select_tasks(patterns, entries)] == names


def test_select_by_path(tmp_path: Path, entries: dict[str, TaskEntry]) -> None:
    """A folder or a file of a task outside the path is a task, from outside as far as trust goes."""
    file = write_task(tmp_path / "elsewhere", name="mine")
    other = file.with_name("variant.yml")
    other.write_text(file.read_text())
    for pattern in (file, file.parent, other):
        (entry,) = select_tasks([str(pattern)], entries)
        assert (entry.name, entry.origin, entry.trusted) == ("mine", "included", False)


def test_two_tasks_of_one_name_are_not_confused(tmp_path: Path, entries: dict[str, TaskEntry]) -> None:
    """Two different tasks of the same name cannot be in one run: one would hide the other."""
    file = write_task(tmp_path / "elsewhere", name="mood_en")
    with pytest.raises(TaskError, match=r"two tasks are named 'mood_en': .*elsewhere"):
        select_tasks(["all", str(file)], entries)


def test_path_of_a_listed_task_is_that_task(root: Path, entries: dict[str, TaskEntry]) -> None:
    """A task of the workspace keeps its trust when it is named by its path."""
    assert select_tasks([str(root / "tasks/mood_en")], entries) == [entries["mood_en"]]
    assert select_tasks([str(root / "tasks/mood_en/task.yaml")], entries) == [entries["mood_en"]]


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("mod_zh", "Did you mean 'mood_zh'"),
        ("moood", "Did you mean 'mood'"),
        ("*_fr", "Tasks: mood_en, mood_zh, sums_en, sums_zh. Tags: en, mood, sums, zh."),
        ("", "Tasks: mood_en"),
        ("x" * 5000, "Tasks: mood_en"),
        ("nul\0", "Tasks: mood_en"),
        ("~nobody-of-this-name/x", "Tasks: mood_en"),
    ],
)
def test_unknown_pattern_names_the_nearest(entries: dict[str, TaskEntry], pattern: str, hint: str) -> None:
    """A pattern that fits nothing is an error with near names, never an empty run."""
    with pytest.raises(TaskError, match=r"^no task ") as caught:
        select_tasks([pattern], entries)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "trusted"),
    [
        ("included", False),
        ("workspace", True),
        ("environment", False),
        ("installed", True),
        ("bundled", True),
    ],
)
def test_trust_hangs_on_the_origin(origin: str, trusted: bool) -> None:
    """Code of the workspace, of installed packages and of evalkit runs; any other needs --trust."""
    assert TaskEntry("t", Path("task.yaml"), origin, "", "en", "generate", ()).trusted is trusted
