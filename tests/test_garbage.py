"""The collector of cyclic garbage is paused and comes back."""

from __future__ import annotations

import contextlib
import gc

import pytest

from evalkit.core.collection import pause_collection


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_afterwards_as_it_was(was_on: bool) -> None:
    """Inside it is off; afterwards, also after an error, it is as it was before."""
    usual = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    try:
        with contextlib.suppress(KeyError), pause_collection():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if usual else gc.disable)()
