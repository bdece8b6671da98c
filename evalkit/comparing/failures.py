"""Why calls of a run failed: the commonest sentences, how often each, and what to do about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from evalkit.core.errors import StoreError
from evalkit.store.folders import SAMPLES_FOLDER, StoredRun

__all__ = ["CURES", "SAME_COMMAND", "Failure", "find_failures"]

_MOST_SENTENCES = 500
"""Different sentences that are kept apart for a model; further ones count with their kind alone."""

SAME_COMMAND = "Run the same command again: what was answered is kept and not asked twice."

CURES: Mapping[str, str] = {
    "bad_request": "The server will not take this request however often it is asked: mend it first "
    "(parameters in evalkit.yaml or --param, the prompt, the model's name).",
    "context_length": "Ask for less, or take a model with a longer context: a lower max_tokens "
    "(--param max_tokens=N), fewer worked examples (--num-fewshot), shorter prompts.",
    "authentication": "Correct the key in the variable that the message names; the same command goes on.",
    "permission": "The key may not do this: ask for access to the model, or take another key or model.",
    "not_found": "Correct the model's name or its api_base in evalkit.yaml; see evalkit models.",
    "quota": "Top up the account or raise its limit; the same command goes on.",
    "rate_limit": "Run the same command again later: what was answered is kept. --max-connections, or rpm "
    "and tpm of the model in evalkit.yaml, ask less at a time.",
    "timeout": f"{SAME_COMMAND} --timeout gives slow answers more time.",
    "connection": f"See that the server runs at this address. {SAME_COMMAND}",
    "server": SAME_COMMAND,
    "invalid_response": "See what answers at this address (api_base): it may be no model's server. The same "
    "command goes on.",
    "litellm": "Another version of LiteLLM may do better: evalkit doctor says which are tested.",
    "unsupported": "Take a model that can do this, or a task that does not need it.",
    "budget": "Raise --max-cost; then the same command goes on: what was answered is kept.",
    "exception": "Mend the code that raised this; then the same command goes on.",
}
"""Kind of failure -> what to do."""

_TURNED_AWAY = (
    "The same key and model had other answers: these prompts alone were turned away, perhaps by a proxy or a "
    "filter. The same command asks them again."
)
"""What to do about words of a wrong key or model that only some calls met."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What many calls of a model failed of."""

    model: str
    kind: str
    """The cause in one word; see `CallError`."""
    n: int
    """Results that have no score for it."""
    message: str
    """What the provider said, in one of them; numbers and names in it differ from call to call."""

    answered: bool
    """Whether the model has answered other calls of the run."""

    @property
    def cure(self) -> str:
        """What to do about it; empty for a kind that tells nothing."""
        if self.answered and self.kind in ("authentication", "permission", "not_found"):
            return _TURNED_AWAY
        return CURES.get(self.kind, "")


def find_failures(stored: StoredRun) -> list[Failure]:
    """The failures of each model's calls, and of its judges', the commonest first.

    What was not asked since a model was stopped is no failure of its own. Cells whose results are not there
    are left out.
    """
    counts: dict[str, Counter[tuple[str, str]]] = {}
    answered = {cell.model for cell in stored.run.cells if cell.counts.scored}
    answered |= {
        use.model for cell in stored.run.cells for use in cell.judges.values() if use.judged > use.failed
    }
    messages: dict[tuple[str, str, str], str] = {}
    there = stored.slugs()
    for cell in stored.run.cells:
        judged = any(use.failed for use in cell.judges.values())
        if cell.slug not in there or not (cell.counts.errors or judged):
            continue
        for model, kind, message in _failed(stored, cell.slug, cell.model, judged):
            tally = counts.setdefault(model, Counter())
            key = (kind, _shape(message))
            if key not in tally and len(tally) >= _MOST_SENTENCES:
                key = (kind, "")
            tally[key] += 1
            messages.setdefault((model, *key), message)
    return [
        Failure(model, kind, n, messages[model, kind, shape], model in answered)
        for model, tally in counts.items()
        for (kind, shape), n in tally.most_common()
    ]


def _failed(stored: StoredRun, slug: str, model: str, judged: bool) -> Iterator[tuple[str, str, str]]:
    """(model, kind, message) of every call in the cell's file that failed; other lines are not read."""
    path = stored.folder / SAMPLES_FOLDER / f"{slug}.jsonl"
    try:
        with path.open("rb") as file:
            for line in file:
                if not judged and b'"error":{' not in line:
                    continue
                try:
                    response: Mapping[str, Any] = orjson.loads(line)["response"]
                except (orjson.JSONDecodeError, KeyError, TypeError):
                    continue  # a torn last line
                error = response.get("error")
                if error and error["kind"] != "stopped":
                    yield model, error["kind"], error["message"]
                for judgement in (response.get("judgements") or {}).values():
                    reason = judgement.get("unscored_reason")
                    if judgement.get("message") and reason not in (
                        None,
                        "unreadable",
                        "refused",
                        "abstained",
                    ):
                        yield judgement["judge"], reason, judgement["message"]
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _shape(message: str) -> str:
    """The message without what differs from call to call: numbers, and what looks like an id."""
    return re.sub(r"\b(?=[\w-]*\d)[\w-]+|\d+", "#", message)[:300]
