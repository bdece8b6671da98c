"""What evalkit touches of Ray that Ray does not promise, and how it goes on without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["silence_printing"]


def silence_printing(ray: Any) -> Callable[[], None]:
    """What undoes it: until then Ray prints no messages of its cluster on stdout.

    `log_to_driver=False` keeps the workers' lines off, not those of the cluster itself. Where Ray prints by
    another function than the one known here, its lines appear beside evalkit's; nothing else changes.
    """
    worker = getattr(getattr(ray, "_private", None), "worker", None)
    printing = getattr(worker, "print_to_stdstream", None)
    if not callable(printing):
        return lambda: None
    setattr(worker, "print_to_stdstream", lambda *_, **__: None)  # noqa: B010
    return lambda: setattr(worker, "print_to_stdstream", printing)
