"""What follows a run elsewhere: MLflow, Weights & Biases, OpenTelemetry, or code of one's own.

A tracker is a class with three methods, found by name: those that evalkit brings, and those that a package
announces in the entry point group `evalkit.trackers`. Trackers are told numbers and names; prompts, answers,
the command line and keys are not handed to them by evalkit's own.
"""

from evalkit.running.tracking.tracker import ENTRY_POINTS, TRACKERS, Tracker, Tracking, find_trackers

__all__ = ["ENTRY_POINTS", "TRACKERS", "Tracker", "Tracking", "find_trackers"]
