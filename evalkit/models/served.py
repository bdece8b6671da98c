"""Requests of one served model, as LiteLLM takes them, and replies as the runner takes them.

Here a request becomes LiteLLM's arguments and a reply a `Response`; how the call is made is a matter of lanes
(`ladder`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from evalkit.core.errors import CallError
from evalkit.core.records import Loglikelihood, Message, Request, Response, encode_message, flatten
from evalkit.core.redaction import redact
from evalkit.models import catalog, echo, replies
from evalkit.models.calls import RefusedError, holds_answer, translated
from evalkit.models.ladder import CHECKS, Ladder
from evalkit.models.lessons import learn, lessons_in
from evalkit.models.parameters import Plan, plan_parameters
from evalkit.models.resolution import Resolved
from evalkit.models.seam import Lane
from evalkit.models.wire import Exchange

__all__ = ["Served"]


class Served:
    """Calls of one model behind LiteLLM, on the loop of whoever calls."""

    def __init__(
        self,
        resolved: Resolved,
        lane: Lane | None = None,
        *,
        folder: Path | None = None,
        checks: int = CHECKS,
    ) -> None:
        """`lane` is the fastest to be used, None the fastest that works; `folder` is where compiled requests
        and what was found out about LiteLLM are remembered, None remembers nothing."""
        self._resolved = resolved
        self._settings = resolved.settings
        self._name = resolved.name
        self._provider = resolved.provider
        self._text_only = resolved.provider.startswith("text-completion-")
        self._price = resolved.settings.price or catalog.price(resolved.route)
        self._ladder = Ladder(resolved, lane, folder=folder, checks=checks)
        self._plans: dict[bytes, Plan] = {}
        self._lessons: list[CallError] = []
        self._one_by_one = False
        self._context_tokens: OrderedDict[str, int] = OrderedDict()

    @property
    def notes(self) -> tuple[str, ...]:
        """How the calls were made, for the record of the run."""
        return (*self._ladder.notes, *lessons_in(self._plans.values()))

    @property
    def lane(self) -> Lane:
        """The lane in which the next call is made."""
        return self._ladder.lane

    async def call(self, request: Request) -> Response:
        """The response to a request of any kind, or CallError."""
        if request.kind == "generate":
            return await self._generate(request)
        if request.kind == "rolling":
            return await self._rolling(request)
        return await self._score(request)

    async def aclose(self) -> None:
        """Nothing; closes the connections and remembers what has been learnt."""
        await self._ladder.aclose(self._plans)

    async def _generate(self, request: Request) -> Response:
        """The text that continues the messages; what the server refuses to be told is left out at once."""
        while True:
            plan = await self._plan(request.params)
            try:
                return await self._generate_by(plan, request)
            except CallError as failure:
                if not self._learn(failure, plan):
                    raise

    async def _generate_by(self, plan: Plan, request: Request) -> Response:
        """The text that continues the messages, asked for in this way."""
        notes = plan.notes
        if self._text_only:
            shape: dict[str, Any] = {"prompt": flatten(request.messages)}
            function, read = "atext_completion", replies.text_response
        else:
            shape = {"messages": [encode_message(message) for message in request.messages]}
            function, read = "acompletion", replies.chat_response
            prefill, note = self._prefill(request.messages)
            shape.update(prefill)
            notes = (*notes, *note)
        exchange = Exchange(deadline_s=self._ladder.connection.timeout_s)
        try:
            reply, seconds = await self._ladder.ask(function, {**plan.sent, **shape}, exchange)
        except CallError as failure:
            self._bill(failure, None, exchange)
            raise
        except RefusedError as refusal:
            return Response(
                status="refused",
                text="",
                finish_reason="content_filter",
                latency_s=exchange.seconds,
                notes=(*notes, str(refusal)),
            )
        try:
            response = read(reply, self._name, exchange.reply_body)
        except CallError as failure:
            self._bill(failure, reply, exchange)
            raise
        response = replies.cut_at_stop(response, plan.stops)
        return replace(
            response,
            model_reported=replies.reported(response.model_reported, self._provider),
            cost_usd=replies.cost(response.usage, self._price),
            latency_s=seconds,
            notes=(*notes, *response.notes),
        )

    def _bill(self, failure: CallError, reply: Any, exchange: Exchange) -> None:
        """Nothing; the failure says whether the server took it for an answer, and what that cost."""
        document = replies.document_in(exchange.reply_body)
        usage = replies.usage_of(reply if reply is not None else document, document)
        failure.paid = bool(usage.output) or holds_answer(exchange.reply_body or b"")
        failure.paid_usd = replies.cost(usage, self._price)

    async def _score(self, request: Request) -> Response:
        """The loglikelihood of each continuation after the messages."""
        context = flatten(request.messages)
        prompts = [context + continuation for continuation in request.continuations]
        echoes, response = await self._echo(prompts)
        notes: tuple[str, ...] = ()
        if any(one.offsets is None for one in echoes):
            first = await self._count_tokens(context.rstrip())
            notes = ("the tokens' texts do not line up with the prompt: its own tokens were counted",)
            found = [echo.token_likelihood(one, first) for one in echoes]
        else:
            found = [echo.continuation_likelihood(one, len(context)) for one in echoes]
        for continuation, likelihood in zip(request.continuations, found, strict=True):
            self._check(likelihood, continuation)
        return replace(response, loglikelihoods=tuple(found), notes=notes)

    async def _rolling(self, request: Request) -> Response:
        """The loglikelihood of the whole text."""
        echoes, response = await self._echo([request.text])
        found = echo.text_likelihood(echoes[0])
        self._check(found, request.text)
        notes: tuple[str, ...] = ()
        if found.n_tokens != len(echoes[0].logprobs):
            notes = ("the first token is not scored: nothing precedes it",)
        return replace(response, loglikelihoods=(found,), notes=notes)

    def _check(self, likelihood: Loglikelihood, text: str) -> None:
        """Nothing; a text of which no token was scored is no certainty but an error."""
        if text and likelihood.n_tokens == 0:
            raise CallError(
                f"{self._name}: no token of {text[:40]!r} was scored (nothing precedes it)",
                kind="bad_request",
                action="fail_sample",
            )

    async def _echo(self, prompts: list[str]) -> tuple[list[echo.Echo], Response]:
        """(the echo of each prompt, what the call took)."""
        if self._one_by_one and len(prompts) > 1:
            parts = [await self._echo([prompt]) for prompt in prompts]
            return [one for found, _ in parts for one in found], _together([r for _, r in parts])
        given = {
            "prompt": prompts if len(prompts) > 1 else prompts[0],
            "echo": True,
            "logprobs": 1,
            "max_tokens": 1,  # 0 is refused by some servers; the token generated is left out
            "temperature": 0,
        }
        exchange = Exchange(deadline_s=self._ladder.connection.timeout_s)
        try:
            reply, seconds = await self._ladder.ask("atext_completion", given, exchange)
        except RefusedError as refusal:
            raise CallError(str(refusal), kind="bad_request", action="fail_sample") from None
        choices = sorted(getattr(reply, "choices", None) or [], key=lambda c: getattr(c, "index", 0))
        if len(choices) != len(prompts):
            if choices and len(prompts) > 1:
                self._one_by_one = True  # a server that takes one prompt a call
                return await self._echo(prompts)
            raise CallError(
                f"{self._name}: the reply holds no choices", kind="invalid_response", action="retry"
            )
        document = replies.document_in(exchange.reply_body)
        for choice in choices:
            replies.check_ending(choice, self._name, document)
        found = [
            echo.read_echo(getattr(choice, "logprobs", None), prompt, self._name, n_generated=1)
            for choice, prompt in zip(choices, prompts, strict=True)
        ]
        usage = replies.usage_of(reply, document)
        response = Response(
            usage=usage,
            cost_usd=replies.cost(usage, self._price),
            latency_s=seconds,
            model_reported=replies.reported(getattr(reply, "model", None), self._provider),
        )
        return found, response

    async def _count_tokens(self, context: str) -> int:
        """How many tokens the server makes of the context, the beginning-of-sequence token included."""
        if not context:
            return 0
        if context not in self._context_tokens:
            (one,), _ = await self._echo([context])
            self._context_tokens[context] = len(one.logprobs)
            if len(self._context_tokens) > 256:
                self._context_tokens.popitem(last=False)
        return self._context_tokens[context]

    def _plan_key(self, params: Mapping[str, Any]) -> bytes:
        """The parameters, the settings' own included, as one text."""
        return orjson.dumps({**self._settings.params, **params}, option=orjson.OPT_SORT_KEYS)

    async def _plan(self, params: Mapping[str, Any]) -> Plan:
        """What is sent for these parameters; worked out once for each set."""
        self._plans.update(self._ladder.recall())
        key = self._plan_key(params)
        plan = self._plans.get(key)
        if plan is None:
            await self._ladder.wake()
            connection = self._ladder.connection
            merged = {**self._settings.params, **params}
            with translated(self._name, Exchange(observed=True), redact):
                plan = plan_parameters(
                    connection.litellm,
                    connection.bare,
                    self._provider,
                    merged,
                    chat=not self._text_only,
                    where=self._name,
                )
            for lesson in self._lessons:
                plan = self._taught(lesson, plan)
            self._plans[key] = plan
        return plan

    def _learn(self, failure: CallError, plan: Plan) -> bool:
        """Whether the failure teaches how the model is to be asked; all plans heed it from then on."""
        if self._taught(failure, plan) is plan:
            return False
        if plan in self._plans.values():  # else another call has just learnt it
            self._lessons.append(failure)
            self._plans = {key: self._taught(failure, each) for key, each in self._plans.items()}
        return True

    def _taught(self, failure: CallError, plan: Plan) -> Plan:
        """The plan as the failure teaches it; itself where it teaches nothing."""
        connection = self._ladder.connection
        found = learn(
            failure, plan, litellm=connection.litellm, name=connection.bare, provider=self._provider
        )
        return found or plan

    def _prefill(self, messages: tuple[Message, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """(fields that make the server go on from a last message of the assistant, a note where none do)."""
        if not messages or messages[-1].role != "assistant":
            return {}, ()
        if self._provider == "hosted_vllm":
            return {"extra_body": {"add_generation_prompt": False, "continue_final_message": True}}, ()
        if self._provider == "anthropic":
            return {}, ()
        return {}, (f"the prefill was sent as a finished turn: {self._provider} need not go on from it",)


def _together(responses: list[Response]) -> Response:
    """One response for several calls: tokens, cost and seconds added up; None where one is unknown."""
    inputs = [r.usage.input for r in responses]
    outputs = [r.usage.output for r in responses]
    costs = [r.cost_usd for r in responses]
    usage = replace(
        responses[0].usage,
        input=None if None in inputs else sum(x or 0 for x in inputs),
        output=None if None in outputs else sum(x or 0 for x in outputs),
    )
    return replace(
        responses[0],
        usage=usage,
        cost_usd=None if None in costs else sum(x or 0.0 for x in costs),
        latency_s=sum(r.latency_s or 0.0 for r in responses),
    )
