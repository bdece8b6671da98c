"""The workspace: the nearest configuration counts, and a slip in it is told with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.core.errors import ConfigError
from evalkit.running.workspace import Workspace, open_workspace

CONFIG = """\
models:
  gpt-4: openai/gpt-4
  llama3: {model: hosted_vllm/llama3, api_base: "http://127.0.0.1:8000/v1", max_connections: 4}
run:
  models: [gpt-4, llama3]
  tasks: sentiment_zh
"""


def test_configuration_is_read(tmp_path: Path) -> None:
    """Aliases become settings; the defaults of a run become lists, also from a single name."""
    (tmp_path / "evalkit.yaml").write_text(CONFIG)
    workspace = open_workspace(tmp_path)
    assert (workspace.root, workspace.file) == (tmp_path, tmp_path / "evalkit.yaml")
    assert workspace.aliases["gpt-4"].model == "openai/gpt-4"
    assert workspace.aliases["llama3"].max_connections == 4
    assert workspace.defaults == {"models": ("gpt-4", "llama3"), "tasks": ("sentiment_zh",)}


def test_nearest_configuration_upwards_counts(tmp_path: Path) -> None:
    """From a sub-folder the project's root is found; the nearest wins."""
    (tmp_path / "evalkit.yaml").write_text("run: {tasks: [outer]}")
    inner = tmp_path / "a/b/c"
    inner.mkdir(parents=True)
    assert open_workspace(inner).root == tmp_path
    (tmp_path / "a/pyproject.toml").write_text('[tool.evalkit.run]\ntasks = ["inner"]\n')
    assert open_workspace(inner).defaults == {"tasks": ("inner",)}
    assert open_workspace(inner).root == tmp_path / "a"


@pytest.mark.parametrize("content", ["[tool.other]\nx = 1\n", "not toml at all [", "tool = 1\n", "", "\x00"])
def test_foreign_pyproject_is_passed_over(tmp_path: Path, content: str) -> None:
    """A pyproject.toml without [tool.evalkit] is somebody else's, in order or not."""
    (tmp_path / "pyproject.toml").write_text(content)
    (tmp_path / "sub").mkdir()
    assert open_workspace(tmp_path / "sub") == Workspace(tmp_path / "sub")


def test_own_pyproject_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A file that means to configure evalkit is not passed over for a slip in its TOML."""
    (tmp_path / "pyproject.toml").write_text("[tool.evalkit\nmodels = {}\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: not readable as TOML \(.* line 1"):
        open_workspace(tmp_path)


def test_options_of_a_run_are_read(tmp_path: Path) -> None:
    """Numbers stay numbers, parameters become key=value; the lists are told apart from them."""
    (tmp_path / "evalkit.yaml").write_text(
        "run: {tasks: [a], limit: 3, max_cost: 0.5, params: {stop: [x], top_p: 1}}"
    )
    workspace = open_workspace(tmp_path)
    assert workspace.defaults == {"tasks": ("a",)}
    assert workspace.options == {"limit": 3, "max_cost": 0.5, "params": ('stop=["x"]', "top_p=1")}


def test_empty_configuration_marks_the_root(tmp_path: Path) -> None:
    """An empty evalkit.yaml says nothing but where the project is."""
    (tmp_path / "evalkit.yaml").write_text("")
    workspace = open_workspace(tmp_path)
    assert (workspace.file, dict(workspace.aliases), dict(workspace.defaults)) == (
        tmp_path / "evalkit.yaml",
        {},
        {},
    )


def test_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the search begins where the user stands."""
    (tmp_path / "evalkit.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    assert open_workspace().file == tmp_path / "evalkit.yaml"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("modles: {}\n", r"unknown key 'modles'\. Did you mean 'models'"),
        ("run: {model: [a]}\n", r"unknown key run\.model\. Did you mean 'models'"),
        ("run: {tasks: 5}\n", r"run\.tasks must be a list of names"),
        ("run: {tasks: [5]}\n", r"run\.tasks must be a list of names"),
        ("run: {limt: 3}\n", r"unknown key run\.limt\. Did you mean 'limit'"),
        ("run: {limit: 0}\n", r"run\.limit must be a whole number from 1, not 0"),
        ("run: {limit: true}\n", r"run\.limit must be a whole number"),
        ("run: {max_cost: much}\n", r"run\.max_cost must be a finite number from 0, not 'much'"),
        ("run: {params: [a]}\n", r"run\.params must map parameters to values"),
        ("run: [a]\n", r"`run` must map options to values, got list"),
        ("models: [a]\n", r"`models` must map names to models, got list"),
        ("models: {a: {modle: x}}\n", r"model 'a' has an unknown key 'modle'"),
        ("models: {a: {model: x, api_key: sk-1}}\n", r"keys do not belong in a file"),
        ("- a\n", r"expected `models:` and `run:`, got list"),
        ("a: [\n", r"evalkit\.yaml, line 2: not readable as YAML"),
        ("a: 2020-13-45\n", r"not readable as YAML"),
        ("a: *b\n", r"line 1: not readable as YAML"),
    ],
)
def test_slip_is_told_with_file_and_key(tmp_path: Path, content: str, message: str) -> None:
    """What cannot be understood is an error, never passed over; no key is shown."""
    (tmp_path / "evalkit.yaml").write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        open_workspace(tmp_path)
    assert str(tmp_path / "evalkit.yaml") in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_unreadable_configuration_is_an_error(tmp_path: Path) -> None:
    """A file that is not UTF-8 is named."""
    (tmp_path / "evalkit.yaml").write_bytes(b"models: {\xff: x}\n")
    with pytest.raises(ConfigError, match=r"evalkit\.yaml: not readable"):
        open_workspace(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/pyproject.toml").write_text("[tool]\nevalkit = 5\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml: expected"):
        open_workspace(tmp_path / "sub")
