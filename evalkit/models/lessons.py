"""What a server teaches by refusing a parameter, so that a model is asked again in the way that it takes.

LiteLLM knows by a model's name what it takes; behind an alias, a proxy or a deployment it knows nothing, and
the server's refusal is the only word on it. Nothing is dropped in silence: each lesson is a note on every
response that it shaped, and of the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from evalkit.core.errors import CallError
from evalkit.models import _litellm
from evalkit.models.parameters import Plan

__all__ = ["is_lesson", "learn", "lessons_in"]

_DROPPED = (
    "temperature", "top_p", "top_k", "min_p", "stop", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "logit_bias", "seed", "logprobs", "top_logprobs", "user",
)  # fmt: skip
"""Parameters without which the call still asks the same thing: no tools, formats or efforts."""
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The names of the answer's limit: it is never left out, but called by the other name."""
_TOGETHER = {"logprobs": ("logprobs", "top_logprobs")}
_BECAUSE = ", as the server asks: "
_REFUSED = re.compile(
    r"unsupported|not (be )?(supported|permitted|recogni[sz]ed|compatible|accepted)|"
    r"(not|n't) support|deprecated|"
    r"unrecogni[sz]ed|unknown (parameter|argument|field|name)|unexpected (keyword|argument|parameter|field)|"
    r"only the default|only \S+ is (allowed|supported)|cannot both|extra (inputs|fields)|不支持|未知参数",
    re.IGNORECASE,
)
_WORDS = 200
"""Characters of the server's sentence that are kept."""


def learn(
    failure: CallError, plan: Plan, *, litellm: Any = None, name: str = "", provider: str = ""
) -> Plan | None:
    """The plan without the parameter that `failure` refuses, or with the limit under its other name.

    None when the failure is no such refusal, or refuses what was already changed. `litellm`, `name` and
    `provider` tell whether LiteLLM would change the limit's name back, which is then sent past it.
    """
    said = re.sub(r"^.*?\(HTTP \d+\): ", "", str(failure), count=1, flags=re.DOTALL)
    if failure.kind not in ("bad_request", "unsupported") or not _REFUSED.search(said):
        return None
    refused = _named(said, plan)
    if refused is None:
        return None
    sent = dict(plan.sent)
    if refused in _LIMITS:
        if any(_BECAUSE in note and note.startswith("max_") for note in plan.notes):
            return None
        other = _LIMITS[refused]
        shown = f"{refused}={sent[refused]} was sent as {other}"
        value = sent.pop(refused)
        if _arrives(litellm, name, provider, other):
            sent[other] = value
        else:
            sent["extra_body"] = {**sent.get("extra_body", {}), other: value}
    else:
        gone = [each for each in _TOGETHER.get(refused, (refused,)) if each in sent]
        shown = ", ".join(_shown(each, sent.pop(each)) for each in gone) + " was left out"
        if refused == "stop":
            shown += " (the text is cut here instead)"
    said = said if len(said) <= _WORDS else f"{said[:_WORDS]}…"
    return replace(plan, sent=sent, notes=(*plan.notes, f"{shown}{_BECAUSE}{said}"))


def is_lesson(note: str) -> bool:
    """Whether the note says what was learnt from a server's refusal."""
    return _BECAUSE in note


def lessons_in(plans: Iterable[Plan]) -> tuple[str, ...]:
    """What was learnt of a model, for the record of the run."""
    notes = (note for plan in plans for note in plan.notes if is_lesson(note))
    return tuple(sorted(set(notes)))


def _named(said: str, plan: Plan) -> str | None:
    """The parameter of the plan that the sentence refuses: the first one that it names; of two that exclude
    each other the second."""
    found = []
    for name in (*_LIMITS, *_DROPPED):
        if name not in plan.sent:
            continue
        plain = rf"\b{name}\b" if "_" in name or name in ("temperature", "logprobs") else (
            rf"(?:parameter|argument|supplied|field|input|name)s?\W{{1,3}}{name}\b"
        )  # fmt: skip
        match = re.search(rf"[\"'`‘“]{name}[\"'`’”]|{plain}", said)
        if match is not None:
            found.append((match.start(), name))
    found.sort()
    if not found:
        return None
    both = re.search(r"cannot both|not both|only one of", said, re.IGNORECASE)
    if both:
        return found[1][1] if len(found) > 1 else None
    return found[0][1]


def _arrives(litellm: Any, name: str, provider: str, limit: str) -> bool:
    """Whether LiteLLM sends the limit under this name; yes where that is not known."""
    if litellm is None:
        return True
    try:
        found = _litellm.mapped(name, provider, {limit: 1})
    except litellm.exceptions.UnsupportedParamsError:
        return False
    return found is None or limit in found


def _shown(name: str, value: object) -> str:
    """The parameter with its value, where that is short."""
    return f"{name}={value}" if isinstance(value, int | float | str | bool) else name
