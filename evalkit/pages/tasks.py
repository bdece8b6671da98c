"""What stands behind the numbers of a task: the method panel that report and leaderboard share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from evalkit.core.records import CellResult, Scale, TaskInfo


@dataclass(frozen=True)
class TaskPanel:
    """A task with what its cells say of how it was measured."""

    info: TaskInfo
    anchor: str
    """Its name in links."""
    scale: Scale
    higher: bool
    signatures: tuple[str, ...]
    """Of all metrics, the headline's first."""
    prompt_digests: Mapping[str, str]

    @classmethod
    def of(cls, info: TaskInfo, cells: Sequence[CellResult]) -> TaskPanel:
        """The panel of a task from its cells."""
        metrics = [(name, value) for cell in cells for name, value in cell.metrics.items()]
        headline = [value for name, value in metrics if name == info.headline]
        ordered = sorted(metrics, key=lambda item: item[0] != info.headline)
        return cls(
            info=info,
            anchor=quote(info.name, safe=""),
            scale=headline[0].scale if headline else "unbounded",
            higher=headline[0].higher_is_better if headline else True,
            signatures=tuple(dict.fromkeys(value.signature for _, value in ordered)),
            prompt_digests={cell.variant: cell.prompt_digest for cell in cells},
        )


def permalink(*parts: str) -> str:
    """The parts as a link names them: each quoted, joined by strokes."""
    return "/".join(quote(part, safe="") for part in parts)
