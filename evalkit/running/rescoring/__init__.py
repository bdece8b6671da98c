"""A finished run scored again from its stored responses, without a call."""

from evalkit.running.rescoring.rescore import MAY_DIFFER, Rescored, Rescoring, rescore

__all__ = ["MAY_DIFFER", "Rescored", "Rescoring", "rescore"]
