"""A workspace to begin with: the files that `evalkit init` writes, as they stand in this folder.

`en/` and `zh/` are whole workspaces; `files/` holds what is the same in both, under names without a dot.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from evalkit.core.distribution import locked_command
from evalkit.core.errors import UsageError
from evalkit.core.version import __version__
from evalkit.tasks.editor import schema_text

HOME = Path(__file__).parent
LANGUAGES = ("en", "zh")
CI_FILES = {"github": ".github/workflows/evalkit.yml", "gitlab": ".gitlab-ci.yml"}
"""CI service -> where it looks for its file."""


def start_workspace(folder: Path, language: str = "en", ci: str = "github") -> list[Path]:
    """The files written into the folder, which is made when it is not there; relative to it, in order.

    `ci` is a key of CI_FILES, or `none`. Inside of a git repository its file stands at the root of that,
    where the service looks for it, and enters the folder; where GitLab's is there already, it stands in the
    folder, to be included. Raises UsageError, before anything is written, when one of them is there already.
    """
    texts = {
        str(file.relative_to(HOME / language)): file.read_text(encoding="utf-8")
        for file in sorted((HOME / language).rglob("*"))
        if file.is_file()
    }
    texts["tasks/task.schema.json"] = schema_text()
    texts[".gitignore"] = _read("gitignore")
    texts[".env.example"] = _read("env.example")
    if ci in CI_FILES:
        name, text = _ci_file(folder, ci)
        texts[name] = text
    files = {name: Path(os.path.normpath(folder.resolve() / name)) for name in texts}
    taken = [name for name, file in files.items() if file.exists()]
    if taken:
        only_ci = all(name.startswith("..") for name in taken)
        cure = "leave it out: --ci none" if only_ci else "name another folder: evalkit init NEW_FOLDER"
        raise UsageError(
            f"{folder} has {', '.join(taken)} already, and nothing of yours is overwritten; {cure}"
        )
    try:
        for name, text in texts.items():
            file = files[name]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}"
        ) from error
    return [Path(name) for name in texts]


def _ci_file(folder: Path, ci: str) -> tuple[str, str]:
    """Where the file of a CI service stands, relative to the folder, and its text."""
    name, text = (
        CI_FILES[ci],
        _read(f"{ci}.yml").replace("<install>", locked_command(f"v{__version__}")),
    )
    whole = folder.resolve()
    root = next((place for place in (whole, *whole.parents) if (place / ".git").exists()), whole)
    inner = whole.relative_to(root).as_posix()
    if inner == "." or not re.fullmatch(r"[\w./-]+", inner):
        return name, text
    edits: tuple[tuple[str, str], ...]
    if ci == "github":
        edits = (
            (
                "runs-on: ubuntu-latest\n",
                f"runs-on: ubuntu-latest\n    defaults: {{run: {{working-directory: {inner}}}}}\n",
            ),
            ("path: .evalkit", f"path: {inner}/.evalkit"),
            ("hashFiles('gate.md')", f"hashFiles('{inner}/gate.md')"),
        )
    else:
        edits = (
            ("  script:\n", f"  before_script: [cd {inner}]\n  script:\n"),
            ("[.evalkit]", f"[{inner}/.evalkit]"),
            ("[gate.md]", f"[{inner}/gate.md]"),
            ("junit: gate.xml", f"junit: {inner}/gate.xml"),
        )
    for old, new in edits:
        text = text.replace(old, new)
    if ci == "gitlab" and (root / name).exists():
        return name, text
    return Path(os.path.relpath(root / name, whole)).as_posix(), text


def _read(name: str) -> str:
    return (HOME / "files" / name).read_text(encoding="utf-8")
