"""The name: nothing that a user copies installs a package that is not ours, or not meant."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from documents import ROOT
from install_lines import scan

import evalkit
from evalkit.core.distribution import NAME, REPOSITORY, install_command, locked_command, requirement
from evalkit.workshop.starter import CI_FILES, start_workspace

FOREIGN = "-".join(("evalkit", "llm"))
"""A project of somebody else on the package index, with a command `evalkit` of its own."""
REPLIES = Path("tests/extractors/replies")
"""What models wrote there is read by extractors, and copied by nobody."""
PLANTED = (Path("tests/test_distribution.py"), Path("tests/install_lines.py"))


def sources() -> list[Path]:
    """Every text of the repository, as git sees it, less what is wrong on purpose or a model wrote."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    files = sorted(Path(name) for name in set(listed) - {""} if (ROOT / name).is_file())
    return [
        file
        for file in files
        if file not in PLANTED
        and REPLIES not in file.parents
        and file.suffix not in (".png", ".parquet", ".arrow", ".gz", ".zip")
    ]


def test_nothing_installs_by_a_bare_name() -> None:
    """Commands of the whole repository install our address, paths, and packages of others that we list."""
    commands, offences = 0, []
    for file in sources():
        text = (ROOT / file).read_text(encoding="utf-8", errors="replace")
        found = scan(text, str(file))
        commands += found.commands
        offences += [f"{file}: {word}" for word in found.offences]
    assert not offences
    assert commands > 40, "the scan is blind"


def test_foreign_project_is_named_nowhere() -> None:
    """The name of somebody else's distribution stands in no file."""
    for file in sources():
        text = (ROOT / file).read_text(encoding="utf-8", errors="replace").lower()
        assert not re.search(FOREIGN.replace("-", "[-_]"), text), file


@pytest.mark.parametrize("name", [FOREIGN, "evalkit", "evalkit-harness", "evalkit_harness", "evalkit-pro"])
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("README.md", "    pip install NAME"),
        ("README.md", "$ pip3 install 'NAME'"),
        ("README.md", "$ pip3.12 install --user NAME"),
        ("README.md", '```console\n$ python -m pip install -U "NAME[hf]"\n```'),
        ("README.md", "Type `pip install -q -U NAME[zh]`, then run."),
        ("README.md", "Use pip install NAME."),
        ("README.md", "Use pip install NAME, which brings the command."),
        ("README.md", "先运行 pip install NAME，然后"),
        ("README.md", "`python3 -m pip --quiet install \\\n    --upgrade \\\n    NAME`"),
        ("README.md", "pip install --find-links wheels -c lock.txt NAME==0.1.0"),
        ("README.md", "pip install litellm NAME"),
        ("README.md", "pip install\n  NAME"),
        ("README.md", "uv pip install --python 3.12 NAME"),
        ("README.md", "uv add NAME --dev"),
        ("README.md", "uv tool install NAME"),
        ("README.md", "uv tool run NAME run"),
        ("README.md", "uvx NAME run"),
        ("README.md", "uvx NAME@latest run"),
        ("README.md", "uvx --from NAME evalkit run"),
        ("README.md", "uvx --from 'NAME[hf]' evalkit run"),
        ("README.md", "uv run --with NAME evalkit run"),
        ("README.md", "pipx install NAME"),
        ("README.md", "pipx run --spec=NAME evalkit"),
        ("README.md", "poetry add NAME"),
        ("README.md", "pdm add 'NAME>=0.1'"),
        ("README.md", "conda install -c conda-forge NAME"),
        ("docs/tutorials/notebook.ipynb", '{"source": ["!pip install NAME\\n", "%pip install x"]}'),
        ("docs/tutorials/notebook.ipynb", '"source": ["%pip install -q \\"NAME[hf]\\"\\n"]'),
        ("docs/reference/page.html", "<code>pip install &quot;NAME&quot;</code>"),
        ("evalkit/workshop/starter/files/github.yml", "      - run: pip install NAME"),
        (
            "evalkit/workshop/starter/files/github.yml",
            "      - run: >\n          pip install\n          NAME",
        ),
        ("evalkit/workshop/starter/files/github.yml", "      - run: |\n          pip install --quiet NAME\n"),
        ("evalkit/workshop/starter/files/gitlab.yml", "  script:\n    - 'pip install NAME'"),
        ("ci/gitlab.yml", "    install:\n      description: What.\n      default: NAME"),
        (".pre-commit-hooks.yaml", "  additional_dependencies: [NAME]"),
        (".pre-commit-hooks.yaml", "  additional_dependencies:\n    - 'NAME[zh]'"),
        ("environment.yml", "dependencies:\n  - pip:\n    - NAME"),
        ("k8s.yaml", "command:\n  - pip\n  - install\n  - NAME"),
        ("k8s.yaml", "command:\n  - python\n  - -m\n  - pip\n  - install\n  - -U\n  - NAME"),
        ("k8s.yaml", 'args: ["pip", "install", "NAME"]'),
        ("Dockerfile", "RUN pip install --no-cache-dir NAME && evalkit run"),
        ("Dockerfile", 'RUN ["python", "-m", "pip", "install", "NAME"]'),
        ("Makefile", "\t$(BIN)/python -m pip install --quiet NAME"),
        ("Makefile", "\t.venv/bin/pip install NAME"),
        ("Makefile", "\t$(PIP) install NAME"),
        ("ci.yml", "    run: >-\n      python -m pip install\n      --quiet\n      NAME"),
        ("tox.ini", "deps =\n    pytest\n    NAME\n"),
        ("pyproject.toml", '[tool.poetry.dependencies]\nNAME = "^0.1"'),
        ("evalkit/new.py", '    raise Error("it is missing: pip install NAME")'),
        ("evalkit/new.py", "    raise Error(\"it is missing: pip install 'NAME[hf]'\")"),
        ("evalkit/new.py", '    cure = f"pip install {NAME}"'.replace("{NAME}", "{" + "NAME}")),
        ("evalkit/new.py", 'subprocess.run([sys.executable, "-m", "pip", "install", "NAME"])'),
        ("requirements.txt", "litellm==1\nNAME\n"),
        ("requirements/dev.in", "NAME[hf] ; python_version > '3.11'"),
        ("docs/page.md", "```\nNAME==0.1.0\n```"),
        ("pyproject.toml", 'dependencies = ["click", "NAME"]'),
        ("script.py", '# /// script\n# dependencies = [\n#   "NAME",\n# ]\n'),
        ("README.md", 'pip install "NAME @ git+https://github.com/somebody/evalkit"'),
        ("README.md", "pip install git+https://github.com/somebody/NAME"),
        ("README.md", "pip install https://example.com/NAME.tar.gz"),
    ],
)
def test_planted_line_is_found(name: str, file: str, text: str) -> None:
    """The test above is red for any way to write it, with a name of ours or of somebody else."""
    assert scan(text.replace("NAME", name), file).offences


@pytest.mark.parametrize(
    "text",
    [
        install_command(),
        install_command("hf,ray"),
        install_command("hf", "v0.1.0"),
        locked_command("v0.1.0"),
        f"pip install {NAME}@git+https://github.com/{REPOSITORY}",
        f'uv tool install "{requirement()}"',
        f'uvx --from "{requirement()}" evalkit run',
        f'uv add "{requirement("hf")}"',
        "pip install -r requirements/core.txt && pip install --no-deps -e .",
        "$ pip install --no-deps dist/evalkit_harness-0.1.0-py3-none-any.whl",
        "`pip install 'sacrebleu[ja]'`, then evalkit run",
        'raise Error("pip install rjieba (or jieba)", "evalkit")',
        "run `evalkit run`; the packages that pip installs",
    ],
)
def test_what_is_ours_passes(text: str) -> None:
    """The address, paths, wheels and listed packages of others are no offence."""
    assert scan(text, "README.md").offences == []


def test_distribution_is_called_as_the_hints_say() -> None:
    """The constant is the name in the metadata; package and command stay `evalkit`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == NAME
    assert project["version"] == evalkit.__version__
    assert set(project["scripts"]) == {"evalkit"}


def test_address_is_the_constant_everywhere() -> None:
    """Every address of the repository is the one of core/distribution.py, in whatever file it stands."""
    address = re.compile(r"(?:github(?:usercontent)?\.com/|\buses: )([\w.-]+/evalkit)(?![\w-])")
    places = 0
    for file in sources():
        for found in address.findall((ROOT / file).read_text(encoding="utf-8", errors="replace")):
            assert found == REPOSITORY, f"{file}: {found}; run: make examples"
            places += 1
    assert places > 10
    in_code = [
        file
        for file in sources()
        if file.parts[0] == "evalkit" and REPOSITORY in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert in_code == [Path("evalkit/core/distribution.py")]


@pytest.mark.parametrize("ci", CI_FILES)
def test_starter_installs_the_version_that_wrote_it(tmp_path: Path, ci: str) -> None:
    """The CI file of `evalkit init` installs the repository at this version, with its lock."""
    start_workspace(tmp_path, ci=ci)
    text = (tmp_path / CI_FILES[ci]).read_text(encoding="utf-8")
    yaml.safe_load(text)
    assert locked_command(f"v{evalkit.__version__}") in text
    assert scan(text, CI_FILES[ci]).offences == []


def test_templates_install_from_the_repository() -> None:
    """GitLab's template takes the address and its lock, the action its own checkout."""
    spec, _ = yaml.safe_load_all((ROOT / "ci/gitlab.yml").read_text(encoding="utf-8"))
    inputs = spec["spec"]["inputs"]
    assert inputs["install"]["default"] == requirement(tag="v1")
    assert f"-c {inputs['lock']['default']} " in locked_command("v1")
    action = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert "${INSTALL:-$GITHUB_ACTION_PATH}" in action
    assert yaml.safe_load(action)["inputs"]["install"]["default"] == ""
