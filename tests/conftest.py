"""What all tests share: none of them sees the user's environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from foreign_warnings import pytest_configure, pytest_terminal_summary, pytest_warning_recorded
from hypothesis import settings

__all__ = ["pytest_configure", "pytest_terminal_summary", "pytest_warning_recorded"]

# The same examples each time, however fast the machine; `--hypothesis-profile=default` hunts for others.
settings.register_profile("evalkit", deadline=None, derandomize=True)
settings.load_profile("evalkit")


@pytest.fixture(autouse=True)
def _cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What evalkit keeps in the user's cache folder goes elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "user-cache"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that steer evalkit are unset, so that a test says itself what it depends on."""
    for name in os.environ:
        if name.startswith("EVALKIT_") and name != "EVALKIT_REALDATA":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny random model of a family (gpt2, llama, t5, bart, bert, classifier), made once."""
    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        import tiny_models  # needs torch

        if family not in made:
            made[family] = tiny_models.MAKERS[family](tmp_path_factory.mktemp("tiny") / family)
        return made[family]

    return make


@pytest.fixture(scope="session")
def tiny_loaded(tiny_model: Callable[[str], Path]) -> Callable[..., object]:
    """Tiny models in memory: `tiny_loaded(family, **options)`, each loaded once."""
    from local_models import loader

    return loader(tiny_model)
