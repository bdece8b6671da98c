"""Judges at work: the answer of a model goes to another model, whose verdict becomes its score.

A judge is asked at temperature 0 with a seed. Where it is known to take one, a JSON schema is sent with the
question; a reply that cannot be read is complained of once, and then unscored. A pairwise judge is asked in
both orders, and a verdict that changes with the order is a tie (Zheng et al. 2023, arXiv:2306.05685).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.core.errors import PromptError
from evalkit.core.records import Judgement, Message, Request, Response, Sample
from evalkit.metrics.extractors import Extractor
from evalkit.metrics.judging import Rubric, fence, read_verdict
from evalkit.metrics.judging.replies import ReadVerdict
from evalkit.models.catalog import model_entry
from evalkit.tasks.prompts import Template, Variant
from evalkit.tasks.solvers.merging import add_usage

Consult = Callable[[str, Request], Awaitable[Response]]
"""Asks the judge of this name one request, with its own cache, limits and retries."""
Assess = Callable[[Response, Consult], Awaitable[Response]]
"""The response with what the judges said of it."""

PASSAGES = "passages"
"""As a judge's `context_column`: what a search found, where the prompt made one."""
_OTHER_WAY = {"A": "B", "B": "A", "tie": "tie"}
_WORTH = {"A": 1.0, "tie": 0.5, "B": 0.0}


@dataclass(frozen=True)
class Judge:
    """One judge of one metric, ready to be asked."""

    metric: str
    """The metric whose score it gives."""
    name: str
    """The model that judges, as results name it."""
    route: str
    """`provider/name` of the model."""
    rubric: Rubric
    seed: int = 0

    @property
    def template(self) -> Template:
        """The compiled message to the judge. Raises PromptError."""
        return Template(self.rubric.user, self.rubric.where)

    def request(self, texts: Mapping[str, str], fields: Mapping[str, Any], sample_id: str) -> Request:
        """What the judge is asked about these texts (input, answer, target, context). Raises PromptError."""
        rubric = self.rubric
        fenced, mark = fence(texts)
        known = {"answer": "", "answer_a": "", "answer_b": "", "context": "", "target": "", "input": ""}
        values = {**fields, **known, **fenced, "rubric": rubric.criteria, "marker": mark}
        body = self.template.render(values).strip()
        system = Template(rubric.system, "judge system").render(values)
        params: dict[str, Any] = {
            "temperature": 0,
            "max_tokens": rubric.max_tokens,
            "seed": self.seed,
            **rubric.params,
        }
        if rubric.output == "json" and self._structured():
            schema = {"name": "verdict", "schema": rubric.schema(), "strict": True}
            params["response_format"] = {"type": "json_schema", "json_schema": schema}
        return Request(
            "generate",
            self.route,
            messages=(
                Message("system", system),
                Message("user", f"{body}\n\n{rubric.wish}".rstrip()),
            ),
            params=params,
            sample_id=sample_id,
        )

    def _structured(self) -> bool:
        """Whether the model takes a JSON schema: said by the user, else by LiteLLM's map."""
        if self.rubric.structured is not None:
            return self.rubric.structured
        entry = model_entry(self.route)
        return bool(entry and entry.get("supports_response_schema"))

    def trial(self, sample: Sample) -> Request:
        """A request about an empty answer, which shows that the prompt can be made. Raises PromptError."""
        names = ("answer_a", "answer_b") if self.rubric.pairwise else ("answer",)
        texts = {"input": "", **self._shown(sample), **dict.fromkeys(names, "?")}
        request = self.request(texts, sample.fields, sample.id)
        for name in names:
            if f"<{name}-" not in request.messages[-1].text:
                raise PromptError(f"{self.rubric.where}: the template shows no {{{{ {name} }}}} to the judge")
        return request

    async def judge(self, consult: Consult, sample: Sample, question: str, answer: str) -> Judgement:
        """The judgement of an answer; a pairwise judge sets it against the first target."""
        rubric = self.rubric
        if rubric.pairwise:
            other = sample.target[0] if sample.target else ""
            return await self.compare(consult, sample, question, answer, other)
        texts = {"input": question, **self._shown(sample), "answer": answer}
        return self._judgement([await self._ask(consult, self.request(texts, sample.fields, sample.id))])

    async def compare(
        self, consult: Consult, sample: Sample, question: str, first: str, second: str, target: str = ""
    ) -> Judgement:
        """The judgement of two answers, asked in both orders: 1 where the first wins, 1/2 for a tie."""
        shown = {"input": question, "target": target}
        requests = [
            self.request({**shown, "answer_a": a, "answer_b": b}, sample.fields, sample.id)
            for a, b in ((first, second), (second, first))
        ]
        asked = await asyncio.gather(*(self._ask(consult, request) for request in requests))
        found = self._judgement(asked)
        if found.unscored_reason is not None:
            return found
        (_, _, one), (_, _, two) = asked
        if one is None or two is None:
            return found
        same = one.verdict == _OTHER_WAY[two.verdict]
        reasons = [f"[{n}] {each.reasoning}" for n, each in enumerate((one, two), 1) if each.reasoning]
        return replace(
            found,
            verdict=one.verdict if same else "inconsistent",
            worth=_WORTH[one.verdict] if same else 0.5,
            reasoning="\n".join(reasons) or None,
        )

    def _shown(self, sample: Sample) -> dict[str, str]:
        """Target and context of the sample, as far as the judge is to see them. Raises PromptError."""
        shown = {}
        if self.rubric.reference and sample.target:
            shown["target"] = "\n".join(sample.target)
        column = self.rubric.context
        if column == PASSAGES and column not in sample.fields:
            shown["context"] = ""  # a prompt that searches nothing
        elif column is not None:
            if column not in sample.fields:
                raise PromptError(
                    f"metric {self.metric!r}: the sample has no column {column!r} for the judge's context; "
                    f"name one with `context_column`. Columns: {', '.join(sorted(sample.fields))}"
                )
            shown["context"] = str(sample.fields[column])
        return shown

    async def _ask(self, consult: Consult, request: Request) -> _Asked:
        """The reply, or replies where the first could not be read, and the verdict; None without one."""
        response = await consult(self.name, request)
        read = self._read(response)
        if read is not None or response.status not in ("ok", "truncated") or not response.text:
            return [request], [response], read
        again = replace(
            request,
            messages=(
                *request.messages,
                Message("assistant", response.text),
                Message("user", self.rubric.complaint),
            ),
        )
        second = await consult(self.name, again)
        return [request, again], [response, second], self._read(second)

    def _read(self, response: Response) -> ReadVerdict | None:
        if response.status not in ("ok", "truncated") or not response.text:
            return None
        return read_verdict(response.text, self.rubric.scale, self.rubric.output)

    def _judgement(self, asked: Sequence[_Asked]) -> Judgement:
        """One judgement made of the calls that it took."""
        requests = [request for each in asked for request in each[0]]
        responses = [response for each in asked for response in each[1]]
        verdicts = [verdict for _, _, verdict in asked]
        first = verdicts[0]
        answered = [response for response in responses if response.status != "error"]
        paid = [response for response in answered if not response.from_cache] or answered
        costs = [response.cost_usd for response in paid]
        latencies = [response.latency_s for response in responses if response.latency_s is not None]
        failed = next((each[1][-1] for each in asked if each[1][-1].status == "error"), None)
        return Judgement(
            judge=self.name,
            verdict=first.verdict if first else None,
            worth=first.worth if first else None,
            reasoning=first.reasoning if first else None,
            texts=tuple(response.text or "" for response in answered),
            request_digests=tuple(request.digest for request in requests),
            usage=add_usage([response.usage for response in answered]),
            cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
            latency_s=max(latencies, default=None),
            from_cache=bool(answered) and all(response.from_cache for response in answered),
            unscored_reason=_reason(asked, failed),
            message=failed.error.message if failed and failed.error else None,
            notes=tuple(dict.fromkeys(note for response in answered for note in response.notes)),
        )


_Asked = tuple[list[Request], list[Response], ReadVerdict | None]


def _reason(asked: Sequence[_Asked], failed: Response | None) -> str | None:
    """Why there is no verdict; None when there is one."""
    if failed is not None:
        return failed.error.kind if failed.error else "error"
    verdicts = [verdict for _, _, verdict in asked]
    if None in verdicts:
        refused = any(each[1][-1].status == "refused" for each in asked)
        return "refused" if refused else "unreadable"
    return "abstained" if any(verdict is not None and verdict.worth is None for verdict in verdicts) else None


def with_passages(sample: Sample, variant: Variant, response: Response) -> Sample:
    """The sample with the column `passages`: what a search found for it, where its prompt made one."""
    searches = [step for step in response.steps if step.action == "search"]
    if not searches or PASSAGES in sample.fields:
        return sample
    shown = variant.aid.fields(sample.fields).get(PASSAGES) if variant.aid is not None else None
    text = shown or "\n\n".join(step.output for step in searches)
    return replace(sample, fields={**sample.fields, PASSAGES: text})


def assess(judges: Sequence[Judge], sample: Sample, variant: Variant, extractor: Extractor) -> Assess:
    """How the answer to a sample is judged: by all judges side by side; without an answer by none."""

    async def run(response: Response, consult: Consult, sample: Sample = sample) -> Response:
        found = extractor.extract(response.text) if response.text else None
        if found is None:
            return response
        question = variant.question(sample)
        sample = with_passages(sample, variant, response)
        judgements = await asyncio.gather(
            *(judge.judge(consult, sample, question, found.answer) for judge in judges)
        )
        names = (judge.metric for judge in judges)
        found_now = dict(zip(names, judgements, strict=True))
        return replace(response, judgements={**response.judgements, **found_now})

    return run
