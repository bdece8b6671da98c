"""The error tree. Every error that a user can meet derives from `EvalkitError`.

    EvalkitError                    exit code 2
    ├── UsageError                  a wrong option, argument or combination of them
    │   └── ConfigError             evalkit.yaml or [tool.evalkit] is wrong
    ├── TaskError                   a task file is wrong or a task does not exist
    │   ├── DataError               the data of a task is missing, empty or malformed
    │   └── PromptError             a prompt cannot be rendered
    ├── ExtractorError              an extractor is unknown or wrongly configured
    ├── MetricError                 a metric is unknown, wrongly configured, or undefined on its input
    ├── StatsError                  a statistic is undefined on its input
    ├── ModelError                  a model is unknown, unreachable, or lacks what is needed
    │   └── CallError               one call failed; carries what the runner should do about it
    ├── SolverError                 a tool or a program of a sample cannot be used as asked
    ├── ExecutorError               the workers of an executor cannot be had
    ├── StoreError                  a run folder is missing, unreadable or of an unknown schema
    ├── CacheError                  the cache cannot be opened, read or written
    ├── NotComparableError          two runs do not measure the same thing          exit code 4
    └── InterruptedRunError         the user stopped the run                        exit code 130

A message says what is wrong, where, and how to mend it. The command line alone turns an error into an
exit code; nothing below it exits or prints.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

__all__ = [
    "CacheError",
    "CallError",
    "ConfigError",
    "DataError",
    "EvalkitError",
    "ExecutorError",
    "ExtractorError",
    "InterruptedRunError",
    "MetricError",
    "ModelError",
    "NotComparableError",
    "PromptError",
    "SolverError",
    "StatsError",
    "StoreError",
    "TaskError",
    "UsageError",
    "did_you_mean",
    "list_names",
]


class EvalkitError(Exception):
    """The base of all errors that evalkit raises on purpose."""

    exit_code = 2


class UsageError(EvalkitError):
    """A wrong option, argument, or combination of them."""


class ConfigError(UsageError):
    """A configuration file is wrong."""


class TaskError(EvalkitError):
    """A task does not exist, or its file is wrong."""


class DataError(TaskError):
    """The data of a task is missing, empty or malformed."""


class PromptError(TaskError):
    """A prompt cannot be compiled or rendered."""


class ExtractorError(EvalkitError):
    """An extractor is unknown or wrongly configured."""


class MetricError(EvalkitError):
    """A metric is unknown, wrongly configured, or undefined on its input."""


class StatsError(EvalkitError):
    """A statistic is undefined on its input."""


class ModelError(EvalkitError):
    """A model is unknown, unreachable, or lacks a capability that is needed."""


CallAction = Literal["retry", "fail_sample", "stop_model"]
"""What the runner does about a failed call: ask again, give up this sample, give up this model."""


class CallError(ModelError):
    """One call to a model failed.

    `kind` names the cause (rate_limit, timeout, connection, server, invalid_response, bad_request,
    context_length, authentication, permission, not_found, quota, unsupported, budget; litellm where
    LiteLLM failed by itself, exception where a model's own code did); `action` says what to do;
    `retry_after` is the wait that the server asked for, in seconds, or None.
    """

    def __init__(
        self, message: str, *, kind: str, action: CallAction, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.action: CallAction = action
        self.retry_after = retry_after
        self.paid = False
        """Whether the server answered, and counts the call: asking again costs again."""
        self.paid_usd: float | None = None
        """US dollars that the call cost all the same, as an answer that broke off may; None when unknown."""


class SolverError(EvalkitError):
    """A tool, or a program that a model wrote, cannot be used as asked."""


class ExecutorError(EvalkitError):
    """The workers that an executor needs cannot be had."""


class StoreError(EvalkitError):
    """A run folder is missing, unreadable, or of an unknown schema."""


class CacheError(EvalkitError):
    """The cache cannot be opened, read or written."""


class NotComparableError(EvalkitError):
    """Two runs do not measure the same thing."""

    exit_code = 4


class InterruptedRunError(EvalkitError):
    """The user stopped the run; what was finished is kept."""

    exit_code = 130


_LONGEST_NAME = 200
_MOST_KNOWN = 20_000
"""Names that are compared: each takes some microseconds, and a file may have a million columns."""


def did_you_mean(name: str, known: Iterable[str], n: int = 3, likeness: float = 0.6) -> str:
    """A sentence that names the nearest known names, with a leading space; empty when none is near."""
    choices = [each for each in dict.fromkeys(known) if len(each) <= _LONGEST_NAME][:_MOST_KNOWN]
    near = difflib.get_close_matches(name[:_LONGEST_NAME], choices, n=n, cutoff=likeness)
    return f" Did you mean {' or '.join(repr(x) for x in near)}?" if near else ""


_MOST_NAMES = 40


def list_names(names: Iterable[str]) -> str:
    """The names in order, separated by commas; of very many the first, and how many there are."""
    known = sorted(map(str, names))
    more = f", ... ({len(known):,} in all)" if len(known) > _MOST_NAMES else ""
    return ", ".join(name if len(name) <= 80 else f"{name[:80]}…" for name in known[:_MOST_NAMES]) + more
