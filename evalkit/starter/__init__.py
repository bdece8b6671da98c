"""A workspace to begin with: the files that `evalkit init` writes, as they stand in this folder.

`en/` and `zh/` are whole workspaces; `files/` holds what is the same in both, under names without a dot.
"""

from __future__ import annotations

from pathlib import Path

from evalkit.editor import schema_text
from evalkit.errors import UsageError

HOME = Path(__file__).parent
LANGUAGES = ("en", "zh")
CI_FILES = {"github": ".github/workflows/evalkit.yml", "gitlab": ".gitlab-ci.yml"}
"""CI service -> where it looks for its file."""


def start_workspace(folder: Path, language: str = "en", ci: str = "github") -> list[Path]:
    """The files written into the folder, which is made when it is not there; relative to it, in order.

    `ci` is a key of CI_FILES, or `none`. Raises UsageError, before anything is written, when one of them is
    there already.
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
        texts[CI_FILES[ci]] = _read(f"{ci}.yml")
    taken = [name for name in texts if (folder / name).exists()]
    if taken:
        raise UsageError(
            f"{folder} has {', '.join(taken)} already, and nothing of yours is overwritten; "
            "name another folder: evalkit init NEW_FOLDER"
        )
    try:
        for name, text in texts.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}"
        ) from error
    return [Path(name) for name in texts]


def _read(name: str) -> str:
    return (HOME / "files" / name).read_text(encoding="utf-8")
