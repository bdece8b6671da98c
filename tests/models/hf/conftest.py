"""Tiny models, made once for all tests of local models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models

from evalkit.models.hf.loading import Loaded, describe, load
from evalkit.models.hf.options import HfOptions


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model by its family."""
    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            made[family] = tiny_models.MAKERS[family](tmp_path_factory.mktemp("hf") / family)
        return made[family]

    return make


@pytest.fixture(scope="session")
def loaded(tiny: Callable[[str], Path]) -> Callable[..., Loaded]:
    """A tiny model in memory, by family and options."""
    made: dict[tuple[str, HfOptions], Loaded] = {}

    def get(family: str, options: HfOptions | None = None) -> Loaded:
        options = options or HfOptions(device="cpu")
        if (family, options) not in made:
            made[family, options] = load(describe(str(tiny(family)), options, name=family), options)
        return made[family, options]

    return get
