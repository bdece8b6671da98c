"""What evalkit is installed from: every command that tells a user to install something of ours is made here.

The distribution is on no package index, where its bare name could be anybody's: commands name the repository.
"""

from __future__ import annotations

NAME = "evalkit-harness"
"""The distribution; the package that is imported and the command are `evalkit`."""

REPOSITORY = "OWNER/evalkit"
"""Where the source is, on GitHub. `make examples` carries a change of it into pages and templates."""


def requirement(extra: str | None = None, tag: str | None = None) -> str:
    """What pip takes evalkit from: the repository, at a tag or as it is now, with extras such as `hf`."""
    extras = f"[{extra}]" if extra else ""
    at = f"@{tag}" if tag else ""
    return f"{NAME}{extras} @ git+https://github.com/{REPOSITORY}{at}"


def install_command(extra: str | None = None, tag: str | None = None) -> str:
    """The command a user types; in double quotes, which every shell understands."""
    return f'pip install "{requirement(extra, tag)}"'


def locked_command(tag: str) -> str:
    """The command of a CI job: evalkit at a tag, with the versions of other packages it was tested with."""
    lock = f"https://raw.githubusercontent.com/{REPOSITORY}/{tag}/requirements/constraints.txt"
    return f'pip install -c {lock} "{requirement(tag=tag)}"'
