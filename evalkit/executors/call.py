"""One call of a model: its response, or why there is none, whatever the model's code does."""

from __future__ import annotations

import math
import traceback
from dataclasses import replace
from pathlib import PurePath

from evalkit.errors import CallError
from evalkit.executors.work import Work
from evalkit.models.documents import writable_response
from evalkit.models.redaction import redact
from evalkit.records import IMPOSSIBLE, Response

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
            return writable_response(await model.generate(request))
        response = await model.loglikelihood(request)
    except CallError:
        raise
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
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({PurePath(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return redact(f"{name}: the model's code raised {text}{where}")
