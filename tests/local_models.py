"""Tiny models in memory, for tests of what computes with them: loaded once for a process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evalkit.models.hf.loading import Loaded, describe, load
from evalkit.models.hf.options import HfOptions

Load = Callable[..., Loaded]
"""(family, **options) -> the tiny model of that family in memory."""


def loader(folder_of: Callable[[str], Path]) -> Load:
    """What loads tiny models, each once for the same options."""

    @functools.cache
    def load_tiny(family: str, **options: Any) -> Loaded:
        wanted = HfOptions(device="cpu", **options)
        return load(describe(str(folder_of(family)), wanted, name=f"hf/tiny-{family}"), wanted)

    return load_tiny
