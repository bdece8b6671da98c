"""One call of a model: its response, or why there is none, whatever the model's code does."""

from __future__ import annotations

import math
import traceback
from dataclasses import replace
from pathlib import PurePath

from evalkit.core.errors import CallError
from evalkit.core.records import IMPOSSIBLE, Response
from evalkit.core.redaction import known, redact
from evalkit.models.documents import without_secrets, writable_response
from evalkit.running.executors.work import Work

__all__ = ["call"]

_LONGEST = 500
"""Characters of an exception's text that are kept."""


async def call(work: Work) -> Response:
    """The response of the work's model. Raises CallError, also for what the model's own code raises.

    An exception that is no CallError is that sample's failure, of the kind `exception`: a model is often the
    user's own function, and one sample that it cannot do is no reason to lose the others.
    """
    model, request = work.model, work.request
    try:
        if request.kind == "generate":
            return without_secrets(writable_response(await model.generate(request)), known())
        response = without_secrets(await model.loglikelihood(request), known())
    except CallError as error:
        raise _without_secrets(error) from None
    except Exception as error:
        raise CallError(_sentence(model.name, error), kind="exception", action="fail_sample") from error
    logprobs = [item.logprob for item in response.loglikelihoods]
    if any(math.isnan(logprob) for logprob in logprobs):
        raise CallError("a loglikelihood is no number", kind="invalid_response", action="retry")
    if -math.inf not in logprobs:
        return response
    items = (replace(item, logprob=max(item.logprob, IMPOSSIBLE)) for item in response.loglikelihoods)
    return replace(response, loglikelihoods=tuple(items))


def _sentence(name: str, error: Exception) -> str:
    """What was raised, and on which line, on one line and without secrets."""
    text = redact(" ".join(f"{type(error).__name__}: {error}".split()))
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({PurePath(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{name}: the model's code raised {text}{where}"


def _without_secrets(error: CallError) -> CallError:
    """The error without the keys in its message; itself where it holds none."""
    if not known().knows(str(error)):
        return error
    told = CallError(
        known().clean(str(error)), kind=error.kind, action=error.action, retry_after=error.retry_after
    )
    told.paid, told.paid_usd = error.paid, error.paid_usd
    return told
