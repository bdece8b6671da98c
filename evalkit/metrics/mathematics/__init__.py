"""Equality of mathematical answers, as one of four references decides it."""

from __future__ import annotations

from evalkit.metrics.mathematics.equality import REFERENCES, MathEqual

__all__ = ["REFERENCES", "MathEqual"]
