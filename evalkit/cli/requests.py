"""The requests that a run asked, made again from its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from evalkit.core.errors import UsageError
from evalkit.core.records import CellResult, Request, SampleResult

_MOST = 5


def asked_requests(
    name: str, run_name: str, model: str | None, kept: Callable[[str, str], Request | None]
) -> list[tuple[str, Request, Mapping[str, Any]]]:
    """(model, request, identity of the model now) of the samples that `name` means.

    A name is a sample's id or the beginning of a request digest. A run does not hold the texts of rolling
    requests; `kept` finds such a request by its route and digest in the cache. Raises EvalkitError when the
    run holds none.
    """
    from evalkit.models.making import make_model
    from evalkit.models.resolution import resolve_model
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import find_run

    workspace = open_workspace()
    stored = find_run(run_name, workspace.root / "reports")
    found = []
    for cell in stored.run.cells:
        if model is not None and cell.model != model:
            continue
        info = stored.run.models[cell.model]
        resolved = resolve_model(info.asked, workspace.aliases)
        identity: Mapping[str, Any] | None = None
        for result in stored.samples(cell.slug):
            if result.sample_id != name and not (len(name) >= 6 and result.request_digest.startswith(name)):
                continue
            if identity is None:
                identity = make_model(resolved).identity
            request = (
                _request(cell, result, info.route)
                if cell.mode != "rolling"
                else kept(info.route, result.request_digest)
            )
            if request is None:
                raise UsageError(
                    f"{cell.model}, sample {result.sample_id}: MISS. The cache holds no answer to the text "
                    f"with the digest {result.request_digest[:12]}, and a run does not hold the texts of "
                    "rolling requests, so that it cannot be said what differs"
                )
            found.append((cell.model, replace(request, sample_id=result.sample_id), identity))
            if len(found) == _MOST:
                return found
    if not found:
        raise UsageError(
            f"run {stored.run.id} asked nothing named {name!r}; write a sample's id, or at least six "
            "characters of a request_digest from its samples/*.jsonl"
        )
    return found


def _request(cell: CellResult, result: SampleResult, route: str) -> Request:
    """The request behind a result; of those that fit, the one whose digest the run kept."""
    base = Request(
        "generate",
        route,
        messages=result.messages,
        params=dict(cell.params),
        repeat=result.repeat,
        sample_id=result.sample_id,
    )
    if cell.mode in ("loglikelihood", "letter_logprobs"):
        letters = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(result.choices)])
        texts = letters if cell.mode == "letter_logprobs" else result.choices
        for gap in (" ", ""):
            wanted = replace(
                base, kind="loglikelihood", params={}, continuations=tuple(gap + text for text in texts)
            )
            if wanted.digest == result.request_digest:
                return wanted
        return wanted
    return base
