"""The engine for a model's architecture."""

from __future__ import annotations

from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import Engine
from evalkit.models.hf.loading import Loaded


def make_engine(loaded: Loaded, size: BatchSize) -> Engine:
    """The engine for the model's architecture; only its module is imported."""
    if loaded.family == "decoder":
        from evalkit.models.hf.decoder import DecoderEngine

        return DecoderEngine(loaded, size)
    if loaded.family == "encoder_decoder":
        from evalkit.models.hf.seq2seq import Seq2SeqEngine

        return Seq2SeqEngine(loaded, size)
    if loaded.family == "encoder":
        from evalkit.models.hf.masked import MaskedEngine

        return MaskedEngine(loaded, size)
    from evalkit.models.hf.classification import ClassifierEngine

    return ClassifierEngine(loaded, size)
