"""From a response's text to its answer: composable extractors that never guess and never raise on a text."""

from evalkit.metrics.extractors.chain import Extractor, Hook, Spec, build_extractor
from evalkit.metrics.extractors.vote import majority_vote

__all__ = ["Extractor", "Hook", "Spec", "build_extractor", "majority_vote"]
