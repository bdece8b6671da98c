"""The scripts of a page share one scope."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import evalkit
from evalkit.pages.environment import SCRIPTS
from evalkit.pages.leaderboard.render import SCRIPTS as BOARD

FOLDER = Path(evalkit.__file__).parent / "pages" / "templates" / "js"
DEFINED = re.compile(r"^(?:async )?(?:function|const|let|class) ([A-Za-z_$][\w$]*)", re.MULTILINE)


@pytest.mark.parametrize("own", [BOARD, ("report",)])
def test_no_name_is_defined_twice(own: tuple[str, ...]) -> None:
    """A second function of a name would silently take the place of the first on every page that has both."""
    names = Counter(
        name
        for script in (*SCRIPTS, *own, "main")
        for name in DEFINED.findall((FOLDER / f"{script}.js").read_text(encoding="utf-8"))
    )
    assert sum(names.values()) > 50
    assert [name for name, n in names.items() if n > 1] == []
