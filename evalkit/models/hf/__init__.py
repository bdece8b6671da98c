"""Models of transformers in this process: `hf/<folder or hub id>` (extra `hf`)."""

from __future__ import annotations

from evalkit.core.errors import ConfigError
from evalkit.models.hf.loading import describe, require_libraries
from evalkit.models.hf.model import HfModel
from evalkit.models.hf.options import parse_options
from evalkit.models.resolution import Resolved

__all__ = ["HfModel", "make_hf"]


def make_hf(resolved: Resolved, seed: int = 0) -> HfModel:
    """The model behind `hf/...`; its configuration is read now, its weights at the first request.

    Raises ModelError when torch or transformers is missing, when there is no such model, or when its weights
    may not be loaded (no safetensors, code of its own).
    """
    require_libraries(resolved.route)
    options = parse_options(resolved.settings.options, resolved.name, revision=resolved.settings.revision)
    description = describe(
        resolved.route.removeprefix("hf/"), options, name=resolved.name, trust=resolved.trust
    )
    if description.family == "classifier":
        from evalkit.models.hf.head import HfClassifier

        return HfClassifier(resolved.name, description, options, seed)
    if options.labels is not None or options.input is not None:
        raise ConfigError(
            f"model {resolved.name!r} has no classification head, which `labels` and `input` are for"
        )
    return HfModel(resolved.name, description, options, seed)
