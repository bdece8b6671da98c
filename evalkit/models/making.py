"""From a resolved name to its model."""

from __future__ import annotations

from evalkit.models.protocol import Model
from evalkit.models.resolution import Resolved


def make_model(resolved: Resolved, seed: int = 0) -> Model:
    """The model behind a resolved name; nothing is imported, opened or called before it is asked.

    `seed` is for the built-in models that draw at random.
    """
    provider = resolved.provider
    if provider == "baseline":
        from evalkit.models.baseline import make_baseline

        return make_baseline(resolved.route, seed)
    if provider == "replay":
        from evalkit.models.replay import ReplayModel

        return ReplayModel.from_settings(resolved.name, resolved.route, resolved.settings.options)
    if provider == "mock":
        from evalkit.models.mock import make_mock

        return make_mock(resolved.route, seed)
    if provider == "hf":
        from evalkit.models.hf import make_hf

        return make_hf(resolved, seed)
    from evalkit.models.lite import LiteModel

    return LiteModel(resolved)
