"""Names that stand for things of higher rooms: a room finds here what it does not know.

They stand in BUILT_IN as text, so that none is imported before it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

TASK_FINDERS = "evalkit.task_finders"
"""Group of what finds tasks in the forms of other tools."""
VIEWS = "evalkit.views"
"""Group of what draws a record: a module with make_text, make_frame and make_html."""

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    TASK_FINDERS: {"lm_eval": "evalkit.interop.lm_eval.finding:Finder"},
    VIEWS: {
        "comparison": "evalkit.pages.comparison.tables",
        "gate": "evalkit.pages.gate.tables",
        "run": "evalkit.pages.frames",
    },
}
"""Group -> name -> `module` or `module:name`."""


def find(group: str, name: str) -> Any:
    """The thing of this name, imported now. Raises KeyError where there is none."""
    module, _, attribute = BUILT_IN[group][name].partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


class Drawn:
    """A record that prints itself and shows itself in a notebook; how, stands in the room of pages."""

    __slots__ = ()

    def to_pandas(self) -> Any:
        """A pandas frame with a row for each line of the record; what is unknown is missing, never 0."""
        return find(VIEWS, self._view()).make_frame(self)

    def __str__(self) -> str:
        return str(find(VIEWS, self._view()).make_text(self))

    def _repr_html_(self) -> str:
        """The table that a notebook shows."""
        return str(find(VIEWS, self._view()).make_html(self))

    def _view(self) -> str:
        return type(self).__name__.lower()
